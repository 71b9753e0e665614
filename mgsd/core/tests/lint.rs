//! Each rule of the outbound lint: a case that it lets pass and one that it stops.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use llog::lcfg::LustreCfg;
use llog::log::Log;
use llog::marker::{Marker, flag};
use mgs_core::lint::{self, Violation};
use std::collections::BTreeSet;
use wire::mgs::{ConfigBody, NidTblEntry, config_type};
use wire::nodemap::{self, Entry, IndexPage};
use wire::ptlrpc::{ConnectData, connect_flags as cf, connect_op};
use wire::{Codec, Order, Writer};

fn granted(flags: u64, flags2: u64) -> ConnectData {
    ConnectData { flags, flags2, ..ConnectData::default() }
}

#[test]
fn flags_not_asked_for() {
    let asked = (cf::VERSION | cf::AT, cf::REP_MBITS);
    assert!(lint::connect(asked, 0, &granted(cf::AT, cf::REP_MBITS)).is_ok());
    let surplus = lint::connect(asked, 0, &granted(cf::AT | cf::PINGLESS, 0));
    assert_eq!(surplus, Err(Violation::FlagsNotAsked(cf::PINGLESS, 0)));
    let second = lint::connect(asked, 0, &granted(0, cf::LARGE_NID));
    assert_eq!(second, Err(Violation::FlagsNotAsked(0, cf::LARGE_NID)));
}

#[test]
fn replayable_or_recovering() {
    assert!(lint::connect((0, 0), connect_op::RECONNECT, &granted(0, 0)).is_ok());
    for bit in [connect_op::RECOVERING, connect_op::REPLAYABLE] {
        assert_eq!(lint::connect((0, 0), bit, &granted(0, 0)), Err(Violation::Replayable(bit)));
    }
}

#[test]
fn a_transno() {
    let data = ConnectData { transno: 1, ..granted(0, 0) };
    assert_eq!(lint::connect((0, 0), 0, &data), Err(Violation::Transno));
}

fn pages(entries: &[Entry]) -> Vec<u8> {
    let mut w = Writer::new(Order::Little);
    IndexPage { entries: entries.to_vec() }.encode(&mut w);
    w.into_vec()
}

#[test]
fn nodemap_success_without_its_default_entry() {
    let all = nodemap::untouched();
    assert!(lint::nodemap(&pages(&all)).is_ok());
    assert_eq!(lint::nodemap(&pages(&all[1..])), Err(Violation::NodemapWithoutDefault));
    assert_eq!(lint::nodemap(&[]), Err(Violation::NodemapWithoutDefault));
    assert_eq!(lint::nodemap(&pages(&all)[..4000]), Err(Violation::NodemapPage));
}

fn entry(version: u64, nids: &[&str]) -> NidTblEntry {
    let nids: Vec<wire::Nid> = nids.iter().map(|n| n.parse().unwrap()).collect();
    let length = u32::try_from(NidTblEntry::size(1, nids.len())).unwrap();
    NidTblEntry { version, instance: 1, index: 0, length, target_type: 2, nid_type: 1, nid_size: 20, nids }
}

fn ask() -> ConfigBody {
    ConfigBody {
        name: "testfs-cliir".to_owned(),
        offset: 1,
        config_type: config_type::RECOVER,
        nid_size_or_pass: 20,
        bits: 12,
        units: 4,
    }
}

fn table(entries: &[NidTblEntry]) -> Vec<u8> {
    let mut w = Writer::new(Order::Little);
    entries.iter().for_each(|e| e.encode(&mut w));
    w.into_vec()
}

#[test]
fn nid_table_entries_empty_unsorted_or_over_a_page() {
    let one = entry(3, &["10.0.0.1@tcp"]);
    let two = entry(4, &["10.0.0.2@tcp"]);
    assert!(lint::nidtbl(&ask(), &table(&[one.clone(), two.clone()]), 4).is_ok());
    assert!(lint::nidtbl(&ask(), &[], 2).is_ok(), "nothing new is a good answer");
    let bad = |entries: &[NidTblEntry], offset| lint::nidtbl(&ask(), &table(entries), offset).is_err();
    assert!(bad(&[entry(3, &[])], 3), "empty");
    assert!(bad(&[two.clone(), one.clone()], 4), "unsorted");
    assert!(bad(&[one.clone(), one.clone()], 4), "same version twice");
    assert!(bad(&[one.clone(), two.clone()], 3), "version above the offset of the reply");
    let long = NidTblEntry { length: 4097, ..one.clone() };
    assert!(bad(&[long], 3), "over a page");
    let many: Vec<NidTblEntry> = (3..120).map(|v| entry(v, &["10.0.0.1@tcp"])).collect();
    assert!(bad(&many, 200), "crosses a page");
    let old_reader = ConfigBody { nid_size_or_pass: 0, ..ask() };
    assert!(lint::nidtbl(&old_reader, &table(&[one]), 3).is_err(), "form that was not asked for");
}

/// Bytes of a log with these records between a START and an END.
fn section(records: &[LustreCfg]) -> Vec<u8> {
    let mut log = Log::new();
    let mut marker = Marker {
        step: 2,
        flags: flag::START,
        vers: 0,
        createtime: 1,
        canceltime: 0,
        tgtname: "t-OST0000".to_owned(),
        comment: "add osc".to_owned(),
    };
    log.append(&LustreCfg::marker_rec(&marker).unwrap(), 1).unwrap();
    for record in records {
        log.append(record, 1).unwrap();
    }
    marker.flags = flag::END;
    log.append(&LustreCfg::marker_rec(&marker).unwrap(), 1).unwrap();
    log.bytes_from(8192)
}

fn good() -> Vec<LustreCfg> {
    vec![
        LustreCfg::add_uuid("10.0.0.2@tcp", 0x0002_0000_0a00_0002, None),
        LustreCfg::attach("t-OST0000-osc", "osc", "t-clilov_UUID"),
        LustreCfg::setup_str("t-OST0000-osc", &["t-OST0000_UUID", "10.0.0.2@tcp"]),
        LustreCfg::lov_add_obd("t-clilov", "t-OST0000_UUID", 0),
    ]
}

fn check(bytes: &[u8]) -> Result<(), Violation> {
    lint::records("t-client", bytes, BTreeSet::from(["t-clilov".to_owned()]), 1)
}

#[test]
fn a_log_that_an_interpreter_cannot_execute() {
    assert_eq!(check(&section(&good())), Ok(()));
    // Each record that others need, taken away.
    for (without, why) in [(0, "node"), (1, "attached"), (2, "")] {
        let mut records = good();
        records.remove(without);
        let verdict = check(&section(&records));
        if why.is_empty() {
            // Without SETUP nothing in the section names the device; the LOV still gets its target.
            assert_eq!(verdict, Ok(()));
        } else {
            assert!(verdict.unwrap_err().to_string().contains(why));
        }
    }
    let no_lov = lint::records("t-client", &section(&good()), BTreeSet::new(), 1);
    assert!(no_lov.unwrap_err().to_string().contains("not set up"));
    let conn = [LustreCfg::add_conn("t-OST0000-osc", "10.0.0.3@tcp")];
    assert!(check(&section(&conn)).is_err());
}

#[test]
fn sections_must_be_whole() {
    let whole = section(&good());
    let end = whole.len() - 224;
    assert!(check(&whole[..end]).unwrap_err().to_string().contains("without its end"));
    assert!(check(&whole[224..]).unwrap_err().to_string().contains("outside of a section"));
    let twice = [&whole[..224], &whole[..]].concat();
    assert!(check(&twice).unwrap_err().to_string().contains("within a section"));
    for cut in 1..224 {
        assert!(check(&whole[..whole.len() - cut]).is_err(), "cut by {cut}");
    }
}

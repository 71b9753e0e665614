//! Every rule of `check`, each broken on purpose; and `diff`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

use capture::states;

use llog::check::{self, Level};
use llog::diff::{Difference, diff};
use llog::marker::flag;
use llog::{Log, LustreCfg, Marker, cmd, text};

const UUID: &str = "t-OST0000_UUID";
const NID: u64 = 0x0002_0000_0a4d_0003;

fn marker(flags: u32, comment: &str) -> LustreCfg {
    let m =
        Marker { step: 2, flags, tgtname: "t-OST0000".into(), comment: comment.into(), ..Marker::default() };
    LustreCfg::marker_rec(&m).unwrap()
}

fn log_of(records: &[LustreCfg]) -> Log {
    let mut log = Log::new();
    for rec in records {
        log.append(rec, 1).unwrap();
    }
    log
}

/// A sound section with an OSC, `more` behind it.
fn section(more: &[LustreCfg]) -> Vec<LustreCfg> {
    let mut out = vec![
        marker(flag::START, "add osc"),
        LustreCfg::attach("t-clilov", "lov", "t-clilov_UUID"),
        LustreCfg::setup("t-clilov", &[&LustreCfg::lov_desc("t-clilov")]),
        LustreCfg::add_uuid("n1", NID, None),
        LustreCfg::attach("t-osc", "osc", "t-clilov_UUID"),
        LustreCfg::setup_str("t-osc", &[UUID, "n1"]),
        LustreCfg::lov_add_obd("t-clilov", UUID, 0),
    ];
    out.extend_from_slice(more);
    out.push(marker(flag::END, "add osc"));
    out
}

fn findings(records: &[LustreCfg]) -> Vec<String> {
    let log = log_of(records);
    let from_file = check::file(&log.to_file());
    assert_eq!(from_file, check::log(&log));
    from_file.iter().map(ToString::to_string).collect()
}

#[test]
fn a_sound_section_has_no_findings() {
    let more = [
        LustreCfg::add_uuid("n2", 0, Some("fd00::1@tcp")),
        LustreCfg::add_conn("t-osc", "n2"),
        LustreCfg::param(Some("t-osc"), "osc.active=0"),
        LustreCfg::param(None, "sys.jobid_var=procname_uid"),
        LustreCfg::param(Some("t-client"), "llite.max_read_ahead_mb=8"),
        LustreCfg::mount_opt("t-client", "t-clilov", None),
        LustreCfg::pool_new("t-clilov", "t", "flash"),
        LustreCfg::set_param("general", "debug=+rpctrace"),
        LustreCfg::set_timeout(60),
    ];
    assert_eq!(findings(&section(&more)), Vec::<String>::new());
}

/// One command behind a sound section's own, and what it leads to.
#[test]
fn commands_that_fail() {
    let nowhere = "t-OST0042-osc";
    let cases = [
        (
            LustreCfg::attach("t-osc", "osc", "u"),
            "error: record 8: device t-osc was attached by record 5 already",
        ),
        (
            LustreCfg::new(cmd::ATTACH).with_text(0, "x"),
            "error: record 8: attach needs device, type and UUID",
        ),
        (
            LustreCfg::setup_str(nowhere, &[UUID, "n1"]),
            "error: record 8: setup of device 't-OST0042-osc', which is not",
        ),
        (LustreCfg::setup_str("t-osc", &[UUID, "n1"]), "error: record 8: device t-osc is set up twice"),
        (LustreCfg::add_conn("t-osc", "n9"), "error: record 8: node 'n9' has no add_uuid before"),
        (
            LustreCfg::add_conn(nowhere, "n1"),
            "error: record 8: add_conn on device 't-OST0042-osc', which is not set up",
        ),
        (LustreCfg::lov_add_obd("t-clilov", "u2", 0), "error: record 8: index 0 of u2 was taken by record 7"),
        (LustreCfg::lov_add_obd("t-clilov", "u2", 70000), "error: record 8: add_osc has index '70000'"),
        (LustreCfg::lov_add_obd("x", "u2", 1), "error: record 8: add_osc on device 'x', which is not set up"),
        (LustreCfg::new(cmd::ADD_MDC), "error: record 8: add_mdc needs UUID and index"),
        (LustreCfg::new(cmd::ADD_UUID), "error: record 8: add_uuid without node UUID"),
        (LustreCfg::add_uuid("n3", 0, None), "error: record 8: add_uuid without NID"),
        (LustreCfg::param(Some("t-osc"), "osc.active"), "error: record 8: conf_param without 'name=value'"),
        (
            LustreCfg::param(Some(nowhere), "osc.active=0"),
            "warning: record 8: conf_param osc.active=0 for device",
        ),
        (LustreCfg::mount_opt("p", "x-lov", None), "warning: record 8: profile names device x-lov"),
        (
            LustreCfg::pool_del("x-lov", "t", "p"),
            "warning: record 8: del_pool on a device that is not attached",
        ),
        (LustreCfg::set_param("general", "debug"), "warning: record 8: set_param without 'name=value'"),
        (LustreCfg::new(cmd::DETACH).with_text(0, "x"), "error: record 8: detach of a device"),
        (LustreCfg::new(0xcf0ff), "error: record 8: unknown required command 0xcf0ff: mounting fails"),
        (LustreCfg::new(0xce0ff), "warning: record 8: unknown command 0xce0ff"),
    ];
    for (rec, want) in cases {
        let found = findings(&section(std::slice::from_ref(&rec)));
        assert!(found.len() == 1 && found[0].starts_with(want), "{want}\nfound {found:#?}");
        // The same in a skipped section is nobody's concern.
        let mut skipped = section(&[]);
        skipped.push(marker(flag::START | flag::SKIP, "x"));
        skipped.push(rec);
        skipped.push(marker(flag::END | flag::SKIP, "x"));
        assert_eq!(findings(&skipped), Vec::<String>::new());
    }
    let short =
        [marker(flag::START, "a"), LustreCfg::attach("l", "lov", "u"), LustreCfg::setup("l", &[&[0; 8]])];
    let found = findings(&[&short[..], &[marker(flag::END, "a")]].concat());
    assert_eq!(found, ["error: record 3: lov descriptor has 8 bytes, 88 are needed"]);
}

#[test]
fn markers_that_do_not_pair() {
    let (start, end) = (|c| marker(flag::START, c), |c| marker(flag::END, c));
    let rec = || LustreCfg::set_timeout(9);
    let cases: [(&[LustreCfg], &str); 6] = [
        (&[rec()], "warning: record 1: set_timeout lies outside any section: readers ignore it"),
        (&[start("a"), rec()], "warning: record 1: section t-OST0000 'a' has no END marker"),
        (
            &[start("a"), start("b"), end("b")],
            "warning: record 1: section t-OST0000 'a' step 2 has no END marker before record 2",
        ),
        (&[end("a")], "warning: record 1: END marker of t-OST0000 'a' step 2 without START"),
        (
            &[start("a"), end("b")],
            "warning: record 2: END marker of t-OST0000 'b' step 2 closes t-OST0000 'a' step 2 of record 1",
        ),
        (
            &[marker(0, "a")],
            "warning: record 1: marker t-OST0000 'a' step 2 is neither START nor END: flags 0x0",
        ),
    ];
    for (records, want) in cases {
        assert_eq!(findings(records), [want]);
    }
    let half = [marker(flag::START | flag::SKIP, "a"), end("a")];
    assert_eq!(
        findings(&half),
        ["warning: record 2: START and END of t-OST0000 'a' step 2 disagree about SKIP"]
    );
}

/// Damage that reading repairs is reported; damage that it cannot repair is the only finding.
#[test]
fn damage() {
    let sound = log_of(&section(&[])).to_file();
    let damaged = |at: usize, bytes: &[u8]| {
        let mut file = sound.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        let found: Vec<String> = check::file(&file).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 1, "{at}: {found:#?}");
        found[0].clone()
    };
    let cases: [(usize, &[u8], &str); 12] = [
        (24, &[9 + 1], "error: header counts 10 records, 9 are live"),
        (32, &[24], "warning: header says the shortest record has 24 bytes, it has 72"),
        (36, &[0x14], "warning: header has flags 0x14"),
        (44, b"x", "warning: header has UUID 'xonfig_uuid'"),
        (88 + 100, &[1], "error: record 800: is live in the bitmap but not in the file"),
        (36, &[0x06], "error: log header: llh_flags is 0x6, only a plain log (0x4) can be read"),
        (0, &[0, 0x10], "error: log header: lrh_len is 0x1000, only 0x2000 can be read"),
        (8, &[0], "error: log header: lrh_type is 0x10645500, only"),
        (8188, &[20], "error: log header: last index is 20 but the last record of the file has index 8"),
        (8192, &[0xe4], "error: record at offset 8192: length is 228, allowed are multiples of 8"),
        (8196, &[3], "error: record at offset 8192: tail says length 224, index 1; head says 224, 3"),
        (8203, &[0x11], "error: record at offset 8192: type is 0x11620000"),
    ];
    for (at, bytes, want) in cases {
        let found = damaged(at, bytes);
        assert!(found.starts_with(want), "{want}\n{found}");
    }
    let log = Log::from_file(&sound).unwrap();
    let end = usize::try_from(log.record(4).unwrap().offset + u64::from(log.record(4).unwrap().len)).unwrap();
    assert_eq!(damaged(end - 9, &[1]), "warning: record 4: bytes behind the buffers are not zero");
    let last = usize::try_from(log.record(7).unwrap().offset).unwrap();
    let found = damaged(last + 16, &[9]);
    assert!(found.starts_with("error: record 7: configuration record: version is 0x1cf60009"), "{found}");
    assert_eq!(check::file(&sound[..100])[0].level, Level::Error);
}

#[test]
fn difference_of_recorded_stages() {
    let files = states::session("C");
    let load = |stage: &str| Log::from_file(&files[&format!("{stage}/CONFIGS/testfs-client")]).unwrap();
    let (before, after) = (load("C09b-del_ost"), load("C08-llog_cancel"));
    let found = diff(&before, &after);
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    // llog_cancel of the add_osc record of OST0002 (mgs/09).
    let gone: Vec<&String> = lines.iter().filter(|l| l.starts_with('-')).collect();
    let come: Vec<&String> = lines.iter().filter(|l| l.starts_with('+')).collect();
    assert!(
        gone.len() == 1 && gone[0].contains("lov_modify_tgts add 0:testfs-clilov  1:testfs-OST0002_UUID"),
        "{lines:#?}"
    );
    assert!(come.len() == 1 && come[0].contains("NOT SET lov_modify_tgts add 0:testfs-clilov"), "{lines:#?}");
    assert!(diff(&before, &before.clone()).is_empty());
}

#[test]
fn difference_in_unread_bytes() {
    let files = states::session("A");
    let kernel = Log::from_file(&files["A01-mdt0000/CONFIGS/testfs-MDT0000"]).unwrap();
    let mut ours = Log::new();
    for rec in kernel.records().filter(|r| !r.is_pad()) {
        let cfg = rec.cfg().unwrap();
        let cfg = cfg.marker().map_or(cfg, |m| LustreCfg::marker_rec(&m).unwrap());
        ours.append(&cfg, kernel.timestamp()).unwrap();
    }
    let found = diff(&kernel, &ours);
    assert!(!found.is_empty(), "the kernel left bytes behind names in this log");
    assert!(found.iter().all(|d| matches!(d, Difference::Bytes { a, b, .. } if a == b)), "{found:#?}");
    let mut later = ours.clone();
    later.append(&LustreCfg::set_timeout(5), 0).unwrap();
    let lines: Vec<String> = diff(&ours, &later).iter().map(ToString::to_string).collect();
    let last = later.last_index();
    assert_eq!(lines.last().unwrap(), &format!("+#{last:02} set_timeout=5"));
    assert_eq!(lines[0], format!("header: live records {} -> {last}", last - 1));
}

/// The kernel looks back ten records to learn whether a range begins in a skipped section; we always know.
#[test]
fn a_range_inside_a_long_skipped_section() {
    let mut records = vec![marker(flag::START | flag::SKIP, "a")];
    records.extend((0..30).map(LustreCfg::set_timeout));
    records.push(marker(flag::END | flag::SKIP, "a"));
    records.push(marker(flag::START | flag::EXCLUDE, "b"));
    records.push(LustreCfg::new(0xce0ff).with_text(1, "x"));
    records.push(marker(flag::END | flag::EXCLUDE, "b"));
    let log = log_of(&records);
    assert_eq!(text::yaml(&log, false, &text::range(Some(25), Some(31))), "");
    assert_eq!(
        text::yaml(&log, false, &text::range(Some(25), None)),
        "- { index: 34, event: 0xce0ff, 1: x }\n"
    );
    let reader = text::reader(&log, &text::range(Some(33), None));
    assert!(
        reader.contains("#33 (224)EXCLUDE START marker   2 (flags=0x11, v0.0.0.0) t-OST0000"),
        "{reader}"
    );
    assert!(reader.contains("#34 (072)unsupported cmd_code = ce0ff\n\n"), "{reader}");
    assert!(reader.contains("#35 (224)END   EXCLUDE END   marker   2"), "{reader}");
}

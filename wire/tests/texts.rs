//! What people read: names of locks and logs, and errors that name the value.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use wire::ldlm::{ConfigKind, ResId};
use wire::llog_rpc::LogId;
use wire::mgs::NidTblEntry;
use wire::nid::NidAddr;
use wire::{Codec, Error, Nid, Order};

#[test]
fn locks_by_name_or_by_number() {
    assert_eq!(ResId::config("lustre", ConfigKind::Recover).unwrap().to_string(), "lustre/Recover");
    // Of another service: no name of a config.
    let other = ResId([0x2000_0040_0000_0000, 0x1f, 7, 0]).to_string();
    assert_eq!(other.replace(char::is_whitespace, ""), "[0x2000004000000000,0x1f,0x7,0x0,]");
}

/// As `llog_reader` and `lctl` print a log id.
#[test]
fn logs_by_number() {
    assert_eq!(LogId { oid: 3, seq: 10, ogen: 0 }.to_string(), "0x3:0xa:0x0");
}

/// Type and size of the NIDs, as the message says them: 0x008 and 0x114 are allowed.
#[test]
fn the_error_of_an_entry_names_type_and_size() {
    let nids = vec!["10.0.0.3@tcp".parse().unwrap()];
    let entry = NidTblEntry {
        version: 1,
        instance: 1,
        index: 0,
        length: 44,
        target_type: 2,
        nid_type: 1,
        nid_size: 20,
        nids,
    };
    for (kind, size, named) in [(1, 8, 0x108), (0, 20, 0x014), (2, 20, 0x214)] {
        let mut bytes = entry.to_vec(Order::Little);
        bytes[21] = kind;
        bytes[22] = size;
        let Err(Error::BadValue { got, .. }) = NidTblEntry::from_slice(&bytes, Order::Little) else {
            unreachable!("{kind} {size} was taken")
        };
        assert_eq!(got, named);
    }
}

/// protocol/1, 1.1.1: the loopback has address 0 and no network number; what has no text form is written by numbers, and
/// read back.
#[test]
fn what_only_looks_like_the_loopback() {
    for (net, addr, text) in [(0, 0, "0@lo"), (1, 0, "0@<9:1>"), (0, 1, "1@<9:0>"), (3, 0x1f, "1f@<9:3>")] {
        let nid = Nid { lnd: 9, net, addr: NidAddr::Small(addr) };
        assert_eq!((nid.to_string().as_str(), text.parse()), (text, Ok(nid)));
    }
}

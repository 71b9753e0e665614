//! Imperative recovery: when the NID table changes, who gets which entry, and in which state a file system is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod harness;
mod targets;

use harness::{ASKED, Mgs, connect_body, connect_request, encode, nid};
use mgs_core::Errno;
use mgs_core::model::command::{Command, fs};
use mgs_core::model::commit::EventKind;
use mgs_core::model::recovery::IrState;
use std::time::Duration;
use targets::{Node, mdt, ost, register};
use wire::llog_rpc::LlogdBody;
use wire::lnet::portal;
use wire::mgs::{ConfigBody, ConfigRes, NidTblEntry, TargetInfo, config_type, ldd};
use wire::ptlrpc::{connect_flags, opc};
use wire::{Codec, Order, Reader};

const CLIENT: &str = "10.0.0.4@tcp";

/// MDT0000 and two OSTs on a node of their own each, running.
fn running() -> Mgs {
    let mut mgs = Mgs::new();
    for target in [on(mdt(0), 1), on(ost(0), 2), on(ost(1), 3)] {
        assert_eq!(register(&mut mgs, &target).status, 0);
        assert_eq!(register(&mut mgs, &target.ready(1)).status, 0);
    }
    mgs
}

fn on(target: Node, host: u8) -> Node {
    target.with(|n| {
        n.nids = vec![format!("10.0.1.{host}@tcp")];
        n.nid = nid(&n.nids[0]);
        n.uuid = format!("server {host}");
    })
}

fn version(mgs: &Mgs) -> u64 {
    mgs.engine.view().fs["testfs"].head.nidtbl_version
}

/// Reads the table from a version on: (versions and indices with kind, version answered).
fn table(mgs: &mut Mgs, from: u64) -> (Vec<(u64, u8, u32)>, u64) {
    table_for(mgs, from, 20)
}

fn table_for(mgs: &mut Mgs, from: u64, nid_size: u8) -> (Vec<(u64, u8, u32)>, u64) {
    let known = mgs.engine.exports().iter().find(|e| e.uuid == "client").map(|e| e.cookie);
    let handle = known.unwrap_or_else(|| mgs.connect(nid(CLIENT), "client"));
    let ask = ConfigBody {
        name: "testfs-cliir".to_owned(),
        offset: from,
        config_type: config_type::RECOVER,
        nid_size_or_pass: nid_size,
        bits: 12,
        units: 4,
    };
    let before = mgs.sent.len();
    let reply = mgs.call(nid(CLIENT), handle, opc::MGS_CONFIG_READ, vec![encode(&ask)]);
    let bulk = mgs.sent[before..].iter().find(|s| s.portal == portal::MGS_BULK);
    let bytes = bulk.map(|s| s.payload.clone()).unwrap_or_default();
    let mut reader = Reader::new(&bytes, Order::Little);
    let mut entries = Vec::new();
    while reader.remaining() > 0 {
        let e = NidTblEntry::decode(&mut reader).unwrap();
        entries.push((e.version, e.target_type, e.index));
    }
    let res = ConfigRes::from_slice(&reply.message().buffers[1], Order::Little).unwrap();
    assert_eq!(res.offset, res.size_or_pass, "everything fits");
    (entries, res.offset)
}

fn ready(mgs: &mut Mgs, target: &Node) -> TargetInfo {
    let reply = register(mgs, target);
    assert_eq!(reply.status, 0);
    reply.info
}

#[test]
fn the_same_ready_again_changes_nothing() {
    let mut mgs = running();
    assert_eq!(version(&mgs), 5, "one for each READY, as a kernel MGS counts from 2");
    let (commits, before) = (mgs.commits, mgs.store.clone());
    ready(&mut mgs, &on(ost(0), 2).ready(1));
    assert_eq!((mgs.commits, version(&mgs)), (commits, 5));
    assert_eq!(mgs.store, before);
    // A real restart counts one further.
    ready(&mut mgs, &on(ost(0), 2).ready(2));
    assert_eq!((mgs.commits, version(&mgs)), (commits + 1, 6));
}

#[test]
fn an_earlier_start_never_replaces_a_later_one() {
    let mut mgs = running();
    ready(&mut mgs, &on(ost(0), 2).ready(7));
    let at = version(&mgs);
    // A message of an earlier mount arrives late: from the old node, with the old address.
    ready(&mut mgs, &on(ost(0), 9).ready(6));
    let entry = &mgs.engine.view().fs["testfs"].nidtbl[&mgs_core::model::TargetId::ost(0)];
    assert_eq!((version(&mgs), entry.instance, entry.nids[0]), (at, 7, nid("10.0.1.2@tcp")));
    // After a writeconf, and in the place of a lost disk, a target may begin again.
    for again in [on(ost(0), 9).writeconf(), on(ost(0), 9).with(|n| n.info.flags &= !ldd::VIRGIN)] {
        let before = version(&mgs);
        assert_eq!(register(&mut mgs, &again).status, 0);
        ready(&mut mgs, &on(ost(0), 9).ready(1));
        assert_eq!(version(&mgs), before + 1);
        ready(&mut mgs, &on(ost(0), 9).ready(5));
    }
}

#[test]
fn networks_come_and_go_while_a_target_runs() {
    let mut mgs = running();
    let nids = |mgs: &Mgs| {
        let entry = &mgs.engine.view().fs["testfs"].nidtbl[&mgs_core::model::TargetId::ost(0)];
        entry.nids.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let say = |mgs: &mut Mgs, list: &[&str]| {
        let list = list.iter().map(|n| (*n).to_owned()).collect();
        ready(mgs, &on(ost(0), 2).with(|n| n.nids = list).ready(1))
    };
    say(&mut mgs, &["10.9.0.2@tcp1"]);
    assert_eq!((nids(&mgs).len(), version(&mgs)), (2, 6), "{:?}", nids(&mgs));
    say(&mut mgs, &["10.9.0.2@o2ib"]);
    assert_eq!((nids(&mgs).len(), version(&mgs)), (3, 7), "o2ib0 is not tcp0");
    say(&mut mgs, &["#tcp1"]);
    assert_eq!((nids(&mgs).len(), version(&mgs)), (2, 8));
    assert!(!nids(&mgs).contains(&"10.9.0.2@tcp1".to_owned()));
    say(&mut mgs, &["#tcp1"]);
    assert_eq!(version(&mgs), 8, "it was gone already");
}

#[test]
fn after_a_restart_only_confirmed_entries_are_served() {
    let mut mgs = running().restarted();
    assert_eq!(version(&mgs), 5, "versions never go back");
    let (entries, at) = table(&mut mgs, 1);
    assert_eq!((entries, at), (vec![], 5));
    // The MGC of the first OST is back, but nobody asked for its entry meanwhile... the client above did.
    mgs.connect(nid("10.0.1.2@tcp"), "server 2");
    assert_eq!(
        table(&mut mgs, 6),
        (vec![(6, 2, 0)], 6),
        "who missed the entry is given it under a new version"
    );
    // The same by READY, with nothing else new.
    ready(&mut mgs, &on(ost(1), 3).ready(1));
    assert_eq!(table(&mut mgs, 7).0, [(7, 2, 1)]);
    ready(&mut mgs, &on(ost(1), 3).ready(1));
    assert_eq!(version(&mgs), 7);
    // The MDT stays away.
    assert_eq!(table(&mut mgs, 1).0, [(6, 2, 0), (7, 2, 1)]);
}

#[test]
fn a_restart_that_nobody_noticed_changes_no_version() {
    let mut mgs = running().restarted();
    let before = mgs.store.clone();
    mgs.connect(nid("10.0.1.1@tcp"), "server 1");
    for target in [on(mdt(0), 1), on(ost(0), 2), on(ost(1), 3)] {
        ready(&mut mgs, &target.ready(1));
    }
    assert_eq!(mgs.store, before);
    assert_eq!(table(&mut mgs, 1).0, [(3, 1, 0), (4, 2, 0), (5, 2, 1)]);
    assert_eq!(table(&mut mgs, 6), (vec![], 5));
}

/// Connects a client of the years before imperative recovery, and opens the client log.
fn old_client(mgs: &mut Mgs) -> u64 {
    let mut buffers = connect_request("old client");
    let mut data = wire::ptlrpc::ConnectData::from_slice(&buffers[3], Order::Little).unwrap();
    data.flags = ASKED & !connect_flags::IMP_RECOV;
    buffers[3] = encode(&data);
    let body = connect_body(1);
    let xid = mgs.send(nid("10.0.0.44@tcp"), body, buffers);
    let handle = mgs.reply(xid).unwrap().body().handle;
    let open = vec![encode(&LlogdBody::default()), b"testfs-client\0".to_vec()];
    assert_eq!(mgs.call(nid("10.0.0.44@tcp"), handle, opc::LLOG_ORIGIN_HANDLE_CREATE, open).body().status, 0);
    handle
}

#[test]
fn states_and_how_long_they_last() {
    let mut mgs = running();
    let capable =
        |mgs: &mut Mgs, instance| ready(mgs, &on(ost(0), 2).ready(instance)).flags & ldd::IR_CAPABLE != 0;
    let status = |mgs: &Mgs| {
        let s = mgs.engine.ir_status("testfs", mgs.now);
        (s.state, s.since.as_secs(), s.nonir_clients)
    };
    mgs.advance(Duration::from_secs(10));
    assert_eq!(status(&mgs), (IrState::Startup, 10, 0));
    assert!(!capable(&mut mgs, 2));
    mgs.advance(Duration::from_secs(400));
    assert_eq!(status(&mgs), (IrState::Full, 10, 0));
    assert!(capable(&mut mgs, 3));
    let handle = old_client(&mut mgs);
    mgs.advance(Duration::from_secs(20));
    assert_eq!(status(&mgs), (IrState::Partial, 20, 1));
    assert!(!capable(&mut mgs, 4));
    mgs.call(nid("10.0.0.44@tcp"), handle, opc::MGS_DISCONNECT, vec![]);
    mgs.advance(Duration::from_secs(5));
    assert_eq!(status(&mgs), (IrState::Full, 5, 0));
    // Switched off: the table changes, nobody is told, and so no target relies on it. A restart knows.
    let switch = |fs: &str, off| Command::Fs(fs::Command::Recovery { fs: fs.to_owned(), off });
    mgs.order(switch("testfs", true)).unwrap();
    let at = version(&mgs);
    assert!(!capable(&mut mgs, 5));
    assert_eq!((status(&mgs).0, version(&mgs)), (IrState::Disabled, at + 1));
    let again = mgs.restarted();
    assert_eq!(again.engine.ir_state("testfs", again.now), IrState::Disabled);
    mgs.order(switch("testfs", false)).unwrap();
    assert_eq!(status(&mgs).0, IrState::Full);
    assert_eq!(mgs.order(switch("nofs", true)).unwrap_err().errno(), Errno::ENOENT);
}

#[test]
fn the_startup_time_is_set_until_the_next_start() {
    let mut mgs = running();
    let state = |mgs: &Mgs| mgs.engine.ir_state("testfs", mgs.now);
    let set = |seconds| Command::Fs(fs::Command::Startup { seconds });
    assert_eq!(state(&mgs), IrState::Startup);
    let (ticket, before) = (mgs.give(set(0), true), mgs.store.clone());
    let done = mgs.done.remove(&ticket).unwrap().unwrap();
    assert_eq!(done.events, [EventKind::StartupSet { seconds: 0, before: 400 }]);
    assert_eq!((state(&mgs), &mgs.store), (IrState::Startup, &before));
    // It is written down who did it.
    assert!(mgs.order(set(0)).unwrap().seq.is_some());
    assert_eq!(state(&mgs), IrState::Full);
    assert_eq!(mgs.order(set(0)).unwrap().seq, None);
    mgs.order(set(u64::MAX)).unwrap();
    assert_eq!((state(&mgs), mgs.engine.ir_timeout().as_secs()), (IrState::Startup, u64::MAX));
    let again = mgs.restarted();
    assert_eq!(again.engine.ir_timeout().as_secs(), 400);
}

#[test]
fn notifications_are_counted_anew() {
    let mut mgs = running();
    let count = |mgs: &Mgs| mgs.engine.ir_status("testfs", mgs.now).notified;
    ready(&mut mgs, &on(ost(0), 2).ready(2));
    let told = count(&mgs);
    assert_ne!(told, 0);
    let forget = |fs: &str| Command::Fs(fs::Command::ForgetNotified { fs: fs.to_owned() });
    let ticket = mgs.give(forget("testfs"), true);
    let event = EventKind::NotifiedForgotten { fs: "testfs".to_owned(), before: told };
    assert_eq!(mgs.done.remove(&ticket).unwrap().unwrap().events, [event]);
    assert_eq!(count(&mgs), told);
    assert!(mgs.order(forget("testfs")).unwrap().seq.is_some());
    assert_eq!(count(&mgs), 0);
    assert_eq!(mgs.order(forget("testfs")).unwrap().seq, None);
    assert_eq!(mgs.order(forget("nofs")).unwrap_err().errno(), Errno::ENOENT);
}

#[test]
fn versions_end_below_two_to_the_31() {
    let mgs = running();
    let mut store = mgs.store.clone();
    let head = String::from_utf8(store["fs/testfs"].clone()).unwrap();
    let last = head.replace("\"nidtbl_version\":5", "\"nidtbl_version\":2147483646");
    assert_ne!(head, last);
    store.insert("fs/testfs".to_owned(), last.into_bytes());
    let mut mgs = Mgs::on(store, mgs.seq);
    ready(&mut mgs, &on(ost(0), 2).ready(2));
    assert_eq!(version(&mgs), 0x7fff_ffff);
    let refused = register(&mut mgs, &on(ost(0), 2).ready(3));
    assert_eq!(refused.status, Errno::EOVERFLOW.status());
    assert_eq!(version(&mgs), 0x7fff_ffff);
}

#[test]
fn an_entry_that_a_reader_cannot_use_does_not_spoil_the_others() {
    let mut mgs = running();
    let ipv6 = on(ost(0), 2).with(|n| n.nids = vec!["fd00::2@tcp".to_owned()]).ready(2);
    // Its IPv4 address was on the same network, and is gone with this.
    ready(&mut mgs, &ipv6);
    assert_eq!(table_for(&mut mgs, 1, 0), (vec![(3, 1, 0), (5, 2, 1)], 6), "64-bit NIDs only");
    assert_eq!(table(&mut mgs, 1).0, [(3, 1, 0), (5, 2, 1), (6, 2, 0)]);
}

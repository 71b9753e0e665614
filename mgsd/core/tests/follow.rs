//! Two daemons on one store: each applies what the other committed, and plans again what came too late.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod harness;
mod targets;

use harness::{Mgs, encode, nid};
use mgs_core::engine::{CommitResult, Input, Output};
use mgs_core::model::command::{Command, param};
use mgs_core::model::commit::CommitRecord;
use mgs_core::model::{View, keys};
use std::collections::BTreeMap;
use targets::{mdt, ost, register, send};
use wire::ldlm::{ConfigKind, LdlmRequest, LockDesc, PLAIN, ResId, mode};
use wire::lnet::portal;
use wire::mgs::ldd;
use wire::ptlrpc::opc;

/// What the store has above a daemon's view, as a driver brings it.
fn news(of: &Mgs, store: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut changes = BTreeMap::new();
    let mut seq = of.engine.view().seq + 1;
    while let Some(record) = store.get(&keys::commit(seq)) {
        let known: CommitRecord = serde_json::from_slice(record).unwrap();
        changes.extend(known.keys.into_iter().map(|key| (key.clone(), store.get(&key).cloned())));
        changes.insert(keys::commit(seq), Some(record.clone()));
        seq += 1;
    }
    changes
}

/// `to` reads on in the store of `from`.
fn follow(to: &mut Mgs, from: &Mgs) {
    let changes = news(to, &from.store);
    to.store.clone_from(&from.store);
    to.seq = from.seq;
    to.input(Input::Followed(changes));
}

/// Everything that is stored, as a daemon that starts now would see it, is what a running one sees.
fn agree(mgs: &Mgs) {
    let fresh = View::load(mgs.store.iter().map(|(k, v)| (k.as_str(), v.as_slice()))).unwrap();
    let view = mgs.engine.view();
    assert_eq!((view.seq, &view.last_hash), (fresh.seq, &fresh.last_hash));
    assert_eq!((&view.meta, &view.fs), (&fresh.meta, &fresh.fs));
    assert!(view.logs.keys().eq(fresh.logs.keys()));
    for (name, entry) in &view.logs {
        assert_eq!(entry.head, fresh.logs[name].head, "{name}");
        assert_eq!(entry.log.to_file(), fresh.logs[name].log.to_file(), "{name}");
    }
}

fn two() -> (Mgs, Mgs) {
    let mut a = Mgs::new();
    assert_eq!(register(&mut a, &mdt(0)).status, 0);
    let b = a.restarted();
    (a, b)
}

fn lock(mgs: &mut Mgs, fs: &str) -> u64 {
    let client = nid("10.0.0.9@tcp");
    let handle = mgs.connect(client, "client");
    let resource = ResId::config(fs, ConfigKind::Config).unwrap();
    let desc = LockDesc { lock_type: PLAIN, resource, req_mode: mode::CR, ..LockDesc::default() };
    let request = LdlmRequest { desc, handles: vec![0x77, 0], ..LdlmRequest::default() };
    let reply = mgs.call(client, handle, opc::LDLM_ENQUEUE, vec![encode(&request)]);
    assert_eq!(reply.body().status, 0);
    handle
}

#[test]
fn a_registration_through_one_is_served_and_announced_by_the_other() {
    let (mut a, mut b) = two();
    lock(&mut b, "testfs");
    b.sent.clear();
    assert_eq!(register(&mut a, &ost(0)).status, 0);
    assert!(!b.engine.view().logs.contains_key("testfs-OST0000"));
    follow(&mut b, &a);
    agree(&b);
    assert!(b.engine.view().logs.contains_key("testfs-OST0000"));
    assert_eq!(b.sent.iter().filter(|s| s.portal == portal::LDLM_CB_REQUEST).count(), 1, "called back");
    // The same news again, and old ones, change nothing.
    let before = b.engine.view().seq;
    let all: BTreeMap<_, _> = a.store.iter().map(|(k, v)| (k.clone(), Some(v.clone()))).collect();
    b.input(Input::Followed(all));
    b.input(Input::Followed(BTreeMap::new()));
    assert_eq!(b.engine.view().seq, before);
}

#[test]
fn a_plan_that_lost_the_race_is_made_again() {
    let (mut a, mut b) = two();
    b.hold();
    let on_demand = ost(0xffff).with(|t| t.info.flags |= ldd::NEED_INDEX);
    let xid = send(&mut b, &on_demand);
    let planned = b.held.take().unwrap();
    assert!(matches!(planned[..], [Output::Commit { .. }]));
    // Meanwhile index 0 is taken.
    assert_eq!(register(&mut a, &ost(0)).status, 0);
    b.input(Input::Committed(CommitResult::Conflict { at: a.seq }));
    assert!(b.reply(xid).is_none(), "nothing is planned on what is past");
    follow(&mut b, &a);
    let reply = targets::reply(&b, xid);
    assert_eq!((reply.status, reply.info.svname.as_str()), (0, "testfs-OST0001"));
    agree(&b);
    follow(&mut a, &b);
    agree(&a);
}

#[test]
fn news_during_a_commit_of_ours_wait_for_its_end() {
    let (mut a, mut b) = two();
    b.hold();
    let xid = send(&mut b, &ost(5));
    assert_eq!(register(&mut a, &ost(0)).status, 0);
    let changes = news(&b, &a.store);
    let before = b.engine.view().seq;
    b.input(Input::Followed(changes));
    assert_eq!(b.engine.view().seq, before);
    b.held = None;
    b.input(Input::Committed(CommitResult::Conflict { at: a.seq }));
    follow(&mut b, &a);
    assert_eq!(targets::reply(&b, xid).status, 0);
    agree(&b);
}

#[test]
fn two_first_starts_make_one_mgs() {
    let a = Mgs::new();
    // It was planned before the first one's commit was seen.
    let mut b = Mgs::unborn();
    b.input(Input::Committed(CommitResult::Conflict { at: a.seq }));
    follow(&mut b, &a);
    assert_eq!(b.engine.view().meta, a.engine.view().meta);
    assert_eq!(b.commits, 0, "nothing was left to do");
    agree(&b);
}

#[test]
fn several_commits_at_once_among_them_an_erased_file_system() {
    let (mut a, mut b) = two();
    lock(&mut b, "testfs");
    assert_eq!(register(&mut a, &ost(0)).status, 0);
    assert_eq!(register(&mut a, &mdt(0).writeconf()).status, 0);
    assert_eq!(register(&mut a, &ost(0).writeconf()).status, 0);
    let set = param::Command::Assign {
        text: "testfs.sys.timeout=77".to_owned(),
        syntax: None,
        delete: false,
        force: false,
        wait: false,
    };
    a.order(Command::Param(set)).unwrap();
    follow(&mut b, &a);
    agree(&b);
    assert_eq!(b.engine.counters().get("commits_followed"), 1);
}

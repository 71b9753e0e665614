//! Nodes that somebody forgets, or does not let in.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod harness;

use harness::{Mgs, connect_body, connect_request, nid, request_body};
use mgs_core::Errno;
use mgs_core::engine::Input;
use mgs_core::model::command::Command;
use mgs_core::model::command::eviction;
use mgs_core::model::commit::EventKind;
use wire::ptlrpc::opc;

fn evict(who: &str) -> Command {
    eviction::Command::Evict { who: who.to_owned() }.into()
}
fn deny(nids: &[&str]) -> Command {
    eviction::Command::Deny { nids: nids.iter().map(|n| (*n).to_owned()).collect() }.into()
}
fn allow(nids: &[&str]) -> Command {
    eviction::Command::Allow { nids: nids.iter().map(|n| (*n).to_owned()).collect() }.into()
}

/// Status of a connect.
fn connects(mgs: &mut Mgs, peer: &str, uuid: &str) -> i32 {
    let xid = mgs.send(nid(peer), connect_body(1), connect_request(uuid));
    mgs.reply(xid).unwrap().body().status
}

fn pings(mgs: &mut Mgs, peer: &str, handle: u64) -> i32 {
    let xid = mgs.send(nid(peer), request_body(handle, opc::OBD_PING), vec![]);
    mgs.reply(xid).unwrap().body().status
}

#[test]
fn a_node_is_forgotten_by_nid_or_uuid_and_comes_back() {
    let mut mgs = Mgs::new();
    let a = mgs.connect(nid("10.0.0.4@tcp"), "a");
    let b = mgs.connect(nid("10.0.0.4@tcp"), "b");
    let c = mgs.connect(nid("10.0.0.5@tcp"), "c");
    let (state, seq) = (mgs.state(), mgs.seq);
    // A dry run says who it would be.
    let ticket = mgs.give(evict("10.0.0.4@tcp"), true);
    assert_eq!(mgs.done.remove(&ticket).unwrap().unwrap().events.len(), 2);
    assert_eq!(pings(&mut mgs, "10.0.0.4@tcp", a), 0);
    let done = mgs.order(evict("nid:10.0.0.4@tcp")).unwrap();
    assert_eq!(done.seq, Some(mgs.seq));
    let gone =
        |uuid: &str| EventKind::ClientEvicted { nid: "10.0.0.4@tcp".to_owned(), uuid: uuid.to_owned() };
    assert!(done.events.len() == 2 && done.events.contains(&gone("a")) && done.events.contains(&gone("b")));
    for handle in [a, b] {
        assert_eq!(pings(&mut mgs, "10.0.0.4@tcp", handle), Errno::ENOTCONN.status());
    }
    assert_eq!(pings(&mut mgs, "10.0.0.5@tcp", c), 0);
    assert_eq!(mgs.engine.counters().get("evictions"), 2);
    assert_eq!(connects(&mut mgs, "10.0.0.4@tcp", "a"), 0);
    assert_eq!(mgs.order(evict("c")).unwrap().events.len(), 1);
    assert_eq!(mgs.order(evict("uuid:a")).unwrap().events.len(), 1);
    for unknown in ["c", "10.0.0.99@tcp", "", "nid:"] {
        assert_eq!(mgs.order(evict(unknown)).unwrap_err().errno(), Errno::ENOENT, "{unknown}");
    }
    // Who is connected is not stored; who was evicted, by whom, is written down, in a commit for each order.
    assert_eq!((mgs.state(), mgs.seq), (state, seq + 3));
    let (of_a, of_b) = (gone("a"), gone("b"));
    let of_c = EventKind::ClientEvicted { nid: "10.0.0.5@tcp".to_owned(), uuid: "c".to_owned() };
    let said = mgs.restarted().audit(seq);
    assert!(said.iter().all(|(actor, _)| actor == "uid:0"), "{said:?}");
    let mut first: Vec<EventKind> = said.into_iter().map(|(_, kind)| kind).collect();
    let then = first.split_off(2);
    assert!(first.contains(&of_a) && first.contains(&of_b), "{first:?}");
    assert_eq!(then, [of_c, of_a]);
}

/// An eviction is done whatever the store does; it is written down when the store takes it.
#[test]
fn an_eviction_does_not_wait_for_a_store_that_is_stuck() {
    let mut mgs = Mgs::new();
    let handle = mgs.connect(nid("10.0.0.4@tcp"), "a");
    let seq = mgs.seq;
    mgs.hold();
    let ticket = mgs.give(evict("a"), false);
    assert_eq!(pings(&mut mgs, "10.0.0.4@tcp", handle), Errno::ENOTCONN.status());
    assert!(mgs.done.is_empty(), "answered when it is durable");
    let why = "no answer".to_owned();
    mgs.input(Input::Stuck { errno: Errno::EIO, why });
    let done = mgs.done.remove(&ticket).unwrap().unwrap();
    assert_eq!((done.seq, done.events.len()), (None, 1));
    assert!(done.warnings.iter().any(|w| w.contains("no answer")), "{done:?}");
    // The next one is told at once.
    assert_eq!(connects(&mut mgs, "10.0.0.4@tcp", "a"), 0);
    let done = mgs.order(evict("a")).unwrap();
    assert_eq!((done.seq, done.warnings.len()), (None, 1));
    mgs.release();
    assert!(mgs.done.is_empty(), "nobody is answered twice");
    assert_eq!(mgs.audit(seq).len(), 2);
}

#[test]
fn a_denied_node_is_evicted_and_not_let_in_again() {
    let mut mgs = Mgs::new();
    let handle = mgs.connect(nid("10.0.0.4@tcp"), "a");
    let other = mgs.connect(nid("10.0.0.5@tcp"), "b");
    assert!(mgs.order(deny(&["10.0.0.4@tcp", "10.0.0.6@tcp"])).unwrap().seq.is_some());
    assert_eq!(pings(&mut mgs, "10.0.0.4@tcp", handle), Errno::ENOTCONN.status());
    assert_eq!(pings(&mut mgs, "10.0.0.5@tcp", other), 0);
    for _ in 0..2 {
        assert_eq!(connects(&mut mgs, "10.0.0.4@tcp", "a"), Errno::EPERM.status());
        assert_eq!(connects(&mut mgs, "10.0.0.6@tcp", "c"), Errno::EPERM.status());
        mgs = mgs.restarted();
    }
    assert_eq!(mgs.order(deny(&["10.0.0.4@tcp"])).unwrap().seq, None, "it is so already");
    assert_eq!(mgs.order(allow(&["10.0.0.9@tcp"])).unwrap_err().errno(), Errno::ENOENT);
    assert_eq!(mgs.order(deny(&["host"])).unwrap_err().errno(), Errno::EINVAL);
    mgs.order(allow(&["10.0.0.4@tcp", "10.0.0.6@tcp"])).unwrap();
    assert_eq!(connects(&mut mgs, "10.0.0.4@tcp", "a"), 0);
    assert!(!mgs.store.contains_key("connections"));
}

#[test]
fn closed_lets_nobody_in_who_is_not_there() {
    let mut mgs = Mgs::new();
    let handle = mgs.connect(nid("10.0.0.4@tcp"), "a");
    assert!(mgs.order(eviction::Command::Close(true).into()).unwrap().seq.is_some());
    assert_eq!(pings(&mut mgs, "10.0.0.4@tcp", handle), 0);
    assert_eq!(connects(&mut mgs, "10.0.0.5@tcp", "b"), Errno::EAGAIN.status());
    let xid = mgs.send(nid("10.0.0.4@tcp"), connect_body(2), connect_request("a"));
    assert_ne!(mgs.reply(xid).unwrap().body().status, Errno::EAGAIN.status(), "who is there may renew");
    let mut mgs = mgs.restarted();
    assert_eq!(connects(&mut mgs, "10.0.0.4@tcp", "a"), Errno::EAGAIN.status());
    mgs.order(eviction::Command::Close(false).into()).unwrap();
    assert_eq!(connects(&mut mgs, "10.0.0.4@tcp", "a"), 0);
    assert_eq!(mgs.order(eviction::Command::Close(false).into()).unwrap().seq, None);
}

//! A store that answers nothing: logs are served on, changes are refused with the cause, and its next answer ends it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod harness;
mod targets;

use harness::{Mgs, encode, nid, request_body};
use mgs_core::Errno;
use mgs_core::engine::{Event, Input, Output, SILENCE};
use mgs_core::model::command::{Command, fs};
use std::time::Duration;
use targets::{mdt, ost, register, send};
use wire::ldlm::{ConfigKind, LdlmRequest, LockDesc, PLAIN, ResId, mode};
use wire::llog_rpc::LlogdBody;
use wire::lnet::portal;
use wire::ptlrpc::opc;

const CLIENT: &str = "10.0.0.9@tcp";
const SECOND: Duration = Duration::from_secs(1);

fn site() -> (Mgs, u64) {
    let mut mgs = Mgs::new();
    assert_eq!(register(&mut mgs, &mdt(0)).status, 0);
    assert_eq!(register(&mut mgs, &ost(0)).status, 0);
    let handle = mgs.connect(nid(CLIENT), "client");
    (mgs, handle)
}

fn enqueue(mgs: &mut Mgs, handle: u64) -> u64 {
    let resource = ResId::config("testfs", ConfigKind::Config).unwrap();
    let desc = LockDesc { lock_type: PLAIN, resource, req_mode: mode::CR, ..LockDesc::default() };
    let request = LdlmRequest { desc, handles: vec![0x77, 0], ..LdlmRequest::default() };
    mgs.send(nid(CLIENT), request_body(handle, opc::LDLM_ENQUEUE), vec![encode(&request)])
}

fn opens_a_log(mgs: &mut Mgs, handle: u64) {
    let open = vec![encode(&LlogdBody::default()), b"testfs-client\0".to_vec()];
    assert_eq!(mgs.call(nid(CLIENT), handle, opc::LLOG_ORIGIN_HANDLE_CREATE, open).body().status, 0);
}

fn policy(off: bool) -> Command {
    fs::Command::Recovery { fs: "testfs".to_owned(), off }.into()
}

fn silences(mgs: &Mgs) -> (usize, usize) {
    let count = |what: fn(&Event) -> bool| mgs.events.iter().filter(|e| what(e)).count();
    (count(|e| matches!(e, Event::StoreSilent { .. })), count(|e| matches!(e, Event::StoreAnswers { .. })))
}

/// A plan of seconds is no silence of the store: it had no turn to be heard.
#[test]
fn a_daemon_that_was_busy_itself() {
    let (mut mgs, _) = site();
    mgs.hold();
    let order = mgs.give(policy(true), false);
    mgs.now.mono += 2 * SILENCE;
    mgs.engine.handle_timeout(mgs.now);
    mgs.drain();
    assert_eq!((mgs.engine.store_silent_since(), mgs.done.len()), (None, 0));
    mgs.release();
    assert!(mgs.done.remove(&order).unwrap().is_ok());
    // and no excuse for a store that says nothing behind that
    mgs.hold();
    mgs.now.mono += 2 * SILENCE;
    mgs.engine.handle_timeout(mgs.now);
    mgs.drain();
    mgs.advance(SILENCE + SECOND);
    assert!(mgs.engine.store_silent_since().is_some());
    assert_eq!(silences(&mgs), (1, 0));
}

#[test]
fn a_store_that_answers_nothing() {
    let (mut mgs, handle) = site();
    let wall = mgs.now.wall;
    mgs.hold();
    let order = mgs.give(policy(true), false);
    let registration = send(&mut mgs, &ost(1));
    let lock = enqueue(&mut mgs, handle);
    mgs.advance(SILENCE - SECOND / 10);
    assert_eq!(mgs.engine.store_silent_since(), None);
    assert!(mgs.done.is_empty() && mgs.reply(registration).is_none());
    assert_eq!(mgs.reply(lock).unwrap().body().status, 0, "granted all the same, after a second");

    // Who waits is told, and so is who comes.
    mgs.advance(SECOND);
    assert_eq!(mgs.engine.store_silent_since(), Some(wall));
    let refused = mgs.done.remove(&order).unwrap().unwrap_err();
    assert_eq!(refused.errno(), Errno::EIO);
    assert!(refused.to_string().contains("the store does not answer"), "{refused}");
    assert!(mgs.engine.store_trouble().unwrap().contains("does not answer"));
    assert_eq!(targets::reply(&mgs, registration).status, Errno::EIO.status());
    assert_eq!(register(&mut mgs, &ost(2)).status, Errno::EIO.status());
    assert_eq!(mgs.order(policy(true)).unwrap_err().errno(), Errno::EIO);

    // Reading goes on, for those who are there and for those who come.
    opens_a_log(&mut mgs, handle);
    let late = mgs.connect(nid(CLIENT), "late");
    opens_a_log(&mut mgs, late);
    let lock = enqueue(&mut mgs, late);
    mgs.advance(SECOND);
    assert_eq!(mgs.reply(lock).unwrap().body().status, 0);

    // One barrier and one commit are out, however long it lasts.
    mgs.advance(600 * SECOND);
    assert_eq!(mgs.held.as_ref().unwrap().len(), 2);
    assert_eq!(silences(&mgs), (1, 0));

    // It answers: what it was given has been done, and nobody had to do anything.
    mgs.sent.clear();
    mgs.release();
    assert_eq!((mgs.engine.store_silent_since(), mgs.engine.store_trouble()), (None, None));
    assert_eq!(silences(&mgs), (1, 1));
    assert!(mgs.engine.view().fs["testfs"].head.recovery_off);
    assert_eq!(register(&mut mgs, &ost(1)).status, 0, "a repetition is recognised");
    assert_eq!(register(&mut mgs, &ost(2)).status, 0);
    assert!(mgs.order(policy(false)).unwrap().seq.is_some());
}

#[test]
fn stale_locks_are_called_back_when_the_store_answers() {
    let (mut mgs, handle) = site();
    mgs.hold();
    mgs.advance(SILENCE + SECOND);
    assert!(mgs.engine.store_silent_since().is_some(), "an idle daemon asks, too");
    let lock = enqueue(&mut mgs, handle);
    mgs.advance(SECOND);
    assert_eq!(mgs.reply(lock).unwrap().body().status, 0);
    mgs.sent.clear();
    mgs.release();
    assert_eq!(mgs.sent.iter().filter(|s| s.portal == portal::LDLM_CB_REQUEST).count(), 1);
}

/// Errors are no answers: a cluster without quorum says something each time.
#[test]
fn a_store_that_only_complains() {
    let (mut mgs, _) = site();
    mgs.hold();
    let mut asked = 0;
    for _ in 0..20 {
        mgs.advance(SECOND);
        for output in mgs.held.replace(Vec::new()).unwrap() {
            assert!(matches!(output, Output::Barrier));
            asked += 1;
            mgs.input(Input::Barrier(None));
        }
    }
    assert!((15..=20).contains(&asked), "asked {asked} times in 20 s");
    assert!(mgs.engine.store_silent_since().is_some());
    mgs.advance(SECOND);
    mgs.release();
    assert_eq!((mgs.engine.store_silent_since(), silences(&mgs)), (None, (1, 1)));
}

#[test]
fn a_slow_store_is_no_silent_one() {
    let (mut mgs, _) = site();
    mgs.hold();
    for _ in 0..100 {
        mgs.advance(3 * SECOND / 2);
        mgs.release();
        mgs.hold();
    }
    assert_eq!(silences(&mgs), (0, 0));
    // and an idle one that answers is asked every two seconds at most
    mgs.held = None;
    let before = mgs.commits;
    mgs.hold();
    let mut asked = 0;
    for _ in 0..100 {
        mgs.advance(SECOND);
        asked += mgs.held.as_ref().unwrap().len();
        mgs.release();
        mgs.hold();
    }
    assert_eq!((silences(&mgs), mgs.commits), ((0, 0), before));
    assert!((30..=51).contains(&asked), "asked {asked} times in 100 s");
}

/// A disk that takes no sync, and reads from memory.
#[test]
fn a_commit_alone_is_not_answered() {
    let (mut mgs, _) = site();
    mgs.hold();
    let order = mgs.give(policy(true), false);
    let commit = mgs.held.replace(Vec::new()).unwrap();
    for _ in 0..29 {
        mgs.advance(SECOND);
        mgs.release();
        mgs.hold();
    }
    assert!(mgs.done.is_empty());
    for _ in 0..2 {
        mgs.advance(SECOND);
        mgs.release();
        mgs.hold();
    }
    let refused = mgs.done.remove(&order).unwrap().unwrap_err().to_string();
    assert!(refused.contains("not answered a commit for 30 s"), "{refused}");
    assert_eq!(mgs.engine.store_silent_since(), None);
    assert!(mgs.engine.store_trouble().is_some() && mgs.order(policy(false)).is_err());
    mgs.held = None;
    commit.into_iter().for_each(|output| mgs.serve_store(output));
    mgs.drain();
    assert_eq!(mgs.engine.store_trouble(), None);
    assert!(mgs.engine.view().fs["testfs"].head.recovery_off);
}

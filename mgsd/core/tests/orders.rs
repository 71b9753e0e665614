//! Orders: planned, committed and answered like everything else; a dry run changes nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod harness;
mod targets;

use harness::Mgs;
use mgs_core::Errno;
use mgs_core::engine::{CommitResult, Input};
use mgs_core::model::command::{Command, Done, fs};
use mgs_core::model::commit::{CommitRecord, EventKind};
use targets::{mdt, register};

fn switch(off: bool) -> Command {
    Command::Fs(fs::Command::Recovery { fs: "testfs".to_owned(), off })
}

fn site() -> Mgs {
    let mut mgs = Mgs::new();
    assert_eq!(register(&mut mgs, &mdt(0)).status, 0);
    mgs
}

#[test]
fn an_order_is_answered_when_it_is_durable() {
    let mut mgs = site();
    let before = mgs.seq;
    mgs.hold();
    let ticket = mgs.give(switch(true), false);
    assert!(mgs.done.is_empty());
    mgs.release();
    let done = mgs.done.remove(&ticket).unwrap().unwrap();
    assert_eq!(done.seq, Some(before + 1));
    assert_eq!(done.events, [EventKind::RecoverySwitched { fs: "testfs".to_owned(), off: true }]);
    let record: CommitRecord =
        serde_json::from_slice(&mgs.store[&format!("commit/{:016x}", before + 1)]).unwrap();
    assert_eq!(record.events[0].actor, "uid:0");
}

#[test]
fn a_dry_run_says_what_would_be_done_and_changes_nothing() {
    let mut mgs = site();
    let (store, commits) = (mgs.store.clone(), mgs.commits);
    let ticket = mgs.give(switch(true), true);
    let done = mgs.done.remove(&ticket).unwrap().unwrap();
    assert_eq!((done.seq, done.events.len()), (None, 1));
    assert_eq!((mgs.store.clone(), mgs.commits), (store, commits));
    // It leaves nothing behind for the next plan either.
    assert_eq!(mgs.order(switch(false)).unwrap(), Box::new(Done::default()));
}

#[test]
fn what_is_so_already_makes_no_commit() {
    let mut mgs = site();
    mgs.order(switch(true)).unwrap();
    let commits = mgs.commits;
    assert_eq!(mgs.order(switch(true)).unwrap().seq, None);
    assert_eq!(mgs.commits, commits);
}

#[test]
fn a_failed_commit_refuses_the_order() {
    let mut mgs = site();
    mgs.hold();
    let ticket = mgs.give(switch(true), false);
    mgs.held = None;
    let failed = CommitResult::Failed { errno: Errno::ENOSPC, why: "disk full".to_owned() };
    mgs.input(Input::Committed(failed));
    let error = mgs.done.remove(&ticket).unwrap().unwrap_err();
    assert_eq!(error.errno(), Errno::ENOSPC);
    // It can be given again.
    assert!(mgs.order(switch(true)).unwrap().seq.is_some());
}

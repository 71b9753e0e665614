//! Who may register: policies, verdicts, requests that wait, and what becomes of them when their node goes or the MGS
//! loses power.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod harness;
mod targets;

use bytes::Bytes;
use harness::{Mgs, connect_body, connect_request, nid, request_body};
use mgs_core::Errno;
use mgs_core::engine::{CommitResult, Event, HELD_FOR, Input, Standing};
use mgs_core::model::command::{Command, fs, registration};
use mgs_core::model::commit::EventKind;
use mgs_core::model::rules::Policy;
use std::time::Duration;
use targets::{Node, Reply, mdt, ost, register};
use wire::lnet::portal;
use wire::mgs::{TargetInfo, ldd};
use wire::ptlrpc::{Body, Message, msg_flags, msg_type, opc, pb_flags};
use wire::{Codec, Order};

fn policy(policy: Policy) -> Command {
    Command::Fs(fs::Command::Policy { fs: "testfs".to_owned(), policy })
}

fn approve(target: &str, from: &[&str]) -> Command {
    let from = from.iter().map(|n| nid(n)).collect();
    Command::Registration(registration::Command::Approve { target: target.to_owned(), from })
}

fn refuse(target: &str) -> Command {
    Command::Registration(registration::Command::Refuse { target: target.to_owned() })
}

/// MDT0000 runs; who else comes needs a yes.
fn site() -> Mgs {
    let mut mgs = Mgs::new();
    assert_eq!(register(&mut mgs, &mdt(0)).status, 0);
    mgs.order(policy(Policy::Approve)).unwrap();
    mgs
}

/// Sends a registration, and does not wait for its answer.
fn send(mgs: &mut Mgs, node: &Node) -> u64 {
    let known = mgs.engine.exports().iter().find(|e| e.uuid == node.uuid).map(|e| e.cookie);
    let handle = known.unwrap_or_else(|| mgs.connect(node.nid, &node.uuid));
    let (body, buffers) = targets::request(node, handle);
    mgs.send(node.nid, body, buffers)
}

/// The answer proper, not "still working on it".
fn answer(mgs: &Mgs, xid: u64) -> Option<Reply> {
    let sent = mgs.sent.iter().rev().find(|s| s.match_bits == xid && s.offset > 0)?;
    let message = sent.message();
    let info = TargetInfo::from_slice(&message.buffers[1], Order::Little).unwrap();
    Some(Reply { status: message.body().unwrap().status, info })
}

fn early(mgs: &Mgs, xid: u64) -> usize {
    mgs.sent.iter().filter(|s| s.match_bits == xid && s.offset == 0).count()
}

fn standing(mgs: &Mgs) -> Vec<(String, Standing)> {
    mgs.engine.applicants().iter().map(|a| (a.id.svname(&a.fs), a.state)).collect()
}

fn waiting(mgs: &Mgs) -> usize {
    standing(mgs).iter().filter(|(_, s)| *s == Standing::Waiting).count()
}

fn journal(mgs: &Mgs) -> String {
    let refused = |e: &Event| if let Event::Refused { why, .. } = e { Some(why.clone()) } else { None };
    mgs.events.iter().rev().find_map(refused).unwrap()
}

#[test]
fn a_stranger_waits_with_early_replies_and_is_refused_in_the_end() {
    let mut mgs = site();
    let (store, commits) = (mgs.store.clone(), mgs.commits);
    let xid = send(&mut mgs, &ost(4));
    assert!(mgs.reply(xid).is_none());
    assert!(mgs.engine.is_idle(), "a daemon that ends does not wait for it");
    assert!(mgs.events.contains(&Event::Held { nid: ost(4).nid, target: "testfs-OST0004".to_owned() }));
    let [applicant] = &mgs.engine.applicants()[..] else { panic!("one waits") };
    assert_eq!((applicant.state, applicant.nid), (Standing::Waiting, Some(nid("10.0.0.3@tcp"))));
    assert_eq!((applicant.since, applicant.flags), (mgs.now.wall, Some(0x1002_0062)));
    // It says that it waits 11 s; each early reply gives it more.
    mgs.advance(Duration::from_secs(7));
    assert_eq!(early(&mgs, xid), 1);
    mgs.advance(HELD_FOR - Duration::from_secs(8));
    assert!((2..=4).contains(&early(&mgs, xid)) && answer(&mgs, xid).is_none());
    mgs.advance(Duration::from_secs(1));
    let reply = answer(&mgs, xid).unwrap();
    assert_eq!(reply.status, Errno::EACCES.status(), "the console of the target: Permission denied");
    assert_eq!(reply.info.flags, ost(4).info.flags | ldd::ERROR);
    assert_eq!(
        journal(&mgs),
        "testfs-OST0004: nobody approved it within 50 s; 'mgsctl registration approve testfs-OST0004', then mount \
         it again"
    );
    assert_eq!(standing(&mgs), [("testfs-OST0004".to_owned(), Standing::Refused)]);
    assert_eq!((mgs.store.clone(), mgs.commits), (store.clone(), commits), "and left no trace");
    // Nobody said it, so there is nothing stored to forget; it leaves the list all the same.
    let forget =
        || Command::Registration(registration::Command::Forget { target: "testfs-OST0004".to_owned() });
    let ticket = mgs.give(forget(), true);
    let would = mgs.done.remove(&ticket).unwrap().unwrap();
    assert_eq!(standing(&mgs).len(), 1, "a dry run forgets nothing");
    let done = mgs.order(forget()).unwrap();
    assert_eq!((&done.events, done.seq), (&would.events, None));
    assert_eq!(
        done.events,
        [EventKind::VerdictForgotten { target: "testfs-OST0004".to_owned(), before: None }]
    );
    assert!(standing(&mgs).is_empty());
    assert!(mgs.order(forget()).unwrap().events.is_empty(), "once");
    assert_eq!((mgs.store.clone(), mgs.commits), (store, commits));
}

#[test]
fn to_forget_what_somebody_said_forgets_what_nobody_said_before() {
    let mut mgs = site();
    send(&mut mgs, &ost(4));
    mgs.advance(HELD_FOR);
    mgs.order(refuse("testfs-OST0004")).unwrap();
    let forget = registration::Command::Forget { target: "testfs-OST0004".to_owned() };
    let done = mgs.order(Command::Registration(forget)).unwrap();
    assert!(done.seq.is_some());
    assert!(standing(&mgs).is_empty());
}

#[test]
fn a_yes_answers_who_waits_at_once() {
    let mut mgs = site();
    let other = ost(5).with(|n| n.uuid = "other".to_owned());
    let (xid, xid5) = (send(&mut mgs, &ost(4)), send(&mut mgs, &other));
    let done = mgs.order(approve("testfs-OST0004", &[])).unwrap();
    let EventKind::RegistrationApproved { target, until, .. } = &done.events[0] else { panic!("{done:?}") };
    assert_eq!((target.as_str(), *until), ("testfs-OST0004", mgs.now.wall + registration::APPROVAL));
    let reply = answer(&mgs, xid).unwrap();
    assert_eq!((reply.status, reply.info.flags), (0, 0x1002_0082));
    assert!(answer(&mgs, xid5).is_none(), "the other waits on");
    assert!(mgs.engine.view().rules.verdicts.is_empty(), "it is used up by the registration, in its commit");
    // It is known from now on: a start is never held.
    assert_eq!(register(&mut mgs, &ost(4).again()).status, 0);
    assert_eq!(register(&mut mgs, &ost(4).writeconf()).status, 0);
    let again = mgs.order(approve("testfs-OST0004", &[])).unwrap_err();
    assert_eq!(again.errno(), Errno::EEXIST);
}

#[test]
fn a_yes_is_kept_for_one_that_comes_later_also_by_a_restart() {
    let mut mgs = site();
    mgs.order(approve("testfs-OST0004", &[])).unwrap();
    assert_eq!(standing(&mgs), [("testfs-OST0004".to_owned(), Standing::Approved)]);
    let mut mgs = mgs.restarted();
    assert_eq!(register(&mut mgs, &ost(4)).status, 0);
    // Once: what is erased and comes as somebody else's would wait again.
    assert!(standing(&mgs).is_empty());
}

#[test]
fn a_yes_may_be_for_one_node_only() {
    let mut mgs = site();
    let xid = send(&mut mgs, &ost(4));
    mgs.order(approve("testfs-OST0004", &["10.0.0.9@tcp"])).unwrap();
    assert!(answer(&mgs, xid).is_none(), "it was not meant");
    assert_eq!(waiting(&mgs), 1);
    let meant = ost(4).with(|n| {
        n.uuid = "meant".to_owned();
        n.nids = vec!["10.0.0.9@tcp".to_owned()];
    });
    assert_eq!(register(&mut mgs, &meant).status, 0);
    assert_eq!(answer(&mgs, xid).unwrap().status, Errno::EADDRINUSE.status(), "nothing to wait for any more");
}

#[test]
fn a_no_answers_at_once_and_stays() {
    let mut mgs = site();
    let xid = send(&mut mgs, &ost(4));
    mgs.order(refuse("testfs-OST0004")).unwrap();
    assert_eq!(answer(&mgs, xid).unwrap().status, Errno::EACCES.status());
    assert!(journal(&mgs).contains("was refused by uid:0"), "{}", journal(&mgs));
    let mut mgs = mgs.restarted();
    assert_eq!(register(&mut mgs, &ost(4)).status, Errno::EACCES.status());
    // Whatever the policy; until it is forgotten.
    mgs.order(policy(Policy::Open)).unwrap();
    assert_eq!(register(&mut mgs, &ost(4)).status, Errno::EACCES.status());
    let forget = registration::Command::Forget { target: "testfs-OST0004".to_owned() };
    mgs.order(Command::Registration(forget)).unwrap();
    assert_eq!(register(&mut mgs, &ost(4)).status, 0);
}

#[test]
fn opening_a_file_system_lets_in_who_waits_and_closing_it_refuses_them() {
    let mut mgs = site();
    let xid = send(&mut mgs, &ost(4));
    mgs.order(policy(Policy::Closed)).unwrap();
    assert_eq!(answer(&mgs, xid).unwrap().status, Errno::EACCES.status());
    assert_eq!(register(&mut mgs, &ost(5)).status, Errno::EACCES.status(), "at once");
    assert!(journal(&mgs).contains("is closed to new targets"), "{}", journal(&mgs));
    mgs.order(approve("testfs-OST0005", &[])).unwrap();
    assert_eq!(register(&mut mgs, &ost(5)).status, 0, "but for one that somebody named");
    mgs.order(policy(Policy::Approve)).unwrap();
    let xid = send(&mut mgs, &ost(6));
    mgs.order(policy(Policy::Open)).unwrap();
    assert_eq!(answer(&mgs, xid).unwrap().status, 0);
}

#[test]
fn the_default_is_for_file_systems_to_come() {
    let mut mgs = Mgs::new();
    register(&mut mgs, &mdt(0));
    mgs.order(Command::Registration(registration::Command::Default(Policy::Approve))).unwrap();
    assert_eq!(register(&mut mgs, &ost(0)).status, 0, "testfs is as it was");
    let mut mgs = mgs.restarted();
    let xid = send(&mut mgs, &mdt(0).of("newfs"));
    assert!(answer(&mgs, xid).is_none());
    mgs.order(approve("newfs-MDT0000", &[])).unwrap();
    assert_eq!(answer(&mgs, xid).unwrap().status, 0);
    assert_eq!(mgs.engine.view().fs["newfs"].head.registration, Policy::Approve);
    assert_eq!(mgs.engine.view().fs["testfs"].head.registration, Policy::Open);
}

#[test]
fn what_would_be_refused_anyhow_does_not_wait() {
    let mut mgs = site();
    register(&mut mgs, &mdt(0).ready(1));
    assert_eq!(register(&mut mgs, &ost(7).again()).status, Errno::ENOENT.status());
    assert_eq!(register(&mut mgs, &mdt(0)).status, Errno::EADDRINUSE.status());
    assert_eq!(register(&mut mgs, &ost(65535)).status, Errno::ERANGE.status());
    assert_eq!(
        register(&mut mgs, &ost(7).with(|n| n.nids = vec!["junk".to_owned()])).status,
        Errno::EINVAL.status()
    );
    let any = ost(0).with(|n| n.info.flags |= ldd::NEED_INDEX);
    assert_eq!(register(&mut mgs, &any).status, Errno::EACCES.status());
    assert!(journal(&mgs).contains("mgsctl target reserve --fs testfs"), "{}", journal(&mgs));
    assert_eq!(waiting(&mgs), 0);
}

#[test]
fn targets_that_a_writeconf_erased_are_no_strangers() {
    let mut mgs = site();
    for target in [ost(4), ost(5)] {
        mgs.order(approve(&target.info.svname, &[])).unwrap();
        assert_eq!(register(&mut mgs, &target).status, 0);
    }
    assert_eq!(register(&mut mgs, &mdt(0).writeconf()).status, 0);
    let mut mgs = mgs.restarted();
    assert_eq!(register(&mut mgs, &ost(5).writeconf()).status, 0);
    // Twice erased, and back.
    assert_eq!(register(&mut mgs, &mdt(0).writeconf()).status, 0);
    assert_eq!(register(&mut mgs, &ost(4).writeconf()).status, 0);
    let xid = send(&mut mgs, &ost(6).writeconf());
    assert!(answer(&mgs, xid).is_none(), "that one is");
}

/// Sends a request once more, as a node does that got no answer in time: the same xid, new match bits.
fn resend(mgs: &mut Mgs, node: &Node, xid: u64, mbits: u64) {
    let handle = mgs.engine.exports().iter().find(|e| e.uuid == node.uuid).unwrap().cookie;
    let (_, buffers) = targets::request(node, handle);
    let body = Body {
        msg_type: msg_type::REQUEST,
        mbits,
        flags: pb_flags::RESENT,
        timeout: 11,
        ..request_body(handle, opc::MGS_TARGET_REG)
    };
    let mut message = Message::new(&body, buffers.into_iter().map(Bytes::from).collect());
    message.flags = msg_flags::AT_SUPPORT;
    mgs.deliver(node.nid, portal::MGS_REQUEST, xid, message.to_bytes());
}

#[test]
fn a_resent_request_takes_the_place_of_the_first() {
    let mut mgs = site();
    let xid = send(&mut mgs, &ost(4));
    mgs.advance(Duration::from_secs(30));
    let before = early(&mgs, xid);
    resend(&mut mgs, &ost(4), xid, 0x9_0000);
    assert_eq!((waiting(&mgs), mgs.engine.counters().get("duplicates")), (1, 1));
    // It waits 11 s for this sending, and is told within them; the deadline of the first is none any more.
    mgs.advance(Duration::from_secs(6));
    assert_eq!((early(&mgs, 0x9_0000), early(&mgs, xid)), (1, before));
    mgs.order(approve("testfs-OST0004", &[])).unwrap();
    assert!(answer(&mgs, xid).is_none());
    assert_eq!(answer(&mgs, 0x9_0000).unwrap().status, 0);
}

#[test]
fn who_waits_goes_with_its_export() {
    let mut mgs = site();
    let xid = send(&mut mgs, &ost(4));
    let handle = mgs.engine.exports().iter().find(|e| e.uuid == "server").unwrap().cookie;
    mgs.call(nid("10.0.0.3@tcp"), handle, opc::MGS_DISCONNECT, vec![]);
    assert_eq!(waiting(&mgs), 0);
    mgs.order(approve("testfs-OST0004", &[])).unwrap();
    assert!(answer(&mgs, xid).is_none(), "nobody listens for it");
    mgs.order(refuse("testfs-OST0004")).unwrap();
    mgs.order(Command::Registration(registration::Command::Forget { target: "testfs-OST0004".to_owned() }))
        .unwrap();
    // Evicted.
    let xid = send(&mut mgs, &ost(4));
    let handle = mgs.engine.exports().iter().find(|e| e.uuid == "server").unwrap().cookie;
    let now = mgs.now;
    mgs.engine.evict(handle, "test", now);
    mgs.drain();
    assert_eq!(waiting(&mgs), 0);
    mgs.advance(HELD_FOR * 2);
    assert!(answer(&mgs, xid).is_none());
}

#[test]
fn a_new_connect_drops_what_waits_and_is_not_kept_out_by_it() {
    let mut mgs = site();
    let xid = send(&mut mgs, &ost(4));
    let handle = mgs.engine.exports().iter().find(|e| e.uuid == "server").unwrap().cookie;
    // It knows its handle: the same export.
    let again = Body { handle, ..connect_body(2) };
    let connect = mgs.send(nid("10.0.0.3@tcp"), again, connect_request("server"));
    assert_eq!(mgs.reply(connect).unwrap().body().status, 0);
    assert_eq!(waiting(&mgs), 0);
    // It has lost its handle while it waits once more.
    let (body, buffers) = targets::request(&ost(4), handle);
    let second = mgs.send(nid("10.0.0.3@tcp"), Body { conn_cnt: 2, ..body }, buffers);
    assert_eq!(waiting(&mgs), 1);
    let connect = mgs.send(nid("10.0.0.3@tcp"), connect_body(3), connect_request("server"));
    assert_eq!(mgs.reply(connect).unwrap().body().status, 0, "not EBUSY");
    assert_eq!(waiting(&mgs), 0);
    mgs.advance(HELD_FOR * 2);
    assert!(answer(&mgs, xid).is_none() && answer(&mgs, second).is_none());
}

#[test]
fn a_power_cut_while_it_waits_leaves_a_target_that_is_not_registered_and_asks_again() {
    let mut mgs = site();
    let xid = send(&mut mgs, &ost(4));
    assert!(answer(&mgs, xid).is_none());
    let mut mgs = mgs.restarted();
    assert!(!mgs.engine.view().fs["testfs"].targets.contains_key(&mgs_core::model::TargetId::ost(4)));
    assert_eq!(waiting(&mgs), 0);
    // Its node is told that it is not connected, connects, and sends it again under the same xid.
    let (body, buffers) = targets::request(&ost(4), 0x1234);
    let lost = mgs.send(nid("10.0.0.3@tcp"), body, buffers);
    assert_eq!(mgs.reply(lost).unwrap().body().status, Errno::ENOTCONN.status());
    let again = send(&mut mgs, &ost(4));
    assert_eq!((waiting(&mgs), mgs.reply(again).is_none()), (1, true));
    mgs.order(approve("testfs-OST0004", &[])).unwrap();
    assert_eq!(answer(&mgs, again).unwrap().status, 0);
}

#[test]
fn a_rule_whose_commit_failed_keeps_nobody_waiting() {
    let mut mgs = Mgs::new();
    register(&mut mgs, &mdt(0));
    mgs.hold();
    let ticket = mgs.give(policy(Policy::Approve), false);
    let handle = mgs.connect(nid("10.0.0.3@tcp"), "two");
    let (body, buffers) = targets::request(&ost(4), handle);
    let xid = mgs.send(nid("10.0.0.3@tcp"), body, buffers);
    mgs.held = None;
    mgs.input(Input::Committed(CommitResult::Failed { errno: Errno::ENOSPC, why: "disk full".to_owned() }));
    assert!(mgs.done.remove(&ticket).unwrap().is_err());
    assert_eq!(answer(&mgs, xid).unwrap().status, 0);
}

#[test]
fn an_approval_that_nobody_used_ends_by_a_commit() {
    let mut mgs = site();
    mgs.order(approve("tsetfs-OST0004", &[])).unwrap();
    mgs.order(refuse("testfs-OST0005")).unwrap();
    let commits = mgs.commits;
    let later = Duration::from_secs(registration::APPROVAL.unsigned_abs());
    // The clock of the wall was set back meanwhile: it counts on.
    mgs.advance(later);
    assert_eq!((mgs.commits, mgs.engine.view().rules.verdicts.len()), (commits, 2));
    mgs.now.wall += registration::APPROVAL;
    mgs.advance(later);
    assert_eq!((mgs.commits, standing(&mgs).len()), (commits + 1, 1), "a no does not end");
    assert_eq!(mgs.restarted().engine.view().rules, mgs.engine.view().rules);
}

#[test]
fn names_that_no_target_has_are_refused() {
    let mut mgs = site();
    for bad in [
        "testfs",
        "testfs-OST",
        "testfs-OSTffff",
        "-OST0001",
        "toolongfs-OST0001",
        "params-OST0001",
        "a-MGS0000",
    ] {
        for command in [approve(bad, &[]), refuse(bad)] {
            let error = mgs.order(command).unwrap_err();
            assert_eq!(error.errno(), Errno::EINVAL, "{bad}: {error}");
        }
    }
    assert!(mgs.engine.view().rules.verdicts.is_empty());
}

//! The write barrier: what MDTs are sent is what the kernel MGS sent in session B, and every answer has its end.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod harness;
mod targets;

use harness::{LINK, Mgs, Sent, encode, nid, request_body};
use mgs_core::Errno;
use mgs_core::engine::{Input, Ticket};
use mgs_core::model::command::barrier::{Action, Command, State};
use mgs_core::model::commit::EventKind;
use std::time::Duration;
use targets::{mdt, ost, register, reply, send};
use wire::ldlm::{BarrierDesc, BarrierLvb, ConfigKind, LdlmRequest, LockDesc, PLAIN, ResId, mode};
use wire::lnet::{Message as Lnet, portal};
use wire::ptlrpc::{Body, Message, msg_type, opc};
use wire::relay::{Frame, PostStatus};
use wire::{Codec, Order};

const FREEZE: Action = Action::Freeze { timeout: 30 };

fn command(action: Action) -> mgs_core::model::command::Command {
    Command { fs: "testfs".to_owned(), action }.into()
}

/// Takes a lock; its server cookie.
fn lock(mgs: &mut Mgs, uuid: &str, cookie: u64) {
    let export = mgs.engine.exports().by_uuid(uuid).unwrap();
    let (peer, handle) = (export.address.peer, export.cookie);
    let desc = LockDesc {
        lock_type: PLAIN,
        resource: ResId::config("testfs", ConfigKind::Barrier).unwrap(),
        req_mode: mode::CR,
        ..LockDesc::default()
    };
    let request = LdlmRequest { desc, handles: vec![cookie, 0], ..LdlmRequest::default() };
    mgs.send(peer, request_body(handle, opc::LDLM_ENQUEUE), vec![encode(&request)]);
}

/// `n` MDTs on a node each, with their locks.
fn site(n: u32) -> Mgs {
    let mut mgs = Mgs::new();
    for index in 0..n {
        let node = mdt(index).with(|t| {
            t.nid = nid(&format!("10.0.1.{index}@tcp"));
            t.nids = vec![t.nid.to_string()];
            t.uuid = format!("mdt{index}");
        });
        assert_eq!(register(&mut mgs, &node).status, 0);
        lock(&mut mgs, &node.uuid, 0x50 + u64::from(index));
    }
    mgs.sent.clear();
    mgs
}

/// The callbacks that have not been taken yet: what each says.
fn glimpses(mgs: &mut Mgs) -> Vec<(Sent, BarrierDesc)> {
    let sent = std::mem::take(&mut mgs.sent);
    let all = sent.into_iter().filter(|s| s.portal == portal::LDLM_CB_REQUEST);
    all.map(|s| {
        assert_eq!(s.body().opc, opc::LDLM_GL_CALLBACK);
        let desc = BarrierDesc::from_slice(&s.message().buffers[2], Order::Little).unwrap();
        (s, desc)
    })
    .collect()
}

fn answer(mgs: &mut Mgs, to: &Sent, status: i32, lvb: Option<(u32, u32)>) {
    let body = Body { msg_type: msg_type::REPLY, status, opc: opc::LDLM_GL_CALLBACK, ..Body::default() };
    let lvb = lvb.map(|(status, index)| encode(&BarrierLvb { status, index, padding: 0 }).into());
    let message = Message::new(&body, lvb.into_iter().collect());
    mgs.deliver(to.peer, portal::LDLM_CB_REPLY, to.match_bits, message.to_bytes());
}

/// Every MDT answers a round; what they were told.
fn round(mgs: &mut Mgs, state: u32) -> Vec<(u32, u32)> {
    let sent = glimpses(mgs);
    for (index, (to, _)) in (0..).zip(&sent) {
        answer(mgs, to, 0, Some((state, index)));
    }
    sent.iter().map(|(_, desc)| (desc.status, desc.timeout)).collect()
}

fn state(mgs: &Mgs) -> State {
    mgs.engine.barrier("testfs", mgs.now).state
}

fn done(mgs: &mut Mgs, ticket: Ticket) -> Result<Vec<EventKind>, Errno> {
    mgs.done.remove(&ticket).unwrap().map(|d| d.events).map_err(|e| e.errno())
}

fn freeze(mgs: &mut Mgs) {
    let ticket = mgs.give(command(FREEZE), false);
    round(mgs, 1);
    round(mgs, 3);
    assert_eq!(
        done(mgs, ticket),
        Ok(vec![EventKind::BarrierFrozen { fs: "testfs".to_owned(), timeout: 30 }])
    );
}

#[test]
fn frozen_and_thawed_as_in_the_recorded_session() {
    let mut mgs = site(2);
    assert_eq!(state(&mgs), State::Init);
    let (before, seq) = (mgs.state(), mgs.seq);
    let ticket = mgs.give(command(FREEZE), false);
    assert_eq!(state(&mgs), State::FreezingP1);
    assert_eq!(round(&mut mgs, 1), [(1, 30), (1, 30)]);
    assert_eq!(state(&mgs), State::FreezingP2);
    assert!(mgs.done.is_empty());
    assert_eq!(round(&mut mgs, 3), [(2, 30), (2, 30)]);
    assert!(done(&mut mgs, ticket).is_ok());
    let status = mgs.engine.barrier("testfs", mgs.now);
    assert_eq!((status.state, status.left, status.mdts), (State::Frozen, Duration::from_secs(30), 2));
    let ticket = mgs.give(command(Action::Thaw), false);
    assert_eq!(round(&mut mgs, 5), [(4, 0), (4, 0)]);
    assert_eq!(done(&mut mgs, ticket), Ok(vec![EventKind::BarrierThawed { fs: "testfs".to_owned() }]));
    assert_eq!(state(&mgs), State::Thawed);
    let ticket = mgs.give(command(Action::Rescan), false);
    assert_eq!(round(&mut mgs, 0), [(8, 0), (8, 0)]);
    let counted = EventKind::BarrierRescanned { fs: "testfs".to_owned(), total: 2, absent: 0 };
    assert_eq!(done(&mut mgs, ticket), Ok(vec![counted]));
    assert_eq!(state(&mgs), State::Init);
    // None of it is stored but who asked for it.
    assert_eq!(mgs.state(), before);
    let said: Vec<EventKind> = mgs.restarted().audit(seq).into_iter().map(|(_, kind)| kind).collect();
    let fs = || "testfs".to_owned();
    assert_eq!(
        said,
        [
            EventKind::BarrierFrozen { fs: fs(), timeout: 30 },
            EventKind::BarrierThawed { fs: fs() },
            EventKind::BarrierRescanned { fs: fs(), total: 2, absent: 0 },
        ]
    );
    assert!(mgs.audit(seq).iter().all(|(actor, _)| actor == "uid:0"));
}

#[test]
fn callbacks_are_those_of_the_kernel_but_for_their_handles() {
    let path = capture::vectors_dir().join("captures/B/B-session.pcap.gz");
    let all = capture::lnet::messages(&capture::load(&path).unwrap()).unwrap();
    let theirs: Vec<Message> = all
        .iter()
        .filter(|m| matches!(m.header.msg, Lnet::Put { portal: portal::LDLM_CB_REQUEST, .. }))
        .filter_map(|m| Message::decode(&m.payload).ok())
        .filter(|m| m.body().unwrap().opc == opc::LDLM_GL_CALLBACK)
        .collect();
    assert_eq!(theirs.len(), 4, "freeze 2, thaw 1, rescan 1");
    let mut mgs = site(1);
    let mut ours = Vec::new();
    for (action, answers) in [(FREEZE, vec![1, 3]), (Action::Thaw, vec![5]), (Action::Rescan, vec![0])] {
        mgs.give(command(action), false);
        for state in answers {
            let sent = glimpses(&mut mgs);
            ours.push(sent[0].0.message());
            answer(&mut mgs, &sent[0].0, 0, Some((state, 0)));
        }
    }
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(
            (ours.flags, ours.secflvr, ours.repsize, ours.opc),
            (theirs.flags, theirs.secflvr, theirs.repsize, theirs.opc)
        );
        assert_eq!(ours.buffers[2], theirs.buffers[2]);
        let plain = |m: &Message| {
            let lock = LdlmRequest::from_slice(&m.buffers[1], Order::Little).unwrap();
            assert_eq!((lock.handles.len(), lock.handles[1]), (2, 0));
            (m.buffers[1].len(), LdlmRequest { handles: Vec::new(), ..lock })
        };
        assert_eq!(plain(ours), plain(theirs));
        let body = |m: &Message| {
            let b = m.body().unwrap();
            assert_eq!(b.last_xid % 128, 127);
            // of a request, the status is the process that sent it
            Body { handle: 0, last_xid: 0, mbits: 0, timeout: 0, status: 0, ..b }
        };
        assert_eq!(body(ours), body(theirs));
    }
}

#[test]
fn what_a_state_does_not_allow_is_refused_with_the_kernels_errno() {
    let mut mgs = site(1);
    let refused = |mgs: &mut Mgs, action| {
        let ticket = mgs.give(command(action), false);
        done(mgs, ticket).unwrap_err()
    };
    assert_eq!(refused(&mut mgs, Action::Thaw), Errno::EALREADY);
    let ticket = mgs.give(command(FREEZE), false);
    for phase in [1, 3] {
        assert_eq!(refused(&mut mgs, FREEZE), Errno::EINPROGRESS);
        assert_eq!(refused(&mut mgs, Action::Thaw), Errno::EBUSY);
        assert_eq!(refused(&mut mgs, Action::Rescan), Errno::EBUSY);
        round(&mut mgs, phase);
    }
    assert!(done(&mut mgs, ticket).is_ok());
    assert_eq!(refused(&mut mgs, FREEZE), Errno::EALREADY);
    assert_eq!(refused(&mut mgs, Action::Rescan), Errno::EBUSY);
    let ticket = mgs.give(command(Action::Thaw), false);
    assert_eq!(refused(&mut mgs, Action::Thaw), Errno::EINPROGRESS);
    assert_eq!(refused(&mut mgs, FREEZE), Errno::EBUSY);
    assert_eq!(refused(&mut mgs, Action::Rescan), Errno::EBUSY);
    round(&mut mgs, 5);
    assert!(done(&mut mgs, ticket).is_ok());
    mgs.give(command(Action::Rescan), false);
    assert_eq!(refused(&mut mgs, Action::Rescan), Errno::EINPROGRESS);
    assert_eq!(refused(&mut mgs, FREEZE), Errno::EBUSY);
    assert_eq!(refused(&mut mgs, Action::Thaw), Errno::EBUSY);
    for (fs, errno) in [("", Errno::EINVAL), ("ninechars", Errno::EINVAL), ("nosuch", Errno::ENODEV)] {
        let ticket = mgs.give(Command { fs: fs.to_owned(), action: FREEZE }.into(), false);
        assert_eq!(done(&mut mgs, ticket), Err(errno), "{fs}");
    }
}

#[test]
fn a_dry_run_asks_nobody() {
    let mut mgs = site(1);
    let ticket = mgs.give(command(FREEZE), true);
    assert!(done(&mut mgs, ticket).is_ok());
    assert!(glimpses(&mut mgs).is_empty());
    assert_eq!(state(&mgs), State::Init);
}

#[test]
fn an_mdt_in_another_state_undoes_it() {
    let mut mgs = site(2);
    let ticket = mgs.give(command(FREEZE), false);
    let sent = glimpses(&mut mgs);
    answer(&mut mgs, &sent[0].0, 0, Some((1, 0)));
    answer(&mut mgs, &sent[1].0, 0, Some((6, 1)));
    assert_eq!(done(&mut mgs, ticket), Err(Errno::EREMOTE));
    assert_eq!(state(&mgs), State::Failed);
    // All are told to lift it, with the state that it got to.
    assert_eq!(round(&mut mgs, 5), [(6, 0), (6, 0)]);
    assert_eq!(state(&mgs), State::Failed);
    freeze(&mut mgs);
}

#[test]
fn an_mdt_without_an_answer_ends_it_in_time() {
    let mut mgs = site(2);
    let ticket = mgs.give(command(FREEZE), false);
    let sent = glimpses(&mut mgs);
    answer(&mut mgs, &sent[0].0, 0, Some((1, 0)));
    mgs.advance(Duration::from_secs(29));
    assert_eq!(state(&mgs), State::FreezingP1);
    mgs.advance(Duration::from_secs(1));
    assert_eq!(done(&mut mgs, ticket), Err(Errno::ETIME));
    assert_eq!(state(&mgs), State::Expired);
    let said = mgs.audit(mgs.seq - 1);
    assert!(
        matches!(&said[..], [(actor, EventKind::BarrierFailed { fs, state, why })]
            if actor == "uid:0" && fs == "testfs" && state == "expired" && why.contains("testfs-MDT0001")),
        "{said:?}"
    );
    assert_eq!(round(&mut mgs, 5), [(7, 0), (7, 0)]);
    // What comes too late changes nothing.
    answer(&mut mgs, &sent[1].0, 0, Some((1, 1)));
    assert_eq!(state(&mgs), State::Expired);
    // Who is not there is found out, and does not count until the next time.
    let ticket = mgs.give(command(Action::Rescan), false);
    let sent = glimpses(&mut mgs);
    answer(&mut mgs, &sent[0].0, 0, Some((0, 0)));
    mgs.advance(Duration::from_secs(20));
    let counted = EventKind::BarrierRescanned { fs: "testfs".to_owned(), total: 2, absent: 1 };
    assert_eq!(done(&mut mgs, ticket), Ok(vec![counted]));
    let ticket = mgs.give(command(FREEZE), false);
    let sent = glimpses(&mut mgs);
    answer(&mut mgs, &sent[0].0, 0, Some((1, 0)));
    answer(&mut mgs, &sent[1].0, Errno::EINVAL.status(), None);
    // A lock that its holder does not know is gone: the second round asks one.
    assert_eq!(round(&mut mgs, 3).len(), 1);
    assert!(done(&mut mgs, ticket).is_ok());
    let status = mgs.engine.barrier("testfs", mgs.now);
    assert_eq!((status.state, status.mdts, status.absent), (State::Frozen, 1, 1));
}

#[test]
fn it_ends_by_itself() {
    let mut mgs = site(1);
    freeze(&mut mgs);
    mgs.advance(Duration::from_secs(29));
    assert_eq!(mgs.engine.barrier("testfs", mgs.now).left, Duration::from_secs(1));
    mgs.advance(Duration::from_secs(1));
    assert_eq!(state(&mgs), State::Expired);
    freeze(&mut mgs);
}

#[test]
fn a_node_that_goes_is_not_waited_for() {
    for stale in [false, true] {
        let mut mgs = site(2);
        let ticket = mgs.give(command(FREEZE), false);
        let sent = glimpses(&mut mgs);
        answer(&mut mgs, &sent[0].0, 0, Some((1, 0)));
        if stale {
            mgs.input(Input::Relay(
                LINK,
                Frame::Done { cookie: sent[1].0.cookie, status: PostStatus::Stale },
            ));
        } else {
            let gone = mgs.engine.exports().by_uuid("mdt1").unwrap().cookie;
            mgs.engine.evict(gone, "test", mgs.now);
            mgs.drain();
        }
        assert_eq!(done(&mut mgs, ticket), Err(Errno::ENOTCONN));
        assert_eq!(state(&mgs), State::Failed);
    }
}

#[test]
fn no_mdt_joins_while_it_is_in_force() {
    let mut mgs = site(1);
    freeze(&mut mgs);
    let second = mdt(1);
    let xid = send(&mut mgs, &second);
    assert_eq!(reply(&mgs, xid).status, Errno::EBUSY.status());
    // OSTs may.
    assert_eq!(register(&mut mgs, &ost(0)).status, 0);
    mgs.sent.retain(|s| s.portal != portal::LDLM_CB_REQUEST);
    let ticket = mgs.give(command(Action::Thaw), false);
    round(&mut mgs, 5);
    assert!(done(&mut mgs, ticket).is_ok());
    assert_eq!(register(&mut mgs, &second).status, 0);
}

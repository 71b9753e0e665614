//! Callbacks: who is told, how often, and what becomes of those who do not answer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod harness;
mod targets;

use harness::{LINK, Mgs, Sent, encode, nid, request_body};
use mgs_core::Errno;
use mgs_core::engine::{Input, LinkId};
use std::time::Duration;
use targets::{ost, register};
use wire::ldlm::{ConfigKind, LdlmReply, LdlmRequest, LockDesc, PLAIN, ResId, mode};
use wire::lnet::portal;
use wire::ptlrpc::{Body, Message, msg_type, opc, pb_flags};
use wire::relay::{Frame, PostStatus};
use wire::{Codec, Nid, Order};

fn lock(mgs: &mut Mgs, peer: Nid, handle: u64, kind: ConfigKind, cookie: u64) -> u64 {
    let desc = LockDesc {
        lock_type: PLAIN,
        resource: ResId::config("testfs", kind).unwrap(),
        req_mode: mode::CR,
        ..LockDesc::default()
    };
    let request = LdlmRequest { desc: desc.clone(), handles: vec![cookie, 0], ..LdlmRequest::default() };
    let reply = mgs.call(peer, handle, opc::LDLM_ENQUEUE, vec![encode(&request)]).message();
    assert_eq!(reply.buffers[2].len(), 0, "the LVB buffer must exist");
    let granted = LdlmReply::from_slice(&reply.buffers[1], Order::Little).unwrap();
    assert_eq!(granted.desc, LockDesc { granted_mode: mode::CR, ..desc });
    granted.handle
}

fn callbacks(mgs: &Mgs) -> Vec<Sent> {
    mgs.sent.iter().filter(|s| s.portal == portal::LDLM_CB_REQUEST).cloned().collect()
}

fn cancel(mgs: &mut Mgs, peer: Nid, handle: u64, cookie: u64) -> i32 {
    let request = LdlmRequest { count: 1, handles: vec![cookie, 0], ..LdlmRequest::default() };
    let reply = mgs.call(peer, handle, opc::LDLM_CANCEL, vec![encode(&request)]);
    assert_eq!(reply.portal, portal::LDLM_CANCEL_REPLY);
    reply.body().status
}

fn answer(mgs: &mut Mgs, peer: Nid, callback: &Sent, status: i32) {
    let body = Body { msg_type: msg_type::REPLY, status, opc: opc::LDLM_BL_CALLBACK, ..Body::default() };
    mgs.deliver(peer, portal::LDLM_CB_REPLY, callback.match_bits, Message::new(&body, vec![]).to_bytes());
}

/// A client with two locks on the configuration, and a server that can register.
fn scene() -> (Mgs, Nid, u64, Vec<u64>) {
    let mut mgs = Mgs::new();
    let client = nid("10.0.0.4@tcp");
    let handle = mgs.connect(client, "client");
    let locks = vec![
        lock(&mut mgs, client, handle, ConfigKind::Config, 0x11),
        lock(&mut mgs, client, handle, ConfigKind::Config, 0x12),
        lock(&mut mgs, client, handle, ConfigKind::Params, 0x13),
    ];
    (mgs, client, handle, locks)
}

#[test]
fn a_registration_calls_back_each_lock_once_and_waits_for_nobody() {
    let (mut mgs, client, handle, locks) = scene();
    assert_eq!(register(&mut mgs, &ost(0)).status, 0, "nobody has cancelled yet");
    let sent = callbacks(&mgs);
    assert_eq!(sent.len(), 2);
    let body = sent[0].body();
    assert_eq!((body.handle, body.opc, body.conn_cnt, body.mbits), (0xcb, 104, 0, sent[0].match_bits));
    let request = LdlmRequest::from_slice(&sent[0].message().buffers[1], Order::Little).unwrap();
    assert_eq!(
        (request.flags, request.count, request.desc.req_mode, request.desc.granted_mode),
        (0, 0, mode::EX, 0)
    );
    assert_eq!(request.handles, [0x12, locks[1]], "the newest first, as a kernel has it");
    // Both say that no callback was answered before the first of them.
    let xids: Vec<(u64, u64)> = sent.iter().map(|s| (s.match_bits, s.body().last_xid)).collect();
    let first = xids[0].0;
    assert_eq!(xids, [(first, first - 1), (first + 128, first - 1)]);
    // Merged: marked locks are not called again.
    assert_eq!(register(&mut mgs, &ost(1)).status, 0);
    assert_eq!(callbacks(&mgs).len(), 2);
    answer(&mut mgs, client, &sent[0], 0);
    assert_eq!(cancel(&mut mgs, client, handle, locks[0]), 0);
    assert_eq!(cancel(&mut mgs, client, handle, locks[1]), 0);
    assert_eq!(mgs.engine.locks().of_export(handle).count(), 1, "params was not touched");
    // A lock taken after the change has seen it, and hears of the next.
    lock(&mut mgs, client, handle, ConfigKind::Config, 0x21);
    register(&mut mgs, &ost(2));
    assert_eq!(callbacks(&mgs).len(), 3);
}

#[test]
fn no_reply_means_again_and_then_eviction() {
    let (mut mgs, client, handle, _) = scene();
    register(&mut mgs, &ost(0));
    // It lives (it pings), but does not let go.
    for _ in 0..9 {
        mgs.advance(Duration::from_secs(10));
        mgs.call(client, handle, opc::OBD_PING, vec![]);
    }
    let sent = callbacks(&mgs);
    let first: Vec<&Sent> = sent.iter().filter(|s| s.match_bits == sent[0].match_bits).collect();
    assert!(first.len() > 5, "repeated under the same xid");
    assert_eq!(first[1].body().flags, pb_flags::RESENT);
    assert!(mgs.engine.exports().get(handle).is_some());
    mgs.advance(Duration::from_secs(15));
    assert!(
        mgs.engine.exports().get(handle).is_none(),
        "a lock of a live client is never forgotten: it is evicted"
    );
    let xid = mgs.send(client, request_body(handle, opc::OBD_PING), vec![]);
    assert_eq!(mgs.reply(xid).unwrap().body().status, Errno::ENOTCONN.status());
}

#[test]
fn the_words_of_a_client_on_its_callback() {
    let (mut mgs, client, handle, locks) = scene();
    register(&mut mgs, &ost(0));
    let sent = callbacks(&mgs);
    answer(&mut mgs, client, &sent[0], Errno::EINVAL.status());
    assert!(mgs.engine.locks().get(locks[1]).is_none(), "no such lock: as good as cancelled");
    // Somebody else's word does not count.
    mgs.peer_up(nid("10.0.0.66@tcp"));
    answer(&mut mgs, nid("10.0.0.66@tcp"), &sent[1], Errno::EINVAL.status());
    assert!(mgs.engine.locks().get(locks[0]).is_some());
    answer(&mut mgs, client, &sent[1], Errno::ENOTCONN.status());
    assert!(mgs.engine.exports().get(handle).is_none());
}

#[test]
fn a_rebooted_holder_is_gone_at_once() {
    let (mut mgs, _, handle, _) = scene();
    register(&mut mgs, &ost(0));
    let cookie = callbacks(&mgs)[0].cookie;
    mgs.input(Input::Relay(LINK, Frame::Done { cookie, status: PostStatus::Stale }));
    assert!(mgs.engine.exports().get(handle).is_none());
    assert!(mgs.engine.locks().of_export(handle).next().is_none());
}

/// Its MGS address has moved to another proxy, or a proxy was restarted: no callback waits for the old link.
#[test]
fn a_callback_goes_to_the_proxy_that_brought_the_last_request() {
    let (mut mgs, client, handle, _) = scene();
    let other = LinkId(9);
    let local = nid("10.0.0.1@tcp");
    let up =
        Frame::PeerUp { slot: 3, peer: client, local, incarnation: 1, remote: String::new(), gateway: None };
    mgs.input(Input::Relay(other, up));
    mgs.input(Input::LinkDown(LINK));
    let body = Body { msg_type: msg_type::REQUEST, timeout: 11, ..request_body(handle, opc::OBD_PING) };
    let payload = Message::new(&body, vec![]).to_bytes();
    let (portal, match_bits) = (portal::MGS_REQUEST, 0x7000);
    let ping = Frame::Deliver { slot: 3, incarnation: 1, portal, match_bits, offset: 0, payload };
    mgs.input(Input::Relay(other, ping));
    assert_eq!(register(&mut mgs, &ost(0)).status, 0);
    assert!(callbacks(&mgs).iter().all(|c| c.link == other), "{:?}", callbacks(&mgs));
    assert_eq!(callbacks(&mgs).len(), 2);
}

#[test]
fn foreign_locks_cannot_be_cancelled() {
    let (mut mgs, _, _, locks) = scene();
    let thief = nid("10.0.0.5@tcp");
    let handle = mgs.connect(thief, "thief");
    assert_eq!(cancel(&mut mgs, thief, handle, locks[0]), 0);
    assert!(mgs.engine.locks().get(locks[0]).is_some());
}

#[test]
fn a_lock_waits_for_the_commit_that_its_barrier_saw() {
    let (mut mgs, client, handle, _) = scene();
    let server = nid("10.0.0.3@tcp");
    let server_handle = mgs.connect(server, "server");
    mgs.hold();
    let (body, buffers) = targets::request(&ost(0), server_handle);
    let registration = mgs.send(server, body, buffers);
    let held = mgs.held.take().unwrap();
    // The store has the commit, the engine does not know yet; a lock is asked for meanwhile.
    mgs.hold();
    let desc = LockDesc {
        lock_type: PLAIN,
        resource: ResId::config("testfs", ConfigKind::Config).unwrap(),
        req_mode: mode::CR,
        ..LockDesc::default()
    };
    let request = LdlmRequest { desc, handles: vec![0x31, 0], ..LdlmRequest::default() };
    let xid = mgs.send(client, request_body(handle, opc::LDLM_ENQUEUE), vec![encode(&request)]);
    let barrier = mgs.held.take().unwrap();
    assert_eq!(barrier.len(), 1);
    mgs.engine.handle(Input::Barrier(Some(mgs.seq + 1)), mgs.now);
    mgs.drain();
    assert!(mgs.reply(xid).is_none(), "granted now, it would hide the commit");
    for output in held {
        mgs.serve_store(output);
    }
    mgs.drain();
    assert!(mgs.reply(registration).is_some() && mgs.reply(xid).is_some());
    assert!(mgs.engine.locks().iter().any(|l| l.client_cookie == 0x31 && !l.marked));
}

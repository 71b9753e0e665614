//! Dead, slow and stopped lock holders delay nobody: a change reaches all others at once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod harness;
mod targets;

use harness::{LINK, Mgs, Sent, encode, nid, request_body};
use mgs_core::engine::Input;
use std::collections::BTreeSet;
use std::time::Duration;
use targets::{ost, register};
use wire::ldlm::{ConfigKind, LdlmReply, LdlmRequest, LockDesc, PLAIN, ResId, mode};
use wire::lnet::portal;
use wire::ptlrpc::{Body, Message, msg_type, opc, pb_flags};
use wire::relay::{Frame, PostStatus};
use wire::{Codec, Nid, Order};

const CLIENTS: u8 = 100;
/// Is sent its callback and never says a word.
const DEAD: u8 = 10;
/// Says that it heard, and does not let go.
const SLOW: u8 = 11;
/// Its node cannot be reached: the proxy gives the callback back.
const STOPPED: u8 = 12;

fn peer(n: u8) -> Nid {
    nid(&format!("10.0.2.{n}@tcp"))
}

fn enqueue(cookie: u64) -> Vec<Vec<u8>> {
    let desc = LockDesc {
        lock_type: PLAIN,
        resource: ResId::config("testfs", ConfigKind::Config).unwrap(),
        req_mode: mode::CR,
        ..LockDesc::default()
    };
    vec![encode(&LdlmRequest { desc, handles: vec![cookie, 0], ..LdlmRequest::default() })]
}

struct Site {
    mgs: Mgs,
    handles: Vec<u64>,
    locks: Vec<u64>,
}

impl Site {
    fn new() -> Self {
        let mut mgs = Mgs::new();
        mgs.connect(nid("10.0.0.3@tcp"), "server");
        let handles = (0..CLIENTS).map(|n| mgs.connect(peer(n), &format!("client {n}"))).collect();
        let mut site = Self { mgs, handles, locks: vec![0; CLIENTS.into()] };
        (0..CLIENTS).for_each(|n| site.lock(n));
        site
    }

    fn lock(&mut self, n: u8) {
        let reply =
            self.mgs.call(peer(n), self.handles[usize::from(n)], opc::LDLM_ENQUEUE, enqueue(n.into()));
        let granted = LdlmReply::from_slice(&reply.message().buffers[1], Order::Little).unwrap();
        self.locks[usize::from(n)] = granted.handle;
    }

    /// Registers an OST; returns what was sent for it, at this very moment.
    fn change(&mut self, index: u32) -> Vec<Sent> {
        let before = (self.mgs.sent.len(), self.mgs.now.mono);
        assert_eq!(register(&mut self.mgs, &ost(index)).status, 0, "nobody is waited for");
        assert_eq!(self.mgs.now.mono, before.1);
        self.mgs.sent[before.0..].to_vec()
    }

    /// All but the three let go and lock again.
    fn react(&mut self, sent: &[Sent]) {
        for n in 0..CLIENTS {
            let Some(callback) = sent.iter().find(|s| called(s) && s.peer == peer(n)) else { continue };
            match n {
                DEAD => {}
                STOPPED => {
                    let status = PostStatus::Unreachable;
                    self.mgs.input(Input::Relay(LINK, Frame::Done { cookie: callback.cookie, status }));
                }
                _ => {
                    let body =
                        Body { msg_type: msg_type::REPLY, opc: opc::LDLM_BL_CALLBACK, ..Body::default() };
                    let message = Message::new(&body, vec![]).to_bytes();
                    self.mgs.deliver(peer(n), portal::LDLM_CB_REPLY, callback.match_bits, message);
                }
            }
            if ![DEAD, SLOW, STOPPED].contains(&n) {
                let handles = vec![self.locks[usize::from(n)], 0];
                let cancel = encode(&LdlmRequest { count: 1, handles, ..LdlmRequest::default() });
                self.mgs.call(peer(n), self.handles[usize::from(n)], opc::LDLM_CANCEL, vec![cancel]);
                self.lock(n);
            }
        }
    }

    fn alive(&self) -> BTreeSet<u8> {
        let known = |n: &u8| self.mgs.engine.exports().get(self.handles[usize::from(*n)]).is_some();
        (0..CLIENTS).filter(known).collect()
    }
}

fn called(sent: &Sent) -> bool {
    sent.portal == portal::LDLM_CB_REQUEST
}

fn who(sent: &[Sent]) -> BTreeSet<Nid> {
    sent.iter().filter(|s| called(s)).map(|s| s.peer).collect()
}

#[test]
fn a_change_reaches_everybody_at_once_whoever_does_not_answer() {
    let mut site = Site::new();
    let first = site.change(0);
    assert_eq!(who(&first), (0..CLIENTS).map(peer).collect());
    site.react(&first);
    // The three have not let go: changes go on reaching all the others, in the same moment.
    for index in 1..=5 {
        let sent = site.change(index);
        let others = (0..CLIENTS).filter(|n| ![DEAD, SLOW, STOPPED].contains(n));
        assert_eq!(who(&sent), others.map(peer).collect());
        assert_eq!(sent.iter().filter(|s| called(s)).count(), usize::from(CLIENTS) - 3, "one each");
        site.react(&sent);
    }
    assert_eq!(site.alive().len(), usize::from(CLIENTS));
    // They are evicted after the deadline, the others (they ping) never.
    for _ in 0..12 {
        site.mgs.advance(Duration::from_secs(10));
        for n in site.alive() {
            let body = request_body(site.handles[usize::from(n)], opc::OBD_PING);
            site.mgs.send(peer(n), body, vec![]);
        }
    }
    let gone: BTreeSet<u8> = (0..CLIENTS).filter(|n| !site.alive().contains(n)).collect();
    assert_eq!(gone, BTreeSet::from([DEAD, SLOW, STOPPED]));
}

#[test]
fn an_enqueue_sent_again_that_takes_over_a_marked_lock_is_called_back_again() {
    let mut site = Site::new();
    let sent = site.change(0);
    let first = sent.iter().find(|s| called(s) && s.peer == peer(SLOW)).unwrap().clone();
    // The reply to its enqueue was lost, and it did not know the lock when the callback came.
    let body =
        Body { flags: pb_flags::RESENT, ..request_body(site.handles[usize::from(SLOW)], opc::LDLM_ENQUEUE) };
    let before = site.mgs.sent.len();
    let xid = site.mgs.send(peer(SLOW), body, enqueue(SLOW.into()));
    let reply = site.mgs.reply(xid).unwrap().message();
    let granted = LdlmReply::from_slice(&reply.buffers[1], Order::Little).unwrap();
    assert_eq!(granted.handle, site.locks[usize::from(SLOW)], "the same lock");
    let again: Vec<&Sent> = site.mgs.sent[before..].iter().filter(|s| called(s)).collect();
    assert_eq!((again.len(), again[0].peer), (1, peer(SLOW)));
    assert_ne!(again[0].match_bits, first.match_bits);
    assert!(site.mgs.sent[before].match_bits == xid, "behind the reply that tells of the lock");
}

//! Revocation: one blocking callback per marked lock, repeated until its holder reacts or is evicted. Nothing waits
//! for the answer of a client.

use super::{Engine, Put, Timer};
use crate::export::Address;
use crate::locks::Lock;
use crate::time::Now;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wire::ldlm::{LdlmRequest, LockDesc, PLAIN, mode};
use wire::lnet::portal;
use wire::ptlrpc::{Body, Message, connect_flags, msg_flags, msg_type, opc, pb_flags, version};
use wire::relay::PostStatus;
use wire::{Codec, Order};

/// Without a reply for so long a callback is sent again.
const RESEND: Duration = Duration::from_secs(10);
/// A holder that has not let go after so long is evicted (kernel: `ldlm_enqueue_min`).
const DEADLINE: Duration = Duration::from_secs(100);
/// Reading a log prolongs the deadline up to this.
const DEADLINE_MAX: Duration = Duration::from_secs(600);
/// Time the peer has for its reply, seconds.
const TIMEOUT: u32 = 11;
/// Step between xids: the low bits are room for bulk.
const XID_STEP: u64 = 128;

/// Callbacks under way.
#[derive(Debug)]
pub(super) struct Callbacks {
    next_xid: u64,
    by_xid: BTreeMap<u64, Callback>,
    by_lock: BTreeMap<u64, u64>,
    /// (export, xid) of those without an answer.
    unanswered: BTreeSet<(u64, u64)>,
}

#[derive(Debug)]
struct Callback {
    lock: Lock,
    started: Duration,
    /// The client said that it will cancel.
    accepted: bool,
    attempts: u32,
}

impl Callbacks {
    /// Xids start from the clock, so that a restarted MGS does not use a number again.
    pub(super) fn new(now: Now) -> Self {
        let seconds = u64::try_from(now.wall).unwrap_or(0);
        let next_xid = ((seconds << 20) + u64::from(now.mono.subsec_micros())) & !(XID_STEP - 1);
        Self { next_xid, by_xid: BTreeMap::new(), by_lock: BTreeMap::new(), unanswered: BTreeSet::new() }
    }

    /// A number for a callback of another kind to an export, and the oldest one that the export has not answered.
    pub(super) fn number(&mut self, export: u64) -> (u64, u64) {
        self.next_xid += XID_STEP;
        let xid = self.next_xid;
        self.unanswered.insert((export, xid));
        (xid, self.first_unanswered(export).unwrap_or(xid))
    }

    /// It was answered, or will not be.
    pub(super) fn answered(&mut self, export: u64, xid: u64) {
        self.unanswered.remove(&(export, xid));
    }

    fn first_unanswered(&self, export: u64) -> Option<u64> {
        let first = self.unanswered.range((export, 0)..).next();
        first.filter(|(of, _)| *of == export).map(|(_, first)| *first)
    }
}

impl Engine {
    /// Calls back the holders of marked locks.
    pub(super) fn call_back(&mut self, locks: &[Lock], now: Now) {
        for lock in locks {
            self.lock_gone(lock.cookie);
            self.callbacks.next_xid += XID_STEP;
            let xid = self.callbacks.next_xid;
            let callback = Callback { lock: *lock, started: now.mono, accepted: false, attempts: 0 };
            self.callbacks.by_lock.insert(lock.cookie, xid);
            self.callbacks.by_xid.insert(xid, callback);
            self.callbacks.unanswered.insert((lock.export, xid));
            self.send_callback(xid, now);
        }
    }

    fn send_callback(&mut self, xid: u64, now: Now) {
        let Some(callback) = self.callbacks.by_xid.get_mut(&xid) else { return };
        let Some(export) = self.exports.get(callback.lock.export) else { return self.end_callback(xid) };
        callback.attempts += 1;
        let at = export.has(connect_flags::AT);
        let resent = if callback.attempts > 1 { pb_flags::RESENT } else { 0 };
        let first = self.callbacks.unanswered.range((callback.lock.export, 0)..).next();
        let first =
            first.filter(|(export, _)| *export == callback.lock.export).map_or(xid, |(_, first)| *first);
        let payload = blocking(&callback.lock, export.callback_cookie, (xid, first), at, resent);
        let to = export.address;
        let put =
            Put { portal: portal::LDLM_CB_REQUEST, match_bits: xid, offset: 0, want_ack: false, payload };
        self.post(&to, xid, put);
        self.count("callbacks_sent");
        self.timer(now.mono + RESEND, Timer::Callback(xid));
    }

    /// The proxy's word on a callback.
    pub(super) fn callback_sent(&mut self, xid: u64, status: PostStatus, now: Now) {
        if status != PostStatus::Stale {
            return;
        }
        // The node has booted since: whoever held the lock is gone.
        let export = self.callbacks.by_xid.get(&xid).map(|c| c.lock.export);
        if let Some(export) = export {
            self.end_callback(xid);
            self.evict(export, "its node has restarted", now);
        }
    }

    /// The client's word.
    pub(super) fn callback_reply(&mut self, from: Address, xid: u64, status: i32, now: Now) {
        use crate::Errno as E;
        let Some(callback) = self.callbacks.by_xid.get_mut(&xid) else {
            return self.count("callback_replies_unmatched");
        };
        let Some(export) = self.exports.get(callback.lock.export) else { return self.end_callback(xid) };
        if export.address.peer != from.peer {
            return self.count("callback_replies_unmatched");
        }
        if status == 0 {
            callback.accepted = true;
            let answered = (callback.lock.export, xid);
            self.callbacks.unanswered.remove(&answered);
        } else if status == E::EINVAL.status() {
            // No such lock, or already on its way out.
            let cookie = callback.lock.cookie;
            self.locks.remove(cookie);
            self.end_callback(xid);
        } else if status == E::ENOTCONN.status() {
            let export = callback.lock.export;
            self.end_callback(xid);
            self.evict(export, "does not know its callback handle", now);
        } else {
            self.count("callback_replies_refused");
        }
    }

    /// Repeat, or evict.
    pub(super) fn callback_due(&mut self, xid: u64, now: Now) {
        let Some(callback) = self.callbacks.by_xid.get(&xid) else { return };
        let lock = callback.lock;
        let holder = self.exports.get(lock.export);
        let (Some(export), Some(_)) = (holder, self.locks.get(lock.cookie)) else {
            return self.end_callback(xid);
        };
        let reading = (export.last_read + DEADLINE).min(callback.started + DEADLINE_MAX);
        let deadline = (callback.started + DEADLINE).max(reading);
        if deadline <= now.mono {
            self.end_callback(xid);
            self.evict(lock.export, "did not let go of a lock in time", now);
        } else if callback.accepted {
            self.timer(deadline.min(now.mono + RESEND), Timer::Callback(xid));
        } else {
            self.send_callback(xid, now);
        }
    }

    /// The lock is gone, by whatever way.
    pub(crate) fn lock_gone(&mut self, cookie: u64) {
        if let Some(xid) = self.callbacks.by_lock.remove(&cookie) {
            self.end_callback(xid);
        }
    }

    fn end_callback(&mut self, xid: u64) {
        if let Some(callback) = self.callbacks.by_xid.remove(&xid) {
            self.callbacks.by_lock.remove(&callback.lock.cookie);
            self.callbacks.unanswered.remove(&(callback.lock.export, xid));
        }
    }
}

/// LDLM_BL_CALLBACK: describes the lock that blocks, an EX that the MGS would like to have. `first`: the oldest xid
/// that this peer has not answered.
fn blocking(lock: &Lock, callback_cookie: u64, (xid, first): (u64, u64), at: bool, flags: u32) -> Bytes {
    let body = Body {
        handle: callback_cookie,
        msg_type: msg_type::REQUEST,
        version: version::DLM | version::PTLRPC,
        opc: opc::LDLM_BL_CALLBACK,
        last_xid: first - 1,
        flags,
        timeout: TIMEOUT,
        mbits: xid,
        ..Body::default()
    };
    let request = LdlmRequest {
        desc: LockDesc {
            lock_type: PLAIN,
            resource: lock.resource,
            req_mode: mode::EX,
            ..LockDesc::default()
        },
        handles: vec![lock.client_cookie, lock.cookie],
        ..LdlmRequest::default()
    };
    let mut message = Message::new(&body, vec![request.to_vec(Order::Little).into()]);
    message.repsize = 224;
    message.flags = if at { msg_flags::AT_SUPPORT | msg_flags::CKSUM_INCOMPAT18 } else { 0 };
    message.to_bytes()
}

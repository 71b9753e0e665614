//! Config locks of a node and the callbacks about them.
//!
//! A blocking callback is answered first; the cancel follows at once, or when the log has been read that the lock
//! guards. The lost log is read again 5 to 10 s later.
use super::lnet::Delivered;
use super::rpc::{CONNECT_WAIT, Call, EARLY, Owner};
use super::{Event, LogKey, Node, Violation};
use bytes::Bytes;
use std::collections::BTreeMap;
use wire::ldlm::{BarrierLvb, LdlmRequest, LockDesc, PLAIN, ResId, lock_flags, mode};
use wire::lnet::portal;
use wire::ptlrpc::{Body, Message, msg_flags, msg_type, opc};
use wire::{Codec, Writer};

/// Flags a blocking callback may carry: AST_SENT, FLOCK_DEADLOCK, DISCARD_DATA.
const BL_FLAGS: u32 = lock_flags::AST_SENT | 0x8000 | 0x1_0000;
/// Process ids stated in requests.
pub(crate) mod pid {
    pub(crate) const PTLRPCD: i32 = 101;
    pub(crate) const LDLM_BL: i32 = 102;
    pub(crate) const REQUEUE: i32 = 103;
    pub(crate) const MOUNT: i32 = 1000;
}

#[derive(Clone, Debug)]
pub(crate) struct Lock {
    pub(crate) log: LogKey,
    pub(crate) resource: ResId,
    /// The server's cookie; 0 until the enqueue was answered.
    pub(crate) server: u64,
    pub(crate) granted: bool,
    /// A callback came while the log is being read: cancel when done.
    pub(crate) revoked: bool,
}

/// All locks by the client's cookie.
#[derive(Debug)]
pub(crate) struct Locks {
    next_cookie: u64,
    pub(crate) held: BTreeMap<u64, Lock>,
}

impl Locks {
    pub(crate) const fn new(base: u64) -> Self {
        Self { next_cookie: base, held: BTreeMap::new() }
    }
    /// A cookie of this node: never 0, seven apart as kernels number them.
    pub(crate) fn cookie(&mut self) -> u64 {
        let cookie = self.next_cookie.max(1);
        self.next_cookie = cookie.wrapping_add(7);
        cookie
    }
}

/// The `ldlm_request` of an enqueue.
pub(crate) fn enqueue_request(resource: ResId, cookie: u64) -> LdlmRequest {
    let desc = LockDesc { lock_type: PLAIN, resource, req_mode: mode::CR, ..LockDesc::default() };
    LdlmRequest { flags: 0, count: 0, desc, handles: vec![cookie, 0] }
}

/// Base name of a resource and what it guards, for people.
pub(crate) fn describe(resource: &ResId) -> Option<(String, wire::ldlm::ConfigKind)> {
    resource.parse_config()
}

impl Node {
    /// A PUT on portal 15.
    pub(crate) fn on_callback(&mut self, put: &Delivered) {
        let (message, body) = match Message::decode(&put.payload).and_then(|m| m.body().map(|b| (m, b))) {
            Ok(both) => both,
            Err(error) => return self.violation(Violation::Callback { opc: 0, what: error.to_string() }),
        };
        let at = message.flags & msg_flags::AT_SUPPORT != 0;
        let bad = |what: String| Violation::Callback { opc: body.opc, what };
        if put.offset != 0 {
            self.violation(bad(format!("request at offset {}", put.offset)));
        }
        if at && body.timeout == 0 {
            return self.violation(bad("AT_SUPPORT without pb_timeout: dropped".to_owned()));
        }
        if body.msg_type != msg_type::REQUEST {
            return self.violation(bad(format!("message type {}: dropped", body.msg_type)));
        }
        if body.handle != self.import.callback_cookie || body.handle == 0 {
            self.violation(bad(format!("unknown callback cookie {:#x}", body.handle)));
            return self.callback_reply(put, &body, at, -107, None);
        }
        let request = message.buffer(1).and_then(|mut r| LdlmRequest::decode(&mut r));
        let Ok(request) = request else {
            self.violation(bad("no ldlm_request".to_owned()));
            return self.callback_reply(put, &body, at, -71, None);
        };
        let cookie = request.handles.first().copied().unwrap_or_default();
        let known = self.locks.held.contains_key(&cookie);
        match body.opc {
            opc::LDLM_BL_CALLBACK if request.flags & !BL_FLAGS != 0 => {
                self.violation(bad(format!("flags {:#x} are not permitted", request.flags)));
                self.callback_reply(put, &body, at, -71, None);
            }
            opc::LDLM_BL_CALLBACK | opc::LDLM_CP_CALLBACK if !known => {
                self.callback_reply(put, &body, at, -22, None);
            }
            opc::LDLM_BL_CALLBACK => {
                self.callback_reply(put, &body, at, 0, None);
                self.on_blocking(cookie, &request);
            }
            opc::LDLM_CP_CALLBACK => {
                self.callback_reply(put, &body, at, 0, None);
                self.on_completion(cookie, &request);
            }
            opc::LDLM_GL_CALLBACK => self.on_glimpse(put, &message, &body, at, cookie),
            other => {
                self.violation(bad(format!("unknown opcode {other}")));
                self.callback_reply(put, &body, at, -71, None);
            }
        }
    }

    fn callback_reply(&mut self, put: &Delivered, request: &Body, at: bool, status: i32, lvb: Option<Bytes>) {
        let body = Body {
            msg_type: msg_type::REPLY,
            version: wire::ptlrpc::version::PTLRPC,
            opc: request.opc,
            status,
            timeout: 5,
            service_time: 1,
            ..Body::default()
        };
        let mut buffers = vec![Bytes::from(body.to_vec(self.cfg.order))];
        buffers.extend(lvb);
        let message =
            Message { secflvr: 0, repsize: 0, cksum: 0, flags: 0, opc: 0, buffers, order: self.cfg.order };
        let bits = if self.rpc.rep_mbits() && request.mbits != 0 { request.mbits } else { put.match_bits };
        let offset = if at { EARLY } else { 0 };
        self.lnet.put(put.peer, portal::LDLM_CB_REPLY, bits, offset, message.to_bytes(), self.now);
    }

    fn on_blocking(&mut self, cookie: u64, request: &LdlmRequest) {
        let Some(lock) = self.locks.held.get_mut(&cookie) else { return };
        if lock.server == 0 {
            lock.server = request.handles.get(1).copied().unwrap_or_default();
        }
        if lock.resource != request.desc.resource {
            let what = format!("resource {:?} is not that of the lock", request.desc.resource);
            return self.violation(Violation::Callback { opc: opc::LDLM_BL_CALLBACK, what });
        }
        lock.revoked = true;
        let (log, resource) = (lock.log, lock.resource);
        if let Some((name, kind)) = describe(&resource) {
            self.event(Event::Notified { name, kind });
        }
        if !self.reading(log, cookie) {
            self.drop_lock(cookie, Owner::Cancel);
            self.mark_lost(log);
        }
    }

    fn on_completion(&mut self, cookie: u64, request: &LdlmRequest) {
        let Some(lock) = self.locks.held.get_mut(&cookie) else { return };
        if lock.server == 0 {
            lock.server = request.handles.get(1).copied().unwrap_or_default();
        }
        lock.granted = true;
        lock.revoked |= request.flags & lock_flags::AST_SENT != 0;
        self.lock_granted(cookie);
    }

    fn on_glimpse(&mut self, put: &Delivered, message: &Message, body: &Body, at: bool, cookie: u64) {
        let desc =
            message.buffer(2).and_then(|mut r| Ok((r.u32("barrier status")?, r.u32("barrier timeout")?)));
        let lock = self.locks.held.get(&cookie).and_then(|l| describe(&l.resource));
        let (Some((_, wire::ldlm::ConfigKind::Barrier)), Ok((status, _))) = (lock, desc) else {
            return self.callback_reply(put, body, at, -22, None);
        };
        // freeze phase 1 and 2, thaw; a rescan only asks.
        let answer = match status {
            1 => 1,
            2 => 3,
            4 => 5,
            _ => 0,
        };
        let lvb = BarrierLvb { status: answer, index: 0, padding: 0 };
        let mut w = Writer::new(self.cfg.order);
        w.u32(lvb.status);
        w.u32(lvb.index);
        w.u64(lvb.padding);
        self.callback_reply(put, body, at, 0, Some(w.into_vec().into()));
    }

    /// Forgets a lock and tells the MGS.
    pub(crate) fn drop_lock(&mut self, cookie: u64, owner: Owner) {
        let Some(lock) = self.locks.held.remove(&cookie) else { return };
        for log in self.logs.values_mut().filter(|l| l.lock == Some(cookie)) {
            log.lock = None;
        }
        let request = LdlmRequest { count: 1, handles: vec![lock.server, 0], ..LdlmRequest::default() };
        let call = Call {
            opc: opc::LDLM_CANCEL,
            buffers: vec![request.to_vec(self.cfg.order).into()],
            repsize: 224,
            bulk_room: None,
            exposed: None,
            pid: pid::LDLM_BL,
            patience: None,
            connect_wait: CONNECT_WAIT,
        };
        self.call(owner, call);
    }
}

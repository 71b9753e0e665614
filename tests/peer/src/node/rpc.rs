//! ptlrpc side of a node: xids, requests on their way, replies.
//!
//! A reply is looked for exactly where a kernel looks: match bits `pb_mbits` (or xid), offset 224 behind the room for
//! early replies (or 0). What comes elsewhere is lost, and recorded as a [`Violation`].
use super::event::Violation;
use super::lnet::Delivered;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use wire::lnet::portal;
use wire::ptlrpc::{
    Body, Message, connect_flags, early_checksum, msg_flags, msg_type, opc, pb_flags, version,
};
use wire::{Codec, Order};

/// Room for early replies at the start of a reply buffer: one body in a message.
pub(crate) const EARLY: u32 = 224;
/// `lm_secflvr` of an MGC with the null flavor.
const SECFLVR_MGC: u32 = 0x0300_0000;
/// Seconds granted to the network beside the server's own time.
const NET_LATENCY: u64 = 4;
/// Distance of xids; the low bits number the pieces of a bulk.
const XID_STEP: u64 = 128;
/// `pb_timeout` and `pb_service_time` of a connect.
const CONNECT_TIMEOUT: (u32, u32) = (5, 4);
/// Match bits remembered of requests that are over: a daemon that stood still answers all attempts at once.
const RETIRED: usize = 4096;
/// How long most requests wait for a connection.
pub(crate) const CONNECT_WAIT: Duration = Duration::from_secs(35);

/// Which activity of the node sent a request, so that its answer finds the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Connect,
    Ping,
    Disconnect,
    /// Cancel on behalf of a callback; nobody waits.
    Cancel,
    /// Cancel of an unmount.
    UmountCancel,
    /// NID notification after a reconnect.
    Notify,
    /// The mount or unmount in progress.
    Mount,
    /// The requeue thread.
    Requeue,
}

/// A request as its sender describes it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) opc: u32,
    /// Buffers behind the body.
    pub(crate) buffers: Vec<Bytes>,
    pub(crate) repsize: u32,
    /// Room of an exposed bulk buffer the MGS may PUT into.
    pub(crate) bulk_room: Option<usize>,
    /// Exposed bulk the MGS may GET.
    pub(crate) exposed: Option<Bytes>,
    /// Process that sends it.
    pub(crate) pid: i32,
    /// Time the sender gives it instead of the adaptive one.
    pub(crate) patience: Option<Duration>,
    /// How long it waits for a connection before it fails with -ETIMEDOUT.
    pub(crate) connect_wait: Duration,
}

/// Request and reply portal, and high half of `pb_version`, of an opcode.
pub(crate) const fn route(opcode: u32) -> (u32, u32, u32) {
    match opcode {
        opc::LDLM_CANCEL => (portal::LDLM_CANCEL_REQUEST, portal::LDLM_CANCEL_REPLY, version::DLM),
        opc::LDLM_ENQUEUE => (portal::MGS_REQUEST, portal::MGC_REPLY, version::DLM),
        opc::LLOG_ORIGIN_HANDLE_CREATE..=opc::LLOG_ORIGIN_HANDLE_PREV_BLOCK => {
            (portal::MGS_REQUEST, portal::MGC_REPLY, version::LOG)
        }
        opc::MGS_TARGET_REG..=opc::MGS_CONFIG_READ => (portal::MGS_REQUEST, portal::MGC_REPLY, version::MGS),
        _ => (portal::MGS_REQUEST, portal::MGC_REPLY, version::OBD),
    }
}

#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) xid: u64,
    pub(crate) mbits: u64,
    pub(crate) owner: Owner,
    pub(crate) call: Call,
    last_xid: u64,
    resent: bool,
    at: bool,
    pub(crate) sent: Duration,
    deadline: Duration,
    /// Without a connection it is given up at this time, sent or not (`rq_delay_limit_ns`).
    limit: Option<Duration>,
    bulk: Option<Bytes>,
    reply: Option<Message>,
}

impl Pending {
    /// Sent on a connection that is gone: when it is given up. What has no limit waits for the next connection.
    fn stranded_until(&self) -> Option<Duration> {
        self.limit.map(|limit| limit.max(self.deadline))
    }
}

/// The end of a request.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) owner: Owner,
    pub(crate) call: Call,
    /// Status of the reply, or an errno of this side.
    pub(crate) status: i32,
    /// The reply when it is of type 4713.
    pub(crate) message: Option<Message>,
    pub(crate) body: Body,
    pub(crate) bulk: Option<Bytes>,
    pub(crate) took: Duration,
}

/// What a message meant.
#[derive(Debug)]
pub(crate) enum Heard {
    Nothing,
    Done(Box<Outcome>),
    /// -ENOTCONN or -ENODEV on an established import: reconnect, then resend.
    NotConnected,
    /// The reply did not fit; the request goes out again with a larger buffer.
    Resend(u64),
}

/// Bytes to PUT.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) portal: u32,
    pub(crate) match_bits: u64,
    pub(crate) payload: Bytes,
}

#[derive(Debug)]
pub(crate) struct Rpc {
    order: Order,
    pb_flags: u32,
    next_xid: u64,
    /// Export cookie.
    pub(crate) handle: u64,
    pub(crate) conn_cnt: u32,
    pub(crate) granted: u64,
    pub(crate) granted2: u64,
    /// The server's estimate of its service time, seconds.
    estimate: u32,
    pending: BTreeMap<u64, Pending>,
    delayed: VecDeque<Pending>,
    /// Match bits under which nothing is expected any more: late and double replies are no fault of the MGS.
    retired: VecDeque<u64>,
}

impl Rpc {
    pub(crate) fn new(order: Order, pb_flags: u32, boot: Duration) -> Self {
        Self {
            order,
            pb_flags,
            next_xid: (boot.as_secs() << 20) + XID_STEP,
            handle: 0,
            conn_cnt: 0,
            granted: 0,
            granted2: 0,
            estimate: 5,
            pending: BTreeMap::new(),
            delayed: VecDeque::new(),
            retired: VecDeque::new(),
        }
    }

    fn retire(&mut self, p: &Pending) {
        self.retired.extend([p.xid, p.mbits]);
        let surplus = self.retired.len().saturating_sub(RETIRED);
        self.retired.drain(..surplus);
    }

    /// A new MGC on the same node: the xid counter goes on, everything else starts anew.
    pub(crate) fn reset(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        pending.values().for_each(|p| self.retire(p));
        self.handle = 0;
        self.conn_cnt = 0;
        self.granted = 0;
        self.granted2 = 0;
        self.delayed.clear();
    }

    pub(crate) const fn has(&self, flag: u64) -> bool {
        self.granted & flag != 0
    }

    pub(crate) const fn rep_mbits(&self) -> bool {
        self.granted2 & connect_flags::REP_MBITS != 0
    }

    pub(crate) const fn take_xid(&mut self) -> u64 {
        let xid = self.next_xid;
        self.next_xid += XID_STEP;
        xid
    }

    /// `1.25 × estimate + 5`, in whole seconds as kernels compute it.
    const fn timeout(&self) -> u32 {
        self.estimate + self.estimate / 4 + 5
    }

    /// Composes a request. With `full` it is sent now, else it waits for [`Self::release`].
    pub(crate) fn call(&mut self, owner: Owner, call: Call, full: bool, now: Duration) -> Option<Packet> {
        let xid = self.take_xid();
        self.call_with(xid, owner, call, full, now)
    }

    /// As [`Self::call`], with an xid taken earlier.
    pub(crate) fn call_with(
        &mut self,
        xid: u64,
        owner: Owner,
        call: Call,
        full: bool,
        now: Duration,
    ) -> Option<Packet> {
        let lowest = self.pending.values().filter(|p| p.owner != Owner::Connect).map(|p| p.xid).min();
        let last_xid = match owner {
            Owner::Connect | Owner::Disconnect => 0,
            _ if !full => 0,
            _ => lowest.unwrap_or(xid).min(xid) - 1,
        };
        let deadline = now + call.connect_wait;
        let limit = matches!(call.opc, opc::LDLM_ENQUEUE | opc::MGS_TARGET_REG).then_some(deadline);
        let pending = Pending {
            xid,
            mbits: if owner == Owner::Connect { 0 } else { xid },
            owner,
            call,
            last_xid,
            resent: false,
            at: false,
            sent: now,
            deadline,
            limit,
            bulk: None,
            reply: None,
        };
        if full || owner == Owner::Connect {
            Some(self.transmit(pending, now))
        } else {
            self.delayed.push_back(pending);
            None
        }
    }

    fn transmit(&mut self, mut p: Pending, now: Duration) -> Packet {
        let connect = p.owner == Owner::Connect;
        p.at = !connect && self.has(connect_flags::AT);
        let (timeout, service_time) = if connect { CONNECT_TIMEOUT } else { (self.timeout(), 0) };
        p.sent = now;
        p.deadline = now + p.call.patience.unwrap_or(Duration::from_secs(u64::from(timeout) + NET_LATENCY));
        let (request_portal, _, service) = route(p.call.opc);
        let body = Body {
            handle: self.handle,
            msg_type: msg_type::REQUEST,
            version: service | version::PTLRPC,
            opc: p.call.opc,
            status: p.call.pid,
            last_xid: p.last_xid,
            flags: self.pb_flags | if p.resent { pb_flags::RESENT } else { 0 },
            op_flags: if connect && self.handle == 0 { wire::ptlrpc::connect_op::INITIAL } else { 0 },
            conn_cnt: self.conn_cnt,
            timeout,
            service_time,
            mbits: p.mbits,
            ..Body::default()
        };
        let mut buffers = vec![Bytes::from(body.to_vec(self.order))];
        buffers.extend(p.call.buffers.iter().cloned());
        let message = Message {
            secflvr: SECFLVR_MGC,
            repsize: p.call.repsize,
            cksum: 0,
            flags: if p.at { msg_flags::AT_SUPPORT | msg_flags::CKSUM_INCOMPAT18 } else { 0 },
            opc: 0,
            buffers,
            order: self.order,
        };
        let packet = Packet { portal: request_portal, match_bits: p.xid, payload: message.to_bytes() };
        self.pending.insert(p.xid, p);
        packet
    }

    /// The import is FULL: what waited goes out.
    pub(crate) fn release(&mut self, now: Duration) -> Vec<Packet> {
        let waiting = std::mem::take(&mut self.delayed);
        waiting.into_iter().map(|p| self.transmit(p, now)).collect()
    }

    /// After a reconnect that kept the export: everything unanswered again, RESENT, under new match bits.
    pub(crate) fn resend_all(&mut self, now: Duration) -> Vec<Packet> {
        let xids: Vec<u64> = self.pending.keys().copied().collect();
        xids.into_iter().filter_map(|xid| self.resend(xid, now)).collect()
    }

    /// One request again.
    pub(crate) fn resend(&mut self, xid: u64, now: Duration) -> Option<Packet> {
        let mut p = self.pending.remove(&xid)?;
        self.retire(&p);
        p.resent = true;
        p.bulk = None;
        p.reply = None;
        if self.rep_mbits() || (p.call.bulk_room.is_some() && self.has(connect_flags::BULK_MBITS)) {
            p.mbits = self.take_xid();
        }
        Some(self.transmit(p, now))
    }

    /// Gives up everything that was sent (eviction) or all (`with_delayed`).
    pub(crate) fn abort(&mut self, status: i32, with_delayed: bool, now: Duration) -> Vec<Outcome> {
        let mut all: Vec<Pending> = std::mem::take(&mut self.pending).into_values().collect();
        if with_delayed {
            all.extend(std::mem::take(&mut self.delayed));
        }
        all.iter().for_each(|p| self.retire(p));
        all.into_iter().map(|p| failed(p, status, now)).collect()
    }

    /// Requests that must not be sent again after a reconnect.
    pub(crate) fn abort_unresendable(&mut self, status: i32, now: Duration) -> Vec<Outcome> {
        let gone = |p: &Pending| matches!(p.owner, Owner::Connect | Owner::Ping | Owner::Disconnect);
        let xids: Vec<u64> = self.pending.values().filter(|p| gone(p)).map(|p| p.xid).collect();
        let gone: Vec<Pending> = xids.iter().filter_map(|x| self.pending.remove(x)).collect();
        gone.iter().for_each(|p| self.retire(p));
        gone.into_iter().map(|p| failed(p, status, now)).collect()
    }

    /// Earliest deadline: of what was sent and is `watched`, and of what waits for a connection; of what was sent on a
    /// connection that is gone while none can be made (`stranded`).
    pub(crate) fn poll_timeout(&self, watched: impl Fn(Owner) -> bool, stranded: bool) -> Option<Duration> {
        let due = |p: &Pending| match watched(p.owner) {
            true => Some(p.deadline),
            false => p.stranded_until().filter(|_| stranded),
        };
        let sent = self.pending.values().filter_map(due);
        sent.chain(self.delayed.iter().map(|p| p.deadline)).min()
    }

    /// A watched request has passed its deadline: its owner, and whether only its bulk is missing.
    pub(crate) fn overdue(&self, now: Duration, watched: impl Fn(Owner) -> bool) -> Option<(Owner, bool)> {
        let late = self.pending.values().find(|p| watched(p.owner) && p.deadline <= now);
        late.map(|p| (p.owner, p.reply.is_some()))
    }

    /// Requests that waited too long for a connection: the first one, or, `stranded`, another one.
    pub(crate) fn expired(&mut self, now: Duration, stranded: bool) -> Vec<Outcome> {
        let (mut late, keep): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.delayed).into_iter().partition(|p| p.deadline <= now);
        self.delayed = keep.into();
        let over = |p: &&Pending| stranded && p.stranded_until().is_some_and(|until| until <= now);
        let xids: Vec<u64> = self.pending.values().filter(over).map(|p| p.xid).collect();
        late.extend(xids.iter().filter_map(|xid| self.pending.remove(xid)));
        late.iter().for_each(|p| self.retire(p));
        late.into_iter().map(|p| failed(p, -110, now)).collect()
    }

    /// Any request of this owner on its way.
    pub(crate) fn busy(&self, owner: Owner) -> bool {
        self.pending.values().chain(&self.delayed).any(|p| p.owner == owner)
    }

    fn reply_bits(&self, p: &Pending) -> u64 {
        if p.owner != Owner::Connect && self.rep_mbits() { p.mbits } else { p.xid }
    }

    /// A PUT on a reply portal.
    pub(crate) fn on_reply(&mut self, put: &Delivered, now: Duration, bad: &mut Vec<Violation>) -> Heard {
        let found = self.pending.values().find(|p| {
            route(p.call.opc).1 == put.portal && self.reply_bits(p) == put.match_bits && p.reply.is_none()
        });
        let Some((xid, at, opcode, repsize, owner)) =
            found.map(|p| (p.xid, p.at, p.call.opc, p.call.repsize, p.owner))
        else {
            if !self.retired.contains(&put.match_bits) {
                bad.push(Violation::UnmatchedReply { portal: put.portal, match_bits: put.match_bits });
            }
            return Heard::Nothing;
        };
        let message = match Message::decode(&put.payload) {
            Ok(message) => message,
            Err(error) => {
                bad.push(Violation::BadReply { opc: opcode, what: error.to_string() });
                return Heard::Nothing;
            }
        };
        if at && put.offset == 0 {
            self.early(xid, opcode, &message, bad);
            return Heard::Nothing;
        }
        let expected = if at { EARLY } else { 0 };
        if put.offset != expected {
            bad.push(Violation::ReplyOffset { opc: opcode, offset: put.offset, expected });
        }
        let room = usize::try_from(repsize.saturating_add(EARLY).next_power_of_two()).unwrap_or(usize::MAX);
        let len = put.payload.len();
        if len.saturating_add(usize::try_from(put.offset).unwrap_or(usize::MAX)) > room {
            bad.push(Violation::ReplyTruncated { opc: opcode, len, room });
            if matches!(owner, Owner::Connect | Owner::Disconnect) {
                return self
                    .pending
                    .remove(&xid)
                    .map_or(Heard::Nothing, |p| Heard::Done(Box::new(failed(p, -75, now))));
            }
            if let Some(p) = self.pending.get_mut(&xid) {
                p.call.repsize = u32::try_from(len).unwrap_or(u32::MAX);
            }
            return Heard::Resend(xid);
        }
        self.final_reply(xid, message, now, bad)
    }

    fn early(&mut self, xid: u64, opcode: u32, message: &Message, bad: &mut Vec<Violation>) {
        let body = message.buffers.first().cloned().unwrap_or_default();
        let want = early_checksum(&body);
        if message.buffers.len() != 1 || message.cksum != want {
            bad.push(if message.buffers.len() == 1 && message.cksum != 0 {
                Violation::EarlyReplyChecksum { opc: opcode, got: message.cksum, want }
            } else {
                Violation::ReplyOffset { opc: opcode, offset: 0, expected: EARLY }
            });
            return;
        }
        if let (Some(p), Ok(body)) = (self.pending.get_mut(&xid), message.body()) {
            p.deadline = p.sent + Duration::from_secs(u64::from(body.timeout) + NET_LATENCY);
        }
    }

    fn final_reply(&mut self, xid: u64, message: Message, now: Duration, bad: &mut Vec<Violation>) -> Heard {
        let Some(p) = self.pending.get_mut(&xid) else { return Heard::Nothing };
        let body = match message.body() {
            Ok(body) if body.msg_type == msg_type::REPLY || body.msg_type == msg_type::ERR => body,
            Ok(body) => {
                let what = format!("message type {}", body.msg_type);
                bad.push(Violation::BadReply { opc: p.call.opc, what });
                return Heard::Nothing;
            }
            Err(error) => {
                bad.push(Violation::BadReply { opc: p.call.opc, what: error.to_string() });
                return Heard::Nothing;
            }
        };
        if body.timeout != 0 {
            self.estimate = body.timeout.min(600);
        }
        if body.transno != 0 {
            let what = "transno is not 0: the client would keep the request for replay".to_owned();
            bad.push(Violation::BadReply { opc: p.call.opc, what });
        }
        let lost = body.msg_type == msg_type::ERR && matches!(body.status, -107 | -19);
        if lost && p.owner != Owner::Connect && p.owner != Owner::Disconnect {
            return Heard::NotConnected;
        }
        if p.call.bulk_room.is_some() && body.status == 0 && p.bulk.is_none() {
            p.reply = Some(message);
            return Heard::Nothing;
        }
        self.done(xid, message, now)
    }

    fn done(&mut self, xid: u64, message: Message, now: Duration) -> Heard {
        let Some(p) = self.pending.remove(&xid) else { return Heard::Nothing };
        self.retire(&p);
        let body = message.body().unwrap_or_default();
        Heard::Done(Box::new(Outcome {
            owner: p.owner,
            status: body.status,
            message: (body.msg_type == msg_type::REPLY).then_some(message),
            body,
            bulk: p.bulk,
            took: now.saturating_sub(p.sent),
            call: p.call,
        }))
    }

    /// A PUT on the bulk portal. `true`: it was taken, acknowledge it.
    pub(crate) fn on_bulk(
        &mut self,
        put: &Delivered,
        now: Duration,
        bad: &mut Vec<Violation>,
    ) -> (bool, Heard) {
        let by_mbits = self.has(connect_flags::BULK_MBITS);
        let bits = |p: &Pending| if by_mbits { p.mbits } else { p.xid };
        let mut all = self.pending.values_mut();
        let found = all.find(|p| p.call.bulk_room.is_some() && bits(p) == put.match_bits);
        let refuse = match &found {
            None if self.retired.contains(&put.match_bits) => return (false, Heard::Nothing),
            None => Some("no buffer waits for it"),
            Some(p) if p.bulk.is_some() => Some("the buffer takes one PUT"),
            Some(p) if p.call.bulk_room.is_some_and(|room| put.payload.len() > room) => {
                Some("longer than the buffer")
            }
            Some(_) => None,
        };
        if let Some(what) = refuse {
            bad.push(Violation::Bulk { match_bits: put.match_bits, len: put.payload.len(), what });
            return (false, Heard::Nothing);
        }
        let Some(p) = found else { return (false, Heard::Nothing) };
        p.bulk = Some(put.payload.clone());
        let (xid, reply) = (p.xid, p.reply.take());
        (true, reply.map_or(Heard::Nothing, |message| self.done(xid, message, now)))
    }

    /// A GET of an exposed bulk.
    pub(crate) fn on_get(&self, match_bits: u64, sink: u32) -> Option<Bytes> {
        let exposed = self.pending.values().find(|p| p.mbits == match_bits)?.call.exposed.clone()?;
        let len = exposed.len().min(usize::try_from(sink).unwrap_or(usize::MAX));
        Some(exposed.slice(..len))
    }
}

fn failed(p: Pending, status: i32, now: Duration) -> Outcome {
    Outcome {
        owner: p.owner,
        call: p.call,
        status,
        message: None,
        body: Body::default(),
        bulk: None,
        took: now.saturating_sub(p.sent),
    }
}

//! The service: a PUT becomes a request, a request becomes an answer, an answer becomes a PUT.

use super::request::MAX_IN_SERVICE;
use super::{Answer, Engine, Event, Put, ReqId, Request, Step, Timer};
use crate::Errno;
use crate::error::Error;
use crate::export::Address;
use crate::lint;
use crate::rpc;
use crate::time::Now;
use bytes::Bytes;
use std::time::Duration;
use wire::lnet::portal;
use wire::ptlrpc::{
    Body, Message, connect_flags, early_checksum, msg_flags, msg_type, opc, pb_flags, version,
};
use wire::{Codec, Order};

/// Room for early replies in the peer's buffer: a message with one 184-byte body.
const EARLY_SIZE: u32 = 224;
/// `pb_timeout` of replies: what an unloaded kernel MGS states.
const SERVICE_ESTIMATE: u32 = 5;
/// A request is answered early when so little is left of the peer's patience.
const EARLY_MARGIN: Duration = Duration::from_secs(5);
/// And then gets so much more, counted from now.
const EARLY_EXTENSION: u32 = 30;
/// Most patience that a peer is believed to have, seconds: the largest adaptive timeout of Lustre (`at_max`). More
/// would leave a deadline behind for years.
const PATIENCE_MAX: u32 = 600;
/// Flavor bits of `lm_secflvr`.
const FLAVOR: u32 = 0xf_ffff;

impl Engine {
    /// A PUT on one of our portals.
    pub(super) fn deliver(&mut self, from: Address, portal: u32, match_bits: u64, payload: &Bytes, now: Now) {
        let Ok(message) = Message::decode(payload) else { return self.count("dropped_malformed") };
        if message.secflvr & FLAVOR != 0 {
            self.count("dropped_flavor");
            return self.event(Event::Flavor { nid: from.peer, flavor: message.secflvr & FLAVOR });
        }
        let Ok(body) = message.body() else { return self.count("dropped_malformed") };
        match (portal, body.msg_type) {
            (portal::LDLM_CB_REPLY, msg_type::REPLY | msg_type::ERR) => {
                if !self.glimpse_reply(from, match_bits, &message, body.status, now) {
                    self.callback_reply(from, match_bits, body.status, now);
                }
            }
            (portal::MGS_REQUEST | portal::LDLM_CANCEL_REQUEST, msg_type::REQUEST) => {
                self.request(from, portal, match_bits, &message, &body, now);
            }
            _ => self.count("dropped_misdirected"),
        }
    }

    fn request(&mut self, from: Address, portal: u32, xid: u64, message: &Message, body: &Body, now: Now) {
        let connect = body.opc == opc::MGS_CONNECT;
        let at = message.flags & msg_flags::AT_SUPPORT != 0;
        if at && body.timeout == 0 {
            return self.count("dropped_no_timeout");
        }
        let mut request = Request {
            from,
            reply_portal: if portal == portal::MGS_REQUEST {
                portal::MGC_REPLY
            } else {
                portal::LDLM_CANCEL_REPLY
            },
            xid,
            mbits: body.mbits,
            at: at && !connect,
            opc: body.opc,
            export: None,
            rep_mbits: false,
            bulk_mbits: false,
            timeout: body.timeout.min(PATIENCE_MAX),
            arrived: now.mono,
            resent: body.flags & pb_flags::RESENT != 0,
            asked: (0, 0),
            object: String::new(),
            why: String::new(),
            config_read: None,
        };
        if !connect {
            let Some(export) = self.exports.get_mut(body.handle) else {
                return self.not_connected(request, now);
            };
            if body.conn_cnt < export.conn_cnt {
                return self.count("dropped_stale_connection");
            }
            export.last_seen = now.mono;
            export.last_seen_wall = now.wall;
            if export.address.peer == from.peer && export.address.link != from.link {
                export.address = from; // an address of ours has moved to another proxy: callbacks go there
            }
            request.rep_mbits = export.has2(connect_flags::REP_MBITS);
            request.bulk_mbits = export.has(connect_flags::BULK_MBITS);
            if let Some(open) = self.requests.duplicate(body.handle, xid) {
                // The original is answered, to where the newest sending listens.
                open.mbits = body.mbits;
                open.from = from;
                open.arrived = now.mono;
                open.timeout = body.timeout.min(PATIENCE_MAX);
                let id = self.requests.find(body.handle, xid);
                id.into_iter().for_each(|id| self.watch_deadline(id));
                return self.count("duplicates");
            }
            if export.in_service >= MAX_IN_SERVICE {
                return self.count("dropped_too_many_in_service");
            }
            if body.flags & pb_flags::REPLAY != 0 || body.transno != 0 {
                // Nothing of an MGS is ever replayed: the kernel fails the export.
                self.evict(body.handle, "replayed a request", now);
                let error =
                    Error::PeerMisbehaved { what: "replayed a request to the MGS", errno: Errno::ENODEV };
                let id = self.requests.open(request);
                return self.answer_error(id, &error, now);
            }
            export.in_service += 1;
            request.export = Some(body.handle);
        }
        self.count(rpc::counter(body.opc));
        let id = self.requests.open(request);
        match rpc::dispatch(self, id, portal, message, body, now) {
            Ok(Step::Reply(answer)) => self.answer(id, answer, now),
            Ok(Step::Parked) => self.watch_deadline(id),
            Err(error) => self.answer_error(id, &error, now),
        }
    }

    fn watch_deadline(&mut self, id: ReqId) {
        let Some(request) = self.requests.get(id).filter(|r| r.at) else { return };
        self.timer(early_at(request), Timer::Early(id));
    }

    /// A handle that names no export. The peer listens under `pb_mbits` if it ever negotiated that, else under the
    /// xid: it is answered under both, and a PUT that matches nothing does no harm.
    fn not_connected(&mut self, mut request: Request, now: Now) {
        self.count("not_connected");
        let under_both = request.mbits != 0 && request.mbits != request.xid;
        let answer = Answer { status: Errno::ENOTCONN.status(), error: true, ..Answer::default() };
        self.send(&request, &answer, now);
        if under_both {
            request.rep_mbits = true;
            self.send(&request, &answer, now);
        }
    }

    pub(crate) fn answer_error(&mut self, id: ReqId, error: &Error, now: Now) {
        self.blame(id, error);
        self.answer(id, Answer::error(error), now);
    }

    /// Says who was refused what, and keeps the reason beside the request.
    pub(super) fn blame(&mut self, id: ReqId, error: &Error) {
        let Some(request) = self.requests.get_mut(id) else { return };
        request.why = error.to_string();
        let (nid, op) = (request.from.peer, rpc::counter(request.opc));
        self.refused(nid, op, error);
    }

    /// Answers a request: bulk first, if there is any; the reply follows its acknowledgement.
    pub(crate) fn answer(&mut self, id: ReqId, mut answer: Answer, now: Now) {
        if let Some(bulk) = answer.bulk.take_if(|_| answer.status == 0) {
            return self.start_bulk(id, answer, bulk, now);
        }
        self.finish(id, &answer, None, now);
    }

    /// Sends the reply of a request whose bulk, if any, has arrived.
    pub(super) fn finish(&mut self, id: ReqId, answer: &Answer, bulk: Option<&Bytes>, now: Now) {
        let Some(request) = self.requests.close(id) else { return };
        self.held.answered(id);
        if let Some(export) = request.export.and_then(|e| self.exports.get_mut(e)) {
            export.in_service = export.in_service.saturating_sub(1);
        }
        if let Err(violation) = lint::reply(&request, answer, bulk) {
            self.count("lint_violations");
            self.event(Event::Bug { what: violation.to_string() });
            let error = Error::Bug { what: violation.to_string() };
            return self.send(&request, &Answer::error(&error), now);
        }
        self.send(&request, answer, now);
    }

    fn send(&mut self, request: &Request, answer: &Answer, now: Now) {
        let lost = answer.error && answer.status == Errno::ENOTCONN.status() && request.export.is_none();
        let took = now.mono.saturating_sub(request.arrived).as_secs();
        let body = Body {
            handle: answer.handle,
            msg_type: answer.msg_type(),
            version: version::PTLRPC,
            opc: request.opc,
            status: answer.status,
            op_flags: answer.op_flags,
            timeout: if lost { 0 } else { SERVICE_ESTIMATE },
            service_time: u32::try_from(took.max(1)).unwrap_or(u32::MAX),
            ..Body::default()
        };
        if request.opc != opc::OBD_PING || answer.status != 0 {
            self.events.push_back(Event::Answered {
                nid: request.from.peer,
                op: rpc::counter(request.opc),
                object: request.object.clone(),
                status: answer.status,
                why: request.why.clone(),
            });
        }
        let payload = Message::new(&body, answer.buffers.clone()).to_bytes();
        let put = Put {
            portal: request.reply_portal,
            match_bits: request.reply_bits(),
            offset: if request.at { EARLY_SIZE } else { 0 },
            want_ack: false,
            payload,
        };
        self.post(&request.from, 0, put);
    }

    /// Tells a peer that its request is being worked on, so that it waits on.
    pub(super) fn early_reply(&mut self, id: ReqId, now: Now) {
        // An earlier deadline of a request that was sent again is none any more.
        let Some(request) = self.requests.get_mut(id).filter(|r| early_at(r) <= now.mono) else { return };
        let spent = u32::try_from(now.mono.saturating_sub(request.arrived).as_secs()).unwrap_or(u32::MAX);
        request.timeout = spent.saturating_add(EARLY_EXTENSION);
        let request = request.clone();
        let body = Body {
            msg_type: msg_type::REPLY,
            version: version::PTLRPC,
            opc: request.opc,
            timeout: request.timeout,
            service_time: spent.max(1),
            ..Body::default()
        };
        let mut message = Message::new(&body, Vec::new());
        message.cksum = early_checksum(&body.to_vec(Order::Little));
        let put = Put {
            portal: request.reply_portal,
            match_bits: request.reply_bits(),
            offset: 0,
            want_ack: false,
            payload: message.to_bytes(),
        };
        self.post(&request.from, 0, put);
        self.count("early_replies");
        self.watch_deadline(id);
    }

    /// The request in service, for handlers.
    pub(crate) fn in_service(&self, id: ReqId) -> Result<&Request, Error> {
        self.requests
            .get(id)
            .ok_or_else(|| Error::Bug { what: "a request vanished while in service".to_owned() })
    }

    /// The same, to note what the lint needs.
    pub(crate) fn in_service_mut(&mut self, id: ReqId) -> Result<&mut Request, Error> {
        self.requests
            .get_mut(id)
            .ok_or_else(|| Error::Bug { what: "a request vanished while in service".to_owned() })
    }
}

/// When the peer is to be told that its request is being worked on.
fn early_at(request: &Request) -> Duration {
    request.arrived + Duration::from_secs(request.timeout.into()).saturating_sub(EARLY_MARGIN)
}

//! Requests in service, and the answers to them.

use crate::error::Error;
use crate::export::Address;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use wire::ptlrpc::msg_type;

/// Number of a request in service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ReqId(u64);

/// What is remembered of a request until it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) from: Address,
    /// Portal of the reply.
    pub(crate) reply_portal: u32,
    pub(crate) xid: u64,
    /// `pb_mbits` of the newest sending.
    pub(crate) mbits: u64,
    /// AT_SUPPORT: the reply goes behind the room of early replies.
    pub(crate) at: bool,
    pub(crate) opc: u32,
    /// Export, unless there is none (connect, or unknown handle).
    pub(crate) export: Option<u64>,
    /// Replies match by `mbits`.
    pub(crate) rep_mbits: bool,
    /// Bulk matches by `mbits`.
    pub(crate) bulk_mbits: bool,
    /// `pb_timeout`: how long the peer waits, seconds.
    pub(crate) timeout: u32,
    pub(crate) arrived: Duration,
    /// Sent again by the peer.
    pub(crate) resent: bool,
    /// Flags that a connect asked for, both words.
    pub(crate) asked: (u64, u64),
    /// Target, log or table concerned, for the journal.
    pub(crate) object: String,
    /// Why it was refused, for the journal.
    pub(crate) why: String,
    /// What a CONFIG_READ asked for.
    pub(crate) config_read: Option<wire::mgs::ConfigBody>,
}

impl Request {
    /// Match bits of the reply (protocol/2, 2.2.3).
    pub(crate) const fn reply_bits(&self) -> u64 {
        if self.rep_mbits && self.mbits != 0 { self.mbits } else { self.xid }
    }
    /// Match bits of bulk.
    pub(crate) const fn bulk_bits(&self) -> u64 {
        if self.bulk_mbits && self.mbits != 0 { self.mbits } else { self.xid }
    }
}

/// What a handler decided.
#[derive(Debug)]
pub(crate) enum Step {
    /// Answer now.
    Reply(Answer),
    /// The answer comes later, from a commit, a grant or a transfer.
    Parked,
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// `pb_status`.
    pub(crate) status: i32,
    /// Error message without further buffers.
    pub(crate) error: bool,
    /// Buffers behind the body.
    pub(crate) buffers: Vec<Bytes>,
    /// `pb_handle`, connect only.
    pub(crate) handle: u64,
    /// `pb_op_flags`, connect only.
    pub(crate) op_flags: u32,
    /// Sent before the reply and acknowledged.
    pub(crate) bulk: Option<Bytes>,
}

impl Answer {
    /// Success with buffers.
    pub(crate) fn ok(buffers: Vec<Bytes>) -> Self {
        Self { buffers, ..Self::default() }
    }

    /// A status with all reply buffers, for those who read them in spite of it.
    pub(crate) fn status(status: i32, buffers: Vec<Bytes>) -> Self {
        Self { status, buffers, ..Self::default() }
    }

    /// An error without buffers. Some statuses travel as replies all the same, as in the kernel.
    pub(crate) fn error(error: &Error) -> Self {
        use crate::Errno as E;
        let errno = error.errno();
        let as_reply = [E::ENOSPC, E::EACCES, E::EPERM, E::ENOENT, E::EINPROGRESS, E::EROFS].contains(&errno);
        Self { status: errno.status(), error: !as_reply, ..Self::default() }
    }

    pub(crate) const fn msg_type(&self) -> u32 {
        if self.error { msg_type::ERR } else { msg_type::REPLY }
    }
}

/// Requests in service, found by number and by (export, xid).
#[derive(Debug, Default)]
pub(crate) struct Requests {
    next: u64,
    open: BTreeMap<ReqId, Request>,
    by_xid: HashMap<(u64, u64), ReqId>,
}

/// Most requests of one export in service; more are dropped and come again.
pub(crate) const MAX_IN_SERVICE: usize = 1024;

impl Requests {
    pub(crate) fn open(&mut self, request: Request) -> ReqId {
        self.next += 1;
        let id = ReqId(self.next);
        if let Some(export) = request.export {
            self.by_xid.insert((export, request.xid), id);
        }
        self.open.insert(id, request);
        id
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// The request with this xid that is still in service.
    pub(crate) fn duplicate(&mut self, export: u64, xid: u64) -> Option<&mut Request> {
        self.open.get_mut(self.by_xid.get(&(export, xid))?)
    }

    /// Its number.
    pub(crate) fn find(&self, export: u64, xid: u64) -> Option<ReqId> {
        self.by_xid.get(&(export, xid)).copied()
    }

    pub(crate) fn get(&self, id: ReqId) -> Option<&Request> {
        self.open.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ReqId) -> Option<&mut Request> {
        self.open.get_mut(&id)
    }

    pub(crate) fn close(&mut self, id: ReqId) -> Option<Request> {
        let request = self.open.remove(&id)?;
        if let Some(export) = request.export {
            self.by_xid.remove(&(export, request.xid));
        }
        Some(request)
    }
}

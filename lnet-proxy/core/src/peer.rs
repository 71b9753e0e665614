//! A peer: one remote NID as one of our NIDs sees it, over all its connections.
use crate::conn::{Conn, Stage};
use crate::io::ConnId;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use wire::Nid;
use wire::socklnd::ConnType;

/// Total size (headers included) from which a message is bulk (`min_bulk`).
pub(crate) const MIN_BULK: usize = 1024;

/// Names a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PeerKey {
    pub(crate) peer: Nid,
    pub(crate) local: Nid,
}

/// A PUT from the peer that waits for the daemon.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) portal: u32,
    pub(crate) match_bits: u64,
    pub(crate) offset: u32,
    pub(crate) payload: Bytes,
}

impl Delivery {
    /// Bytes it is charged with while it waits: the payload, and its place in the queue.
    pub(crate) fn charge(&self) -> usize {
        self.payload.len() + 128
    }
}

/// A PUT or GET from the daemon that waits for a connection.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) cookie: u64,
    /// Of the peer; 0: whichever it has.
    pub(crate) incarnation: u64,
    pub(crate) portal: u32,
    pub(crate) match_bits: u64,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Post { offset: u32, want_ack: bool, payload: Bytes },
    Fetch { length: u32 },
}

impl Outgoing {
    pub(crate) fn payload_len(&self) -> usize {
        match &self.kind {
            Kind::Post { payload, .. } => payload.len(),
            Kind::Fetch { .. } => 0,
        }
    }
    /// An ACK or REPLY has to come: LNet's way of bulk.
    pub(crate) fn is_bulk(&self) -> bool {
        !matches!(self.kind, Kind::Post { want_ack: false, .. })
    }
    /// Bytes it is charged with while it waits.
    pub(crate) fn charge(&self) -> usize {
        self.payload_len() + 128
    }
}

/// A dial sequence: CONTROL, BULK_IN, BULK_OUT, as far as they are missing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialler {
    /// The attempt under way; `None`: waiting for the peer's timer.
    pub(crate) attempt: Option<ConnId>,
    /// HELLO version to use.
    pub(crate) version: u32,
    /// Answers with type NONE in a row.
    pub(crate) refusals: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Peer {
    /// Valid while there is a connection.
    pub(crate) incarnation: u64,
    /// Open connections.
    pub(crate) conns: Vec<ConnId>,
    /// Its name on the relay while it is announced.
    pub(crate) slot: Option<u32>,
    /// Waiting for the daemon.
    pub(crate) inbox: VecDeque<Delivery>,
    pub(crate) inbox_bytes: usize,
    /// It has a place in the link's round.
    pub(crate) in_round: bool,
    /// Deliveries that the daemon allows; `None`: it never said.
    pub(crate) credit: Option<u64>,
    /// Waiting for a connection.
    pub(crate) outbox: VecDeque<Outgoing>,
    /// Bytes of the outbox and of all its connections.
    pub(crate) outbound_bytes: usize,
    pub(crate) dialler: Option<Dialler>,
    /// After a failed dial: not before, and the pause that was chosen.
    pub(crate) pause: Option<(Duration, Duration)>,
    /// The timer that is set.
    pub(crate) timer: Option<Duration>,
    /// The bulk under way: object of its handle, and how long it holds up the next one.
    pub(crate) bulk: Option<(u64, Duration)>,
    /// Behind a router: the one that carries.
    pub(crate) via: Option<PeerKey>,
    /// Behind a router: the one that is dialled for it.
    pub(crate) awaits: Option<PeerKey>,
    /// Behind a router: it waits in `blocked` there.
    pub(crate) is_blocked: bool,
    /// A router: who has it as `via` or `awaits`.
    pub(crate) behind: BTreeSet<PeerKey>,
    /// A router: who has an outbox and waits for room, in turn.
    pub(crate) blocked: VecDeque<PeerKey>,
}

impl Peer {
    /// Nothing is known of it that would be missed.
    pub(crate) fn is_idle(&self) -> bool {
        let direct = self.conns.is_empty() && self.dialler.is_none() && self.pause.is_none();
        direct && self.outbox.is_empty() && self.via.is_none() && self.behind.is_empty()
    }

    /// The connection for a message of `size` bytes, headers included. A dial under way is waited for if it may bring
    /// a better one.
    pub(crate) fn choose(&self, all: &BTreeMap<ConnId, Conn>, size: usize) -> Option<ConnId> {
        let (first, second) = if size < MIN_BULK {
            (ConnType::Control, ConnType::BulkOut)
        } else {
            (ConnType::BulkOut, ConnType::Control)
        };
        if let Some(id) = self.least_loaded(all, first) {
            return Some(id);
        }
        if self.dialler.is_some() {
            return None;
        }
        let others = [second, ConnType::Any, ConnType::BulkIn];
        others.into_iter().find_map(|ctype| self.least_loaded(all, ctype))
    }

    /// The connection for a NOOP.
    pub(crate) fn choose_for_noop(&self, all: &BTreeMap<ConnId, Conn>) -> Option<ConnId> {
        let order = [ConnType::BulkIn, ConnType::Any, ConnType::Control, ConnType::BulkOut];
        order.into_iter().find_map(|ctype| self.least_loaded(all, ctype))
    }

    /// First of the three types of which there is no connection.
    pub(crate) fn missing(&self, all: &BTreeMap<ConnId, Conn>) -> Option<ConnType> {
        let wanted = [ConnType::Control, ConnType::BulkIn, ConnType::BulkOut];
        wanted.into_iter().find(|ctype| self.least_loaded(all, *ctype).is_none())
    }

    fn least_loaded(&self, all: &BTreeMap<ConnId, Conn>, wanted: ConnType) -> Option<ConnId> {
        let of_type = self
            .conns
            .iter()
            .filter_map(|id| all.get(id).map(|conn| (*id, conn)))
            .filter(|(_, conn)| matches!(conn.stage, Stage::Open { ctype, .. } if ctype == wanted));
        of_type.min_by_key(|(id, conn)| (conn.tx_waiting, *id)).map(|(id, _)| id)
    }
}

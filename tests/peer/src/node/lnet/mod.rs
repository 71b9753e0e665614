//! LNet side of a node: three connections per peer, discovery, ping, ACK, keepalive.
//!
//! Connections are opened one after the other (CONTROL, BULK_IN, BULK_OUT); the first message to a new NID waits for
//! discovery: ping GET, and a push of the own interfaces when the answer announces discovery.
mod discovery;
mod handshake;

use super::conn::{Conn, ConnId, Parsed, State};
use super::event::{ConsoleLine, Violation};
use super::random::Random;
use super::{Transmit, VecDeque};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;
use wire::lnet::{Handle, Header, Message, portal};
use wire::socklnd::{ConnType, Frame, LNET_PID, MsgHeader, MsgKind};
use wire::{Nid, Order};

/// Messages of fewer bytes, headers included, prefer CONTROL (`min_bulk`).
const MIN_BULK: usize = 1024;
/// Idle time before a keepalive NOOP.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// `sock_timeout`: a HELLO must come within it.
const SOCK_TIMEOUT: Duration = Duration::from_secs(50);
/// Reconnect delays double between these.
const RECONNECT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
const ORDER_OF_DIALLING: [ConnType; 3] = [ConnType::Control, ConnType::BulkIn, ConnType::BulkOut];

/// Reported to the layers above.
#[derive(Debug)]
pub(crate) enum Up {
    Put(Delivered),
    /// A GET for a bulk buffer.
    Get {
        peer: Nid,
        portal: u32,
        match_bits: u64,
        ret: Handle,
        sink: u32,
    },
    /// RPCs may go to this NID.
    Discovered(Nid),
    /// No connection could be made.
    Unreachable(Nid),
    Violation(Violation),
    Console(ConsoleLine),
}

/// A PUT from the MGS.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) peer: Nid,
    pub(crate) portal: u32,
    pub(crate) match_bits: u64,
    pub(crate) offset: u32,
    pub(crate) ack: Handle,
    pub(crate) payload: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Discovery {
    Unknown,
    Pinging { ret: Handle, again: bool, until: Duration },
    Pushing { ack: Handle, until: Duration },
    Done,
}

#[derive(Debug)]
struct Peer {
    discovery: Discovery,
    queue: VecDeque<(Header, Bytes)>,
    /// Connections are wanted.
    wanted: bool,
    retry_at: Option<Duration>,
    backoff: Duration,
    incarnation: Option<u64>,
    heard: Duration,
}

#[derive(Debug)]
pub(crate) struct Lnet {
    nid: Nid,
    order: Order,
    incarnation: u64,
    interface_cookie: u64,
    next_object: u64,
    next_conn: u64,
    conns: BTreeMap<ConnId, Conn>,
    peers: BTreeMap<Nid, Peer>,
    pub(crate) out: VecDeque<Transmit>,
    pub(crate) up: VecDeque<Up>,
}

impl Lnet {
    pub(crate) fn new(nid: Nid, order: Order, incarnation: u64, random: &mut Random) -> Self {
        Self {
            nid,
            order,
            incarnation,
            interface_cookie: random.next(),
            next_object: 9,
            next_conn: 0,
            conns: BTreeMap::new(),
            peers: BTreeMap::new(),
            out: VecDeque::new(),
            up: VecDeque::new(),
        }
    }

    fn peer(&mut self, nid: Nid, now: Duration) -> &mut Peer {
        self.peers.entry(nid).or_insert_with(|| Peer {
            discovery: Discovery::Unknown,
            queue: VecDeque::new(),
            wanted: false,
            retry_at: None,
            backoff: RECONNECT.0,
            incarnation: None,
            heard: now,
        })
    }

    fn handle(&mut self) -> Handle {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.interface_cookie.to_le_bytes());
        bytes[8..].copy_from_slice(&self.next_object.to_le_bytes());
        self.next_object += 4;
        Handle(bytes)
    }

    /// Sends an LNet message, or queues it until a connection is there.
    pub(crate) fn send(&mut self, nid: Nid, msg: Message, payload: Bytes, now: Duration) {
        let header = Header {
            dest: nid,
            src: self.nid,
            dest_pid: LNET_PID,
            src_pid: LNET_PID,
            payload_len: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            msg,
        };
        let peer = self.peer(nid, now);
        peer.wanted = true;
        peer.queue.push_back((header, payload));
        self.flush(nid);
        self.dial_next(nid, now);
    }

    /// A PUT without ACK.
    pub(crate) fn put(
        &mut self,
        nid: Nid,
        portal: u32,
        match_bits: u64,
        offset: u32,
        payload: Bytes,
        now: Duration,
    ) {
        let msg = Message::Put { ack: Handle::NONE, match_bits, hdr_data: 0, portal, offset };
        self.send(nid, msg, payload, now);
    }

    /// The ACK of an accepted PUT, if it wants one.
    pub(crate) fn ack(&mut self, put: &Delivered, now: Duration) {
        if put.ack != Handle::NONE {
            let mlength = u32::try_from(put.payload.len()).unwrap_or(u32::MAX);
            let msg = Message::Ack { dst: put.ack, match_bits: put.match_bits, mlength };
            self.send(put.peer, msg, Bytes::new(), now);
        }
    }

    fn up_conn(&self, nid: Nid, ctype: ConnType) -> Option<ConnId> {
        let mut all = self.conns.iter();
        all.find(|(_, c)| c.peer == Some(nid) && c.state == State::Up && c.ctype == ctype).map(|(id, _)| *id)
    }

    fn flush(&mut self, nid: Nid) {
        while let Some(peer) = self.peers.get_mut(&nid) {
            let Some((_, payload)) = peer.queue.front() else { return };
            let (first, second) = if 24 + 72 + payload.len() < MIN_BULK {
                (ConnType::Control, ConnType::BulkOut)
            } else {
                (ConnType::BulkOut, ConnType::Control)
            };
            let Some(id) = self.up_conn(nid, first).or_else(|| self.up_conn(nid, second)) else { return };
            let Some((header, payload)) = self.peers.get_mut(&nid).and_then(|p| p.queue.pop_front()) else {
                return;
            };
            self.write(id, &Frame::Lnet(plain(MsgKind::Lnet), header, payload));
        }
    }

    fn write(&mut self, id: ConnId, frame: &Frame) {
        if let Some(conn) = self.conns.get(&id) {
            let bytes = frame.to_bytes(conn.version, self.order).into();
            self.out.push_back(Transmit::Bytes { conn: id, bytes });
        }
    }

    /// Opens the next missing connection, one at a time.
    fn dial_next(&mut self, nid: Nid, now: Duration) {
        let Some(peer) = self.peers.get(&nid) else { return };
        let mine = || self.conns.values().filter(|c| c.peer == Some(nid));
        if !peer.wanted || peer.retry_at.is_some_and(|at| at > now) || mine().any(|c| c.state != State::Up) {
            return;
        }
        let missing = ORDER_OF_DIALLING.into_iter().find(|t| mine().all(|c| c.ctype != *t));
        if let Some(ctype) = missing {
            let id = ConnId(self.next_conn);
            self.next_conn += 1;
            self.conns.insert(id, Conn::new(State::Dialling, Some(nid), ctype, now));
            self.out.push_back(Transmit::Dial { conn: id, to: nid });
        }
    }

    /// Bytes of a connection.
    pub(crate) fn bytes(&mut self, id: ConnId, bytes: &[u8], now: Duration) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.push(bytes);
        }
        while let Some(conn) = self.conns.get_mut(&id) {
            match conn.next() {
                Ok(None) => break,
                Ok(Some(parsed)) => self.parsed(id, parsed, now),
                Err(error) => {
                    self.violation(Violation::Stream { what: error.to_string() });
                    self.close(id, now);
                }
            }
        }
    }

    fn parsed(&mut self, id: ConnId, parsed: Parsed, now: Duration) {
        match parsed {
            Parsed::Request(req) => match self.conns.get_mut(&id) {
                Some(conn) if req.nid == self.nid => conn.state = State::AwaitHello,
                _ => self.close(id, now),
            },
            Parsed::Hello(hello) => self.on_hello(id, &hello, now),
            Parsed::Frame(Frame::Noop(header)) => self.on_noop(id, &header, now),
            Parsed::Frame(Frame::Lnet(msg, header, payload)) => {
                self.on_message(id, &msg, &header, payload, now)
            }
        }
    }

    fn on_noop(&mut self, id: ConnId, header: &MsgHeader, now: Duration) {
        if let Some(nid) = self.conns.get(&id).and_then(|c| c.peer) {
            self.peer(nid, now).heard = now;
        }
        // This node never asks for a zero-copy acknowledgement, so none may come.
        if header.zc_cookies.iter().any(|c| *c > 1) {
            let what = format!("acknowledges cookies {:?} that are not outstanding", header.zc_cookies);
            self.violation(Violation::Stream { what });
            self.close(id, now);
        }
    }

    fn on_message(&mut self, id: ConnId, msg: &MsgHeader, header: &Header, payload: Bytes, now: Duration) {
        let from = header.src;
        self.peer(from, now).heard = now;
        if header.dest != self.nid {
            self.violation(Violation::WrongDestination { dest: header.dest, nid: self.nid });
            return self.close(id, now);
        }
        match header.msg {
            Message::Put { ack, match_bits, portal, offset, .. } => {
                let put = Delivered { peer: from, portal, match_bits, offset, ack, payload };
                if portal == portal::LNET_RESERVED {
                    self.ack(&put, now);
                } else {
                    self.up.push_back(Up::Put(put));
                }
            }
            Message::Get { ret, match_bits, portal, sink_length, .. } => {
                if portal == portal::LNET_RESERVED {
                    let mut info = self.ping_info();
                    info.truncate(usize::try_from(sink_length).unwrap_or(usize::MAX));
                    self.send(from, Message::Reply { dst: ret }, info.into(), now);
                } else {
                    self.up.push_back(Up::Get { peer: from, portal, match_bits, ret, sink: sink_length });
                }
            }
            Message::Reply { dst } => self.on_ping_answer(from, dst, &payload, now),
            Message::Ack { dst, .. } => {
                if let Some(Peer { discovery: Discovery::Pushing { ack, .. }, .. }) = self.peers.get(&from)
                    && *ack == dst
                {
                    self.settled(from, now);
                }
            }
        }
        let [cookie, _] = msg.zc_cookies;
        if cookie != 0 {
            let noop = Frame::Noop(MsgHeader { zc_cookies: [0, cookie], ..plain(MsgKind::Noop) });
            if let Some(bulk_in) = self.up_conn(from, ConnType::BulkIn).or(Some(id)) {
                self.write(bulk_in, &noop);
            }
        }
    }

    /// The driver lost or could not make the connection.
    pub(crate) fn closed(&mut self, id: ConnId, now: Duration) {
        let Some(conn) = self.conns.remove(&id) else { return };
        let Some(nid) = conn.peer else { return };
        if conn.state == State::Up {
            // Nobody above is told: a request that was lost with it times out.
            self.close_siblings(nid, None, now);
            self.peer(nid, now).wanted = false;
        } else {
            self.failed(nid, now);
        }
    }

    /// Closes a connection, and its siblings if it was up, as a kernel does on any protocol error.
    fn close(&mut self, id: ConnId, now: Duration) {
        self.out.push_back(Transmit::Close { conn: id });
        self.closed(id, now);
    }

    fn close_siblings(&mut self, nid: Nid, except: Option<ConnId>, now: Duration) {
        let all = self.conns.iter().filter(|(id, c)| c.peer == Some(nid) && Some(**id) != except);
        for id in all.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.conns.remove(&id);
            self.out.push_back(Transmit::Close { conn: id });
        }
        self.peer(nid, now).heard = now;
    }

    /// A connection could not be made: back off; without any connection what is queued is lost.
    fn failed(&mut self, nid: Nid, now: Duration) {
        let up = self.conns.values().any(|c| c.peer == Some(nid) && c.state == State::Up);
        let peer = self.peer(nid, now);
        peer.retry_at = Some(now + peer.backoff);
        peer.backoff = (peer.backoff * 2).min(RECONNECT.1);
        if !up {
            peer.queue.clear();
            peer.wanted = false;
            if peer.discovery != Discovery::Done {
                peer.discovery = Discovery::Unknown;
            }
            self.up.push_back(Up::Unreachable(nid));
        }
    }

    /// Closes everything: the LNet module is unloaded.
    pub(crate) fn shutdown(&mut self) {
        for id in std::mem::take(&mut self.conns).into_keys() {
            self.out.push_back(Transmit::Close { conn: id });
        }
        self.peers.clear();
    }

    /// When [`Self::timers`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        let peers = self.peers.iter().filter(|(_, p)| p.wanted).flat_map(|(nid, p)| {
            let until = match p.discovery {
                Discovery::Pinging { until, .. } | Discovery::Pushing { until, .. } => Some(until),
                Discovery::Unknown | Discovery::Done => None,
            };
            let keepalive = self.up_conn(*nid, ConnType::BulkIn).map(|_| p.heard + KEEPALIVE);
            [until, keepalive, p.retry_at]
        });
        let hellos =
            self.conns.values().filter(|c| c.state != State::Up).map(|c| Some(c.since + SOCK_TIMEOUT));
        peers.chain(hellos).flatten().min()
    }

    pub(crate) fn timers(&mut self, now: Duration) {
        let slow = self.conns.iter().filter(|(_, c)| c.state != State::Up && c.since + SOCK_TIMEOUT <= now);
        for id in slow.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.close(id, now);
        }
        for nid in self.peers.keys().copied().collect::<Vec<_>>() {
            let bulk_in = self.up_conn(nid, ConnType::BulkIn);
            let peer = self.peer(nid, now);
            match peer.discovery {
                Discovery::Pinging { until, .. } | Discovery::Pushing { until, .. } if until <= now => {
                    peer.discovery = Discovery::Unknown;
                    self.up.push_back(Up::Unreachable(nid));
                }
                _ => {}
            }
            let peer = self.peer(nid, now);
            if peer.retry_at.is_some_and(|at| at <= now) {
                peer.retry_at = None;
                self.dial_next(nid, now);
            }
            let peer = self.peer(nid, now);
            if let Some(id) = bulk_in.filter(|_| peer.heard + KEEPALIVE <= now) {
                peer.heard = now;
                self.write(id, &Frame::Noop(MsgHeader { zc_cookies: [0, 1], ..plain(MsgKind::Noop) }));
            }
        }
    }

    fn violation(&mut self, violation: Violation) {
        self.up.push_back(Up::Violation(violation));
    }

    fn console(&mut self, line: ConsoleLine) {
        self.up.push_back(Up::Console(line));
    }
}

const fn plain(kind: MsgKind) -> MsgHeader {
    MsgHeader { kind, csum: 0, zc_cookies: [0, 0] }
}

fn text(nid: Option<Nid>) -> String {
    nid.map_or_else(|| "<?>".to_owned(), |n| n.to_string())
}

//! The proxy itself: connections from their first byte to their end.
use crate::config::{Accept, Config};
use crate::conn::{Conn, Stage};
use crate::counters::Counters;
use crate::error::{Blame, Error};
use crate::handshake::{self, Answer, Greeting, Verdict};
use crate::io::{ConnId, Event, Input, Output};
use crate::link::Link;
use crate::outbound::Awaited;
use crate::peer::{Peer, PeerKey};
use crate::presence::Presence;
use crate::timers::{Timer, Timers};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use wire::relay::{Frame, PostStatus};
use wire::socklnd::{ConnType, Frame as Message, Step};

/// Highest source port of [`Accept::Secure`].
const LAST_RESERVED_PORT: u16 = 1023;

/// An LNet node that passes the PUTs of some portals on. See the crate's page for how it is driven.
#[derive(Debug)]
pub struct Proxy {
    pub(crate) config: Config,
    pub(crate) conns: BTreeMap<ConnId, Conn>,
    /// Accepted and before the end of the HELLO; the smallest is the oldest.
    half_open: BTreeSet<ConnId>,
    pub(crate) peers: BTreeMap<PeerKey, Peer>,
    pub(crate) awaited: BTreeMap<(PeerKey, u64), Awaited>,
    pub(crate) link: Link,
    pub(crate) presence: Presence,
    pub(crate) timers: Timers,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) counters: Counters,
    /// Sums over all peers and connections, against the limits.
    partial_bytes: usize,
    pub(crate) outbound_bytes: usize,
    pub(crate) inbound_bytes: usize,
    /// Peers with an open connection.
    connected: usize,
    /// Peers behind routers.
    pub(crate) routed: usize,
    next_conn: u64,
    pub(crate) next_handle: u64,
}

/// What became of an attempt to read one thing from a connection.
enum Progress {
    Again,
    Wait,
    Gone,
}

impl Proxy {
    /// A node without connections and without link.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            conns: BTreeMap::new(),
            half_open: BTreeSet::new(),
            peers: BTreeMap::new(),
            awaited: BTreeMap::new(),
            link: Link::default(),
            presence: Presence::default(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            counters: Counters::default(),
            partial_bytes: 0,
            outbound_bytes: 0,
            inbound_bytes: 0,
            connected: 0,
            routed: 0,
            next_conn: 1,
            next_handle: 1,
        }
    }

    /// A connection came in. Its name, under which its bytes are to be reported.
    ///
    /// # Errors
    /// It is refused and to be closed at once: unprivileged port, or too many connections.
    pub fn accept(&mut self, remote: SocketAddr, now: Duration) -> Result<ConnId, Error> {
        self.counters.accepted += 1;
        if self.config.accept == Accept::Secure && remote.port() > LAST_RESERVED_PORT {
            self.counters.refused += 1;
            return Err(Error::UnprivilegedPort { port: remote.port() });
        }
        if self.half_open.len() >= self.config.limits.half_open
            && let Some(oldest) = self.half_open.first().copied()
        {
            self.counters.half_open_evicted += 1;
            self.close(oldest, false);
        }
        if self.conns.len() >= self.config.limits.connections {
            self.counters.limit_closed += 1;
            return Err(Error::Limit { limit: "connections" });
        }
        let mut conn = Conn::new(Some(remote), Stage::Request, now);
        conn.hurried = self.half_open.len() >= self.config.limits.half_open / 2;
        let id = self.insert(conn);
        self.half_open.insert(id);
        Ok(id)
    }

    /// Takes one input.
    pub fn handle(&mut self, input: Input, now: Duration) {
        match input {
            Input::Tick => {}
            Input::Dialled { conn, result } => self.on_dialled(conn, result, now),
            Input::Bytes { conn, bytes } => self.on_bytes(conn, &bytes, now),
            Input::Flushed { conn, bytes } => self.on_flushed(conn, bytes, now),
            Input::Closed { conn, error } => self.on_closed(conn, error, now),
            Input::LinkUp => self.on_link_up(now),
            Input::LinkDown => self.on_link_down(),
            Input::Relay(frame) => self.on_frame(frame, now),
            Input::LinkFlushed { frames } => self.on_link_flushed(frames),
            Input::AddressGone { ip } => self.on_address_gone(ip),
        }
        self.watch_daemon(now);
        while let Some(timer) = self.timers.due(now) {
            self.on_timer(timer, now);
        }
        self.watch_daemon(now);
    }

    /// What to do next; `None`: nothing until the next input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call `handle` with [`Input::Tick`], unless another input comes before.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Connections, half-open ones and dials included.
    pub fn connections(&self) -> usize {
        self.conns.len()
    }

    /// Peers with at least one open connection.
    pub fn connected_peers(&self) -> usize {
        self.connected
    }

    /// Peers of which anything is remembered: a connection, a dial, its pause, a message that waits, a router.
    pub fn known_peers(&self) -> usize {
        self.peers.len()
    }

    /// Bytes held now: of incomplete messages, towards the daemon, towards peers.
    pub fn held_bytes(&self) -> usize {
        self.partial_bytes + self.inbound_bytes + self.outbound_bytes
    }

    pub(crate) fn insert(&mut self, conn: Conn) -> ConnId {
        let id = ConnId(self.next_conn);
        self.next_conn += 1;
        self.conns.insert(id, conn);
        self.arm(id);
        id
    }

    fn on_bytes(&mut self, id: ConnId, bytes: &[u8], now: Duration) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        self.counters.bytes_in += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        conn.received(bytes, now);
        loop {
            match self.read_one(id, now) {
                Progress::Again => {}
                Progress::Wait => break,
                Progress::Gone => return,
            }
        }
        let Some(conn) = self.conns.get_mut(&id) else { return };
        self.partial_bytes = self.partial_bytes.saturating_sub(conn.rx_counted) + conn.rx.len();
        conn.rx_counted = conn.rx.len();
        if self.partial_bytes > self.config.limits.partial_bytes {
            self.fail(id, Error::Limit { limit: "partial_bytes" }, now);
        } else {
            self.arm(id);
        }
    }

    fn read_one(&mut self, id: ConnId, now: Duration) -> Progress {
        let Some(conn) = self.conns.get_mut(&id) else { return Progress::Gone };
        match conn.stage {
            Stage::Request => match handshake::request(&conn.rx, &self.config.nids) {
                Verdict::Wait => Progress::Wait,
                Verdict::Refuse(answer, error) => self.refuse(id, answer, error),
                Verdict::Go(local, taken) => {
                    conn.consume(taken);
                    conn.enter(Stage::Hello { local }, now);
                    Progress::Again
                }
            },
            Stage::Hello { local } => match handshake::accept(&conn.rx, local, self.config.incarnation) {
                Verdict::Wait => Progress::Wait,
                Verdict::Refuse(answer, error) => self.refuse(id, answer, error),
                Verdict::Go(greeting, taken) => {
                    conn.consume(taken);
                    self.on_greeting(id, &greeting, now)
                }
            },
            Stage::Dialling(_) => Progress::Wait,
            Stage::Answer(dialled) => match handshake::answer(&conn.rx, dialled.key, dialled.ctype) {
                Verdict::Wait => Progress::Wait,
                Verdict::Refuse(_, error) => {
                    self.fail(id, error, now);
                    Progress::Gone
                }
                Verdict::Go(Answer::TryAgain { version }, _) => {
                    self.on_dial_refused(id, dialled, version, now);
                    Progress::Gone
                }
                Verdict::Go(Answer::Welcome(greeting), taken) => {
                    conn.consume(taken);
                    if !self.open(id, &greeting, now) {
                        return Progress::Gone;
                    }
                    self.dial_next(dialled.key, now);
                    self.send_outbox(dialled.key, now);
                    self.still_there(id)
                }
            },
            Stage::Open { key, version, order, .. } => match Message::parse(&conn.rx, version, order) {
                Ok(Step::Need(_)) => Progress::Wait,
                Ok(Step::Done(message, taken)) => {
                    conn.consume(taken);
                    match self.on_message(key, message, now) {
                        Ok(()) => self.still_there(id),
                        Err(error) => {
                            self.fail(id, error, now);
                            Progress::Gone
                        }
                    }
                }
                Err(error) => {
                    self.fail(id, Error::Malformed { part: "message", error }, now);
                    Progress::Gone
                }
            },
        }
    }

    fn still_there(&self, id: ConnId) -> Progress {
        if self.conns.contains_key(&id) { Progress::Again } else { Progress::Gone }
    }

    /// The HELLO of an accepted connection is good: answer it.
    fn on_greeting(&mut self, id: ConnId, greeting: &Greeting, now: Duration) -> Progress {
        self.half_open.remove(&id);
        let own = self.config.incarnation;
        let hello = |ctype| handshake::hello_bytes(greeting.key, greeting.version, own, ctype);
        let same = self.peers.get(&greeting.key).filter(|p| p.incarnation == greeting.incarnation);
        if same.map_or(0, |p| p.conns.len()) >= self.config.limits.connections_per_peer {
            let error = Error::Limit { limit: "connections_per_peer" };
            return self.refuse(id, Some(hello(ConnType::None)), error);
        }
        if !self.open(id, greeting, now) {
            return Progress::Gone;
        }
        self.write(id, greeting.key, hello(greeting.ctype).into(), None, now);
        self.send_outbox(greeting.key, now);
        self.still_there(id)
    }

    /// Adds a connection to its peer. A new incarnation first ends everything of the old one.
    fn open(&mut self, id: ConnId, greeting: &Greeting, now: Duration) -> bool {
        let key = greeting.key;
        let restarted = self
            .peers
            .get(&key)
            .is_some_and(|p| !p.conns.is_empty() && p.incarnation != greeting.incarnation);
        if restarted {
            self.counters.restarts += 1;
            self.drop_peer(key, &Error::Restarted);
        }
        let Some(conn) = self.conns.get_mut(&id) else { return false };
        conn.open(greeting, now);
        let remote = conn.remote;
        // What a dialled connection wrote before it belonged to the peer counts from now on.
        let waiting = conn.tx_waiting;
        let peer = self.peers.entry(key).or_default();
        peer.incarnation = greeting.incarnation;
        self.connected += usize::from(peer.conns.is_empty());
        peer.conns.push(id);
        peer.pause = None;
        peer.outbound_bytes += waiting;
        self.outbound_bytes += waiting;
        self.counters.opened += 1;
        if let Some(remote) = remote {
            let event = Event::Connected { peer: key.peer, local: key.local, remote, ctype: greeting.ctype };
            self.outputs.push_back(Output::Event(event));
        }
        self.announce(key);
        self.router_up(key);
        true
    }

    /// Hands bytes to TCP.
    pub(crate) fn write(
        &mut self,
        id: ConnId,
        key: PeerKey,
        bytes: Bytes,
        departure: Option<u64>,
        now: Duration,
    ) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.wrote(bytes.len(), departure, now);
        let open = matches!(conn.stage, Stage::Open { .. });
        if let Some(peer) = self.peers.get_mut(&key).filter(|_| open) {
            peer.outbound_bytes += bytes.len();
            self.outbound_bytes += bytes.len();
        }
        self.outputs.push_back(Output::Write { conn: id, bytes });
        self.arm(id);
    }

    fn on_flushed(&mut self, id: ConnId, bytes: usize, now: Duration) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let (bytes, left) = conn.flushed(bytes, now);
        self.counters.bytes_out += u64::try_from(bytes).unwrap_or(u64::MAX);
        let key = conn.key();
        if let Stage::Open { key, .. } = conn.stage {
            self.uncharge(key, bytes);
        }
        let any = !left.is_empty();
        for cookie in left {
            self.emit(Frame::Done { cookie, status: PostStatus::Sent });
        }
        if let Some(key) = key.filter(|_| any) {
            self.unblock(key, now);
        }
    }

    pub(crate) fn uncharge(&mut self, key: PeerKey, bytes: usize) {
        if let Some(peer) = self.peers.get_mut(&key) {
            debug_assert!(peer.outbound_bytes >= bytes, "more taken than was charged");
            peer.outbound_bytes = peer.outbound_bytes.saturating_sub(bytes);
        }
        debug_assert!(self.outbound_bytes >= bytes, "more taken than was charged");
        self.outbound_bytes = self.outbound_bytes.saturating_sub(bytes);
    }

    fn on_closed(&mut self, id: ConnId, error: Option<String>, now: Duration) {
        let Some(conn) = self.conns.get(&id) else { return };
        let error = match error {
            Some(reason) => Error::Network { reason },
            None if !conn.rx.is_empty() => Error::CutShort { have: conn.rx.len() },
            None => Error::Closed,
        };
        self.fail(id, error, now);
    }

    /// Answers if there is something to say, and closes.
    fn refuse(&mut self, id: ConnId, answer: Option<Vec<u8>>, error: Error) -> Progress {
        let drain = answer.is_some();
        if let Some(bytes) = answer {
            self.outputs.push_back(Output::Write { conn: id, bytes: bytes.into() });
        }
        let key = self.conns.get(&id).and_then(Conn::key);
        self.note_failure(key, id, error);
        self.close(id, drain);
        Progress::Gone
    }

    /// A connection ends with an error: so do its siblings, since the peer closes all of them too.
    pub(crate) fn fail(&mut self, id: ConnId, error: Error, now: Duration) {
        let Some(conn) = self.conns.get(&id) else { return };
        let stage = conn.stage;
        self.note_failure(conn.key(), id, error.clone());
        match stage {
            Stage::Request | Stage::Hello { .. } => self.close(id, false),
            Stage::Dialling(dialled) | Stage::Answer(dialled) => {
                self.close(id, false);
                self.on_dial_failed(dialled.key, now);
            }
            Stage::Open { key, .. } => self.drop_peer(key, &error),
        }
    }

    fn note_failure(&mut self, key: Option<PeerKey>, id: ConnId, error: Error) {
        let counters = &mut self.counters;
        match (&error, error.blame()) {
            (Error::Limit { .. }, _) => counters.limit_closed += 1,
            (Error::TimedOut { .. }, _) => counters.timed_out += 1,
            (_, Blame::Malformed) => counters.malformed += 1,
            (_, Blame::PeerMisbehaved) => counters.misbehaved += 1,
            (_, Blame::Refused | Blame::Unsupported) => counters.refused += 1,
            (_, Blame::NotNow) => {}
        }
        if error == Error::Closed && key.is_some() {
            return; // a PeerDown event follows
        }
        let remote = self.conns.get(&id).and_then(|c| c.remote);
        let event = Event::Trouble { peer: key.map(|k| k.peer), remote, error };
        self.outputs.push_back(Output::Event(event));
    }

    /// Closes all connections of a peer and forgets what was under way on them.
    pub(crate) fn drop_peer(&mut self, key: PeerKey, error: &Error) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        self.connected -= usize::from(!peer.conns.is_empty());
        for id in std::mem::take(&mut peer.conns) {
            self.close(id, false);
        }
        let status = if *error == Error::Restarted { PostStatus::Stale } else { PostStatus::Unreachable };
        self.give_up_awaited(key, status);
        self.router_down(key, &error.to_string());
        if self.peers.get(&key).is_some_and(|p| p.dialler.is_none()) {
            self.refuse_outbox(key);
        }
        self.retract(key, &error.to_string());
        self.outputs.push_back(Output::Event(Event::PeerDown {
            peer: key.peer,
            local: key.local,
            reason: error.to_string(),
        }));
        self.forget_if_idle(key);
    }

    pub(crate) fn forget_if_idle(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get(&key).filter(|p| p.is_idle()) {
            if let Some(at) = peer.timer {
                self.timers.cancel(at, Timer::Peer(key));
            }
            self.peers.remove(&key);
        }
    }

    /// Closes one connection, whatever its stage.
    pub(crate) fn close(&mut self, id: ConnId, drain: bool) {
        let Some(mut conn) = self.conns.remove(&id) else { return };
        self.half_open.remove(&id);
        self.partial_bytes = self.partial_bytes.saturating_sub(conn.rx_counted);
        if let Some(at) = conn.timer {
            self.timers.cancel(at, Timer::Conn(id));
        }
        if let Stage::Open { key, .. } = conn.stage {
            self.uncharge(key, conn.tx_waiting);
        }
        for cookie in conn.stranded() {
            self.counters.posts_unreachable += 1;
            self.emit(Frame::Done { cookie, status: PostStatus::Unreachable });
        }
        self.outputs.push_back(Output::Close { conn: id, drain });
    }

    /// Sets the timer of a connection if it has a deadline and no timer.
    pub(crate) fn arm(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.timer.is_none()
            && let Some((at, ..)) = conn.deadline(&self.config.timing)
        {
            conn.timer = Some(at);
            self.timers.set(at, Timer::Conn(id));
        }
    }

    fn on_timer(&mut self, timer: Timer, now: Duration) {
        match timer {
            Timer::Peer(key) => self.on_peer_timer(key, now),
            Timer::Answer(key, object) => self.on_answer_timer(key, object),
            Timer::Bulk(key) => self.on_bulk_timer(key, now),
            Timer::Daemon => self.on_daemon_timer(),
            Timer::Pulse => self.on_pulse_timer(now),
            Timer::Conn(id) => {
                let Some(conn) = self.conns.get_mut(&id) else { return };
                conn.timer = None;
                match conn.deadline(&self.config.timing) {
                    Some((at, after, step)) if at <= now => {
                        self.fail(id, Error::TimedOut { step, after }, now);
                    }
                    _ => self.arm(id),
                }
            }
        }
    }
}

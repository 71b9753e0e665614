//! The MGC's connection: attempts, reconnect, eviction, pings.
//!
//! ```text
//!  Idle ─mount─► Discovering ─ping answered─► Connecting ─reply─► Full ─last umount─► Disconnecting ─► Idle
//!                    ▲  ▲                        │ error             │ timeout, -ENOTCONN
//!                    │  └──── Retry ◄────────────┘                   │
//!                    └───────────────────────────────────────────────┘
//! ```
use super::event::ConsoleLine;
use super::lock::pid;
use super::rpc::{CONNECT_WAIT, Call, Outcome, Owner};
use super::{Event, Node, Violation};
use std::time::Duration;
use wire::Codec;
use wire::Nid;
use wire::ptlrpc::{ConnectData, ConnectRequest, connect_flags, connect_op, opc};

/// `obd_timeout / 4`.
const PING_INTERVAL: Duration = Duration::from_secs(25);
/// Pause after an attempt that led nowhere.
const SHORT_RETRY: Duration = Duration::from_secs(5);
/// Pause before the next MGS NID.
const NEXT_NID: Duration = Duration::from_secs(1);
/// How long discovery may hold up an attempt.
const DISCOVERY_WAIT: Duration = Duration::from_secs(5);
/// Room for connect data of future releases.
const CONNECT_REPSIZE: u32 = 544;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Idle,
    Discovering { until: Duration },
    Connecting,
    Full,
    Retry { at: Duration },
    Disconnecting,
}

impl State {
    /// Deadlines count only while the connection stands on which the request was sent.
    const fn watches(self, owner: Owner) -> bool {
        match self {
            Self::Full | Self::Disconnecting => true,
            Self::Connecting => matches!(owner, Owner::Connect),
            Self::Idle | Self::Discovering { .. } | Self::Retry { .. } => false,
        }
    }
    /// An attempt led nowhere, the next one is due later.
    const fn is_retry(self) -> bool {
        matches!(self, Self::Retry { .. })
    }
}

#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) state: State,
    current: usize,
    uuid: String,
    /// `pb_handle` of callbacks to this node.
    pub(crate) callback_cookie: u64,
    next_ping: Duration,
    /// Xid of the attempt: taken when it begins, so that requests waiting for the connection come behind it.
    connect_xid: u64,
    /// Something other than a connect or a ping was sent on this export.
    used: bool,
}

impl Import {
    pub(crate) const fn new() -> Self {
        Self {
            state: State::Idle,
            current: 0,
            uuid: String::new(),
            callback_cookie: 0,
            next_ping: Duration::ZERO,
            connect_xid: 0,
            used: false,
        }
    }
}

impl Node {
    /// NID of the MGS in use.
    pub(crate) fn mgs(&self) -> Nid {
        self.cfg.mgs.get(self.import.current).copied().unwrap_or(Nid::ANY)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.import.state == State::Full
    }

    /// Sends a request, now or when the connection is there.
    pub(crate) fn call(&mut self, owner: Owner, call: Call) {
        if !matches!(owner, Owner::Connect | Owner::Ping | Owner::Disconnect) {
            self.import.used = true;
        }
        let full = matches!(self.import.state, State::Full | State::Disconnecting);
        if let Some(packet) = self.rpc.call(owner, call, full, self.now) {
            self.transmit(packet);
        }
    }

    pub(crate) fn transmit(&mut self, packet: super::rpc::Packet) {
        self.import.next_ping = self.now + PING_INTERVAL;
        self.lnet.put(self.mgs(), packet.portal, packet.match_bits, 0, packet.payload, self.now);
    }

    /// Starts the MGC if there is none.
    pub(crate) fn ensure_connected(&mut self) {
        if self.import.state == State::Idle {
            self.import.uuid = self.random.uuid();
            self.import.callback_cookie = self.locks.cookie();
            self.import.used = false;
            self.attempt();
        }
    }

    fn attempt(&mut self) {
        self.import.state = State::Discovering { until: self.now + DISCOVERY_WAIT };
        self.import.connect_xid = self.rpc.take_xid();
        self.lnet.discover(self.mgs(), self.now);
    }

    /// LNet knows the NID: MGS_CONNECT may go out.
    pub(crate) fn on_discovered(&mut self, nid: Nid) {
        if nid != self.mgs() || !matches!(self.import.state, State::Discovering { .. }) {
            return;
        }
        self.import.state = State::Connecting;
        self.rpc.conn_cnt += 1;
        let request = ConnectRequest {
            target: "MGS".to_owned(),
            client_uuid: self.import.uuid.clone(),
            callback_cookie: self.import.callback_cookie,
            data: self.asked(),
            sepol: self.dialect.sepol.then(bytes::Bytes::new),
        };
        let call = Call {
            opc: opc::MGS_CONNECT,
            buffers: request.to_buffers(self.cfg.order),
            repsize: CONNECT_REPSIZE,
            bulk_room: None,
            exposed: None,
            pid: pid::PTLRPCD,
            patience: None,
            connect_wait: CONNECT_WAIT,
        };
        if let Some(packet) =
            self.rpc.call_with(self.import.connect_xid, Owner::Connect, call, true, self.now)
        {
            self.transmit(packet);
        }
    }

    fn asked(&self) -> ConnectData {
        ConnectData {
            flags: self.dialect.connect_flags & !if self.cfg.noir { connect_flags::IMP_RECOV } else { 0 },
            version: self.dialect.version,
            flags2: self.dialect.connect_flags2,
            ..ConnectData::default()
        }
    }

    pub(crate) fn on_unreachable(&mut self, nid: Nid) {
        if nid != self.mgs() {
            return;
        }
        match self.import.state {
            State::Discovering { .. } => self.attempt_failed(SHORT_RETRY),
            State::Connecting | State::Full => self.disconnected("no connection"),
            State::Disconnecting => self.disconnect_done(),
            State::Idle | State::Retry { .. } => {}
        }
    }

    /// The attempt led nowhere: the next NID soon, or the first one again after a pause.
    fn attempt_failed(&mut self, pause: Duration) {
        self.import.current += 1;
        let wait = if self.import.current < self.cfg.mgs.len() {
            NEXT_NID
        } else {
            self.import.current = 0;
            pause
        };
        self.import.state = State::Retry { at: self.now + wait };
    }

    /// The connection is taken for dead; requests stay for the next one.
    pub(crate) fn disconnected(&mut self, why: &'static str) {
        let was = self.import.state;
        let gone = self.rpc.abort_unresendable(-5, self.now);
        if was == State::Full {
            let mgs = self.mgs();
            self.event(Event::Disconnected { mgs, why });
            let line = format!("Connection to MGS (at {mgs}) was lost; in progress operations will fail");
            self.console(ConsoleLine::error(line));
            self.attempt();
        } else if was == State::Connecting {
            self.attempt_failed(SHORT_RETRY);
        }
        self.dispatch_all(gone);
    }

    /// The answer to MGS_CONNECT.
    pub(crate) fn on_connect_reply(&mut self, outcome: &Outcome) {
        if self.import.state != State::Connecting {
            return;
        }
        if outcome.status != 0 {
            let text = format!("MGC{}: connect failed: rc = {}", self.mgs(), outcome.status);
            self.console(ConsoleLine::error(text));
            return self.attempt_failed(PING_INTERVAL);
        }
        let data =
            outcome.message.as_ref().map(|m| m.buffer(1).and_then(|mut r| ConnectData::decode(&mut r)));
        let Some(Ok(data)) = data else {
            self.violation(Violation::BadReply { opc: opc::MGS_CONNECT, what: "no connect data".to_owned() });
            return self.attempt_failed(PING_INTERVAL);
        };
        let flags2 = if data.flags & connect_flags::FLAGS2 != 0 { data.flags2 } else { 0 };
        let extra = (data.flags & !self.dialect.connect_flags, flags2 & !self.dialect.connect_flags2);
        if extra != (0, 0) {
            self.violation(Violation::ConnectFlagNotAsked { flags: extra.0, flags2: extra.1 });
            let text = format!(
                "MGC{}: unexpected connect flags {:#x} {:#x}: rc = -71",
                self.mgs(),
                extra.0,
                extra.1
            );
            self.console(ConsoleLine::error(text));
            return self.attempt_failed(PING_INTERVAL);
        }
        if outcome.body.op_flags & (connect_op::REPLAYABLE | connect_op::RECOVERING) != 0 {
            let what = format!(
                "connect reply with op flags {:#x}: MGC import is not replayable",
                outcome.body.op_flags
            );
            self.violation(Violation::WouldLbug { what: what.clone() });
            return self.crash(what);
        }
        self.established(outcome, &data, flags2);
    }

    fn established(&mut self, outcome: &Outcome, data: &ConnectData, flags2: u64) {
        let (old, new) = (self.rpc.handle, outcome.body.handle);
        let reconnect = outcome.body.op_flags & connect_op::RECONNECT != 0;
        if new == 0 {
            self.violation(Violation::BadReply { opc: opc::MGS_CONNECT, what: "export cookie 0".to_owned() });
            return self.attempt_failed(PING_INTERVAL);
        }
        let evicted = old != 0 && if reconnect { old != new } else { self.import.used };
        self.rpc.handle = new;
        self.rpc.granted = data.flags;
        self.rpc.granted2 = flags2;
        self.import.state = State::Full;
        let (mgs, conn_cnt) = (self.mgs(), self.rpc.conn_cnt);
        if evicted {
            let text =
                format!("Evicted from MGS (at {mgs}) after server handle changed from {old:#x} to {new:#x}");
            self.console(ConsoleLine::info(text));
            self.lose_all_locks();
        }
        self.event(Event::Connected { mgs, conn_cnt, evicted, version: data.version });
        let aborted = if evicted { self.rpc.abort(-5, false, self.now) } else { Vec::new() };
        let mut packets = if evicted { Vec::new() } else { self.rpc.resend_all(self.now) };
        packets.extend(self.rpc.release(self.now));
        for packet in packets {
            self.transmit(packet);
        }
        if self.dialect.notify && self.rpc.has(connect_flags::IMP_RECOV) {
            self.notify_targets();
        }
        self.dispatch_all(aborted);
        self.on_full();
    }

    /// The last mount is gone.
    pub(crate) fn disconnect(&mut self) {
        if self.import.state != State::Full {
            return self.disconnect_done();
        }
        self.import.state = State::Disconnecting;
        self.call(Owner::Disconnect, bare(opc::MGS_DISCONNECT));
    }

    pub(crate) fn disconnect_done(&mut self) {
        self.rpc.reset();
        self.import.state = State::Idle;
        self.import.current = 0;
        self.locks.held.clear();
        self.logs.clear();
        self.requeue = None;
        self.requeue_at = None;
        self.umount_disconnected();
    }

    pub(crate) fn ping(&mut self) {
        if self.is_full() {
            self.call(Owner::Ping, bare(opc::OBD_PING));
        }
    }

    pub(crate) fn import_timeout(&self) -> Option<Duration> {
        let own = match self.import.state {
            State::Discovering { until } => Some(until),
            State::Retry { at } => Some(at),
            State::Full => Some(self.import.next_ping),
            State::Idle | State::Connecting | State::Disconnecting => None,
        };
        let state = self.import.state;
        own.into_iter().chain(self.rpc.poll_timeout(|owner| state.watches(owner), state.is_retry())).min()
    }

    pub(crate) fn import_timers(&mut self) {
        match self.import.state {
            State::Discovering { until } if until <= self.now => self.attempt_failed(SHORT_RETRY),
            State::Retry { at } if at <= self.now => self.attempt(),
            State::Full if self.import.next_ping <= self.now => self.ping(),
            _ => {}
        }
        if let Some((_, replied)) = self.rpc.overdue(self.now, |owner| self.import.state.watches(owner)) {
            if replied {
                self.violation(Violation::ReplyBeforeBulk);
            }
            if self.import.state == State::Disconnecting {
                self.disconnect_done();
            } else {
                self.disconnected("timeout");
            }
        }
        let late = self.rpc.expired(self.now, self.import.state.is_retry());
        self.dispatch_all(late);
    }
}

/// A request without buffers behind the body.
const fn bare(opcode: u32) -> Call {
    Call {
        opc: opcode,
        buffers: Vec::new(),
        repsize: 224,
        bulk_room: None,
        exposed: None,
        pid: pid::PTLRPCD,
        patience: None,
        connect_wait: CONNECT_WAIT,
    }
}

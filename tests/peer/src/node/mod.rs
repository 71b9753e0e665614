//! One Lustre node: LNet, ptlrpc, MGC, targets and client mounts, without sockets and clocks.
//!
//! ```text
//!  Input ─► handle ─► lnet ─► rpc ─► import, locks ─► mount, reader ─► Event
//!                      │        ▲            │              │
//!  Transmit ◄──────────┘        └────────────┴──────────────┘
//! ```
//! Time is the time since an origin of the driver's choice; it must not go backwards.

mod config;
mod conn;
mod event;
mod import;
mod lnet;
mod lock;
mod mount;
mod random;
mod reader;
mod requeue;
mod rpc;
mod target;

pub use config::{ClientOptions, Command, NodeConfig, Release, TargetKind, TargetOptions, TargetState};
pub use conn::ConnId;
pub use event::{ConsoleLine, Event, Violation};

use bytes::Bytes;
use config::Dialect;
use import::Import;
use lnet::{Delivered, Lnet, Up};
use lock::Locks;
use mount::{Mount, MountKind, Task};
use random::Random;
use reader::Record;
use rpc::{Heard, Outcome, Owner, Rpc};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use wire::Nid;
use wire::ldlm::{ConfigKind, ResId};
use wire::lnet::{Message, portal};

/// Names a log of a node.
pub(crate) type LogKey = u32;

/// What comes into a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// A connection asked for by [`Transmit::Dial`] stands.
    Connected(ConnId),
    /// The driver accepted a connection.
    Accepted(ConnId),
    /// Bytes from the other side.
    Bytes(ConnId, Bytes),
    /// The connection is gone, or could not be made.
    Closed(ConnId),
    /// A person's wish.
    Command(Command),
    /// Only time has passed.
    Tick,
}

/// What a node wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// Connect to a NID; answer with [`Input::Connected`] or [`Input::Closed`].
    Dial {
        /// Name of the connection.
        conn: ConnId,
        /// Whom.
        to: Nid,
    },
    /// Write.
    Bytes {
        /// Connection.
        conn: ConnId,
        /// What.
        bytes: Bytes,
    },
    /// Close; no [`Input::Closed`] is needed.
    Close {
        /// Connection.
        conn: ConnId,
    },
}

/// Which log of a mount or of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Sptlrpc,
    Nodemap,
    Barrier,
    /// Log of the target, or client log of a client.
    Main,
    Recover,
    Params,
    /// Client log read by a server for its light-weight connections.
    Lwp,
}

impl Role {
    const fn kind(self) -> ConfigKind {
        match self {
            Self::Sptlrpc | Self::Main | Self::Lwp => ConfigKind::Config,
            Self::Nodemap => ConfigKind::Nodemap,
            Self::Barrier => ConfigKind::Barrier,
            Self::Recover => ConfigKind::Recover,
            Self::Params => ConfigKind::Params,
        }
    }
}

/// Something that is read under a lock (`config_llog_data`).
#[derive(Debug)]
pub(crate) struct ConfigLog {
    /// The mount, or empty: the node.
    owner: String,
    role: Role,
    name: String,
    resource: ResId,
    lock: Option<u64>,
    /// Last index processed, or version of the NID table.
    last: u64,
    /// Has to be read again.
    lost: bool,
}

/// A Lustre node.
#[derive(Debug)]
pub struct Node {
    cfg: NodeConfig,
    dialect: Dialect,
    random: Random,
    now: Duration,
    lnet: Lnet,
    rpc: Rpc,
    import: Import,
    locks: Locks,
    logs: BTreeMap<LogKey, ConfigLog>,
    next_log: LogKey,
    /// In the order of mounting.
    mounts: Vec<Mount>,
    /// How often each target was mounted here.
    disks: BTreeMap<String, u32>,
    /// Local copies of the logs of targets.
    copies: BTreeMap<String, Vec<Record>>,
    commands: VecDeque<Command>,
    mount_task: Option<Task>,
    requeue: Option<Task>,
    requeue_at: Option<Duration>,
    events: VecDeque<Event>,
    crashed: bool,
}

impl Node {
    /// A node that has just booted.
    pub fn new(cfg: NodeConfig) -> Self {
        let mut random = Random::new(cfg.seed);
        let dialect = cfg.release.dialect();
        let incarnation = u64::try_from(cfg.boot.as_nanos()).unwrap_or(u64::MAX);
        Self {
            lnet: Lnet::new(cfg.nid, cfg.order, incarnation, &mut random),
            rpc: Rpc::new(cfg.order, dialect.pb_flags, cfg.boot),
            import: Import::new(),
            locks: Locks::new(random.next()),
            dialect,
            random,
            cfg,
            now: Duration::ZERO,
            logs: BTreeMap::new(),
            next_log: 0,
            mounts: Vec::new(),
            disks: BTreeMap::new(),
            copies: BTreeMap::new(),
            commands: VecDeque::new(),
            mount_task: None,
            requeue: None,
            requeue_at: None,
            events: VecDeque::new(),
            crashed: false,
        }
    }

    /// Takes an input at a time.
    pub fn handle(&mut self, input: Input, now: Duration) {
        self.now = self.now.max(now);
        if self.crashed {
            return;
        }
        let now = self.now;
        match input {
            Input::Connected(id) => self.lnet.connected(id, now),
            Input::Accepted(id) => self.lnet.accepted(id, now),
            Input::Bytes(id, bytes) => self.lnet.bytes(id, &bytes, now),
            Input::Closed(id) => self.lnet.closed(id, now),
            Input::Command(Command::Ping) => self.ping(),
            Input::Command(command) => self.commands.push_back(command),
            Input::Tick => {}
        }
        self.lnet.timers(now);
        self.work();
        self.import_timers();
        self.mount_timers();
        self.work();
    }

    /// The next thing to do for the driver.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.lnet.out.pop_front()
    }

    /// When [`Input::Tick`] is due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        if self.crashed {
            return None;
        }
        let requeue = self.requeue_at.filter(|_| self.requeue.is_none());
        let all = [self.lnet.poll_timeout(), self.import_timeout(), self.mount_timeout(), requeue];
        all.into_iter().flatten().min()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Configuration of a mount, as its logs made it.
    pub fn config(&self, name: &str) -> Option<&crate::interp::ConfigTree> {
        self.mounts.iter().find(|m| m.name == name).map(|m| m.interp.tree())
    }

    /// Names of what is mounted, oldest first.
    pub fn mounted(&self) -> impl Iterator<Item = &str> {
        self.mounts.iter().filter(|m| m.up).map(|m| m.name.as_str())
    }

    /// The node's NID.
    pub const fn nid(&self) -> Nid {
        self.cfg.nid
    }

    /// Nothing is under way: no mount, no requeue, no request without an answer.
    pub fn is_quiet(&self) -> bool {
        let owners = [Owner::Ping, Owner::Cancel, Owner::Notify, Owner::Connect, Owner::UmountCancel];
        self.mount_task.is_none()
            && self.requeue.is_none()
            && self.requeue_at.is_none()
            && self.commands.is_empty()
            && owners.into_iter().all(|o| !self.rpc.busy(o))
    }

    fn work(&mut self) {
        while !self.crashed {
            if let Some(up) = self.lnet.up.pop_front() {
                self.on_up(up);
            } else if self.mount_task.is_none()
                && let Some(command) = self.commands.pop_front()
            {
                self.start(command);
            } else if self.requeue.is_none() && self.requeue_at.is_some_and(|at| at <= self.now) {
                self.start_requeue();
            } else {
                break;
            }
        }
    }

    fn on_up(&mut self, up: Up) {
        match up {
            Up::Put(put) => self.on_put(&put),
            Up::Get { peer, portal, match_bits, ret, sink } => {
                if portal == portal::MGS_BULK
                    && let Some(bytes) = self.rpc.on_get(match_bits, sink)
                {
                    self.lnet.send(peer, Message::Reply { dst: ret }, bytes, self.now);
                }
            }
            Up::Discovered(nid) => self.on_discovered(nid),
            Up::Unreachable(nid) => self.on_unreachable(nid),
            Up::Violation(violation) => self.violation(violation),
            Up::Console(line) => self.console(line),
        }
    }

    fn on_put(&mut self, put: &Delivered) {
        let mut bad = Vec::new();
        let heard = match put.portal {
            portal::MGC_REPLY | portal::LDLM_CANCEL_REPLY => self.rpc.on_reply(put, self.now, &mut bad),
            portal::MGS_BULK => {
                let (taken, heard) = self.rpc.on_bulk(put, self.now, &mut bad);
                if taken {
                    self.lnet.ack(put, self.now);
                }
                heard
            }
            portal::LDLM_CB_REQUEST => {
                self.on_callback(put);
                Heard::Nothing
            }
            _ => Heard::Nothing,
        };
        for violation in bad {
            self.violation(violation);
        }
        match heard {
            Heard::Nothing => {}
            Heard::Done(outcome) => self.dispatch(*outcome),
            Heard::NotConnected => self.disconnected("the MGS does not know this node"),
            Heard::Resend(xid) => {
                if let Some(packet) = self.rpc.resend(xid, self.now) {
                    self.transmit(packet);
                }
            }
        }
    }

    fn dispatch(&mut self, outcome: Outcome) {
        match outcome.owner {
            Owner::Connect => self.on_connect_reply(&outcome),
            Owner::Ping if outcome.status == 0 => self.event(Event::Pinged { took: outcome.took }),
            Owner::Ping | Owner::Cancel => {}
            Owner::Notify => self.on_notified(&outcome),
            Owner::Disconnect => self.disconnect_done(),
            Owner::UmountCancel | Owner::Mount | Owner::Requeue => self.task_outcome(outcome),
        }
    }

    fn dispatch_all(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            self.dispatch(outcome);
        }
    }

    /// The answer to a NID notification: which target it was stands in the request.
    fn on_notified(&mut self, outcome: &Outcome) {
        let asked = outcome.call.buffers.first().map(|b| wire::Codec::from_slice(b, self.cfg.order));
        if let Some(Ok(wire::mgs::TargetInfo { svname, .. })) = asked {
            self.with_mount(&svname, |node, mount| {
                let _kept = node.on_registered(mount, outcome, target::Purpose::Notify);
            });
        }
    }

    fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    fn violation(&mut self, violation: Violation) {
        self.event(Event::Violation(violation));
    }

    fn console(&mut self, line: ConsoleLine) {
        self.event(Event::Console(line));
    }

    fn crash(&mut self, why: String) {
        self.crashed = true;
        self.lnet.shutdown();
        self.event(Event::Crashed { why });
    }
}

//! What goes into the engine and what comes out.

use crate::Errno;
use crate::error::Error;
use crate::model::command::{Done, Order};
use crate::model::tx::Changes;
use std::collections::BTreeMap;
use std::time::Duration;
use wire::Nid;
use wire::relay::Frame;

/// A proxy, as the driver numbers its links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub u32);

/// An order, as the driver numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Settings that the engine needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a file system stays in `startup` after the MGS started: clients need the time to come back.
    pub ir_timeout: Duration,
    /// At the writeconf of one OST, write the sections that a kernel MGS writes then: dead on arrival, executed by nobody.
    /// For logs that are to stay equal to a kernel's.
    pub dead_sections: bool,
    /// What parameters are judged by.
    pub catalogue: tunables::InUse,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ir_timeout: Duration::from_secs(400),
            dead_sections: false,
            catalogue: tunables::InUse::default(),
        }
    }
}

/// An input.
#[derive(Clone, Debug)]
pub enum Input {
    /// A frame of a proxy.
    Relay(LinkId, Frame),
    /// A proxy is gone; its peers come back through it or another one.
    LinkDown(LinkId),
    /// The store's answer to [`Output::Commit`].
    Committed(CommitResult),
    /// The store does not say what became of the commit in flight; [`Input::Committed`] follows when it does.
    Stuck {
        /// What those who wait are told.
        errno: Errno,
        /// Why, for them and for the log.
        why: String,
    },
    /// Commits of other daemons on the same store: their records, and every key that they wrote as it is after the last
    /// of them.
    Followed(Changes),
    /// Somebody asks for a change; answered by [`Output::Done`] once it is durable.
    Order(Ticket, Box<Order>),
    /// The store's answer to [`Output::Barrier`]: the commit it is at, or `None` when it could not say.
    Barrier(Option<u64>),
}

/// Fate of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitResult {
    /// Durable.
    Committed,
    /// Not done: another daemon has committed meanwhile, up to `at`; [`Input::Followed`] brings that.
    Conflict {
        /// Where the store is.
        at: u64,
    },
    /// Certainly not done.
    Failed {
        /// What the requests concerned are told.
        errno: Errno,
        /// Why, for the log.
        why: String,
    },
}

/// An output.
#[derive(Clone, Debug)]
pub enum Output {
    /// To a proxy.
    Relay(LinkId, Frame),
    /// Make these changes one commit on top of `base`. One is in flight at a time.
    Commit {
        /// The store must be exactly here.
        base: u64,
        /// Transaction id, also in the record.
        txn: u128,
        /// Values and deletions.
        changes: Changes,
        /// Value of `commit/<base + 1>`.
        record: Vec<u8>,
    },
    /// What others committed cannot be applied: the view is to be read afresh.
    Lost(String),
    /// The answer to an order.
    Done(Ticket, Result<Box<Done>, Error>),
    /// Ask the store for a linearizable sequence number. One is in flight at a time.
    Barrier,
}

/// Something worth a log line. Fields, not sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Event {
    Connected {
        nid: Nid,
        uuid: String,
        version: u32,
        again: bool,
    },
    Disconnected {
        nid: Nid,
        uuid: String,
    },
    Evicted {
        nid: Nid,
        uuid: String,
        why: &'static str,
    },
    Refused {
        nid: Nid,
        op: &'static str,
        errno: Errno,
        why: String,
    },
    /// Every answer but pings; `status` is `pb_status`, `why` empty unless refused.
    Answered {
        nid: Nid,
        op: &'static str,
        object: String,
        status: i32,
        why: String,
    },
    Registered {
        nid: Nid,
        target: String,
        seq: u64,
    },
    Ready {
        nid: Nid,
        target: String,
        instance: u32,
        version: u64,
    },
    /// A target that nobody knows waits for somebody's yes or no.
    Held {
        nid: Nid,
        target: String,
    },
    /// A READY of an earlier start than the table knows: nothing was changed.
    Outdated {
        nid: Nid,
        target: String,
        instance: u32,
    },
    /// A node registers under NIDs that are not those of its address.
    NidMismatch {
        nid: Nid,
        target: String,
        claimed: Vec<Nid>,
        seen: Nid,
        gateway: Option<Nid>,
    },
    Committed {
        seq: u64,
        requests: usize,
        locks: usize,
    },
    CommitFailed {
        why: String,
    },
    /// The store has not answered since then (unix seconds): logs are served on, nothing is changed.
    StoreSilent {
        since: i64,
    },
    /// The store answers again.
    StoreAnswers {
        after: Duration,
    },
    Flavor {
        nid: Nid,
        flavor: u32,
    },
    /// A log has used 70 % of its indices with this commit.
    LogFilling {
        log: String,
        used: u32,
        limit: u32,
    },
    /// Somebody's order was refused; nothing was changed.
    OrderRefused {
        actor: String,
        errno: Errno,
        why: String,
    },
    /// A write barrier is in another state; `by` is empty when MDTs brought it about.
    Barrier {
        fs: String,
        state: &'static str,
        by: String,
    },
    /// The node has executed records that a restore took away.
    MustRemount {
        nid: Nid,
        log: String,
    },
    Bug {
        what: String,
    },
}

/// Counters by name, for status and metrics.
#[derive(Clone, Debug, Default)]
pub struct Counters(BTreeMap<&'static str, u64>);

impl Counters {
    /// One more.
    pub fn add(&mut self, name: &'static str) {
        *self.0.entry(name).or_default() += 1;
    }
    /// A counter; 0 when it never counted.
    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }
    /// All that counted.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().map(|(k, v)| (*k, *v))
    }
}

//! The record of a commit: event stream, audit chain and history in one (`commit/<seq>`).

use serde::{Deserialize, Serialize};

/// Value of `commit/<seq>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRecord {
    /// Its own number.
    pub seq: u64,
    /// Transaction id, 32 hex digits: how an unknown outcome is resolved.
    pub txn: String,
    /// Unix seconds.
    pub time: i64,
    /// Resources whose readers are told, `testfs/config`.
    pub touched: Vec<String>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// Keys written or deleted.
    pub keys: Vec<String>,
    /// SHA-256 (hex) of the previous record; empty for the first.
    pub prev: String,
}

/// One thing that happened, with who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `nid:10.0.0.1@tcp`, `mgsd`.
    pub actor: String,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// First start.
    MgsCreated {
        /// UUID of the MGS.
        uuid: String,
    },
    /// First registration of any target of it.
    FsCreated {
        /// File system.
        fs: String,
        /// Its UUID.
        uuid: String,
    },
    /// A writeconf of MDT0000 erased every log of it.
    FsErased {
        /// File system.
        fs: String,
        /// Targets that have to register again.
        targets: Vec<String>,
    },
    /// Logs were written for a target.
    TargetRegistered {
        /// `testfs-OST0000`.
        target: String,
        /// Its NIDs.
        nids: Vec<String>,
        /// NIDs before, for a target that was known.
        before: Vec<String>,
        /// It asked for a writeconf, or its logs were lost.
        writeconf: bool,
    },
    /// Imperative recovery of a file system was switched.
    RecoverySwitched {
        /// File system.
        fs: String,
        /// Off from now on.
        off: bool,
    },
    /// A parameter was set.
    ParamSet {
        /// `testfs-OST0000`; `params` for `set_param -P`.
        device: String,
        /// `osc.max_dirty_mb`, or a path.
        name: String,
        /// `64`.
        value: String,
    },
    /// A parameter was taken away: mounts to come see the default.
    ParamDeleted {
        /// `testfs-OST0000`; `params` for `set_param -P`.
        device: String,
        /// `osc.max_dirty_mb`, or a path.
        name: String,
    },
    /// A pool was made.
    PoolCreated {
        /// File system.
        fs: String,
        /// Pool.
        pool: String,
    },
    /// OSTs became members of a pool, or left it.
    PoolMembers {
        /// File system.
        fs: String,
        /// Pool.
        pool: String,
        /// `testfs-OST0000`.
        osts: Vec<String>,
        /// They joined.
        added: bool,
    },
    /// A pool is gone.
    PoolDestroyed {
        /// File system.
        fs: String,
        /// Pool.
        pool: String,
    },
    /// A target started: the NID table changed.
    TargetReady {
        /// `testfs-OST0000`.
        target: String,
        /// Its start counter.
        instance: u32,
        /// NIDs now.
        nids: Vec<String>,
        /// NIDs before.
        before: Vec<String>,
        /// Table version.
        version: u64,
    },
}

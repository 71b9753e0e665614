//! What a node tells about itself: events, violations, console lines.
use crate::interp::ConfigTree;
use std::time::Duration;
use wire::Nid;
use wire::ldlm::ConfigKind;

/// Something happened that a person, a test or a load generator may want to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The MGC has a connection in state FULL.
    Connected {
        /// Which MGS NID.
        mgs: Nid,
        /// Attempt number.
        conn_cnt: u32,
        /// All locks were lost by it.
        evicted: bool,
        /// Release code the MGS stated.
        version: u32,
    },
    /// The MGC lost its connection.
    Disconnected {
        /// Which MGS NID.
        mgs: Nid,
        /// Why.
        why: &'static str,
    },
    /// A registration was accepted.
    Registered {
        /// `testfs-OST0000`.
        target: String,
        /// Index in the answer.
        index: u32,
        /// Flags in the answer.
        flags: u32,
    },
    /// The MGS knows that the target is up.
    Ready {
        /// `testfs-OST0000`.
        target: String,
        /// The MGS promised imperative recovery.
        ir: bool,
    },
    /// A configuration log was read to its end.
    LogRead {
        /// `testfs-OST0000`, `testfs-client`, or empty for the node itself.
        owner: String,
        /// Name of the log.
        log: String,
        /// `None`: no such log.
        records: Option<usize>,
        /// Last index now known.
        last: u32,
    },
    /// The NID table was read to its end.
    TableRead {
        /// `testfs-cliir`.
        table: String,
        /// Entries in this read.
        entries: usize,
        /// Version now known; `None`: the MGS has no such table.
        version: Option<u64>,
    },
    /// The nodemap was read.
    NodemapRead {
        /// Records; `None`: the MGS offers none.
        records: Option<usize>,
    },
    /// A mount is complete.
    Mounted {
        /// `testfs-OST0000` or `testfs-client`.
        name: String,
        /// What the logs made of it.
        config: Box<ConfigTree>,
    },
    /// A mount failed.
    MountFailed {
        /// Which.
        name: String,
        /// Negative errno.
        errno: i32,
        /// At what.
        why: String,
    },
    /// An unmount is complete.
    Unmounted {
        /// Which.
        name: String,
    },
    /// A lock was granted.
    Locked {
        /// Base name of the resource.
        name: String,
        /// What it guards.
        kind: ConfigKind,
    },
    /// The MGS revoked a lock.
    Notified {
        /// Base name of the resource.
        name: String,
        /// What changed.
        kind: ConfigKind,
    },
    /// Changed logs were read again; this is the configuration now.
    Reconfigured {
        /// Which mount.
        name: String,
        /// What the logs made of it.
        config: Box<ConfigTree>,
    },
    /// A ping was answered.
    Pinged {
        /// Time from request to reply.
        took: Duration,
    },
    /// The MGS broke a rule that a kernel node relies on.
    Violation(Violation),
    /// A line on the node's console.
    Console(ConsoleLine),
    /// The node hit an assertion: it is gone until it boots again.
    Crashed {
        /// The assertion.
        why: String,
    },
}

/// A rule of the protocol that the MGS broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Violation {
    #[error("HELLO: {what}")]
    Hello { what: String },
    #[error("stream of bytes: {what}")]
    Stream { what: String },
    #[error("message for {dest}, this node is {nid}")]
    WrongDestination { dest: Nid, nid: Nid },
    #[error("ping answer: {what}")]
    PingAnswer { what: String },
    #[error("{opc}: reply at offset {offset}, the client expects {expected}")]
    ReplyOffset { opc: u32, offset: u32, expected: u32 },
    #[error("{opc}: early reply with checksum {got:#x}, computed {want:#x}")]
    EarlyReplyChecksum { opc: u32, got: u32, want: u32 },
    #[error("reply on portal {portal} with match bits {match_bits:#x}: nothing waits for it")]
    UnmatchedReply { portal: u32, match_bits: u64 },
    #[error("{opc}: reply of {len} bytes is cut to {room}")]
    ReplyTruncated { opc: u32, len: usize, room: usize },
    #[error("{opc}: {what}")]
    BadReply { opc: u32, what: String },
    #[error("connect: flags {flags:#x} / {flags2:#x} were not asked for")]
    ConnectFlagNotAsked { flags: u64, flags2: u64 },
    #[error("would LBUG: {what}")]
    WouldLbug { what: String },
    #[error("bulk of {len} bytes for match bits {match_bits:#x}: {what}")]
    Bulk { match_bits: u64, len: usize, what: &'static str },
    #[error("reply to CONFIG_READ says success, but no bulk came before it")]
    ReplyBeforeBulk,
    #[error("callback {opc}: {what}")]
    Callback { opc: u32, what: String },
    #[error("log {log}: {what}")]
    Log { log: String, what: String },
    #[error("NID table {table}: {what}")]
    Table { table: String, what: String },
    #[error("nodemap: {what}")]
    Nodemap { what: String },
    #[error("registration of {target}: {what}")]
    Registration { target: String, what: String },
}

/// A line that the kernel would print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleLine {
    /// `LustreError` or `LNetError` instead of `Lustre`.
    pub error: bool,
    /// The text.
    pub text: String,
}

impl ConsoleLine {
    pub(crate) fn info(text: impl Into<String>) -> Self {
        Self { error: false, text: text.into() }
    }
    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self { error: true, text: text.into() }
    }
}

impl std::fmt::Display for ConsoleLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", if self.error { "LustreError" } else { "Lustre" }, self.text)
    }
}

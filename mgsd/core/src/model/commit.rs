//! The record of a commit: event stream, audit chain and history in one (`commit/<seq>`).

use super::command::retention::Pruned;
use super::connections::Connections;
use super::keys::Key;
use super::rules::{Binding, Leave, Policy, Reservation, Verdict};
use super::settings::{Validation, Writeconf};
use super::view::sha256_hex;
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
    /// A backup was restored: a new epoch.
    Restored {
        /// The epoch that begins.
        epoch: u64,
        /// Commit of the backup.
        backup: u64,
        /// Last commit of what it replaced, if that could be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lost: Option<u64>,
    },
    /// What a kernel MGS had on its disk was taken over.
    Imported {
        /// Where it was found.
        from: String,
        /// How many logs.
        logs: u64,
        /// File systems.
        file_systems: Vec<String>,
    },
    /// Old records were deleted.
    CommitsPruned {
        /// The last of them.
        through: u64,
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
        /// Off from now on; before, it was the other way.
        off: bool,
    },
    /// A node has executed records of a log that a restore took away: it has to be remounted.
    NodeAhead {
        /// The node.
        nid: String,
        /// The log.
        log: String,
    },
    /// A node of which nothing was known began to read a log that was renewed.
    NodeReads {
        /// The node.
        nid: String,
        /// The log.
        log: String,
    },
    /// Such a node has unmounted everything.
    NodeRemounted {
        /// The node.
        nid: String,
    },
    /// The store was copied to another place, where it goes on.
    StoreMoved {
        /// Where it was.
        from: String,
        /// Where it is.
        to: String,
        /// Epoch from then on.
        epoch: u64,
    },
    /// A parameter was set.
    ParamSet {
        /// `testfs-OST0000`; `params` for `set_param -P`.
        device: String,
        /// `osc.max_dirty_mb`, or a path.
        name: String,
        /// `64`.
        value: String,
        /// Values that it replaces, or, of a parameter with several values at a time, joins; none: the default.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        before: Vec<String>,
    },
    /// A parameter was taken away: mounts to come see the default.
    ParamDeleted {
        /// `testfs-OST0000`; `params` for `set_param -P`.
        device: String,
        /// `osc.max_dirty_mb`, or a path.
        name: String,
        /// Values that it had.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        before: Vec<String>,
    },
    /// An assignment that the judge found wrong was taken: by policy, or because somebody insisted.
    ParamTolerated {
        /// `testfs-OST0000.osc.max_dirty_mb=64`.
        assignment: String,
        /// Class of what is wrong.
        class: String,
        /// What is wrong.
        why: String,
    },
    /// Whether wrong assignments are refused was set.
    ValidationSet {
        /// `enforce`, `warn`.
        validation: Validation,
        /// The same before.
        before: Validation,
    },
    /// Nodes may be told to run a program, or not any more.
    ProgramAllowed {
        /// Its path.
        program: String,
        /// It may be; before, it was the other way.
        allowed: bool,
    },
    /// What a writeconf does to settings and pools was set.
    WriteconfSet {
        /// File system.
        fs: String,
        /// `reapply`, `wipe`, `ask`.
        writeconf: Writeconf,
        /// The same before.
        before: Writeconf,
    },
    /// Settings went with the logs that a writeconf erased.
    SettingsWiped {
        /// File system, or target.
        device: String,
        /// How many.
        settings: u64,
    },
    /// A pool was made.
    PoolCreated {
        /// File system.
        fs: String,
        /// Pool.
        pool: String,
    },
    /// OSTs became members of a pool, or left it; none of them was a member before, or all were.
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
    /// A security rule was set, or taken away.
    SecurityRule {
        /// File system, or target.
        device: String,
        /// `default`, `tcp1.cli2ost`.
        rule: String,
        /// `skpi`; none: no longer set.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        flavor: Option<String>,
        /// The same before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<String>,
    },
    /// Nodemaps were changed.
    NodemapsEdited {
        /// What was done, in the words of `lctl`; of a large batch the beginning.
        edits: Vec<String>,
        /// How many more edits the batch has.
        #[serde(default, skip_serializing_if = "is_zero")]
        more: usize,
    },
    /// A pool is gone.
    PoolDestroyed {
        /// File system.
        fs: String,
        /// Pool.
        pool: String,
    },
    /// What happens to unknown targets was set.
    PolicySet {
        /// File system; none: those to come.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fs: Option<String>,
        /// `open`, `approve`, `closed`.
        policy: Policy,
        /// The same before.
        before: Policy,
    },
    /// A target that is not registered was let in, once.
    RegistrationApproved {
        /// `testfs-OST0000`.
        target: String,
        /// From these nodes only; empty: from any.
        from: Vec<String>,
        /// A yes that nobody used goes then, unix seconds.
        until: i64,
        /// What was said of it before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Verdict>,
    },
    /// A target that is not registered is to be refused.
    RegistrationRefused {
        /// `testfs-OST0000`.
        target: String,
        /// What was said of it before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Verdict>,
    },
    /// What was said of a target is taken back.
    VerdictForgotten {
        /// `testfs-OST0000`.
        target: String,
        /// What was said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Verdict>,
    },
    /// Nobody used an approval in time.
    ApprovalExpired {
        /// `testfs-OST0000`.
        target: String,
        /// The approval.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Verdict>,
    },
    /// Binding of NIDs to addresses was set.
    BindingSet {
        /// `tcp`.
        net: String,
        /// What it is now.
        binding: Binding,
        /// What it was.
        before: Binding,
    },
    /// An index is kept for somebody.
    IndexReserved {
        /// `testfs-OST0000`.
        target: String,
        /// For nodes with one of these NIDs; empty: for whoever names it.
        nids: Vec<String>,
        /// It ends then, unix seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<i64>,
    },
    /// A reservation was given up.
    IndexUnreserved {
        /// `testfs-OST0000`.
        target: String,
        /// The reservation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Reservation>,
    },
    /// A reservation has ended.
    ReservationExpired {
        /// `testfs-OST0000`.
        target: String,
        /// The reservation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Reservation>,
    },
    /// One writeconf of MDT0000 may erase logs that nodes have mounted.
    WriteconfApproved {
        /// File system.
        fs: String,
        /// Until then, unix seconds.
        until: i64,
        /// Leave that was there already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Leave>,
    },
    /// Nobody used it.
    LeaveExpired {
        /// File system.
        fs: String,
        /// The leave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Leave>,
    },
    /// Records are no longer executed by mounts to come.
    LogRecordsCancelled {
        /// Log.
        log: String,
        /// Records.
        indices: Vec<u32>,
    },
    /// The bits of records that no reader executes were cleared.
    LogCompacted {
        /// Log.
        log: String,
        /// How many.
        records: u32,
    },
    /// A newer generation of a log was begun beside it.
    LogRenewed {
        /// Log.
        log: String,
        /// Last index of the older one.
        before: u32,
        /// Last index of the newer one.
        after: u32,
    },
    /// The older generation of a log was given up.
    LogRetired {
        /// Log.
        log: String,
        /// Its last index.
        before: u32,
        /// Last index of the newer one, which is the log from now on.
        after: u32,
    },
    /// A log is gone.
    LogRemoved {
        /// Log.
        log: String,
    },
    /// Logs were written anew: whoever has read them has to start anew.
    LogsRewritten {
        /// Logs.
        logs: Vec<String>,
        /// What they were before.
        backups: Vec<String>,
    },
    /// An OST is no longer known.
    TargetRemoved {
        /// `testfs-OST0001`.
        target: String,
    },
    /// A target has other addresses.
    NidsReplaced {
        /// `testfs-OST0000`.
        target: String,
        /// NIDs of each of its nodes.
        nodes: Vec<Vec<String>>,
        /// NIDs of the first one before.
        before: Vec<String>,
    },
    /// A file system has a copy of its configuration under another name.
    FsForked {
        /// File system.
        from: String,
        /// The copy.
        to: String,
    },
    /// A file system has another name.
    FsRenamed {
        /// Its name before.
        from: String,
        /// Its name now.
        to: String,
    },
    /// A file system is gone, with its logs, targets and settings.
    FsRemoved {
        /// File system.
        fs: String,
        /// Parameters of `set_param -P` that went with it.
        params: Vec<String>,
    },
    /// Who may connect was set.
    ConnectionsSet {
        /// From now on.
        connections: Connections,
        /// The same before.
        before: Connections,
    },
    /// A node was forgotten. Nothing stored changes by it; it is written down.
    ClientEvicted {
        /// Its NID.
        nid: String,
        /// UUID of its MGC.
        uuid: String,
    },
    /// File systems stay in `startup` for so long after the start of this daemon. Nothing stored changes by it: the next
    /// start reads the configuration again.
    StartupSet {
        /// Seconds from now on.
        seconds: u64,
        /// Seconds before.
        before: u64,
    },
    /// Notifications of a file system are counted from zero again. Nothing stored changes by it.
    NotifiedForgotten {
        /// File system.
        fs: String,
        /// How many it were.
        before: u64,
    },
    /// A write barrier is in force. Nothing stored changes by it, or by what follows; it is written down.
    BarrierFrozen {
        /// File system.
        fs: String,
        /// It ends by itself after so long, seconds.
        timeout: u32,
    },
    /// A write barrier was lifted.
    BarrierThawed {
        /// File system.
        fs: String,
    },
    /// MDTs were counted for write barriers.
    BarrierRescanned {
        /// File system.
        fs: String,
        /// MDTs.
        total: u32,
        /// Of these, MDTs that did not answer.
        absent: u32,
    },
    /// Somebody wanted a write barrier, or its end, and MDTs did not do their part.
    BarrierFailed {
        /// File system.
        fs: String,
        /// How far it got: `failed`, `expired`.
        state: String,
        /// Why.
        why: String,
    },
    /// Somebody asked for what no policy lets pass, or for what is root's alone. It was refused.
    Refused {
        /// What, its beginning where it is long: `testfs-MDT0000.mdt.identity_upcall=/bin/sh`.
        request: String,
        /// Class of what is wrong: `upcall`, `privilege`.
        class: String,
        /// What was answered.
        why: String,
    },
    /// More of the kind, that were counted and not written down one by one.
    RefusedAgain {
        /// How many.
        times: u64,
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

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The part of a record that links it.
#[derive(Deserialize)]
struct Link {
    seq: u64,
    prev: String,
}

/// What is wrong with the chain of all commit records of a store, in key order.
pub fn broken_links<'a>(
    entries: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    pruned: &Pruned,
) -> Vec<String> {
    let mut prev = pruned.sha256.clone();
    let mut found = Vec::new();
    for (key, value) in entries {
        let Some(Key::Commit(seq)) = Key::parse(key) else { continue };
        match serde_json::from_slice::<Link>(value) {
            Ok(link) if link.seq != seq => {
                found.push(format!("{key}: it is the record of commit {}", link.seq))
            }
            Ok(link) if link.prev != prev => {
                found.push(format!("{key}: its field prev is not the SHA-256 of the record before"));
            }
            Ok(_) => {}
            Err(error) => found.push(format!("{key}: not a commit record: {error}")),
        }
        prev = sha256_hex(value);
    }
    found
}

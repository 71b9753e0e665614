//! Restore: the state of a backup as a new epoch (docs/decisions/0020-restore.md).
//!
//! Nodes hold, of each log, the index that they have read up to; of each NID table, a version. Both rise only. Between
//! the backup and the restore nodes have read on, so whatever is written from now on must lie above what they hold:
//!
//! ```text
//!  log    1 … last | last+1: START, skipped | cancelled records up to what was lost | resume: END, skipped | …
//! ```
//! A reader that stands at `last` asks for `last + 1`; one that stands behind it holds records that no longer exist, and
//! asks for `resume`: so each that has to be remounted is known by its first request.

use super::commit::{CommitRecord, Event, EventKind};
use super::keys;
use super::logs::LogEntry;
use super::names::{log_base, log_of, next_of};
use super::tx::MARKER_VERSION;
use super::view::{FORMAT, View};
use crate::Errno;
use crate::error::Error;
use llog::lcfg::{LustreCfg, cmd};
use llog::marker::{Marker, flag};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// `restore/<epoch, 16 hex>`: what a restore has left behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// The epoch that it began.
    pub epoch: u64,
    /// Unix seconds.
    pub time: i64,
    /// Commit of the backup.
    pub backup: u64,
    /// Last commit of what was replaced; absent: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// Logs of which records are lost, or may be.
    pub logs: BTreeMap<String, Fence>,
    /// Logs that were made after the backup.
    pub gone: BTreeSet<String>,
}

/// Where a log goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// Last index of the backup.
    pub last: u32,
    /// The first index that whoever has read lost records asks for.
    pub resume: u32,
}

impl Fence {
    /// Whether a reader whose first request is for `index` holds records that no longer exist.
    pub const fn is_ahead(self, index: u32) -> bool {
        index > self.last + 1 && index <= self.resume
    }
}

impl Restore {
    /// Whether a reader that opens a log which is not there holds records of it.
    pub fn is_gone(&self, log: &str) -> bool {
        self.gone.contains(log)
    }
}

/// How to restore.
#[derive(Clone, Debug)]
pub struct How {
    /// Unix seconds.
    pub time: i64,
    /// Names the commit.
    pub txn: u128,
    /// Who asked for it.
    pub actor: String,
    /// Indices left free in each log whose loss is not known.
    pub gap: u32,
}

/// A restore as planned.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everything that the store is to hold, the commit of the restore included, without `seq`.
    pub entries: BTreeMap<String, Vec<u8>>,
    /// Number of that commit.
    pub seq: u64,
    /// What is written of it.
    pub restore: Restore,
    /// Targets whose own log lost records: each has executed them.
    pub servers: Vec<String>,
    /// Targets that registered after the backup: unknown from now on.
    pub unknown: Vec<String>,
}

/// NID table versions left free when what nodes hold is not known. They end at 2^31.
const VERSIONS: u64 = 1 << 16;

/// Plans the restore of a backup. `lost`: what is replaced, as far as it can be read.
///
/// # Errors
/// A backup that is none, or of another MGS; a log without room for what may have been lost.
pub fn plan(backup: BTreeMap<String, Vec<u8>>, lost: Option<&View>, how: &How) -> Result<Plan, Error> {
    let view = View::load(backup.iter().map(|(k, v)| (k.as_str(), v.as_slice())))?;
    let refused = |what, next| Err(Error::refused("restore".to_owned(), Errno::EINVAL, what, next));
    let Some(mut meta) = view.meta.clone() else {
        return refused("the backup holds no MGS", "use another backup");
    };
    let lost_meta = lost.and_then(|l| l.meta.as_ref());
    if lost_meta.is_some_and(|m| m.uuid != meta.uuid) {
        return refused("the backup is of another MGS than this data directory", "restore it elsewhere");
    }
    meta.epoch = lost_meta.map_or(meta.epoch, |m| m.epoch.max(meta.epoch)) + 1;
    meta.format.written = meta.format.written.max(FORMAT.written);
    let turns = meta.lose_turns(lost_meta);
    let seq = view.seq + 1;
    let mut restore = Restore {
        epoch: meta.epoch,
        time: how.time,
        backup: view.seq,
        lost: lost.map(|l| l.seq),
        logs: BTreeMap::new(),
        gone: lost
            .into_iter()
            .flat_map(|l| l.logs.keys())
            .filter(|n| !view.logs.contains_key(*n))
            .cloned()
            .collect(),
    };
    let mut changes = BTreeMap::new();
    for (ordinal, (name, entry)) in (0_u64..).zip(&view.logs) {
        let mut new = entry.clone();
        new.head.oid = oid(meta.epoch, seq, ordinal);
        new.head.lost.extend(turns.filter(|_| renewed(name, &view, lost)));
        let held = held(entry, name, lost, how.gap);
        if held > entry.log.last_index() {
            let step = view.fs.get(log_base(name)).map_or(1, |fs| fs.head.generation.saturating_add(1));
            let resume = fence(&mut new, held, step, meta.epoch, how.time).map_err(|e| {
                let what = format!("log '{name}' has no room above index {held}, which nodes may hold: {e}");
                Error::refused(
                    "restore".to_owned(),
                    Errno::ENOSPC,
                    what,
                    "use a smaller gap, or a newer backup",
                )
            })?;
            restore.logs.insert(name.clone(), Fence { last: entry.log.last_index(), resume });
            changes.insert(keys::segment(name, seq), new.written_since(Some(entry), seq).encode());
        }
        changes.insert(keys::log(name), json(&new.head)?);
    }
    for (name, fs) in &view.fs {
        let old = lost.and_then(|l| l.fs.get(name));
        let mut head = fs.head.clone();
        head.generation = old.map_or(0, |o| o.head.generation).max(head.generation).saturating_add(1);
        let base = match (lost, old) {
            (Some(_), Some(old)) => old.head.nidtbl_version.max(head.nidtbl_version),
            _ => head.nidtbl_version + VERSIONS,
        };
        // each entry again, above all that was read
        let mut version = base;
        for id in fs.nidtbl_order.values() {
            let Some(entry) = fs.nidtbl.get(id) else { continue };
            version += 1;
            let entry = super::view::NidEntry { version, ..entry.clone() };
            changes.insert(keys::nidtbl(name, *id), json(&entry)?);
        }
        head.nidtbl_version = version.max(base + 1);
        changes.insert(keys::fs(name), json(&head)?);
    }
    // who had to be remounted before has to be still, whatever the backup says of it
    for (&(epoch, nid), node) in lost.map_or(&view.ahead, |l| &l.ahead) {
        changes.insert(keys::ahead(epoch, nid), json(node)?);
    }
    changes.insert(keys::META.to_owned(), json(&meta)?);
    changes.insert(keys::restore(meta.epoch), json(&restore)?);

    let targets = |view: &View| -> BTreeSet<String> {
        view.fs.iter().flat_map(|(n, fs)| fs.targets.keys().map(move |id| id.svname(n))).collect()
    };
    let known = targets(&view);
    let unknown = lost.map(|l| targets(l).difference(&known).cloned().collect()).unwrap_or_default();
    let servers = known.into_iter().filter(|t| restore.logs.contains_key(t)).collect();
    let record = CommitRecord {
        seq,
        txn: format!("{:032x}", how.txn),
        time: how.time,
        touched: Vec::new(),
        events: vec![Event {
            actor: how.actor.clone(),
            kind: EventKind::Restored { epoch: meta.epoch, backup: view.seq, lost: restore.lost },
        }],
        keys: changes.keys().cloned().collect(),
        prev: view.last_hash.clone(),
    };
    changes.insert(keys::commit(seq), json(&record)?);
    let mut entries = backup;
    view.ahead.keys().for_each(|(epoch, nid)| drop(entries.remove(&keys::ahead(*epoch, *nid))));
    entries.extend(changes);
    // what cannot be read back is not written
    View::load(entries.iter().map(|(k, v)| (k.as_str(), v.as_slice())))?;
    Ok(Plan { entries, seq, restore, servers, unknown })
}

/// Whether a generation of a log is lost, as far as it is known.
fn renewed(name: &str, view: &View, lost: Option<&View>) -> bool {
    let Some(lost) = lost else { return true };
    let generations = [log_of(name).to_owned(), next_of(log_of(name))];
    let oid = |view: &View, name: &String| view.logs.get(name).map(|e| e.head.oid);
    generations.iter().any(|name| oid(view, name) != oid(lost, name))
}

/// Object number of a log: no two logs of any epoch share one.
///
/// ```text
///   8 bits epoch - 1 | 40 bits commit | 16 bits number within the commit
/// ```
pub(super) const fn oid(epoch: u64, seq: u64, ordinal: u64) -> u64 {
    (epoch.saturating_sub(1) << 56) | ((seq << 16) + ordinal)
}

/// The last index of a log that a node may hold.
fn held(entry: &LogEntry, name: &str, lost: Option<&View>, gap: u32) -> u32 {
    let last = entry.log.last_index();
    match lost.map(|l| l.logs.get(name)) {
        Some(Some(old)) if old.head.oid == entry.head.oid => old.log.last_index().max(last),
        // erased since: how far it was read before that is not known
        Some(Some(old)) => old.log.last_index().max(last.saturating_add(gap)),
        Some(None) | None => last.saturating_add(gap),
    }
}

/// Fills a log with records that nobody executes, up to an index above `held`; that index.
fn fence(entry: &mut LogEntry, held: u32, step: u32, epoch: u64, time: i64) -> Result<u32, llog::Error> {
    if entry.log.is_empty() {
        entry.head.created = time;
    }
    let mut marker = Marker {
        step,
        flags: flag::START | flag::SKIP,
        vers: MARKER_VERSION,
        createtime: u64::try_from(time).unwrap_or(0),
        canceltime: u64::try_from(time).unwrap_or(0),
        tgtname: "restore".to_owned(),
        comment: format!("epoch {epoch}"),
    };
    entry.log.append(&LustreCfg::marker_rec(&marker)?, time)?;
    // does nothing even where it is executed
    let nothing = LustreCfg { command: cmd::SET_UPCALL, ..LustreCfg::default() };
    while entry.log.last_index() < held {
        let index = entry.log.append(&nothing, time)?.index;
        entry.log.cancel(index)?;
    }
    marker.flags = flag::END | flag::SKIP;
    Ok(entry.log.append(&LustreCfg::marker_rec(&marker)?, time)?.index)
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|e| Error::Bug { what: format!("restore: {e}") })
}

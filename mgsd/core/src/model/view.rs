//! The view: what the store holds, decoded. Loading and committing go through the same function, [`View::apply`], so
//! that a daemon which restarts sees exactly what it saw before.

use super::ahead::Nodes;
use super::command::retention::Pruned;
use super::connections::Connections;
use super::keys::{self, Key};
use super::logs::{Budget, LogEntry, LogHead};
use super::names::TargetId;
use super::nodemap::Nodemaps;
use super::restore::Restore;
use super::rules::{Policy, Rules};
use super::settings::{Settings, Writeconf};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use tunables::{InUse, Topology};
use wire::Nid;
use wire::llog_rpc::LogId;

/// `meta`: the identity of this MGS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// UUID, from the first start on.
    pub uuid: String,
    /// Name shown to people.
    pub name: String,
    /// Format of the values.
    pub format: Format,
    /// Grows with each restore.
    pub epoch: u64,
    /// Counts renewals and retirements of logs (`model::generation`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub turn: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde wants it
const fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Meta {
    /// A new MGS.
    pub fn new(uuid: &str, name: &str) -> Self {
        let (uuid, name) = (uuid.to_owned(), name.to_owned());
        Self { uuid, name, format: FORMAT, epoch: 1, turn: 0 }
    }
}

impl Meta {
    /// A restore takes turns away: the turns above the one of the backup and below the one from now on, if there are any.
    /// `lost`: what is replaced.
    pub(super) fn lose_turns(&mut self, lost: Option<&Self>) -> Option<(u32, u32)> {
        /// What may be lost when nobody knows.
        const UNKNOWN: u32 = 16;
        let from = self.turn;
        let last = lost.map_or(from + UNKNOWN, |l| l.turn.max(from));
        if last == from {
            return None;
        }
        self.turn = last + 1;
        Some((from, self.turn))
    }
}

/// Which daemons can read these values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// Format that was written.
    pub written: u32,
    /// Oldest format a reader must know.
    pub min_reader: u32,
}

/// Format written by this release.
pub const FORMAT: Format = Format { written: 1, min_reader: 1 };
/// Newest format that this release reads: with generations of logs.
pub const READS: u32 = super::generation::FORMAT.written;

/// `fs/<fs>`: the head of a file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FsHead {
    /// UUID, from its first registration on.
    pub uuid: String,
    /// Unix seconds.
    pub created: i64,
    /// Configuration generation: the marker step last used.
    pub generation: u32,
    /// Version of the NID table; starts at 2, stays below 2^31, never goes back.
    pub nidtbl_version: u64,
    /// Imperative recovery is switched off: the table is kept, nobody is told of its changes.
    #[serde(default)]
    pub recovery_off: bool,
    /// What happens to targets that nobody knows.
    #[serde(default, skip_serializing_if = "Policy::is_open")]
    pub registration: Policy,
    /// What a writeconf does to settings and pools.
    #[serde(default, skip_serializing_if = "Writeconf::is_reapply")]
    pub writeconf: Writeconf,
}

/// `fs/<fs>/target/<OST0000>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// UUID of its own, from its first registration on; a writeconf of the target keeps it.
    pub id: String,
    /// UUID in the logs, `<svname>_UUID` unless the target brought its own.
    pub uuid: String,
    /// NIDs of the last registration that wrote logs.
    #[serde(with = "nid_list")]
    pub nids: Vec<Nid>,
    /// `failover.node=` values, one per occurrence.
    pub failover: Vec<String>,
    /// Parameters as they came with the registration.
    pub params: String,
    /// `mti_lustre_ver`.
    pub lustre_version: u32,
    /// When, and by whom.
    pub registered: Registered,
    /// A READY came since the registration: its reply was not lost.
    pub ready: bool,
}

/// The registration that wrote a target's logs. A repetition that is equal is answered as the first was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Commit that wrote it.
    pub seq: u64,
    /// Unix seconds.
    pub time: i64,
    /// `mti_flags` of the request.
    pub flags: u32,
    /// UUID of the MGC that sent it.
    pub mgc_uuid: String,
}

/// `fs/<fs>/nidtbl/<OST0000>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NidEntry {
    /// Table version of the last change.
    pub version: u64,
    /// Start counter of the target.
    pub instance: u32,
    /// NIDs in the order announced.
    #[serde(with = "nid_list")]
    pub nids: Vec<Nid>,
    /// Commit that wrote it: a registration behind it may count its starts from 1 again.
    #[serde(default)]
    pub seq: u64,
}

/// A file system as held in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fs {
    /// `fs/<fs>`.
    pub head: FsHead,
    /// Targets by kind and index.
    pub targets: BTreeMap<TargetId, Target>,
    /// NID table by target.
    pub nidtbl: BTreeMap<TargetId, NidEntry>,
    /// NID table by version, the order in which it is served.
    pub nidtbl_order: BTreeMap<u64, TargetId>,
}

/// Everything.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Absent in a new store.
    pub meta: Option<Meta>,
    /// Last commit applied.
    pub seq: u64,
    /// SHA-256 (hex) of the last commit record; empty before the first.
    pub last_hash: String,
    /// File systems by name.
    pub fs: BTreeMap<String, Fs>,
    /// Logs by name.
    pub logs: BTreeMap<String, LogEntry>,
    /// Who may register.
    pub rules: Rules,
    /// Which clients are who.
    pub nodemaps: Nodemaps,
    /// What is wanted of nodes.
    pub settings: Settings,
    /// What is registered, as the judge of parameters knows it; kept up to date key by key.
    pub topology: Topology,
    /// Which parameters there are. Not of the store: whoever starts the engine says so.
    pub catalogue: InUse,
    /// Who may connect.
    pub connections: Connections,
    /// Where the commit records begin.
    pruned: Pruned,
    /// The last restore from a backup.
    pub restore: Option<Restore>,
    /// Nodes that hold what a restore took away.
    pub ahead: Nodes,
    /// Names of logs by object number, for requests that carry a log id.
    log_names: BTreeMap<u64, String>,
}

fn corrupt(key: &str, why: impl std::fmt::Display) -> Error {
    Error::Storage {
        what: format!("value of '{key}' cannot be used: {why}; run 'mgsd check' and restore a backup"),
        errno: crate::Errno::EIO,
    }
}

fn json<T: serde::de::DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(value).map_err(|e| corrupt(key, e))
}

impl View {
    /// Applies one key: a value, or its deletion. Keys of later releases are kept by the store and ignored here.
    pub fn apply(&mut self, key: &str, value: Option<&[u8]>) -> Result<(), Error> {
        self.apply_key(Key::parse(key), key, value)
    }

    /// The same, in a view to which the changes of the same commit were applied before: what is large there is shared.
    pub fn apply_as_in(&mut self, later: &Self, key: &str, value: Option<&[u8]>) -> Result<(), Error> {
        let parsed = Key::parse(key);
        match (&parsed, value) {
            (Some(Key::Nodemap(name)), value) => {
                self.nodemaps.adopt(name, &later.nodemaps);
                self.judge_nodemap(name, value.is_some());
                Ok(())
            }
            (Some(Key::NodemapPart(part)), _) => {
                self.nodemaps.adopt(part.name, &later.nodemaps);
                Ok(())
            }
            _ => self.apply_key(parsed, key, value),
        }
    }

    fn judge_nodemap(&mut self, name: &str, is_there: bool) {
        match is_there {
            true => self.topology.add_nodemap(name),
            false => self.topology.remove_nodemap(name),
        }
    }

    fn apply_key(&mut self, parsed: Option<Key<'_>>, key: &str, value: Option<&[u8]>) -> Result<(), Error> {
        match (parsed, value) {
            (Some(Key::Meta), Some(v)) => {
                self.meta = Some(json(key, v)?);
                self.topology.know_nodemaps();
            }
            (Some(Key::Commit(seq)), Some(v)) if seq >= self.seq => {
                self.seq = seq;
                self.last_hash = sha256_hex(v);
            }
            (Some(Key::Fs(fs)), Some(v)) => {
                let head: FsHead = json(key, v)?;
                self.topology.add_filesystem(fs);
                self.fs.entry(fs.to_owned()).and_modify(|f| f.head = head.clone()).or_insert_with(|| Fs {
                    head,
                    targets: BTreeMap::new(),
                    nidtbl: BTreeMap::new(),
                    nidtbl_order: BTreeMap::new(),
                });
            }
            (Some(Key::Fs(fs)), None) => {
                self.fs.remove(fs);
                self.topology.remove_filesystem(fs);
            }
            (Some(Key::Target(fs, id)), value) => {
                let target = value.map(|v| json::<Target>(key, v)).transpose()?;
                let name = fs;
                let Some(fs) = self.fs.get_mut(fs) else {
                    // it went with its file system
                    return if target.is_none() {
                        Ok(())
                    } else {
                        Err(corrupt(key, "its file system is missing"))
                    };
                };
                match &target {
                    Some(t) => self.topology.add_target(name, id.judged(), version(t.lustre_version)),
                    None => self.topology.remove_target(name, id.judged()),
                }
                match target {
                    Some(t) => fs.targets.insert(id, t),
                    None => fs.targets.remove(&id),
                };
            }
            (Some(Key::NidTbl(fs, id)), value) => {
                let entry = value.map(|v| json::<NidEntry>(key, v)).transpose()?;
                match self.fs.get_mut(fs) {
                    Some(fs) => fs.set_nids(id, entry),
                    None if entry.is_none() => {}
                    None => return Err(corrupt(key, "its file system is missing")),
                }
            }
            (Some(Key::Rule(rule)), value) => {
                self.rules.apply(rule, value).map_err(|why| corrupt(key, why))?;
            }
            (Some(Key::Setting(setting)), value) => {
                self.settings.apply(setting, value).map_err(|why| corrupt(key, why))?;
            }
            (Some(Key::Nodemaps), value) => {
                self.nodemaps.head = value.map(|v| json(key, v)).transpose()?.unwrap_or_default();
            }
            (Some(Key::Nodemap(name)), value) => {
                self.nodemaps.apply(name, value).map_err(|why| corrupt(key, why))?;
                self.judge_nodemap(name, value.is_some());
            }
            (Some(Key::NodemapPart(part)), value) => {
                self.nodemaps.apply_part(part, value).map_err(|why| corrupt(key, why))?;
            }
            (Some(Key::Connections), value) => {
                self.connections = value.map(|v| json(key, v)).transpose()?.unwrap_or_default();
            }
            (Some(Key::Pruned), Some(v)) => self.pruned = json(key, v)?,
            // in the order of epochs: the last one stays
            (Some(Key::Restore(_)), Some(v)) => self.restore = Some(json(key, v)?),
            (Some(Key::Ahead(epoch, nid)), Some(v)) => drop(self.ahead.insert((epoch, nid), json(key, v)?)),
            (Some(Key::Ahead(epoch, nid)), None) => drop(self.ahead.remove(&(epoch, nid))),
            (Some(Key::Log(log)), Some(v)) => {
                let head: LogHead = json(key, v)?;
                self.log_names.insert(head.oid, log.to_owned());
                match self.logs.get_mut(log) {
                    Some(entry) => {
                        let old = entry.head.oid;
                        if old != head.oid && self.log_names.get(&old).is_some_and(|name| name == log) {
                            self.log_names.remove(&old);
                        }
                        entry.set_head(head);
                    }
                    None => {
                        self.logs.insert(log.to_owned(), LogEntry::new(head));
                    }
                }
            }
            (Some(Key::Log(log)), None) => {
                // A generation that takes over the name of the log keeps its number.
                if let Some(entry) = self.logs.remove(log)
                    && self.log_names.get(&entry.head.oid).is_some_and(|name| name == log)
                {
                    self.log_names.remove(&entry.head.oid);
                }
            }
            (Some(Key::Segment(log, seq)), value) => {
                if let Some(entry) = self.logs.get_mut(log) {
                    entry.set_segment(seq, value).map_err(|why| corrupt(key, why))?;
                } else if value.is_some() {
                    return Err(corrupt(key, "its log has no head"));
                }
            }
            // Old commits go by retention; nothing else of ours is ever deleted, and the rest is not ours.
            (Some(Key::Meta | Key::Pruned | Key::Commit(_) | Key::Restore(_)), _) | (None, _) => {}
        }
        Ok(())
    }

    /// Builds a view from all entries of a store, in key order.
    pub fn load<'a>(entries: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, Error> {
        let mut view = Self::default();
        for (key, value) in entries {
            view.apply(key, Some(value))?;
        }
        if let Some(meta) = &view.meta
            && meta.format.min_reader > READS
        {
            return Err(corrupt(
                keys::META,
                format!(
                    "format {} needs a reader of format {}, this mgsd reads up to {}",
                    meta.format.written, meta.format.min_reader, READS
                ),
            ));
        }
        Ok(view)
    }
}

impl View {
    /// The log that has used up most of its life.
    pub fn fullest_log(&self) -> Option<(&str, Budget)> {
        self.logs
            .iter()
            .map(|(name, log)| (name.as_str(), log.budget()))
            .max_by_key(|(_, budget)| budget.used)
    }

    /// The last commit whose record was deleted; 0: all are there.
    pub const fn pruned(&self) -> u64 {
        self.pruned.through
    }

    /// The same, with its hash: the anchor of the chain of records.
    pub const fn anchor(&self) -> &Pruned {
        &self.pruned
    }

    /// A log by its id. The id of an erased log finds nothing, even if the name was used again.
    pub fn log_by_id(&self, id: LogId) -> Option<(&str, &LogEntry)> {
        let name = self.log_names.get(&id.oid)?;
        let entry = self.logs.get(name).filter(|e| e.id() == id)?;
        Some((name, entry))
    }
}

/// `OBD_OCD_VERSION`: a byte each. 0: not known.
fn version(v: u32) -> Option<tunables::Version> {
    let text = format!("{}.{}.{}", v >> 24, (v >> 16) & 0xff, (v >> 8) & 0xff);
    text.parse().ok().filter(|_| v != 0)
}

impl Fs {
    fn set_nids(&mut self, id: TargetId, entry: Option<NidEntry>) {
        if let Some(old) = self.nidtbl.remove(&id) {
            self.nidtbl_order.remove(&old.version);
        }
        if let Some(entry) = entry {
            self.nidtbl_order.insert(entry.version, id);
            self.nidtbl.insert(id, entry);
        }
    }
}

/// SHA-256 as lower-case hex: the link of the commit chain.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// NIDs as text in JSON values, so that a person can read them.
pub(super) mod nid_list {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
    use wire::Nid;

    pub(in super::super) fn serialize<S: Serializer>(nids: &[Nid], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(nids.iter().map(ToString::to_string))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Nid>, D::Error> {
        let texts = Vec::<String>::deserialize(d)?;
        texts.iter().map(|t| t.parse().map_err(|_| D::Error::custom(format!("bad NID '{t}'")))).collect()
    }
}

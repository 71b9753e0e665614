//! A transaction on a view: reads through to it, keeps what it changes to itself, and ends as a set of key changes.
//! Dropped, it leaves no trace: that is how a failed registration frees its index.

use super::Resource;
use super::ahead::{self, AheadChanges};
use super::command::Done;
use super::command::retention::Pruned;
use super::commit::{Event, EventKind};
use super::connections::Connections;
use super::keys;
use super::logs::{FIRST, LogEntry, LogHead};
use super::names::TargetId;
use super::nodemap::changes::NodemapChanges;
use super::replaced::Replaced;
use super::rules::RuleChanges;
use super::settings::SettingChanges;
use super::view::{FsHead, Meta, NidEntry, Target, View};
use crate::Errno;
use crate::error::Error;
use llog::lcfg::LustreCfg;
use llog::marker::{Marker, flag};
use std::collections::{BTreeMap, BTreeSet};

/// Version word of markers: what a node shows for the writer of a section.
pub const MARKER_VERSION: u32 = 0x0211_3900;

/// Values to write, deletions as `None`. The last write of a key in a commit wins.
pub type Changes = BTreeMap<String, Option<Vec<u8>>>;

/// What a finished transaction leaves.
#[derive(Debug, Default)]
pub struct Finished {
    /// Changes of the store.
    pub changes: Changes,
    /// Resources whose readers are to be told.
    pub touched: BTreeSet<Resource>,
    /// For the commit record.
    pub events: Vec<Event>,
    /// It is to be a commit although it changes nothing stored.
    pub noted: bool,
    /// Its logs are somebody else's, taken as they are: what a reader would stumble over was said.
    pub as_found: bool,
}

/// A transaction.
pub struct Tx<'a> {
    pub(super) view: &'a View,
    /// Number that the commit will get.
    seq: u64,
    /// Unix seconds.
    wall: i64,
    actor: String,
    /// Logs created so far in the commit, to number the next one.
    ordinal: u64,
    meta: Option<Meta>,
    heads: BTreeMap<String, Option<FsHead>>,
    targets: BTreeMap<(String, TargetId), Option<Target>>,
    nidtbl: BTreeMap<(String, TargetId), Option<NidEntry>>,
    pub(super) logs: BTreeMap<String, Option<LogEntry>>,
    pub(super) edited: BTreeSet<(String, u64)>,
    pub(super) rules: RuleChanges,
    pub(super) nodemaps: NodemapChanges,
    pub(super) replaced: Replaced,
    pub(super) ahead: AheadChanges,
    pub(super) settings: SettingChanges,
    pub(super) connections: Option<Connections>,
    /// [`Config::dead_sections`](crate::engine::Config::dead_sections).
    pub dead_sections: bool,
    pruned: Option<Pruned>,
    out: Finished,
    warnings: Vec<String>,
}

impl<'a> Tx<'a> {
    /// Starts on a view. `seq` is the number the commit will get, `ordinal` how many logs it has created before.
    pub fn new(view: &'a View, seq: u64, ordinal: u64, wall: i64, actor: String) -> Self {
        Self {
            view,
            seq,
            wall,
            actor,
            ordinal,
            meta: None,
            heads: BTreeMap::new(),
            targets: BTreeMap::new(),
            nidtbl: BTreeMap::new(),
            logs: BTreeMap::new(),
            edited: BTreeSet::new(),
            rules: RuleChanges::default(),
            nodemaps: NodemapChanges::default(),
            replaced: Replaced::default(),
            ahead: AheadChanges::default(),
            settings: SettingChanges::default(),
            connections: None,
            dead_sections: false,
            pruned: None,
            out: Finished::default(),
            warnings: Vec::new(),
        }
    }

    /// Number that the commit will get.
    pub const fn seq(&self) -> u64 {
        self.seq
    }
    /// Unix seconds.
    pub const fn wall(&self) -> i64 {
        self.wall
    }
    /// Who does it.
    pub fn actor(&self) -> &str {
        &self.actor
    }
    /// Logs created by the commit so far.
    pub const fn ordinal(&self) -> u64 {
        self.ordinal
    }

    /// Notes an event for the commit record.
    pub fn event(&mut self, mut kind: EventKind) {
        self.replaced.fill(&mut kind);
        self.out.events.push(Event { actor: self.actor.clone(), kind });
    }
    /// Has something written down that changes nothing stored.
    pub fn note(&mut self, events: &[Event]) {
        self.out.noted = true;
        self.out.events.extend_from_slice(events);
    }
    /// Notes that readers of a resource are to be told.
    pub fn touch(&mut self, resource: Resource) {
        self.out.touched.insert(resource);
    }

    /// The last commit whose record is deleted.
    pub fn pruned(&self) -> u64 {
        self.pruned.as_ref().map_or(self.view.pruned(), |p| p.through)
    }
    /// Deletes the records up to there.
    pub fn prune(&mut self, pruned: Pruned) {
        self.pruned = Some(pruned);
    }

    /// Tells whoever ordered this of something.
    pub fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// The identity of the MGS.
    pub(super) fn meta(&self) -> Option<&Meta> {
        self.meta.as_ref().or(self.view.meta.as_ref())
    }
    /// Sets the identity of the MGS.
    pub fn set_meta(&mut self, meta: Meta) {
        self.meta = Some(meta);
    }

    /// Head of a file system.
    pub fn head(&self, fs: &str) -> Option<&FsHead> {
        match self.heads.get(fs) {
            Some(changed) => changed.as_ref(),
            None => self.view.fs.get(fs).map(|f| &f.head),
        }
    }
    /// Sets it.
    pub fn set_head(&mut self, fs: &str, head: FsHead) {
        self.heads.insert(fs.to_owned(), Some(head));
    }
    /// Forgets a file system. Whoever calls forgets its targets, too.
    pub fn remove_head(&mut self, fs: &str) {
        self.heads.insert(fs.to_owned(), None);
    }

    /// A target.
    pub fn target(&self, fs: &str, id: TargetId) -> Option<&Target> {
        match self.targets.get(&(fs.to_owned(), id)) {
            Some(changed) => changed.as_ref(),
            None => self.view.fs.get(fs).and_then(|f| f.targets.get(&id)),
        }
    }
    /// All targets of a file system, MDTs first, by index.
    pub fn targets(&self, fs: &str) -> Vec<TargetId> {
        let mut ids: BTreeSet<TargetId> =
            self.view.fs.get(fs).map(|f| f.targets.keys().copied().collect()).unwrap_or_default();
        for ((_, id), target) in self.targets.iter().filter(|((name, _), _)| name == fs) {
            if target.is_some() {
                ids.insert(*id);
            } else {
                ids.remove(id);
            }
        }
        ids.into_iter().collect()
    }
    /// MDTs of a file system by index.
    pub fn mdts(&self, fs: &str) -> Vec<TargetId> {
        let mdt = |id: &TargetId| id.kind == super::TargetKind::Mdt;
        let known = self.view.fs.get(fs).map(|f| f.targets.keys().copied().take_while(mdt));
        let mut ids: BTreeSet<TargetId> = known.into_iter().flatten().collect();
        for ((_, id), target) in self.targets.iter().filter(|((name, id), _)| name == fs && mdt(id)) {
            if target.is_some() {
                ids.insert(*id);
            } else {
                ids.remove(id);
            }
        }
        ids.into_iter().collect()
    }
    /// Sets or removes a target.
    pub fn set_target(&mut self, fs: &str, id: TargetId, target: Option<Target>) {
        self.targets.insert((fs.to_owned(), id), target);
    }

    /// An entry of the NID table.
    pub fn nids(&self, fs: &str, id: TargetId) -> Option<&NidEntry> {
        match self.nidtbl.get(&(fs.to_owned(), id)) {
            Some(changed) => changed.as_ref(),
            None => self.view.fs.get(fs).and_then(|f| f.nidtbl.get(&id)),
        }
    }
    /// Sets or removes an entry.
    pub fn set_nids(&mut self, fs: &str, id: TargetId, entry: Option<NidEntry>) {
        self.nidtbl.insert((fs.to_owned(), id), entry);
    }
    /// Removes every entry of a file system.
    pub fn clear_nids(&mut self, fs: &str) {
        let ids: Vec<TargetId> =
            self.view.fs.get(fs).map(|f| f.nidtbl.keys().copied().collect()).unwrap_or_default();
        for id in ids {
            self.set_nids(fs, id, None);
        }
        self.nidtbl.iter_mut().filter(|((name, _), _)| name == fs).for_each(|(_, entry)| *entry = None);
    }

    /// A log; `None` when it does not exist.
    pub fn log(&self, name: &str) -> Option<&LogEntry> {
        match self.logs.get(name) {
            Some(changed) => changed.as_ref(),
            None => self.view.logs.get(name),
        }
    }
    /// The log does not exist, or has no record.
    pub fn log_is_empty(&self, name: &str) -> bool {
        self.log(name).is_none_or(|entry| entry.log.is_empty())
    }
    /// Names of the logs of a file system: everything whose last `-` stands behind its name.
    pub fn logs_of(&self, fs: &str) -> Vec<String> {
        let known = self.view.logs.keys().filter(|n| !self.logs.contains_key(*n));
        let changed = self.logs.iter().filter(|(_, e)| e.is_some()).map(|(n, _)| n);
        known.chain(changed).filter(|n| super::names::is_log_of(fs, n)).cloned().collect()
    }
    /// Makes an empty log, if there is none of that name.
    pub fn create_log(&mut self, name: &str) {
        if self.log(name).is_none() {
            let epoch = self.view.meta.as_ref().map_or(1, |m| m.epoch);
            let oid = super::restore::oid(epoch, self.seq, self.ordinal & 0xffff);
            let head = LogHead { oid, ..LogHead::default() };
            self.ordinal += 1;
            self.logs.insert(name.to_owned(), Some(LogEntry::new(head)));
        }
    }
    /// Erases a log. A log made later under the name is another one, with another id.
    pub fn erase_log(&mut self, name: &str) {
        self.logs.insert(name.to_owned(), None);
    }

    pub(super) fn log_mut(&mut self, name: &str) -> Result<&mut LogEntry, Error> {
        if !matches!(self.logs.get(name), Some(Some(_))) {
            if self.log(name).is_none() {
                self.create_log(name);
            } else if let Some(entry) = self.view.logs.get(name) {
                self.logs.insert(name.to_owned(), Some(entry.clone()));
            }
        }
        match self.logs.get_mut(name) {
            Some(Some(entry)) => Ok(entry),
            _ => Err(Error::Bug { what: format!("log '{name}' vanished within a transaction") }),
        }
    }

    pub(super) fn append(&mut self, name: &str, record: &LustreCfg) -> Result<(), Error> {
        let wall = self.wall;
        let entry = self.log_mut(name)?;
        if entry.log.is_empty() {
            entry.head.created = wall;
        }
        entry.log.append(record, wall).map(drop).map_err(|e| {
            Error::refused(
                format!("log '{name}'"),
                Errno::ENOSPC,
                e.to_string(),
                "a log holds 64767 records in its life; 'mgsctl log renew' and 'log retire' begin at 1 again",
            )
        })
    }

    fn append_marker(&mut self, log: &str, marker: &Marker) -> Result<(), Error> {
        let record = LustreCfg::marker_rec(marker).map_err(|e| {
            Error::refused(
                format!(
                    "section '{}' of '{}'",
                    marker.comment.escape_default(),
                    marker.tgtname.escape_default()
                ),
                Errno::E2BIG,
                e.to_string(),
                "names in a log have at most 63 bytes",
            )
        })?;
        self.append(log, &record)
    }

    /// How many logs it writes to, and how many markers it edits: the same before and after means that nothing was done.
    pub fn changed_logs(&self) -> (usize, usize) {
        let appended = self.logs.values().flatten().map(|entry| entry.log.last_index() as usize).sum();
        (appended, self.edited.len())
    }
    /// The logs that it writes are somebody else's, and are not to be mended here.
    pub const fn as_found(&mut self) {
        self.out.as_found = true;
    }
    /// Something happened so far.
    pub fn has_events(&self) -> bool {
        !self.out.events.is_empty()
    }
    /// Names of the file systems.
    pub fn file_systems(&self) -> BTreeSet<String> {
        self.view.fs.keys().chain(self.heads.keys()).filter(|fs| self.head(fs).is_some()).cloned().collect()
    }

    /// Appends a section to `params`, which counts its steps by itself.
    pub fn params_section(&mut self, tag: &str, path: &str, records: &[LustreCfg]) -> Result<(), Error> {
        let log = super::command::param::PARAMS;
        let last = self.log(log).and_then(|entry| {
            let markers = entry.log.records().filter_map(|r| r.cfg().ok()?.marker());
            markers.map(|m| m.step).max()
        });
        self.section_at(last.unwrap_or(1) + 1, log, tag, path, 0, records)
    }

    /// Appends a section: START, the records, END, all with the next step of the file system.
    /// `flags` (SKIP, EXCLUDE) go on both markers.
    pub fn section(
        &mut self,
        fs: &str,
        log: &str,
        tgtname: &str,
        comment: &str,
        flags: u32,
        records: &[LustreCfg],
    ) -> Result<(), Error> {
        let Some(mut head) = self.head(fs).cloned() else {
            return Err(Error::Bug { what: format!("section for unknown file system '{fs}'") });
        };
        head.generation += 1;
        let step = head.generation;
        self.set_head(fs, head);
        self.section_at(step, log, tgtname, comment, flags, records)
    }

    fn section_at(
        &mut self,
        step: u32,
        log: &str,
        tgtname: &str,
        comment: &str,
        flags: u32,
        records: &[LustreCfg],
    ) -> Result<(), Error> {
        let mut marker = Marker {
            step,
            flags: flag::START | flags,
            vers: MARKER_VERSION,
            createtime: u64::try_from(self.wall).unwrap_or(0),
            canceltime: 0,
            tgtname: tgtname.to_owned(),
            comment: comment.to_owned(),
        };
        self.append_marker(log, &marker)?;
        for record in records {
            self.append(log, record)?;
        }
        marker.flags = flag::END | flags;
        self.append_marker(log, &marker)
    }

    /// Marks every live section with this target name and comment as skipped, in place.
    pub fn skip_sections(&mut self, log: &str, tgtname: &str, comment: &str) -> Result<(), Error> {
        self.note_replaced(log, tgtname, comment);
        let cancel = u64::try_from(self.wall).unwrap_or(0);
        self.edit_sections(log, tgtname, comment, |m| {
            m.flags |= flag::SKIP;
            m.canceltime = cancel;
        })
    }

    /// Sets or clears EXCLUDE on every live section: mounts to come add the target inactive.
    pub fn exclude_sections(
        &mut self,
        log: &str,
        tgtname: &str,
        comment: &str,
        on: bool,
    ) -> Result<(), Error> {
        let cancel = if on { u64::try_from(self.wall).unwrap_or(0) } else { 0 };
        self.edit_sections(log, tgtname, comment, |m| {
            m.flags = if on { m.flags | flag::EXCLUDE } else { m.flags & !flag::EXCLUDE };
            m.canceltime = cancel;
        })
    }

    /// The records of the live sections with this key.
    pub fn live_values(&self, log: &str, tgtname: &str, comment: &str) -> Vec<LustreCfg> {
        let Some(entry) = self.log(log) else { return Vec::new() };
        let mut out = Vec::new();
        let mut open = false;
        for cfg in entry.log.records().filter(|r| r.live).filter_map(|r| r.cfg().ok()) {
            match cfg.marker() {
                Some(m) => {
                    let hit = m.flags & flag::SKIP == 0 && m.tgtname == tgtname && m.comment == comment;
                    open = hit && m.flags & flag::START != 0;
                }
                None if open => out.push(cfg),
                None => {}
            }
        }
        out
    }

    fn edit_sections(
        &mut self,
        log: &str,
        tgtname: &str,
        comment: &str,
        edit: impl Fn(&mut Marker),
    ) -> Result<(), Error> {
        let Some(entry) = self.log(log) else { return Ok(()) };
        let hits: Vec<(u32, u64)> = entry
            .log
            .records()
            .filter(|r| r.live)
            .filter_map(|r| {
                let marker = r.cfg().ok()?.marker()?;
                (marker.flags & flag::SKIP == 0 && marker.tgtname == tgtname && marker.comment == comment)
                    .then_some((r.index, r.offset))
            })
            .collect();
        self.edit_markers(log, hits, edit)
    }

    pub(super) fn edit_markers(
        &mut self,
        log: &str,
        hits: Vec<(u32, u64)>,
        edit: impl Fn(&mut Marker),
    ) -> Result<(), Error> {
        for (index, offset) in hits {
            let entry = self.log_mut(log)?;
            entry
                .log
                .edit_marker(index, &edit)
                .map_err(|e| Error::Bug { what: format!("marker {index} of '{log}': {e}") })?;
            self.edited.insert((log.to_owned(), offset));
        }
        Ok(())
    }

    /// What the transaction did so far, for whoever ordered it.
    pub fn done(&self, dry_run: bool) -> Done {
        let changed = !self.out.events.is_empty() && !dry_run;
        Done {
            warnings: self.warnings.clone(),
            seq: changed.then_some(self.seq),
            events: self.out.events.iter().map(|e| e.kind.clone()).collect(),
            notified: self.out.touched.iter().cloned().collect(),
            logs: self.effects().into_iter().chain(self.index_effect()).collect(),
        }
    }

    /// Ends the transaction as changes of the store.
    pub fn finish(mut self) -> Result<Finished, Error> {
        self.mirror()?;
        let mut out = std::mem::take(&mut self.out);
        if let Some(meta) = &self.meta {
            put(&mut out.changes, keys::META.to_owned(), meta)?;
        }
        for (fs, head) in &self.heads {
            if self.view.fs.get(fs).map(|f| &f.head) != head.as_ref() {
                put_or_delete(&mut out.changes, keys::fs(fs), head.as_ref())?;
            }
        }
        self.rules.finish(&mut out.changes)?;
        ahead::finish(&self.ahead, &mut out.changes)?;
        self.nodemaps.finish(&self.view.nodemaps, &mut out.changes)?;
        self.settings.finish(&mut out.changes)?;
        if let Some(connections) = &self.connections {
            let stored = Some(connections).filter(|c| !c.is_open());
            put_or_delete(&mut out.changes, keys::CONNECTIONS.to_owned(), stored)?;
        }
        if let Some(pruned) = &self.pruned {
            put(&mut out.changes, keys::PRUNED.to_owned(), pruned)?;
            let gone = self.view.pruned() + 1..=pruned.through;
            out.changes.extend(gone.map(|seq| (keys::commit(seq), None)));
        }
        for ((fs, id), target) in &self.targets {
            put_or_delete(&mut out.changes, keys::target(fs, *id), target.as_ref())?;
        }
        for ((fs, id), entry) in &self.nidtbl {
            put_or_delete(&mut out.changes, keys::nidtbl(fs, *id), entry.as_ref())?;
        }
        for (name, entry) in &self.logs {
            let old = self.view.logs.get(name);
            let reborn = match (old, entry) {
                (Some(old), Some(new)) => old.head.oid != new.head.oid,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if let Some(old) = old.filter(|_| reborn) {
                out.changes.insert(keys::log(name), None);
                out.changes.extend(old.segment_seqs().map(|seq| (keys::segment(name, seq), None)));
            }
            if let Some(new) = entry {
                self.finish_log(&mut out.changes, name, old.filter(|_| !reborn), new)?;
            }
        }
        Ok(out)
    }

    fn finish_log(
        &self,
        changes: &mut Changes,
        name: &str,
        old: Option<&LogEntry>,
        new: &LogEntry,
    ) -> Result<(), Error> {
        if old.map(|o| &o.head) != Some(&new.head) {
            put(changes, keys::log(name), &new.head)?;
        }
        let old_end = old.map_or(FIRST, LogEntry::end);
        // Each segment once, whatever was edited in it.
        let mut written = 0;
        let edits = self.edited.range((name.to_owned(), 0)..(name.to_owned(), old_end));
        for (_, offset) in edits {
            if let Some(seq) = old.and_then(|o| o.segment_at(*offset)).filter(|_| *offset >= written) {
                let segment = new.segment_before(seq, old_end);
                written = segment.end();
                changes.insert(keys::segment(name, seq), Some(segment.encode()));
            }
        }
        if new.end() > old_end {
            let segment = new.written_since(old, self.seq);
            changes.insert(keys::segment(name, self.seq), Some(segment.encode()));
        }
        Ok(())
    }
}

fn put<T: serde::Serialize>(changes: &mut Changes, key: String, value: &T) -> Result<(), Error> {
    let bytes =
        serde_json::to_vec(value).map_err(|e| Error::Bug { what: format!("value of '{key}': {e}") })?;
    changes.insert(key, Some(bytes));
    Ok(())
}

pub(super) fn put_or_delete<T: serde::Serialize>(
    changes: &mut Changes,
    key: String,
    value: Option<&T>,
) -> Result<(), Error> {
    match value {
        Some(value) => put(changes, key, value),
        None => {
            changes.insert(key, None);
            Ok(())
        }
    }
}

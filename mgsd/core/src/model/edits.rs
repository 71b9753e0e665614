//! What a transaction does to logs beyond sections: records cancelled or changed in their place, whole logs copied,
//! written anew, moved.

use super::command::LogEffect;
use super::logs::LogEntry;
use super::tx::Tx;
use crate::Errno;
use crate::error::Error;
use llog::lcfg::LustreCfg;
use llog::marker::flag;
use std::collections::BTreeSet;

/// Ending of a log that was kept before it was written anew: `testfs-client.1795232206.bak`, as a kernel MGS names it.
pub const BACKUP: &str = ".bak";

impl Tx<'_> {
    /// Clears the bits of live records; their bytes and indices stay. Readers that are past them see nothing of it.
    ///
    /// # Errors
    /// `EINVAL` for index 0, `ENOENT` when no live record has the index.
    pub fn cancel_records(&mut self, log: &str, indices: &[u32]) -> Result<(), Error> {
        for &index in indices {
            let entry = self.log_mut(log)?;
            let offset = entry.log.record(index).map(|r| r.offset);
            let found = entry
                .log
                .cancel(index)
                .and_then(|()| offset.ok_or(llog::Error::NotFound { index, last: entry.log.last_index() }));
            let offset = found.map_err(|e| {
                let errno = if index == 0 { Errno::EINVAL } else { Errno::ENOENT };
                let hint = format!("'mgsctl log print --raw {log}' shows the records in force");
                Error::refused(format!("record {index} of log '{log}'"), errno, e.to_string(), hint)
            })?;
            self.edited.insert((log.to_owned(), offset));
        }
        Ok(())
    }

    /// Puts another command of the same length in the place of a live record: for readers to come.
    ///
    /// # Errors
    /// A length that differs is a bug: whoever calls makes it fit.
    pub fn replace_record(&mut self, log: &str, index: u32, record: &LustreCfg) -> Result<(), Error> {
        let bug = |e: &dyn std::fmt::Display| Error::Bug { what: format!("record {index} of '{log}': {e}") };
        let entry = self.log_mut(log)?;
        let offset = entry.log.record(index).map(|r| r.offset).ok_or_else(|| bug(&"is not there"))?;
        entry.log.replace(index, record).map_err(|e| bug(&e))?;
        self.edited.insert((log.to_owned(), offset));
        Ok(())
    }

    /// Keeps a log as it is under the name that a kernel MGS gives to backups. A second one in the same second gets
    /// the next free name, where the kernel loses the first.
    pub fn back_up(&mut self, log: &str) -> Option<String> {
        let source = self.log(log)?.clone();
        let second = self.wall();
        let name = (second..).map(|s| format!("{log}.{s}{BACKUP}")).find(|name| self.log(name).is_none())?;
        self.create_log(&name);
        if let Some(Some(copy)) = self.logs.get_mut(&name) {
            copy.head.created = source.head.created;
            copy.log = source.log;
        }
        Some(name)
    }

    /// Erases a log and writes another one under its name: with another id, and indices from 1 on. Whoever has read
    /// the old one has to start anew.
    pub fn rewrite_log(&mut self, log: &str, records: &[LustreCfg]) -> Result<(), Error> {
        self.erase_log(log);
        self.create_log(log);
        records.iter().try_for_each(|record| self.append(log, record))
    }

    /// Live records of a log with their indices, markers among them.
    pub fn records(&self, log: &str) -> Vec<(u32, LustreCfg)> {
        let entry = self.log(log);
        let live = entry.into_iter().flat_map(|e| e.log.records()).filter(|r| r.live);
        live.filter_map(|r| Some((r.index, r.cfg().ok()?))).collect()
    }

    /// Skips sections whose record has exactly this `name=value`; all of them when none is given.
    pub fn skip_values(
        &mut self,
        log: &str,
        tgtname: &str,
        comment: &str,
        text: Option<&str>,
    ) -> Result<(), Error> {
        let Some(text) = text else { return self.skip_sections(log, tgtname, comment) };
        let Some(entry) = self.log(log) else { return Ok(()) };
        let (mut hits, mut open, mut equal) = (Vec::new(), Vec::new(), false);
        for r in entry.log.records().filter(|r| r.live) {
            let Ok(cfg) = r.cfg() else { continue };
            match cfg.marker() {
                Some(m) if m.flags & flag::SKIP != 0 || m.tgtname != tgtname || m.comment != comment => {}
                Some(m) if m.is_start() => (open, equal) = (vec![(r.index, r.offset)], false),
                Some(_) if equal => {
                    hits.append(&mut open);
                    hits.push((r.index, r.offset));
                }
                Some(_) => {}
                None => equal |= !open.is_empty() && cfg.buf_str(1) == Some(text),
            }
        }
        if !hits.is_empty() {
            self.note_value(comment, text);
        }
        let cancel = u64::try_from(self.wall()).unwrap_or(0);
        self.edit_markers(log, hits, |m| {
            m.flags |= flag::SKIP;
            m.canceltime = cancel;
        })
    }

    /// A device is about to be added anew: what stands before that, and speaks of it, is skipped. A reader that begins
    /// would find no such device there, and stop.
    pub fn skip_device(&mut self, log: &str, device: &str) -> Result<(), Error> {
        let about = format!("{device}.");
        let mut found = BTreeSet::new();
        for (_, cfg) in self.records(log) {
            let live = cfg.marker().filter(|m| m.is_start() && !m.is_skip());
            found.extend(
                live.filter(|m| m.tgtname == device || m.comment.starts_with(&about))
                    .map(|m| (m.tgtname, m.comment)),
            );
        }
        found.iter().try_for_each(|(tgtname, comment)| self.skip_sections(log, tgtname, comment))
    }

    /// What it does to logs, for people to see before or after. Backups are copies, and not shown.
    pub fn effects(&self) -> Vec<LogEffect> {
        let mut out = Vec::new();
        for (name, entry) in self.logs.iter().filter(|(name, _)| !name.ends_with(BACKUP)) {
            let old = self.view.logs.get(name);
            let kept = old.zip(entry.as_ref()).filter(|(old, new)| old.head.oid == new.head.oid);
            let from = kept.map_or(1, |(old, _)| old.log.last_index() + 1);
            let (cancelled, edited) =
                kept.map(|(old, new)| self.changed_in_place(name, old, new)).unwrap_or_default();
            let appended = entry.as_ref().map_or_else(String::new, |entry| {
                llog::text::yaml(&entry.log, true, &(from..=entry.log.last_index()))
            });
            let effect = LogEffect {
                log: name.clone(),
                erased: old.is_some() && kept.is_none(),
                edited,
                cancelled,
                appended: appended.lines().map(str::to_owned).collect(),
            };
            if effect != (LogEffect { log: name.clone(), ..LogEffect::default() }) {
                out.push(effect);
            }
        }
        out
    }

    /// Indices of records that were there before: cancelled, and edited.
    fn changed_in_place(&self, name: &str, old: &LogEntry, new: &LogEntry) -> (Vec<u32>, Vec<u32>) {
        let offsets: BTreeSet<u64> =
            self.edited.iter().filter(|(log, _)| log == name).map(|(_, offset)| *offset).collect();
        if offsets.is_empty() {
            return Default::default();
        }
        let last = old.log.last_index();
        let touched =
            new.log.records().take_while(|r| r.index <= last).filter(|r| offsets.contains(&r.offset));
        let (gone, edited): (Vec<_>, Vec<_>) = touched.partition(|r| !r.live);
        (gone.iter().map(|r| r.index).collect(), edited.iter().map(|r| r.index).collect())
    }
}

//! Which generation of a log a node is given, and who is pinned to an older one (`model::generation`).

use super::ahead::Note;
use super::{Engine, ReqId};
use crate::Errno;
use crate::error::{Error, Result};
use crate::export::Export;
use crate::model::command::{Command, log};
use crate::model::generation::{Served, Tag, is_own_log};
use crate::model::names::{is_next, log_of, next_of};
use crate::model::tx::Tx;
use crate::time::Now;
use std::collections::{BTreeMap, BTreeSet};
use wire::Nid;
use wire::llog_rpc::{LlogdBody, LogId};

/// Who opens a log oftener and asks for nothing stands behind its end: the indices are another generation's. Several
/// mounts of a node, and answers that were lost, are fewer.
const OPENED: u8 = 8;

/// What a node gets for the name of a log.
pub(crate) enum Generation {
    /// The log with this id.
    Log(LogId),
    /// Nothing: it has read a generation that is gone.
    Retired,
    /// There is no such log.
    Absent,
}

/// Where a node stands of which the tag says nothing.
enum Standing {
    /// It began to read this at its beginning.
    Reads,
    /// It has read what is gone.
    Left,
    /// Its first request will tell.
    Unknown,
}

/// Nodes that were pinned and were silent for too long, with their MGCs: they may come back with what they have read.
#[derive(Debug, Default)]
pub(super) struct Away {
    logs: BTreeMap<Nid, (String, BTreeSet<String>)>,
}

impl Away {
    /// The node is there: it counts by what it reads, or has mounted everything anew.
    pub(super) fn back(&mut self, nid: Nid) {
        self.logs.remove(&nid);
    }
}

impl Engine {
    /// The tag of a peer that connects. Fresh is only who shows no handle and counts its first attempt: a kernel MGC
    /// counts each attempt of its life, and keeps its handle over evictions, but may drop it when it is disconnected.
    pub(crate) fn tag(&self, handle: u64, conn_cnt: u32) -> Tag {
        let Some(meta) = &self.view.meta else { return Tag::default() };
        match handle {
            0 => Tag { born: meta.turn, doubt: conn_cnt > 1 },
            // given by somebody else: what it has read is not ours to know
            _ => Tag::open(handle, &meta.uuid).unwrap_or_default(),
        }
    }

    /// What the node of a request gets for the name of a log.
    pub(crate) fn generation(&mut self, id: ReqId, log: &str) -> Result<Generation> {
        let cookie = self.in_service(id)?.export;
        let tag = cookie.and_then(|c| self.exports.get(c)).map(|e| e.tag).unwrap_or_default();
        let (found, oid) = match self.view.serve(log, tag) {
            Served::Absent => return Ok(Generation::Absent),
            Served::Log(entry) => return Ok(Generation::Log(entry.id())),
            Served::Doubt(entry) => (entry.id(), entry.head.oid),
        };
        let Some(cookie) = cookie else { return Ok(Generation::Log(found)) };
        match self.standing(cookie, log, oid) {
            Standing::Reads => return Ok(Generation::Log(found)),
            Standing::Left => return Ok(Generation::Retired),
            Standing::Unknown => {}
        }
        let Some(export) = self.exports.get_mut(cookie) else { return Ok(Generation::Retired) };
        let begun = export.begun.entry(oid).or_default();
        begun.opened = begun.opened.saturating_add(1);
        Ok(if begun.opened > OPENED { Generation::Retired } else { Generation::Log(found) })
    }

    /// What is known of a node whose tag does not say that it reads this.
    fn standing(&self, export: u64, log: &str, oid: u64) -> Standing {
        let Some(export) = self.exports.get(export) else { return Standing::Left };
        let (nid, mgc) = (export.address.peer, export.uuid.as_str());
        let read = export.fetched.get(log).is_some_and(|f| f.oid != oid);
        if export.begun.get(&oid).is_some_and(|b| b.at_first) || self.view.reads(nid, mgc, log) == Some(oid) {
            return Standing::Reads;
        }
        if read || export.retired.contains(log) || self.view.is_ahead(nid, mgc, log) {
            return Standing::Left;
        }
        // A server copies logs from their beginning at each reading, and goes on in its copy: its requests say nothing.
        // But whoever starts a target registers it first, unless we were not there, and it has started from its copy.
        let copied = match is_own_log(log) {
            true => !export.targets.contains(log),
            false => export.targets.is_empty() && self.view.is_server(nid),
        };
        if copied { Standing::Left } else { Standing::Unknown }
    }

    /// The first request of a reading. Of whom nothing is known: who does not begin at the beginning holds an index of
    /// another generation. The log, then.
    pub(crate) fn begins(&mut self, cookie: u64, ask: &LlogdBody, now: Now) -> Option<String> {
        let (name, entry) = self.view.log_by_id(ask.logid)?;
        let (log, oid) = (log_of(name).to_owned(), entry.head.oid);
        let first = entry.log.records().find(|r| r.live).map_or(1, |r| r.index);
        let export = self.exports.get_mut(cookie)?;
        let begun = export.begun.get_mut(&oid)?;
        if ask.index <= first {
            let (nid, mgc) = (export.address.peer, export.uuid.clone());
            if !std::mem::replace(&mut begun.at_first, true) {
                self.queue_note(Note::Reads { nid, mgc, log, oid }, now);
            }
            return None;
        }
        (!begun.at_first).then_some(log)
    }

    /// A node was refused a log: it is listed until it has mounted again.
    pub(crate) fn is_retired(&mut self, export: u64, log: &str, now: Now) {
        if let Some(export) = self.exports.get_mut(export)
            && self.view.logs.contains_key(log)
        {
            export.retired.insert(log.to_owned());
        }
        self.is_ahead(export, log, now);
    }

    /// Nodes that hold indices of the older of two generations, the ones that are silent among them.
    pub fn pinned(&self, log: &str) -> BTreeSet<Nid> {
        self.pair(log)
            .map(|oid| self.holders(log, oid).into_iter().map(|(nid, _)| nid).collect())
            .unwrap_or_default()
    }

    /// The same with their MGCs, by the object number of the older one.
    fn holders(&self, log: &str, oid: u64) -> Vec<(Nid, String)> {
        let readers = self.exports.iter().filter(|e| e.holds.contains(&oid));
        let away = self.away.logs.iter().filter(|(_, (_, logs))| logs.contains(log));
        let away = away.map(|(nid, (mgc, _))| (*nid, mgc.clone()));
        readers.map(|e| (e.address.peer, e.uuid.clone())).chain(away).collect()
    }

    /// Object number of the older of two generations.
    fn pair(&self, log: &str) -> Option<u64> {
        self.view.logs.contains_key(&next_of(log)).then(|| self.view.logs.get(log).map(|e| e.head.oid))?
    }

    /// An export was forgotten although its node may live.
    pub(super) fn pinned_left(&mut self, export: &Export) {
        let logs = self.view.logs.keys().filter(|name| is_next(name)).map(|name| log_of(name));
        let pinned = |log: &&str| self.pair(log).is_some_and(|oid| export.holds.contains(&oid));
        let logs: BTreeSet<String> = logs.filter(pinned).map(str::to_owned).collect();
        if !logs.is_empty() {
            self.away.logs.insert(export.address.peer, (export.uuid.clone(), logs));
        }
    }

    /// An older generation is given up when nobody is left who has read it. Who is left behind is written down.
    pub(super) fn retires(
        &self,
        tx: &mut Tx<'_>,
        command: &Command,
        now: Now,
    ) -> std::result::Result<(), Error> {
        let Command::Log(log::Command::Retire { log, force }) = command else { return Ok(()) };
        // as it is for this order: the generations may be as old as the commit
        let there = tx.log(&next_of(log)).is_some();
        let Some(oid) = tx.log(log).filter(|_| there).map(|e| e.head.oid) else { return Ok(()) };
        let holders = self.holders(log, oid);
        let nodes = holders.iter().map(|(nid, _)| *nid).collect();
        let refused = |what: String, next: String| {
            Err(Error::refused(format!("log '{}'", log.escape_default()), Errno::EBUSY, what, next))
        };
        if *force {
            if !holders.is_empty() {
                tx.warn(format!("remount: {}", super::guard::listed(&nodes)));
            }
            holders.iter().for_each(|(nid, mgc)| tx.note_ahead(*nid, mgc, log));
            return Ok(());
        }
        if !nodes.is_empty() {
            return refused(
                format!("its older generation was read by {}", super::guard::listed(&nodes)),
                format!(
                    "wait until they have unmounted everything; with --force they hear no more of the log until \
                     they mount again ('mgsctl log readers {log}')"
                ),
            );
        }
        let back = self.started.mono + super::EXPORT_TIMEOUT;
        if now.mono < back {
            let wait = back.saturating_sub(now.mono).as_secs() + 1;
            return refused(
                "nodes that have read it may not be back since mgsd started".to_owned(),
                format!("try again in {wait} s, or give --force"),
            );
        }
        Ok(())
    }
}

//! Who has to be remounted after a restore: known by the first request of a reader, listed at once, and written down.

use super::{Engine, Event};
use crate::export::Export;
use crate::model::ahead::MOST;
use crate::model::tx::Tx;
use crate::time::Now;
use std::collections::{BTreeMap, BTreeSet};
use wire::Nid;

/// What was seen and is not yet stored.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Logs by node and the UUID of its MGC.
    ahead: BTreeMap<(Nid, String), BTreeSet<String>>,
    /// Nodes that have unmounted everything, but for what the MGC named has.
    gone: BTreeMap<Nid, Option<String>>,
}

impl Seen {
    fn is_gone(&self, nid: Nid, mgc: &str) -> bool {
        self.gone.get(&nid).is_some_and(|but| but.as_deref() != Some(mgc))
    }
}

/// What is to be written down of a node.
#[derive(Debug)]
pub(super) enum Note {
    /// Its MGC holds lost records of a log.
    Ahead { nid: Nid, mgc: String, log: String },
    /// Its MGC reads a log.
    Reads { nid: Nid, mgc: String, log: String, oid: u64 },
    /// It has unmounted everything; if another MGC came, all but what that one has.
    Remounted { nid: Nid, but: Option<String> },
}

impl Note {
    pub(super) fn plan(&self, tx: &mut Tx<'_>) {
        match self {
            Self::Ahead { nid, mgc, log } => tx.note_ahead(*nid, mgc, log),
            Self::Reads { nid, mgc, log, oid } => tx.note_reads(*nid, mgc, log, *oid),
            Self::Remounted { nid, but } => tx.forget_ahead(*nid, but.as_deref()),
        }
    }
}

impl Engine {
    /// Nodes that have to be remounted: they executed records which a restore took away. With the logs.
    pub fn must_remount(&self) -> BTreeMap<Nid, BTreeSet<String>> {
        let mut nodes: BTreeMap<Nid, BTreeSet<String>> = BTreeMap::new();
        let stored = self.view.ahead.iter().filter(|((_, nid), a)| !self.ahead.is_gone(*nid, &a.mgc));
        let stored = stored.map(|((_, nid), ahead)| (*nid, &ahead.logs));
        let seen = self.ahead.ahead.iter().map(|((nid, _), logs)| (*nid, logs));
        for (nid, logs) in stored.chain(seen) {
            if !logs.is_empty() {
                nodes.entry(nid).or_default().extend(logs.iter().cloned());
            }
        }
        nodes
    }

    /// A reader shows by its first request that it holds lost records of a log.
    pub(crate) fn is_ahead(&mut self, export: u64, log: &str, now: Now) {
        let Some(export) = self.exports.get(export) else { return };
        let (nid, mgc) = (export.address.peer, export.uuid.clone());
        if self.view.is_ahead(nid, &mgc, log) && !self.ahead.is_gone(nid, &mgc) {
            return;
        }
        let logs = self.ahead.ahead.entry((nid, mgc.clone())).or_default();
        if logs.len() < MOST && logs.insert(log.to_owned()) {
            self.ahead.gone.remove(&nid);
            self.event(Event::MustRemount { nid, log: log.to_owned() });
            self.queue_note(Note::Ahead { nid, mgc, log: log.to_owned() }, now);
        }
    }

    /// What is stored need not be remembered.
    pub(super) fn stored_ahead(&mut self) {
        let view = &self.view;
        let left = |nid: Nid, but: Option<&str>| {
            view.ahead.iter().any(|((_, n), a)| *n == nid && Some(a.mgc.as_str()) != but)
        };
        self.ahead.gone.retain(|nid, but| left(*nid, but.as_deref()));
        self.ahead.ahead.retain(|(nid, mgc), logs| {
            logs.retain(|log| !view.is_ahead(*nid, mgc, log));
            !logs.is_empty()
        });
    }

    /// The last mount of an export is gone.
    pub(super) fn unmounted(&mut self, export: &Export, now: Now) {
        self.remounted(export.address.peer, None, now);
    }

    /// An MGC has connected: another one than before has unmounted everything, or booted.
    pub(super) fn mounts_anew(&mut self, nid: Nid, mgc: &str, now: Now) {
        self.remounted(nid, Some(mgc), now);
    }

    fn remounted(&mut self, nid: Nid, but: Option<&str>, now: Now) {
        let seen = self.ahead.ahead.len();
        self.ahead.ahead.retain(|(n, mgc), _| *n != nid || Some(mgc.as_str()) == but);
        let stored = self.view.ahead.iter().any(|((_, n), a)| *n == nid && Some(a.mgc.as_str()) != but);
        if stored {
            self.ahead.gone.insert(nid, but.map(str::to_owned));
        }
        if stored || self.ahead.ahead.len() != seen {
            self.queue_note(Note::Remounted { nid, but: but.map(str::to_owned) }, now);
        }
    }
}

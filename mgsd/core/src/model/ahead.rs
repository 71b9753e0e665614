//! Nodes that have executed records which a restore took away: stored, because a node that comes back after a second
//! restart has passed the mark by which it was known.
//!
//! ```text
//!   restore/<epoch, 16 hex>/<NID>    {mgc, logs}    from its first request on, until its MGC is gone
//! ```

use super::commit::EventKind;
use super::keys;
use super::tx::{Changes, Tx, put_or_delete};
use super::view::View;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use wire::Nid;

/// Logs of one node that are kept for a list.
pub const MOST: usize = 64;

/// `restore/<epoch>/<NID>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// UUID of the MGC that has read on. Another one of the same node has mounted everything anew.
    pub mgc: String,
    /// The logs that it has read further than the backup goes, or of which it has read a generation that is gone.
    #[serde(default)]
    pub logs: BTreeSet<String>,
    /// Object numbers of the logs that it began to read when its tag did not say so (`model::generation`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reads: BTreeMap<String, u64>,
}

/// By the epoch of the restore, and node.
pub type Nodes = BTreeMap<(u64, Nid), Ahead>;

/// What a transaction changes of it.
pub(super) type AheadChanges = BTreeMap<(u64, Nid), Option<Ahead>>;

pub(super) fn finish(changed: &AheadChanges, changes: &mut Changes) -> Result<(), Error> {
    changed
        .iter()
        .try_for_each(|((epoch, nid), node)| put_or_delete(changes, keys::ahead(*epoch, *nid), node.as_ref()))
}

impl View {
    /// Whether a log of a node is listed.
    pub fn is_ahead(&self, nid: Nid, mgc: &str, log: &str) -> bool {
        self.known(nid, mgc).any(|a| a.logs.contains(log))
    }

    /// Object number of the log that a node reads, where that had to be written down.
    pub fn reads(&self, nid: Nid, mgc: &str, log: &str) -> Option<u64> {
        self.known(nid, mgc).filter_map(|a| a.reads.get(log).copied()).last()
    }

    fn known<'a>(&'a self, nid: Nid, mgc: &'a str) -> impl Iterator<Item = &'a Ahead> {
        self.ahead.iter().filter(move |((_, n), a)| *n == nid && a.mgc == mgc).map(|(_, a)| a)
    }
}

impl Tx<'_> {
    /// A node holds lost records of a log.
    pub fn note_ahead(&mut self, nid: Nid, mgc: &str, log: &str) {
        let Some((key, mut node)) = self.node(nid, mgc) else { return };
        if node.logs.len() < MOST && node.logs.insert(log.to_owned()) {
            self.event(EventKind::NodeAhead { nid: nid.to_string(), log: log.to_owned() });
            self.ahead.insert(key, Some(node));
        }
    }

    /// A node began to read a log.
    pub fn note_reads(&mut self, nid: Nid, mgc: &str, log: &str, oid: u64) {
        let Some((key, mut node)) = self.node(nid, mgc) else { return };
        if node.reads.len() < MOST && node.reads.insert(log.to_owned(), oid) != Some(oid) {
            self.event(EventKind::NodeReads { nid: nid.to_string(), log: log.to_owned() });
            self.ahead.insert(key, Some(node));
        }
    }

    fn node(&self, nid: Nid, mgc: &str) -> Option<((u64, Nid), Ahead)> {
        let restored = self.view.restore.as_ref().map(|r| r.epoch);
        let epoch = restored.or(self.view.meta.as_ref().map(|m| m.epoch))?;
        let stored = self.view.ahead.get(&(epoch, nid));
        let known = self.ahead.get(&(epoch, nid)).map_or(stored, Option::as_ref).filter(|a| a.mgc == mgc);
        let fresh = || Ahead { mgc: mgc.to_owned(), logs: BTreeSet::new(), reads: BTreeMap::new() };
        Some(((epoch, nid), known.cloned().unwrap_or_else(fresh)))
    }

    /// A node has unmounted everything. `but`: this MGC has not.
    pub fn forget_ahead(&mut self, nid: Nid, but: Option<&str>) {
        let gone = |a: &Ahead| but != Some(a.mgc.as_str());
        let nodes = self.view.ahead.iter().filter(|((_, n), a)| *n == nid && gone(a));
        let nodes: Vec<(u64, Nid)> = nodes.map(|(key, _)| *key).collect();
        if !nodes.is_empty() {
            self.event(EventKind::NodeRemounted { nid: nid.to_string() });
            self.ahead.extend(nodes.into_iter().map(|key| (key, None)));
        }
    }
}

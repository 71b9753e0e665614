//! What a server chooses: for each value of the recorded MGS the one of ours that stands in its place.
use crate::mask::{Mask, Rule};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use wire::llog_rpc::LogId;

/// Recorded value → ours, one to one.
#[derive(Debug)]
pub(super) struct Pairs<T> {
    ours: BTreeMap<T, T>,
    recorded: BTreeMap<T, T>,
}
impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self { ours: BTreeMap::new(), recorded: BTreeMap::new() }
    }
}
impl<T: Ord + Clone + Debug> Pairs<T> {
    /// `ours` stands for `recorded` from now on. Where one of them is paired already, with another, nothing changes.
    pub(super) fn bind(&mut self, recorded: &T, ours: &T) {
        if !self.ours.contains_key(recorded) && !self.recorded.contains_key(ours) {
            self.ours.insert(recorded.clone(), ours.clone());
            self.recorded.insert(ours.clone(), recorded.clone());
        }
    }
    /// Ours for a recorded one.
    pub(super) fn get(&self, recorded: &T) -> Option<&T> {
        self.ours.get(recorded)
    }
    /// Puts ours in the place of a recorded one, if there is one.
    pub(super) fn replace(&self, rule: Rule, value: &mut T, mask: &mut Mask) {
        if let Some(ours) = self.ours.get(value).filter(|o| *o != value) {
            mask.used(rule);
            value.clone_from(ours);
        }
    }
    /// A recorded value and ours for it are in the same place: they are a pair, or become one.
    pub(super) fn chosen(&mut self, rule: Rule, value: &mut T, ours: &T, mask: &mut Mask) {
        self.bind(value, ours);
        self.replace(rule, value, mask);
    }
}

/// All that servers choose.
#[derive(Debug, Default)]
pub(super) struct Maps {
    /// Export cookies.
    pub(super) exports: Pairs<u64>,
    /// Lock cookies.
    pub(super) locks: Pairs<u64>,
    /// Log ids.
    pub(super) logs: Pairs<LogIdKey>,
    /// Handles of PUTs that ask for an ACK.
    pub(super) handles: Pairs<[u8; 16]>,
    /// Xids of callbacks, each with its node.
    pub(super) xids: BTreeMap<usize, Pairs<u64>>,
    /// Incarnations of the MGS.
    pub(super) incarnations: Pairs<u64>,
    /// Distance of our NID table versions, by file system.
    pub(super) tables: BTreeMap<String, i64>,
    /// Length of ours where it is another one, by the recorded handle for the ACK.
    pub(super) lengths: BTreeMap<[u8; 16], u32>,
    /// Those whose distance may have changed: the next version says.
    moved: BTreeSet<String>,
}

/// The parts of a log id that a store chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LogIdKey(u64, u32);

impl Maps {
    /// mgsd was started again, or the recorded MGS: nothing that either chose holds any more, but for what peers still
    /// remember of it. Versions go on, perhaps at another distance.
    pub(super) fn other_process(&mut self) {
        let tables = std::mem::take(&mut self.tables);
        let moved = tables.keys().cloned().collect();
        *self = Self { tables, moved, ..Self::default() };
    }
    /// A log id in a message of the MGS.
    pub(super) fn log_chosen(&mut self, id: &mut LogId, ours: &LogId, mask: &mut Mask) {
        let none = LogId::default();
        if *id != none && *ours != none {
            let mut key = LogIdKey(id.oid, id.ogen);
            self.logs.chosen(Rule::LogId, &mut key, &LogIdKey(ours.oid, ours.ogen), mask);
            (id.oid, id.ogen) = (key.0, key.1);
        }
    }
    /// A log id in a message of a peer.
    pub(super) fn log_asked(&self, id: &mut LogId, mask: &mut Mask) {
        let mut key = LogIdKey(id.oid, id.ogen);
        self.logs.replace(Rule::LogId, &mut key, mask);
        (id.oid, id.ogen) = (key.0, key.1);
    }
    /// A version in a message of the MGS. The first one of a file system fixes the distance.
    pub(super) fn version(&mut self, fs: &str, version: &mut u64, ours: u64, mask: &mut Mask) {
        let apart = ours.wrapping_sub(*version).cast_signed();
        if self.moved.remove(fs) {
            self.tables.remove(fs);
        }
        let moved = *self.tables.entry(fs.to_owned()).or_insert(apart);
        if moved != 0 {
            mask.used(Rule::TableVersion);
            *version = version.wrapping_add_signed(moved);
        }
    }
    /// The version from which on a peer wants a table; 0 and 1 are no versions but "all".
    pub(super) fn version_asked(&self, fs: &str, version: &mut u64) {
        if *version > 1 {
            *version = version.wrapping_add_signed(self.tables.get(fs).copied().unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_for_one_only() {
        let (mut pairs, mut mask) = (Pairs::default(), Mask::default());
        let mut meet = |recorded: u64, ours: u64| {
            let mut value = recorded;
            pairs.chosen(Rule::LockCookie, &mut value, &ours, &mut mask);
            value == ours
        };
        assert!(meet(1, 11) && meet(2, 12) && meet(1, 11));
        // Neither may one of theirs be two of ours, nor one of ours two of theirs.
        assert!(!meet(1, 13) && !meet(3, 12) && meet(3, 13));
    }

    #[test]
    fn versions_keep_their_distance() {
        let (mut maps, mut mask) = (Maps::default(), Mask::default());
        let mut meet = |fs, recorded, ours| {
            let mut value = recorded;
            maps.version(fs, &mut value, ours, &mut mask);
            value == ours
        };
        assert!(
            meet("a", 7, 3) && meet("a", 9, 5) && !meet("a", 10, 5) && meet("b", 3, 3) && !meet("b", 4, 5)
        );
        let asked = |maps: &Maps, mut v| {
            maps.version_asked("a", &mut v);
            v
        };
        assert_eq!((asked(&maps, 1), asked(&maps, 8)), (1, 4));
    }
}

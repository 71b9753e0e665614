//! Config locks: a bell, not a lock. Every enqueue is granted; a commit marks the locks on what it touched, and each
//! marked lock gets one callback (design: architecture, section 5).

use std::collections::{BTreeMap, BTreeSet};
use wire::ldlm::ResId;

/// A granted lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Server cookie.
    pub cookie: u64,
    /// Cookie of the client's lock.
    pub client_cookie: u64,
    /// Export that holds it.
    pub export: u64,
    /// What it watches.
    pub resource: ResId,
    /// A callback is due or out: its holder has not yet seen a change.
    pub marked: bool,
    /// Granted without knowing of the newest commit: revoked when that is known.
    pub stale: bool,
}

/// All locks.
#[derive(Debug, Default)]
pub struct Locks {
    by_cookie: BTreeMap<u64, Lock>,
    by_resource: BTreeMap<ResId, BTreeSet<u64>>,
    by_export: BTreeMap<u64, BTreeSet<u64>>,
}

/// Most locks of one export: a node holds a handful per target and mount.
pub const MAX_PER_EXPORT: usize = 65_536;

impl Locks {
    /// Grants a lock; a resent enqueue (same export and client cookie) finds the first one again.
    /// `None` when the export holds too many.
    pub fn grant(&mut self, lock: Lock, resent: bool) -> Option<Lock> {
        let held = self.by_export.entry(lock.export).or_default();
        if resent {
            let known = held.iter().filter_map(|c| self.by_cookie.get(c));
            if let Some(first) = known.into_iter().find(|l| l.client_cookie == lock.client_cookie) {
                return Some(*first);
            }
        }
        if held.len() >= MAX_PER_EXPORT {
            return None;
        }
        held.insert(lock.cookie);
        self.by_resource.entry(lock.resource).or_default().insert(lock.cookie);
        self.by_cookie.insert(lock.cookie, lock);
        Some(lock)
    }

    /// A lock by its cookie.
    pub fn get(&self, cookie: u64) -> Option<&Lock> {
        self.by_cookie.get(&cookie)
    }

    /// Lets a lock go.
    pub fn remove(&mut self, cookie: u64) -> Option<Lock> {
        let lock = self.by_cookie.remove(&cookie)?;
        if let Some(set) = self.by_resource.get_mut(&lock.resource) {
            set.remove(&cookie);
            if set.is_empty() {
                self.by_resource.remove(&lock.resource);
            }
        }
        if let Some(set) = self.by_export.get_mut(&lock.export) {
            set.remove(&cookie);
            if set.is_empty() {
                self.by_export.remove(&lock.export);
            }
        }
        Some(lock)
    }

    /// Lets go of all locks of an export.
    pub fn remove_export(&mut self, export: u64) -> Vec<Lock> {
        let cookies: Vec<u64> = self.of_export(export).map(|l| l.cookie).collect();
        cookies.into_iter().filter_map(|c| self.remove(c)).collect()
    }

    /// Marks every unmarked lock on a resource and returns them: each gets a callback. The newest (cookies rise) comes
    /// first, as a kernel MGS calls them back.
    pub fn mark(&mut self, resource: ResId) -> Vec<Lock> {
        let cookies = self.by_resource.get(&resource).cloned().unwrap_or_default();
        cookies.into_iter().rev().filter_map(|c| self.mark_one(c)).collect()
    }

    /// Marks every stale lock and returns them.
    pub fn mark_stale(&mut self) -> Vec<Lock> {
        let cookies: Vec<u64> = self.by_cookie.values().filter(|l| l.stale).map(|l| l.cookie).collect();
        cookies.into_iter().filter_map(|c| self.mark_one(c)).collect()
    }

    fn mark_one(&mut self, cookie: u64) -> Option<Lock> {
        let lock = self.by_cookie.get_mut(&cookie).filter(|l| !l.marked)?;
        lock.marked = true;
        lock.stale = false;
        Some(*lock)
    }

    /// Locks on a resource.
    pub fn on(&self, resource: ResId) -> impl Iterator<Item = &Lock> {
        self.by_resource.get(&resource).into_iter().flatten().filter_map(|c| self.by_cookie.get(c))
    }
    /// Locks of an export.
    pub fn of_export(&self, export: u64) -> impl Iterator<Item = &Lock> {
        self.by_export.get(&export).into_iter().flatten().filter_map(|c| self.by_cookie.get(c))
    }
    /// All locks.
    pub fn iter(&self) -> impl Iterator<Item = &Lock> {
        self.by_cookie.values()
    }
    /// How many.
    pub fn len(&self) -> usize {
        self.by_cookie.len()
    }
    /// None.
    pub fn is_empty(&self) -> bool {
        self.by_cookie.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(cookie: u64, export: u64, resource: u64) -> Lock {
        let resource = ResId([resource, 0, 0, 0]);
        Lock { cookie, client_cookie: cookie + 100, export, resource, marked: false, stale: false }
    }

    #[test]
    fn a_marked_lock_gets_no_second_callback() {
        let mut locks = Locks::default();
        locks.grant(lock(1, 7, 1), false);
        locks.grant(lock(2, 7, 1), false);
        locks.grant(lock(3, 8, 2), false);
        let newest_first: Vec<u64> = locks.mark(ResId([1, 0, 0, 0])).iter().map(|l| l.cookie).collect();
        assert_eq!(newest_first, [2, 1]);
        assert_eq!(locks.mark(ResId([1, 0, 0, 0])).len(), 0);
        locks.grant(lock(4, 8, 1), false);
        assert_eq!(locks.mark(ResId([1, 0, 0, 0])).len(), 1);
    }

    #[test]
    fn a_resent_enqueue_finds_its_lock() {
        let mut locks = Locks::default();
        locks.grant(lock(1, 7, 1), false);
        let again = Lock { cookie: 9, ..lock(1, 7, 1) };
        assert_eq!(locks.grant(again, true).map(|l| l.cookie), Some(1));
        // Not resent: a second lock on the same resource is a lock of its own.
        assert_eq!(locks.grant(again, false).map(|l| l.cookie), Some(9));
        assert_eq!(locks.remove_export(7).len(), 2);
        assert!(locks.is_empty());
    }
}

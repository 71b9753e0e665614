//! Registration and imperative recovery as `mgs/05` and `mgs/06` tell them, with the deliberate differences of
//! docs/better-than-kernel.md. Written from the documents: no logs, no transactions, no store.

use std::collections::{BTreeMap, BTreeSet};
use wire::mgs::ldd;

pub const ENOENT: i32 = -2;
pub const EACCES: i32 = -13;
pub const ENOSPC: i32 = -28;
pub const EADDRINUSE: i32 = -98;

/// MDT or OST (`ldd::SV_TYPE_*`), and its index.
pub type Id = (u32, u32);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub host: u8,
    /// Flags of the request that wrote its logs.
    flags: u32,
    pub ready: bool,
    /// Registered since its entry was written: it may count its starts from 1.
    anew: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub version: u64,
    pub instance: u32,
    pub host: u8,
}

/// What happens to strangers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    #[default]
    Open,
    Approve,
    Closed,
}

/// A file system. The default is one that nobody has heard of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    pub targets: BTreeMap<Id, Target>,
    pub table: BTreeMap<Id, Entry>,
    /// 0: there is no file system.
    pub version: u64,
    pub policy: Policy,
    /// What was said of targets that are not registered.
    pub verdicts: BTreeMap<Id, bool>,
    pub reserved: BTreeSet<Id>,
    /// Erased by a writeconf of MDT0000 at some time.
    returning: BTreeSet<Id>,
}

/// Status, flags of the reply, and whether anything had to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub status: i32,
    pub flags: u32,
    pub writes: bool,
    /// There is no answer until somebody says yes or no.
    pub waits: bool,
}

const MDT0: Id = (ldd::SV_TYPE_MDT, 0);

impl Reference {
    /// MGS_TARGET_REG as the target sends it.
    pub fn request(&mut self, id: Id, flags: u32, host: u8, instance: u32) -> Verdict {
        let refused = |status| Verdict { status, flags: flags | ldd::ERROR, writes: false, waits: false };
        if flags & ldd::OPC_READY != 0 {
            return self.ready(id, host, instance, flags).unwrap_or(refused(ENOENT));
        }
        let known = self.targets.get(&id);
        if flags & (ldd::WRITECONF | ldd::UPDATE) == 0 && !self.targets.is_empty() {
            // Just starting.
            return match known {
                Some(_) => Verdict { status: 0, flags, writes: false, waits: false },
                None => refused(ENOENT),
            };
        }
        // Without logs whoever starts registers again.
        let any = flags & ldd::NEED_INDEX != 0;
        let id = if any { (id.0, self.free(id.0, false)) } else { id };
        let known = self.targets.get(&id);
        let writeconf = flags & (ldd::WRITECONF | ldd::NEED_INDEX) != 0 || flags & ldd::UPDATE == 0;
        let taken = ldd::VIRGIN | ldd::UPDATE | ldd::WRITECONF | ldd::NEED_INDEX;
        let done = (flags & !taken) | ldd::REWRITE_LDD;
        match known {
            Some(t) if !writeconf && flags & ldd::VIRGIN != 0 => {
                // Its reply was lost, or the index is in use.
                let again = !t.ready && t.host == host && t.flags == flags;
                if again {
                    Verdict { status: 0, flags: done, writes: false, waits: false }
                } else {
                    refused(EADDRINUSE)
                }
            }
            Some(_) if !writeconf => {
                if let Some(t) = self.targets.get_mut(&id) {
                    t.anew = true;
                }
                Verdict { status: 0, flags: done | ldd::PARAM, writes: true, waits: false }
            }
            _ => {
                if known.is_none() {
                    match self.admits(id, any) {
                        Some(true) => {}
                        Some(false) => return refused(EACCES),
                        None => return Verdict { status: 0, flags, writes: false, waits: true },
                    }
                    self.verdicts.remove(&id);
                    self.reserved.remove(&id);
                }
                if writeconf && id == MDT0 {
                    self.returning.extend(self.targets.keys().filter(|id| **id != MDT0));
                    self.targets.clear();
                    self.table.clear();
                }
                self.version = self.version.max(2);
                self.targets.insert(id, Target { host, flags, ready: false, anew: true });
                Verdict { status: 0, flags: done, writes: true, waits: false }
            }
        }
    }

    /// Whether a stranger may register; `None`: somebody has to say so.
    fn admits(&self, id: Id, any: bool) -> Option<bool> {
        match (self.verdicts.get(&id), self.policy) {
            (Some(verdict), _) => Some(*verdict),
            (None, Policy::Open) => Some(true),
            (None, _) if self.returning.contains(&id) => Some(true),
            (None, Policy::Approve) if !any => None,
            _ => Some(false),
        }
    }

    /// The lowest index that is free; for a target to come, it must not be one that comes back.
    pub fn free(&self, kind: u32, to_come: bool) -> u32 {
        let taken = |id: &Id| {
            let returns = to_come && self.returning.contains(id);
            returns || self.targets.contains_key(id) || self.reserved.contains(id)
        };
        (0..).find(|n| !taken(&(kind, *n))).unwrap_or(0)
    }

    fn ready(&mut self, id: Id, host: u8, instance: u32, flags: u32) -> Option<Verdict> {
        let target = self.targets.get_mut(&id)?;
        let verdict = Verdict { status: 0, flags, writes: false, waits: false };
        let old = self.table.get(&id);
        if old.is_some_and(|old| instance < old.instance) && !target.anew {
            return Some(verdict);
        }
        let first = !target.ready;
        target.ready = true;
        if old.is_some_and(|old| (old.instance, old.host) == (instance, host)) && !target.anew {
            return Some(Verdict { writes: first, ..verdict });
        }
        target.anew = false;
        self.version += 1;
        self.table.insert(id, Entry { version: self.version, instance, host });
        Some(Verdict { writes: true, ..verdict })
    }
}

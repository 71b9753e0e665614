//! Registration and imperative recovery as `mgs/05` and `mgs/06` tell them, with the deliberate differences of
//! docs/better-than-kernel.md. Written from the documents: no logs, no transactions, no store.

use std::collections::BTreeMap;
use wire::mgs::ldd;

pub const ENOENT: i32 = -2;
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

/// A file system. The default is one that nobody has heard of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    pub targets: BTreeMap<Id, Target>,
    pub table: BTreeMap<Id, Entry>,
    /// 0: there is no file system.
    pub version: u64,
}

/// Status, flags of the reply, and whether anything had to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub status: i32,
    pub flags: u32,
    pub writes: bool,
}

const MDT0: Id = (ldd::SV_TYPE_MDT, 0);

impl Reference {
    /// MGS_TARGET_REG as the target sends it.
    pub fn request(&mut self, id: Id, flags: u32, host: u8, instance: u32) -> Verdict {
        let refused = |status| Verdict { status, flags: flags | ldd::ERROR, writes: false };
        if flags & ldd::OPC_READY != 0 {
            return self.ready(id, host, instance, flags).unwrap_or(refused(ENOENT));
        }
        let known = self.targets.get(&id);
        if flags & (ldd::WRITECONF | ldd::UPDATE) == 0 && !self.targets.is_empty() {
            // Just starting.
            return match known {
                Some(_) => Verdict { status: 0, flags, writes: false },
                None => refused(ENOENT),
            };
        }
        // Without logs whoever starts registers again.
        let writeconf = flags & ldd::WRITECONF != 0 || flags & ldd::UPDATE == 0;
        let done = (flags & !(ldd::VIRGIN | ldd::UPDATE | ldd::WRITECONF)) | ldd::REWRITE_LDD;
        match known {
            Some(t) if !writeconf && flags & ldd::VIRGIN != 0 => {
                // Its reply was lost, or the index is in use.
                let again = !t.ready && t.host == host && t.flags == flags;
                if again { Verdict { status: 0, flags: done, writes: false } } else { refused(EADDRINUSE) }
            }
            Some(_) if !writeconf => {
                if let Some(t) = self.targets.get_mut(&id) {
                    t.anew = true;
                }
                Verdict { status: 0, flags: done | ldd::PARAM, writes: true }
            }
            _ => {
                if writeconf && id == MDT0 {
                    self.targets.clear();
                    self.table.clear();
                }
                self.version = self.version.max(2);
                self.targets.insert(id, Target { host, flags, ready: false, anew: true });
                Verdict { status: 0, flags: done, writes: true }
            }
        }
    }

    fn ready(&mut self, id: Id, host: u8, instance: u32, flags: u32) -> Option<Verdict> {
        let target = self.targets.get_mut(&id)?;
        let verdict = Verdict { status: 0, flags, writes: false };
        let old = self.table.get(&id);
        if old.is_some_and(|old| instance < old.instance) && !target.anew {
            return Some(verdict);
        }
        let first = !target.ready;
        target.ready = true;
        if old.is_some_and(|old| (old.instance, old.host) == (instance, host)) {
            return Some(Verdict { writes: first, ..verdict });
        }
        target.anew = false;
        self.version += 1;
        self.table.insert(id, Entry { version: self.version, instance, host });
        Some(Verdict { writes: true, ..verdict })
    }
}

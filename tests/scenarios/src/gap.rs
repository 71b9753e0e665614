//! Where mgsd is known to differ though the mask does not allow it.
//!
//! Such a difference counts as a gap until mgsd changes or the mask names it. A session lists the gaps it has: one that
//! is not listed fails it, and so does one that is listed and not met.
use std::collections::BTreeSet;

/// One known difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// `pb_status` of a callback: a kernel leaves the process id of the sending thread there, mgsd 0. Nobody reads it;
    /// wanted in the mask.
    CallbackStatus,
    /// A kernel revokes the config locks of the file system also when it refuses the registration (index in use);
    /// mgsd, which has changed nothing, calls nobody.
    RefusedRevokes,
    /// A kernel accepts a file system called `params`; mgsd refuses it (docs/better-than-kernel.md, Registration), so
    /// that the mount ends there.
    ReservedName,
    /// A kernel tells a target that registers later nothing of what was set before for its whole file system; mgsd writes
    /// it into the new log, behind what the kernel has there.
    ReachesLater,
    /// A kernel loses the NID table with its process, and counts a READY that says nothing new; mgsd keeps the table,
    /// and a reader is sent only what it does not have (docs/better-than-kernel.md, Imperative recovery). What readers
    /// know after each read is the same.
    TableKept,
}

/// The gaps of a session.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    listed: BTreeSet<Gap>,
    met: BTreeSet<Gap>,
}

impl Gaps {
    /// Those that a session lists.
    pub fn new(listed: &[Gap]) -> Self {
        Self { listed: listed.iter().copied().collect(), met: BTreeSet::new() }
    }
    /// Tells whether a difference is a known one.
    pub fn meets(&mut self, gap: Gap) -> bool {
        let known = self.listed.contains(&gap);
        if known {
            self.met.insert(gap);
        }
        known
    }
    /// Listed, and not there any more.
    pub fn closed(&self) -> impl Iterator<Item = Gap> + '_ {
        self.listed.difference(&self.met).copied()
    }
}

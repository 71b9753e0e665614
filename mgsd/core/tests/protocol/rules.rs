//! The rules of architecture, section 5, each of which can be taken away.

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A commit compares the sequence number that it was planned on.
    Guard,
    /// A reply waits until its commit is applied.
    Parked,
    /// Commits are fetched densely.
    Dense,
    /// View and marks change in one step.
    OneStep,
    /// A touched lock is called back.
    CallBack,
    /// A marked lock gets no second callback.
    NoSecond,
    /// A barrier counts only if it was started after the enqueue arrived.
    StartedAfter,
    /// A grant waits until everything up to the barrier is applied.
    Applied,
    /// Locks granted without a barrier are revoked when the store is back.
    RevokeStale,
    /// A read is never older than the grant.
    CurrentRead,
    /// A resent enqueue that returns a marked lock posts its callback again.
    Again,
    /// Who does not let go in time is evicted, not forgotten.
    Evict,
    /// A daemon without barrier is left by its clients.
    Fence,
}

impl Rule {
    pub const ALL: [Self; 13] = [
        Self::Guard,
        Self::Parked,
        Self::Dense,
        Self::OneStep,
        Self::CallBack,
        Self::NoSecond,
        Self::StartedAfter,
        Self::Applied,
        Self::RevokeStale,
        Self::CurrentRead,
        Self::Again,
        Self::Evict,
        Self::Fence,
    ];
}

/// All rules, or all but one.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub without: Option<Rule>,
}

impl Rules {
    pub fn has(self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}

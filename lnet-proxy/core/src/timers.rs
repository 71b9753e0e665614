//! Deadlines in order.
use crate::io::ConnId;
use crate::peer::PeerKey;
use std::collections::BTreeSet;
use std::time::Duration;

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    Conn(ConnId),
    Peer(PeerKey),
    /// Peer and object cookie of a handle.
    Answer(PeerKey, u64),
    /// An unanswered bulk holds up the next one no longer.
    Bulk(PeerKey),
    /// Patience with a missing daemon.
    Daemon,
    /// The daemon is to be asked whether it lives, or has not answered that.
    Pulse,
}

/// Deadlines are not moved when something makes them later: whoever is woken looks again and sets a new one.
#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Duration, Timer)>);

impl Timers {
    pub(crate) fn set(&mut self, at: Duration, timer: Timer) {
        self.0.insert((at, timer));
    }
    pub(crate) fn cancel(&mut self, at: Duration, timer: Timer) {
        self.0.remove(&(at, timer));
    }
    pub(crate) fn next(&self) -> Option<Duration> {
        self.0.first().map(|(at, _)| *at)
    }
    pub(crate) fn due(&mut self, now: Duration) -> Option<Timer> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop_first().map(|(_, timer)| timer)
    }
}

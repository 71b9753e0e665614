//! A store that does not answer (architecture, section 5). Logs are served on from the view and locks are granted as
//! stale ones; changes are refused with the cause; the daemon says that it is not ready. Nobody has to do anything: the
//! store's next answer ends it.
//!
//! ```text
//!   answer ──2 s──► barrier of our own ──► … nothing, 5 s after the answer: fenced … ──► any answer: as before
//!   commit ──30 s──► whoever waits for it is told that its fate is not known; barriers may be answered meanwhile
//! ```

use super::{Engine, Event, Timer};
use crate::Errno;
use crate::error::Error;
use crate::time::Now;
use std::time::Duration;

/// Without an answer of the store for so long, this daemon is not ready.
pub const SILENCE: Duration = Duration::from_secs(5);
/// The store of an idle daemon is asked so long after its last answer.
const PROBE: Duration = Duration::from_secs(2);
/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// A store that answers everything but a commit for so long: who waits is told. The largest plans take seconds.
const COMMIT: Duration = Duration::from_secs(30);

/// When the store was heard.
#[derive(Debug)]
pub(super) struct Fence {
    heard: Now,
    /// The last look. When it is long ago it was we who were busy, with a plan of seconds: the store's answer, if there
    /// is one, was not taken yet.
    looked: Duration,
    fenced: bool,
}

impl Fence {
    /// The view has just been read from the store.
    pub(super) const fn new(now: Now) -> Self {
        Self { heard: now, looked: now.mono, fenced: false }
    }
}

impl Engine {
    /// Since when the store has not answered (unix seconds), if that is too long: this daemon is not ready, changes are
    /// refused, logs are served from what it knows.
    pub const fn store_silent_since(&self) -> Option<i64> {
        if self.fence.fenced { Some(self.fence.heard.wall) } else { None }
    }

    /// The store has answered.
    pub(super) fn store_answers(&mut self, now: Now) {
        let silent = now.mono.saturating_sub(self.fence.heard.mono);
        self.fence.heard = now;
        if std::mem::take(&mut self.fence.fenced) {
            self.event(Event::StoreAnswers { after: silent });
        }
    }

    pub(super) fn watch_store(&mut self, now: Now) {
        self.timer(now.mono + LOOK, Timer::Fence);
    }

    /// Asks a store that was not heard for a while; gives it up for the time being after a longer one.
    pub(super) fn look_at_store(&mut self, now: Now) {
        let busy = now.mono.saturating_sub(self.fence.looked).saturating_sub(LOOK);
        self.fence.looked = now.mono;
        if busy > LOOK {
            self.fence.heard.mono = (self.fence.heard.mono + busy).min(now.mono);
        }
        let silent = now.mono.saturating_sub(self.fence.heard.mono);
        if silent >= SILENCE && !self.fence.fenced {
            self.fence.fenced = true;
            self.count("store_silences");
            self.event(Event::StoreSilent { since: self.fence.heard.wall });
            if let Some(error) = self.silence() {
                self.refuse_writes(&error, now);
            }
        }
        if silent >= PROBE {
            self.probe(now);
        }
        self.watch_store(now);
    }

    /// A commit has been sent: it is not waited for without end.
    pub(super) fn watch_commit(&mut self, number: u64, now: Now) {
        self.timer(now.mono + COMMIT, Timer::Commit(number));
    }

    /// A commit is late.
    pub(super) fn commit_late(&mut self, number: u64, now: Now) {
        if self.writes.flight.is_some() && self.writes.sent == number && self.writes.stuck.is_none() {
            let why = format!("the store has not answered a commit for {} s", COMMIT.as_secs());
            self.stuck(Errno::EIO, why, now);
        }
    }

    /// Why no change is taken while the store is silent.
    pub(super) fn silence(&self) -> Option<Error> {
        self.fence.fenced.then(|| Error::Storage {
            what: "the store does not answer; nothing is changed until it does, logs are served on ('mgsctl status' tells since when)"
                .to_owned(),
            errno: Errno::EIO,
        })
    }

    /// The store does not answer. Who waits is told so, and may come again: a repetition is recognised, whether or not
    /// the commit turns out to be done. Reads go on from the view.
    pub(super) fn stuck(&mut self, errno: Errno, why: String, now: Now) {
        if self.writes.flight.is_none() {
            return;
        }
        self.count("commits_stuck");
        self.event(Event::CommitFailed { why: why.clone() });
        let error = Error::Storage { what: why, errno };
        self.refuse_writes(&error, now);
        self.writes.stuck = Some(error);
    }

    pub(super) fn no_writes(&self) -> Option<Error> {
        self.writes.stuck.clone().or_else(|| self.silence())
    }

    /// Why no change is taken at present.
    pub fn store_trouble(&self) -> Option<String> {
        self.no_writes().map(|error| error.to_string())
    }
}

//! Log lines of the engine's events: fields, not sentences.

use mgs_core::engine::Event;
use std::collections::HashMap;
use std::time::Duration;
use wire::Nid;

/// A node that asks in vain asks again and again: one line a minute for each flavor that it tries. Counters count all.
#[derive(Debug, Default)]
pub(super) struct Repeats(HashMap<(Nid, u32), Duration>);

const PAUSE: Duration = Duration::from_secs(60);
/// Remembered; more begin anew.
const MOST: usize = 1024;

impl Repeats {
    /// The event is worth a line. `now`: time since any start.
    pub(super) fn is_news(&mut self, event: &Event, now: Duration) -> bool {
        let Event::Flavor { nid, flavor } = event else { return true };
        let said = self.0.get(&(*nid, *flavor));
        if said.is_some_and(|said| now < *said + PAUSE) {
            return false;
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert((*nid, *flavor), now);
        true
    }
}

fn version(v: u32) -> String {
    format!("{}.{}.{}", v >> 24, (v >> 16) & 0xff, (v >> 8) & 0xff)
}

/// One line for one event.
pub(super) fn event(event: &Event) {
    match event {
        Event::Connected { nid, uuid, version: v, again } => {
            tracing::info!(%nid, %uuid, lustre = version(*v), again, "connected");
        }
        Event::Disconnected { nid, uuid } => tracing::info!(%nid, %uuid, "disconnected"),
        Event::Evicted { nid, uuid, why } => tracing::warn!(%nid, %uuid, why, "evicted"),
        Event::Refused { nid, op, errno, why } => tracing::warn!(%nid, op, %errno, why, "refused"),
        Event::Registered { nid, target, seq } => tracing::info!(%nid, target, seq, "target registered"),
        Event::Ready { nid, target, instance, version } => {
            tracing::info!(%nid, target, instance, nidtbl = version, "target ready");
        }
        Event::Held { nid, target } => {
            tracing::warn!(%nid, target, "a target waits for 'mgsctl registration approve'");
        }
        Event::Outdated { nid, target, instance } => {
            tracing::warn!(%nid, target, instance, "READY of an earlier start than the one known; nothing changed");
        }
        Event::NidMismatch { nid, target, claimed, seen, gateway } => {
            let claimed: Vec<String> = claimed.iter().map(ToString::to_string).collect();
            let gateway = gateway.map(|g| g.to_string());
            tracing::warn!(%nid, target, claimed = claimed.join(","), %seen, gateway, "node registers under NIDs that are not its address");
        }
        Event::Committed { seq, requests, locks } => tracing::debug!(seq, requests, locks, "committed"),
        Event::CommitFailed { why } => tracing::error!(why, "commit failed"),
        Event::StoreSilent { since } => {
            tracing::error!(since, "the store does not answer: changes are refused, logs are served on");
        }
        Event::StoreAnswers { after } => {
            tracing::warn!(seconds = after.as_secs(), "the store answers again: changes are taken");
        }
        Event::Flavor { nid, flavor } => {
            tracing::warn!(%nid, flavor = format!("{flavor:#x}"), "request with a security flavor dropped; this MGS serves null only");
        }
        Event::LogFilling { log, used, limit } => {
            tracing::warn!(log, used, limit, "log has used 70 % of its indices; renew it (mgsctl log renew)");
        }
        Event::Answered { nid, op, object, status, .. } => {
            tracing::trace!(%nid, op, object, status, "answered")
        }
        Event::OrderRefused { actor, errno, why } => tracing::warn!(actor, %errno, why, "order refused"),
        Event::MustRemount { nid, log } => {
            tracing::warn!(%nid, log, "must be remounted: it has read of this log what a restore took away, or a generation that was retired");
        }
        Event::Barrier { fs, state, by } => tracing::info!(fs, state, by, "write barrier"),
        Event::Bug { what } => tracing::error!(what, "bug"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_flavor_is_named_once_a_minute_for_each_node() {
        let mut repeats = Repeats::default();
        let event = |n: u8, flavor| Event::Flavor { nid: format!("10.0.0.{n}@tcp").parse().unwrap(), flavor };
        let mut lines = |n, flavor, second| repeats.is_news(&event(n, flavor), Duration::from_secs(second));
        assert_eq!([0, 1, 59, 60, 61].map(|s| lines(1, 0x21001, s)), [true, false, false, true, false]);
        assert!(lines(1, 0x62012, 61) && lines(2, 0x21001, 61));
    }
}

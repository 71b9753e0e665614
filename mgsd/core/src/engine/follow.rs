//! Commits of other daemons on the same store. They are applied in one step, like our own; a plan of ours that lost the
//! race is made again on what they left.

use super::flight::Flight;
use super::{Engine, Event, Output};
use crate::model::Resource;
use crate::model::commit::{CommitRecord, EventKind};
use crate::model::keys::Key;
use crate::model::names::TargetId;
use crate::model::tx::Changes;
use crate::time::Now;
use std::collections::BTreeSet;

impl Engine {
    /// A commit is on its way to the store.
    pub const fn is_committing(&self) -> bool {
        self.writes.is_in_flight()
    }

    /// Commits that follow the one applied last: their records, and every key that they wrote as it is after the last
    /// of them. What does not follow directly is left alone; whoever reads the store comes again.
    pub(super) fn followed(&mut self, changes: Changes, now: Now) {
        if self.writes.is_in_flight() {
            return; // its end brings the same commits again, or shows that one of them was ours
        }
        let mut touched = BTreeSet::new();
        let mut running: Vec<(String, TargetId)> = Vec::new();
        let mut next = self.view.seq + 1;
        for (key, value) in &changes {
            let (Some(Key::Commit(seq)), Some(value)) = (Key::parse(key), value) else { continue };
            if seq < next && next == self.view.seq + 1 {
                return;
            }
            let record = match serde_json::from_slice::<CommitRecord>(value) {
                Ok(record) if seq == next => record,
                Ok(_) => {
                    return self.event(Event::Bug { what: format!("{key} does not follow {}", next - 1) });
                }
                Err(error) => return self.event(Event::Bug { what: format!("{key}: {error}") }),
            };
            touched.extend(record.touched.iter().filter_map(|text| Resource::parse(text)));
            for event in record.events {
                if let EventKind::TargetReady { target, .. } = event.kind
                    && let Some((fs, id)) = target.rsplit_once('-')
                    && let Some(id) = TargetId::parse(id)
                {
                    running.push((fs.to_owned(), id));
                }
            }
            next += 1;
        }
        if next == self.view.seq + 1 {
            return;
        }
        let mut trial = self.view.clone();
        let applied = changes.iter().try_for_each(|(key, value)| trial.apply(key, value.as_deref()));
        if let Err(error) = applied {
            return self.out.push_back(Output::Lost(error.to_string()));
        }
        self.count("commits_followed");
        self.next = trial;
        self.landed(Flight::of_others(changes, touched, running), now);
        self.plan(now);
    }
}

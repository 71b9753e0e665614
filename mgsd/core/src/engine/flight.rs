//! The commit in flight: what it changes, who waits for it, and what still fits into it.

use super::writes::{Reply, Write};
use crate::error::Error;
use crate::lint;
use crate::model::keys::{self, Key};
use crate::model::tx::{Changes, Finished};
use crate::model::{Resource, TargetId, View};
use std::collections::BTreeSet;

/// What every store takes in one commit (architecture, section 4), less the record and `seq`.
const MAX_CHANGES: usize = 96;
const MAX_BYTES: usize = 900 << 10;

/// What happens when the commit is done.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) changes: Changes,
    pub(super) touched: BTreeSet<Resource>,
    /// Entries of NID tables that are served from then on.
    pub(super) confirmed: Vec<(String, TargetId)>,
    pub(super) answers: Vec<Reply>,
    /// What was planned: planned again when another daemon's commit came first.
    pub(super) taken: Vec<Write>,
}

impl Flight {
    /// Commits of other daemons.
    pub(super) const fn of_others(
        changes: Changes,
        touched: BTreeSet<Resource>,
        confirmed: Vec<(String, TargetId)>,
    ) -> Self {
        Self { changes, touched, confirmed, answers: Vec::new(), taken: Vec::new() }
    }
}

/// Logs that changes write to.
pub(super) fn written_logs(changes: &Changes) -> impl Iterator<Item = &str> {
    keys::below(changes, keys::LOGS).filter_map(|(key, _)| match Key::parse(key) {
        Some(Key::Segment(log, _)) => Some(log),
        _ => None,
    })
}

/// Whether a store takes both sets of changes in one commit. What is too large alone is the store's to refuse.
pub(super) fn fits(batch: &Changes, more: &Changes) -> bool {
    if batch.is_empty() {
        return true;
    }
    // A log that both write to is one change, the longer segment: it is not counted twice.
    let kept = || batch.iter().filter(|(k, _)| !more.contains_key(*k)).chain(more);
    let bytes: usize = kept().map(|(k, v)| k.len() + v.as_ref().map_or(0, Vec::len)).sum();
    kept().count() <= MAX_CHANGES && bytes <= MAX_BYTES
}

/// Its log records are ones that readers execute.
pub(super) fn checked(view: &View, finished: Finished) -> Result<Finished, Error> {
    if finished.as_found {
        return Ok(finished);
    }
    lint::changes(view, &finished.changes).map_err(|violation| Error::Bug { what: violation.to_string() })?;
    Ok(finished)
}

pub(super) fn apply(view: &mut View, changes: &Changes) -> Result<(), Error> {
    changes.iter().try_for_each(|(key, value)| view.apply(key, value.as_deref()))
}

/// What was applied to a later view before.
pub(super) fn apply_as_in(later: &View, view: &mut View, changes: &Changes) -> Result<(), Error> {
    changes.iter().try_for_each(|(key, value)| view.apply_as_in(later, key, value.as_deref()))
}

/// The view to come already has everything of the commit but its record.
pub(super) fn apply_commit(view: &mut View, changes: &Changes) -> Result<(), Error> {
    keys::below(changes, keys::COMMITS).try_for_each(|(key, value)| view.apply(key, value.as_deref()))
}

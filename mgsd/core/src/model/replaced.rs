//! Values of parameters that a transaction takes away: the *before* of its events.

use super::commit::EventKind;
use super::tx::Tx;
use std::collections::{BTreeMap, BTreeSet};

/// Values by the name of their parameter, as the sections that went had them.
#[derive(Debug, Default)]
pub(super) struct Replaced(BTreeMap<String, BTreeSet<String>>);

impl Replaced {
    /// A record `name=value` is skipped from now on.
    fn note(&mut self, name: &str, text: &str) {
        let value = text.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
        if let Some(value) = value {
            self.0.entry(name.to_owned()).or_default().insert(value.to_owned());
        }
    }

    /// Writes what was noted into the event of its parameter.
    pub(super) fn fill(&mut self, kind: &mut EventKind) {
        if let EventKind::ParamSet { name, before, .. } | EventKind::ParamDeleted { name, before, .. } = kind
            && before.is_empty()
        {
            *before = self.0.remove(name).unwrap_or_default().into_iter().collect();
        }
    }
}

impl Tx<'_> {
    /// The live sections with this key are about to go. No name of a parameter has a blank; other sections do.
    pub(super) fn note_replaced(&mut self, log: &str, tgtname: &str, comment: &str) {
        if !comment.contains(' ') {
            for cfg in self.live_values(log, tgtname, comment) {
                self.replaced.note(comment, cfg.buf_str(1).unwrap_or_default());
            }
        }
    }

    /// The live sections of one value go.
    pub(super) fn note_value(&mut self, comment: &str, text: &str) {
        self.replaced.note(comment, text);
    }
}

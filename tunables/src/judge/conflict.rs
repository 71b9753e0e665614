//! A value against values that are stored already.
//!
//! Only relations whose two sides have the same device, or none, are looked at: across components it depends on the
//! node which two meet.

use crate::catalogue::{Catalogue, Conflict, Level};
use crate::entry::{Tunable, Type};
use crate::verdict::{Class, Note};

use super::number;

/// The values that are stored already.
pub trait Stored {
    /// The value of a setting, by its canonical name (see [`crate::canonical`]).
    fn value(&self, canonical: &str) -> Option<String>;
}

/// No values.
#[derive(Clone, Copy, Debug)]
pub struct NothingStored;

impl Stored for NothingStored {
    fn value(&self, _: &str) -> Option<String> {
        None
    }
}

impl<S: std::hash::BuildHasher> Stored for std::collections::HashMap<String, String, S> {
    fn value(&self, canonical: &str) -> Option<String> {
        self.get(canonical).cloned()
    }
}

impl Stored for std::collections::BTreeMap<String, String> {
    fn value(&self, canonical: &str) -> Option<String> {
        self.get(canonical).cloned()
    }
}

/// The relations that a new value breaks.
pub(super) fn check(
    catalogue: &Catalogue,
    t: &Tunable,
    canonical: &str,
    value: &str,
    stored: &dyn Stored,
) -> Vec<Note> {
    let mut notes = Vec::new();
    for conflict in catalogue.conflicts() {
        let (right, divisor, wanted) = right(&conflict.right);
        let (mine, other, is_left) = match (fits(t, &conflict.left), fits(t, right)) {
            (true, _) => (conflict.left.as_str(), right, true),
            (_, true) => (right, conflict.left.as_str(), false),
            _ => continue,
        };
        let Some(other_tunable) = beside(catalogue, t, mine, other) else { continue };
        let Some(start) = canonical.strip_suffix(t.name.as_str()) else { continue };
        let other_name = format!("{start}{}", other_tunable.name);
        let Some(there) = stored.value(&other_name) else { continue };
        let broken = if is_left {
            breaks(conflict, (t, value), (other_tunable, &there), divisor, wanted)
        } else {
            breaks(conflict, (other_tunable, &there), (t, value), divisor, wanted)
        };
        if broken {
            let effect = match conflict.level {
                Level::Error => "nodes refuse the second of the two",
                Level::Warn => "nodes take both",
            };
            let note = conflict.note.as_ref().map(|n| format!(" ({n})")).unwrap_or_default();
            let message = format!(
                "{} {} {} is expected, and {other_name}={there} is stored: {effect}{note}",
                conflict.left, conflict.op, conflict.right
            );
            notes.push(Note { class: Class::Conflict, message });
        }
    }
    notes
}

/// The right side: name, divisor, wanted word.
fn right(text: &str) -> (&str, i128, Option<&str>) {
    if let Some((name, divisor)) = text.split_once(" / ") {
        return (name, divisor.parse().unwrap_or(1), None);
    }
    match text.split_once('=') {
        Some((name, word)) => (name, 1, Some(word)),
        None => (text, 1, None),
    }
}

/// Whether a side of a relation names this tunable.
fn fits(t: &Tunable, side: &str) -> bool {
    t.id == side
        || t.id.strip_prefix("global.").is_some_and(|name| name == side)
        || (!side.contains('.') && t.id.contains("service") && t.name == side)
}

/// The tunable of the other side, with the same device.
fn beside<'a>(catalogue: &'a Catalogue, t: &Tunable, mine: &str, other: &str) -> Option<&'a Tunable> {
    let last = |side: &str| side.rsplit('.').next().unwrap_or_default().len();
    let same_start = mine.get(..mine.len() - last(mine)) == other.get(..other.len() - last(other));
    let start = t.id.strip_suffix(t.name.as_str())?;
    let name = other.rsplit('.').next()?;
    same_start.then(|| catalogue.by_id(&format!("{start}{name}")))?
}

fn breaks(
    conflict: &Conflict,
    left: (&Tunable, &str),
    right: (&Tunable, &str),
    divisor: i128,
    wanted: Option<&str>,
) -> bool {
    match conflict.op.as_str() {
        "<=" | "<" => match (numeric(left.0, left.1), numeric(right.0, right.1)) {
            (Some(l), Some(r)) if conflict.op == "<" => l >= r / divisor,
            (Some(l), Some(r)) => l > r / divisor,
            _ => false,
        },
        "same as" => left.1 != right.1,
        "needs" => !left.1.contains('%') && wanted.is_some_and(|wanted| right.1 != wanted),
        _ => true,
    }
}

fn numeric(t: &Tunable, value: &str) -> Option<i128> {
    match t.value {
        Type::Size => {
            let unit = t.default_unit.as_deref().and_then(number::factor).unwrap_or(1);
            number::size(value, unit).ok()
        }
        _ => {
            let digits = value.rsplit(':').next().unwrap_or(value).trim();
            number::integer(digits, t.base.unwrap_or(10), true).ok()
        }
    }
}

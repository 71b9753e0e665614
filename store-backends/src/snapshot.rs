//! Everything a store holds, at one sequence number.

use std::collections::BTreeMap;

use crate::key::{self, SEQ_KEY, parse_commit_key, parse_seq_value};
use crate::{Entry, Seq, StoreError};

/// A consistent copy of a whole store: [`crate::Store::snapshot`], [`crate::Store::restore`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// The sequence number that the entries reflect; 0 for an empty store.
    pub seq: Seq,
    /// All entries sorted by key, `seq` and `commit/…` included.
    pub entries: Vec<Entry>,
}

impl Snapshot {
    /// Entries as a snapshot at `seq`; the key `seq` is set, whatever they say of it.
    #[must_use]
    pub fn of(entries: impl IntoIterator<Item = (String, Vec<u8>)>, seq: Seq) -> Self {
        let mut all: BTreeMap<String, Vec<u8>> = entries.into_iter().collect();
        all.insert(SEQ_KEY.to_owned(), key::seq_value(seq));
        Self { seq, entries: all.into_iter().map(|(key, value)| Entry { key, value }).collect() }
    }

    /// Refuses a snapshot that no store can have made.
    ///
    /// # Errors
    /// [`StoreError::BadSnapshot`]: keys invalid or out of order, `seq` contradictory, commits not dense.
    pub fn validate(&self) -> Result<(), StoreError> {
        self.contradiction().map_or(Ok(()), |detail| Err(StoreError::BadSnapshot { detail }))
    }

    fn contradiction(&self) -> Option<String> {
        if let Some(bad) = self.entries.iter().find_map(|e| key::validate(&e.key).err()) {
            return Some(bad.to_string());
        }
        let pairs = self.entries.iter().zip(self.entries.iter().skip(1));
        if let Some((_, late)) = pairs.into_iter().find(|(a, b)| a.key >= b.key) {
            return Some(format!("key {} is out of order", late.key));
        }
        let stored = self.entries.iter().find(|e| e.key == SEQ_KEY).map(|e| e.value.as_slice());
        match parse_seq_value(stored) {
            Ok(seq) if seq == self.seq => {}
            Ok(seq) => return Some(format!("it says seq {}, its entries say {seq}", self.seq)),
            Err(e) => return Some(e.to_string()),
        }
        let pruned = self.entries.iter().find(|e| e.key == key::PRUNED_KEY).map(|e| e.value.as_slice());
        let mut next: Seq = match key::parse_pruned(pruned) {
            Ok(through) => through.checked_add(1)?,
            Err(e) => return Some(e.to_string()),
        };
        for entry in self.entries.iter().filter(|e| e.key.starts_with(key::COMMIT_PREFIX)) {
            if parse_commit_key(&entry.key) != Some(next) {
                return Some(format!("found {} in the place of {}", entry.key, key::commit_key(next)));
            }
            next = next.checked_add(1)?;
        }
        (next.checked_sub(1) != Some(self.seq)).then(|| format!("{} is missing", key::commit_key(next)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{commit_key, seq_value};

    fn entry(key: &str, value: &[u8]) -> Entry {
        Entry { key: key.to_owned(), value: value.to_vec() }
    }

    fn good() -> Snapshot {
        let entries = vec![
            entry(&commit_key(1), b"{}"),
            entry(&commit_key(2), b"{}"),
            entry("fs/a", b""),
            entry("seq", b"2"),
        ];
        Snapshot { seq: 2, entries }
    }

    #[test]
    fn each_contradiction_is_refused() {
        assert_eq!(good().validate(), Ok(()));
        assert_eq!(Snapshot { seq: 0, entries: vec![] }.validate(), Ok(()));
        let damage: [fn(&mut Snapshot); 8] = [
            |s| s.seq = 3,
            |s| s.entries[3].value = seq_value(3),
            |s| s.entries[3].value = b"two".to_vec(),
            |s| s.entries.swap(2, 3),
            |s| s.entries[2].key = "fs//a".to_owned(),
            |s| drop(s.entries.remove(0)),
            |s| drop(s.entries.remove(1)),
            |s| drop(s.entries.remove(3)),
        ];
        for (i, damage) in damage.iter().enumerate() {
            let mut bad = good();
            damage(&mut bad);
            assert!(matches!(bad.validate(), Err(StoreError::BadSnapshot { .. })), "damage {i}");
        }
    }
}

//! Ranges that show a large commit whole, however much of it is in place.

use std::collections::BTreeMap;

use super::encode::{LAST, Place, STAGED, is_hidden, place_of};
use super::write::{find, now_of};
use super::{Chunk, Large};
use crate::sealed::crc;
use crate::{Change, Entry, RangeReply, Seq, Store, StoreError};

/// What lies in `staged/`.
#[derive(Clone, PartialEq, Eq)]
struct Staged {
    last: Seq,
    pending: bool,
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) enum Asked<'a> {
    /// As [`Store::range`].
    Prefix(&'a str),
    /// As [`Store::read`]; sorted.
    Keys(&'a [String]),
}

impl Asked<'_> {
    fn has(self, key: &str) -> bool {
        match self {
            Self::Prefix(prefix) => key.starts_with(prefix),
            Self::Keys(keys) => keys.binary_search_by(|k| k.as_str().cmp(key)).is_ok(),
        }
    }
}

impl<S: Store> Large<S> {
    /// As [`Store::range`] and [`Store::read`].
    pub(super) async fn look(&self, asked: Asked<'_>) -> Result<RangeReply, StoreError> {
        let mut before: Option<Staged> = None;
        loop {
            let found = match asked {
                Asked::Prefix(prefix) => self.inner.range(prefix).await?,
                Asked::Keys(keys) => self.inner.read(keys).await?,
            };
            // read after it: what was pending then is pending still, or is `last`
            let staged = self.inner.range(STAGED).await?;
            let now = now_of(&staged.entries)?;
            let last = last_of(&staged.entries)?;
            let seen = Staged { last, pending: now.is_some() };
            let overlay = match now {
                _ if last < found.seq => Some(Vec::new()),
                None if before.as_ref() == Some(&seen) && last == found.seq => Some(Vec::new()),
                // a store that never had a large commit
                None if last == 0 => Some(Vec::new()),
                Some(now) if now.seq == found.seq => self.chunks(&now).await?,
                _ => None,
            };
            before = Some(seen);
            if let Some(chunks) = overlay
                && let Some(entries) = self.resolve(asked, &found, chunks).await?
            {
                return Ok(RangeReply { entries, seq: found.seq });
            }
        }
    }

    /// What the range shows; `None` when the store has moved on meanwhile.
    async fn resolve(
        &self,
        asked: Asked<'_>,
        found: &RangeReply,
        chunks: Vec<Chunk>,
    ) -> Result<Option<Vec<Entry>>, StoreError> {
        let mut map: BTreeMap<&str, &[u8]> =
            found.entries.iter().map(|e| (e.key.as_str(), e.value.as_slice())).collect();
        for change in chunks.iter().flat_map(|chunk| &chunk.changes) {
            match change {
                Change::Put(key, value) if asked.has(key) => drop(map.insert(key, value)),
                Change::Delete(key) => drop(map.remove(key.as_str())),
                Change::Put(..) => {}
            }
        }
        let mut entries = Vec::with_capacity(map.len());
        for (key, value) in map {
            if is_hidden(key) {
                continue;
            }
            let value = match self.whole(key, value).await {
                Ok(whole) => whole.unwrap_or_else(|| value.to_vec()),
                // swept away after another commit has replaced the value
                Err(_) if self.inner.barrier().await? != found.seq => return Ok(None),
                Err(e) => return Err(e),
            };
            entries.push(Entry { key: key.to_owned(), value });
        }
        Ok(Some(entries))
    }

    /// The value that is stored in parts; `None` when it is not.
    pub(super) async fn whole(&self, key: &str, value: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(place) = place_of(key, value)? else { return Ok(None) };
        self.gather(key, &place).await.map(Some)
    }

    async fn gather(&self, key: &str, place: &Place) -> Result<Vec<u8>, StoreError> {
        let parts = self.inner.range(&place.prefix()).await?.entries;
        if parts.len() != place.parts {
            let detail = format!("{} of its {} parts are there", parts.len(), place.parts);
            return Err(StoreError::Corrupt { key: key.to_owned(), detail });
        }
        let mut whole = Vec::new();
        for part in &parts {
            whole.extend_from_slice(&part.value);
        }
        if crc(key, &whole) == place.crc {
            Ok(whole)
        } else {
            Err(Self::corrupt(key, "its parts do not belong together"))
        }
    }
}

fn last_of(entries: &[Entry]) -> Result<Seq, StoreError> {
    let Some(entry) = find(entries, LAST) else { return Ok(0) };
    let number = std::str::from_utf8(&entry.value).ok().and_then(|text| text.parse().ok());
    let detail = "it is not a number".to_owned();
    number.ok_or_else(|| StoreError::Corrupt { key: LAST.to_owned(), detail })
}

//! What a large plan looks like in the store below.

use serde::{Deserialize, Serialize};

use crate::key::{COMMIT_PREFIX, parse_commit_key};
use crate::sealed::crc;
use crate::txn::txn_of_stored;
use crate::{Change, Entry, Limits, Seq, Snapshot, StoreError, TxnId};

/// `staged/`: the two keys that say which large commit is, or was last, being put in place.
pub(super) const STAGED: &str = "staged/";
/// The [`Now`] of a commit whose changes are not all in place; absent otherwise.
pub(super) const NOW: &str = "staged/now";
/// Number of the last large commit, decimal.
pub(super) const LAST: &str = "staged/last";
/// Plans being prepared.
pub(super) const INTENTS: &str = "intent/";
/// Chunks of changes.
pub(super) const STAGES: &str = "stage/";
/// Index of values in parts.
pub(super) const PARTS: &str = "parts/";

/// Largest part and largest chunk: several fit a request of any backend.
pub(super) const PIECE_BYTES: usize = 256 << 10;
/// Changes in a chunk: with it, putting one in place is one request.
const PIECE_CHANGES: usize = 90;
/// A value in parts begins so. A value that only looks like it is stored in parts, too.
const IN_PARTS: &[u8] = b"\0in parts ";
/// A record in parts begins so.
const RECORD_IN_PARTS: &[u8] = br#"{"record_in_parts":"#;

/// Whether only this module writes the key, and nobody else sees it.
pub(super) fn is_hidden(key: &str) -> bool {
    [STAGED, INTENTS, STAGES, PARTS, "part/"].iter().any(|prefix| key.starts_with(prefix))
}

pub(super) fn intent_key(txn: TxnId) -> String {
    format!("{INTENTS}{txn}")
}

pub(super) fn stage_prefix(txn: TxnId) -> String {
    format!("{STAGES}{txn}/")
}

pub(super) fn chunk_key(txn: TxnId, index: usize) -> String {
    format!("{STAGES}{txn}/{index:08x}")
}

/// The transaction in `intent/<txn>`, `stage/<txn>/…`, `parts/<txn>/…`.
pub(super) fn txn_in(key: &str) -> Option<TxnId> {
    key.split('/').nth(1)?.parse().ok()
}

/// Value of `intent/<txn>`.
#[derive(Serialize, Deserialize)]
pub(super) struct Intent {
    /// The commit that it builds on: once that is past, the intent is dead.
    pub(super) base: Seq,
}

/// Value of `staged/now`.
#[derive(Serialize, Deserialize)]
pub(super) struct Now {
    /// The commit that named the stage.
    pub(super) seq: Seq,
    /// Its transaction, 32 hex digits.
    pub(super) txn: String,
    /// How many chunks there are.
    pub(super) chunks: usize,
}

/// Where the parts of a value are: `part/<txn>/<n>/<i>`, and that a value is in parts: `parts/<txn>/<n>`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Place {
    /// Transaction that wrote them, 32 hex digits.
    pub(super) txn: String,
    /// Number of the value in that transaction.
    pub(super) n: usize,
    /// How many parts.
    pub(super) parts: usize,
    /// CRC-32 over key and whole value.
    pub(super) crc: u32,
}

/// Value of `parts/<txn>/<n>`.
#[derive(Serialize, Deserialize)]
pub(super) struct Group {
    /// The key whose value it is.
    pub(super) owner: String,
    /// How many parts.
    pub(super) parts: usize,
}

#[derive(Serialize, Deserialize)]
struct RecordStub {
    record_in_parts: Place,
    txn: String,
}

impl Place {
    pub(super) fn prefix(&self) -> String {
        format!("part/{}/{:08x}/", self.txn, self.n)
    }
}

pub(super) fn part_key(txn: &str, n: usize, index: usize) -> String {
    format!("part/{txn}/{n:08x}/{index:08x}")
}

pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    // numbers and strings: cannot fail
    serde_json::to_vec(value).unwrap_or_default()
}

/// The value of `key` is somewhere else, in parts.
pub(super) fn place_of(key: &str, value: &[u8]) -> Result<Option<Place>, StoreError> {
    let unreadable =
        |e: serde_json::Error| StoreError::Corrupt { key: key.to_owned(), detail: e.to_string() };
    if let Some(place) = value.strip_prefix(IN_PARTS) {
        return serde_json::from_slice(place).map(Some).map_err(unreadable);
    }
    if key.starts_with(COMMIT_PREFIX) && value.starts_with(RECORD_IN_PARTS) {
        let stub: RecordStub = serde_json::from_slice(value).map_err(unreadable)?;
        return Ok(Some(stub.record_in_parts));
    }
    Ok(None)
}

/// A value in the store below may not look like this.
pub(super) fn looks_like_parts(key: &str, value: &[u8]) -> bool {
    value.starts_with(IN_PARTS) || (key.starts_with(COMMIT_PREFIX) && value.starts_with(RECORD_IN_PARTS))
}

/// Collects the parts of one transaction.
pub(super) struct Splitter {
    txn: TxnId,
    /// What has to be written, the index of each value first.
    pub(super) puts: Vec<(String, Vec<u8>)>,
    values: usize,
}

impl Splitter {
    pub(super) const fn new(txn: TxnId) -> Self {
        Self { txn, puts: Vec::new(), values: 0 }
    }

    /// What to store under `key` instead of a value that is too large; short values come back as they are.
    pub(super) fn shorten(&mut self, key: &str, value: Vec<u8>) -> Vec<u8> {
        if value.len() <= PIECE_BYTES && !looks_like_parts(key, &value) {
            return value;
        }
        let txn = self.txn.to_string();
        let parts = value.len().div_ceil(PIECE_BYTES);
        let place = Place { txn: txn.clone(), n: self.values, parts, crc: crc(key, &value) };
        self.values = self.values.saturating_add(1);
        let group = Group { owner: key.to_owned(), parts };
        self.puts.push((format!("{PARTS}{txn}/{:08x}", place.n), json(&group)));
        for (index, part) in value.chunks(PIECE_BYTES).enumerate() {
            self.puts.push((part_key(&txn, place.n, index), part.to_vec()));
        }
        if key.starts_with(COMMIT_PREFIX) {
            json(&RecordStub { record_in_parts: place, txn })
        } else {
            [IN_PARTS, &json(&place)].concat()
        }
    }
}

/// So many changes that putting them in place is one request.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Chunk {
    /// In order.
    pub(super) changes: Vec<Change>,
}

impl Chunk {
    /// Cuts changes, whose values are short, into chunks.
    pub(super) fn cut(changes: Vec<Change>) -> Vec<Self> {
        let mut chunks: Vec<Self> = Vec::new();
        let mut bytes = usize::MAX;
        for change in changes {
            let size = match &change {
                Change::Put(key, value) => key.len().saturating_add(value.len()),
                Change::Delete(key) => key.len(),
            };
            let full = chunks.last().is_none_or(|last| last.changes.len() >= PIECE_CHANGES);
            if full || bytes.saturating_add(size) > PIECE_BYTES.saturating_mul(2) {
                chunks.push(Self::default());
                bytes = 0;
            }
            bytes = bytes.saturating_add(size);
            if let Some(last) = chunks.last_mut() {
                last.changes.push(change);
            }
        }
        chunks
    }

    /// Per change: `P` or `D`, key length u16, key; for `P` value length u32, value. Little-endian.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for change in &self.changes {
            let (tag, key, value) = match change {
                Change::Put(key, value) => (b'P', key, Some(value)),
                Change::Delete(key) => (b'D', key, None),
            };
            out.push(tag);
            out.extend(u16::try_from(key.len()).unwrap_or(u16::MAX).to_le_bytes());
            out.extend(key.as_bytes());
            if let Some(value) = value {
                out.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
                out.extend(value);
            }
        }
        out
    }

    /// `None` when the bytes are not those of [`encode`](Self::encode).
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut changes = Vec::new();
        while let Some((tag, rest)) = bytes.split_first() {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
            let key = String::from_utf8(key.to_vec()).ok()?;
            match tag {
                b'P' => {
                    let (length, rest) = rest.split_first_chunk::<4>()?;
                    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
                    let (value, rest) = rest.split_at_checked(length)?;
                    changes.push(Change::Put(key, value.to_vec()));
                    bytes = rest;
                }
                b'D' => {
                    changes.push(Change::Delete(key));
                    bytes = rest;
                }
                _ => return None,
            }
        }
        Some(Self { changes })
    }
}

/// A snapshot for the store below: large values in parts, under the transaction of its last commit.
pub(super) fn with_parts(snapshot: Snapshot, limits: Limits) -> Result<Snapshot, StoreError> {
    let fits = |e: &Entry| {
        e.key.len().saturating_add(e.value.len()) <= limits.bytes && !looks_like_parts(&e.key, &e.value)
    };
    if let Some(hidden) = snapshot.entries.iter().find(|e| is_hidden(&e.key)) {
        let detail = format!("{} is no key of a snapshot", hidden.key);
        return Err(StoreError::BadSnapshot { detail });
    }
    if snapshot.entries.iter().all(fits) {
        return Ok(snapshot);
    }
    // a record in parts must keep its own transaction; other values take that of the last commit
    let mut last = TxnId(0);
    let mut splitters = Vec::new();
    let mut entries = Vec::new();
    for entry in &snapshot.entries {
        if let Some(seq) = parse_commit_key(&entry.key) {
            last = txn_of_stored(seq, &entry.value)?;
            if !fits(entry) {
                let mut splitter = Splitter::new(last);
                let value = splitter.shorten(&entry.key, entry.value.clone());
                entries.push(Entry { key: entry.key.clone(), value });
                splitters.push(splitter);
            }
        }
    }
    // numbers of its parts must not meet those of its record
    let mut values = Splitter { txn: last, puts: Vec::new(), values: 1 };
    for Entry { key, value } in
        snapshot.entries.into_iter().filter(|e| fits(e) || !e.key.starts_with(COMMIT_PREFIX))
    {
        let entry = Entry { key, value };
        let value = if fits(&entry) { entry.value } else { values.shorten(&entry.key, entry.value) };
        entries.push(Entry { key: entry.key, value });
    }
    splitters.push(values);
    let puts = splitters.into_iter().flat_map(|splitter| splitter.puts);
    entries.extend(puts.map(|(key, value)| Entry { key, value }));
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(Snapshot { seq: snapshot.seq, entries })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            ("[a-z]{1,8}/[a-z0-9]{1,20}", vec(any::<u8>(), 0..200))
                .prop_map(|(key, value)| Change::Put(key, value)),
            "[a-z]{1,8}/[a-z0-9]{1,20}".prop_map(Change::Delete),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn chunks_come_back(changes in vec(change(), 0..200)) {
            let chunks = Chunk::cut(changes.clone());
            prop_assert!(chunks.iter().all(|c| (1..=PIECE_CHANGES).contains(&c.changes.len())));
            let back: Vec<_> = chunks.iter().map(|c| Chunk::decode(&c.encode()).unwrap()).collect();
            prop_assert_eq!(&back, &chunks);
            prop_assert_eq!(back.into_iter().flat_map(|c| c.changes).collect::<Vec<_>>(), changes);
        }

    }

    proptest! {
        /// Cut at every byte it is either refused or the changes before the cut.
        #[test]
        fn a_cut_chunk_is_a_prefix_or_refused(changes in vec(change(), 1..6)) {
            let bytes = Chunk { changes: changes.clone() }.encode();
            for cut in 0..bytes.len() {
                if let Some(found) = Chunk::decode(&bytes[..cut]) {
                    prop_assert!(found.changes.len() < changes.len());
                    prop_assert_eq!(&found.changes[..], &changes[..found.changes.len()]);
                }
            }
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in vec(any::<u8>(), 0..300), key in "[a-z]{1,9}/[a-z]{1,9}") {
            if let Some(found) = Chunk::decode(&bytes) {
                prop_assert_eq!(found.encode(), bytes.clone());
            }
            let _ = place_of(&key, &[IN_PARTS, &bytes].concat());
            let _ = place_of("commit/0000000000000001", &[RECORD_IN_PARTS, &bytes].concat());
            let _ = txn_in(&key);
        }

        #[test]
        fn hostile_lengths_are_refused(at in 0usize..3, length in prop_oneof![Just(u32::MAX), Just(1 << 31), Just(1 << 20)]) {
            let mut bytes = Chunk { changes: vec![Change::Put("a/b".to_owned(), vec![1, 2, 3])] }.encode();
            match at {
                0 => bytes[1..3].copy_from_slice(&u16::MAX.to_le_bytes()),
                1 => bytes[6..10].copy_from_slice(&length.to_le_bytes()),
                _ => bytes[0] = 0xff,
            }
            prop_assert_eq!(Chunk::decode(&bytes), None);
        }

    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

        /// What is shortened is found again, and nothing short is touched unless it looks like parts.
        #[test]
        fn values_are_shortened_and_found(len in prop_oneof![0usize..100, Just(PIECE_BYTES), PIECE_BYTES + 1..3 * PIECE_BYTES], odd in any::<bool>()) {
            let mut value = vec![7u8; len];
            if odd {
                value.splice(0..0, IN_PARTS.iter().copied());
            }
            let mut splitter = Splitter::new(TxnId(9));
            let stored = splitter.shorten("fs/a", value.clone());
            match place_of("fs/a", &stored).unwrap() {
                None => prop_assert_eq!((stored, splitter.puts.len()), (value, 0)),
                Some(place) => {
                    let parts = splitter.puts.iter().filter(|(key, _)| key.starts_with(&place.prefix()));
                    let whole: Vec<u8> = parts.flat_map(|(_, part)| part.clone()).collect();
                    prop_assert_eq!(crc("fs/a", &whole), place.crc);
                    prop_assert_eq!(whole, value);
                    prop_assert!(splitter.puts.iter().all(|(_, part)| part.len() <= PIECE_BYTES));
                }
            }
        }
    }

    #[test]
    fn chunks_fit_a_request_of_every_backend() {
        let key = "k".repeat(crate::key::MAX_KEY_BYTES);
        for chunk in Chunk::cut(vec![Change::Put(key, vec![0; PIECE_BYTES]); 10]) {
            assert!(chunk.changes.len() <= Limits::EVERY.operations);
            assert!(chunk.encode().len() + 100 <= Limits::EVERY.bytes);
        }
    }
}

//! One log in memory.

mod change;
mod chunks;
mod read;

pub use change::Appended;

use crate::header::{CONFIG_UUID, Header, IS_PLAIN};
use crate::record::{self, Frame, HEAD, RecordRef, TAIL};
use crate::{CHUNK, le};
use chunks::Chunks;
use std::sync::Arc;

/// The image of one log file.
///
/// Cheap to clone: all parts are shared, and the first change after that copies only the chunk it touches, the
/// bitmap and a part of the list of chunks. The header is not stored but rendered, so counters can never disagree with
/// the records.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The file has a header; false until the first record.
    written: bool,
    timestamp: i64,
    /// One bit per index, as in the header but without bit 0; only as long as needed.
    live: Arc<Vec<u8>>,
    live_count: u32,
    min_len: u32,
    last_index: u32,
    chunks: Chunks<Chunk>,
    foreign: bool,
}

/// Records between two chunk boundaries.
#[derive(Clone, Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
}

/// Where a record lies in its chunk.
#[derive(Clone, Copy, Debug)]
struct Slot {
    index: u32,
    kind: u32,
    at: u16,
    len: u16,
}

impl Log {
    /// A log that was never written to: a zero-length file.
    pub fn new() -> Self {
        Self::default()
    }

    /// File size; 0 before the first record.
    pub fn end(&self) -> u64 {
        if !self.written {
            return 0;
        }
        let full = self.chunks.len().saturating_sub(1);
        let last = self.chunks.last().map_or(0, |c| c.bytes.len());
        u64::try_from(CHUNK * (1 + full) + last).unwrap_or(u64::MAX)
    }

    /// Number of chunks behind the header.
    pub fn chunk_count(&self) -> usize {
        self.chunks.len()
    }

    /// Used bytes of chunk `n`; chunk 0 begins at offset 8192.
    pub fn chunk(&self, n: usize) -> Option<&[u8]> {
        self.chunks.get(n).map(|c| c.bytes.as_slice())
    }

    /// Index of the last record of chunk `n`, padding included.
    pub fn chunk_last_index(&self, n: usize) -> Option<u32> {
        self.chunks.get(n)?.slots.last().map(|s| s.index)
    }

    /// First chunk whose last index is at or above `index`; `None` behind the end. Takes O(log n).
    pub fn chunk_of_index(&self, index: u32) -> Option<usize> {
        let n = self.chunks.partition_point(|c| c.slots.last().is_none_or(|s| s.index < index));
        (n < self.chunks.len()).then_some(n)
    }

    /// Index of the last record ever written, padding and cancelled ones included; 0 before the first.
    pub fn last_index(&self) -> u32 {
        self.last_index
    }

    /// `llh_count`: live records and the header.
    pub fn count(&self) -> u32 {
        self.live_count + 1
    }

    /// Tells whether the record exists and is neither padding nor cancelled.
    pub fn is_live(&self, index: u32) -> bool {
        self.live.get(le::index(index / 8)).is_some_and(|byte| byte & (1 << (index % 8)) != 0)
    }

    /// No live record, as `llog_is_empty`. The file may still hold cancelled ones; [`Self::end`] tells whether it
    /// was ever written to.
    pub fn is_empty(&self) -> bool {
        self.live_count == 0
    }

    /// Seconds since 1970 when the first record was written; 0 before.
    pub fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// Sets the time of the header, for a log that is rebuilt from stored segments.
    pub fn set_timestamp(&mut self, seconds: i64) {
        self.timestamp = seconds;
    }

    /// `llh_size`: length of the shortest record ever appended, padding not counted; 0 before the first.
    pub fn shortest(&self) -> u32 {
        self.min_len
    }

    /// The file was written, wholly or in part, by a node of the other byte order.
    pub fn is_foreign_order(&self) -> bool {
        self.foreign
    }

    /// Indices are missing between records. Readers tolerate that; [`Self::append_raw`] does not.
    pub fn has_gaps(&self) -> bool {
        let records: usize = self.chunks.iter_from(0).map(|c| c.slots.len()).sum();
        records != le::index(self.last_index)
    }

    /// The header record. For a log never written to it is the one a kernel MGS makes up: count 1, no UUID.
    pub fn header(&self) -> Vec<u8> {
        let mut bitmap = self.live.as_ref().clone();
        match bitmap.first_mut() {
            Some(first) => *first |= 1,
            None => bitmap.push(1),
        }
        let uuid = if self.written { CONFIG_UUID } else { "" };
        Header {
            timestamp: self.timestamp,
            count: self.count(),
            min_len: self.min_len,
            flags: IS_PLAIN,
            cat_idx: 0,
            uuid: uuid.to_owned(),
            last_index: self.last_index,
            foreign: false,
            bitmap,
        }
        .encode()
    }

    /// The whole file, little-endian. A log never written to is an empty file.
    pub fn to_file(&self) -> Vec<u8> {
        self.bytes_from(0)
    }

    /// The bytes from `offset` to the end of the file.
    pub fn bytes_from(&self, offset: u64) -> Vec<u8> {
        self.bytes_between(offset, u64::MAX)
    }

    /// The bytes from `offset` to `end`, or to the end of the file. Takes O(bytes).
    pub fn bytes_between(&self, offset: u64, end: u64) -> Vec<u8> {
        if offset >= self.end().min(end) {
            return Vec::new();
        }
        let most = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut skip = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut out = Vec::new();
        let header = if skip < CHUNK { self.header() } else { Vec::new() };
        out.extend_from_slice(header.get(skip..).unwrap_or_default());
        skip = skip.saturating_sub(CHUNK);
        for chunk in self.chunks.iter_from(skip / CHUNK) {
            if out.len() >= most {
                break;
            }
            out.extend_from_slice(chunk.bytes.get(skip % CHUNK..).unwrap_or_default());
            skip = 0;
        }
        out.truncate(most);
        out
    }

    /// All records in order, padding and cancelled ones included.
    pub fn records(&self) -> impl Iterator<Item = RecordRef<'_>> {
        self.records_from(1)
    }

    /// The records whose index is `first` or more.
    pub fn records_from(&self, first: u32) -> impl Iterator<Item = RecordRef<'_>> {
        let n = self.chunk_of_index(first).unwrap_or(self.chunks.len());
        (n..).zip(self.chunks.iter_from(n)).flat_map(move |(n, chunk)| {
            let from = if first <= 1 { 0 } else { chunk.slots.partition_point(|s| s.index < first) };
            chunk.slots.iter().skip(from).map(move |slot| self.view(n, chunk, *slot))
        })
    }

    /// The record with this index, live or not.
    pub fn record(&self, index: u32) -> Option<RecordRef<'_>> {
        let (n, slot) = self.locate(index)?;
        Some(self.view(n, self.chunks.get(n)?, slot))
    }

    /// Chunk and place of an index.
    fn locate(&self, index: u32) -> Option<(usize, Slot)> {
        let n = self.chunk_of_index(index)?;
        let slots = &self.chunks.get(n)?.slots;
        let i = slots.binary_search_by_key(&index, |s| s.index).ok()?;
        slots.get(i).map(|slot| (n, *slot))
    }

    fn offset_of(n: usize, slot: Slot) -> u64 {
        le::offset(CHUNK * (n + 1) + usize::from(slot.at))
    }

    fn view<'a>(&self, n: usize, chunk: &'a Chunk, slot: Slot) -> RecordRef<'a> {
        let (at, len) = (usize::from(slot.at), usize::from(slot.len));
        RecordRef {
            index: slot.index,
            offset: Self::offset_of(n, slot),
            len: u32::from(slot.len),
            kind: slot.kind,
            live: self.is_live(slot.index),
            payload: chunk.bytes.get(at + HEAD..at + len - TAIL).unwrap_or_default(),
        }
    }

    /// Adds a record that was checked before; `live` sets its bit. O(record), unless a clone shares the last chunk.
    fn push(&mut self, frame: Frame, bytes: &[u8], live: bool) {
        if self.chunks.last().is_none_or(|c| c.bytes.len() >= CHUNK) {
            self.chunks.push(Chunk::default());
        }
        let Some(chunk) = self.chunks.len().checked_sub(1).and_then(|n| self.chunks.get_mut(n)) else {
            return;
        };
        chunk.slots.push(Slot {
            index: frame.index,
            kind: frame.kind,
            at: u16::try_from(chunk.bytes.len()).unwrap_or(u16::MAX),
            len: u16::try_from(bytes.len()).unwrap_or(u16::MAX),
        });
        chunk.bytes.extend_from_slice(bytes);
        self.written = true;
        self.last_index = frame.index;
        let len = le::len32(bytes.len());
        if frame.kind != record::kind::PAD && (self.min_len == 0 || len < self.min_len) {
            self.min_len = len;
        }
        if live {
            self.live_count += 1;
            self.set_bit(frame.index, true);
        }
    }

    fn set_bit(&mut self, index: u32, on: bool) {
        let live = Arc::make_mut(&mut self.live);
        let byte = le::index(index / 8);
        if live.len() <= byte {
            live.resize(byte + 1, 0);
        }
        if let Some(b) = live.get_mut(byte) {
            let mask = 1 << (index % 8);
            *b = if on { *b | mask } else { *b & !mask };
        }
    }
}

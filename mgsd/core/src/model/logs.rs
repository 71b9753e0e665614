//! A log in the view: its identity, its image, and the segments in which the store keeps it.
//!
//! ```text
//! segment value: u32 'SEG1' | u32 n | u64 offset of the first byte in the log file | n x u32 cancelled index | bytes
//! ```
//! The bytes are exactly what a commit appended, padding records included; an edit in place rewrites the one segment.

use llog::log::Log;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::llog_rpc::LogId;

/// `llog/<log>`: identity of one incarnation of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHead {
    /// Object number: changes when a log is erased and made anew.
    pub oid: u64,
    /// Unix seconds of the first record; 0 while there is none.
    pub created: i64,
    /// Turn from which on it is given to mounts to come; 0: from the beginning.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub since: u32,
    /// Turns that restores took away, exclusive on both ends: whoever connected then may have read a generation of the log
    /// that is lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<(u32, u32)>,
    /// When it was last written anew, unix seconds; 0: never.
    #[serde(default, skip_serializing_if = "is_never")]
    pub anew: i64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde wants it
const fn is_never(time: &i64) -> bool {
    *time == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde wants it
const fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Sequence of named logs in a log id, as the kernel's.
pub const LOG_SEQ: u64 = 10;

/// A log.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// Identity.
    pub head: LogHead,
    /// The image: header and records.
    pub log: Log,
    /// By the commit that wrote it. Shared: a transaction copies the entry, and never changes these.
    segments: Arc<BTreeMap<u64, Start>>,
}

/// How much of its life a log has used: indices are never given out again, so a log that is full takes nothing more
/// until another begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Indices used, padding and skipped sections included.
    pub used: u32,
    /// Indices of a life.
    pub limit: u32,
    /// Commits that wrote to the log, without the one that wrote it anew.
    pub commits: usize,
    /// Indices that it had when it was written anew; they say nothing of how it grows.
    pub base: u32,
    /// Since when it has grown, unix seconds; 0: it has no record.
    pub since: i64,
}

/// When a log will be full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forecast {
    /// It has grown for less than a day: that says nothing.
    TooEarly,
    /// It does not grow.
    Steady,
    /// Then, if it goes on filling as since its beginning, unix seconds.
    Full(i64),
}

impl Budget {
    /// Part used, in percent, rounded down.
    pub const fn percent(self) -> u32 {
        self.used * 100 / self.limit
    }
    /// It is time to renew the log: 70 % are used.
    pub const fn is_low(self) -> bool {
        self.percent() >= 70
    }
    const fn grown(self) -> u32 {
        self.used.saturating_sub(self.base)
    }
    /// How many commits of the size seen so far still fit; `None` before the first.
    pub fn commits_left(self) -> Option<u64> {
        let left = u64::from(self.limit.saturating_sub(self.used));
        let commits = u64::try_from(self.commits).ok()?;
        (left * commits).checked_div(u64::from(self.grown()))
    }
    /// When it will be full, as far as its past says.
    pub fn forecast(self, now: i64) -> Forecast {
        const DAY: i64 = 86_400;
        let age = now.saturating_sub(self.since);
        if self.since == 0 || age < DAY {
            return Forecast::TooEarly;
        }
        let left = i64::from(self.limit.saturating_sub(self.used));
        let lasts = left.checked_mul(age).and_then(|n| n.checked_div(self.grown().into()));
        lasts.and_then(|lasts| now.checked_add(lasts)).map_or(Forecast::Steady, Forecast::Full)
    }
}

/// Where a segment starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Start {
    /// Offset of its first byte in the log file.
    offset: u64,
    /// Index of its first record.
    index: u32,
}

/// A segment taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Offset of the first byte in the log file.
    pub offset: u64,
    /// Indices within the segment whose bit was cleared.
    pub cancelled: Vec<u32>,
    /// Records, padding included.
    pub bytes: Vec<u8>,
}

const MAGIC: u32 = u32::from_le_bytes(*b"SEG1");

impl Segment {
    /// The stored value.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + 4 * self.cancelled.len() + self.bytes.len());
        out.extend(MAGIC.to_le_bytes());
        out.extend(u32::try_from(self.cancelled.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(self.offset.to_le_bytes());
        for index in &self.cancelled {
            out.extend(index.to_le_bytes());
        }
        out.extend(&self.bytes);
        out
    }

    /// Offset behind the last byte in the log file.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(u64::try_from(self.bytes.len()).unwrap_or(u64::MAX))
    }

    /// Reads a stored value.
    pub fn decode(value: &[u8]) -> Result<Self, String> {
        let mut r = wire::Reader::new(value, wire::Order::Little);
        let parse = |r: &mut wire::Reader<'_>| -> wire::Result<Self> {
            let magic = r.u32("segment magic")?;
            if magic != MAGIC {
                return Err(wire::Error::BadMagic { what: "segment", got: magic.into() });
            }
            let n = r.u32("segment count")? as usize;
            let offset = r.u64("segment offset")?;
            let mut list = r.sub("cancelled indices", n.saturating_mul(4))?;
            let mut cancelled = Vec::with_capacity(n);
            for _ in 0..n {
                cancelled.push(list.u32("cancelled index")?);
            }
            Ok(Self { offset, cancelled, bytes: r.rest().to_vec() })
        };
        parse(&mut r).map_err(|e| e.to_string())
    }
}

impl LogEntry {
    /// A log without records.
    pub fn new(head: LogHead) -> Self {
        Self { head, log: Log::new(), segments: Arc::default() }
    }

    /// Identity on the wire.
    pub const fn id(&self) -> LogId {
        LogId { oid: self.head.oid, seq: LOG_SEQ, ogen: 0 }
    }

    /// A head as stored: another identity means another, empty log.
    pub fn set_head(&mut self, head: LogHead) {
        if head.oid == self.head.oid { self.head = head } else { *self = Self::new(head) }
    }

    /// A segment as stored by commit `seq`, or its removal with the log.
    pub fn set_segment(&mut self, seq: u64, value: Option<&[u8]>) -> Result<(), String> {
        let Some(value) = value else {
            // Only erasing a log deletes segments, and then the head went first.
            return Ok(());
        };
        let segment = Segment::decode(value)?;
        // Segments follow each other as their commits do: an earlier one behind a later one is not ours.
        let newest = self.segments.keys().next_back().copied();
        match self.segments.get(&seq) {
            None if segment.offset == self.end() && newest < Some(seq) => self.append(seq, &segment),
            Some(start) if start.offset == segment.offset => self.replace(seq, &segment),
            _ => Err(format!(
                "segment of commit {seq} starts at {}, the log ends at {} with that of commit {}",
                segment.offset,
                self.end(),
                newest.unwrap_or(0)
            )),
        }
    }

    fn append(&mut self, seq: u64, segment: &Segment) -> Result<(), String> {
        let start = Start { offset: segment.offset, index: self.log.last_index() + 1 };
        self.log
            .append_raw(&segment.bytes, &segment.cancelled, self.head.created)
            .map_err(|e| e.to_string())?;
        Arc::make_mut(&mut self.segments).insert(seq, start);
        Ok(())
    }

    /// An edit changed the segment in place, or a later change of the same commit made it longer. Whatever else has
    /// become of it, the image is built again from all segments.
    fn replace(&mut self, seq: u64, segment: &Segment) -> Result<(), String> {
        let old = self.segment(seq);
        if let Some(start) = self.segments.get(&seq)
            && old.bytes.len() == segment.bytes.len()
            && self
                .log
                .overwrite_raw(start.index, &segment.bytes, &segment.cancelled)
                .map_err(|e| e.to_string())?
        {
            return Ok(());
        }
        let is_last = self.segments.keys().next_back() == Some(&seq);
        if is_last
            && old.cancelled == segment.cancelled
            && let Some(tail) = segment.bytes.strip_prefix(old.bytes.as_slice())
        {
            return self.log.append_raw(tail, &[], self.head.created).map_err(|e| e.to_string());
        }
        let all: Vec<(u64, Segment)> = self
            .segments
            .keys()
            .map(|s| (*s, if *s == seq { segment.clone() } else { self.segment(*s) }))
            .collect();
        let mut fresh = Self::new(self.head.clone());
        all.iter().try_for_each(|(s, seg)| fresh.append(*s, seg))?;
        *self = fresh;
        Ok(())
    }

    /// The segment of commit `seq` as the image has it now. Empty when there is none.
    pub fn segment(&self, seq: u64) -> Segment {
        let Some(&start) = self.segments.get(&seq) else {
            return Segment { offset: self.end(), cancelled: Vec::new(), bytes: Vec::new() };
        };
        let end = self.segments.range(seq + 1..).next().map_or(self.log.end(), |(_, next)| next.offset);
        self.cut(start, end)
    }

    /// The same of an image that has grown beyond `end` since, without what is new.
    pub fn segment_before(&self, seq: u64, end: u64) -> Segment {
        match self.segments.get(&seq) {
            Some(&start) => {
                let next = self.segments.range(seq + 1..).next().map_or(end, |(_, next)| next.offset);
                self.cut(start, next.min(end))
            }
            None => self.segment(seq),
        }
    }

    /// What commit `seq` wrote to the log so far, given what the log was before it (`None`: not there).
    pub fn written_since(&self, old: Option<&Self>, seq: u64) -> Segment {
        let start = match old {
            None => Start { offset: FIRST, index: 1 },
            // An earlier change of the same commit began this segment: it is written again, longer.
            Some(old) => old
                .segments
                .get(&seq)
                .copied()
                .unwrap_or(Start { offset: old.end(), index: old.log.last_index() + 1 }),
        };
        self.cut(start, self.log.end())
    }

    fn cut(&self, start: Start, end: u64) -> Segment {
        let bytes = self.log.bytes_between(start.offset, end);
        let cancelled = self
            .log
            .records_from(start.index)
            .take_while(|r| r.offset < end)
            .filter(|r| !r.live && !r.is_pad())
            .map(|r| r.index)
            .collect();
        Segment { offset: start.offset, cancelled, bytes }
    }

    /// End of the log file, as if it had its header already.
    pub fn end(&self) -> u64 {
        self.log.end().max(FIRST)
    }

    /// How much of its life is used.
    pub fn budget(&self) -> Budget {
        let (used, limit) = (self.log.last_index(), llog::record::MAX_INDEX);
        let commits = self.segments.len();
        let first = self.segments.keys().next().and_then(|seq| self.last_index_of(*seq));
        match self.head.anew {
            0 => Budget { used, limit, commits, base: 0, since: self.head.created },
            since => {
                Budget { used, limit, commits: commits.saturating_sub(1), base: first.unwrap_or(0), since }
            }
        }
    }

    /// The commit whose segment holds the byte at `offset`.
    pub fn segment_at(&self, offset: u64) -> Option<u64> {
        self.segments.iter().rev().find(|(_, start)| start.offset <= offset).map(|(seq, _)| *seq)
    }

    /// The commit that wrote the record with this index.
    pub fn commit_of(&self, index: u32) -> Option<u64> {
        self.segments.iter().rev().find(|(_, start)| start.index <= index).map(|(seq, _)| *seq)
    }

    /// The last index that a commit wrote.
    pub fn last_index_of(&self, seq: u64) -> Option<u32> {
        self.segments.get(&seq)?;
        let next = self.segments.range(seq + 1..).next();
        Some(next.map_or(self.log.last_index(), |(_, start)| start.index.saturating_sub(1)))
    }

    /// Commits that wrote to this log, oldest first.
    pub fn segment_seqs(&self) -> impl Iterator<Item = u64> + '_ {
        self.segments.keys().copied()
    }
}

/// Offset of the first record in a log file.
pub const FIRST: u64 = 8192;

//! Reading a configuration log block by block, with the positions a kernel client asks for.
//!
//! ```text
//!  header ─► first set bit ≥ last processed + 1 ─► (index, 0, 8192)
//!            chunk ends before the last record  ─► (next index, last of chunk, next chunk)
//!            last record seen                   ─► (last, last, same chunk) once more, then the end
//! ```
use bytes::Bytes;
use wire::Reader;
use wire::llog_rpc::LlogdBody;

/// Size of the header and of each chunk.
pub(crate) const CHUNK: usize = 8192;
const CHUNK_U64: u64 = 8192;
const HEADER_TYPE: u32 = 0x1064_5539;
const CFG_TYPE: u32 = 0x1062_0000;
const PAD_TYPE: u32 = 0x1060_0000;
const BITMAP_AT: usize = 88;
const BITMAP_LEN: usize = 8096;

/// A configuration record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) index: u32,
    /// The `lustre_cfg`.
    pub(crate) payload: Vec<u8>,
}

/// What the next request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) index: u32,
    pub(crate) saved: u32,
    pub(crate) offset: u64,
}

/// What an answer to NEXT_BLOCK led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask on.
    More(Vec<Record>),
    /// The end of the log.
    End(Vec<Record>),
}

/// A reader in the middle of a log.
#[derive(Clone, Debug)]
pub(crate) struct LogCursor {
    bitmap: Bytes,
    last: u32,
    position: Position,
    again: bool,
}

impl LogCursor {
    /// Checks a header (`llog_osd`/`llog_client` rules) and looks for work behind `processed`. `Ok(None)`: nothing new.
    pub(crate) fn start(header: &Bytes, processed: u32, order: wire::Order) -> Result<Option<Self>, String> {
        let mut r = Reader::new(header, order);
        let word = |r: &mut Reader<'_>| r.u32("llog header").map_err(|e| e.to_string());
        let (len, index, kind) = (word(&mut r)?, word(&mut r)?, word(&mut r)?);
        let len_bytes = usize::try_from(len).unwrap_or(usize::MAX);
        if kind != HEADER_TYPE {
            return Err(format!("header type {kind:#x}, must be {HEADER_TYPE:#x}"));
        }
        if len_bytes != CHUNK || header.len() < CHUNK || index != 0 {
            return Err(format!("header of {len} bytes (index {index}), must be {CHUNK} (0)"));
        }
        let bitmap = header.slice(BITMAP_AT..BITMAP_AT + BITMAP_LEN);
        let mut tail = Reader::new(header.get(CHUNK - 8..CHUNK).unwrap_or_default(), order);
        let (tail_len, last) = (word(&mut tail)?, word(&mut tail)?);
        if tail_len != len {
            return Err(format!("header tail says {tail_len} bytes, head {len}"));
        }
        let mut cursor =
            Self { bitmap, last, position: Position { index: 0, saved: 0, offset: CHUNK_U64 }, again: false };
        if !cursor.bit(0) {
            return Err("bit 0 of the bitmap is clear".to_owned());
        }
        let count = cursor.bitmap.iter().map(|b| b.count_ones()).sum::<u32>();
        let mut fields = Reader::new(header.get(24..28).unwrap_or_default(), order);
        let stated = word(&mut fields)?;
        if stated != count {
            return Err(format!("count {stated}, but {count} bits are set"));
        }
        let Some(index) = cursor.next_set(processed.saturating_add(1)) else { return Ok(None) };
        cursor.position.index = index;
        Ok(Some(cursor))
    }

    fn bit(&self, index: u32) -> bool {
        let byte = usize::try_from(index >> 3).ok().and_then(|i| self.bitmap.get(i));
        byte.is_some_and(|b| b >> (index & 7) & 1 == 1)
    }

    fn next_set(&self, from: u32) -> Option<u32> {
        (from..=self.last).find(|i| self.bit(*i))
    }

    pub(crate) const fn position(&self) -> Position {
        self.position
    }

    /// An end-of-log status (-EIO, -EBADR): a normal end if it is where the reader stands.
    pub(crate) fn on_eof(&self, body: &LlogdBody) -> Result<(), String> {
        if self.again || body.cur_offset == self.position.offset {
            return Ok(());
        }
        Err(format!("end of log at {}, the reader stands at {}", body.cur_offset, self.position.offset))
    }

    /// A block. Records below the wanted index and those with a clear bit are left out.
    pub(crate) fn on_block(
        &mut self,
        body: &LlogdBody,
        data: &[u8],
        order: wire::Order,
    ) -> Result<Step, String> {
        if data.len() < CHUNK {
            return Err(format!("block of {} bytes, the client copies {CHUNK}", data.len()));
        }
        let (all, end, last) = records(data.get(..CHUNK).unwrap_or_default(), order)?;
        let start = body.cur_offset.saturating_sub(1) & !(CHUNK_U64 - 1);
        if body.saved_index != last {
            return Err(format!("saved index {}, the block ends with record {last}", body.saved_index));
        }
        let exact = start + u64::try_from(end).unwrap_or(0);
        if body.cur_offset != exact {
            return Err(format!(
                "offset {} behind the block, its last record ends at {exact}",
                body.cur_offset
            ));
        }
        if self.again {
            return Ok(Step::End(Vec::new()));
        }
        if last < self.position.index {
            return Err(format!(
                "block ends with record {last}, record {} was asked for",
                self.position.index
            ));
        }
        let wanted = self.position.index;
        let mine: Vec<Record> = all.into_iter().filter(|r| r.index >= wanted && self.bit(r.index)).collect();
        if last >= self.last {
            self.again = true;
            self.position = Position { index: self.last, saved: self.last, offset: start };
            return Ok(Step::More(mine));
        }
        match self.next_set(last + 1) {
            None => Ok(Step::End(mine)),
            Some(_) => {
                self.position = Position { index: last + 1, saved: last, offset: body.cur_offset };
                Ok(Step::More(mine))
            }
        }
    }

    /// Last index of the log when the header was read.
    pub(crate) const fn last(&self) -> u32 {
        self.last
    }
}

/// Records of a chunk, where the last one ends in it, and its index.
fn records(chunk: &[u8], order: wire::Order) -> Result<(Vec<Record>, usize, u32), String> {
    let mut r = Reader::new(chunk, order);
    let (mut out, mut end, mut last) = (Vec::new(), 0, 0);
    while r.remaining() >= 24 {
        let mut head = r.clone();
        let word = |r: &mut Reader<'_>| r.u32("record").map_err(|e| e.to_string());
        let (len, index, kind, _id) =
            (word(&mut head)?, word(&mut head)?, word(&mut head)?, word(&mut head)?);
        if len == 0 {
            break;
        }
        let n = usize::try_from(len).unwrap_or(usize::MAX);
        if n < 24 || n % 8 != 0 {
            return Err(format!("record {index} of {len} bytes, must be a multiple of 8 from 24"));
        }
        let body = r.take("record", n).map_err(|e| format!("record {index}: {e}"))?;
        let mut tail = Reader::new(body.get(n - 8..).unwrap_or_default(), order);
        let (tail_len, tail_index) = (word(&mut tail)?, word(&mut tail)?);
        if (tail_len, tail_index) != (len, index) {
            return Err(format!("record {index}: tail says {tail_len} bytes, index {tail_index}"));
        }
        if last != 0 && index != last + 1 {
            return Err(format!("record {index} follows record {last}"));
        }
        match kind {
            CFG_TYPE => out.push(Record { index, payload: body.get(16..n - 8).unwrap_or_default().to_vec() }),
            PAD_TYPE => {}
            other => return Err(format!("record {index} of type {other:#x}")),
        }
        end += n;
        last = index;
    }
    Ok((out, end, last))
}

//! One record of a log: its frame, and the scan that cuts a file into records.

use crate::{CHUNK, Error, LustreCfg, lcfg, le};

/// Record types (`lustre_idl.h: enum llog_op_type`).
pub mod kind {
    /// Filler up to the end of a chunk.
    pub const PAD: u32 = 0x1060_0000;
    /// A configuration command.
    pub const CFG: u32 = 0x1062_0000;
    /// The header.
    pub const HEADER: u32 = 0x1064_5539;
    /// Every type has these bits under [`MASK`].
    pub const MAGIC: u32 = 0x1060_0000;
    /// See [`MAGIC`].
    pub const MASK: u32 = 0xfff0_0000;
}

/// Bytes before the payload.
pub const HEAD: usize = 16;
/// Bytes behind the payload.
pub const TAIL: usize = 8;
/// Shortest record.
pub const MIN: usize = HEAD + TAIL;
/// Largest index: the bitmap has 64768 bits.
pub const MAX_INDEX: u32 = 64767;

/// A record in its log.
///
/// ```text
///    0 4 len      8 4 type    16 .. payload       len-8 4 len
///    4 4 index   12 4 id 0                        len-4 4 index
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// Index, from 1 on.
    pub index: u32,
    /// Offset in the file.
    pub offset: u64,
    /// Length with frame; a multiple of 8.
    pub len: u32,
    /// See [`kind`].
    pub kind: u32,
    /// Its bit is set: neither cancelled nor padding.
    pub live: bool,
    /// What lies between head and tail.
    pub payload: &'a [u8],
}

impl RecordRef<'_> {
    /// The command in it.
    ///
    /// # Errors
    /// [`Error::Payload`] when it does not parse or the record is of another kind.
    pub fn cfg(&self) -> Result<LustreCfg, Error> {
        if self.kind != kind::CFG {
            return Err(Error::Payload(format!("record type {:#x} is no configuration record", self.kind)));
        }
        LustreCfg::decode(self.payload)
    }

    /// Command number, read without decoding the rest. `None` when the record is of another kind.
    pub fn command(&self) -> Option<u32> {
        le::u32_at(self.payload, 4).filter(|_| self.kind == kind::CFG)
    }

    /// Filler up to the end of a chunk.
    pub fn is_pad(&self) -> bool {
        self.kind == kind::PAD
    }
}

/// Frame of a record found by [`scan`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// Position in the scanned bytes.
    pub(crate) at: usize,
    pub(crate) len: usize,
    pub(crate) index: u32,
    pub(crate) kind: u32,
    pub(crate) foreign: bool,
}

/// Writes a whole record.
pub(crate) fn write(out: &mut Vec<u8>, kind: u32, index: u32, payload: &[u8]) -> usize {
    let len = MIN + payload.len().next_multiple_of(8);
    for word in [le::len32(len), index, kind, 0] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(payload);
    out.resize(out.len().next_multiple_of(8), 0);
    for word in [le::len32(len), index] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    len
}

/// Cuts `bytes`, which lie at file offset `offset`, into records and checks every frame: type, length, copy in the
/// tail, no record across a chunk boundary or leaving a
/// hole that nothing fits, indices rising from above `last`. Where `dense`, they rise by one.
pub(crate) fn scan(bytes: &[u8], offset: u64, last: u32, dense: bool) -> Result<Vec<Frame>, Error> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut last = last;
    while at < bytes.len() {
        let here = offset + u64::try_from(at).unwrap_or(u64::MAX);
        let fail = |what| Error::Record { offset: here, what };
        let rest = bytes.get(at..).unwrap_or_default();
        let frame = frame(rest, at).map_err(fail)?;
        let in_chunk = usize::try_from(here % 8192).unwrap_or_default();
        if in_chunk + frame.len > CHUNK {
            return Err(fail(format!("length {} reaches over the end of its 8192-byte chunk", frame.len)));
        }
        let hole = CHUNK - in_chunk - frame.len;
        if hole != 0 && hole < MIN {
            return Err(fail(format!("leaves {hole} bytes of its chunk, fewer than any record has")));
        }
        if frame.kind == kind::PAD && in_chunk + frame.len != CHUNK {
            return Err(fail(format!(
                "padding of length {} does not end at the end of the chunk",
                frame.len
            )));
        }
        if frame.index <= last || (dense && frame.index != last + 1) {
            return Err(fail(format!("index is {}, expected {}", frame.index, last.saturating_add(1))));
        }
        last = frame.index;
        at += frame.len;
        out.push(frame);
    }
    Ok(out)
}

/// Head and tail of the record at the start of `rest`.
fn frame(rest: &[u8], at: usize) -> Result<Frame, String> {
    let cut = || format!("only {} bytes are left, the shortest record has {MIN}", rest.len());
    let word = |at| le::u32_at(rest, at).ok_or_else(cut);
    let raw_kind = word(8)?;
    let foreign = raw_kind & kind::MASK != kind::MAGIC && raw_kind.swap_bytes() & kind::MASK == kind::MAGIC;
    let native = |v: u32| if foreign { v.swap_bytes() } else { v };
    let (len, index, kind) = (native(word(0)?), native(word(4)?), native(raw_kind));
    if kind & kind::MASK != kind::MAGIC {
        return Err(format!("type is {raw_kind:#010x}, every record type begins with 0x106"));
    }
    if kind == kind::HEADER {
        return Err(String::from("a second header inside the log"));
    }
    let size = le::index(len);
    if !(MIN..=CHUNK).contains(&size) || !size.is_multiple_of(8) {
        return Err(format!("length is {len}, allowed are multiples of 8 from {MIN} to {CHUNK}"));
    }
    if index == 0 || index > MAX_INDEX {
        return Err(format!("index is {index}, allowed are 1 to {MAX_INDEX}"));
    }
    let tail = size - TAIL;
    let (Some(tail_len), Some(tail_index)) = (le::u32_at(rest, tail), le::u32_at(rest, tail + 4)) else {
        return Err(format!("length is {len}, only {} bytes are left", rest.len()));
    };
    // A little-endian server may have turned the head of a big-endian record around, never its tail.
    let copies = [(tail_len, tail_index), (tail_len.swap_bytes(), tail_index.swap_bytes())];
    if !copies.contains(&(len, index)) {
        return Err(format!("tail says length {tail_len}, index {tail_index}; head says {len}, {index}"));
    }
    Ok(Frame { at, len: size, index, kind, foreign })
}

/// Turns a foreign-order record into a little-endian one of the same length.
pub(crate) fn swap_order(record: &mut [u8], frame: &Frame) -> Result<(), Error> {
    for word in 0..4 {
        le::swap(record, 4 * word, 4);
    }
    le::put(record, frame.len - TAIL, &le::len32(frame.len).to_le_bytes());
    le::put(record, frame.len - TAIL + 4, &frame.index.to_le_bytes());
    if frame.kind == kind::CFG
        && let Some(payload) = record.get_mut(HEAD..frame.len - TAIL)
        && le::u32_at(payload, 0) == Some(lcfg::VERSION.swap_bytes())
    {
        lcfg::swap_order(payload)?;
    }
    Ok(())
}

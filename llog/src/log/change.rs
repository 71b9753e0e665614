//! Changes: append, cancel, edit a marker in place.

use super::Log;
use crate::record::{self, Frame, HEAD, MAX_INDEX, MIN, TAIL, kind};
use crate::{CHUNK, Error, LustreCfg, Marker, cmd, lcfg, le};
use std::collections::BTreeSet;

/// Where an appended record went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its index.
    pub index: u32,
    /// Its offset in the file.
    pub offset: u64,
    /// Its length.
    pub len: u32,
    /// Length of the padding written before it, which has index `index - 1` and lies at `offset - pad`.
    pub pad: Option<u32>,
}

impl Log {
    /// Appends a command. Fills the chunk with padding first when the record does not fit, or would leave a hole
    /// shorter than the shortest record (`llog_osd_write_rec`). `now` becomes the time of the header when this is
    /// the first record. On error nothing is changed.
    ///
    /// # Errors
    /// [`Error::Full`] past index 64767, [`Error::TooBig`] for a record longer than a chunk or with more than 7
    /// buffers, [`Error::Payload`] for a `MARKER` without marker.
    pub fn append(&mut self, rec: &LustreCfg, now: i64) -> Result<Appended, Error> {
        rec.check()?;
        let len = MIN + rec.encoded_len();
        if len > CHUNK {
            return Err(Error::TooBig { what: format!("{len} bytes, a record has at most {CHUNK}") });
        }
        if len != CHUNK && len > CHUNK - MIN {
            // It would leave a hole that no padding fits, wherever it is put.
            return Err(Error::TooBig {
                what: format!("{len} bytes: {} or exactly {CHUNK} fit", CHUNK - MIN),
            });
        }
        let used = self.chunks.last().map_or(CHUNK, |c| c.bytes.len());
        let left = if used == CHUNK { CHUNK } else { CHUNK - used };
        let pad = (left != len && left < len + MIN).then_some(left);
        let index = self.last_index + 1 + u32::from(pad.is_some());
        if index > MAX_INDEX {
            return Err(Error::Full { last: self.last_index });
        }
        if !self.written {
            self.timestamp = now;
            self.written = true;
        }
        if let Some(pad) = pad {
            self.write(kind::PAD, &vec![0; pad - MIN], false);
        }
        let offset = self.end().max(8192);
        self.write(kind::CFG, &rec.encode(), true);
        Ok(Appended { index, offset, len: le::len32(len), pad: pad.map(le::len32) })
    }

    fn write(&mut self, kind: u32, payload: &[u8], live: bool) {
        let index = self.last_index + 1;
        let mut bytes = Vec::with_capacity(MIN + payload.len());
        let len = record::write(&mut bytes, kind, index, payload);
        self.push(Frame { at: 0, len, index, kind, foreign: false }, &bytes, live);
    }

    /// Adds records as [`Self::bytes_from`] gave them, to rebuild a log from stored segments. Every record becomes
    /// live except padding and the indices in `cancelled`. `now` is used as in [`Self::append`]; a stored time is
    /// set with [`Self::set_timestamp`]. On error nothing is changed.
    ///
    /// # Errors
    /// [`Error::Record`] when a frame or a payload is broken, an index does not follow the one before it, or the
    /// bytes were not written little-endian.
    pub fn append_raw(&mut self, bytes: &[u8], cancelled: &[u32], now: i64) -> Result<(), Error> {
        let frames = scanned(bytes, self.end().max(8192), self.last_index)?;
        if !self.written && !frames.is_empty() {
            self.timestamp = now;
        }
        let cancelled: BTreeSet<u32> = cancelled.iter().copied().collect();
        for frame in frames {
            let live = frame.kind != kind::PAD && !cancelled.contains(&frame.index);
            self.push(frame, bytes.get(frame.at..frame.at + frame.len).unwrap_or_default(), live);
        }
        Ok(())
    }

    /// Puts other bytes in the place of the records from index `first` on, as an edit in place left them: the same
    /// indices and lengths, and live all but padding and the indices in `cancelled`. Takes O(bytes). `false`, and
    /// nothing is changed, when they are no records of these indices and lengths.
    ///
    /// # Errors
    /// As [`Self::append_raw`].
    pub fn overwrite_raw(&mut self, first: u32, bytes: &[u8], cancelled: &[u32]) -> Result<bool, Error> {
        let Some(start) = self.record(first).map(|r| r.offset) else { return Ok(bytes.is_empty()) };
        let frames = scanned(bytes, start, first.saturating_sub(1))?;
        let mut places = Vec::with_capacity(frames.len());
        for frame in &frames {
            match self.locate(frame.index) {
                Some((n, slot))
                    if usize::from(slot.len) == frame.len
                        && slot.kind == frame.kind
                        && Self::offset_of(n, slot) == start + le::offset(frame.at) =>
                {
                    places.push((n, usize::from(slot.at)));
                }
                _ => return Ok(false),
            }
        }
        let cancelled: BTreeSet<u32> = cancelled.iter().copied().collect();
        for (frame, (n, at)) in frames.iter().zip(places) {
            if let Some(chunk) = self.chunks.get_mut(n) {
                le::put(&mut chunk.bytes, at, bytes.get(frame.at..frame.at + frame.len).unwrap_or_default());
            }
            let live = frame.kind != kind::PAD && !cancelled.contains(&frame.index);
            if live != self.is_live(frame.index) {
                self.set_bit(frame.index, live);
                self.live_count = if live { self.live_count + 1 } else { self.live_count - 1 };
            }
        }
        Ok(true)
    }

    /// Clears the bit of a live record; its bytes stay (`llog_cancel_rec`).
    ///
    /// # Errors
    /// [`Error::Invalid`] for index 0, [`Error::NotFound`] when no live record has the index.
    pub fn cancel(&mut self, index: u32) -> Result<(), Error> {
        if index == 0 {
            return Err(Error::Invalid { index, what: "the header cannot be cancelled" });
        }
        if !self.is_live(index) {
            return Err(Error::NotFound { index, last: self.last_index });
        }
        self.set_bit(index, false);
        self.live_count -= 1;
        Ok(())
    }

    /// Changes a live marker in place (`mgs_modify`). A reader that is already past it never sees the change.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`] when the record is no marker, [`Error::Marker`] when a new name
    /// does not fit; then nothing is changed.
    pub fn edit_marker(&mut self, index: u32, f: impl FnOnce(&mut Marker)) -> Result<(), Error> {
        let missing = Error::NotFound { index, last: self.last_index };
        let (n, slot) = self.locate(index).filter(|_| self.is_live(index)).ok_or_else(|| missing.clone())?;
        let record = self.record(index).ok_or_else(|| missing.clone())?;
        let no_marker = Error::Invalid { index, what: "the record is no marker" };
        if record.command() != Some(cmd::MARKER) {
            return Err(no_marker);
        }
        let extent = lcfg::buffers(record.payload)?.get(1).cloned().ok_or(no_marker)?;
        let mut bytes = record.payload.get(extent.clone()).unwrap_or_default().to_vec();
        let mut marker = Marker::decode(&bytes)?;
        f(&mut marker);
        marker.write_to(&mut bytes)?;
        let chunk = self.chunks.get_mut(n).ok_or(missing)?;
        le::put(&mut chunk.bytes, usize::from(slot.at) + HEAD + extent.start, &bytes);
        Ok(())
    }

    /// Puts another command in the place of a live record of the same length. A reader that is already past it never
    /// sees the change.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::TooBig`] when the length is another; those of [`Self::append`]. Then nothing is
    /// changed.
    pub fn replace(&mut self, index: u32, rec: &LustreCfg) -> Result<(), Error> {
        rec.check()?;
        let missing = Error::NotFound { index, last: self.last_index };
        let (n, slot) = self.locate(index).filter(|_| self.is_live(index)).ok_or_else(|| missing.clone())?;
        let (len, room) = (rec.encoded_len(), usize::from(slot.len) - MIN);
        if len != room {
            let what = format!("{len} bytes in the place of record {index}, which has {room}");
            return Err(Error::TooBig { what });
        }
        let chunk = self.chunks.get_mut(n).ok_or(missing)?;
        le::put(&mut chunk.bytes, usize::from(slot.at) + HEAD, &rec.encode());
        Ok(())
    }
}

/// Frames of stored records behind index `last`, with what can be wrong with them.
fn scanned(bytes: &[u8], start: u64, last: u32) -> Result<Vec<Frame>, Error> {
    let frames = record::scan(bytes, start, last, true)?;
    for frame in &frames {
        let offset = start + le::offset(frame.at);
        if frame.foreign {
            return Err(Error::Record { offset, what: String::from("stored in foreign byte order") });
        }
        if frame.kind == kind::CFG {
            let payload = bytes.get(frame.at + HEAD..frame.at + frame.len - TAIL).unwrap_or_default();
            lcfg::buffers(payload).map_err(|e| Error::Record { offset, what: e.to_string() })?;
        }
    }
    Ok(frames)
}

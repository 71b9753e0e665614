//! Configuration commands: the payload of the records in a configuration log.

mod build;
pub mod cmd;

pub use cmd::command_name;

use crate::{Error, Marker, le, marker};

/// First word of every payload.
pub const VERSION: u32 = 0x1cf6_0001;
/// Readers refuse records with more buffers.
pub const MAX_BUFS: usize = 7;
/// Fixed part before the buffer lengths.
const FIXED: usize = 32;

/// One configuration command (`lustre_cfg.h: struct lustre_cfg`).
///
/// ```text
///    0  4 version 0x1cf60001     16  8 nid          32  4 x bufcount  buffer lengths, unpadded
///    4  4 command                24  4 nal              (up to a multiple of 8)
///    8  4 num                    28  4 bufcount         buffers, each zero-padded to 8
///   12  4 flags
/// ```
/// Buffer 0 is the device. An absent buffer has length 0. Texts carry their NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LustreCfg {
    /// See [`cmd`].
    pub command: u32,
    /// Small integer argument (seconds of a timeout); else 0.
    pub num: u32,
    /// 0 in everything an MGS writes.
    pub flags: u32,
    /// 64-bit NID of `ADD_UUID`; 0 when the NID is given as text in buffer 2.
    pub nid: u64,
    /// Obsolete; 0.
    pub nal: u32,
    /// Buffers with their NULs; buffer 0 is the device, an absent one is empty.
    pub bufs: Vec<Vec<u8>>,
}

impl LustreCfg {
    /// Reads a payload of either byte order. A foreign-order marker comes out little-endian; other buffers
    /// are never swapped (a foreign `lov_desc` is recognised by its magic by those who execute it).
    ///
    /// # Errors
    /// [`Error::Payload`] on an unknown version word, more than 7 buffers, or buffers beyond the payload (the
    /// conditions of `lustre_cfg_sanity_check`).
    pub fn decode(payload: &[u8]) -> Result<Self, Error> {
        if le::u32_at(payload, 0) == Some(VERSION.swap_bytes()) {
            let mut native = payload.to_vec();
            swap_order(&mut native)?;
            return Self::decode(&native);
        }
        let extents = buffers(payload)?;
        let word = |at| le::u32_at(payload, at).unwrap_or_default();
        Ok(Self {
            command: word(4),
            num: word(8),
            flags: word(12),
            nid: le::u64_at(payload, 16).unwrap_or_default(),
            nal: word(24),
            bufs: extents.into_iter().map(|r| payload.get(r).unwrap_or_default().to_vec()).collect(),
        })
    }

    /// The payload, little-endian: lengths unpadded, buffers padded with zeros.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        for word in [VERSION, self.command, self.num, self.flags] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.nid.to_le_bytes());
        out.extend_from_slice(&self.nal.to_le_bytes());
        out.extend_from_slice(&le::len32(self.bufs.len()).to_le_bytes());
        for buf in &self.bufs {
            out.extend_from_slice(&le::len32(buf.len()).to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(8), 0);
        for buf in &self.bufs {
            out.extend_from_slice(buf);
            out.resize(out.len().next_multiple_of(8), 0);
        }
        out
    }

    /// Length of [`Self::encode`].
    pub fn encoded_len(&self) -> usize {
        let head = (FIXED + 4 * self.bufs.len()).next_multiple_of(8);
        self.bufs.iter().fold(head, |sum, b| sum + b.len().next_multiple_of(8))
    }

    /// Text of buffer `i` up to its NUL. `None` when absent or not UTF-8.
    pub fn buf_str(&self, i: usize) -> Option<&str> {
        let buf = self.bufs.get(i).filter(|b| !b.is_empty())?;
        std::str::from_utf8(le::until_nul(buf)).ok()
    }

    /// The device, buffer 0.
    pub fn dev(&self) -> Option<&str> {
        self.buf_str(0)
    }

    /// The marker of a `MARKER` command; `None` for other commands and for a buffer that is no marker.
    pub fn marker(&self) -> Option<Marker> {
        if self.command != cmd::MARKER {
            return None;
        }
        Marker::decode(self.bufs.get(1)?).ok()
    }

    /// The NID as readers take it: logs from before 2005 keep the network in `nal` and 32 bits in `nid`.
    pub fn effective_nid(&self) -> u64 {
        if self.nal != 0 && self.nid != 0 && self.nid >> 32 == 0 {
            (u64::from(self.nal) << 48) | self.nid
        } else {
            self.nid
        }
    }

    /// Tells whether readers would take this record.
    ///
    /// # Errors
    /// [`Error::TooBig`] for more than 7 buffers, [`Error::Payload`] for a `MARKER` without marker.
    pub fn check(&self) -> Result<(), Error> {
        if self.bufs.len() > MAX_BUFS {
            let what = format!("{} buffers, readers accept at most {MAX_BUFS}", self.bufs.len());
            return Err(Error::TooBig { what });
        }
        if self.command == cmd::MARKER {
            Marker::decode(self.bufs.get(1).map_or(&[], Vec::as_slice))?;
        }
        Ok(())
    }
}

/// Extents of the buffers of a little-endian payload, checked against its length.
pub(crate) fn buffers(payload: &[u8]) -> Result<Vec<std::ops::Range<usize>>, Error> {
    match le::u32_at(payload, 0) {
        Some(VERSION) => {}
        Some(other) => {
            return Err(Error::Payload(format!("version is {other:#x}, only {VERSION:#x} is known")));
        }
        None => return Err(Error::Payload(short(payload, FIXED))),
    }
    let count = le::u32_at(payload, 28).ok_or_else(|| Error::Payload(short(payload, FIXED)))?;
    let count = le::index(count);
    if count > MAX_BUFS {
        return Err(Error::Payload(format!("{count} buffers, at most {MAX_BUFS} are allowed")));
    }
    let mut at = (FIXED + 4 * count).next_multiple_of(8);
    if payload.len() < at {
        return Err(Error::Payload(short(payload, at)));
    }
    let mut out = Vec::with_capacity(count);
    for i in 0..count {
        let len = le::index(le::u32_at(payload, FIXED + 4 * i).unwrap_or_default());
        let end = len.checked_next_multiple_of(8).and_then(|padded| at.checked_add(padded));
        let Some(end) = end.filter(|end| *end <= payload.len()) else {
            let left = payload.len() - at;
            return Err(Error::Payload(format!("buffer {i} claims {len} bytes, {left} are left")));
        };
        out.push(at..at + len);
        at = end;
    }
    Ok(out)
}

fn short(payload: &[u8], need: usize) -> String {
    format!("payload of {} bytes is too short, the fixed part needs {need}", payload.len())
}

/// Turns a foreign-order payload into a little-endian one of the same length.
pub(crate) fn swap_order(payload: &mut [u8]) -> Result<(), Error> {
    let too_short = || Error::Payload(String::from("payload too short for its fixed part"));
    for (at, width) in [(0, 4), (4, 4), (8, 4), (12, 4), (16, 8), (24, 4), (28, 4)] {
        le::swap(payload, at, width).ok_or_else(too_short)?;
    }
    let count = le::index(le::u32_at(payload, 28).unwrap_or_default());
    if count > MAX_BUFS {
        return Err(Error::Payload(format!("{count} buffers, at most {MAX_BUFS} are allowed")));
    }
    for i in 0..count {
        le::swap(payload, FIXED + 4 * i, 4).ok_or_else(too_short)?;
    }
    let extents = buffers(payload)?;
    if le::u32_at(payload, 4) == Some(cmd::MARKER)
        && let Some(buf) = extents.get(1).cloned().and_then(|r| payload.get_mut(r))
    {
        marker::swap_order(buf);
    }
    Ok(())
}

//! Markers: the START and END of a section, and the key by which sections are found again.

use crate::{Error, le};

/// Bits of [`Marker::flags`] (`lustre_cfg.h`: `CM_*`).
pub mod flag {
    /// First record of a section.
    pub const START: u32 = 0x01;
    /// Last record of a section.
    pub const END: u32 = 0x02;
    /// Readers ignore the section.
    pub const SKIP: u32 = 0x04;
    /// Written by an upgrade from 1.4.6.
    pub const UPGRADE146: u32 = 0x08;
    /// Readers add the OSTs of the section inactive.
    pub const EXCLUDE: u32 = 0x10;
}

/// Length of a marker on disk.
pub const LEN: usize = 160;
/// Length of a marker written by an old 32-bit server.
pub const LEN_OLD: usize = 152;
/// Size of each name field; a name with its NUL must fit.
pub const NAME: usize = 64;

/// One marker (`lustre_cfg.h: struct cfg_marker`), buffer 1 of an `LCFG_MARKER` record.
///
/// ```text
///    0  4 step         16  8 createtime   32 64 tgtname
///    4  4 flags        24  8 canceltime   96 64 comment
///    8  4 vers
///   12  4 padding
/// ```
/// The old 152-byte form has two 32-bit times at 16 and 20 and the names at 24 and 88.
///
/// A kernel MGS leaves bytes of earlier, longer names behind the NUL; they mean nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marker {
    /// Generation of the file system when the section was written.
    pub step: u32,
    /// See [`flag`].
    pub flags: u32,
    /// Version of the writer: major<<24, minor<<16, patch<<8, fix.
    pub vers: u32,
    /// Seconds since 1970.
    pub createtime: u64,
    /// Seconds since 1970; 0 while valid.
    pub canceltime: u64,
    /// Target, device or file system that the section belongs to; at most 63 bytes.
    pub tgtname: String,
    /// Kind of section, or parameter name; at most 63 bytes.
    pub comment: String,
}

impl Marker {
    /// Reads either form, little-endian. Names end at the first NUL; a name that is not UTF-8 gets replacement
    /// characters.
    ///
    /// # Errors
    /// [`Error::Payload`] on any other length.
    pub fn decode(buf: &[u8]) -> Result<Self, Error> {
        let names = names_at(buf.len())?;
        let word = |at| le::u32_at(buf, at).unwrap_or_default();
        let time = |n: usize| match buf.len() {
            LEN_OLD => u64::from(word(16 + 4 * n)),
            _ => le::u64_at(buf, 16 + 8 * n).unwrap_or_default(),
        };
        let name = |at: usize| {
            let field = buf.get(at..at + NAME).unwrap_or_default();
            String::from_utf8_lossy(le::until_nul(field)).into_owned()
        };
        Ok(Self {
            step: word(0),
            flags: word(4),
            vers: word(8),
            createtime: time(0),
            canceltime: time(1),
            tgtname: name(names),
            comment: name(names + NAME),
        })
    }

    /// The 160-byte form; the name fields are filled up with zeros.
    ///
    /// # Errors
    /// [`Error::Marker`] when a name is longer than 63 bytes or contains a NUL.
    pub fn encode(&self) -> Result<[u8; LEN], Error> {
        let mut out = [0; LEN];
        self.write_to(&mut out)?;
        Ok(out)
    }

    /// Writes into an existing marker of either form. A name that did not change keeps its bytes, stale ones
    /// behind the NUL included, so that an edit of the flags changes the flags and nothing else.
    pub(crate) fn write_to(&self, buf: &mut [u8]) -> Result<(), Error> {
        self.check_names()?;
        let before = Self::decode(buf)?;
        let names = names_at(buf.len())?;
        le::put(buf, 0, &self.step.to_le_bytes());
        le::put(buf, 4, &self.flags.to_le_bytes());
        le::put(buf, 8, &self.vers.to_le_bytes());
        for (n, time) in [self.createtime, self.canceltime].into_iter().enumerate() {
            if buf.len() == LEN_OLD {
                let time = u32::try_from(time).map_err(|_| {
                    Error::Marker(format!("time {time} does not fit the 32-bit form of this record"))
                })?;
                le::put(buf, 16 + 4 * n, &time.to_le_bytes());
            } else {
                le::put(buf, 16 + 8 * n, &time.to_le_bytes());
            }
        }
        for (at, old, new) in
            [(names, before.tgtname, &self.tgtname), (names + NAME, before.comment, &self.comment)]
        {
            if old != *new {
                let mut field = [0; NAME];
                le::put(&mut field, 0, new.as_bytes());
                le::put(buf, at, &field);
            }
        }
        Ok(())
    }

    /// Tells whether both names fit. To be asked *before* older sections are skipped in favour of a new one.
    ///
    /// # Errors
    /// [`Error::Marker`] (-E2BIG) naming the field.
    pub fn check_names(&self) -> Result<(), Error> {
        for (field, text) in [("target name", &self.tgtname), ("comment", &self.comment)] {
            if text.len() >= NAME {
                return Err(Error::Marker(format!(
                    "{field} {text:?} has {} bytes, at most 63 fit",
                    text.len()
                )));
            }
            if text.contains('\0') {
                return Err(Error::Marker(format!("{field} {text:?} contains a NUL")));
            }
        }
        Ok(())
    }

    /// Opens a section.
    pub fn is_start(&self) -> bool {
        self.flags & flag::START != 0
    }

    /// Closes a section.
    pub fn is_end(&self) -> bool {
        self.flags & flag::END != 0
    }

    /// Readers ignore the section.
    pub fn is_skip(&self) -> bool {
        self.flags & flag::SKIP != 0
    }

    /// `2.17.57.0`.
    pub fn version_text(&self) -> String {
        let [fix, patch, minor, major] = self.vers.to_le_bytes();
        format!("{major}.{minor}.{patch}.{fix}")
    }
}

/// Where the two names begin in a marker of this length.
fn names_at(len: usize) -> Result<usize, Error> {
    match len {
        LEN => Ok(32),
        LEN_OLD => Ok(24),
        _ => Err(Error::Payload(format!(
            "marker has {len} bytes, a marker has 160 (152 on old 32-bit servers)"
        ))),
    }
}

/// Turns the integers of a foreign-order marker around; names stay.
pub(crate) fn swap_order(buf: &mut [u8]) {
    for at in [0, 4, 8] {
        le::swap(buf, at, 4);
    }
    let width = if buf.len() == LEN_OLD { 4 } else { 8 };
    le::swap(buf, 16, width);
    le::swap(buf, 16 + width, width);
}

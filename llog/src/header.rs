//! The header record: the first chunk of a log.

use crate::record::{MAX_INDEX, kind};
use crate::{CHUNK, Error, le};

/// `llh_flags`: a log of records, not a catalogue of logs.
pub const IS_PLAIN: u32 = 0x4;
/// What an MGS writes into `llh_tgtuuid`.
pub const CONFIG_UUID: &str = "config_uuid";
/// Where the bitmap begins.
const BITMAP: usize = 88;
/// Bytes of the bitmap: 64768 bits.
const BITMAP_LEN: usize = 8096;

/// The fields of a header as they stand in a file (`lustre_idl.h: struct llog_log_hdr`).
///
/// ```text
///    0 4 len 8192           24 4 count, header included    40 4 cat_idx 0        8184 4 len 8192
///    4 4 index 0            28 4 bitmap offset 88          44 40 tgtuuid         8188 4 last index
///    8 4 type 0x10645539    32 4 shortest record           84 4 reserved
///   12 4 id 0               36 4 flags 4                   88 8096 bitmap
///   16 8 timestamp
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Seconds since 1970, when the first record was written.
    pub timestamp: i64,
    /// Live records, the header included.
    pub count: u32,
    /// Length of the shortest record ever appended; padding does not count.
    pub min_len: u32,
    /// [`IS_PLAIN`] in a configuration log.
    pub flags: u32,
    /// 0 in a configuration log.
    pub cat_idx: u32,
    /// UUID up to its NUL.
    pub uuid: String,
    /// Index of the last record ever written, padding included.
    pub last_index: u32,
    /// The header was written by a node of the other byte order.
    pub foreign: bool,
    /// One bit per index, lowest bit first; bit 0 is the header. Never swapped.
    pub bitmap: Vec<u8>,
}

impl Header {
    /// Reads and checks the first chunk of a file, of either byte order.
    ///
    /// # Errors
    /// [`Error::ShortFile`]; [`Error::Header`] for a field that excludes reading on.
    pub fn decode(file: &[u8]) -> Result<Self, Error> {
        let Some(bytes) = file.get(..CHUNK) else {
            return Err(Error::ShortFile { len: file.len() });
        };
        let raw = |at| le::u32_at(bytes, at).unwrap_or_default();
        let foreign = raw(8) == kind::HEADER.swap_bytes();
        let word = |at| if foreign { raw(at).swap_bytes() } else { raw(at) };
        must("lrh_type", word(8), kind::HEADER, "0x10645539 (a configuration log)")?;
        must("lrh_len", word(0), 8192, "0x2000")?;
        must("lrt_len", word(8184), 8192, "0x2000")?;
        must("llh_bitmap_offset", word(28), 88, "0x58")?;
        let flags = word(36);
        if flags & 0x3 != 0 || flags & IS_PLAIN == 0 {
            let found = format!("{flags:#x}");
            return Err(Error::Header { field: "llh_flags", found, allowed: "a plain log (0x4)" });
        }
        let last_index = word(8188);
        if last_index > MAX_INDEX {
            let found = last_index.to_string();
            return Err(Error::Header { field: "last index", found, allowed: "0 to 64767" });
        }
        let stamp = le::array_at(bytes, 16).unwrap_or_default();
        let uuid = le::until_nul(bytes.get(44..84).unwrap_or_default());
        Ok(Self {
            timestamp: if foreign { i64::from_be_bytes(stamp) } else { i64::from_le_bytes(stamp) },
            count: word(24),
            min_len: word(32),
            flags,
            cat_idx: word(40),
            uuid: String::from_utf8_lossy(uuid).into_owned(),
            last_index,
            foreign,
            bitmap: bytes.get(BITMAP..BITMAP + BITMAP_LEN).unwrap_or_default().to_vec(),
        })
    }

    /// The first chunk, little-endian.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; CHUNK];
        let words = [
            (0, 8192),
            (8, kind::HEADER),
            (24, self.count),
            (28, 88),
            (32, self.min_len),
            (36, self.flags),
            (40, self.cat_idx),
            (8184, 8192),
            (8188, self.last_index),
        ];
        for (at, word) in words {
            le::put(&mut out, at, &word.to_le_bytes());
        }
        le::put(&mut out, 16, &self.timestamp.to_le_bytes());
        let uuid = self.uuid.as_bytes();
        le::put(&mut out, 44, uuid.get(..39).unwrap_or(uuid));
        le::put(&mut out, BITMAP, self.bitmap.get(..BITMAP_LEN).unwrap_or(&self.bitmap));
        out
    }

    /// Bit of an index.
    pub fn is_set(&self, index: u32) -> bool {
        self.bitmap.get(le::index(index / 8)).is_some_and(|byte| byte & (1 << (index % 8)) != 0)
    }
}

/// Refuses a field that has another value than the only one possible.
fn must(field: &'static str, found: u32, want: u32, allowed: &'static str) -> Result<(), Error> {
    if found == want { Ok(()) } else { Err(Error::Header { field, found: format!("{found:#x}"), allowed }) }
}

//! Nodemap index pages and their records.
use crate::{Reader, Result, Writer};

/// End of the index in `mcr_offset`.
pub const END_OFFSET: u64 = 0xffff_ffff_ffff_fffe;
/// Bytes of a page.
pub const PAGE: usize = 4096;
/// Entries that fit in a page.
pub const PER_PAGE: usize = 102;

/// Key and record as stored (little endian inside).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// u32 id and type, u32 by type.
    pub key: [u8; 8],
    /// Record.
    pub rec: [u8; 32],
}
/// One `lu_idxpage` of 4096 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct IndexPage {
    /// At most [`PER_PAGE`].
    pub entries: Vec<Entry>,
}
impl IndexPage {
    /// Reads 4096 bytes.
    pub fn decode(_r: &mut Reader<'_>) -> Result<Self> {
        todo!()
    }
    /// Writes 4096 bytes.
    pub fn encode(&self, _w: &mut Writer) {
        todo!()
    }
}
/// The index of an MGS that was never configured: default cluster and GLOBAL off, in the order of the two passes.
pub fn untouched() -> Vec<Entry> {
    todo!()
}

//! Text forms of a log: as `lctl llog_print` and `llog_reader` print it, and JSON.
//!
//! The first two equal the output of the original tools byte for byte, for anything an MGS writes. Bytes that are not
//! UTF-8 come out as replacement characters.

mod c;
pub mod json;
pub mod nid;
pub mod reader;
pub mod yaml;

pub use json::json;
pub use reader::reader;
pub use yaml::yaml;

use std::ops::RangeInclusive;

/// The range of indices that `--start` and `--end` mean; both ends included, absent ends open.
pub fn range(start: Option<u32>, end: Option<u32>) -> RangeInclusive<u32> {
    start.unwrap_or(0)..=end.unwrap_or(u32::MAX)
}

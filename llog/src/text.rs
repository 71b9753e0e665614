//! Text forms of a log: as `lctl llog_print` and `llog_reader` print it, and JSON.
//!
//! The first two equal the output of the original tools byte for byte, for anything an MGS writes. Bytes that are not
//! UTF-8 come out as replacement characters.

pub(crate) mod c;
pub mod json;
pub mod nid;
pub mod reader;
pub mod yaml;

pub use json::json;
pub use reader::reader;
pub use yaml::yaml;

use crate::{Log, header::IS_PLAIN};
use std::ops::RangeInclusive;

/// `lctl llog_info`: four lines. The id of a log, `[0xa:0x3:0x0]`, is not in its file and so comes from outside.
pub fn info(log: &Log, logid: &str) -> String {
    format!(
        "logid:            {logid}\nflags:            {IS_PLAIN} (plain)\nrecords_count:    {}\nlast_index:       {}\n",
        log.count(),
        log.last_index()
    )
}

/// The range of indices that `--start` and `--end` mean; both ends included, absent ends open.
pub fn range(start: Option<u32>, end: Option<u32>) -> RangeInclusive<u32> {
    start.unwrap_or(0)..=end.unwrap_or(u32::MAX)
}

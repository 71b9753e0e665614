//! From file to image.

use super::Log;
use crate::header::Header;
use crate::{CHUNK, Error, record};

impl Log {
    /// Reads a log file of either byte order; it becomes little-endian, record by record, lengths unchanged.
    ///
    /// Counters of the header are taken from the records, not from the file; [`crate::check`] reports where the
    /// file disagrees. The UUID becomes `config_uuid`. Gaps between indices are tolerated, as readers do.
    ///
    /// # Errors
    /// [`Error::ShortFile`], [`Error::Header`], [`Error::Record`]: whatever would make a reader stop half-way, or
    /// a file that ends before or behind the last index of its header.
    pub fn from_file(file: &[u8]) -> Result<Self, Error> {
        if file.is_empty() {
            return Ok(Self::new());
        }
        let header = Header::decode(file)?;
        let body = file.get(CHUNK..).unwrap_or_default();
        let frames = record::scan(body, 8192, 0, false)?;
        let last = frames.last().map_or(0, |f| f.index);
        if last != header.last_index {
            let found = format!("{} but the last record of the file has index {last}", header.last_index);
            return Err(Error::Header { field: "last index", found, allowed: "a complete file" });
        }
        let mut log =
            Self { written: true, timestamp: header.timestamp, foreign: header.foreign, ..Self::default() };
        for frame in frames {
            let raw = body.get(frame.at..frame.at + frame.len).unwrap_or_default();
            let live = header.is_set(frame.index);
            if frame.foreign {
                log.foreign = true;
                let mut native = raw.to_vec();
                record::swap_order(&mut native, &frame)
                    .map_err(|e| Error::Record { offset: log.end(), what: e.to_string() })?;
                log.push(frame, &native, live);
            } else {
                log.push(frame, raw, live);
            }
        }
        Ok(log)
    }
}

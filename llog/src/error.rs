//! What can be wrong with a log or with a change to it.

/// Refusals of this crate. [`Error::errno`] gives the code that a kernel MGS would answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file is neither empty nor as long as a header.
    #[error(
        "log file is {len} bytes long: a log is empty or at least 8192 bytes; it was cut off while copying"
    )]
    ShortFile {
        /// Length of the file.
        len: usize,
    },
    /// A field of the header record excludes reading on.
    #[error("log header: {field} is {found}, only {allowed} can be read")]
    Header {
        /// Field name as in `lustre_idl.h`.
        field: &'static str,
        /// Value found.
        found: String,
        /// Values allowed.
        allowed: &'static str,
    },
    /// A record is structurally broken.
    #[error("record at offset {offset}: {what}")]
    Record {
        /// File offset of the record.
        offset: u64,
        /// What is wrong and what would be right.
        what: String,
    },
    /// The payload of a configuration record does not parse.
    #[error("configuration record: {0}")]
    Payload(String),
    /// A name or time does not fit in a marker.
    #[error("marker: {0}")]
    Marker(String),
    /// The log has used up its indices.
    #[error(
        "log is full: index {last} of 64767 is used; rewrite the log (writeconf, clear_conf) to compact it"
    )]
    Full {
        /// Last index used.
        last: u32,
    },
    /// The record is longer than a chunk, or has more buffers than readers accept.
    #[error("record too big: {what}")]
    TooBig {
        /// Which limit was passed.
        what: String,
    },
    /// No live record has this index.
    #[error("no live record has index {index}; the log ends at index {last}")]
    NotFound {
        /// Index asked for.
        index: u32,
        /// Last index of the log.
        last: u32,
    },
    /// The operation is not possible on this index.
    #[error("index {index}: {what}")]
    Invalid {
        /// Index asked for.
        index: u32,
        /// Why not.
        what: &'static str,
    },
}

impl Error {
    /// The negative errno that the kernel gives in the same situation: `-EIO` for a broken file, `-EINVAL` for a broken
    /// header, record or argument, `-ENOSPC`, `-E2BIG`, `-ENOENT`.
    pub fn errno(&self) -> i32 {
        match self {
            Self::ShortFile { .. } => -5,
            Self::Header { .. } | Self::Record { .. } | Self::Payload(_) | Self::Invalid { .. } => -22,
            Self::Marker(_) | Self::TooBig { .. } => -7,
            Self::Full { .. } => -28,
            Self::NotFound { .. } => -2,
        }
    }
}

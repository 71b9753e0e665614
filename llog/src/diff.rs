//! What differs between two logs, record by record, wherever the records stand.

mod lines;

use crate::{Log, RecordRef, text::reader};
use std::fmt;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A field of the header.
    Header {
        /// Its name.
        field: &'static str,
        /// Value in the first log.
        a: String,
        /// Value in the second.
        b: String,
    },
    /// A record that only the first log has, with its index there.
    OnlyInA(u32, String),
    /// A record that only the second log has, with its index there.
    OnlyInB(u32, String),
    /// Equal in text, different in bytes: leftovers behind a NUL, padding.
    Bytes {
        /// Index in the first log.
        a: u32,
        /// Index in the second.
        b: u32,
        /// The record.
        text: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { field, a, b } => write!(f, "header: {field} {a} -> {b}"),
            Self::OnlyInA(index, text) => write!(f, "-#{index:02} {text}"),
            Self::OnlyInB(index, text) => write!(f, "+#{index:02} {text}"),
            Self::Bytes { a, b, text } => {
                write!(f, "=#{a:02} #{b:02} bytes that nobody reads differ: {text}")
            }
        }
    }
}

/// Compares two logs. Records are matched by their text, so that indices may shift; padding is left out, since it
/// follows from the rest. No difference means equal files, but for the byte order they were written in.
pub fn diff(a: &Log, b: &Log) -> Vec<Difference> {
    let mut out = Vec::new();
    let mut header = |field, a: String, b: String| {
        if a != b {
            out.push(Difference::Header { field, a, b });
        }
    };
    header("timestamp", a.timestamp().to_string(), b.timestamp().to_string());
    header("live records", (a.count() - 1).to_string(), (b.count() - 1).to_string());
    header("last index", a.last_index().to_string(), b.last_index().to_string());
    header("shortest record", a.shortest().to_string(), b.shortest().to_string());
    header("size", a.end().to_string(), b.end().to_string());
    let (left, right) = (records(a), records(b));
    let (left_keys, right_keys): (Vec<&str>, Vec<&str>) =
        (left.iter().map(|r| r.1.as_str()).collect(), right.iter().map(|r| r.1.as_str()).collect());
    let (mut i, mut j) = (left.iter(), right.iter());
    for step in lines::edits(&left_keys, &right_keys) {
        match step {
            lines::Edit::Keep => {
                if let (Some((x, text)), Some((y, _))) = (i.next(), j.next())
                    && x.payload != y.payload
                {
                    out.push(Difference::Bytes { a: x.index, b: y.index, text: text.clone() });
                }
            }
            lines::Edit::Delete => {
                out.extend(i.next().map(|(x, text)| Difference::OnlyInA(x.index, text.clone())))
            }
            lines::Edit::Insert => {
                out.extend(j.next().map(|(y, text)| Difference::OnlyInB(y.index, text.clone())))
            }
        }
    }
    out
}

/// Records with their text, padding left out.
fn records(log: &Log) -> Vec<(RecordRef<'_>, String)> {
    let text = |r: &RecordRef<'_>| reader::line(r, &mut false).trim_end().to_owned();
    log.records().filter(|r| !r.is_pad()).map(|r| (r, text(&r))).collect()
}

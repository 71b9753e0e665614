//! Is a log sound, and can it be executed? One line per finding.

mod meaning;
mod structure;

use crate::{Log, text::c::visible};
use std::fmt;

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Odd, or a part without effect; a kernel MGS can have written it.
    Warning,
    /// Readers refuse the file, or fail while executing it.
    Error,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The record concerned; `None` for file and header.
    pub index: Option<u32>,
    /// What is wrong, and what follows from it.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.level {
            Level::Warning => "warning: ",
            Level::Error => "error: ",
        })?;
        match self.index {
            Some(index) => write!(f, "record {index}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Collects findings.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn error(&mut self, index: impl Into<Option<u32>>, text: impl AsRef<str>) {
        self.add(Level::Error, index.into(), text.as_ref());
    }

    fn warn(&mut self, index: impl Into<Option<u32>>, text: impl AsRef<str>) {
        self.add(Level::Warning, index.into(), text.as_ref());
    }

    fn add(&mut self, level: Level, index: Option<u32>, text: &str) {
        self.0.push(Finding { level, index, text: visible(text).into_owned() });
    }
}

/// Checks a file: its structure, the counters of its header, and its meaning. A file that [`Log::from_file`] refuses
/// has that refusal as its only finding.
pub fn file(bytes: &[u8]) -> Vec<Finding> {
    let mut out = Findings::default();
    match Log::from_file(bytes) {
        Err(e) => out.error(None, e.to_string()),
        Ok(log) => {
            structure::header(&mut out, bytes, &log);
            structure::records(&mut out, &log);
            meaning::check(&mut out, &log);
        }
    }
    out.0
}

/// Checks a log in memory: can every live command be executed by a reader?
pub fn log(log: &Log) -> Vec<Finding> {
    let mut out = Findings::default();
    structure::records(&mut out, log);
    meaning::check(&mut out, log);
    out.0
}

//! Documents to stdout.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::exit::Failure;

/// How a document is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Columns for people; may change between versions
    Table,
    /// The document of the API
    Json,
    /// The same as YAML
    Yaml,
}

/// Stdout in the format that was asked for.
#[derive(Debug)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Output { format }
    }

    /// The format that was asked for.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Prints a document; `table` makes its form for people.
    pub(crate) fn document<T: Serialize>(
        &self,
        document: &T,
        table: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        let unwritable = |error: &dyn std::fmt::Display| Failure::Io {
            what: "answer".to_owned(),
            source: std::io::Error::other(error.to_string()),
        };
        let text = match self.format {
            Format::Table => table(document),
            Format::Json => {
                serde_json::to_string_pretty(document).map_err(|error| unwritable(&error))? + "\n"
            }
            Format::Yaml => serde_saphyr::to_string(document).map_err(|error| unwritable(&error))?,
        };
        self.bytes(text.as_bytes())
    }

    /// Writes binary data to a file, or to stdout where that is no terminal. `name` says what it is of.
    pub(crate) fn file(&self, bytes: &[u8], name: &str, file: Option<PathBuf>) -> Result<(), Failure> {
        match file {
            None if std::io::stdout().is_terminal() => Err(Failure::Terminal { name: name.to_owned() }),
            None => self.bytes(bytes),
            Some(path) => std::fs::write(&path, bytes)
                .map_err(|source| Failure::Io { what: path.display().to_string(), source }),
        }
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(|source| Failure::Io { what: "stdout".to_owned(), source })
    }
}

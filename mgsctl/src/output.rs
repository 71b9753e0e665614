//! Documents to stdout.

use std::io::Write;

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

    /// Writes bytes as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(|source| Failure::Io { what: "stdout".to_owned(), source })
    }
}

//! `mgsctl lctl` against mgsd: the lines that were typed at a kernel MGS, typed again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod coverage;
mod examples;
mod import;
mod peers;
mod read_on;
mod recorded;
mod refusals;
mod sessions;
mod settings;
mod shell;
mod terminal;

//! An independent decoder, Wireshark's `tshark`, reads what we read and what we write: it has to see the same values.
//!
//! `scripts/setup` installs it; without it these tests fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod bodies;
mod captures;
mod known;
mod logs;
mod ours;
mod recorder;
mod tool;

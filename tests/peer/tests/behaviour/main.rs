//! A node against an MGS in memory, in virtual time: good servers, servers that break rules, servers that go away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod bad_server;
mod dialects;
mod fake;
mod notified;
mod pair;
mod restart;

//! The store of a real mgsd: damage is named, backups are whole, a restore deafens nobody.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod daemon;
mod damage;
mod large;
mod large_logs;
mod nodemaps;
#[path = "../daemon/mod.rs"]
mod process;
mod restore;
mod retention;
mod silent;

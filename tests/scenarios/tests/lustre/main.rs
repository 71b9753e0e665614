//! Tests of Lustre's own suites that exercise an MGS, played over the wire: each function names the test that it stands
//! for (`conf-sanity.sh`, `recovery-small.sh`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod failover;
mod listed;
mod recovery;
mod refusals;
mod site;
mod start_order;

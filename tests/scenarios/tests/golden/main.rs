//! Golden replay: what the peers of the recorded sessions said, said to mgsd over TCP on loopback; its answers and the
//! logs in its store are those of the kernel MGS, except for the fields of `vectors/MASK.toml`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod a;
mod coverage;
mod later;
mod mask;
mod session;
mod teeth;

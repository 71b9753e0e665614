//! The HTTP API, `/v1`: one file per noun.
//!
//! ```text
//! Unix socket → serve → router → noun (status, fs, target, client, log) → trait Mgs → the engine's view
//! ```
//!
//! The handlers decide nothing: they read the request, ask an [`Mgs`] and write its answer, or its refusal as a problem
//! document. The trait is the seam: the daemon implements it on the engine, tests on a fake.

mod answer;
mod audit;
mod barrier;
mod client;
mod door;
mod fork;
mod fs;
mod import;
mod log;
mod mgs;
pub(crate) mod nodemap;
mod openapi;
mod param;
mod pool;
mod records;
mod registration;
mod reservation;
mod router;
mod serve;
mod sptlrpc;
mod status;
mod target;
mod why;

#[cfg(test)]
mod tests;

pub use door::{Entry, door};
pub(crate) use import::digits;
pub use mgs::{Command, LogFile, Mgs, Order};
pub use openapi::document;
pub use router::router;
pub use serve::{BindError, UnixApi, serve_unix};

//! The MGS itself, sans-IO: ptlrpc service, exports, config locks and the model of what an MGS stores.
//!
//! [`engine::Engine`] has four verbs: `handle`, `poll_transmit`, `poll_timeout`, `poll_event`. It opens no socket,
//! reads no clock and draws no random number: time and entropy are arguments, so that it can be replayed.

pub mod engine;
mod entropy;
pub mod errno;
pub mod error;
pub mod export;
pub mod lint;
pub mod locks;
pub mod model;
mod rpc;
mod time;

pub use errno::Errno;
pub use error::Error;
pub use time::Now;

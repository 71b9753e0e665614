//! Terminates LNet over TCP and passes MGS messages to mgsd.
//!
//! All rules are in `lnet-core`; this crate gives it sockets, a clock and a link to the daemon. One task owns the
//! [`lnet_core::Proxy`]; every other task (accept, read, write, dial, link) only moves bytes to and from it:
//!
//! ```text
//!  listen ─┐                          ┌─► write (one task per connection)
//!  read  ──┼─► inputs ─► drive ───────┼─► dial
//!  dial  ──┤            (owns Proxy)  └─► link ─► daemon
//!  link  ──┘
//! ```
//!
//! Queues towards `write` and `link` are not bounded by themselves, because the core bounds what it hands out
//! ([`lnet_core::Limits`]) by what was reported as flushed; the queue towards `drive` is bounded and slows readers.
//!
//! The daemon sees a [`link::FrameLink`] in every case: in memory from [`link::pair`], or over a Unix socket from
//! [`link::RelayListener`]. It first receives a Hello and must answer Welcome; nothing else flows before.

mod config;
mod connection;
mod dial;
mod drive;
pub mod link;
mod listen;
mod log;

pub use config::{Config, DialOverride, LNET_PORT};
pub use drive::{Handle, Link, Snapshot, spawn};
pub use listen::BindError;

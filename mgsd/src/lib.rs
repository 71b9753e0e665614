//! The userspace MGS daemon: drivers around `mgs-core`, the HTTP API, configuration.
//!
//! ```text
//! lnet-proxy ⇄ relay frames ⇄ drive (one task owns the engine) ⇄ store
//!                                   ▲ inspect
//!                                 http
//! ```

pub mod backup;
pub mod banner;
pub mod config;
pub mod daemon;
pub mod drive;
pub mod http;
pub mod recorder;
pub mod several;
pub mod store_check;

//! The userspace MGS daemon

pub mod http;

//! One fuzz target for each decoder of bytes from outside, and one for each core behind them.
//!
//! A target is a function that takes any bytes and panics when a promise is broken: a decoder never panics, what it
//! reads it can write and read again, text is one line, a core stays within its bounds and forgets everything in the
//! end. `tests/replay.rs` calls every target with its corpus and with changed copies of it; `libfuzzer/` has one
//! program per target; `fuzz/README.md` tells how to run them.
//!
//! Two kinds, where both are useful: *raw* targets take the bytes of the format, *structured* ones a script of
//! operations that a fuzzer can bring deep into the code (`rpc_buffers`, `llog_ops`, `engine_ops`, `proxy_events`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // panics are the verdict

pub mod bodies;
pub mod engine;
mod input;
pub mod llog;
pub mod llog_parts;
pub mod lnet;
pub mod model;
pub mod nodemap;
pub mod proxy;
pub mod relay;
pub mod rpc;
pub mod socklnd;
pub mod tunables;

/// A target.
pub type Target = fn(&[u8]);

macro_rules! targets {
    ($($module:ident: $($name:ident)+;)+) => {
        $(pub use $module::{$($name),+};)+
        /// Every target by its name, which is also that of its corpus folder and of its libFuzzer program.
        pub const TARGETS: &[(&str, Target)] = &[$($((stringify!($name), $module::$name)),+),+];
    };
}

targets! {
    socklnd: conn_req hello ksock_stream;
    lnet: lnet_header ping_info nid_text nid_bytes;
    rpc: ptlrpc_message ptlrpc_connect rpc_put rpc_reply rpc_buffers;
    bodies: ldlm mgs_target_info mgs_nid_list mgs_config mgs_nidtbl llog_rpc;
    nodemap: nodemap_pages nodemap_record;
    relay: relay_frames;
    llog: llog_file llog_segment llog_ops;
    llog_parts: lustre_cfg marker;
    model: core_segment core_key core_view core_params;
    engine: engine_frames engine_ops;
    proxy: proxy_stream proxy_events;
    tunables: param_list param_topology;
}

/// A target by its name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}

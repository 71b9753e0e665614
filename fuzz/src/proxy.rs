//! The proxy: its own entry points, which check bounds and leftovers.

/// What one peer sends over one connection, from its first byte on.
pub fn proxy_stream(data: &[u8]) {
    lnet_core::fuzz::stream(data);
}

/// Connections, bytes, relay frames, time, in any order; the script is described at [`lnet_core::fuzz::events`].
pub fn proxy_events(data: &[u8]) {
    lnet_core::fuzz::events(data);
}

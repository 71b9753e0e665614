//! What the driver is told at its start.
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use wire::Nid;

/// Port of the LNet acceptor.
pub const LNET_PORT: u16 = 988;

/// Where a NID is really to be found: for nodes simulated on one host. `None`: at its own address.
#[derive(Clone)]
pub struct DialOverride(pub Arc<dyn Fn(Nid) -> Option<SocketAddr> + Send + Sync>);

impl fmt::Debug for DialOverride {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DialOverride")
    }
}

/// Identity, addresses and bounds.
#[derive(Clone, Debug)]
pub struct Config {
    /// NIDs, bounds, time-outs, source ports let in.
    pub core: lnet_core::Config,
    /// Port to listen on.
    pub port: u16,
    /// Addresses to listen on; empty: the address of each NID, with `port`. Port 0 lets the system choose.
    pub bind: Vec<SocketAddr>,
    /// An address that is not there is waited for, and one that goes away is given up until it comes back: for
    /// addresses that move between hosts. Otherwise it is an error at the start.
    pub wait_address: bool,
    /// Port at which peers listen.
    pub peer_port: u16,
    /// Exceptions from it.
    pub dial_override: Option<DialOverride>,
}

impl Config {
    /// A node with these NIDs on the port of real Lustre nodes. Its incarnation is the wall clock, as in a kernel.
    pub fn new(nids: Vec<Nid>) -> Self {
        let mut core = lnet_core::Config::new(nids, wall_clock_nanos());
        core.accept = lnet_core::Accept::default_for(LNET_PORT);
        Self {
            core,
            port: LNET_PORT,
            bind: Vec::new(),
            wait_address: false,
            peer_port: LNET_PORT,
            dial_override: None,
        }
    }

    /// The same on another port, where only simulated nodes come: unprivileged source ports are let in.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self.core.accept = lnet_core::Accept::default_for(port);
        self
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "driver: an incarnation must differ from that of the last start"
)]
fn wall_clock_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX).max(1)
}

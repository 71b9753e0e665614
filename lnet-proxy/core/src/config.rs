//! What a proxy is told at its start.
use crate::route::Route;
use std::time::Duration;
use wire::Nid;
use wire::lnet::{feature, portal};

/// Which source ports may connect (`accept` parameter of the kernel's LNet module).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// Only ports up to 1023, which on a trusted node only root can use. The default of a kernel node.
    Secure,
    /// Every port.
    All,
}

impl Accept {
    /// `Secure` on the port of real nodes (988). NIDs carry no port, so on another one there are only simulated nodes.
    pub fn default_for(port: u16) -> Self {
        if port == 988 { Self::Secure } else { Self::All }
    }
}

/// Identity and behaviour.
#[derive(Clone, Debug)]
pub struct Config {
    /// Own NIDs; a connection request must name one of them.
    pub nids: Vec<Nid>,
    /// Stated in every HELLO: the same for the life of the process, another one after a restart.
    pub incarnation: u64,
    /// Name of this proxy in the relay's Hello.
    pub identity: String,
    /// Portals whose PUTs are delivered to the daemon.
    pub portals: Vec<u32>,
    /// Features announced in ping answers. The default has no DISCOVERY, so that peers neither push nor merge NIDs,
    /// and MULTI_RAIL, without which current clients print an error at every mount.
    pub features: u32,
    /// Source ports let in.
    pub accept: Accept,
    /// Routers to networks that no NID of ours is on. A network without a route is answered through whoever brings its
    /// messages; one with routes only through these.
    pub routes: Vec<Route>,
    /// Bounds.
    pub limits: Limits,
    /// Time-outs.
    pub timing: Timing,
}

impl Config {
    /// An MGS node with these NIDs.
    pub fn new(nids: Vec<Nid>, incarnation: u64) -> Self {
        Self {
            nids,
            incarnation,
            identity: "lnet-proxy".to_owned(),
            portals: vec![portal::MGS_REQUEST, portal::LDLM_CANCEL_REQUEST, portal::LDLM_CB_REPLY],
            features: feature::NI_STATUS | feature::RTE_DISABLED | feature::MULTI_RAIL,
            accept: Accept::All,
            routes: Vec::new(),
            limits: Limits::default(),
            timing: Timing::default(),
        }
    }
}

/// Bounds; each has a counter of what met it.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Accepted connections that have not finished their HELLO. One more, and the oldest is closed.
    pub half_open: usize,
    /// Connections in all.
    pub connections: usize,
    /// Connections of one peer (kernels: 2 x `conns_per_peer` + 1, at most 255).
    pub connections_per_peer: usize,
    /// Bytes of incomplete messages, all connections together.
    pub partial_bytes: usize,
    /// Bytes waiting for one peer: not yet sent, or not yet taken by TCP.
    pub peer_outbound_bytes: usize,
    /// The same, all peers together.
    pub outbound_bytes: usize,
    /// Payload bytes of one peer waiting for the daemon.
    pub peer_inbound_bytes: usize,
    /// The same, all peers together.
    pub inbound_bytes: usize,
    /// Deliveries handed to the link and not yet taken by it.
    pub link_window: usize,
    /// Frames of any kind handed to the link and not yet taken by it: one more, and the link counts as lost.
    pub link_frames: usize,
    /// Posts and fetches that wait for an ACK or REPLY.
    pub pending: usize,
    /// Peers behind routers.
    pub routed_peers: usize,
    /// Messages of the daemon given to one router and not yet taken by TCP; more wait with their peer.
    pub router_in_flight: usize,
    /// Bytes waiting for one router, in place of `peer_outbound_bytes`.
    pub router_outbound_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            half_open: 1024,
            connections: 65_536,
            connections_per_peer: 256,
            partial_bytes: 256 << 20,
            peer_outbound_bytes: 8 << 20,
            outbound_bytes: 512 << 20,
            peer_inbound_bytes: 4 << 20,
            inbound_bytes: 256 << 20,
            link_window: 64,
            link_frames: 65_536,
            pending: 262_144,
            routed_peers: 65_536,
            router_in_flight: 1024,
            router_outbound_bytes: 64 << 20,
        }
    }
}

/// Time-outs.
#[derive(Clone, Debug)]
pub struct Timing {
    /// For the connection request, and again for the HELLO, of an accepted connection (`accept_timeout`).
    pub accept: Duration,
    /// For its first byte while more than half of the half-open connections are in use.
    pub first_byte_busy: Duration,
    /// For each step of dialling: TCP connect, HELLO.
    pub dial: Duration,
    /// First pause after a refused or failed dial (`min_reconnectms`); doubled with each failure.
    pub reconnect_min: Duration,
    /// Longest pause (`max_reconnectms`).
    pub reconnect_max: Duration,
    /// No progress with a message that has begun, in either direction (`sock_timeout`).
    pub sock: Duration,
    /// For the ACK of a PUT or the REPLY to a GET.
    pub answer: Duration,
    /// A peer gets one bulk (a PUT with ACK, or a GET) at a time; one that is not answered for so long holds up no other.
    pub bulk: Duration,
    /// Without a ready daemon for so long, the node stops listening: peers then try their next MGS NID.
    pub no_daemon: Duration,
    /// A daemon that was not heard for so long is asked whether it lives.
    pub daemon_ping: Duration,
    /// One that does not answer that, or our Hello, for so long is given up; `None`: never, as for a daemon in the same
    /// process, which cannot be had anew.
    pub daemon_silence: Option<Duration>,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            accept: Duration::from_secs(5),
            first_byte_busy: Duration::from_secs(1),
            dial: Duration::from_secs(10),
            reconnect_min: Duration::from_secs(1),
            reconnect_max: Duration::from_secs(60),
            sock: Duration::from_secs(50),
            answer: Duration::from_secs(50),
            bulk: Duration::from_secs(5),
            no_daemon: Duration::from_secs(3),
            daemon_ping: Duration::from_secs(1),
            daemon_silence: Some(Duration::from_secs(5)),
        }
    }
}

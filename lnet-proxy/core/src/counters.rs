//! What happened, as numbers that only grow.

/// Counters of a [`crate::Proxy`]; all start at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted from TCP.
    pub accepted: u64,
    /// Connections that finished their HELLO, either direction.
    pub opened: u64,
    /// Dials begun.
    pub dials: u64,
    /// Dials that failed, refusals included.
    pub dials_failed: u64,
    /// Half-open connections closed because newer ones came ([`crate::Limits::half_open`]).
    pub half_open_evicted: u64,
    /// Connections closed because of any other limit.
    pub limit_closed: u64,
    /// Connections closed because nothing moved in time.
    pub timed_out: u64,
    /// Connections closed because the bytes did not decode.
    pub malformed: u64,
    /// Connections closed because the peer broke a rule.
    pub misbehaved: u64,
    /// Connections refused: foreign NID, source port, version.
    pub refused: u64,
    /// Peers seen with a new incarnation while the old one was still connected.
    pub restarts: u64,
    /// LNet messages received.
    pub messages_in: u64,
    /// LNet messages sent.
    pub messages_out: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes handed to TCP.
    pub bytes_out: u64,
    /// Keepalive NOOPs ignored.
    pub keepalives: u64,
    /// Zero-copy requests acknowledged.
    pub zc_acks: u64,
    /// Acknowledgements of zero-copy requests that were never made.
    pub zc_acks_unexpected: u64,
    /// Pings answered.
    pub pings: u64,
    /// Discovery pushes acknowledged and ignored.
    pub pushes: u64,
    /// PUTs handed to the daemon.
    pub delivered: u64,
    /// PUTs and GETs on portals that are not served here.
    pub dropped_portal: u64,
    /// Messages for another NID, or from another one than the connection's.
    pub dropped_foreign: u64,
    /// PUTs dropped because no daemon was there, or it takes no new peers.
    pub dropped_no_daemon: u64,
    /// PUTs dropped because too many bytes wait for the daemon.
    pub dropped_inbound_full: u64,
    /// Ping answers and ACKs dropped because the peer does not read.
    pub dropped_outbound_full: u64,
    /// ACKs and REPLYs to nothing we asked.
    pub answers_unexpected: u64,
    /// Posts and fetches taken from the daemon.
    pub posts: u64,
    /// Of these: refused because too many bytes wait for the peer, or too many answers are awaited.
    pub posts_over_budget: u64,
    /// Of these: no connection could be made, or it was lost.
    pub posts_unreachable: u64,
    /// Of these: meant for an earlier incarnation of the peer.
    pub posts_stale: u64,
    /// Times the link to the daemon was lost or given up.
    pub links_lost: u64,
}

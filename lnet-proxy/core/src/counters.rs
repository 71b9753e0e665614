//! What happened, as numbers that only grow.

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of a [`crate::Proxy`]; all start at 0.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Name and value of each, for metrics.
            pub fn entries(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }
        }
    };
}

counters! {
    /// Connections accepted from TCP.
    accepted,
    /// Connections that finished their HELLO, either direction.
    opened,
    /// Dials begun.
    dials,
    /// Dials that failed, refusals included.
    dials_failed,
    /// Half-open connections closed because newer ones came ([`crate::Limits::half_open`]).
    half_open_evicted,
    /// Connections closed because of any other limit.
    limit_closed,
    /// Connections closed because nothing moved in time.
    timed_out,
    /// Connections closed because the bytes did not decode.
    malformed,
    /// Connections closed because the peer broke a rule.
    misbehaved,
    /// Connections refused: foreign NID, source port, version.
    refused,
    /// Peers seen with a new incarnation while the old one was still connected.
    restarts,
    /// LNet messages received.
    messages_in,
    /// LNet messages sent.
    messages_out,
    /// Bytes received.
    bytes_in,
    /// Bytes handed to TCP.
    bytes_out,
    /// Keepalive NOOPs ignored.
    keepalives,
    /// Zero-copy requests acknowledged.
    zc_acks,
    /// Acknowledgements of zero-copy requests that were never made.
    zc_acks_unexpected,
    /// Pings answered.
    pings,
    /// Discovery pushes acknowledged and ignored.
    pushes,
    /// PUTs handed to the daemon.
    delivered,
    /// PUTs and GETs on portals that are not served here.
    dropped_portal,
    /// Messages for another NID, or from a source that its connection may not bring.
    dropped_foreign,
    /// Messages from peers behind routers dropped because there are too many such peers.
    dropped_routed_full,
    /// PUTs dropped because no daemon came in time.
    dropped_no_daemon,
    /// PUTs dropped because too many bytes wait for the daemon.
    dropped_inbound_full,
    /// Ping answers and ACKs dropped because the peer does not read.
    dropped_outbound_full,
    /// ACKs and REPLYs to nothing we asked.
    answers_unexpected,
    /// Posts and fetches taken from the daemon.
    posts,
    /// Of these: refused because too many bytes wait for the peer, or too many answers are awaited.
    posts_over_budget,
    /// Of these: no connection could be made, or it was lost.
    posts_unreachable,
    /// Of these: meant for an earlier incarnation of the peer.
    posts_stale,
    /// Times the link to the daemon was lost or given up.
    links_lost,
    /// Of these: it did not answer.
    daemons_silent,
    /// Times the node stopped listening because no daemon was ready.
    listeners_closed,
}

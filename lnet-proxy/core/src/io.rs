//! What goes into a proxy and what comes out.
use crate::Error;
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use wire::Nid;
use wire::relay::Frame;
use wire::socklnd::ConnType;

/// A TCP connection, from its acceptance or the decision to dial it. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub(crate) u64);

/// Something that happened outside. Input for a connection that is closed already is ignored.
#[derive(Clone, Debug)]
pub enum Input {
    /// The time of [`crate::Proxy::poll_timeout`] has come.
    Tick,
    /// A dial ended: local and remote address, or the reason of the failure.
    Dialled {
        /// From [`Output::Dial`].
        conn: ConnId,
        /// Local and remote address.
        result: Result<(SocketAddr, SocketAddr), String>,
    },
    /// Bytes came in, any number.
    Bytes {
        /// The connection.
        conn: ConnId,
        /// What came.
        bytes: Bytes,
    },
    /// TCP took bytes of earlier [`Output::Write`]s.
    Flushed {
        /// The connection.
        conn: ConnId,
        /// How many more.
        bytes: usize,
    },
    /// The other end closed (`None`), or the connection broke.
    Closed {
        /// The connection.
        conn: ConnId,
        /// The error, if it was one.
        error: Option<String>,
    },
    /// The link to the daemon stands: the proxy says Hello, the daemon answers Welcome.
    LinkUp,
    /// It is gone.
    LinkDown,
    /// A frame from the daemon.
    Relay(Frame),
    /// An address of ours went to another host: no connection that came by it will ever speak again.
    AddressGone {
        /// The address.
        ip: IpAddr,
    },
    /// The link took frames of earlier [`Output::Relay`]s.
    LinkFlushed {
        /// How many more.
        frames: usize,
    },
}

/// What the driver has to do. In order, per connection and per link.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Write to a connection, and report [`Input::Flushed`].
    Write {
        /// The connection.
        conn: ConnId,
        /// What to write.
        bytes: Bytes,
    },
    /// Close a connection, or give up a dial.
    Close {
        /// The connection.
        conn: ConnId,
        /// Write first what was given before.
        drain: bool,
    },
    /// Connect to a peer, from a local port in 512..=1023, and report [`Input::Dialled`].
    Dial {
        /// Name of the new connection.
        conn: ConnId,
        /// The peer.
        peer: Nid,
        /// Its address.
        ip: IpAddr,
        /// Own NID to come from.
        local: Nid,
        /// For the log.
        ctype: ConnType,
    },
    /// Send a frame to the daemon, and report [`Input::LinkFlushed`].
    Relay(Frame),
    /// Give the link up (no [`Input::LinkDown`] is needed) and make a new one.
    DropLink {
        /// Why, one line.
        reason: String,
    },
    /// Listen (as the driver does from its start), or do not: connections stay in both cases.
    Listen {
        /// Whether.
        open: bool,
    },
    /// Worth a line in the log.
    Event(Event),
}

/// For the log.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A connection finished its HELLO.
    Connected {
        /// The peer.
        peer: Nid,
        /// Own NID.
        local: Nid,
        /// Remote address.
        remote: SocketAddr,
        /// As we see it.
        ctype: ConnType,
    },
    /// A peer has no connection any more.
    PeerDown {
        /// The peer.
        peer: Nid,
        /// Own NID.
        local: Nid,
        /// Why.
        reason: String,
    },
    /// A connection, or a dial, failed.
    Trouble {
        /// The peer, if it said who it is.
        peer: Option<Nid>,
        /// Remote address; `None` before a dial succeeded.
        remote: Option<SocketAddr>,
        /// Why.
        error: Error,
    },
}

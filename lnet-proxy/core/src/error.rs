//! Why a connection ends, by blame.
use std::net::IpAddr;
use std::time::Duration;
use wire::Nid;
use wire::socklnd::ConnType;

/// Whose doing an error is: decides the log level and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// Bytes that are no LNet at all.
    Malformed,
    /// LNet, but against its rules.
    PeerMisbehaved,
    /// Allowed, but not known here.
    Unsupported,
    /// May work later: network, load, a peer that is restarting.
    NotNow,
    /// Our configuration says no.
    Refused,
}

/// Why a connection ended or could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A part of the stream does not decode.
    #[error("{part}: {error}")]
    Malformed {
        /// Connection request, HELLO or message.
        part: &'static str,
        /// The decoder's reason.
        error: wire::Error,
    },
    /// The connection request names a NID of somebody else.
    #[error(
        "connection request is for {nid}, which is not served here: check --nid and the peer's --mgsnode"
    )]
    NotOurNid {
        /// The NID named.
        nid: Nid,
    },
    /// Source port above 1023.
    #[error(
        "source port {port} is not reserved (1..1023): start with `--accept all` to let unprivileged senders in"
    )]
    UnprivilegedPort {
        /// The port.
        port: u16,
    },
    /// A HELLO version that this node does not speak, or one that cannot carry its NID.
    #[error("HELLO version {version} is not usable for {nid}: 2..4 are known, large NIDs need 4")]
    Version {
        /// The version.
        version: u32,
        /// Own NID.
        nid: Nid,
    },
    /// The source NID of a HELLO is the wildcard, or of another network than the NID it came to.
    #[error("HELLO comes from {nid}, which is not on the network of {local}")]
    SourceNid {
        /// NID stated.
        nid: Nid,
        /// Own NID.
        local: Nid,
    },
    /// The LNet process id of a HELLO.
    #[error("HELLO comes from process id {pid}, a Lustre node has 12345")]
    SourcePid {
        /// Id stated.
        pid: u32,
    },
    /// The HELLO has a type that cannot be.
    #[error("HELLO has connection type {got:?}, expected {expected}")]
    Type {
        /// Type stated.
        got: ConnType,
        /// What is allowed.
        expected: &'static str,
    },
    /// The dialled node says it is somebody else.
    #[error("dialled {dialled}, but {answered} answers: its address is in use by another node")]
    WrongNode {
        /// Whom we called.
        dialled: Nid,
        /// Who answered.
        answered: Nid,
    },
    /// The peer answered type NONE three times.
    #[error("peer refuses connections: it is connecting itself, or restarting")]
    PeerRefuses,
    /// A message for a NID that is not the one of the connection.
    #[error("message is for {dest}, but the connection belongs to {local}")]
    WrongDestination {
        /// NID in the message.
        dest: Nid,
        /// Own NID.
        local: Nid,
    },
    /// The connection ended inside a message.
    #[error("connection ended inside a message, {have} bytes of it were there")]
    CutShort {
        /// Bytes of the unfinished message.
        have: usize,
    },
    /// A step took too long.
    #[error("{step}: nothing for {after:?}")]
    TimedOut {
        /// What was expected.
        step: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// A bound of [`crate::Limits`].
    #[error("limit reached: {limit}")]
    Limit {
        /// Name of the bound.
        limit: &'static str,
    },
    /// The network's reason.
    #[error("{reason}")]
    Network {
        /// From the driver.
        reason: String,
    },
    /// The peer closed between two messages.
    #[error("closed by the peer")]
    Closed,
    /// The address that the peer came by is not ours any more.
    #[error("the address {ip} left this host")]
    AddressGone {
        /// The address.
        ip: IpAddr,
    },
    /// The peer came back with another incarnation.
    #[error("peer restarted")]
    Restarted,
}

impl Error {
    /// Whose doing it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Malformed { .. } => Blame::Malformed,
            Self::Version { .. } => Blame::Unsupported,
            Self::NotOurNid { .. } | Self::UnprivilegedPort { .. } => Blame::Refused,
            Self::SourceNid { .. }
            | Self::SourcePid { .. }
            | Self::Type { .. }
            | Self::WrongNode { .. }
            | Self::WrongDestination { .. }
            | Self::CutShort { .. } => Blame::PeerMisbehaved,
            Self::PeerRefuses
            | Self::TimedOut { .. }
            | Self::Limit { .. }
            | Self::Network { .. }
            | Self::Closed
            | Self::AddressGone { .. }
            | Self::Restarted => Blame::NotNow,
        }
    }
}

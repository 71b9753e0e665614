//! Relay v1: the frames between lnet-proxy and mgsd (docs/relay.md).
use crate::{Nid, Result};
use bytes::Bytes;

/// Largest frame: 1 MiB of payload and 64 KiB around it.
pub const MAX_FRAME: usize = (1 << 20) + (64 << 10);
/// Version spoken.
pub const VERSION: u16 = 1;

/// State of a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DaemonState {
    Ready,
    Draining,
    Down,
}
/// Fate of a posted message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostStatus {
    /// Handed to TCP, no ACK was wanted.
    Sent,
    /// The peer's LNet ACK came; bytes accepted.
    Acked(u32),
    /// No connection could be made.
    Unreachable,
    /// The peer has another incarnation by now.
    Stale,
}
/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Frame {
    /// Both: first frame of the proxy.
    Hello { min_version: u16, max_version: u16, features: u64, identity: String, nids: Vec<Nid> },
    /// Daemon's answer.
    Welcome { version: u16, features: u64, mgs_uuid: String, daemon: String, max_inflight: u32, max_bytes: u64 },
    /// Daemons known.
    View { daemons: Vec<(String, DaemonState)> },
    /// A peer has at least one connection. `slot` is the proxy's short name for it.
    PeerUp { slot: u32, peer: Nid, local: Nid, incarnation: u64, remote: String, gateway: Option<Nid> },
    /// All its connections are gone, or it rebooted.
    PeerDown { slot: u32, reason: String },
    /// A PUT from a peer on an MGS portal.
    Deliver { slot: u32, incarnation: u64, portal: u32, match_bits: u64, offset: u32, payload: Bytes },
    /// A PUT to a peer.
    Post {
        cookie: u64,
        peer: Nid,
        local: Nid,
        incarnation: u64,
        portal: u32,
        match_bits: u64,
        offset: u32,
        want_ack: bool,
        payload: Bytes,
    },
    /// Its fate.
    Done { cookie: u64, status: PostStatus },
    /// A GET from a peer.
    Fetch { cookie: u64, peer: Nid, local: Nid, incarnation: u64, portal: u32, match_bits: u64, length: u32 },
    /// Its result; `None`: it failed.
    Fetched { cookie: u64, payload: Option<Bytes> },
    /// Deliveries the other side may still send: for the link (`slot` = `u32::MAX`) or for a peer.
    Credit { slot: u32, count: u32 },
    Ping { token: u64 },
    Pong { token: u64 },
    /// No new peers, please.
    Drain,
}
impl Frame {
    /// One frame from the start of a stream: u32 length (little endian), then the frame. `None`: more bytes needed.
    pub fn parse(_buf: &[u8]) -> Result<Option<(Self, usize)>> {
        todo!()
    }
    /// The bytes with their length.
    pub fn to_bytes(&self) -> Vec<u8> {
        todo!()
    }
}

//! Golden packet captures as TCP streams.
//!
//! A capture file (classic pcap, Ethernet, optionally gzip) becomes a list of [`Connection`]s in the order of their
//! first packet, each with the bytes that either side sent, in stream order and with the time at which they were
//! readable. A hole in a stream is an error, never silently closed.

pub mod lnet;
mod packet;
mod pcap;
pub mod states;
mod stream;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use stream::Stream;

/// One TCP connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Sender of the SYN; without a SYN the side with the other port than LNet's 988.
    pub client: SocketAddr,
    /// Its receiver.
    pub server: SocketAddr,
    /// Time of the SYN, or of the first data, since the Unix epoch.
    pub start: Duration,
    /// The SYN is in the file: the streams begin at their first byte. Else they begin at the first byte captured.
    pub from_start: bool,
    /// What the client sent.
    pub to_server: Stream,
    /// What the server sent.
    pub to_client: Stream,
}

/// Why a capture could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: std::io::Error,
    },
    /// The file is not a classic pcap of Ethernet frames, or is cut.
    #[error("{path}: byte {offset}: {what}")]
    Format {
        /// The file.
        path: PathBuf,
        /// Where, in the unpacked file.
        offset: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// The capture lost a segment.
    #[error("{path}: {from} -> {to}: bytes are missing at stream offset {offset}")]
    Hole {
        /// The file.
        path: PathBuf,
        /// Sender.
        from: SocketAddr,
        /// Receiver.
        to: SocketAddr,
        /// First missing byte.
        offset: usize,
    },
}

/// Port of the LNet acceptor.
const LNET_PORT: u16 = 988;

/// The folder of golden data of the repository.
pub fn vectors_dir() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors")).to_path_buf()
}

/// Reads a capture.
///
/// # Errors
/// [`CaptureError`]: unreadable or foreign file, cut frame, hole in a stream.
pub fn load(path: &Path) -> Result<Vec<Connection>, CaptureError> {
    let file = pcap::read(path)?;
    let mut open: BTreeMap<(SocketAddr, SocketAddr), usize> = BTreeMap::new();
    let mut connections: Vec<Connection> = Vec::new();
    for frame in pcap::frames(&file) {
        let frame = frame.map_err(|(offset, what)| CaptureError::Format {
            path: path.to_path_buf(),
            offset,
            what,
        })?;
        let Some(segment) = packet::tcp_segment(frame.bytes) else { continue };
        let (key, reverse) = ((segment.from, segment.to), (segment.to, segment.from));
        let known = |key| open.get(key).and_then(|i: &usize| connections.get(*i));
        let opens = if segment.syn && !segment.ack {
            known(&key).is_none_or(|c| !c.to_server.starts_with_syn(segment.seq))
        } else {
            !segment.payload.is_empty() && known(&key).or(known(&reverse)).is_none()
        };
        if opens {
            let (client, server) = if segment.syn || segment.to.port() == LNET_PORT { key } else { reverse };
            open.remove(&(server, client));
            open.insert((client, server), connections.len());
            connections.push(Connection {
                client,
                server,
                start: frame.time,
                from_start: segment.syn,
                to_server: Stream::default(),
                to_client: Stream::default(),
            });
        }
        if let Some(c) = open.get(&key).and_then(|i| connections.get_mut(*i)) {
            c.to_server.push(&segment, frame.time, c.from_start);
        } else if let Some(c) = open.get(&reverse).and_then(|i| connections.get_mut(*i)) {
            c.to_client.push(&segment, frame.time, c.from_start);
        }
    }
    for c in &connections {
        for (stream, from, to) in [(&c.to_server, c.client, c.server), (&c.to_client, c.server, c.client)] {
            if let Some(offset) = stream.hole() {
                return Err(CaptureError::Hole { path: path.to_path_buf(), from, to, offset });
            }
        }
    }
    Ok(connections)
}

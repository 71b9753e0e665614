//! The flight recorder: the last conversations of each peer, and what was decided on its requests. Bounded per peer
//! and in all; what is oldest goes first.

mod journal;
mod pcap;

pub use journal::{Decision, Journal};

use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use wire::Nid;

/// Messages kept of one peer.
const PER_PEER: usize = 256;
/// Bytes kept of one peer.
const PEER_BYTES: usize = 256 << 10;
/// Bytes kept in all.
const ALL_BYTES: usize = 64 << 20;

/// One LNet PUT, either way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Since the Unix epoch.
    pub time: Duration,
    /// The peer sent it.
    pub from_peer: bool,
    /// Our NID in it.
    pub local: Nid,
    /// Portal.
    pub portal: u32,
    /// Match bits.
    pub match_bits: u64,
    /// Offset in the receiver's buffer.
    pub offset: u32,
    /// The payload; shared with whoever sent or received it.
    pub payload: Bytes,
}

impl Message {
    fn cost(&self) -> usize {
        self.payload.len() + 128
    }
}

#[derive(Debug, Default)]
struct Ring {
    messages: VecDeque<Message>,
    bytes: usize,
}

/// Messages by peer.
#[derive(Debug, Default)]
pub struct Recorder {
    rings: BTreeMap<Nid, Ring>,
    bytes: usize,
}

impl Recorder {
    /// Keeps a message; forgets old ones where a bound is reached.
    pub fn record(&mut self, peer: Nid, message: Message) {
        let cost = message.cost();
        let ring = self.rings.entry(peer).or_default();
        ring.messages.push_back(message);
        ring.bytes += cost;
        self.bytes += cost;
        while ring.messages.len() > PER_PEER || (ring.bytes > PEER_BYTES && ring.messages.len() > 1) {
            let Some(old) = ring.messages.pop_front() else { break };
            ring.bytes -= old.cost();
            self.bytes -= old.cost();
        }
        while self.bytes > ALL_BYTES && self.rings.len() > 1 {
            // Rarely: the peer that has been quiet the longest is forgotten whole.
            let quiet = self.rings.iter().filter(|(nid, _)| **nid != peer);
            let oldest = quiet.min_by_key(|(_, r)| r.messages.back().map(|m| m.time)).map(|(nid, _)| *nid);
            let Some(ring) = oldest.and_then(|nid| self.rings.remove(&nid)) else { break };
            self.bytes -= ring.bytes;
        }
    }

    /// What is kept of a peer, as a capture file that Wireshark opens. `None`: nothing.
    pub fn pcap(&self, peer: Nid) -> Option<Vec<u8>> {
        let ring = self.rings.get(&peer)?;
        Some(pcap::file(peer, ring.messages.iter()))
    }

    /// Peers of which anything is kept.
    pub fn peers(&self) -> impl Iterator<Item = Nid> + '_ {
        self.rings.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    fn message(second: u64, length: usize, from_peer: bool) -> Message {
        Message {
            time: Duration::from_secs(second),
            from_peer,
            local: "10.0.0.1@tcp".parse().unwrap(),
            portal: if from_peer { 26 } else { 25 },
            match_bits: second << 7,
            offset: 0,
            payload: Bytes::from(vec![7; length]),
        }
    }

    fn peer(n: u8) -> Nid {
        Nid::tcp([10, 0, 1, n].into(), 0)
    }

    #[test]
    fn one_peer_cannot_fill_the_recorder() {
        let mut r = Recorder::default();
        for i in 0..10_000 {
            r.record(peer(1), message(i, 4096, true));
        }
        assert!(r.bytes <= PEER_BYTES);
        assert_eq!(r.rings[&peer(1)].messages.back().map(|m| m.time.as_secs()), Some(9999));
        // A message above the bound is kept alone.
        r.record(peer(1), message(10_000, 1 << 20, false));
        assert_eq!(r.rings[&peer(1)].messages.len(), 1);
    }

    #[test]
    fn many_peers_stay_below_the_bound_and_the_quiet_one_goes() {
        let mut r = Recorder::default();
        for n in 0..=255 {
            for i in 0..70 {
                r.record(peer(n), message(u64::from(n) * 100 + i, 4096, true));
            }
        }
        assert!(r.bytes <= ALL_BYTES);
        r.record(peer(255), message(99_999, 1 << 20, true));
        for n in 0..=254 {
            r.record(peer(n), message(100_000, 1 << 20, true));
        }
        assert!(r.bytes <= ALL_BYTES && !r.rings.contains_key(&peer(255)));
        let sum: usize = r.rings.values().flat_map(|x| &x.messages).map(Message::cost).sum();
        assert_eq!(sum, r.bytes);
    }

    #[test]
    fn the_capture_file_holds_the_messages_as_a_peer_sent_them() {
        let mut r = Recorder::default();
        for i in 0..20 {
            // Above one TCP segment too.
            r.record(peer(1), message(i, 100 + 9_000 * usize::from(i == 7), i % 2 == 0));
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pcap");
        std::fs::write(&path, r.pcap(peer(1)).unwrap()).unwrap();
        let connections = capture::load(&path).unwrap();
        assert_eq!(connections.len(), 1);
        let c = &connections[0];
        assert_eq!(c.server.to_string(), "10.0.0.1:988");
        assert_eq!(c.client.ip().to_string(), "10.0.1.1");
        let messages = capture::lnet::messages(&connections).unwrap();
        assert_eq!(messages.len(), 20);
        assert!(messages.iter().enumerate().all(|(i, m)| m.to_server == (i % 2 == 0)));
        assert_eq!(messages[7].payload.len(), 9_100);
        assert_eq!(messages[3].time.as_secs(), 3);
    }
}

//! A capture file made from messages: what the peer and we would have sent over one TCP connection to port 988.
//!
//! ```text
//! pcap header, then per packet: record header 16 | Ethernet 14 | IPv4 20 | TCP 20 | part of the stream
//! stream: connection request, HELLO, then socklnd header 24 | LNet header 72 | payload for each message
//! ```
//! The connection is made up (the real one had several sockets), the messages are as they were.

use super::Message;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use wire::lnet::{Handle, Header, Message as Lnet};
use wire::socklnd::{ConnReq, ConnType, Frame, Hello, LNET_PID, MsgHeader, MsgKind};
use wire::{Nid, Order};

const PORT: u16 = 988;
/// Port of the peer: the first that a kernel dials from.
const PEER_PORT: u16 = 1023;
/// Largest part of the stream in a packet.
const SEGMENT: usize = 32 << 10;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// The file. Empty but for its header when there is no message.
pub(super) fn file<'a>(peer: Nid, messages: impl Iterator<Item = &'a Message>) -> Vec<u8> {
    let mut out = File::new(peer);
    for message in messages {
        out.message(peer, message);
    }
    out.bytes
}

struct File {
    bytes: Vec<u8>,
    peer: Ipv4Addr,
    /// Our address; known with the first message.
    local: Option<Ipv4Addr>,
    /// Next sequence number: of the peer, ours.
    seq: [u32; 2],
}

/// NIDs without an IPv4 address get one that says so.
fn address(nid: Nid) -> Ipv4Addr {
    match nid.ip() {
        Some(IpAddr::V4(ip)) => ip,
        _ => Ipv4Addr::new(192, 0, 2, 1),
    }
}

impl File {
    fn new(peer: Nid) -> Self {
        let mut bytes = Vec::new();
        bytes.extend(0xa1b2_c3d4_u32.to_le_bytes());
        bytes.extend(2_u16.to_le_bytes());
        bytes.extend(4_u16.to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(0x4_0000_u32.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        Self { bytes, peer: address(peer), local: None, seq: [1000, 2000] }
    }

    fn message(&mut self, peer: Nid, m: &Message) {
        if self.local.is_none() {
            self.local = Some(address(m.local));
            self.open(peer, m);
        }
        let (src, dest) = if m.from_peer { (peer, m.local) } else { (m.local, peer) };
        let header = Header {
            dest,
            src,
            dest_pid: LNET_PID,
            src_pid: LNET_PID,
            payload_len: u32::try_from(m.payload.len()).unwrap_or(u32::MAX),
            msg: Lnet::Put {
                ack: Handle::NONE,
                match_bits: m.match_bits,
                hdr_data: 0,
                portal: m.portal,
                offset: m.offset,
            },
        };
        let socklnd = MsgHeader { kind: MsgKind::Lnet, csum: 0, zc_cookies: [0, 0] };
        let version = if src.to_u64().is_some() && dest.to_u64().is_some() { 3 } else { 4 };
        let frame = Frame::Lnet(socklnd, header, m.payload.clone()).to_bytes(version, Order::Little);
        self.stream(m.time, m.from_peer, &frame);
    }

    fn open(&mut self, peer: Nid, m: &Message) {
        self.packet(m.time, true, SYN, &[]);
        self.packet(m.time, false, SYN | ACK, &[]);
        self.seq = self.seq.map(|s| s.wrapping_add(1));
        let version = if peer.to_u64().is_some() && m.local.to_u64().is_some() { 3 } else { 4 };
        let request = ConnReq { version: if version == 3 { 1 } else { 2 }, nid: m.local };
        let hello = |src_nid, dst_nid| {
            let hello = Hello {
                version,
                src_nid,
                dst_nid,
                src_pid: LNET_PID,
                dst_pid: 0,
                src_incarnation: 1,
                dst_incarnation: 0,
                ctype: ConnType::Control,
                ips: Vec::new(),
            };
            hello.to_bytes(Order::Little)
        };
        self.stream(m.time, true, &[request.to_bytes(Order::Little), hello(peer, m.local)].concat());
        self.stream(m.time, false, &hello(m.local, peer));
    }

    fn stream(&mut self, time: Duration, from_peer: bool, bytes: &[u8]) {
        for part in bytes.chunks(SEGMENT) {
            self.packet(time, from_peer, ACK, part);
            let length = u32::try_from(part.len()).unwrap_or(0);
            let [peer, local] = &mut self.seq;
            let seq = if from_peer { peer } else { local };
            *seq = seq.wrapping_add(length);
        }
    }

    fn packet(&mut self, time: Duration, from_peer: bool, flags: u8, data: &[u8]) {
        let local = self.local.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let [peer_seq, local_seq] = self.seq;
        let (src, dst) = if from_peer { (self.peer, local) } else { (local, self.peer) };
        let (sport, dport) = if from_peer { (PEER_PORT, PORT) } else { (PORT, PEER_PORT) };
        let (seq, ack) = if from_peer { (peer_seq, local_seq) } else { (local_seq, peer_seq) };
        let length = 40 + data.len();
        let mut p = Vec::with_capacity(14 + length);
        p.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
        p.extend([0x45, 0]);
        p.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        p.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        p.extend(src.octets());
        p.extend(dst.octets());
        p.extend(sport.to_be_bytes());
        p.extend(dport.to_be_bytes());
        p.extend(seq.to_be_bytes());
        p.extend(if flags & ACK == 0 { 0 } else { ack }.to_be_bytes());
        p.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        p.extend(data);
        let whole = u32::try_from(p.len()).unwrap_or(0).to_le_bytes();
        self.bytes.extend(u32::try_from(time.as_secs()).unwrap_or(0).to_le_bytes());
        self.bytes.extend(time.subsec_micros().to_le_bytes());
        self.bytes.extend(whole);
        self.bytes.extend(whole);
        self.bytes.extend(p);
    }
}

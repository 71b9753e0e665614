//! Ethernet, IP and TCP headers, as far as a stream needs them.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: u16 = 0x8100;
const PROTOCOL_TCP: u8 = 6;

/// A TCP segment.
pub(crate) struct Segment<'a> {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) seq: u32,
    pub(crate) syn: bool,
    pub(crate) ack: bool,
    pub(crate) payload: &'a [u8],
}

/// The TCP segment in an Ethernet frame; `None` for everything else.
pub(crate) fn tcp_segment(frame: &[u8]) -> Option<Segment<'_>> {
    let mut at = 12;
    let mut ethertype = be16(frame, at)?;
    if ethertype == ETHERTYPE_VLAN {
        at += 4;
        ethertype = be16(frame, at)?;
    }
    let packet = frame.get(at + 2..)?;
    match ethertype {
        ETHERTYPE_IPV4 => ipv4(packet),
        ETHERTYPE_IPV6 => ipv6(packet),
        _ => None,
    }
}

fn ipv4(packet: &[u8]) -> Option<Segment<'_>> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    // A frame that was cut into segments by the NIC may have been captured whole, with length 0.
    let total = match usize::from(be16(packet, 2)?) {
        0 => packet.len(),
        n => n,
    };
    let fragment = be16(packet, 6)? & 0x3fff;
    if *packet.get(9)? != PROTOCOL_TCP || fragment != 0 {
        return None;
    }
    let address = |n: usize| Some(IpAddr::V4(Ipv4Addr::from(*packet.get(n..)?.first_chunk::<4>()?)));
    tcp(packet.get(header..total)?, address(12)?, address(16)?)
}

fn ipv6(packet: &[u8]) -> Option<Segment<'_>> {
    // Extension headers are not used by socklnd peers.
    if *packet.get(6)? != PROTOCOL_TCP {
        return None;
    }
    let total = 40 + usize::from(be16(packet, 4)?);
    let address = |n: usize| Some(IpAddr::V6(Ipv6Addr::from(*packet.get(n..)?.first_chunk::<16>()?)));
    tcp(packet.get(40..total)?, address(8)?, address(24)?)
}

fn tcp(segment: &[u8], from: IpAddr, to: IpAddr) -> Option<Segment<'_>> {
    let seq = u32::from_be_bytes(*segment.get(4..)?.first_chunk::<4>()?);
    let header = usize::from(segment.get(12)? >> 4) * 4;
    let flags = *segment.get(13)?;
    Some(Segment {
        from: SocketAddr::new(from, be16(segment, 0)?),
        to: SocketAddr::new(to, be16(segment, 2)?),
        seq,
        syn: flags & 0x02 != 0,
        ack: flags & 0x10 != 0,
        payload: segment.get(header..)?,
    })
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk::<2>()?))
}

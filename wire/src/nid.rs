//! Network identifiers.
use crate::{Codec, Reader, Result, Writer};
use std::net::IpAddr;

/// LND numbers (`nidstr.h`).
pub mod lnd {
    /// socklnd.
    pub const TCP: u8 = 2;
    /// o2iblnd.
    pub const O2IB: u8 = 5;
    /// Loopback.
    pub const LO: u8 = 9;
    // ... gni 13, gip 14, ptlf 15, kfi 16, tofu 17, efa 18, bxi3f 19
}

/// The address part of a NID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NidAddr {
    /// Four bytes: an IPv4 address as a host integer, or a plain number.
    Small(u32),
    /// Sixteen bytes, network order (IPv6).
    Large([u8; 16]),
}

/// A NID: who a node is on one LNet network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nid {
    /// LND number, see [`lnd`]; 0xff is ANY.
    pub lnd: u8,
    /// Network number.
    pub net: u16,
    /// Address.
    pub addr: NidAddr,
}

impl Nid {
    /// The wildcard.
    pub const ANY: Self = Self { lnd: 0xff, net: 0xffff, addr: NidAddr::Small(u32::MAX) };
    /// `0@lo`.
    pub const LOOPBACK: Self = Self { lnd: lnd::LO, net: 0, addr: NidAddr::Small(0) };
    /// `ip@tcp<net>`.
    pub fn tcp(_ip: IpAddr, _net: u16) -> Self {
        todo!()
    }
    /// From the 64-bit form.
    pub fn from_u64(_v: u64) -> Self {
        todo!()
    }
    /// The 64-bit form; `None` for a large address.
    pub fn to_u64(&self) -> Option<u64> {
        todo!()
    }
    /// The IP address of an IP network.
    pub fn ip(&self) -> Option<IpAddr> {
        todo!()
    }
    /// Text of the network: `tcp`, `o2ib3`.
    pub fn net_name(&self) -> String {
        todo!()
    }
}

/// 20-byte `struct lnet_nid`, never swapped. (The 64-bit form has `from_u64`/`to_u64`.)
impl Codec for Nid {
    fn decode(_r: &mut Reader<'_>) -> Result<Self> {
        todo!()
    }
    fn encode(&self, _w: &mut Writer) {
        todo!()
    }
}
impl std::fmt::Display for Nid {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
}
impl std::str::FromStr for Nid {
    type Err = crate::Error;
    fn from_str(_s: &str) -> Result<Self> {
        todo!()
    }
}

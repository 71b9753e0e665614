//! Network identifiers.
use crate::{Codec, Error, Reader, Result, Writer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// LND numbers (`nidstr.h`).
pub mod lnd {
    /// socklnd.
    pub const TCP: u8 = 2;
    /// o2iblnd.
    pub const O2IB: u8 = 5;
    /// Loopback.
    pub const LO: u8 = 9;
    /// gnilnd.
    pub const GNI: u8 = 13;
    /// gni over IP.
    pub const GIP: u8 = 14;
    /// Portals 4.
    pub const PTLF: u8 = 15;
    /// kfilnd.
    pub const KFI: u8 = 16;
    /// tofu: has a number, but no text form.
    pub const TOFU: u8 = 17;
    /// EFA.
    pub const EFA: u8 = 18;
    /// BXIv3.
    pub const BXI3F: u8 = 19;
    /// The wildcard.
    pub const ANY: u8 = 0xff;
}

/// How the address of a network reads as text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AddrText {
    Ip,
    Number,
    Zero,
}

/// Networks that have a text form (`nidstrings.c`), and the form of their addresses.
const NETWORKS: [(u8, &str, AddrText); 9] = [
    (lnd::TCP, "tcp", AddrText::Ip),
    (lnd::O2IB, "o2ib", AddrText::Ip),
    (lnd::LO, "lo", AddrText::Zero),
    (lnd::GNI, "gni", AddrText::Number),
    (lnd::GIP, "gip", AddrText::Ip),
    (lnd::PTLF, "ptlf", AddrText::Number),
    (lnd::KFI, "kfi", AddrText::Number),
    (lnd::EFA, "efa", AddrText::Ip),
    (lnd::BXI3F, "bxi3f", AddrText::Number),
];

/// The address part of a NID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NidAddr {
    /// Four bytes: an IPv4 address as a host integer, or a plain number.
    Small(u32),
    /// Sixteen bytes, network order (IPv6).
    Large([u8; 16]),
}

/// A NID: who a node is on one LNet network.
///
/// ```text
/// u64 form (lnet_nid_t), in the byte order of the structure around it
///   63      56 55      48 47          32 31                    0
///  +----------+----------+--------------+-----------------------+
///  |    0     |   lnd    |     net      |        address        |    all ones: ANY
///  +----------+----------+--------------+-----------------------+
/// 20-byte form (lnet-types.h: struct lnet_nid), never swapped
///  0        1      2          4                              20
///  +--------+------+----------+------------------------------+
///  |nid_size| lnd  | net be16 | address be32[4], rest zero   |    all ones: ANY
///  +--------+------+----------+------------------------------+
///   nid_size = used length - 8: 0 for a 4-byte address, 12 for 16 bytes
/// ```
///
/// Text: `10.0.0.1@tcp`, `10.0.0.1@o2ib3`, `fd00::12@tcp`, `0@lo`, `17@gni`, `<?>` (ANY). What has no text form reads
/// `<hex words>@<lnd:net>`. An address without network is on `tcp`.
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
    pub const ANY: Self = Self { lnd: lnd::ANY, net: 0xffff, addr: NidAddr::Small(u32::MAX) };
    /// `0@lo`.
    pub const LOOPBACK: Self = Self { lnd: lnd::LO, net: 0, addr: NidAddr::Small(0) };
    /// Bytes of the 20-byte form.
    pub const SIZE: usize = 20;

    /// `ip@tcp<net>`.
    pub fn tcp(ip: IpAddr, net: u16) -> Self {
        Self { lnd: lnd::TCP, net, addr: NidAddr::from(ip) }
    }
    /// From the 64-bit form. The top byte, which is always zero, is ignored, except in ANY.
    pub fn from_u64(v: u64) -> Self {
        let [_, lnd, n1, n0, a3, a2, a1, a0] = v.to_be_bytes();
        if lnd == lnd::ANY {
            return Self::ANY;
        }
        let addr = NidAddr::Small(u32::from_be_bytes([a3, a2, a1, a0]));
        Self { lnd, net: u16::from_be_bytes([n1, n0]), addr }
    }
    /// The 64-bit form; `None` for a large address.
    pub fn to_u64(&self) -> Option<u64> {
        if self.is_any() {
            return Some(u64::MAX);
        }
        match self.addr {
            NidAddr::Small(a) => Some(u64::from(self.lnd) << 48 | u64::from(self.net) << 32 | u64::from(a)),
            NidAddr::Large(_) => None,
        }
    }
    /// True for the wildcard.
    pub const fn is_any(&self) -> bool {
        self.lnd == lnd::ANY
    }
    /// True when only the 20-byte form can hold it.
    pub const fn is_large(&self) -> bool {
        !self.is_any() && matches!(self.addr, NidAddr::Large(_))
    }
    /// The IP address of an IP network.
    pub fn ip(&self) -> Option<IpAddr> {
        if self.addr_text() != Some(AddrText::Ip) {
            return None;
        }
        Some(match self.addr {
            NidAddr::Small(a) => IpAddr::V4(Ipv4Addr::from_bits(a)),
            NidAddr::Large(a) => IpAddr::V6(Ipv6Addr::from(a)),
        })
    }
    /// Text of the network: `tcp`, `o2ib3`; `<lnd:net>` for one without name, `<?>` for ANY.
    pub fn net_name(&self) -> String {
        if self.is_any() {
            return "<?>".into();
        }
        match NETWORKS.iter().find(|(lnd, ..)| *lnd == self.lnd) {
            Some((_, name, _)) if self.net == 0 => (*name).into(),
            Some((_, name, _)) => format!("{name}{}", self.net),
            None => format!("<{}:{}>", self.lnd, self.net),
        }
    }
    fn addr_text(&self) -> Option<AddrText> {
        NETWORKS.iter().find(|(lnd, ..)| *lnd == self.lnd).map(|(.., text)| *text)
    }
}

impl From<IpAddr> for NidAddr {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(a) => Self::Small(a.to_bits()),
            IpAddr::V6(a) => Self::Large(a.octets()),
        }
    }
}

/// 20-byte `struct lnet_nid`, never swapped. (The 64-bit form has `from_u64`/`to_u64`.)
impl Codec for Nid {
    /// Only 4- and 16-byte addresses are known (`nid_size` 0, 12).
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let [size, lnd, n1, n0] = r.array("lnet_nid")?;
        let raw: [u8; 16] = r.array("lnet_nid address")?;
        if lnd == lnd::ANY {
            return Ok(Self::ANY);
        }
        let [a3, a2, a1, a0, ..] = raw;
        let addr = match size {
            0 => NidAddr::Small(u32::from_be_bytes([a3, a2, a1, a0])),
            12 => NidAddr::Large(raw),
            other => return Err(Error::BadValue { what: "nid_size (0 or 12)", got: other.into() }),
        };
        Ok(Self { lnd, net: u16::from_be_bytes([n1, n0]), addr })
    }
    fn encode(&self, w: &mut Writer) {
        if self.is_any() {
            return w.put(&[0xff; Self::SIZE]);
        }
        let size = if self.is_large() { 12 } else { 0 };
        w.put(&[size, self.lnd]);
        w.put(&self.net.to_be_bytes());
        match self.addr {
            NidAddr::Small(a) => {
                w.put(&a.to_be_bytes());
                w.zeros(12);
            }
            NidAddr::Large(a) => w.put(&a),
        }
    }
}

impl fmt::Display for Nid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_any() {
            return f.write_str("<?>");
        }
        match (self.addr_text(), self.addr) {
            (Some(AddrText::Ip), NidAddr::Small(a)) => write!(f, "{}", Ipv4Addr::from_bits(a))?,
            (Some(AddrText::Ip), NidAddr::Large(a)) => write!(f, "{}", Ipv6Addr::from(a))?,
            (Some(AddrText::Number), NidAddr::Small(a)) => write!(f, "{a}")?,
            (Some(AddrText::Zero), NidAddr::Small(0)) if self.net == 0 => f.write_str("0")?,
            // No text form of Lustre: raw words, network by number.
            (_, addr) => {
                match addr {
                    NidAddr::Small(a) => write!(f, "{a:x}")?,
                    NidAddr::Large(a) => a.iter().try_for_each(|b| write!(f, "{b:02x}"))?,
                }
                return write!(f, "@<{}:{}>", self.lnd, self.net);
            }
        }
        write!(f, "@{}", self.net_name())
    }
}

impl FromStr for Nid {
    type Err = Error;
    /// Accepts every form that [`Display`](fmt::Display) writes. `10.0.0.1` means `10.0.0.1@tcp`, `tcp0` is `tcp`.
    fn from_str(s: &str) -> Result<Self> {
        let bad = |why| Error::BadNid { text: s.chars().take(64).collect(), why };
        if s == "<?>" {
            return Ok(Self::ANY);
        }
        let (addr, net) = s.split_once('@').unwrap_or((s, "tcp"));
        if let Some(numbers) = net.strip_prefix('<').and_then(|n| n.strip_suffix('>')) {
            return unnamed(addr, numbers).ok_or(bad("expected <hex address>@<lnd:net>"));
        }
        let digits = net.trim_end_matches(|c: char| c.is_ascii_digit());
        // `bxi3f` has a digit inside its name, none has one at the end.
        let number = net.strip_prefix(digits).unwrap_or_default();
        let (lnd, _, text) = NETWORKS
            .iter()
            .find(|(_, name, _)| *name == digits)
            .ok_or(bad("unknown network; known: tcp o2ib lo gni gip ptlf kfi efa bxi3f"))?;
        let net = match number {
            "" => 0,
            n => n.parse().map_err(|_| bad("network number must be 0 to 65535"))?,
        };
        let addr = match text {
            AddrText::Ip => addr
                .parse::<IpAddr>()
                .map(NidAddr::from)
                .map_err(|_| bad("address must be IPv4 or IPv6 (no brackets, no host name)"))?,
            AddrText::Number => {
                addr.parse().map(NidAddr::Small).map_err(|_| bad("address must be a decimal number"))?
            }
            AddrText::Zero if addr == "0" && number.is_empty() => NidAddr::Small(0),
            AddrText::Zero => return Err(bad("the loopback NID is 0@lo")),
        };
        Ok(Self { lnd: *lnd, net, addr })
    }
}

/// `<hex>@<lnd:net>`; `None` when it is not of that form.
fn unnamed(addr: &str, numbers: &str) -> Option<Nid> {
    let (lnd, net) = numbers.split_once(':')?;
    let (lnd, net) = (lnd.parse().ok()?, net.parse().ok()?);
    if lnd == lnd::ANY || !addr.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let addr = match addr.len() {
        1..=8 => NidAddr::Small(u32::from_str_radix(addr, 16).ok()?),
        32 => NidAddr::Large(u128::from_str_radix(addr, 16).ok()?.to_be_bytes()),
        _ => return None,
    };
    Some(Nid { lnd, net, addr })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Order, hex};

    #[test]
    fn worked_example() {
        let nid: Nid = "192.168.1.10@tcp".parse().unwrap();
        assert_eq!(nid.to_u64(), Some(0x0002_0000_C0A8_010A));
        assert_eq!(nid.to_u64().unwrap().to_le_bytes(), hex("0a 01 a8 c0 00 00 02 00")[..]);
        assert_eq!(nid.to_vec(Order::Big), hex("00 02 00 00 c0 a8 01 0a 000000000000000000000000"));
        assert_eq!(Nid::LOOPBACK.to_u64(), Some(0x0009_0000_0000_0000));
        assert_eq!(Nid::ANY.to_u64(), Some(u64::MAX));
        assert_eq!(Nid::ANY.to_vec(Order::Little), [0xff; 20]);
    }

    #[test]
    fn text_forms() {
        for (text, lnd, net, addr) in [
            ("10.0.0.1@tcp", lnd::TCP, 0, NidAddr::Small(0x0a00_0001)),
            ("10.0.0.1@tcp1", lnd::TCP, 1, NidAddr::Small(0x0a00_0001)),
            ("10.0.0.1@o2ib", lnd::O2IB, 0, NidAddr::Small(0x0a00_0001)),
            ("10.0.0.1@o2ib65535", lnd::O2IB, 65535, NidAddr::Small(0x0a00_0001)),
            ("10.0.0.1@gip", lnd::GIP, 0, NidAddr::Small(0x0a00_0001)),
            ("0@lo", lnd::LO, 0, NidAddr::Small(0)),
            ("27@gni3", lnd::GNI, 3, NidAddr::Small(27)),
            ("4294967295@ptlf", lnd::PTLF, 0, NidAddr::Small(u32::MAX)),
            ("5@kfi", lnd::KFI, 0, NidAddr::Small(5)),
            ("10.0.0.1@efa", lnd::EFA, 0, NidAddr::Small(0x0a00_0001)),
            ("7@bxi3f12", lnd::BXI3F, 12, NidAddr::Small(7)),
            ("a000001@<17:3>", lnd::TOFU, 3, NidAddr::Small(0x0a00_0001)),
            ("<?>", lnd::ANY, 0xffff, NidAddr::Small(u32::MAX)),
        ] {
            let nid = Nid { lnd, net, addr };
            assert_eq!(text.parse(), Ok(nid), "{text}");
            assert_eq!(nid.to_string(), text);
        }
        let v6: Nid = "fd00::12@tcp".parse().unwrap();
        assert_eq!((v6.is_large(), v6.to_u64(), v6.net_name().as_str()), (true, None, "tcp"));
        assert_eq!(v6.to_string(), "fd00::12@tcp");
        assert_eq!(v6, Nid::tcp("fd00::12".parse().unwrap(), 0));
    }

    #[test]
    fn shorthands() {
        let nid: Nid = "10.0.0.1".parse().unwrap();
        assert_eq!(nid.to_string(), "10.0.0.1@tcp");
        assert_eq!("10.0.0.1@tcp0".parse(), Ok(nid));
        assert_eq!("fd00::12".parse::<Nid>().unwrap().to_string(), "fd00::12@tcp");
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (text, why) in [
            ("", "address must be"),
            ("host@tcp", "address must be IPv4"),
            ("[fd00::12]@tcp", "no brackets"),
            ("10.0.0.1@", "unknown network"),
            ("10.0.0.1@eth0", "unknown network"),
            ("10.0.0.1@tcp65536", "0 to 65535"),
            ("10.0.0.1@tcp@tcp", "unknown network"),
            ("10.0.0.1@gni", "decimal number"),
            ("1@lo", "0@lo"),
            ("0@lo1", "0@lo"),
            ("x@<17:3>", "<hex address>"),
            ("1@<255:3>", "<hex address>"),
            ("1@<17>", "<hex address>"),
        ] {
            let e = text.parse::<Nid>().unwrap_err().to_string();
            assert!(e.contains(why) && e.contains(&format!("{text:?}")), "{text}: {e}");
        }
        let long = "x".repeat(1000).parse::<Nid>().unwrap_err().to_string();
        assert!(long.len() < 300, "{long}");
    }

    #[test]
    fn large_nids_of_unknown_size_are_refused() {
        for size in [1, 4, 8, 11, 13, 254] {
            let mut raw = [0; 20];
            raw[0] = size;
            raw[1] = lnd::TCP;
            assert!(Nid::from_slice(&raw, Order::Little).is_err(), "nid_size {size}");
        }
    }
}

//! The first bytes of a connection: acceptor request of the connecting side, then a HELLO from each side.
use super::Step;
use crate::cursor::len32;
use crate::{Codec, Error, Nid, Order, Reader, Result, Writer};

/// `LNET_PROTO_ACCEPTOR_MAGIC`.
pub const ACCEPTOR_MAGIC: u32 = 0xacce_7100;
/// `LNET_PROTO_MAGIC`: of a HELLO V2 and later, and the "unified" magic that an acceptor may be probed with.
pub const HELLO_MAGIC: u32 = 0x4572_6963;
/// Most addresses that a HELLO may list.
const MAX_IPS: u32 = 16;

/// Finds the byte order from a magic; `None` while fewer than 4 bytes are there.
fn magic(what: &'static str, bytes: &[u8], expected: u32) -> Result<Option<Order>> {
    let Some(raw) = bytes.first_chunk::<4>() else { return Ok(None) };
    if u32::from_le_bytes(*raw) == expected {
        Ok(Some(Order::Little))
    } else if u32::from_be_bytes(*raw) == expected {
        Ok(Some(Order::Big))
    } else {
        Err(Error::BadMagic { what, got: u32::from_le_bytes(*raw).into() })
    }
}

/// First bytes of the connecting side (acceptor connection request).
///
/// ```text
/// lnet-idl.h: struct lnet_acceptor_connreq (16 bytes)   struct lnet_acceptor_connreq_v2 (28 bytes)
///  0        4          8           16                    0        4          8                  28
///  +--------+----------+-----------+                     +--------+----------+------------------+
///  | magic  |version 1 |  u64 NID  |                     | magic  |version 2 | lnet_nid         |
///  +--------+----------+-----------+                     +--------+----------+------------------+
/// native order; the lnet_nid is never swapped
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnReq {
    /// 1 or 2; chosen by the size of the address when sending.
    pub version: u32,
    /// The NID dialled.
    pub nid: Nid,
}

impl ConnReq {
    /// A request for `nid` in the version that kernels use for it.
    pub const fn to(nid: Nid) -> Self {
        Self { version: if nid.is_large() { 2 } else { 1 }, nid }
    }
    /// Answer to an unknown version or to the "unified" magic, before closing: version 1, NID 0.
    pub fn version_answer(order: Order) -> Vec<u8> {
        let mut w = Writer::new(order);
        w.u32(ACCEPTOR_MAGIC);
        w.u32(1);
        w.u64(0);
        w.into_vec()
    }
    /// Incremental decode from the start of a stream; tells the byte order of the sender too.
    ///
    /// # Errors
    /// `BadMagic` as soon as 4 bytes are there (`got` is [`HELLO_MAGIC`] for a probe, straight or swapped),
    /// `BadValue` for a version other than 1 and 2 as soon as 8 bytes are there.
    pub fn parse(bytes: &[u8]) -> Result<Step<(Self, Order)>> {
        let Some(order) = magic("acceptor request", bytes, ACCEPTOR_MAGIC)? else {
            return Ok(Step::Need(4));
        };
        let mut r = Reader::new(bytes, order);
        r.take("acceptor request", 4)?;
        if r.remaining() < 4 {
            return Ok(Step::Need(8));
        }
        let version = r.u32("acr_version")?;
        let size = match version {
            1 => 16,
            2 => 28,
            other => return Err(Error::BadValue { what: "acr_version (1 or 2)", got: other.into() }),
        };
        if bytes.len() < size {
            return Ok(Step::Need(size));
        }
        let nid = if version == 1 { Nid::from_u64(r.u64("acr_nid")?) } else { Nid::decode(&mut r)? };
        Ok(Step::Done((Self { version, nid }, order), size))
    }
    /// The bytes to send. A large NID is sent in version 2 whatever `version` says.
    pub fn to_bytes(&self, order: Order) -> Vec<u8> {
        let mut w = Writer::new(order);
        w.u32(ACCEPTOR_MAGIC);
        match self.nid.to_u64() {
            Some(nid) if self.version < 2 => {
                w.u32(1);
                w.u64(nid);
            }
            _ => {
                w.u32(2);
                self.nid.encode(&mut w);
            }
        }
        w.into_vec()
    }
}

/// Type of a connection as its owner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnType {
    /// Refusal: try again, or another version.
    None,
    /// Untyped.
    Any,
    /// Small messages.
    Control,
    /// Node receives bulk here, and sends ZC-ACK and keepalive NOOPs.
    BulkIn,
    /// Node sends bulk here.
    BulkOut,
}
impl ConnType {
    /// The same connection seen from the other end.
    pub fn inverted(self) -> Self {
        match self {
            Self::BulkIn => Self::BulkOut,
            Self::BulkOut => Self::BulkIn,
            same => same,
        }
    }
    /// `SOCKLND_CONN_*` (`socklnd.h`).
    pub const fn to_u32(self) -> u32 {
        match self {
            Self::None => u32::MAX,
            Self::Any => 0,
            Self::Control => 1,
            Self::BulkIn => 2,
            Self::BulkOut => 3,
        }
    }
    /// The type of a number; any other is a protocol error.
    pub const fn from_u32(v: u32) -> Option<Self> {
        Some(match v {
            u32::MAX => Self::None,
            0 => Self::Any,
            1 => Self::Control,
            2 => Self::BulkIn,
            3 => Self::BulkOut,
            _ => return None,
        })
    }
}

/// HELLO V2, V3 (56 bytes + addresses) or V4 (80 bytes).
///
/// ```text
/// socklnd.h: struct ksock_hello_msg (V2, V3)
///  0       4         8           16          24        28        32             40
///  +-------+---------+-----------+-----------+---------+---------+--------------+
///  | magic | version | u64 src   | u64 dst   | src_pid | dst_pid | src_incarn.  |
///  +-------+---------+-----+-----+-----+-----+---------+---------+--------------+
///  | dst_incarnation       |ctype|nips | u32 IPv4 address x nips
///  +-----------------------+-----+-----+
///  40                      48    52    56
/// struct ksock_hello_msg_nid (V4): NIDs of 20 bytes at 8 and 28, then the same fields from 48; nips 0
/// native order; the 20-byte NIDs are never swapped, the u64 ones are
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// 2, 3 or 4.
    pub version: u32,
    /// Sender.
    pub src_nid: Nid,
    /// Receiver.
    pub dst_nid: Nid,
    /// 12345.
    pub src_pid: u32,
    /// Not filled by kernels.
    pub dst_pid: u32,
    /// Changes with each start of the sender.
    pub src_incarnation: u64,
    /// Not filled by kernels.
    pub dst_incarnation: u64,
    /// As the sender sees the connection.
    pub ctype: ConnType,
    /// IPv4 addresses (V2/V3; kernels send none, at most 16).
    pub ips: Vec<u32>,
}
impl Hello {
    /// Incremental decode; tells the sender's order too.
    ///
    /// # Errors
    /// `BadMagic` as soon as 4 bytes are there; `BadValue` for the version (as soon as 8 are there), the connection
    /// type, more than 16 addresses, or an address 0.
    pub fn parse(bytes: &[u8]) -> Result<Step<(Self, Order)>> {
        let Some(order) = magic("HELLO", bytes, HELLO_MAGIC)? else { return Ok(Step::Need(4)) };
        let mut r = Reader::new(bytes, order);
        r.take("HELLO", 4)?;
        if r.remaining() < 4 {
            return Ok(Step::Need(8));
        }
        let version = r.u32("kshm_version")?;
        let fixed = match version {
            2 | 3 => 56,
            4 => 80,
            other => return Err(Error::BadValue { what: "kshm_version (2, 3 or 4)", got: other.into() }),
        };
        if bytes.len() < fixed {
            return Ok(Step::Need(fixed));
        }
        let mut nid = || match version {
            4 => Nid::decode(&mut r),
            _ => Ok(Nid::from_u64(r.u64("kshm_nid")?)),
        };
        let (src_nid, dst_nid) = (nid()?, nid()?);
        let (src_pid, dst_pid) = (r.u32("kshm_src_pid")?, r.u32("kshm_dst_pid")?);
        let (src_incarnation, dst_incarnation) =
            (r.u64("kshm_src_incarnation")?, r.u64("kshm_dst_incarnation")?);
        let raw = r.u32("kshm_ctype")?;
        let ctype = ConnType::from_u32(raw)
            .ok_or(Error::BadValue { what: "kshm_ctype (-1 to 3)", got: raw.into() })?;
        // V4 has the count, but never a list.
        let count = if version == 4 { 0 } else { r.u32("kshm_nips")? };
        if count > MAX_IPS {
            return Err(Error::BadValue { what: "kshm_nips (at most 16)", got: count.into() });
        }
        let size = fixed + 4 * count as usize;
        if bytes.len() < size {
            return Ok(Step::Need(size));
        }
        let ips = (0..count).map(|_| r.u32("kshm_ips")).collect::<Result<Vec<_>>>()?;
        if ips.contains(&0) {
            return Err(Error::BadValue { what: "kshm_ips (not 0)", got: 0 });
        }
        let hello = Self {
            version,
            src_nid,
            dst_nid,
            src_pid,
            dst_pid,
            src_incarnation,
            dst_incarnation,
            ctype,
            ips,
        };
        Ok(Step::Done((hello, order), size))
    }
    /// The bytes to send. A large NID is sent as V4 whatever `version` says; V4 carries no addresses.
    pub fn to_bytes(&self, order: Order) -> Vec<u8> {
        let mut w = Writer::new(order);
        w.u32(HELLO_MAGIC);
        let ips = match (self.version, self.src_nid.to_u64(), self.dst_nid.to_u64()) {
            (..4, Some(src), Some(dst)) => {
                w.u32(self.version);
                w.u64(src);
                w.u64(dst);
                self.ips.get(..self.ips.len().min(MAX_IPS as usize)).unwrap_or_default()
            }
            _ => {
                w.u32(4);
                self.src_nid.encode(&mut w);
                self.dst_nid.encode(&mut w);
                &[]
            }
        };
        w.u32(self.src_pid);
        w.u32(self.dst_pid);
        w.u64(self.src_incarnation);
        w.u64(self.dst_incarnation);
        w.u32(self.ctype.to_u32());
        w.u32(len32(ips.len()));
        ips.iter().for_each(|ip| w.u32(*ip));
        w.into_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;
    use crate::socklnd::LNET_PID;

    #[test]
    fn acceptor_example() {
        let bytes = hex("00 71 ce ac 01 00 00 00 0a 01 a8 c0 00 00 02 00");
        let request = ConnReq::to("192.168.1.10@tcp".parse().unwrap());
        assert_eq!(request.to_bytes(Order::Little), bytes);
        assert_eq!(ConnReq::parse(&bytes), Ok(Step::Done((request, Order::Little), 16)));
        let large = ConnReq::to("fd00::12@tcp".parse().unwrap());
        assert_eq!((large.version, large.to_bytes(Order::Big).len()), (2, 28));
    }

    #[test]
    fn hello_example() {
        let bytes = hex("63 69 72 45 03 00 00 00 | 14 01 a8 c0 00 00 02 00 | 0a 01 a8 c0 00 00 02 00 \
            | 39 30 00 00 | 00 00 00 00 | 88 77 66 55 44 33 22 11 | 00 00 00 00 00 00 00 00 | 01 00 00 00 \
            | 00 00 00 00");
        let hello = Hello {
            version: 3,
            src_nid: "192.168.1.20@tcp".parse().unwrap(),
            dst_nid: "192.168.1.10@tcp".parse().unwrap(),
            src_pid: LNET_PID,
            dst_pid: 0,
            src_incarnation: 0x1122_3344_5566_7788,
            dst_incarnation: 0,
            ctype: ConnType::Control,
            ips: Vec::new(),
        };
        assert_eq!(hello.to_bytes(Order::Little), bytes);
        assert_eq!(Hello::parse(&bytes), Ok(Step::Done((hello.clone(), Order::Little), 56)));
        let v4 = Hello { version: 4, ..hello };
        assert_eq!(v4.to_bytes(Order::Little).len(), 80);
    }

    #[test]
    fn large_nids_force_the_form_that_holds_them() {
        let nid: Nid = "fd00::12@tcp".parse().unwrap();
        assert_eq!(
            ConnReq { version: 1, nid }.to_bytes(Order::Little),
            ConnReq::to(nid).to_bytes(Order::Little)
        );
        let bytes = hex("63 69 72 45 03 00 00 00");
        assert_eq!(Hello::parse(&bytes), Ok(Step::Need(56)));
        let hello = Hello {
            version: 3,
            src_nid: nid,
            dst_nid: nid,
            src_pid: LNET_PID,
            dst_pid: 0,
            src_incarnation: 1,
            dst_incarnation: 0,
            ctype: ConnType::None,
            ips: vec![1],
        };
        let Ok(Step::Done((sent, _), 80)) = Hello::parse(&hello.to_bytes(Order::Little)) else {
            panic!("not a V4 HELLO")
        };
        assert_eq!(sent, Hello { version: 4, ips: Vec::new(), ..hello });
    }

    #[test]
    fn answer_to_an_unknown_version() {
        assert_eq!(
            ConnReq::version_answer(Order::Little),
            hex("00 71 ce ac 01 00 00 00 00 00 00 00 00 00 00 00")
        );
    }

    #[test]
    fn each_end_sees_its_own_type() {
        for (mine, theirs) in [(0, 0), (1, 1), (2, 3), (3, 2), (u32::MAX, u32::MAX)] {
            let mine = ConnType::from_u32(mine).unwrap();
            assert_eq!(mine.inverted().to_u32(), theirs);
            assert_eq!(mine.inverted().inverted(), mine);
        }
        assert_eq!(ConnType::from_u32(4), None);
    }
}

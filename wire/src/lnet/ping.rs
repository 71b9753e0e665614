//! What a node says of itself: answer to a ping, and content of a push.
use crate::cursor::len32;
use crate::{Codec, Error, Nid, Order, Reader, Result, Writer};

/// Ping information feature bits.
pub mod feature {
    /// Mandatory.
    pub const NI_STATUS: u32 = 2;
    /// Not a router.
    pub const RTE_DISABLED: u32 = 4;
    /// Multi-rail.
    pub const MULTI_RAIL: u32 = 8;
    /// Discovery.
    pub const DISCOVERY: u32 = 16;
    /// Large addresses follow (2.16+).
    pub const LARGE_ADDR: u32 = 32;
    /// First large NID is the primary.
    pub const PRIMARY_LARGE: u32 = 64;
    /// More data follows (2.17+).
    pub const METADATA: u32 = 128;
}
/// `LNET_PROTO_PING_MAGIC`.
pub const PING_MAGIC: u32 = 0x7069_6e67;
/// Status of an interface that is up.
pub const NI_UP: u32 = 0x15aa_c0de;
/// Status of an interface that is down.
pub const NI_DOWN: u32 = 0xdead_face;

/// One interface in a ping answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingNi {
    /// NID.
    pub nid: Nid,
    /// `0x15aac0de` up, `0xdeadface` down; entry 0: a sequence number.
    pub status: u32,
    /// Entry 0 with LARGE_ADDR: total bytes.
    pub msg_size: u32,
}
/// Payload of a ping answer or a push. Order: found from the magic.
///
/// ```text
/// lnet-idl.h: struct lnet_ping_info, native order of the sender
///  0       4          8      12      16                              16 + 16 n
///  +-------+----------+------+-------+-------------------------------+-----------------------------+------+
///  | magic | features | pid  | n     | n x { u64 nid, u32 status,    | LARGE_ADDR: { u32 status,   | tail |
///  |       |          |      |       |       u32 msg_size }          |   lnet_nid cut to its use,  |      |
///  +-------+----------+------+-------+-------------------------------+   up to a multiple of 4 }   +------+
///                                                                    +-----------------------------+
///  large entries end where msg_size of entry 0 says (total bytes from 0)
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PingInfo {
    /// See [`feature`].
    pub features: u32,
    /// 12345.
    pub pid: u32,
    /// Entry 0 is `0@lo`; 4-byte NIDs.
    pub nis: Vec<PingNi>,
    /// Large entries (msg_size unused), with LARGE_ADDR.
    pub large: Vec<PingNi>,
    /// Bytes behind that we do not know (METADATA), kept for re-encoding.
    pub tail: Vec<u8>,
}

impl PingInfo {
    /// Reads it.
    ///
    /// # Errors
    /// Bad magic; fewer bytes than the entries need (an answer cut by `sink_length`); a large NID that is ANY or of
    /// unknown size.
    pub fn decode(bytes: &[u8]) -> Result<(Self, Order)> {
        let raw = Reader::new(bytes, Order::Little).array("ping magic")?;
        let order = match (u32::from_le_bytes(raw), u32::from_be_bytes(raw)) {
            (PING_MAGIC, _) => Order::Little,
            (_, PING_MAGIC) => Order::Big,
            (got, _) => return Err(Error::BadMagic { what: "ping information", got: got.into() }),
        };
        let mut r = Reader::new(bytes, order);
        r.take("ping magic", 4)?;
        let (features, pid) = (r.u32("pi_features")?, r.u32("pi_pid")?);
        let count = r.u32("pi_nnis")? as usize;
        let mut entries = r.sub("ping entries", count.saturating_mul(16))?;
        let mut nis = Vec::with_capacity(count);
        for _ in 0..count {
            let nid = Nid::from_u64(entries.u64("ns_nid")?);
            nis.push(PingNi {
                nid,
                status: entries.u32("ns_status")?,
                msg_size: entries.u32("ns_msg_size")?,
            });
        }
        let mut large = Vec::new();
        if features & feature::LARGE_ADDR != 0 {
            let total = nis.first().map_or(0, |ni| ni.msg_size as usize);
            let fixed = 16 + 16 * count;
            let mut list = r.clone().sub("large ping entries", total.saturating_sub(fixed))?;
            while list.remaining() > 0 {
                match large_entry(&mut list) {
                    Ok(ni) => large.push(ni),
                    // Metadata may be counted in the total; it has no length of its own, so it is left in the tail.
                    Err(_) if features & feature::METADATA != 0 => break,
                    Err(e) => return Err(e),
                }
            }
            let used: usize = large.iter().map(|ni| large_size(&ni.nid)).sum();
            r.take("large ping entries", used)?;
        }
        let tail = r.rest().to_vec();
        Ok((Self { features, pid, nis, large, tail }, order))
    }
    /// The bytes. `msg_size` of entry 0 is written as it is: with LARGE_ADDR set it to [`PingInfo::size`].
    pub fn to_bytes(&self, order: Order) -> Vec<u8> {
        let mut w = Writer::new(order);
        w.u32(PING_MAGIC);
        w.u32(self.features);
        w.u32(self.pid);
        w.u32(len32(self.nis.len()));
        for ni in &self.nis {
            w.u64(ni.nid.to_u64().unwrap_or(u64::MAX));
            w.u32(ni.status);
            w.u32(ni.msg_size);
        }
        for ni in &self.large {
            w.u32(ni.status);
            let nid = ni.nid.to_vec(order);
            w.put(nid.get(..large_size(&ni.nid) - 4).unwrap_or_default());
        }
        w.put(&self.tail);
        w.into_vec()
    }
    /// Bytes of header, entries and large entries.
    pub fn size(&self) -> usize {
        16 + 16 * self.nis.len() + self.large.iter().map(|ni| large_size(&ni.nid)).sum::<usize>()
    }
}

/// Status word and the used part of the NID: a multiple of 4 for both known sizes.
fn large_size(nid: &Nid) -> usize {
    if nid.is_large() { 24 } else { 12 }
}

fn large_entry(r: &mut Reader<'_>) -> Result<PingNi> {
    let status = r.u32("large ns_status")?;
    let used = match r.clone().u8("nid_size")? {
        0 => 8,
        _ => 20,
    };
    let mut nid = [0; Nid::SIZE];
    let raw = r.take("large ns_nid", used)?;
    nid.iter_mut().zip(raw).for_each(|(to, from)| *to = *from);
    let nid = Nid::from_slice(&nid, r.order())?;
    if nid.is_any() {
        // Nobody's interface; and it has no size of its own to be written in.
        return Err(Error::BadValue { what: "large ns_nid (not ANY)", got: u64::MAX });
    }
    Ok(PingNi { nid, status, msg_size: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    fn mgs() -> PingInfo {
        let nid = "192.168.1.10@tcp".parse().unwrap();
        PingInfo {
            features: feature::NI_STATUS | feature::RTE_DISABLED | feature::MULTI_RAIL,
            pid: 12345,
            nis: vec![
                PingNi { nid: Nid::LOOPBACK, status: 1, msg_size: 0 },
                PingNi { nid, status: NI_UP, msg_size: 0 },
            ],
            large: Vec::new(),
            tail: Vec::new(),
        }
    }

    #[test]
    fn worked_example() {
        let bytes = hex("67 6e 69 70 0e 00 00 00 39 30 00 00 02 00 00 00
            00 00 00 00 00 00 09 00 01 00 00 00 00 00 00 00
            0a 01 a8 c0 00 00 02 00 de c0 aa 15 00 00 00 00");
        assert_eq!(mgs().to_bytes(Order::Little), bytes);
        assert_eq!(PingInfo::decode(&bytes), Ok((mgs(), Order::Little)));
    }

    #[test]
    fn large_entries_are_rounded_to_four_and_counted_in_the_first_entry() {
        let mut info = mgs();
        info.features |= feature::LARGE_ADDR;
        let nid = "fd00::12@tcp".parse().unwrap();
        info.large.push(PingNi { nid, status: NI_DOWN, msg_size: 0 });
        info.nis[0].msg_size = 72;
        info.tail = b"news".to_vec();
        let bytes = info.to_bytes(Order::Little);
        assert_eq!((info.size(), bytes.len()), (72, 76));
        assert_eq!(
            bytes[48..72],
            hex("ce fa ad de | 0c 02 00 00 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 12")
        );
        assert_eq!(PingInfo::decode(&bytes), Ok((info, Order::Little)));
    }

    /// Metadata may be counted in the total; it must not be taken for an address, nor cost the addresses before it.
    #[test]
    fn metadata_is_kept_as_it_is() {
        let mut info = mgs();
        info.features |= feature::LARGE_ADDR | feature::METADATA;
        let nid = "fd00::12@tcp".parse().unwrap();
        info.large.push(PingNi { nid, status: NI_UP, msg_size: 0 });
        info.tail = vec![1, 0, 0, 0, 99, 9, 9, 9, 9, 9, 9, 9];
        info.nis[0].msg_size = 84;
        let bytes = info.to_bytes(Order::Big);
        assert_eq!(PingInfo::decode(&bytes), Ok((info, Order::Big)));
    }
}

//! Registration of a target: `mgs_target_info` and the list of its NIDs.
use super::ldd;
use crate::{Codec, Error, Order, Reader, Result, Writer};

/// Slots of `mti_nids`.
const SLOTS: usize = 32;
/// Bytes of a text NID (`LNET_NIDSTR_SIZE`).
const NIDSTR: usize = 64;

/// `mgs_target_info`, 4544 bytes + text NIDs (2.16 form). Strings are kept without NUL.
///
/// ```text
/// lustre_idl.h: struct mgs_target_info
///     0 lustre_ver     4 stripe_index     8 config_ver   12 flags   16 nid_count   20 instance
///    24 fsname[64]    88 svname[64]     152 uuid[40]
///   192 u64 nids[32] (numbers of the sender only without LARGE_NID; never swapped with it)
///   448 params[4096]
///  4544 nidlist[n][64], only when the buffer is longer
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct TargetInfo {
    pub lustre_ver: u32,
    pub stripe_index: u32,
    pub config_ver: u32,
    pub flags: u32,
    pub nid_count: u32,
    pub instance: u32,
    pub fsname: String,
    pub svname: String,
    pub uuid: String,
    /// The 32-slot array, as numbers (zeros kept).
    pub nids: Vec<u64>,
    pub params: String,
    /// Tail of 64-byte text NIDs (raw text, as sent).
    pub nidlist: Vec<String>,
}
impl TargetInfo {
    /// Bytes without the tail.
    pub const SIZE: usize = 4544;
}

/// `mti_nids` follows the sender's order, but with LARGE_NID nobody swaps it: then little endian, as we are.
fn nids_order(flags: u32, sender: Order) -> Order {
    if flags & ldd::LARGE_NID == 0 { sender } else { Order::Little }
}

impl Codec for TargetInfo {
    /// Takes every whole entry of the tail up to the end of the cursor.
    ///
    /// # Errors
    /// Shorter than 4544 bytes; a string without NUL or not UTF-8.
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let mut f = r.sub("mgs_target_info", Self::SIZE)?;
        let mut mti = Self {
            lustre_ver: f.u32("mti_lustre_ver")?,
            stripe_index: f.u32("mti_stripe_index")?,
            config_ver: f.u32("mti_config_ver")?,
            flags: f.u32("mti_flags")?,
            nid_count: f.u32("mti_nid_count")?,
            instance: f.u32("mti_instance")?,
            fsname: f.cstr("mti_fsname", 64)?,
            svname: f.cstr("mti_svname", 64)?,
            uuid: f.cstr("mti_uuid", 40)?,
            ..Self::default()
        };
        let mut nids = Reader::new(f.take("mti_nids", 8 * SLOTS)?, nids_order(mti.flags, f.order()));
        mti.nids = (0..SLOTS).map(|_| nids.u64("mti_nids")).collect::<Result<_>>()?;
        mti.params = f.cstr("mti_params", 4096)?;
        mti.nidlist = entries("mti_nidlist", r, r.remaining() / NIDSTR)?;
        Ok(mti)
    }
    fn encode(&self, w: &mut Writer) {
        for v in
            [self.lustre_ver, self.stripe_index, self.config_ver, self.flags, self.nid_count, self.instance]
        {
            w.u32(v);
        }
        w.cstr(&self.fsname, 64);
        w.cstr(&self.svname, 64);
        w.cstr(&self.uuid, 40);
        let mut nids = Writer::new(nids_order(self.flags, w.order()));
        self.nids.iter().take(SLOTS).for_each(|nid| nids.u64(*nid));
        nids.zeros(8 * SLOTS - nids.len());
        w.put(&nids.into_vec());
        w.cstr(&self.params, 4096);
        w.put(&nid_entries(&self.nidlist));
    }
}

/// `mgs_target_nidlist`.
///
/// ```text
/// lustre_idl.h: struct mgs_target_nidlist
///  0           4          8
///  +-----------+----------+-----------------------+
///  | mtn_flags | mtn_nids | mtn_nids x char[64]   |    no list with IN_BULK
///  +-----------+----------+-----------------------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct TargetNidList {
    pub flags: u32,
    pub count: u32,
    /// Inline entries, as sent.
    pub inline: Vec<String>,
}
/// `mtn_flags`.
pub mod mtn {
    #![allow(missing_docs)]
    pub const APPEND: u32 = 1;
    pub const IN_BULK: u32 = 2;
    pub const COMPRESSED: u32 = 4;
}
impl Codec for TargetNidList {
    /// # Errors
    /// Fewer bytes than `count` entries take, unless IN_BULK.
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (flags, count) = (r.u32("mtn_flags")?, r.u32("mtn_nids")?);
        let here = if flags & mtn::IN_BULK == 0 { count as usize } else { 0 };
        Ok(Self { flags, count, inline: entries("mtn_inline_list", r, here)? })
    }
    fn encode(&self, w: &mut Writer) {
        w.u32(self.flags);
        w.u32(self.count);
        w.put(&nid_entries(&self.inline));
    }
}

/// The 64-byte entries of a fetched NID list.
///
/// # Errors
/// Not a multiple of 64 bytes; an entry without NUL or not UTF-8.
pub fn parse_nid_entries(bytes: &[u8]) -> Result<Vec<String>> {
    let mut r = Reader::new(bytes, Order::Little);
    entries("NID list entry", &mut r, bytes.len().div_ceil(NIDSTR))
}
/// NID list as 64-byte entries; text beyond 63 bytes is cut.
pub fn nid_entries(list: &[String]) -> Vec<u8> {
    let mut w = Writer::new(Order::Little);
    list.iter().for_each(|text| w.cstr(text, NIDSTR));
    w.into_vec()
}

fn entries(what: &'static str, r: &mut Reader<'_>, count: usize) -> Result<Vec<String>> {
    // Before anything is allocated: are they there?
    let need = count.checked_mul(NIDSTR).ok_or(Error::BadValue { what, got: u64::MAX })?;
    let mut list = r.sub(what, need)?;
    (0..count).map(|_| list.cstr(what, NIDSTR)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn layout() {
        let mti = TargetInfo {
            lustre_ver: 0x0211_3900,
            stripe_index: 1,
            config_ver: 2,
            flags: ldd::SV_TYPE_OST | ldd::OPC_READY,
            nid_count: 1,
            instance: 5,
            fsname: "lustre".into(),
            svname: "lustre-OST0001".into(),
            uuid: "lustre-OST0001_UUID".into(),
            nids: vec![0x0002_0000_c0a8_010b],
            params: "sys.timeout=100".into(),
            nidlist: vec!["192.168.1.11@tcp".into()],
        };
        let bytes = mti.to_vec(Order::Big);
        assert_eq!(bytes.len(), 4544 + 64);
        assert_eq!(bytes[..24], hex("02113900 00000001 00000002 40000002 00000001 00000005"));
        for (at, text) in [
            (24, "lustre\0"),
            (88, "lustre-OST0001\0"),
            (152, "lustre-OST0001_UUID\0"),
            (448, "sys.timeout=100\0"),
            (4544, "192.168.1.11@tcp\0"),
        ] {
            assert!(bytes[at..].starts_with(text.as_bytes()), "{text} at {at}");
        }
        assert_eq!(bytes[192..208], hex("00020000c0a8010b 0000000000000000"));
        let read = TargetInfo::from_slice(&bytes, Order::Big).unwrap();
        let mut nids = mti.nids.clone();
        nids.resize(32, 0);
        assert_eq!(read, TargetInfo { nids, ..mti });
    }

    /// A receiver of the other order swaps the array only when it holds numbers.
    #[test]
    fn nids_are_swapped_only_without_large_nid() {
        let nids = vec![0x0002_0000_c0a8_010b; 32];
        for (flags, first) in [(0, "00020000c0a8010b"), (ldd::LARGE_NID, "0b01a8c000000200")] {
            let mti = TargetInfo { flags, nids: nids.clone(), ..TargetInfo::default() };
            let bytes = mti.to_vec(Order::Big);
            assert_eq!(bytes[192..200], hex(first));
            assert_eq!(TargetInfo::from_slice(&bytes, Order::Big), Ok(mti));
        }
    }

    /// The 2.17 form of a legacy registration has an empty list behind it.
    #[test]
    fn empty_list() {
        let list = TargetNidList::from_slice(&[0; 8], Order::Little);
        assert_eq!(list, Ok(TargetNidList::default()));
        assert_eq!(TargetNidList::default().to_vec(Order::Little), [0; 8]);
    }
}

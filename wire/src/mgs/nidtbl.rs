//! NID table entries, the bulk content of a RECOVER read.
use crate::cursor::len32;
use crate::{Codec, Error, Nid, Reader, Result, Writer};

/// `mgs_nidtbl_entry`.
///
/// ```text
/// lustre_idl.h: struct mgs_nidtbl_entry
///  0         8          12      16       20     21         22         23          24
///  +---------+----------+-------+--------+------+----------+----------+-----------+--------+-------+
///  | version | instance | index | length | type | nid_type | nid_size | nid_count | NIDs   | slack |
///  +---------+----------+-------+--------+------+----------+----------+-----------+--------+-------+
///                                 to the   1 MDT  0: u64     8                      count x
///                                 next     2 OST  1: lnet_nid 20                    nid_size
/// ```
/// Type 1 entries are not aligned: the next one starts exactly `length` bytes behind the start of this one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct NidTblEntry {
    pub version: u64,
    pub instance: u32,
    pub index: u32,
    /// Bytes to the next entry: entry plus slack.
    pub length: u32,
    /// 1 MDT, 2 OST.
    pub target_type: u8,
    /// 0: u64 NIDs, 1: 20-byte NIDs.
    pub nid_type: u8,
    pub nid_size: u8,
    pub nids: Vec<Nid>,
}
impl NidTblEntry {
    /// Bytes without slack for `count` NIDs of a form.
    pub const fn size(nid_type: u8, count: usize) -> usize {
        24 + count * if nid_type == 0 { 8 } else { 20 }
    }
    /// Reads the entries of a bulk to its last byte.
    ///
    /// # Errors
    /// Those of one entry. Each takes at least 32 bytes, so that the loop is bounded by the bytes.
    pub fn decode_all(r: &mut Reader<'_>) -> Result<Vec<Self>> {
        let mut list = Vec::new();
        while r.remaining() > 0 {
            list.push(Self::decode(r)?);
        }
        Ok(list)
    }
}
/// Decode skips the slack; encode writes `length` bytes (slack zero).
impl Codec for NidTblEntry {
    /// # Errors
    /// What a client refuses: no NID, a combination of NID type and size that is not known, a length below the content.
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (version, instance) = (r.u64("mne_version")?, r.u32("mne_instance")?);
        let (index, length) = (r.u32("mne_index")?, r.u32("mne_length")?);
        let [target_type, nid_type, nid_size, count] = r.array("mne_type")?;
        match (nid_type, nid_size) {
            (0, 8) | (1, 20) => {}
            _ => {
                let got = u64::from(nid_type) << 8 | u64::from(nid_size);
                return Err(Error::BadValue { what: "mne_nid_type and size (0x008 or 0x114)", got });
            }
        }
        if count == 0 {
            return Err(Error::BadValue { what: "mne_nid_count (at least 1)", got: 0 });
        }
        let size = Self::size(nid_type, count.into());
        let slack = (length as usize)
            .checked_sub(size)
            .ok_or(Error::BadValue { what: "mne_length (shorter than the entry)", got: length.into() })?;
        let mut list = r.sub("mne_nids", size - 24)?;
        let nids = (0..count)
            .map(|_| match nid_type {
                0 => list.u64("mne_nids").map(Nid::from_u64),
                _ => Nid::decode(&mut list),
            })
            .collect::<Result<_>>()?;
        r.take("mne slack", slack)?;
        Ok(Self { version, instance, index, length, target_type, nid_type, nid_size, nids })
    }
    /// NIDs that do not fit the form, and those behind the 255th, are left out. A `length` below the content is raised.
    fn encode(&self, w: &mut Writer) {
        let fits = |nid: &&Nid| self.nid_type != 0 || nid.to_u64().is_some();
        let nids: Vec<&Nid> = self.nids.iter().filter(fits).take(usize::from(u8::MAX)).collect();
        let size = Self::size(self.nid_type, nids.len());
        let slack = (self.length as usize).saturating_sub(size);
        w.u64(self.version);
        w.u32(self.instance);
        w.u32(self.index);
        w.u32(len32(size + slack));
        let count = u8::try_from(nids.len()).unwrap_or(u8::MAX);
        w.put(&[self.target_type, self.nid_type, self.nid_size, count]);
        for nid in nids {
            match (self.nid_type, nid.to_u64()) {
                (0, Some(v)) => w.u64(v),
                _ => nid.encode(w),
            }
        }
        w.zeros(slack);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Order, hex};

    fn entry(nid_type: u8, nid_size: u8, length: u32) -> NidTblEntry {
        let nids = vec!["192.168.1.11@tcp".parse().unwrap()];
        NidTblEntry { version: 3, instance: 5, index: 1, length, target_type: 2, nid_type, nid_size, nids }
    }

    #[test]
    fn worked_examples() {
        let large = hex("03 00 00 00 00 00 00 00 05 00 00 00 01 00 00 00 2c 00 00 00 02 01 14 01
            00 02 00 00 c0 a8 01 0b 00 00 00 00 00 00 00 00 00 00 00 00");
        let small = hex("03 00 00 00 00 00 00 00 05 00 00 00 01 00 00 00 20 00 00 00 02 00 08 01
            0b 01 a8 c0 00 00 02 00");
        for (value, bytes) in [(entry(1, 20, 44), large), (entry(0, 8, 32), small)] {
            assert_eq!(value.to_vec(Order::Little), bytes);
            assert_eq!(NidTblEntry::from_slice(&bytes, Order::Little), Ok(value));
        }
    }

    #[test]
    fn slack_leads_to_the_next_unit() {
        let mut w = Writer::new(Order::Little);
        entry(1, 20, 4096).encode(&mut w);
        entry(1, 20, 44).encode(&mut w);
        let bytes = w.into_vec();
        assert_eq!(bytes.len(), 4096 + 44);
        let all = NidTblEntry::decode_all(&mut Reader::new(&bytes, Order::Little)).unwrap();
        assert_eq!(all, [entry(1, 20, 4096), entry(1, 20, 44)]);
    }

    #[test]
    fn encode_keeps_length_and_count_true() {
        let large: Nid = "fd00::12@tcp".parse().unwrap();
        let mut mixed = entry(0, 8, 0);
        mixed.nids.insert(0, large);
        let read = NidTblEntry::from_slice(&mixed.to_vec(Order::Little), Order::Little);
        assert_eq!(read, Ok(entry(0, 8, 32)));
        let many = NidTblEntry { nids: vec![large; 300], ..entry(1, 20, 0) };
        let read = NidTblEntry::from_slice(&many.to_vec(Order::Big), Order::Big).unwrap();
        assert_eq!((read.nids.len(), read.length), (255, 24 + 20 * 255));
    }
}

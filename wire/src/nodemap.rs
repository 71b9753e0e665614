//! Nodemap index pages and their records.
use crate::{Error, Order, Reader, Result, Writer};

mod record;
pub use record::{Cluster, IdKind, Record, cluster_flags, cluster_flags2};

/// End of the index in `mcr_offset`.
pub const END_OFFSET: u64 = 0xffff_ffff_ffff_fffe;
/// Bytes of a page.
pub const PAGE: usize = 4096;
/// Entries that fit in a page.
pub const PER_PAGE: usize = 102;
/// `LIP_MAGIC`.
pub const PAGE_MAGIC: u32 = 0x8a6d_6b6c;

/// Key and record as stored (little endian inside).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// u32 id and type, u32 by type.
    pub key: [u8; 8],
    /// Record.
    pub rec: [u8; 32],
}
impl Entry {
    /// Pass 0 delivers the cluster records themselves, pass 1 everything else.
    fn pass(&self) -> u8 {
        let [.., top, s0, s1, s2, s3] = self.key;
        let cluster = top >> 4 == 1 && [s0, s1, s2, s3] == [0; 4];
        u8::from(!cluster)
    }
}

/// One `lu_idxpage` of 4096 bytes. Never swapped: little endian from every server that is.
///
/// ```text
/// lustre_idl.h: struct lu_idxpage
///  0           4           6        8          16                              16 + 40 n        4096
///  +-----------+-----------+--------+----------+-------------------------------+----------------+
///  | lip_magic | lip_flags | lip_nr | lip_pad0 | n x { key[8], record[32] }    | zeros          |
///  |           |  0        |  n     |  0       |                               |                |
///  +-----------+-----------+--------+----------+-------------------------------+----------------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct IndexPage {
    /// At most [`PER_PAGE`].
    pub entries: Vec<Entry>,
}
impl IndexPage {
    /// Reads 4096 bytes.
    ///
    /// # Errors
    /// Fewer bytes; another magic; more entries than fit.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let mut r = Reader::new(r.take("index page", PAGE)?, Order::Little);
        let magic = r.u32("lip_magic")?;
        if magic != PAGE_MAGIC {
            return Err(Error::BadMagic { what: "index page", got: magic.into() });
        }
        r.take("lip_flags", 2)?;
        let count = r.u16("lip_nr")?;
        if usize::from(count) > PER_PAGE {
            return Err(Error::BadValue { what: "lip_nr (at most 102)", got: count.into() });
        }
        r.take("lip_pad0", 8)?;
        let entries = (0..count)
            .map(|_| Ok(Entry { key: r.array("index key")?, rec: r.array("index record")? }))
            .collect::<Result<_>>()?;
        Ok(Self { entries })
    }
    /// Writes 4096 bytes. Entries behind the 102nd are left out: [`IndexPage::pages`] makes as many pages as needed.
    pub fn encode(&self, w: &mut Writer) {
        let entries = self.entries.get(..self.entries.len().min(PER_PAGE)).unwrap_or_default();
        let mut page = Writer::new(Order::Little);
        page.u32(PAGE_MAGIC);
        page.u16(0);
        page.u16(u16::try_from(entries.len()).unwrap_or(0));
        page.u64(0);
        for entry in entries {
            page.put(&entry.key);
            page.put(&entry.rec);
        }
        page.zeros(PAGE - page.len());
        w.put(&page.into_vec());
    }
    /// Pages for entries in their order; one empty page when there are none, since a reader wants a magic.
    pub fn pages(entries: &[Entry]) -> Vec<Self> {
        if entries.is_empty() {
            return vec![Self::default()];
        }
        entries.chunks(PER_PAGE).map(|part| Self { entries: part.to_vec() }).collect()
    }
}

/// Puts entries into the order in which an MGS delivers them: clusters, then the rest, each by the bytes of the key. So
/// id 256 comes before id 1.
pub fn sort_for_delivery(entries: &mut [Entry]) {
    entries.sort_by_key(|e| (e.pass(), u64::from_be_bytes(e.key)));
}

/// The index of an MGS that was never configured: default cluster and GLOBAL off, in the order of the two passes.
pub fn untouched() -> Vec<Entry> {
    let default = Cluster {
        name: "default".into(),
        flags: cluster_flags::MAP_UID
            | cluster_flags::MAP_GID
            | cluster_flags::MAP_PROJID
            | cluster_flags::AUDIT,
        flags2: cluster_flags2::FILESET_IAM,
        squash_projid: NOBODY,
        squash_uid: NOBODY,
        squash_gid: NOBODY,
    };
    vec![
        Record::Cluster { id: 0, cluster: default }.to_entry(),
        Record::Global { is_active: false }.to_entry(),
    ]
}
/// `NODEMAP_NOBODY_UID` and its brothers.
const NOBODY: u32 = 65534;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn untouched_entries() {
        let [default, global] = untouched().try_into().unwrap();
        assert_eq!(default.key[..], hex("00 00 00 10 00 00 00 00"));
        assert_eq!(&default.rec[..8], b"default\0");
        assert_eq!(default.rec[17..], hex("b8 04 00 fe ff 00 00 fe ff 00 00 fe ff 00 00"));
        assert_eq!((global.key[..].to_vec(), global.rec), (hex("00 00 00 f0 00 00 00 00"), [0; 32]));
    }

    /// The order that `protocol/4` saw, by the bytes of the key (`osd_iam_lfix.c`).
    #[test]
    fn delivery_order() {
        let header = [0; 32];
        let cluster = |id| Record::Cluster { id, cluster: Cluster::default() };
        let expected = [
            cluster(0),
            cluster(256),
            cluster(1),
            Record::Global { is_active: true },
            Record::Fileset { id: 1, subid: 0x200, header },
            Record::Fileset { id: 1, subid: 0x300, header },
            Record::Roles { id: 1, roles: 1, raise_privs: 0, raised: 0 },
            Record::FilesetPart { id: 1, subid: 0x201, text: header },
            Record::FilesetPart { id: 1, subid: 0x301, text: header },
            Record::Capabilities { id: 1, mask: 3, kind: 1 },
            Record::Range { id: 1, range_id: 1, start: crate::Nid::LOOPBACK, end: crate::Nid::LOOPBACK },
            Record::IdMap { id: 1, kind: IdKind::Uid, client: 1, fs: 2 },
        ];
        let mut entries: Vec<Entry> = expected.iter().rev().map(Record::to_entry).collect();
        sort_for_delivery(&mut entries);
        let records: Vec<Record> = entries.iter().map(|e| Record::parse(e).unwrap()).collect();
        assert_eq!(records, expected);
    }

    #[test]
    fn a_reader_always_gets_a_page() {
        assert_eq!(IndexPage::pages(&[]), [IndexPage::default()]);
        let entries = vec![untouched()[0]; 103];
        let pages = IndexPage::pages(&entries);
        assert_eq!(pages.iter().map(|p| p.entries.len()).collect::<Vec<_>>(), [102, 1]);
        assert_eq!(pages[0].entries, entries[..102]);
    }
}

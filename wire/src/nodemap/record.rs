//! The records behind the keys of the nodemap index.
use super::Entry;
use crate::{Codec, Error, Nid, Order, Reader, Result, Writer};

/// Flags of a cluster (byte 17).
pub mod cluster_flags {
    #![allow(missing_docs)]
    pub const ALLOW_ROOT: u8 = 0x01;
    pub const TRUST_IDS: u8 = 0x02;
    pub const DENY_UNKNOWN: u8 = 0x04;
    pub const MAP_UID: u8 = 0x08;
    pub const MAP_GID: u8 = 0x10;
    pub const AUDIT: u8 = 0x20;
    pub const FORBID_ENCRYPTION: u8 = 0x40;
    pub const MAP_PROJID: u8 = 0x80;
}
/// More flags of a cluster (byte 18; 0 before 2.16).
pub mod cluster_flags2 {
    #![allow(missing_docs)]
    pub const READONLY: u8 = 0x01;
    pub const DENY_MOUNT: u8 = 0x02;
    pub const FILESET_IAM: u8 = 0x04;
    pub const GSS: u8 = 0x08;
}

/// Which ids an id map maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum IdKind {
    Uid,
    Gid,
    Projid,
}

/// A nodemap itself.
///
/// ```text
/// lustre_disk.h: struct nodemap_cluster_rec
///  0          17      18       19  20              24           28           32
///  +----------+-------+--------+---+---------------+------------+------------+
///  | name NUL | flags | flags2 | 0 | squash projid | squash uid | squash gid |
///  +----------+-------+--------+---+---------------+------------+------------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Cluster {
    /// At most 16 bytes.
    pub name: String,
    /// [`cluster_flags`].
    pub flags: u8,
    /// [`cluster_flags2`].
    pub flags2: u8,
    pub squash_projid: u32,
    pub squash_uid: u32,
    pub squash_gid: u32,
}

/// An entry by its type.
///
/// ```text
/// lustre_disk.h: struct nodemap_key, two little-endian u32
///  0                            4                8
///  +-----------------+----------+----------------+
///  | type << 28 | id of nodemap | by type        |    GLOBAL: id 0
///  +-----------------+----------+----------------+
///  1 CLUSTER  subid: 0 Cluster, 1 Roles, 2 Offset, 3 Capabilities, 0x200 + 0x100 n fileset n, then its parts
///  2 RANGE    range id, its type (0 regular, 1 ban) in the top 4 bits    3 UIDMAP 4 GIDMAP 5 PROJIDMAP  client id
///  6 NID_MASK range id                                                  15 GLOBAL 0
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Record {
    /// The nodemap.
    Cluster { id: u32, cluster: Cluster },
    /// Roles allowed, privileges that may be raised, roles raised.
    Roles { id: u32, roles: u64, raise_privs: u64, raised: u64 },
    /// Id offsets: start and limit of uids, gids, project ids.
    Offset { id: u32, uid: [u32; 2], gid: [u32; 2], projid: [u32; 2] },
    /// Capabilities.
    Capabilities { id: u32, mask: u64, kind: u8 },
    /// Start of fileset (subid 0x200, 0x300, …), 32 bytes as they are.
    Fileset { id: u32, subid: u32, header: [u8; 32] },
    /// Part of its path (subid + 1 and so on).
    FilesetPart { id: u32, subid: u32, text: [u8; 32] },
    /// Range of 4-byte NIDs.
    Range { id: u32, range_id: u32, start: Nid, end: Nid },
    /// Id on the client (`client`, in the key) to id in the file system (`fs`).
    IdMap { id: u32, kind: IdKind, client: u32, fs: u32 },
    /// NID and length of its netmask in bits.
    NidMask { id: u32, range_id: u32, nid: Nid, netmask: u8 },
    /// Are nodemaps in force?
    Global { is_active: bool },
    /// A type that we do not know, kept as it is.
    Other(Entry),
}

const ID_MASK: u32 = 0x0fff_ffff;
/// First subid of filesets.
const FILESETS: u32 = 0x200;

impl Record {
    /// Reads an entry.
    ///
    /// # Errors
    /// A cluster name without NUL or not UTF-8; a NID mask with a NID of unknown size.
    pub fn parse(entry: &Entry) -> Result<Self> {
        let mut key = Reader::new(&entry.key, Order::Little);
        let (word, second) = (key.u32("nodemap key")?, key.u32("nodemap key")?);
        let id = word & ID_MASK;
        let mut r = Reader::new(&entry.rec, Order::Little);
        let r = &mut r;
        Ok(match (word >> 28, second) {
            (1, 0) => Self::Cluster { id, cluster: Cluster::decode(r)? },
            (1, 1) => Self::Roles {
                id,
                roles: r.u64("nodemap roles")?,
                raise_privs: r.u64("nodemap raise privileges")?,
                raised: r.u64("nodemap raised roles")?,
            },
            (1, 2) => Self::Offset { id, uid: pair(r)?, gid: pair(r)?, projid: pair(r)? },
            (1, 3) => Self::Capabilities {
                id,
                mask: r.u64("nodemap capabilities")?,
                kind: r.u8("nodemap capabilities")?,
            },
            (1, subid @ FILESETS..) if subid.trailing_zeros() >= 8 => {
                Self::Fileset { id, subid, header: entry.rec }
            }
            (1, subid @ FILESETS..) => Self::FilesetPart { id, subid, text: entry.rec },
            (2, range_id) => {
                let start = Nid::from_u64(r.u64("nodemap range")?);
                Self::Range { id, range_id, start, end: Nid::from_u64(r.u64("nodemap range")?) }
            }
            (3, client) => Self::IdMap { id, kind: IdKind::Uid, client, fs: r.u32("nodemap id")? },
            (4, client) => Self::IdMap { id, kind: IdKind::Gid, client, fs: r.u32("nodemap id")? },
            (5, client) => Self::IdMap { id, kind: IdKind::Projid, client, fs: r.u32("nodemap id")? },
            (6, range_id) => {
                let nid = Nid::decode(r)?;
                r.take("nodemap NID mask", 11)?;
                Self::NidMask { id, range_id, nid, netmask: r.u8("nodemap NID mask")? }
            }
            (15, 0) => match r.u8("nodemap global")? {
                0 => Self::Global { is_active: false },
                1 => Self::Global { is_active: true },
                other => {
                    return Err(Error::BadValue { what: "nodemap is_active (0 or 1)", got: other.into() });
                }
            },
            _ => Self::Other(*entry),
        })
    }
    /// The entry. Ids are cut to 28 bits, names to 16 bytes; large NIDs of a [`Record::Range`] become ANY.
    pub fn to_entry(&self) -> Entry {
        let mut w = Writer::new(Order::Little);
        let (kind, id, second) = match self {
            Self::Cluster { id, cluster } => {
                cluster.encode(&mut w);
                (1, *id, 0)
            }
            Self::Roles { id, roles, raise_privs, raised } => {
                [roles, raise_privs, raised].iter().for_each(|v| w.u64(**v));
                (1, *id, 1)
            }
            Self::Offset { id, uid, gid, projid } => {
                [uid, gid, projid].iter().copied().flatten().for_each(|v| w.u32(*v));
                (1, *id, 2)
            }
            Self::Capabilities { id, mask, kind } => {
                w.u64(*mask);
                w.u8(*kind);
                (1, *id, 3)
            }
            Self::Fileset { id, subid, header: raw } | Self::FilesetPart { id, subid, text: raw } => {
                w.put(raw);
                (1, *id, *subid)
            }
            Self::Range { id, range_id, start, end } => {
                [start, end].iter().for_each(|nid| w.u64(nid.to_u64().unwrap_or(u64::MAX)));
                (2, *id, *range_id)
            }
            Self::IdMap { id, kind, client, fs } => {
                w.u32(*fs);
                let kind = match kind {
                    IdKind::Uid => 3,
                    IdKind::Gid => 4,
                    IdKind::Projid => 5,
                };
                (kind, *id, *client)
            }
            Self::NidMask { id, range_id, nid, netmask } => {
                nid.encode(&mut w);
                w.zeros(11);
                w.u8(*netmask);
                (6, *id, *range_id)
            }
            Self::Global { is_active } => {
                w.u8(u8::from(*is_active));
                (15, 0, 0)
            }
            Self::Other(entry) => return *entry,
        };
        let mut rec = [0; 32];
        rec.iter_mut().zip(w.into_vec()).for_each(|(to, from)| *to = from);
        let key = u64::from(kind << 28 | id & ID_MASK) | u64::from(second) << 32;
        Entry { key: key.to_le_bytes(), rec }
    }
}

impl Cluster {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let name = r.cstr("nodemap name", 17)?;
        let [flags, flags2, _] = r.array("nodemap flags")?;
        Ok(Self {
            name,
            flags,
            flags2,
            squash_projid: r.u32("nodemap squash projid")?,
            squash_uid: r.u32("nodemap squash uid")?,
            squash_gid: r.u32("nodemap squash gid")?,
        })
    }
    fn encode(&self, w: &mut Writer) {
        w.cstr(&self.name, 17);
        w.put(&[self.flags, self.flags2, 0]);
        [self.squash_projid, self.squash_uid, self.squash_gid].iter().for_each(|v| w.u32(*v));
    }
}

fn pair(r: &mut Reader<'_>) -> Result<[u32; 2]> {
    Ok([r.u32("nodemap offset")?, r.u32("nodemap offset")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind comes back, and its fields sit where the layout draws them.
    #[test]
    fn every_kind() {
        let nid: Nid = "10.0.0.1@tcp".parse().unwrap();
        let text = *b"/sub/dir/with/a/name/of/32/bytes";
        for (record, key) in [
            (Record::Roles { id: 7, roles: 1, raise_privs: 2, raised: 3 }, [7, 0, 0, 0x10, 1, 0, 0, 0]),
            (Record::Offset { id: 7, uid: [1, 2], gid: [3, 4], projid: [5, 6] }, [7, 0, 0, 0x10, 2, 0, 0, 0]),
            (Record::Capabilities { id: 7, mask: 1 << 40, kind: 2 }, [7, 0, 0, 0x10, 3, 0, 0, 0]),
            (Record::Fileset { id: 7, subid: 0x200, header: [0; 32] }, [7, 0, 0, 0x10, 0, 2, 0, 0]),
            (Record::FilesetPart { id: 7, subid: 0x201, text }, [7, 0, 0, 0x10, 1, 2, 0, 0]),
            (
                Record::Range { id: 7, range_id: 0x1000_0001, start: nid, end: nid },
                [7, 0, 0, 0x20, 1, 0, 0, 0x10],
            ),
            (
                Record::IdMap { id: 7, kind: IdKind::Uid, client: 500, fs: 1000 },
                [7, 0, 0, 0x30, 0xf4, 1, 0, 0],
            ),
            (
                Record::IdMap { id: 7, kind: IdKind::Gid, client: 500, fs: 1000 },
                [7, 0, 0, 0x40, 0xf4, 1, 0, 0],
            ),
            (Record::IdMap { id: 7, kind: IdKind::Projid, client: 1, fs: 9 }, [7, 0, 0, 0x50, 1, 0, 0, 0]),
            (Record::NidMask { id: 7, range_id: 1, nid, netmask: 24 }, [7, 0, 0, 0x60, 1, 0, 0, 0]),
            (Record::Global { is_active: true }, [0, 0, 0, 0xf0, 0, 0, 0, 0]),
        ] {
            let entry = record.to_entry();
            assert_eq!(entry.key, key, "{record:?}");
            assert_eq!(Record::parse(&entry), Ok(record));
        }
        let mask = Record::NidMask { id: 7, range_id: 1, nid, netmask: 24 }.to_entry();
        assert_eq!((mask.rec[4], mask.rec[31]), (10, 24));
        let unknown = Entry { key: [1, 0, 0, 0x90, 0, 0, 0, 0], rec: [5; 32] };
        assert_eq!(Record::parse(&unknown), Ok(Record::Other(unknown)));
        assert_eq!(Record::Other(unknown).to_entry(), unknown);
        let on = Entry { key: [0, 0, 0, 0xf0, 0, 0, 0, 0], rec: [2; 32] };
        assert!(Record::parse(&on).is_err());
    }
}

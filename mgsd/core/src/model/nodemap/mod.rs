//! Nodemaps: which clients are who. `words` and `range` are how parts of one are written, `stored` how one lies in the
//! store, `spans` finds whose a NID is, `index` is what servers read, `query` what people ask, `changes` what a
//! transaction makes of it all.

pub mod changes;
pub mod index;
pub mod name;
pub mod query;
pub mod range;
pub mod sorted;
pub mod spans;
mod stored;
pub mod words;

pub use name::Name;
pub use range::Range;
pub use stored::{Part, PartKey};

use sorted::Sorted;
use spans::{Span, Spans};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::nodemap::{IdKind, cluster_flags as f, cluster_flags2 as f2};

/// Name of the nodemap of all clients that no other claims. It cannot be deleted and has no ranges and id maps.
pub const DEFAULT: &str = "default";
/// Longest name (`lustre_disk.h: LUSTRE_NODEMAP_NAME_LENGTH`).
pub const NAME_MAX: usize = 16;
/// Ids of nodemaps and ranges have 28 bits: the rest of the word in a key of the index says what it is.
pub const ID_MAX: u32 = (1 << 28) - 1;
/// `NODEMAP_NOBODY_UID` and its brothers: who is squashed becomes this.
pub const NOBODY: u32 = 65534;
/// Every role, and those to come.
pub const ALL_ROLES: u32 = u32::MAX;
/// Most filesets of a nodemap, the primary one included (`LUSTRE_NODEMAP_FILESET_NUM_MAX`).
pub const FILESETS: usize = 256;
/// Longest path of a fileset: 255 parts of 28 bytes hold it with its NUL, and so does `PATH_MAX`.
pub const PATH_MAX: usize = 4095;

/// Ids to squash to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Squash {
    /// Users.
    pub uid: u32,
    /// Groups.
    pub gid: u32,
    /// Projects.
    pub projid: u32,
}

/// Roles that root of a client has, and what a nodemap below this one may raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// [`words::ROLES`].
    pub allowed: u32,
    /// [`words::PRIVILEGES`].
    pub raise: u32,
    /// Roles that may be raised.
    pub raised: u32,
}

impl Roles {
    /// All roles, nothing may be raised: no record in the index.
    ///
    /// A kernel writes nothing as the bits that have no word: a later release may give them one.
    pub const UNSET: Self = Self { allowed: ALL_ROLES, raise: 0xffff_fe00, raised: 0xffff_8000 };
}

/// Ids `0..limit` of a client become `start..start + limit`; the same for users, groups and projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// First id in the file system.
    pub start: u32,
    /// How many.
    pub limit: u32,
}

/// Capabilities of ordinary users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// 1: only these stay; 2: these are set.
    pub kind: u8,
    /// [`words::CAPABILITIES`].
    pub mask: u64,
}

/// A directory that clients see as their root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fileset {
    /// From the root of the file system, with a `/` in front.
    pub path: String,
    /// Mounted read-only.
    pub ro: bool,
}

/// Ids of clients and ids of the file system: one to one.
#[derive(Clone, Debug, Default)]
pub struct IdMap {
    to_fs: Sorted<u32>,
    /// The same from the other side; of a few pairs there is none: they are looked through.
    to_client: Option<Box<Sorted<u32>>>,
}

/// So many pairs are a few: most nodemaps have no more.
const FEW: usize = 16;

impl IdMap {
    const fn new() -> Self {
        Self { to_fs: Sorted::new(), to_client: None }
    }
    /// Adds a pair. Whatever had one of the two ids makes room; so did a kernel MGS.
    pub fn insert(&mut self, client: u32, fs: u32) {
        self.remove(client);
        if let Some(old) = self.client(fs) {
            self.remove(old);
        }
        self.to_fs.insert(client, fs);
        match &mut self.to_client {
            Some(to_client) => drop(to_client.insert(fs, client)),
            None if self.to_fs.len() > FEW => {
                let mut pairs: Vec<(u32, u32)> = self.iter().map(|(client, fs)| (fs, client)).collect();
                pairs.sort_unstable();
                self.to_client = Some(Box::new(pairs.into_iter().collect()));
            }
            None => {}
        }
    }
    /// Removes the pair of a client's id; its id in the file system.
    pub fn remove(&mut self, client: u32) -> Option<u32> {
        let fs = self.to_fs.remove(client)?;
        if let Some(to_client) = &mut self.to_client {
            to_client.remove(fs);
        }
        Some(fs)
    }
    /// Id in the file system.
    pub fn fs(&self, client: u32) -> Option<u32> {
        self.to_fs.get(client).copied()
    }
    /// Id on the client.
    pub fn client(&self, fs: u32) -> Option<u32> {
        match &self.to_client {
            Some(to_client) => to_client.get(fs).copied(),
            None => self.iter().find(|(_, to)| *to == fs).map(|(client, _)| client),
        }
    }
    /// Pairs in the order of the clients' ids.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.to_fs.iter().map(|(client, fs)| (client, *fs))
    }
    /// Pairs.
    pub fn len(&self) -> usize {
        self.to_fs.len()
    }
    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.to_fs.is_empty()
    }
    /// Clients' ids from `first` to `last` lose their pairs.
    fn clear(&mut self, first: u32, last: u32) {
        for (_, fs) in self.to_fs.remove_range(first, last) {
            if let Some(to_client) = &mut self.to_client {
                to_client.remove(fs);
            }
        }
    }
}

impl PartialEq for IdMap {
    fn eq(&self, other: &Self) -> bool {
        self.to_fs == other.to_fs
    }
}

impl Eq for IdMap {}

/// A nodemap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nodemap {
    /// Fixed at its creation; keys of the index begin with it.
    pub id: u32,
    /// [`f`].
    pub flags: u8,
    /// [`f2`].
    pub flags2: u8,
    /// Who cannot be mapped becomes this.
    pub squash: Squash,
    /// What root of a client may do.
    pub roles: Roles,
    /// Shift of ids.
    pub offset: Option<Offset>,
    /// Capabilities of ordinary users.
    pub caps: Option<Caps>,
    /// SELinux policy that clients must have; servers hear of it by `set_param -P` only.
    pub sepol: String,
    /// By number: 0 is the primary one.
    pub filesets: Sorted<Fileset>,
    /// NIDs that belong to it, by range id.
    pub ranges: Sorted<Range>,
    /// NIDs that may not connect, by range id; they count for themselves.
    pub bans: Sorted<Range>,
    /// User ids.
    pub uid: IdMap,
    /// Group ids.
    pub gid: IdMap,
    /// Project ids.
    pub projid: IdMap,
}

impl Nodemap {
    /// The default nodemap of an untouched MGS.
    pub const fn untouched() -> Self {
        Self {
            id: 0,
            flags: f::MAP_UID | f::MAP_GID | f::MAP_PROJID | f::AUDIT,
            flags2: f2::FILESET_IAM,
            squash: Squash { uid: NOBODY, gid: NOBODY, projid: NOBODY },
            roles: Roles::UNSET,
            offset: None,
            caps: None,
            sepol: String::new(),
            filesets: Sorted::new(),
            ranges: Sorted::new(),
            bans: Sorted::new(),
            uid: IdMap::new(),
            gid: IdMap::new(),
            projid: IdMap::new(),
        }
    }
    /// A new one: it begins with the properties of the default nodemap, and without filesets.
    pub fn new(id: u32, default: &Self) -> Self {
        Self {
            id,
            flags: default.flags,
            flags2: (default.flags2 & !f2::GSS) | f2::FILESET_IAM,
            squash: default.squash,
            roles: default.roles,
            caps: default.caps,
            ..Self::untouched()
        }
    }
    /// Identity maps of a kind.
    pub const fn idmap(&self, kind: IdKind) -> &IdMap {
        match kind {
            IdKind::Uid => &self.uid,
            IdKind::Gid => &self.gid,
            IdKind::Projid => &self.projid,
        }
    }
    /// The same, to change it.
    pub const fn idmap_mut(&mut self, kind: IdKind) -> &mut IdMap {
        match kind {
            IdKind::Uid => &mut self.uid,
            IdKind::Gid => &mut self.gid,
            IdKind::Projid => &mut self.projid,
        }
    }
    /// Everything that is nobody else's: NIDs, banned NIDs, ids of the file system.
    pub fn spans(&self) -> impl Iterator<Item = Span> {
        let ranges = self.ranges.values().map(|r| r.span(false));
        let bans = self.bans.values().map(|r| r.span(true));
        ranges.chain(bans).chain(self.offset.map(Span::offset))
    }
}

/// What no single nodemap has: `nodemap`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Head {
    /// Nodemaps are in force.
    pub active: bool,
    /// The commit that changed what servers read last; 0: nobody ever did.
    pub version: u64,
    /// Highest id of a nodemap so far: none is used twice.
    pub last_id: u32,
    /// Highest id of a range so far.
    pub last_range: u32,
    /// Highest id of a banned range so far.
    pub last_ban: u32,
}

/// All nodemaps.
#[derive(Clone, Debug)]
pub struct Nodemaps {
    /// What no single one has.
    pub head: Head,
    /// Shared between views: most of them are the same in all.
    maps: BTreeMap<Name, Arc<Nodemap>>,
    spans: Spans,
    /// Those whose lists lie beside them in the store.
    parted: std::collections::BTreeSet<Name>,
}

impl Default for Nodemaps {
    fn default() -> Self {
        Self {
            head: Head::default(),
            maps: Name::new(DEFAULT).into_iter().map(|name| (name, Arc::new(Nodemap::untouched()))).collect(),
            spans: Spans::default(),
            parted: std::collections::BTreeSet::new(),
        }
    }
}

impl Nodemaps {
    /// One by its name; the default nodemap is always there.
    pub fn get(&self, name: &str) -> Option<&Nodemap> {
        self.maps.get(&Name::new(name)?).map(Arc::as_ref)
    }
    /// All in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Nodemap)> {
        self.maps.iter().map(|(name, map)| (name.as_str(), map.as_ref()))
    }
    /// How many, the default nodemap included.
    pub fn len(&self) -> usize {
        self.maps.len()
    }
    /// Never: the default nodemap is always there.
    pub fn is_empty(&self) -> bool {
        self.maps.is_empty()
    }
    /// Whose what is.
    pub const fn spans(&self) -> &Spans {
        &self.spans
    }
}

//! Nodemaps as servers read them: an index of keys and records (mgs/08, 8.2), in two passes.

use super::words::known;
use super::{Caps, Fileset, Name, Nodemap, Nodemaps, Offset, Range, Roles, Squash, words};
use std::collections::{BTreeMap, HashSet};
use wire::nodemap::{Cluster, END_OFFSET, Entry, IdKind, IndexPage, PAGE, PER_PAGE, Record};
use wire::{Order, Writer, nodemap};

/// Bytes of a path in one record.
const PIECE: usize = 28;
/// Most records of a path: a fileset has 256 sub-ids, the first is its head.
const PIECES: u16 = 255;
/// First sub-id of filesets, and how many each has.
const FILESETS: u32 = 0x200;
const FILESET: u32 = 0x100;
/// Range ids carry this for banned ranges.
const BANNED: u32 = 1 << 28;

/// The index as of one version, in the order in which it is served: nodemaps, then all that belongs to them.
#[derive(Debug)]
pub struct Index {
    version: u64,
    entries: Vec<Entry>,
    /// Entries of the first pass.
    clusters: usize,
}

/// What a reader asks for.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Where it stands: 0 at the beginning, then what it was told.
    pub offset: u64,
    /// Pass, as it was told.
    pub pass: u8,
    /// Bytes of a page of the reader: a power of two, at least [`PAGE`].
    pub page: usize,
    /// Most bytes of the answer.
    pub room: usize,
    /// Version that it was told, if it was told any.
    pub version: Option<u64>,
}

/// What it is told.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// Whole pages; nothing when all has changed since the reader began.
    pub bulk: Vec<u8>,
    /// Where it stands now: 0 is the beginning, [`END_OFFSET`] the end.
    pub offset: u64,
    /// Pass of what comes next.
    pub pass: u8,
}

impl Index {
    /// Renders it.
    ///
    /// Keys begin with the id of a nodemap, its lowest byte first: with ids below 2^24 all that belongs to one stands
    /// together, and only nodemaps and the handful of entries of each have to be sorted. The global record has the id of
    /// the default nodemap.
    pub fn of(maps: &Nodemaps) -> Self {
        // Rendered in the order of their names, which is how they lie in memory, and put in order behind that.
        let mut rendered: Vec<Entry> = Vec::with_capacity(4 * maps.len());
        let mut runs: Vec<(u32, usize, usize)> = Vec::with_capacity(maps.len());
        for (name, map) in maps.iter() {
            let start = rendered.len();
            render(&mut rendered, name, map);
            if map.id == 0 {
                rendered.push(Record::Global { is_active: maps.head.active }.to_entry());
            }
            if let Some(own) = rendered.get_mut(start..) {
                own.sort_unstable();
            }
            runs.push((map.id.swap_bytes(), start, rendered.len()));
        }
        runs.sort_unstable();
        let mut entries: Vec<Entry> = Vec::with_capacity(rendered.len());
        let own = |run: &(u32, usize, usize)| rendered.get(run.1..run.2).unwrap_or_default();
        for run in &runs {
            entries.extend(own(run).iter().filter(|entry| is_cluster(entry)));
        }
        let clusters = entries.len();
        for run in &runs {
            entries.extend(own(run).iter().filter(|entry| !is_cluster(entry)));
        }
        if runs.iter().any(|(id, ..)| id.swap_bytes() >> 24 != 0) {
            nodemap::sort_for_delivery(&mut entries);
        }
        Self { version: maps.head.version, clusters, entries }
    }
    /// Version.
    pub const fn version(&self) -> u64 {
        self.version
    }
    /// Keys and records, in their order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The next part for a reader; `None` for a place where no reader of ours stands.
    pub fn read(&self, ask: Ask) -> Option<Part> {
        let start = match usize::try_from(ask.offset).ok()? {
            0 if ask.pass == 0 => 0,
            0 => self.clusters,
            // another version: from the beginning
            _ if ask.version != Some(self.version) => {
                return Some(Part { bulk: Vec::new(), offset: 0, pass: ask.pass });
            }
            at => at,
        };
        let rest = self.entries.get(start..)?;
        let pages = ask.room / ask.page * (ask.page / PAGE);
        let part = rest.get(..rest.len().min(pages * PER_PAGE))?;
        if part.is_empty() {
            return None;
        }
        let mut w = Writer::new(Order::Little);
        for entries in part.chunks(PER_PAGE) {
            IndexPage { entries: entries.to_vec() }.encode(&mut w);
        }
        // Every 4 KiB page of the reader's larger page needs its magic.
        while !w.len().is_multiple_of(ask.page) {
            IndexPage::default().encode(&mut w);
        }
        let next = start + part.len();
        let end = next == self.entries.len();
        let offset = if end { END_OFFSET } else { next as u64 };
        Some(Part { bulk: w.into_vec(), offset, pass: u8::from(next >= self.clusters) })
    }
}

fn is_cluster(entry: &Entry) -> bool {
    let [.., top, a, b, c, d] = entry.key;
    top >> 4 == 1 && [a, b, c, d] == [0; 4]
}

/// Records of one nodemap, in no order.
pub fn entries(name: &str, map: &Nodemap) -> Vec<Entry> {
    let mut out = Vec::new();
    render(&mut out, name, map);
    out
}

fn render(out: &mut Vec<Entry>, name: &str, map: &Nodemap) {
    let mut put = |record: Record| out.push(record.to_entry());
    let id = map.id;
    let cluster = Cluster {
        name: name.to_owned(),
        flags: map.flags,
        flags2: map.flags2,
        squash_projid: map.squash.projid,
        squash_uid: map.squash.uid,
        squash_gid: map.squash.gid,
    };
    put(Record::Cluster { id, cluster });
    if map.roles != Roles::UNSET {
        let Roles { allowed, raise, raised } = map.roles;
        let (roles, raise_privs, raised) = (allowed.into(), raise.into(), raised.into());
        put(Record::Roles { id, roles, raise_privs, raised });
    }
    if let Some(Offset { start, limit }) = map.offset {
        let same = [start, limit];
        put(Record::Offset { id, uid: same, gid: same, projid: same });
    }
    if let Some(Caps { kind, mask }) = map.caps {
        put(Record::Capabilities { id, mask, kind });
    }
    for (n, fileset) in map.filesets.iter() {
        let subid = FILESETS + FILESET * n;
        let mut header = [0; 32];
        header[0] = u8::from(fileset.ro);
        put(Record::Fileset { id, subid, header });
        let path: Vec<u8> = fileset.path.bytes().chain([0]).collect();
        for (number, piece) in (0..PIECES).zip(path.chunks(PIECE)) {
            let mut text = [0; 32];
            let (words, rest) = text.split_at_mut(PIECE);
            words.iter_mut().zip(piece).for_each(|(to, from)| *to = *from);
            rest.iter_mut().zip(number.to_le_bytes()).for_each(|(to, from)| *to = from);
            put(Record::FilesetPart { id, subid: subid + 1 + u32::from(number), text });
        }
    }
    let ranges = map.ranges.iter();
    let bans = map.bans.iter().map(|(n, r)| (n | BANNED, r));
    for (range_id, range) in ranges.chain(bans) {
        put(match *range {
            Range::Row(start, end) => Record::Range { id, range_id, start, end },
            Range::Prefix(nid, netmask) => Record::NidMask { id, range_id, nid, netmask },
        });
    }
    for kind in [IdKind::Uid, IdKind::Gid, IdKind::Projid] {
        let pairs = map.idmap(kind).iter();
        pairs.for_each(|(client, fs)| put(Record::IdMap { id, kind, client, fs }));
    }
}

/// Nodemaps by name, and whether they are in force, from an index: what an import finds.
///
/// # Errors
/// What is wrong with the index, and at which key.
pub fn parse(index: &[Entry]) -> Result<(bool, BTreeMap<String, Nodemap>), String> {
    let mut active = false;
    let mut names: BTreeMap<u32, String> = BTreeMap::new();
    let mut taken: HashSet<String> = HashSet::new();
    let mut maps: BTreeMap<u32, Nodemap> = BTreeMap::new();
    let mut pieces: BTreeMap<(u32, u32), BTreeMap<u16, [u8; PIECE]>> = BTreeMap::new();
    let mut ordered = index.to_vec();
    nodemap::sort_for_delivery(&mut ordered);
    for entry in &ordered {
        let at = || entry.key.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let record = Record::parse(entry).map_err(|e| format!("key {}: {e}", at()))?;
        let orphan = || format!("key {}: its nodemap is not in the index", at());
        match record {
            Record::Cluster { id, cluster } => {
                if Name::new(&cluster.name).is_none() {
                    return Err(format!("key {}: its nodemap has no name", at()));
                }
                if !taken.insert(cluster.name.clone()) {
                    return Err(format!(
                        "key {}: a second nodemap '{}'",
                        at(),
                        cluster.name.escape_default()
                    ));
                }
                let squash = Squash {
                    uid: cluster.squash_uid,
                    gid: cluster.squash_gid,
                    projid: cluster.squash_projid,
                };
                let (flags, flags2) = (cluster.flags, cluster.flags2);
                maps.insert(id, Nodemap { id, flags, flags2, squash, ..Nodemap::untouched() });
                names.insert(id, cluster.name);
            }
            Record::Global { is_active } => active = is_active,
            Record::Roles { id, roles, raise_privs, raised } => {
                let low = |v: u64| u32::try_from(v).unwrap_or(u32::MAX);
                maps.get_mut(&id).ok_or_else(orphan)?.roles =
                    Roles { allowed: low(roles), raise: low(raise_privs), raised: low(raised) };
            }
            Record::Offset { id, uid: [start, limit], .. } => {
                maps.get_mut(&id).ok_or_else(orphan)?.offset = Some(Offset { start, limit });
            }
            Record::Capabilities { id, mask, kind } => {
                maps.get_mut(&id).ok_or_else(orphan)?.caps = Some(Caps { kind, mask });
            }
            Record::Fileset { id, subid, header: [flags, ..] } => {
                let n = fileset(subid).ok_or_else(|| format!("key {}: no fileset", at()))?;
                let map = maps.get_mut(&id).ok_or_else(orphan)?;
                map.filesets.insert(n, Fileset { path: String::new(), ro: flags & 1 != 0 });
            }
            Record::FilesetPart { id, subid, text } => {
                maps.get(&id).ok_or_else(orphan)?;
                let (piece, rest) = text.split_first_chunk().ok_or_else(orphan)?;
                let number = rest.first_chunk().map_or(0, |n| u16::from_le_bytes(*n));
                pieces.entry((id, (subid - FILESETS) / FILESET)).or_default().insert(number, *piece);
            }
            Record::Range { id, range_id, start, end } => {
                range(maps.get_mut(&id).ok_or_else(orphan)?, range_id, Range::Row(start, end));
            }
            Record::NidMask { id, range_id, nid, netmask } => {
                range(maps.get_mut(&id).ok_or_else(orphan)?, range_id, Range::Prefix(nid, netmask));
            }
            Record::IdMap { id, kind, client, fs } => {
                maps.get_mut(&id).ok_or_else(orphan)?.idmap_mut(kind).insert(client, fs);
            }
            Record::Other(_) if entry.key == [0; 8] => {} // the blank record of every index
            Record::Other(_) => return Err(format!("key {}: of no type that this mgsd knows", at())),
        }
    }
    for ((id, n), pieces) in pieces {
        let bytes: Vec<u8> = pieces.into_values().flatten().take_while(|b| *b != 0).collect();
        let path = String::from_utf8(bytes).map_err(|_| format!("fileset {n} of nodemap {id} is no text"))?;
        let map = maps.get_mut(&id).and_then(|map| map.filesets.get_mut(n));
        map.ok_or_else(|| format!("fileset {n} of nodemap {id} has no head"))?.path = path;
    }
    Ok((active, maps.into_iter().filter_map(|(id, map)| Some((names.remove(&id)?, map))).collect()))
}

fn fileset(subid: u32) -> Option<u32> {
    let n = subid.checked_sub(FILESETS)? / FILESET;
    ((n as usize) < super::FILESETS).then_some(n)
}

fn range(map: &mut Nodemap, id: u32, range: Range) {
    match id & BANNED {
        0 => map.ranges.insert(id & super::ID_MAX, range),
        _ => map.bans.insert(id & super::ID_MAX, range),
    };
}

/// An entry in a line, for people to see what a change does to the index.
pub fn line(entry: &Entry) -> String {
    let ids = |kind: &IdKind| match kind {
        IdKind::Uid => "uid",
        IdKind::Gid => "gid",
        IdKind::Projid => "projid",
    };
    let range = |range_id: &u32| match range_id & BANNED {
        0 => format!("range {range_id}"),
        _ => format!("ban {}", range_id & super::ID_MAX),
    };
    let Ok(record) = Record::parse(entry) else { return format!("{entry:02x?}") };
    match &record {
        Record::Cluster { id, cluster: c } => {
            let flags = words::exact(u64::from(c.flags) | u64::from(c.flags2) << 8, words::FLAGS);
            let squash = format!("squash {}/{}/{}", c.squash_uid, c.squash_gid, c.squash_projid);
            format!("nodemap {id} {}: {flags}; {squash}", c.name.escape_default())
        }
        Record::Roles { id, roles, raise_privs, raised } => {
            let roles = words::exact(roles & known(words::ROLES), words::ROLES);
            format!("nodemap {id} roles {roles}; raise {raise_privs:#x} {raised:#x}")
        }
        Record::Offset { id, uid: [start, limit], .. } => format!("nodemap {id} offset {start}+{limit}"),
        Record::Capabilities { id, mask, kind } => {
            let kind = words::CAP_KINDS.get(usize::from(*kind)).unwrap_or(&"?");
            format!("nodemap {id} capabilities {kind}:{}", words::exact(*mask, words::CAPABILITIES))
        }
        Record::Fileset { id, subid, header: [flags, ..] } => {
            let ro = if flags & 1 != 0 { " read-only" } else { "" };
            format!("nodemap {id} fileset {}{ro}", subid.wrapping_sub(FILESETS) / FILESET)
        }
        Record::FilesetPart { id, subid, text } => {
            let n = subid.wrapping_sub(FILESETS) / FILESET;
            let text: Vec<u8> = text.iter().copied().take(PIECE).take_while(|b| *b != 0).collect();
            format!("nodemap {id} fileset {n} path {}", text.escape_ascii())
        }
        Record::Range { id, range_id, start, end } => {
            format!("nodemap {id} {} {}", range(range_id), Range::Row(*start, *end))
        }
        Record::NidMask { id, range_id, nid, netmask } => {
            format!("nodemap {id} {} {}", range(range_id), Range::Prefix(*nid, *netmask))
        }
        Record::IdMap { id, kind, client, fs } => format!("nodemap {id} {} {client}:{fs}", ids(kind)),
        Record::Global { is_active } => format!("active {}", u8::from(*is_active)),
        Record::Other(entry) => format!("{entry:02x?}"),
    }
}

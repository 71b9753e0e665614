//! How a nodemap lies in the store: one value that a person can read, and, where it has long lists, those beside it in
//! parts of 512, so that one more id does not write all of them again.
//!
//! ```text
//! nodemap                     the head
//! nodemap/<name>              everything else, short lists included
//! nodemap/<name>/uid/<n hex>  pairs of client ids 512 n and on; gid, projid, ranges, bans alike
//! ```

use super::sorted::Sorted;
use super::words::{self, exact, parse_exact};
use super::{Caps, Fileset, IdMap, Name, Nodemap, Nodemaps, Offset, Range, Roles, Squash};
use crate::error::Error;
use crate::model::keys;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use wire::nodemap::IdKind;

/// Lists up to this length, all of a nodemap together, lie in its value.
const SHORT: usize = 128;
/// Client ids, or range ids, of one part: 2 to the power of this.
const PART_BITS: u32 = 9;

/// A list of a nodemap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// NIDs.
    Ranges,
    /// Banned NIDs.
    Bans,
    /// Pairs of ids.
    Ids(IdKind),
}

const PARTS: [(Part, &str); 5] = [
    (Part::Ranges, "ranges"),
    (Part::Bans, "bans"),
    (Part::Ids(IdKind::Uid), "uid"),
    (Part::Ids(IdKind::Gid), "gid"),
    (Part::Ids(IdKind::Projid), "projid"),
];

/// `nodemap/<name>/<list>/<n>`, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartKey<'a> {
    /// Nodemap.
    pub name: &'a str,
    /// List.
    pub part: Part,
    /// Which stretch of it.
    pub number: u32,
}

impl<'a> PartKey<'a> {
    /// From the segments of a key.
    pub(in crate::model) fn parse(name: &'a str, part: &str, number: &str) -> Option<Self> {
        let part = PARTS.iter().find(|(_, text)| *text == part)?.0;
        let plain = number.len() == 6 && number.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = u32::from_str_radix(number, 16).ok().filter(|n| plain && n >> (32 - PART_BITS) == 0)?;
        Some(Self { name, part, number })
    }
    const fn first(self) -> u32 {
        self.number << PART_BITS
    }
    const fn last(self) -> u32 {
        self.first() | ((1 << PART_BITS) - 1)
    }
}

impl fmt::Display for PartKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = PARTS.iter().find(|(part, _)| *part == self.part).map_or("", |(_, text)| text);
        write!(f, "{}/{part}/{:06x}", keys::nodemap(self.name), self.number)
    }
}

/// Value of `nodemap/<name>`. `S`: text that needs no escapes, in place when it is read.
#[derive(Serialize, Deserialize)]
struct Stored<S> {
    id: u32,
    /// Words of [`words::FLAGS`].
    flags: S,
    squash_uid: u32,
    squash_gid: u32,
    squash_projid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roles: Option<StoredRoles>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<StoredOffset>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caps: Option<StoredCaps>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    sepol: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    filesets: BTreeMap<u32, StoredFileset>,
    /// Absent: the lists lie beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lists: Option<Lists<S>>,
}

#[derive(Serialize, Deserialize)]
struct StoredRoles {
    allowed: String,
    raise: String,
    raised: String,
}

#[derive(Serialize, Deserialize)]
struct StoredOffset {
    start: u32,
    limit: u32,
}

#[derive(Serialize, Deserialize)]
struct StoredCaps {
    kind: u8,
    mask: String,
}

#[derive(Serialize, Deserialize)]
struct StoredFileset {
    path: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ro: bool,
}

/// Ranges by id; pairs as `500:1000`, rows of them as `500-599:1000`.
#[derive(Serialize, Deserialize)]
#[serde(bound(deserialize = "S: Deserialize<'de>"))]
struct Lists<S> {
    #[serde(default = "BTreeMap::new", skip_serializing_if = "BTreeMap::is_empty")]
    ranges: BTreeMap<u32, S>,
    #[serde(default = "BTreeMap::new", skip_serializing_if = "BTreeMap::is_empty")]
    bans: BTreeMap<u32, S>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    uid: Vec<S>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    gid: Vec<S>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    projid: Vec<S>,
}

/// Keys and values of a nodemap.
pub(super) fn write(name: &str, map: &Nodemap) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let length = map.ranges.len() + map.bans.len() + map.uid.len() + map.gid.len() + map.projid.len();
    let short = length <= SHORT;
    let stored = Stored {
        id: map.id,
        flags: exact(u64::from(map.flags) | u64::from(map.flags2) << 8, words::FLAGS),
        squash_uid: map.squash.uid,
        squash_gid: map.squash.gid,
        squash_projid: map.squash.projid,
        roles: (map.roles != Roles::UNSET).then(|| StoredRoles {
            allowed: exact(map.roles.allowed.into(), words::ROLES),
            raise: exact(map.roles.raise.into(), words::PRIVILEGES),
            raised: exact(map.roles.raised.into(), words::ROLES),
        }),
        offset: map.offset.map(|o| StoredOffset { start: o.start, limit: o.limit }),
        caps: map.caps.map(|c| StoredCaps { kind: c.kind, mask: exact(c.mask, words::CAPABILITIES) }),
        sepol: map.sepol.clone(),
        filesets: map
            .filesets
            .iter()
            .map(|(n, f)| (n, StoredFileset { path: f.path.clone(), ro: f.ro }))
            .collect(),
        lists: short.then(|| Lists {
            ranges: texts(map.ranges.iter()),
            bans: texts(map.bans.iter()),
            uid: rows(map.uid.iter()),
            gid: rows(map.gid.iter()),
            projid: rows(map.projid.iter()),
        }),
    };
    let mut out = vec![(keys::nodemap(name), json(name, &stored)?)];
    if !short {
        for (part, _) in PARTS {
            write_part(&mut out, name, part, map)?;
        }
    }
    Ok(out)
}

fn write_part(out: &mut Vec<(String, Vec<u8>)>, name: &str, part: Part, map: &Nodemap) -> Result<(), Error> {
    let key = |number| PartKey { name, part, number }.to_string();
    match part {
        Part::Ranges | Part::Bans => {
            let list = if part == Part::Ranges { &map.ranges } else { &map.bans };
            let mut parts: BTreeMap<u32, BTreeMap<u32, String>> = BTreeMap::new();
            for (id, range) in list.iter() {
                parts.entry(id >> PART_BITS).or_default().insert(id, range.to_string());
            }
            for (number, list) in parts {
                out.push((key(number), json(name, &list)?));
            }
        }
        Part::Ids(kind) => {
            let mut parts: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
            for (client, fs) in map.idmap(kind).iter() {
                parts.entry(client >> PART_BITS).or_default().push((client, fs));
            }
            for (number, pairs) in parts {
                out.push((key(number), json(name, &rows(pairs.into_iter()))?));
            }
        }
    }
    Ok(())
}

fn json<T: Serialize>(name: &str, value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|e| Error::Bug { what: format!("value of nodemap '{name}': {e}") })
}

fn texts<'a>(ranges: impl Iterator<Item = (u32, &'a Range)>) -> BTreeMap<u32, String> {
    ranges.map(|(id, range)| (id, range.to_string())).collect()
}

/// Pairs in rows, as long as both sides count on.
fn rows(pairs: impl Iterator<Item = (u32, u32)>) -> Vec<String> {
    let mut rows: Vec<(u32, u32, u32)> = Vec::new();
    for (client, fs) in pairs {
        match rows.last_mut() {
            Some((first, last, to))
                if client.checked_sub(1) == Some(*last) && fs.checked_sub(client - *first) == Some(*to) =>
            {
                *last = client;
            }
            _ => rows.push((client, client, fs)),
        }
    }
    let text = |(first, last, to)| match first == last {
        true => format!("{first}:{to}"),
        false => format!("{first}-{last}:{to}"),
    };
    rows.into_iter().map(text).collect()
}

type Bad = String;

fn read_ranges(texts: &BTreeMap<u32, &str>) -> Result<Sorted<Range>, Bad> {
    let read = |(id, text): (&u32, &&str)| {
        Ok((*id, Range::parse(text).map_err(|e| format!("range '{}': {e}", text.escape_default()))?))
    };
    texts.iter().filter(|(id, _)| **id <= super::ID_MAX).map(read).collect()
}

/// Longest row that a value may claim: a part's own length, or that of all short lists.
const ROW: u32 = 1 << PART_BITS;

fn read_rows(map: &mut IdMap, rows: &[&str], within: (u32, u32)) -> Result<(), Bad> {
    for row in rows {
        let bad = || format!("'{}' is no row of ids", row.escape_default());
        let (clients, fs) = row.split_once(':').ok_or_else(bad)?;
        let (first, last) = clients.split_once('-').unwrap_or((clients, clients));
        let number = |text: &str| text.parse::<u32>().map_err(|_| bad());
        let (first, last, fs) = (number(first)?, number(last)?, number(fs)?);
        if first > last || last - first >= ROW || fs.checked_add(last - first).is_none() {
            return Err(bad());
        }
        if first < within.0 || last > within.1 {
            return Err(format!("'{}' belongs elsewhere", row.escape_default()));
        }
        (first..=last).zip(fs..).for_each(|(client, fs)| map.insert(client, fs));
    }
    Ok(())
}

impl Stored<&str> {
    fn map(&self) -> Result<Nodemap, Bad> {
        let bits =
            |text: &str, words| parse_exact(text, words).ok_or_else(|| format!("unknown word in '{text}'"));
        let low = |text: &str, words| bits(text, words).map(|bits| u32::try_from(bits).unwrap_or(u32::MAX));
        let [flags, flags2, ..] = bits(self.flags, words::FLAGS)?.to_le_bytes();
        let roles = match &self.roles {
            None => Roles::UNSET,
            Some(r) => Roles {
                allowed: low(&r.allowed, words::ROLES)?,
                raise: low(&r.raise, words::PRIVILEGES)?,
                raised: low(&r.raised, words::ROLES)?,
            },
        };
        let caps = self.caps.as_ref();
        let caps =
            caps.map(|c| Ok::<_, Bad>(Caps { kind: c.kind, mask: bits(&c.mask, words::CAPABILITIES)? }));
        let mut map = Nodemap {
            id: self.id & super::ID_MAX,
            flags,
            flags2,
            squash: Squash { uid: self.squash_uid, gid: self.squash_gid, projid: self.squash_projid },
            roles,
            offset: self.offset.as_ref().map(|o| Offset { start: o.start, limit: o.limit }),
            caps: caps.transpose()?,
            sepol: self.sepol.clone(),
            filesets: self
                .filesets
                .iter()
                .map(|(n, f)| (*n, Fileset { path: f.path.clone(), ro: f.ro }))
                .collect(),
            ..Nodemap::untouched()
        };
        if map.filesets.iter().any(|(n, _)| n as usize >= super::FILESETS)
            || map.filesets.values().any(|f| f.path.len() > super::PATH_MAX)
        {
            return Err("a fileset is out of bounds".to_owned());
        }
        let all = (0, u32::MAX);
        if let Some(lists) = &self.lists {
            map.ranges = read_ranges(&lists.ranges)?;
            map.bans = read_ranges(&lists.bans)?;
            for (kind, rows) in
                [(IdKind::Uid, &lists.uid), (IdKind::Gid, &lists.gid), (IdKind::Projid, &lists.projid)]
            {
                read_rows(map.idmap_mut(kind), rows, all)?;
            }
        }
        Ok(map)
    }
}

impl Nodemaps {
    /// Applies `nodemap/<name>`: its value, or its deletion.
    pub(in crate::model) fn apply(&mut self, name: &str, value: Option<&[u8]>) -> Result<(), Bad> {
        let place = Name::new(name).ok_or_else(|| format!("'{}' is no name", name.escape_default()))?;
        let stored =
            value.map(serde_json::from_slice::<Stored<&str>>).transpose().map_err(|e| e.to_string())?;
        let mut map = stored.as_ref().map(Stored::map).transpose()?;
        if name == super::DEFAULT && map.is_none() {
            map = Some(Nodemap::untouched());
        }
        let parted = stored.as_ref().is_some_and(|stored| stored.lists.is_none());
        // Parts that were not written stay what they are.
        if let (Some(map), Some(old), true) =
            (&mut map, self.maps.get(&place), parted && self.parted.contains(&place))
        {
            map.ranges.clone_from(&old.ranges);
            map.bans.clone_from(&old.bans);
            (map.uid, map.gid, map.projid) = (old.uid.clone(), old.gid.clone(), old.projid.clone());
        }
        self.set(place, map.map(Arc::new), parted);
        Ok(())
    }

    /// Takes one over from a later view, as what was applied there made it.
    pub(in crate::model) fn adopt(&mut self, name: &str, later: &Self) {
        let Some(name) = Name::new(name) else { return };
        let map = later.maps.get(&name);
        let same = map.zip(self.maps.get(&name)).is_some_and(|(a, b)| Arc::ptr_eq(a, b));
        if !same {
            self.set(name, map.cloned(), later.parted.contains(&name));
        }
    }

    /// `parted`: its lists lie beside it.
    fn set(&mut self, name: Name, map: Option<Arc<Nodemap>>, parted: bool) {
        let old = match &map {
            Some(map) => self.maps.insert(name, map.clone()),
            None => self.maps.remove(&name),
        };
        for span in old.iter().flat_map(|map| map.spans()) {
            self.spans.release(&span);
        }
        for span in map.iter().flat_map(|map| map.spans()) {
            self.spans.claim(span, name);
        }
        match parted {
            true => self.parted.insert(name),
            false => self.parted.remove(&name),
        };
    }

    /// Applies a part of a list. A nodemap that has none, or is gone, wants none.
    pub(in crate::model) fn apply_part(&mut self, key: PartKey<'_>, value: Option<&[u8]>) -> Result<(), Bad> {
        let name = Name::new(key.name).filter(|name| self.parted.contains(name));
        let Some((name, map)) = name.and_then(|name| Some((name, Arc::make_mut(self.maps.get_mut(&name)?))))
        else {
            return match value {
                Some(_) => Err("its nodemap has no lists beside it".to_owned()),
                None => Ok(()),
            };
        };
        let (value, first, last) = (value.unwrap_or(b"null"), key.first(), key.last());
        match key.part {
            Part::Ids(kind) => {
                let rows: Option<Vec<&str>> = serde_json::from_slice(value).map_err(|e| e.to_string())?;
                map.idmap_mut(kind).clear(first, last);
                read_rows(map.idmap_mut(kind), &rows.unwrap_or_default(), (first, last))
            }
            Part::Ranges | Part::Bans => {
                let banned = key.part == Part::Bans;
                let texts: Option<BTreeMap<u32, &str>> =
                    serde_json::from_slice(value).map_err(|e| e.to_string())?;
                let ranges = read_ranges(&texts.unwrap_or_default())?;
                if ranges.iter().any(|(id, _)| !(first..=last).contains(&id)) {
                    return Err("a range belongs elsewhere".to_owned());
                }
                let list = if banned { &mut map.bans } else { &mut map.ranges };
                for (_, range) in list.remove_range(first, last) {
                    self.spans.release(&range.span(banned));
                }
                for (id, range) in ranges.iter() {
                    self.spans.claim(range.span(banned), name);
                    list.insert(id, *range);
                }
                Ok(())
            }
        }
    }
}

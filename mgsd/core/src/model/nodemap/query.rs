//! What people ask of nodemaps: whose a NID is, what becomes of an id.

use super::spans::Span;
use super::words::{LOCAL_ADMIN, PRIVILEGES, RAISE_ROLES, ROLES, named};
use super::{ALL_ROLES, DEFAULT, Nodemap, Nodemaps, Roles};
use wire::Nid;
use wire::nodemap::{IdKind, cluster_flags as f};

impl Nodemaps {
    /// The nodemap of a node with this NID, and whether it is banned there.
    pub fn classify(&self, nid: &Nid) -> (&str, &Nodemap, bool) {
        let ban = self.spans().holding(Span::nid(nid, true));
        let own = self.spans().holding(Span::nid(nid, false));
        let name = ban.or(own).map_or(DEFAULT, |(_, owner)| owner);
        match self.get(name) {
            Some(map) => (name, map, ban.is_some()),
            None => (DEFAULT, &UNTOUCHED, false),
        }
    }
}

static UNTOUCHED: Nodemap = Nodemap::untouched();

impl Nodemap {
    /// The id in the file system of an id on a client, while nodemaps are in force (`nodemap_map_id`).
    pub fn map_id(&self, kind: IdKind, client: u32) -> u32 {
        let squash = match kind {
            IdKind::Uid => self.squash.uid,
            IdKind::Gid => self.squash.gid,
            IdKind::Projid => self.squash.projid,
        };
        let mapped = match kind {
            IdKind::Uid => f::MAP_UID,
            IdKind::Gid => f::MAP_GID,
            IdKind::Projid => f::MAP_PROJID,
        };
        let root = client == 0 && kind != IdKind::Projid;
        let as_is = match root {
            true => self.flags & f::ALLOW_ROOT != 0,
            false => self.map_mode() & mapped == 0 || self.flags & f::TRUST_IDS != 0,
        };
        let found = if as_is { Some(client) } else { self.idmap(kind).fs(client) };
        let Some(offset) = self.offset else { return found.unwrap_or(squash) };
        let inside = found.filter(|id| *id < offset.limit).unwrap_or(squash);
        // who is squashed to an id beyond the limit keeps it
        if inside < offset.limit { offset.start.saturating_add(inside) } else { inside }
    }

    /// Which kinds of ids are mapped. No bit at all is how old releases wrote users and groups.
    pub const fn map_mode(&self) -> u8 {
        match self.flags & (f::MAP_UID | f::MAP_GID | f::MAP_PROJID) {
            0 => f::MAP_UID | f::MAP_GID,
            bits => bits,
        }
    }

    /// The same in words, as `lctl` shows it.
    pub fn map_mode_text(&self) -> String {
        let bits = self.map_mode();
        if bits == f::MAP_UID | f::MAP_GID | f::MAP_PROJID {
            return "all".to_owned();
        }
        let words = [(f::MAP_UID, "uid"), (f::MAP_GID, "gid"), (f::MAP_PROJID, "projid")];
        let words: Vec<&str> =
            words.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, word)| *word).collect();
        words.join(",")
    }

    /// The roles of root in words, as `lctl` shows them.
    pub fn rbac_text(&self) -> String {
        let allowed = match self.roles.allowed {
            // The default nodemap is where nobody's root is mapped.
            ALL_ROLES if self.id == 0 => ALL_ROLES & !LOCAL_ADMIN,
            allowed => allowed,
        };
        if allowed == Roles::UNSET.raised {
            return "none".to_owned();
        }
        named(allowed.into(), ROLES).collect::<Vec<_>>().join(",")
    }

    /// What nodemaps below may raise, in words, as `lctl` shows it.
    pub fn raise_text(&self) -> String {
        if self.roles.raise == Roles::UNSET.raise {
            return "none".to_owned();
        }
        let roles = if self.roles.raise & RAISE_ROLES != 0 { self.roles.raised } else { 0 };
        let words = named(self.roles.raise.into(), PRIVILEGES).chain(named(roles.into(), ROLES));
        words.collect::<Vec<_>>().join(",")
    }
}

//! What a transaction makes of nodemaps: reads through to the view, keeps what it changes to itself.

use super::spans::{Span, Spans};
use super::{Head, Name, Nodemap, Nodemaps, index, stored};
use crate::error::Error;
use crate::model::command::LogEffect;
use crate::model::command::param::PARAMS;
use crate::model::keys;
use crate::model::tx::{Changes, Tx, put_or_delete};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Most nodemaps and records that a change is shown with.
const SHOWN: usize = 256;

/// Nodemaps that a transaction changes.
#[derive(Debug, Default)]
pub struct NodemapChanges {
    head: Option<Head>,
    /// Where each is in `maps`.
    places: HashMap<Name, usize>,
    /// In the order in which they came up: so they lie in memory.
    maps: Vec<(Name, Option<Nodemap>)>,
    /// Claimed since.
    claimed: Spans,
    /// Given up since.
    released: BTreeSet<Span>,
    /// Filesets that stood in the log `params`: looked up once, whatever the size of the batch.
    params: Option<Arc<HashSet<String>>>,
}

impl NodemapChanges {
    /// Edits of one nodemap mostly follow each other.
    fn place(&self, name: Name) -> Option<usize> {
        match self.maps.last() {
            Some((last, _)) if *last == name => Some(self.maps.len() - 1),
            _ => self.places.get(&name).copied(),
        }
    }
    fn set(&mut self, name: Name, map: Option<Nodemap>) -> Option<&mut Nodemap> {
        let place = self.place(name).unwrap_or_else(|| {
            self.places.insert(name, self.maps.len());
            self.maps.push((name, None));
            self.maps.len() - 1
        });
        let (_, known) = self.maps.get_mut(place)?;
        *known = map;
        known.as_mut()
    }

    pub(in crate::model) fn finish(&self, view: &Nodemaps, changes: &mut Changes) -> Result<(), Error> {
        // In the order of the store: what is made one after the other lies in memory side by side.
        let mut maps: Vec<(Name, Option<&Nodemap>)> =
            self.maps.iter().map(|(name, map)| (*name, map.as_ref())).collect();
        maps.sort_unstable_by_key(|(name, _)| *name);
        for (name, new) in maps {
            let parted = view.parted.contains(&name);
            let name = name.as_str();
            let old = view.get(name);
            if old == new {
                continue;
            }
            let mut before: BTreeMap<String, Vec<u8>> = match old {
                Some(old) if parted => stored::write(name, old)?.into_iter().collect(),
                Some(_) | None => BTreeMap::new(),
            };
            for (key, value) in new.map(|new| stored::write(name, new)).transpose()?.unwrap_or_default() {
                if before.remove(&key).as_ref() != Some(&value) {
                    changes.insert(key, Some(value));
                }
            }
            changes.extend(before.into_keys().map(|key| (key, None)));
            if new.is_none() {
                changes.insert(keys::nodemap(name), None);
            }
        }
        match self.head {
            Some(head) if head != view.head => put_or_delete(changes, keys::NODEMAPS.to_owned(), Some(&head)),
            _ => Ok(()),
        }
    }
}

impl Tx<'_> {
    /// What no single nodemap has.
    pub fn nodemap_head(&self) -> Head {
        self.nodemaps.head.unwrap_or(self.view.nodemaps.head)
    }
    /// Sets it.
    pub const fn set_nodemap_head(&mut self, head: Head) {
        self.nodemaps.head = Some(head);
    }
    /// A nodemap.
    pub fn nodemap(&self, name: &str) -> Option<&Nodemap> {
        match self.nodemaps.place(Name::new(name)?) {
            Some(place) => self.nodemaps.maps.get(place)?.1.as_ref(),
            None => self.view.nodemaps.get(name),
        }
    }
    /// The same, to change it. Its spans are claimed and released by whoever does.
    pub fn nodemap_mut(&mut self, name: &str) -> Option<&mut Nodemap> {
        let place = Name::new(name)?;
        match self.nodemaps.place(place) {
            Some(place) => self.nodemaps.maps.get_mut(place)?.1.as_mut(),
            None => self.nodemaps.set(place, Some(self.view.nodemaps.get(name)?.clone())),
        }
    }
    /// Makes one, or removes it with all that it has claimed. Nothing is done for what is no name.
    pub fn set_nodemap(&mut self, name: &str, map: Option<Nodemap>) {
        let Some(place) = Name::new(name) else { return };
        let released: Vec<Span> = self.nodemap(name).into_iter().flat_map(Nodemap::spans).collect();
        released.into_iter().for_each(|span| self.release(span));
        let claimed = map.iter().flat_map(Nodemap::spans);
        claimed.for_each(|span| self.nodemaps.claimed.claim(span, place));
        self.nodemaps.set(place, map);
    }
    /// Claims a span for a nodemap.
    pub fn claim(&mut self, span: Span, owner: &str) {
        if let Some(owner) = Name::new(owner) {
            self.nodemaps.claimed.claim(span, owner);
        }
    }
    /// Gives it up.
    pub fn release(&mut self, span: Span) {
        self.nodemaps.claimed.release(&span);
        self.nodemaps.released.insert(span);
    }
    /// What others, or the nodemap itself, have claimed of a span.
    pub fn claims(&self, span: Span) -> impl Iterator<Item = (Span, &str)> {
        let gone = &self.nodemaps.released;
        let known = self.view.nodemaps.spans.meeting(span).filter(move |(s, _)| !gone.contains(s));
        known.chain(self.nodemaps.claimed.meeting(span))
    }
    /// Names of parameters `nodemap.<name>.fileset` in the log `params`.
    pub fn fileset_params(&mut self) -> Arc<HashSet<String>> {
        if let Some(known) = &self.nodemaps.params {
            return known.clone();
        }
        let log = self.log(PARAMS).map(|entry| &entry.log);
        let live = log.into_iter().flat_map(llog::Log::records).filter(|r| r.live);
        let markers = live.filter_map(|r| r.cfg().ok()?.marker()).filter(|m| m.is_start() && !m.is_skip());
        let found =
            markers.map(|m| m.comment).filter(|c| c.starts_with("nodemap.") && c.ends_with(".fileset"));
        let found = Arc::new(found.collect());
        self.nodemaps.params.insert(found).clone()
    }
    /// What it does to the index that servers read, for people to see; of a large batch the beginning.
    pub fn index_effect(&self) -> Option<LogEffect> {
        let mut lines = Vec::new();
        let mut names: Vec<Name> = self.nodemaps.maps.iter().map(|(name, _)| *name).collect();
        let more = names.len().saturating_sub(SHOWN);
        if more > 0 {
            names.select_nth_unstable(SHOWN);
            names.truncate(SHOWN);
        }
        names.sort_unstable();
        for name in &names {
            let name = name.as_str();
            let (old, new) = (self.view.nodemaps.get(name), self.nodemap(name));
            if old == new || lines.len() >= SHOWN {
                continue;
            }
            let of = |map: Option<&Nodemap>| -> BTreeSet<_> {
                map.map(|map| index::entries(name, map)).unwrap_or_default().into_iter().collect()
            };
            let (old, new) = (of(old), of(new));
            let keys: BTreeSet<_> = new.iter().map(|e| e.key).collect();
            let gone = old.difference(&new).filter(|e| !keys.contains(&e.key));
            lines.extend(new.difference(&old).map(|e| format!("set {}", index::line(e))));
            lines.extend(gone.map(|e| format!("delete {}", index::line(e))));
        }
        let head = self.nodemap_head();
        if head.active != self.view.nodemaps.head.active {
            lines.push(format!("set active {}", u8::from(head.active)));
        }
        if lines.len() > SHOWN {
            lines.truncate(SHOWN);
            lines.push("and so on".to_owned());
        }
        if more > 0 {
            lines.push(format!("and more, of up to {more} more nodemaps"));
        }
        let effect = LogEffect { log: "nodemap".to_owned(), appended: lines, ..LogEffect::default() };
        (!effect.appended.is_empty()).then_some(effect)
    }
}

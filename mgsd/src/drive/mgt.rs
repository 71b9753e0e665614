//! What a kernel MGS needs on its disk to go on: made of the view.

use crate::http::digits;
use mgs_api::Mgt;
use mgs_core::engine::Engine;
use mgs_core::model::names::{is_next, next_of};
use mgs_core::model::nodemap::index::Index;
use std::collections::BTreeMap;
use wire::nodemap::Entry;

/// Everything, as one commit left it.
pub(super) fn export(engine: &Engine) -> Mgt {
    let view = engine.view();
    let mut entries: Vec<Entry> = Index::of(&view.nodemaps).entries().to_vec();
    entries.sort_by_key(|entry| entry.key);
    let written = |entry: &Entry| digits(&[entry.key.as_slice(), entry.rec.as_slice()].concat());
    Mgt {
        from: view.meta.as_ref().map(|m| format!("mgsd {}", m.uuid)).unwrap_or_default(),
        seq: view.seq,
        logs: logs(engine),
        tables: view.fs.iter().map(|(name, fs)| (name.clone(), fs.head.nidtbl_version)).collect(),
        nodemaps: Some(entries.iter().map(written).collect()),
    }
}

/// Of two generations of a log the older one, as long as somebody is pinned to it: a kernel MGS has one only.
fn logs(engine: &Engine) -> BTreeMap<String, String> {
    let view = engine.view();
    let names = view.logs.keys().filter(|name| !is_next(name));
    let chosen = names.filter_map(|name| {
        let next = view.logs.get(&next_of(name)).filter(|_| engine.pinned(name).is_empty());
        Some((name.clone(), digits(&next.or_else(|| view.logs.get(name))?.log.to_file())))
    });
    chosen.collect()
}

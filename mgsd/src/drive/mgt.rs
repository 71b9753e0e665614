//! What a kernel MGS needs on its disk to go on: made of the view.

use crate::http::digits;
use mgs_api::Mgt;
use mgs_core::engine::Engine;
use mgs_core::model::nodemap::index::Index;
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
        logs: view.logs.iter().map(|(name, entry)| (name.clone(), digits(&entry.log.to_file()))).collect(),
        tables: view.fs.iter().map(|(name, fs)| (name.clone(), fs.head.nidtbl_version)).collect(),
        nodemaps: Some(entries.iter().map(written).collect()),
    }
}

//! What the daemon reads back from its store, and texts that a registration brings.
use crate::input::Input;
use mgs_core::lint;
use mgs_core::model::keys::{self, Key};
use mgs_core::model::logs::Segment;
use mgs_core::model::read::{self, Block};
use mgs_core::model::recovery::{self, ReadRequest};
use mgs_core::model::{View, params};
use std::collections::BTreeMap;
use wire::llog_rpc::LlogdBody;

/// Value of a segment.
pub fn core_segment(data: &[u8]) {
    match Segment::decode(data) {
        Ok(segment) => assert_eq!(segment.encode(), data),
        Err(why) => assert!(!why.is_empty()),
    }
}

/// A key. What is ours can be written, and means the same.
pub fn core_key(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Some(key) = Key::parse(&text) else { return };
    let written = match key {
        Key::Meta => keys::META.to_owned(),
        Key::Commit(seq) => keys::commit(seq),
        Key::Fs(fs) => keys::fs(fs),
        Key::Rule(rule) => rule.to_string(),
        Key::Nodemaps => keys::NODEMAPS.to_owned(),
        Key::Nodemap(name) => keys::nodemap(name),
        Key::NodemapPart(part) => part.to_string(),
        Key::Setting(setting) => setting.to_string(),
        Key::Target(fs, id) => keys::target(fs, id),
        Key::NidTbl(fs, id) => keys::nidtbl(fs, id),
        Key::Connections => keys::CONNECTIONS.to_owned(),
        Key::Pruned => keys::PRUNED.to_owned(),
        Key::Restore(epoch) => keys::restore(epoch),
        Key::Ahead(epoch, nid) => keys::ahead(epoch, nid),
        Key::Log(log) => keys::log(log),
        Key::Segment(log, seq) => keys::segment(log, seq),
    };
    assert_eq!(Key::parse(&written), Some(key));
}

/// Entries of a store: `u8 n, key, u16 n, value` each; n = 65535 deletes. Applied in this order, and loaded in the
/// order of the keys: either a view that can be served, or a refusal that names the key.
pub fn core_view(data: &[u8]) {
    let mut input = Input(data);
    let mut stored: BTreeMap<String, &[u8]> = BTreeMap::new();
    let mut view = View::default();
    while !input.is_empty() {
        let n = input.u8();
        let key = String::from_utf8_lossy(input.take(n.into())).into_owned();
        let value = match input.u16() {
            u16::MAX => None,
            n => Some(input.take(n.into())),
        };
        if let Err(e) = view.apply(&key, value) {
            assert!(e.to_string().contains(&key), "{e}");
        }
        match value {
            Some(value) => drop(stored.insert(key, value)),
            None => drop(stored.remove(&key)),
        }
    }
    served(&view);
    match View::load(stored.iter().map(|(key, value)| (key.as_str(), *value))) {
        Ok(view) => served(&view),
        Err(e) => assert!(stored.keys().any(|key| e.to_string().contains(key)), "{e}"),
    }
}

/// Everything in it is read to its end.
pub(crate) fn served(view: &View) {
    let _ = lint::view(view);
    for entry in view.logs.values() {
        if let Some((_, found)) = view.log_by_id(entry.id()) {
            assert_eq!(found.head.oid, entry.head.oid);
        }
        let file = entry.log.to_file();
        let mut ask = LlogdBody { logid: entry.id(), index: 1, ..LlogdBody::default() };
        let mut blocks = 0;
        while let Block::Data(body, block) = read::next_block(entry, &ask) {
            assert_eq!(block.len(), 8192);
            assert!(body.saved_index >= ask.index && body.cur_offset > ask.cur_offset);
            ask = LlogdBody { index: body.saved_index + 1, ..body };
            blocks += 1;
        }
        assert_eq!(blocks, entry.log.chunk_count());
        if let Some((_, block)) = read::prev_block(entry, &ask) {
            assert_eq!(block.len(), 8192);
        }
        let segments: Vec<u8> = entry.segment_seqs().flat_map(|seq| entry.segment(seq).bytes).collect();
        assert!(segments == file.get(8192..).unwrap_or_default(), "segments are not the log");
    }
    for fs in view.fs.values() {
        for (unit, large_nids) in [(4096, true), (4096, false), (8, true)] {
            let mut from = 1;
            for _ in 0..=fs.nidtbl.len() {
                let (bulk, res) = recovery::read(fs, ReadRequest { from, unit, units: 2, large_nids });
                assert!(bulk.len() <= 2 * unit.max(4096));
                from = res.offset.saturating_add(1);
            }
        }
    }
}

/// `mti_params`, and the value of `failover.node=`.
pub fn core_params(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(words) = params::split("target", &text) {
        assert!(words.iter().map(String::len).sum::<usize>() <= text.len());
        assert!(!words.iter().any(String::is_empty));
    }
    if let Ok(parsed) = params::parse("target", &text) {
        parsed.failover.iter().for_each(|value| failover(value));
    }
    failover(&text);
}

fn failover(value: &str) {
    let nodes = params::failover_nodes(value);
    for nid in nodes.iter().flatten() {
        assert_eq!(nid.to_string().parse(), Ok(*nid));
    }
    let all: usize = nodes.iter().map(Vec::len).sum();
    assert!(all <= value.matches('@').count());
}

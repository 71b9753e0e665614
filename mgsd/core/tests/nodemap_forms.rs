//! The three forms of nodemaps — in memory, in the store, in the index — say the same, whatever was edited; and bytes
//! that nobody wrote are refused, not believed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod harness;
mod nodemaps;

use harness::Mgs;
use mgs_core::engine::Output;
use mgs_core::model::View;
use mgs_core::model::nodemap::index;
use nodemaps::{Server, edit, entries};
use proptest::prelude::*;
use std::collections::BTreeSet;
use wire::nodemap::{Entry, Record};

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "default"]).prop_map(str::to_owned)
}

fn range() -> impl Strategy<Value = String> {
    prop_oneof![
        (0_u8..4, 0_u8..12, 0_u8..4)
            .prop_map(|(net, from, n)| format!("10.0.{net}.[{from}-{}]@tcp", from + n)),
        (0_u8..4, 120_u8..=128).prop_map(|(net, bits)| format!("fd00::{net}/{bits}@tcp")),
        (1_u8..9).prop_map(|n| format!("{n}@gni")),
        Just("?".to_owned()),
    ]
}

/// A line that may be right or wrong.
fn line() -> impl Strategy<Value = String> {
    let path = prop::sample::select(vec!["/x", "/y", "/a/path/of/more/than/twenty/eight/bytes", "z"]);
    let pair = (0_u32..6, 0_u32..3, 0_u32..9).prop_map(|(c, n, f)| format!("{c}-{}:{f}", c + n));
    let kind = prop::sample::select(vec!["uid", "gid", "projid"]);
    let property = prop::sample::select(vec![
        "admin=1",
        "admin=0",
        "trusted=1",
        "map_mode=uid",
        "map_mode=all",
        "rbac=none",
        "rbac=+dne_ops",
        "rbac=all",
        "child_raise_privileges=admin,dne_ops",
        "child_raise_privileges=none",
        "squash_uid=7",
        "squash_projid=0",
        "deny_mount=1",
        "gssonly_identification=1",
        "audit_mode=maybe",
    ]);
    prop_oneof![
        4 => name().prop_map(|n| format!("add {n}")),
        1 => name().prop_map(|n| format!("del {n}")),
        3 => (name(), property).prop_map(|(n, p)| format!("modify {n} {p}")),
        5 => (name(), range()).prop_map(|(n, r)| format!("add_range {n} {r}")),
        2 => (name(), range()).prop_map(|(n, r)| format!("del_range {n} {r}")),
        2 => (name(), range()).prop_map(|(n, r)| format!("banlist_add {n} {r}")),
        1 => (name(), range()).prop_map(|(n, r)| format!("banlist_del {n} {r}")),
        4 => (name(), kind.clone(), pair.clone()).prop_map(|(n, k, p)| format!("add_idmap {n} {k} {p}")),
        2 => (name(), kind, pair).prop_map(|(n, k, p)| format!("del_idmap {n} {k} {p}")),
        1 => (name(), 1_u32..5).prop_map(|(n, o)| format!("add_offset {n} {}+1500", o * 1000)),
        1 => name().prop_map(|n| format!("del_offset {n}")),
        2 => (name(), path.clone()).prop_map(|(n, p)| format!("fileset_add {n} {p} ro")),
        2 => (name(), path.clone()).prop_map(|(n, p)| format!("fileset_add_alt {n} {p}")),
        1 => (name(), path.clone(), path).prop_map(|(n, p, q)| format!("fileset_modify {n} {p} {q} alt")),
        1 => name().prop_map(|n| format!("fileset_del {n}")),
        1 => name().prop_map(|n| format!("set_cap {n} mask:cap_chown")),
        1 => prop::bool::ANY.prop_map(|on| format!("activate {}", u8::from(on))),
    ]
}

fn check(mgs: &mut Mgs) {
    let ours = entries(mgs);
    let maps = mgs.engine.view().nodemaps.clone();
    // The store says the same.
    let again = mgs.restarted();
    assert_eq!(entries(&again), ours);
    assert_eq!(again.engine.view().nodemaps.head, maps.head);
    for (name, map) in maps.iter() {
        assert_eq!(again.engine.view().nodemaps.get(name), Some(map), "{name}");
    }
    // So does the index, in which every key is there once and every attribute behind its nodemap.
    let keys: BTreeSet<[u8; 8]> = ours.iter().map(|e| e.key).collect();
    assert_eq!(keys.len(), ours.len());
    let (active, parsed) = index::parse(&ours).unwrap();
    assert_eq!(active, maps.head.active);
    assert_eq!(parsed.len(), maps.len());
    for (name, map) in maps.iter() {
        assert_eq!(parsed.get(name), Some(map), "{name}");
    }
    // What is claimed is claimed once: whose a NID is does not depend on who is asked first.
    let mut claimed = Vec::new();
    for (name, map) in maps.iter() {
        claimed.extend(map.spans().map(|span| (span, name)));
    }
    for (at, (span, name)) in claimed.iter().enumerate() {
        let others = claimed.iter().enumerate().filter(|(n, (other, _))| *n != at && other.meets(span));
        assert_eq!(others.count(), 0, "{name} {span:?}");
        assert_eq!(maps.spans().owner(span), Some(*name));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_forms_say_the_same(lines in prop::collection::vec(line(), 1..60), batch in 1_usize..9) {
        let mut mgs = Mgs::new();
        for lines in lines.chunks(batch) {
            let before = mgs.store.clone();
            let edits = lines.iter().map(|l| edit(l)).collect();
            let command = mgs_core::model::command::nodemap::Command { edits };
            if mgs.order(command.into()).is_err() {
                prop_assert_eq!(&mgs.store, &before);
            }
        }
        check(&mut mgs);
        let mut server = Server::new(&mut mgs);
        server.ask.units = 1;
        prop_assert_eq!(server.all(&mut mgs), entries(&mgs));
    }

    /// A value of the store, cut anywhere or with a byte changed, is one that can be served, or refused with its key.
    #[test]
    fn damaged_values_are_refused_with_their_key(cut in 0_usize..600, byte in any::<u8>()) {
        let mut mgs = Mgs::new();
        let lines = "add a\nadd_range a 10.0.0.[1-9]@tcp\nadd_range a fd00::/64@tcp\nadd_idmap a uid 5-9:7\nset_cap a set:all\nfileset_add a /x";
        mgs.hold();
        mgs.give(nodemaps::edits(lines).into(), false);
        let Some(Output::Commit { changes, .. }) = mgs.held.iter().flatten().next() else { panic!("no commit") };
        for (key, value) in changes {
            let value = value.clone().unwrap();
            let mut changed = value.clone();
            if let Some(at) = changed.get_mut(cut % value.len()) {
                *at = byte;
            }
            for bytes in [value[..cut.min(value.len())].to_vec(), changed] {
                let mut view = View::default();
                match view.apply(key, Some(&bytes)) {
                    Ok(()) => drop(index::Index::of(&view.nodemaps)),
                    Err(e) => prop_assert!(e.to_string().contains(key.as_str()), "{}", e),
                }
            }
        }
    }

    /// An index that nobody wrote: read as nodemaps, or refused; never a panic.
    #[test]
    fn any_index_is_read_or_refused(raw in prop::collection::vec((0_u8..16, 0_u8..4, 0_u32..0x320, any::<[u8; 32]>()), 0..40)) {
        let entries: Vec<Entry> = raw.into_iter().map(|(kind, id, second, rec)| {
            let word = u32::from(kind) << 28 | u32::from(id);
            let mut key = [0; 8];
            key[..4].copy_from_slice(&word.to_le_bytes());
            key[4..].copy_from_slice(&second.to_le_bytes());
            Entry { key, rec }
        }).collect();
        for entry in &entries {
            let _ = index::line(entry);
            if let Ok(record) = Record::parse(entry) {
                let _ = record.to_entry();
            }
        }
        if let Err(why) = index::parse(&entries) {
            prop_assert!(!why.is_empty());
        }
    }
}

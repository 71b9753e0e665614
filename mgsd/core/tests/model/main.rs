//! Random histories: the engine answers and keeps what a naive reference does, and whoever reads a log, from its
//! beginning or from wherever they are, ends in the same configuration.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, unreachable_pub)]

#[path = "../harness/mod.rs"]
mod harness;
mod reference;
#[path = "../targets/mod.rs"]
mod targets;

use harness::{Mgs, nid};
use lustre_peer::interp::{Interpreter, Role, execute_log};
use mgs_core::Errno;
use mgs_core::engine::{CommitResult, Input, Output};
use mgs_core::model::{TargetId, TargetKind};
use proptest::prelude::*;
use reference::{ENOSPC, Entry, Id, Reference};
use targets::{Node, mdt, ost};
use wire::Codec;
use wire::mgs::{TargetInfo, ldd};

#[derive(Clone, Copy, Debug)]
enum What {
    /// Freshly formatted.
    Virgin,
    /// Formatted with an index that may be in use, on another node.
    Stranger,
    Start,
    Writeconf,
    Replace,
    Ready {
        instance: u32,
        moved: bool,
    },
    /// The MGS loses power.
    PowerCut,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    what: What,
    mdt: bool,
    index: u32,
    /// The store refuses the commit, if there is one.
    fails: bool,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let what = prop_oneof![
        6 => Just(What::Virgin),
        1 => Just(What::Stranger),
        2 => Just(What::Start),
        2 => Just(What::Writeconf),
        1 => Just(What::Replace),
        5 => (0_u32..4, any::<bool>()).prop_map(|(n, moved)| What::Ready { instance: n + 1, moved }),
        1 => Just(What::PowerCut),
    ];
    let event = (what, prop::bool::weighted(0.4), 0_u32..3, prop::bool::weighted(0.1));
    prop::collection::vec(
        event.prop_map(|(what, mdt, index, fails)| Event { what, mdt, index, fails }),
        1..40,
    )
}

/// A target always lives on its own node; `stranger` nodes are others.
fn host(id: Id, stranger: bool) -> u8 {
    u8::try_from(id.0 * 20 + id.1).unwrap() + if stranger { 100 } else { 0 }
}

fn node(id: Id, host: u8) -> Node {
    let node = if id.0 == ldd::SV_TYPE_MDT { mdt(id.1) } else { ost(id.1) };
    node.with(|n| {
        n.nids = vec![format!("10.0.1.{host}@tcp")];
        n.nid = nid(&n.nids[0]);
        n.uuid = format!("server {host}");
    })
}

/// Sends a registration while the store works, or refuses.
fn send(mgs: &mut Mgs, node: &Node, fails: bool) -> (i32, u32) {
    let known = mgs.engine.exports().iter().find(|e| e.uuid == node.uuid).map(|e| e.cookie);
    let handle = known.unwrap_or_else(|| mgs.connect(node.nid, &node.uuid));
    let (body, buffers) = targets::request(node, handle);
    mgs.hold();
    let xid = mgs.send(node.nid, body, buffers);
    let commits = mgs.held.iter().flatten().filter(|o| matches!(o, Output::Commit { .. })).count();
    assert!(commits <= 1, "registration is one commit");
    if fails && commits == 1 {
        mgs.held = None;
        let why = "disk full".to_owned();
        mgs.input(Input::Committed(CommitResult::Failed { errno: Errno::ENOSPC, why }));
    } else {
        mgs.release();
    }
    let message = mgs.reply(xid).unwrap().message();
    let info = TargetInfo::from_slice(&message.buffers[1], wire::Order::Little).unwrap();
    (message.body().unwrap().status, info.flags)
}

/// Does an event on both sides.
fn happens(mgs: &mut Mgs, reference: &mut Reference, event: Event) {
    let id = (if event.mdt { ldd::SV_TYPE_MDT } else { ldd::SV_TYPE_OST }, event.index);
    let known = reference.targets.contains_key(&id);
    let node = |stranger| node(id, host(id, stranger));
    let node = match event.what {
        What::Virgin => node(false),
        What::Stranger => node(known),
        What::Start => node(false).again(),
        What::Writeconf => node(false).writeconf(),
        What::Replace => node(false).with(|n| n.info.flags &= !ldd::VIRGIN),
        What::Ready { instance, moved } => node(moved).again().ready(instance),
        What::PowerCut => return *mgs = mgs.restarted(),
    };
    let host = node.nids[0].trim_start_matches("10.0.1.").trim_end_matches("@tcp").parse().unwrap();
    let mut after = reference.clone();
    let expected = after.request(id, node.info.flags, host, node.info.instance);
    let (status, flags) = send(mgs, &node, event.fails);
    if event.fails && expected.writes {
        assert_eq!((status, flags & ldd::ERROR), (ENOSPC, ldd::ERROR), "{event:?}");
    } else {
        assert_eq!((status, flags), (expected.status, expected.flags), "{event:?}");
        *reference = after;
    }
}

fn same(mgs: &Mgs, reference: &Reference) {
    let Some(fs) = mgs.engine.view().fs.get("testfs") else {
        return assert_eq!(*reference, Reference::default());
    };
    let id = |id: &TargetId| {
        (if id.kind == TargetKind::Mdt { ldd::SV_TYPE_MDT } else { ldd::SV_TYPE_OST }, id.index)
    };
    let address = |host: u8| vec![nid(&format!("10.0.1.{host}@tcp"))];
    let targets: Vec<_> = fs.targets.iter().map(|(t, v)| (id(t), v.nids.clone(), v.ready)).collect();
    let expected: Vec<_> = reference.targets.iter().map(|(t, v)| (*t, address(v.host), v.ready)).collect();
    assert_eq!(targets, expected);
    let table: Vec<_> =
        fs.nidtbl.iter().map(|(t, e)| (id(t), e.version, e.instance, e.nids.clone())).collect();
    let row = |(t, e): (&Id, &Entry)| (*t, e.version, e.instance, address(e.host));
    assert_eq!(table, reference.table.iter().map(row).collect::<Vec<_>>());
    assert_eq!(fs.head.nidtbl_version, reference.version);
}

/// Somebody who began to read a log at some time and follows it.
struct Reader {
    name: String,
    oid: u64,
    last: u32,
    interp: Interpreter,
}

fn role(name: &str) -> Option<Role> {
    match name.strip_prefix("testfs-")?.get(..3)? {
        "cli" => Some(Role::Client),
        "MDT" => Some(Role::Mdt),
        "OST" => Some(Role::Ost),
        _ => None,
    }
}

/// Everybody reads on; at each log somebody new begins.
fn read(mgs: &Mgs, readers: &mut Vec<Reader>) {
    let logs = &mgs.engine.view().logs;
    // An erased log: its readers have to mount again.
    readers.retain(|r| logs.get(&r.name).is_some_and(|e| e.head.oid == r.oid));
    for (name, entry) in logs {
        let Some(role) = role(name) else { continue };
        let interp = Interpreter::new(role, name, Vec::new());
        readers.push(Reader { name: name.clone(), oid: entry.head.oid, last: 0, interp });
    }
    readers.retain_mut(|reader| {
        let entry = &logs[&reader.name];
        for record in entry.log.records_from(reader.last + 1).filter(|r| r.live) {
            if let Err(error) = reader.interp.execute(record.index, record.payload) {
                // A writeconf of an MDT adds an MDC that a running client has: it has to mount again, as it had to
                // with a kernel MGS (mgs/04, 4.2).
                let known =
                    error.errno == -17 && error.what.ends_with("-mdc") && reader.name == "testfs-client";
                assert!(known && reader.last > 0, "{error}");
                return false;
            }
        }
        reader.last = entry.log.last_index();
        let (fresh, error) = execute_log(role(&reader.name).unwrap(), &reader.name, &entry.log);
        assert_eq!(error, None, "{}", reader.name);
        assert_eq!(*reader.interp.tree(), fresh, "{}", reader.name);
        true
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_does_what_the_documents_say(history in events()) {
        let (mut mgs, mut reference, mut readers) = (Mgs::new(), Reference::default(), Vec::new());
        for event in history {
            happens(&mut mgs, &mut reference, event);
            same(&mgs, &reference);
            read(&mgs, &mut readers);
        }
    }
}

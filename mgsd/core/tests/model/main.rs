//! Random histories of nodes and of people who set rules: the engine answers and keeps what a naive reference does, and whoever reads a log, from its
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
use mgs_core::model::command::{Command, fs, registration, reservation};
use mgs_core::model::{TargetId, TargetKind, rules};
use proptest::prelude::*;
use reference::{ENOSPC, Entry, Id, Policy, Reference};
use std::collections::BTreeMap;
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
    /// It takes any index.
    Any,
    /// The MGS loses power.
    PowerCut,
    /// Somebody sets what happens to strangers.
    Policy(Policy),
    /// Somebody says yes or no to a target that is not registered.
    Say(bool),
    /// The lowest free index is reserved.
    Reserve,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    what: What,
    mdt: bool,
    index: u32,
    /// The store refuses the commit, if there is one.
    fails: bool,
    /// What it is told, if it has to wait.
    yes: bool,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let what = prop_oneof![
        6 => Just(What::Virgin),
        1 => Just(What::Stranger),
        2 => Just(What::Start),
        2 => Just(What::Writeconf),
        1 => Just(What::Replace),
        5 => (0_u32..4, any::<bool>()).prop_map(|(n, moved)| What::Ready { instance: n + 1, moved }),
        1 => Just(What::Any),
        1 => Just(What::PowerCut),
        1 => prop_oneof![Just(Policy::Open), Just(Policy::Approve), Just(Policy::Closed)].prop_map(What::Policy),
        1 => any::<bool>().prop_map(What::Say),
        1 => Just(What::Reserve),
    ];
    let event = (what, prop::bool::weighted(0.4), 0_u32..3, prop::bool::weighted(0.1), any::<bool>());
    prop::collection::vec(
        event.prop_map(|(what, mdt, index, fails, yes)| Event { what, mdt, index, fails, yes }),
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
fn send(mgs: &mut Mgs, node: &Node, fails: bool) -> u64 {
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
    xid
}

/// Status and flags of the answer.
fn answer(mgs: &Mgs, xid: u64) -> (i32, u32) {
    let message = mgs.reply(xid).unwrap().message();
    let info = TargetInfo::from_slice(&message.buffers[1], wire::Order::Little).unwrap();
    (message.body().unwrap().status, info.flags)
}

fn name(id: Id) -> String {
    let kind = if id.0 == ldd::SV_TYPE_MDT { "MDT" } else { "OST" };
    format!("testfs-{kind}{:04x}", id.1)
}

fn say(mgs: &mut Mgs, id: Id, yes: bool) -> Result<Option<u64>, Errno> {
    let target = name(id);
    let command = match yes {
        true => registration::Command::Approve { target, from: Vec::new() },
        false => registration::Command::Refuse { target },
    };
    mgs.order(Command::Registration(command)).map(|done| done.seq).map_err(|e| e.errno())
}

/// Somebody changes a rule, on both sides.
fn rule(mgs: &mut Mgs, reference: &mut Reference, what: What, id: Id) {
    match what {
        What::Policy(to) => {
            let policy = match to {
                Policy::Open => rules::Policy::Open,
                Policy::Approve => rules::Policy::Approve,
                Policy::Closed => rules::Policy::Closed,
            };
            let done = mgs.order(Command::Fs(fs::Command::Policy { fs: "testfs".to_owned(), policy }));
            if reference.version == 0 {
                assert_eq!(done.unwrap_err().errno(), Errno::ENOENT);
            } else {
                assert_eq!(done.unwrap().seq.is_some(), reference.policy != to);
                reference.policy = to;
            }
        }
        What::Say(_) if reference.targets.contains_key(&id) => {
            assert_eq!(say(mgs, id, true), Err(Errno::EEXIST));
        }
        What::Say(yes) => {
            let news = reference.verdicts.insert(id, yes) != Some(yes);
            assert_eq!(say(mgs, id, yes).unwrap().is_some(), news);
        }
        _ => {
            let index = reference.free(id.0, true);
            let reserve = reservation::Reserve {
                fs: "testfs".to_owned(),
                kind: if id.0 == ldd::SV_TYPE_MDT { TargetKind::Mdt } else { TargetKind::Ost },
                count: 1,
                expires: None,
                by: String::new(),
                nids: Vec::new(),
            };
            mgs.order(Command::Reservation(reservation::Command::Reserve(reserve))).unwrap();
            reference.reserved.insert((id.0, index));
        }
    }
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
        What::Any => {
            // From the node on which the index that it gets lives.
            let next = (id.0, reference.free(id.0, false));
            self::node(next, host(next, false)).with(|n| n.info.flags |= ldd::NEED_INDEX)
        }
        What::PowerCut => return *mgs = mgs.restarted(),
        What::Policy(_) | What::Say(_) | What::Reserve => return rule(mgs, reference, event.what, id),
    };
    let host = node.nids[0].trim_start_matches("10.0.1.").trim_end_matches("@tcp").parse().unwrap();
    let mut after = reference.clone();
    let mut expected = after.request(id, node.info.flags, host, node.info.instance);
    let xid = send(mgs, &node, event.fails && !expected.waits);
    if expected.waits {
        assert!(mgs.reply(xid).is_none(), "{event:?}");
        assert!(say(mgs, id, event.yes).unwrap().is_some());
        after.verdicts.insert(id, event.yes);
        expected = after.request(id, node.info.flags, host, node.info.instance);
        assert!(!expected.waits);
        *reference = after;
        return assert_eq!(answer(mgs, xid), (expected.status, expected.flags), "{event:?}");
    }
    let (status, flags) = answer(mgs, xid);
    if event.fails && expected.writes {
        assert_eq!((status, flags & ldd::ERROR), (ENOSPC, ldd::ERROR), "{event:?}");
    } else {
        assert_eq!((status, flags), (expected.status, expected.flags), "{event:?}");
        *reference = after;
    }
}

fn same(mgs: &Mgs, reference: &Reference) {
    let id = |id: &TargetId| {
        (if id.kind == TargetKind::Mdt { ldd::SV_TYPE_MDT } else { ldd::SV_TYPE_OST }, id.index)
    };
    let rules = &mgs.engine.view().rules;
    let verdicts: BTreeMap<Id, bool> = rules.verdicts.iter().map(|((_, t), v)| (id(t), v.approved)).collect();
    assert_eq!(verdicts, reference.verdicts);
    assert!(rules.reserved.keys().map(|(_, t)| id(t)).eq(reference.reserved.iter().copied()));
    let Some(fs) = mgs.engine.view().fs.get("testfs") else {
        return assert!(reference.version == 0 && reference.targets.is_empty() && reference.table.is_empty());
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
    #![proptest_config(config())]

    #[test]
    fn the_engine_does_what_the_documents_say(history in events()) {
        play(history);
    }
}

/// A search in passing; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = std::env::var_os("PROPTEST_CASES").map_or(64, |_| asked.cases);
    ProptestConfig { cases, failure_persistence: None, ..asked }
}

fn play(history: impl IntoIterator<Item = Event>) {
    let (mut mgs, mut reference, mut readers) = (Mgs::new(), Reference::default(), Vec::new());
    for event in history {
        happens(&mut mgs, &mut reference, event);
        same(&mgs, &reference);
        read(&mgs, &mut readers);
    }
}

/// Found by the search.
#[test]
fn an_index_that_was_asked_for_is_written_anew() {
    let event = |what, index| Event { what, mdt: true, index, fails: false, yes: false };
    play([event(What::Virgin, 0), event(What::Any, 0), event(What::Writeconf, 1)]);
}

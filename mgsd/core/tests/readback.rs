//! Random histories of settings, registrations, restarts and writeconfs: what is read back is what an interpreter of the
//! logs ends with, whether it reads from the beginning or from wherever it is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod harness;
mod targets;

use harness::Mgs;
use lustre_peer::interp::{ConfigTree, Interpreter, Role, execute_log};
use mgs_core::model::command::param::{self, Syntax};
use mgs_core::model::command::{Command, fs};
use mgs_core::model::conf_param::{Scope, compound};
use mgs_core::model::effective::effective;
use mgs_core::model::settings::Writeconf;
use mgs_core::model::{TargetId, TargetKind};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use targets::{Node, mdt, ost, register};

/// Names with values; `{}` stands for an index.
const NAMES: [(&str, [&str; 3]); 24] = [
    ("testfs.sys.timeout", ["50", "77", "100"]),
    ("testfs.sys.at_max", ["300", "600", "601"]),
    ("testfs.sys.jobid_var", ["procname_uid", "disable", "nodelocal"]),
    ("testfs.llite.max_read_ahead_mb", ["16", "32", "64"]),
    ("testfs.quota.ost", ["u", "ug", "none"]),
    ("testfs.mdt.identity_expire", ["600", "900", "1200"]),
    ("testfs-MDT{}.mdt.identity_expire", ["60", "90", "1200"]),
    ("testfs-MDT{}.lov.stripesize", ["1M", "2M", "4M"]),
    ("testfs-OST{}.osc.max_dirty_mb", ["32", "64", "128"]),
    ("testfs-OST{}.osc.active", ["0", "1", "0"]),
    ("testfs-OST{}.ost.brw_size", ["1", "4", "8"]),
    ("osc.*.max_dirty_mb", ["48", "96", "128"]),
    ("osc.testfs-OST{}*.max_dirty_mb", ["49", "97", "128"]),
    ("ost.OSS.ost_io.nrs_policies", ["fifo", "crrn", "fifo"]),
    // Told to clients besides; told to the other MDTs in two ways; connections; names of both spellings; rules that add up.
    ("testfs.mdt.root_squash", ["0:0", "99:99", "65534:65534"]),
    ("testfs-MDT{}.mdc.active", ["0", "1", "0"]),
    ("testfs-OST{}.failover.node", ["10.0.0.5@tcp", "10.0.0.6@tcp:10.0.0.7@tcp", "10.0.0.5@tcp"]),
    ("testfs-MDT{}.failover.node", ["10.0.0.5@tcp", "10.0.0.6@tcp:10.0.0.7@tcp", "10.0.0.5@tcp"]),
    ("testfs-MDT{}.mdc.max_rpcs_in_flight", ["9", "10", "8"]),
    ("timeout", ["55", "66", "100"]),
    ("mdt.testfs-MDT{}.identity_expire", ["61", "91", "1200"]),
    ("obdfilter.testfs-OST{}.brw_size", ["2", "4", "8"]),
    ("obdfilter.*.brw_size", ["1", "2", "16"]),
    (
        "ost.OSS.ost_io.nrs_tbf_rule",
        ["start a nid={10.0.0.4@tcp} rate=100", "start b nid={10.0.0.5@tcp} rate=200", "stop a"],
    ),
];

#[derive(Clone, Copy, Debug)]
enum What {
    Set {
        wait: bool,
    },
    /// All of it, or the one value.
    Unset {
        value: bool,
    },
    Register,
    Writeconf,
    Restart,
    Keep(Writeconf),
}

#[derive(Clone, Copy, Debug)]
struct Event {
    what: What,
    name: usize,
    value: usize,
    index: u32,
    mdt: bool,
    /// What the target brings along.
    brings: bool,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let what = prop_oneof![
        8 => any::<bool>().prop_map(|wait| What::Set { wait }),
        4 => any::<bool>().prop_map(|value| What::Unset { value }),
        4 => Just(What::Register),
        2 => Just(What::Writeconf),
        1 => Just(What::Restart),
        1 => prop_oneof![Just(Writeconf::Reapply), Just(Writeconf::Wipe), Just(Writeconf::Ask)].prop_map(What::Keep),
    ];
    let event = (what, 0..NAMES.len(), 0_usize..3, 0_u32..3, any::<bool>(), prop::bool::weighted(0.2));
    let event = event.prop_map(|(what, name, value, index, mdt, brings)| Event {
        what,
        name,
        value,
        index,
        mdt,
        brings,
    });
    prop::collection::vec(event, 1..40)
}

fn node(event: Event) -> Node {
    let node = if event.mdt { mdt(event.index) } else { ost(event.index) };
    let brings = if event.mdt { "mdt.identity_expire=30" } else { "osc.max_dirty_mb=24" };
    node.with(|n| {
        if event.brings {
            n.info.params = format!("{brings} sys.timeout=60 ");
        }
    })
}

fn happens(mgs: &mut Mgs, event: Event) {
    let (name, values) = NAMES[event.name];
    let name = name.replace("{}", &format!("{:04x}", event.index));
    match event.what {
        What::Set { wait } => {
            let text = format!("{name}={}", values[event.value]);
            assign(mgs, text, false, wait);
        }
        What::Unset { value: false } => assign(mgs, name, true, false),
        What::Unset { value: true } => assign(mgs, format!("{name}={}", values[event.value]), true, false),
        What::Register => drop(register(mgs, &node(event))),
        What::Writeconf => drop(register(mgs, &node(event).writeconf())),
        What::Restart => *mgs = mgs.restarted(),
        What::Keep(writeconf) => {
            drop(mgs.order(Command::Fs(fs::Command::Writeconf { fs: "testfs".to_owned(), writeconf })));
        }
    }
}

/// Refused, where there is nothing to set it on: that is no affair of this test.
fn assign(mgs: &mut Mgs, text: String, delete: bool, wait: bool) {
    let syntax = Some(if text.starts_with("testfs") { Syntax::ConfParam } else { Syntax::SetParam });
    drop(mgs.order(param::Command::Assign { text, syntax, delete, force: false, wait }.into()));
}

fn role(log: &str) -> Option<Role> {
    if log == "params" {
        return Some(Role::Client);
    }
    match log.strip_prefix("testfs-")?.get(..3)? {
        "cli" => Some(Role::Client),
        "MDT" => Some(Role::Mdt),
        "OST" => Some(Role::Ost),
        _ => None,
    }
}

/// The question to ask for a parameter of a tree.
fn question(log: &str, device: &str, name: &str) -> (String, String) {
    let of = device.strip_prefix("testfs").unwrap_or(device).trim_start_matches('-');
    let target = of.split('-').next().and_then(TargetId::parse).map(|id| id.svname("testfs"));
    match (name.split('.').next().unwrap(), target) {
        // What stands in the log of one reader.
        ("sys" | "quota", _) => (log.replace("-client", ""), name.to_owned()),
        ("lov", None) => ("testfs-MDT0000".to_owned(), name.to_owned()),
        (_, Some(target)) if name == "osp.active" => (target, "mdc.active".to_owned()),
        (_, None) if name == "llite.root_squash" => ("testfs".to_owned(), "mdt.root_squash".to_owned()),
        (_, Some(target)) => (target, name.to_owned()),
        (_, None) => ("testfs".to_owned(), name.to_owned()),
    }
}

fn params(mgs: &Mgs) -> BTreeMap<String, String> {
    let (tree, error) = execute_log(Role::Client, "params", &mgs.engine.view().logs["params"].log);
    assert_eq!(error, None);
    tree.params.into_iter().map(|((_, name), value)| (name, value)).collect()
}

/// What is read back for everything that a log says.
fn read_back(mgs: &Mgs, log: &str, tree: &ConfigTree) {
    let mut all = tree.params.clone();
    if let Some(timeout) = tree.timeout {
        all.insert((String::new(), "sys.timeout".to_owned()), timeout.to_string());
    }
    // The second way in which MDTs are told of mdc.active.
    let second = |name: &str| name.starts_with("testfs-");
    for ((device, name), value) in all.into_iter().filter(|((_, name), _)| !second(name)) {
        let (of, asked) = question(log, &device, &name);
        let found =
            effective(mgs.engine.view(), 0, &of, &asked).unwrap_or_else(|e| panic!("{of} {asked}: {e}"));
        let reader =
            found.readers.iter().find(|r| r.log == log).unwrap_or_else(|| panic!("{log}: {found:?}"));
        let told: Vec<_> = reader.in_force.iter().chain(&reader.shadowed).collect();
        let own: Vec<&str> =
            told.iter().filter(|t| t.syntax == Syntax::ConfParam).map(|t| t.value.as_str()).collect();
        // Where a path covers it, the path holds, and the log's own value is shown behind it.
        if compound(&name) {
            assert!(own.contains(&value.as_str()), "{log} {name}={value}: {reader:?}");
        } else {
            assert_eq!(own.first().copied(), Some(value.as_str()), "{log} {device} {name}: {reader:?}");
            let paths = params(mgs);
            let holds = &reader.in_force[0];
            if holds.syntax == Syntax::SetParam {
                assert_eq!(paths.get(&holds.name), Some(&holds.value), "{reader:?}");
            } else {
                assert_eq!(holds.value, value, "{reader:?}");
            }
        }
    }
}

/// The nodes that a log connects to besides the first of each target are those that are read back.
fn connections_read_back(mgs: &Mgs, log: &str, tree: &ConfigTree) {
    for (name, device) in &tree.devices {
        let target =
            name.split('-').nth(1).and_then(TargetId::parse).filter(|id| id.svname("testfs") != *log);
        let Some(target) = target.filter(|_| !device.connections.is_empty()) else { continue };
        let found = effective(mgs.engine.view(), 0, &target.svname("testfs"), "failover.node").unwrap();
        let told = found.readers.iter().filter(|r| r.log == log).flat_map(|r| &r.in_force);
        let nodes = told.flat_map(|t| t.value.split(':')).map(|node| node.split(',').next().unwrap());
        let ours: BTreeSet<&str> = nodes.collect();
        let theirs: BTreeSet<&str> = device.connections.iter().skip(1).map(String::as_str).collect();
        assert_eq!(ours, theirs, "{log} {name}");
    }
}

/// What is read back for everything that the log of paths says.
fn paths_read_back(mgs: &Mgs) {
    for (path, value) in params(mgs) {
        let named = named(&path).map(|id| id.svname("testfs"));
        let of = named.as_deref().unwrap_or("testfs-OST0000");
        let found = effective(mgs.engine.view(), 0, of, &path).unwrap_or_else(|e| panic!("{of} {path}: {e}"));
        assert!(!found.readers.is_empty(), "{path}");
        for reader in &found.readers {
            let mut told = reader.in_force.iter().chain(&reader.shadowed);
            assert!(told.any(|t| t.name == path && t.value == value), "{path}={value}: {reader:?}");
        }
    }
}

/// The target that a path names.
fn named(path: &str) -> Option<TargetId> {
    let part = path.split('.').nth(1)?.strip_prefix("testfs-")?;
    TargetId::parse(part.get(..7)?)
}

/// Every setting is in the logs of those who have registered, and in no other.
fn bound(mgs: &Mgs, trees: &BTreeMap<String, ConfigTree>) {
    let view = mgs.engine.view();
    let registered: BTreeSet<TargetId> =
        view.fs.get("testfs").map(|fs| fs.targets.keys().copied().collect()).unwrap_or_default();
    let has = |log: &str, device: &str, name: &str| {
        trees.get(log).and_then(|tree| tree.params.get(&(device.to_owned(), name.to_owned()))).cloned()
    };
    for (path, setting) in view.settings.set.iter().filter(|(_, setting)| !setting.is_unset()) {
        let here = named(path).is_none_or(|id| registered.contains(&id));
        let told = view.logs["params"].log.records().filter(|r| r.live).filter_map(|r| r.cfg().ok());
        let values: BTreeSet<String> = told.filter_map(|cfg| Some(cfg.buf_str(1)?.to_owned())).collect();
        for value in &setting.values {
            // Once told, a path stays: a writeconf takes nothing out of that log.
            assert!(!here || values.contains(&format!("{path}={}", value.value)), "{path} {value:?}");
        }
    }
    for ((scope, name), setting) in view.settings.conf.get("testfs").into_iter().flatten() {
        if setting.is_unset() {
            continue;
        }
        let value = Some(setting.values.last().unwrap().value.clone());
        match (scope, name.split('.').next().unwrap()) {
            (Scope::Fs, "sys") if name != "sys.timeout" => {
                for id in &registered {
                    let log = id.svname("testfs");
                    assert_eq!(has(&log, "", name), value, "{log} {name}");
                }
            }
            (Scope::Fs, "quota") => {
                for id in &registered {
                    assert_eq!(has(&id.svname("testfs"), "testfs", name), value, "{id} {name}");
                }
            }
            (Scope::Target(id), "osc") => {
                let device = format!("{}-osc", id.svname("testfs"));
                let expected = value.filter(|_| registered.contains(id));
                assert_eq!(has("testfs-client", &device, name), expected, "{id} {name}");
                for mdt in registered.iter().filter(|id| id.kind == TargetKind::Mdt) {
                    assert_eq!(
                        has(&mdt.svname("testfs"), &format!("{device}-{mdt}"), name),
                        expected,
                        "{mdt} {name}"
                    );
                }
            }
            (Scope::Target(id), "ost") if registered.contains(id) => {
                let log = id.svname("testfs");
                assert_eq!(has(&log, &log, name), value, "{log} {name}");
            }
            _ => {}
        }
    }
}

struct Reader {
    log: String,
    oid: u64,
    last: u32,
    interp: Interpreter,
}

/// Who reads on from wherever they are and who begins anew agree, and so does what is read back.
fn check(mgs: &Mgs, readers: &mut Vec<Reader>) {
    let logs = &mgs.engine.view().logs;
    let mut trees = BTreeMap::new();
    for (log, entry) in logs {
        let Some(role) = role(log) else { continue };
        let (tree, error) = execute_log(role, log, &entry.log);
        assert_eq!(error, None, "{log}");
        if log != "params" {
            read_back(mgs, log, &tree);
            connections_read_back(mgs, log, &tree);
        }
        trees.insert(log.clone(), tree);
        let interp = Interpreter::new(role, log, Vec::new());
        readers.push(Reader { log: log.clone(), oid: entry.head.oid, last: 0, interp });
    }
    bound(mgs, &trees);
    paths_read_back(mgs);
    readers.retain_mut(|reader| {
        let Some(entry) = logs.get(&reader.log).filter(|e| e.head.oid == reader.oid) else { return false };
        for record in entry.log.records_from(reader.last + 1).filter(|r| r.live) {
            if let Err(error) = reader.interp.execute(record.index, record.payload) {
                // A writeconf of an MDT adds an MDC that a running client has: it has to mount again (mgs/04, 4.2).
                assert!(error.errno == -17 && error.what.ends_with("-mdc") && reader.last > 0, "{error}");
                return false;
            }
        }
        reader.last = entry.log.last_index();
        // A value that was taken away, and whose default is not known, stays with who runs: this was said.
        let now = reader.interp.tree();
        // Of rules that add up, the tree has the one that was said last.
        for (key, value) in trees[&reader.log].params.iter().filter(|((_, name), _)| !compound(name)) {
            assert_eq!(now.params.get(key), Some(value), "{} {key:?}", reader.log);
        }
        if let Some(timeout) = trees[&reader.log].timeout {
            assert_eq!(now.timeout, Some(timeout), "{}", reader.log);
        }
        true
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_back_is_what_nodes_end_with(history in events()) {
        let (mut mgs, mut readers) = (Mgs::new(), Vec::new());
        for first in [mdt(0), ost(0)] {
            assert_eq!(register(&mut mgs, &first).status, 0);
        }
        for event in history {
            happens(&mut mgs, event);
            check(&mgs, &mut readers);
        }
    }
}

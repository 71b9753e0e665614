//! Weaknesses of a kernel MGS (docs/weaknesses.md) that no other test shows mended.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod golden;
mod harness;
mod targets;

use capture::states;
use golden::found::found;
use harness::{Mgs, encode, nid};
use llog::lcfg::LustreCfg;
use llog::marker::flag;
use lustre_peer::interp::{Role, execute_log};
use mgs_core::Errno;
use mgs_core::model::TargetId;
use mgs_core::model::command::{Command, fork, log, nids, param, registration, sptlrpc};
use mgs_core::model::rules::Policy;
use targets::{mdt, ost, register};
use wire::ldlm::{ConfigKind, LdlmRequest, LockDesc, PLAIN, ResId, mode};
use wire::llog_rpc::LlogdBody;
use wire::mgs::{ConfigBody, config_type, ldd};
use wire::ptlrpc::opc;

fn site() -> Mgs {
    let mut mgs = Mgs::new();
    for target in [mdt(0), ost(0), ost(1)] {
        assert_eq!(register(&mut mgs, &target).status, 0);
    }
    mgs
}

fn assign(text: &str) -> Command {
    let text = text.to_owned();
    param::Command::Assign { text, syntax: None, delete: false, force: false, wait: false }.into()
}

fn set(path: &str, value: &str, delete: bool) -> Command {
    param::Command::Set { path: path.to_owned(), value: value.to_owned(), delete }.into()
}

/// Every node leaves.
fn unmount(mgs: &mut Mgs) {
    let there: Vec<_> = mgs.engine.exports().iter().map(|e| (e.address.peer, e.cookie)).collect();
    for (peer, handle) in there {
        assert_eq!(mgs.call(peer, handle, opc::MGS_DISCONNECT, Vec::new()).body().status, 0);
    }
}

/// Sections of a log that are executed: target, comment, records between the markers.
fn live(log: &llog::Log) -> Vec<(String, String, Vec<LustreCfg>)> {
    let mut out = Vec::new();
    let mut open: Option<(String, String, Vec<LustreCfg>)> = None;
    for cfg in log.records().filter(|r| r.live).filter_map(|r| r.cfg().ok()) {
        match cfg.marker() {
            Some(m) if m.is_start() && m.flags & flag::SKIP == 0 => {
                open = Some((m.tgtname, m.comment, Vec::new()));
            }
            Some(_) => out.extend(open.take()),
            None => open.iter_mut().for_each(|(.., records)| records.push(cfg.clone())),
        }
    }
    out
}

/// 6: what makes a kernel MGS turn for ever.
#[test]
fn a_parameter_of_mdts_on_an_ost_is_answered() {
    let mut mgs = site();
    for text in ["testfs-OST0000.mdt.identity_expire=60", "testfs-OST0000.lov.stripesize=1M"] {
        let error = mgs.order(assign(text)).unwrap_err().to_string();
        assert!(error.contains("(wrong-target)"), "{text}: {error}");
    }
    // The same unjudged, as an import or an earlier release may have it.
    let conf = param::Command::Conf {
        device: "testfs-OST0000".to_owned(),
        name: "mdt.identity_expire".to_owned(),
        value: "60".to_owned(),
        delete: false,
    };
    assert_eq!(mgs.order(conf.into()).unwrap_err().errno(), Errno::EINVAL);
}

/// 9: a path is replaced and taken away whichever file systems were known when it was set.
#[test]
fn a_path_is_found_again_whatever_was_known_when_it_was_set() {
    let mut mgs = Mgs::new();
    let path = "osc.testfs-OST0000*.max_dirty_mb";
    let sections = |mgs: &Mgs| live(&mgs.engine.view().logs["params"].log);
    mgs.order(set(path, "64", false)).unwrap();
    assert_eq!(sections(&mgs)[0].0, "general");
    assert_eq!(register(&mut mgs, &mdt(0).of("test")).status, 0);
    mgs.order(set(path, "65", false)).unwrap();
    assert_eq!(register(&mut mgs, &mdt(0)).status, 0);
    let mut mgs = mgs.restarted();
    mgs.order(set(path, "66", false)).unwrap();
    let left = sections(&mgs);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((left[0].0.as_str(), left[0].2[0].buf_str(1).unwrap()), ("testfs", &*format!("{path}=66")));
    mgs.order(set(path, "", true)).unwrap();
    let (tree, error) = execute_log(Role::Client, "params", &mgs.engine.view().logs["params"].log);
    assert_eq!(error, None);
    assert!(!format!("{:?}", tree.params).contains("66"), "{tree:?}");
}

/// 10: what belongs to one target is refused as a path, with the way that works.
#[test]
fn what_is_no_path_is_refused_with_the_way_that_works() {
    let mut mgs = site();
    let before = mgs.store.clone();
    for (path, way) in [
        ("failover.node", "param set TARGET."),
        ("obdfilter.testfs-OST0000.failover.node", "param set TARGET."),
        ("srpc.flavor.default", "param set TARGET."),
        ("llite.testfs-*.root_squash", "mdt.*.root_squash"),
    ] {
        let error = mgs.order(set(path, "10.0.0.9@tcp", false)).unwrap_err();
        assert!(error.errno() == Errno::EINVAL && error.to_string().contains(way), "{path}: {error}");
    }
    assert_eq!(mgs.store, before);
}

/// 12: of a parameter that a source has twice, no section survives.
#[test]
fn every_section_of_a_parameter_is_replaced() {
    let mut command = found(&states::session("B"), "B01h-conf_params");
    let name = "llite.max_read_ahead_mb";
    let count = |log: &llog::Log| live(log).iter().filter(|(_, comment, _)| comment == name).count();
    let mut log = llog::Log::from_file(&command.logs["testfs-client"]).unwrap();
    let mut section = Vec::new();
    for cfg in log.records().filter(|r| r.live).filter_map(|r| r.cfg().ok()) {
        match cfg.marker() {
            Some(m) if m.comment != name || m.flags & flag::SKIP != 0 => section.retain(|_: &LustreCfg| true),
            Some(m) if m.is_start() => section = vec![cfg],
            Some(_) => section.push(cfg),
            None if section.len() == 1 => section.push(cfg),
            None => {}
        }
    }
    assert_eq!(section.len(), 3, "{section:?}");
    for record in [&section[..], &section[..]].concat() {
        log.append(&record, 1_800_000_000).unwrap();
    }
    assert_eq!(count(&log), 3);
    command.logs.insert("testfs-client".to_owned(), log.to_file());
    let mut mgs = Mgs::new();
    mgs.order(command.into()).unwrap();
    mgs.order(assign("testfs.llite.max_read_ahead_mb=77")).unwrap();
    assert_eq!(count(&mgs.engine.view().logs["testfs-client"].log), 1);
    let gone = param::Command::Conf {
        device: "testfs".to_owned(),
        name: name.to_owned(),
        value: String::new(),
        delete: true,
    };
    mgs.order(gone.into()).unwrap();
    let (tree, _) = execute_log(Role::Client, "testfs-client", &mgs.engine.view().logs["testfs-client"].log);
    assert!(!format!("{:?}", tree.params).contains("77"), "{:?}", tree.params);
}

/// 13, 27: whatever is asked for by a name that nobody knows, nothing comes into being.
#[test]
fn reading_makes_nothing() {
    let mut mgs = site();
    let peer = nid("10.0.0.4@tcp");
    let handle = mgs.connect(peer, "client");
    let before = mgs.store.clone();
    for log in ["nosuch-client", "testfs-OST0042", "testfs-MDT0042", "nosuch-sptlrpc", "nodemap-client", "x"]
    {
        let name = format!("{log}\0").into_bytes();
        let open = vec![encode(&LlogdBody::default()), name];
        assert_ne!(mgs.call(peer, handle, opc::LLOG_ORIGIN_HANDLE_CREATE, open).body().status, 0, "{log}");
    }
    for name in ["nosuch-cliir", "testfs-OST0042", "nosuch"] {
        let ask = ConfigBody {
            name: name.to_owned(),
            offset: 0,
            config_type: config_type::RECOVER,
            nid_size_or_pass: 0,
            bits: 12,
            units: 256,
        };
        assert_ne!(
            mgs.call(peer, handle, opc::MGS_CONFIG_READ, vec![encode(&ask)]).body().status,
            0,
            "{name}"
        );
    }
    for (fs, kind) in [("nosuch", ConfigKind::Config), ("nosuch", ConfigKind::Recover)] {
        let resource = ResId::config(fs, kind).unwrap();
        let desc = LockDesc { lock_type: PLAIN, resource, req_mode: mode::CR, ..LockDesc::default() };
        let lock = LdlmRequest { desc, handles: vec![7, 0], ..LdlmRequest::default() };
        mgs.call(peer, handle, opc::LDLM_ENQUEUE, vec![encode(&lock)]);
    }
    for text in ["nosuch.sys.timeout=20", "nosuch-OST0000.osc.max_dirty_mb=1"] {
        assert_eq!(mgs.order(assign(text)).unwrap_err().errno(), Errno::EINVAL, "{text}");
    }
    mgs.store.retain(|key, _| before.contains_key(key) || !key.starts_with("commit/"));
    assert_eq!(mgs.store, before);
}

/// 14: an index is free when del_ost has taken its OST; its own log is given up by a writeconf.
#[test]
fn an_index_is_free_when_del_ost_has_taken_its_ost() {
    let mut mgs = site();
    assert_eq!(register(&mut mgs, &ost(1).ready(1)).status, 0);
    let stranger = ost(1).with(|n| n.nids = vec!["10.0.0.8@tcp".to_owned()]);
    assert_eq!(register(&mut mgs, &stranger).status, Errno::EADDRINUSE.status());
    mgs.order(log::Command::DelOst { target: "testfs-OST0001".to_owned() }.into()).unwrap();
    assert_eq!(register(&mut mgs, &stranger).status, Errno::EALREADY.status());
    assert_eq!(register(&mut mgs, &stranger.writeconf()).status, 0);
    assert_eq!(mgs.engine.view().fs["testfs"].targets[&TargetId::ost(1)].nids, [nid("10.0.0.8@tcp")]);
}

/// 22: the log of clients is lost, which somebody has to say. As with a kernel MGS MDT0000 erases the rest; settings are
/// no part of logs, and come back with the targets.
#[test]
fn settings_outlive_the_loss_of_logs() {
    let mut mgs = site();
    mgs.order(assign("testfs.llite.max_read_ahead_mb=77")).unwrap();
    mgs.order(assign("testfs-OST0001.osc.max_dirty_mb=33")).unwrap();
    let whole = |mgs: &Mgs| {
        let log = &mgs.engine.view().logs["testfs-client"].log;
        let (tree, error) = execute_log(Role::Client, "testfs-client", log);
        assert_eq!(error, None);
        tree
    };
    let before = whole(&mgs);
    let remove = || -> Command { log::Command::Remove { log: "testfs-client".to_owned() }.into() };
    assert_eq!(mgs.order(remove()).unwrap_err().errno(), Errno::EBUSY, "nodes have it mounted");
    unmount(&mut mgs);
    let done = mgs.order(remove()).unwrap();
    assert!(done.warnings.iter().any(|w| w.contains("erases its other logs")), "{done:?}");
    for target in [mdt(0).again(), ost(1).writeconf(), ost(0).writeconf()] {
        assert_eq!(register(&mut mgs, &target).status, 0);
    }
    assert_eq!(whole(&mgs).params, before.params);
    assert_eq!(whole(&mgs).to_string(), before.to_string());
}

/// 23: the log of security rules is one of its file system, and of no other.
#[test]
fn security_rules_go_with_their_file_system() {
    let mut mgs = site();
    assert_eq!(register(&mut mgs, &mdt(0).of("test")).status, 0);
    for fs in ["test", "testfs"] {
        let rule = sptlrpc::Command {
            device: fs.to_owned(),
            rule: "default".to_owned(),
            flavor: Some("null".to_owned()),
        };
        mgs.order(rule.into()).unwrap();
    }
    unmount(&mut mgs);
    mgs.order(fork::Command::Erase { fs: "test".to_owned() }.into()).unwrap();
    let left: Vec<&String> = mgs.engine.view().logs.keys().filter(|log| log.contains("-sptlrpc")).collect();
    assert_eq!(left, ["testfs-sptlrpc"]);
}

/// 28: names of nodes made of long NIDs are cut to 39 characters.
#[test]
fn nodes_whose_names_would_be_one_are_refused() {
    let mut mgs = site();
    let (one, other) =
        ("fd00:1111:2222:3333:4444:5555:6666:7777@tcp", "2001:1111:2222:3333:4444:5555:6666:7777@tcp");
    let at = |index, nid: &str| ost(index).with(|n| n.nids = vec![nid.to_owned()]);
    assert_eq!(register(&mut mgs, &at(5, one)).status, 0);
    assert_eq!(register(&mut mgs, &at(6, one)).status, 0, "two targets of one node");
    let before = mgs.store.clone();
    assert_eq!(register(&mut mgs, &at(7, other)).status, Errno::ENOTUNIQ.status());
    assert!(format!("{:?}", mgs.events.last()).contains("testfs-OST0005"), "{:?}", mgs.events.last());
    let as_failover = ost(7).with(|n| n.info.params = format!("failover.node={other} "));
    assert_eq!(register(&mut mgs, &as_failover).status, Errno::ENOTUNIQ.status());
    let added = param::Command::Conf {
        device: "testfs-OST0000".to_owned(),
        name: "failover.node".to_owned(),
        value: other.to_owned(),
        delete: false,
    };
    assert_eq!(mgs.order(added.into()).unwrap_err().errno(), Errno::ENOTUNIQ);
    let moved = nids::Command { target: "testfs-OST0000".to_owned(), nids: other.to_owned(), rewrite: false };
    assert_eq!(mgs.order(moved.into()).unwrap_err().errno(), Errno::ENOTUNIQ);
    assert_eq!(mgs.store, before);
}

/// 37: a target without an index, where nobody may register.
#[test]
fn a_target_that_wants_an_index_is_refused_like_any_other() {
    let mut mgs = site();
    let any = ost(0).with(|n| n.info.flags |= ldd::NEED_INDEX);
    mgs.order(registration::Command::Default(Policy::Closed).into()).unwrap();
    let close =
        mgs_core::model::command::fs::Command::Policy { fs: "testfs".to_owned(), policy: Policy::Closed };
    mgs.order(close.into()).unwrap();
    let mut mgs = mgs.restarted();
    for node in [any.clone(), any.clone().of("newfs")] {
        assert_eq!(register(&mut mgs, &node).status, Errno::EACCES.status(), "{}", node.info.fsname);
    }
    assert!(!mgs.engine.view().fs.contains_key("newfs"));
}

/// 45: behind the names of a marker there are zeros.
#[test]
fn markers_carry_nothing_of_earlier_names() {
    let mut mgs = site();
    mgs.order(assign("testfs-OST0000.osc.max_rpcs_in_flight=16")).unwrap();
    mgs.order(assign("testfs.sys.timeout=77")).unwrap();
    mgs.order(set("osc.*.max_dirty_mb", "64", false)).unwrap();
    let mut seen = 0;
    for (name, entry) in &mgs.engine.view().logs {
        for cfg in entry.log.records().filter_map(|r| r.cfg().ok()).filter(|cfg| cfg.marker().is_some()) {
            let marker = &cfg.bufs[1];
            for field in [&marker[32..96], &marker[96..160]] {
                let end = field.iter().position(|b| *b == 0).unwrap();
                assert!(field[end..].iter().all(|b| *b == 0), "{name}: {:?}", cfg.marker());
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

//! Settings wait for their target, reach targets that register later, outlive a writeconf, and are read back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod harness;
mod targets;

use harness::Mgs;
use lustre_peer::interp::{Role, execute_log};
use mgs_core::Errno;
use mgs_core::model::command::pool::{self, Action, Members};
use mgs_core::model::command::{Command, Done, fs, param};
use mgs_core::model::effective::{Effective, effective};
use mgs_core::model::settings::Writeconf;
use targets::{mdt, ost, register};

fn site() -> Mgs {
    let mut mgs = Mgs::new();
    for target in [mdt(0), ost(0)] {
        assert_eq!(register(&mut mgs, &target).status, 0);
    }
    mgs
}

fn assign(text: &str, delete: bool, wait: bool) -> Command {
    param::Command::Assign { text: text.to_owned(), syntax: None, delete, force: false, wait }.into()
}

fn set(mgs: &mut Mgs, text: &str) -> Box<Done> {
    mgs.order(assign(text, false, false)).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn unset(mgs: &mut Mgs, text: &str) -> Box<Done> {
    mgs.order(assign(text, true, false)).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn get(mgs: &Mgs, device: &str, name: &str) -> Effective {
    effective(mgs.engine.view(), 0, device, name).unwrap_or_else(|e| panic!("{device} {name}: {e}"))
}

/// What the readers of a log are told; empty: nothing.
fn told(mgs: &Mgs, device: &str, name: &str, log: &str) -> String {
    let found = get(mgs, device, name);
    let reader = found.readers.iter().find(|r| r.log == log).unwrap_or_else(|| panic!("{log}: {found:?}"));
    reader.in_force.last().map(|t| t.value.clone()).unwrap_or_default()
}

/// What a node that mounts now ends with.
fn mounted(mgs: &Mgs, role: Role, log: &str, device: &str, name: &str) -> Option<String> {
    let (tree, error) = execute_log(role, log, &mgs.engine.view().logs[log].log);
    assert_eq!(error, None, "{log}");
    tree.params.get(&(device.to_owned(), name.to_owned())).cloned()
}

#[test]
fn a_setting_waits_for_its_target() {
    let mut mgs = site();
    let text = "testfs-OST0005.osc.max_dirty_mb=64";
    // Nobody said that it is to wait.
    assert_eq!(mgs.order(assign(text, false, false)).unwrap_err().errno(), Errno::EINVAL);
    let last = mgs.engine.view().logs["testfs-client"].log.last_index();
    let done = mgs.order(assign(text, false, true)).unwrap();
    assert!(done.logs.is_empty() && done.warnings.iter().any(|w| w.contains("waits")), "{done:?}");
    assert_eq!(mgs.engine.view().logs["testfs-client"].log.last_index(), last);
    // What it will be told is known before it comes.
    let mut mgs = mgs.restarted();
    let answer = get(&mgs, "testfs-OST0005", "osc.max_dirty_mb");
    assert!(!answer.registered);
    assert_eq!(answer.readers.iter().map(|r| r.in_force[0].value.as_str()).collect::<Vec<_>>(), ["64", "64"]);
    assert_eq!(register(&mut mgs, &ost(5)).status, 0);
    let value = mounted(&mgs, Role::Client, "testfs-client", "testfs-OST0005-osc", "osc.max_dirty_mb");
    assert_eq!(value.as_deref(), Some("64"));
    let value = mounted(&mgs, Role::Mdt, "testfs-MDT0000", "testfs-OST0005-osc-MDT0000", "osc.max_dirty_mb");
    assert_eq!(value.as_deref(), Some("64"));
    let answer = get(&mgs, "testfs-OST0005", "osc.max_dirty_mb");
    assert!(answer.registered);
    assert_eq!(answer.readers[0].in_force[0].by.as_deref(), Some("uid:0"));
}

#[test]
fn what_waits_can_be_taken_back() {
    let mut mgs = site();
    mgs.order(assign("testfs-OST0005.osc.max_dirty_mb=64", false, true)).unwrap();
    assert!(unset(&mut mgs, "testfs-OST0005.osc.max_dirty_mb").seq.is_some());
    let again = mgs.order(assign("testfs-OST0005.osc.max_dirty_mb", true, false)).unwrap_err();
    assert_eq!(again.errno(), Errno::ENOENT);
    assert_eq!(register(&mut mgs, &ost(5)).status, 0);
    assert_eq!(told(&mgs, "testfs-OST0005", "osc.max_dirty_mb", "testfs-client"), "");
}

#[test]
fn a_path_that_names_a_target_waits_too() {
    let mut mgs = site();
    let text = "obdfilter.testfs-OST0005.brw_size=8";
    assert!(mgs.order(assign(text, false, true)).unwrap().logs.is_empty());
    assert_eq!(told(&mgs, "testfs-OST0005", "ost.brw_size", "testfs-OST0005"), "8");
    assert_eq!(register(&mut mgs, &ost(5)).status, 0);
    assert_eq!(told(&mgs, "testfs-OST0005", "ost.brw_size", "testfs-OST0005"), "8");
    let log = &mgs.engine.view().logs["params"].log;
    assert!(log.records().any(|r| r.cfg().unwrap().buf_str(1) == Some(text)));
}

#[test]
fn settings_of_all_reach_later_members() {
    let mut mgs = site();
    for text in [
        "testfs.sys.at_max=300",
        "testfs.sys.timeout=77",
        "testfs.quota.ost=ug",
        "testfs.mdt.identity_upcall=NONE",
    ] {
        set(&mut mgs, text);
    }
    for target in [ost(1), mdt(1)] {
        assert_eq!(register(&mut mgs, &target).status, 0);
    }
    for (role, log) in [(Role::Ost, "testfs-OST0001"), (Role::Mdt, "testfs-MDT0001")] {
        assert_eq!(mounted(&mgs, role, log, "", "sys.at_max").as_deref(), Some("300"), "{log}");
        assert_eq!(mounted(&mgs, role, log, "testfs", "quota.ost").as_deref(), Some("ug"), "{log}");
        let (tree, _) = execute_log(role, log, &mgs.engine.view().logs[log].log);
        assert_eq!(tree.timeout, Some(77), "{log}");
        assert_eq!(told(&mgs, log, "timeout", log), "77");
    }
    let upcall = mounted(&mgs, Role::Mdt, "testfs-MDT0001", "testfs-MDT0001", "mdt.identity_upcall");
    assert_eq!(upcall.as_deref(), Some("NONE"));
    // Nothing is written twice: registering changed nothing in the logs of others but their sections of the target.
    assert_eq!(told(&mgs, "testfs", "mdt.identity_upcall", "testfs-MDT0001"), "NONE");
}

fn pools(mgs: &Mgs) -> Vec<(String, Vec<String>)> {
    let log = &mgs.engine.view().logs["testfs-client"].log;
    pool::pools("testfs", Some(log)).into_iter().map(|(n, m)| (n, m.into_iter().collect())).collect()
}

/// Settings of every kind, and a pool.
fn rich() -> Mgs {
    let mut mgs = site();
    assert_eq!(register(&mut mgs, &mdt(1)).status, 0);
    for text in [
        "testfs.sys.timeout=77",
        "testfs.llite.max_read_ahead_mb=32",
        "testfs-OST0000.osc.max_dirty_mb=64",
        "testfs-OST0000.ost.brw_size=8",
        "testfs-MDT0001.mdt.identity_upcall=NONE",
        "osc.*.max_rpcs_in_flight=16",
    ] {
        set(&mut mgs, text);
    }
    for action in [Action::New, Action::Add(Members::Named(vec!["OST0000".to_owned()]))] {
        mgs.order(pool::Command::new("testfs.fast", action).into()).unwrap();
    }
    mgs
}

fn all(mgs: &Mgs) -> Vec<String> {
    [
        ("testfs", "sys.timeout", "testfs-client"),
        ("testfs", "llite.max_read_ahead_mb", "testfs-client"),
        ("testfs-OST0000", "osc.max_dirty_mb", "testfs-client"),
        ("testfs-OST0000", "osc.max_rpcs_in_flight", "testfs-client"),
        ("testfs-OST0000", "ost.brw_size", "testfs-OST0000"),
        ("testfs-MDT0001", "mdt.identity_upcall", "testfs-MDT0001"),
    ]
    .map(|(device, name, log)| told(mgs, device, name, log))
    .to_vec()
}

fn writeconf_all(mgs: &mut Mgs) -> i32 {
    let first = register(mgs, &mdt(0).writeconf()).status;
    for target in [mdt(1), ost(0)] {
        if first == 0 {
            assert_eq!(register(mgs, &target.writeconf()).status, 0);
        }
    }
    first
}

#[test]
fn a_writeconf_keeps_settings_and_pools() {
    let mut mgs = rich();
    let before = all(&mgs);
    assert_eq!(before, ["77", "32", "64", "16", "8", "NONE"]);
    assert_eq!(register(&mut mgs, &mdt(0).writeconf()).status, 0);
    // Nobody has come back yet: nothing in the logs names who is not there.
    let (_, error) = execute_log(Role::Client, "testfs-client", &mgs.engine.view().logs["testfs-client"].log);
    assert_eq!(error, None);
    assert!(!get(&mgs, "testfs-OST0000", "osc.max_dirty_mb").registered);
    assert_eq!(told(&mgs, "testfs-OST0000", "osc.max_dirty_mb", "testfs-client"), "64");
    // While it is away it can be set, unasked: it is expected.
    set(&mut mgs, "testfs-OST0000.osc.idle_timeout=30");
    let mut mgs = mgs.restarted();
    for target in [ost(0), mdt(1)] {
        assert_eq!(register(&mut mgs, &target.writeconf()).status, 0);
    }
    assert_eq!(all(&mgs), before);
    assert_eq!(told(&mgs, "testfs-OST0000", "osc.idle_timeout", "testfs-client"), "30");
    assert_eq!(pools(&mgs), [("fast".to_owned(), vec!["testfs-OST0000".to_owned()])]);
    for (role, log) in
        [(Role::Client, "testfs-client"), (Role::Mdt, "testfs-MDT0001"), (Role::Mdt, "testfs-MDT0000")]
    {
        let (tree, error) = execute_log(role, log, &mgs.engine.view().logs[log].log);
        assert_eq!((error, tree.pools["fast"].len()), (None, 1), "{log}");
    }
    assert!(!mgs.store.contains_key("fs/testfs/pools"), "nobody is waited for");
}

#[test]
fn a_writeconf_wipes_or_asks_where_somebody_said_so() {
    let say = |writeconf| Command::Fs(fs::Command::Writeconf { fs: "testfs".to_owned(), writeconf });
    let mut mgs = rich();
    mgs.order(say(Writeconf::Ask)).unwrap();
    let before = mgs.store.clone();
    assert_eq!(writeconf_all(&mut mgs), Errno::EBUSY.status());
    assert_eq!(register(&mut mgs, &ost(0).writeconf()).status, Errno::EBUSY.status());
    assert_eq!(mgs.store, before);
    mgs.order(say(Writeconf::Wipe)).unwrap();
    assert_eq!(writeconf_all(&mut mgs), 0);
    assert_eq!(all(&mgs), ["", "", "", "16", "", ""]); // the log params belongs to no file system
    assert!(pools(&mgs).is_empty());
    assert!(!mgs.store.keys().any(|k| k.starts_with("param/testfs/")));
    // Nothing is left to ask for.
    mgs.order(say(Writeconf::Ask)).unwrap();
    assert_eq!(writeconf_all(&mut mgs), 0);
}

#[test]
fn a_writeconf_of_one_target_writes_its_settings_again() {
    let mut mgs = rich();
    let before = all(&mgs);
    for target in [ost(0), mdt(1)] {
        assert_eq!(register(&mut mgs, &target.writeconf()).status, 0);
        assert_eq!(all(&mgs), before);
    }
    assert_eq!(
        mounted(&mgs, Role::Ost, "testfs-OST0000", "testfs-OST0000", "ost.brw_size").as_deref(),
        Some("8")
    );
}

#[test]
fn what_somebody_said_outlives_what_a_target_brings() {
    let mut mgs = Mgs::new();
    let first = mdt(0).with(|n| n.info.params = "sys.timeout=60 sys.at_max=200 ".to_owned());
    assert_eq!(register(&mut mgs, &first).status, 0);
    let brought = &get(&mgs, "testfs", "sys.at_max").readers[0].in_force[0].clone();
    assert_eq!((brought.value.as_str(), brought.from.as_deref()), ("200", Some("testfs-MDT0000")));
    set(&mut mgs, "testfs.sys.timeout=77");
    // It changes one of its own, and brings the other as it was formatted.
    let again = first.writeconf().with(|n| n.info.params = "sys.timeout=60 sys.at_max=400 ".to_owned());
    assert_eq!(register(&mut mgs, &again).status, 0);
    assert_eq!(told(&mgs, "testfs", "sys.timeout", "testfs-client"), "77");
    assert_eq!(told(&mgs, "testfs", "sys.at_max", "testfs-client"), "400");
}

#[test]
fn a_deletion_tells_the_default_where_it_is_known() {
    let mut mgs = site();
    set(&mut mgs, "testfs-OST0000.osc.max_rpcs_in_flight=16");
    let done = unset(&mut mgs, "testfs-OST0000.osc.max_rpcs_in_flight");
    assert!(done.warnings.iter().any(|w| w.contains("default") || w.contains("keep")), "{done:?}");
    set(&mut mgs, "testfs.sys.timeout=77");
    let done = unset(&mut mgs, "testfs.sys.timeout");
    assert!(done.warnings.iter().any(|w| w.contains("told the default, 100")), "{done:?}");
    assert_eq!(told(&mgs, "testfs", "sys.timeout", "testfs-client"), "100");
    assert!(get(&mgs, "testfs", "sys.timeout").readers[0].in_force[0].unset);
    // It is gone for whoever registers later, and cannot be taken away twice.
    assert_eq!(register(&mut mgs, &ost(1)).status, 0);
    assert_eq!(told(&mgs, "testfs-OST0001", "sys.timeout", "testfs-OST0001"), "");
    assert_eq!(mgs.order(assign("testfs.sys.timeout", true, false)).unwrap_err().errno(), Errno::ENOENT);
    // No default is known: who keeps the old value is said.
    set(&mut mgs, "testfs.sys.jobid_var=procname_uid");
    let done = unset(&mut mgs, "testfs.sys.jobid_var");
    assert!(!done.warnings.is_empty(), "{done:?}");
}

#[test]
fn what_was_covered_holds_again() {
    let mut mgs = site();
    assert_eq!(register(&mut mgs, &mdt(1)).status, 0);
    set(&mut mgs, "testfs.mdt.identity_expire=600");
    set(&mut mgs, "testfs-MDT0001.mdt.identity_expire=900");
    assert_eq!(told(&mgs, "testfs-MDT0001", "mdt.identity_expire", "testfs-MDT0001"), "900");
    unset(&mut mgs, "testfs-MDT0001.mdt.identity_expire");
    assert_eq!(told(&mgs, "testfs-MDT0001", "mdt.identity_expire", "testfs-MDT0001"), "600");
    // A path holds behind the logs of a file system: its removal tells nobody a default that would be wrong.
    set(&mut mgs, "testfs-OST0000.osc.max_dirty_mb=64");
    let done = set(&mut mgs, "osc.*.max_dirty_mb=32");
    assert!(done.seq.is_some());
    let answer = get(&mgs, "testfs-OST0000", "osc.max_dirty_mb");
    assert_eq!(answer.readers[0].in_force[0].name, "osc.*.max_dirty_mb");
    assert_eq!(answer.readers[0].shadowed[0].name, "testfs-OST0000.osc.max_dirty_mb");
    let done = unset(&mut mgs, "osc.*.max_dirty_mb");
    assert!(done.warnings.iter().any(|w| w.contains("keep osc.*.max_dirty_mb=32")), "{done:?}");
    assert_eq!(told(&mgs, "testfs-OST0000", "osc.max_dirty_mb", "testfs-client"), "64");
}

#[test]
fn names_are_understood_in_every_spelling() {
    let mut mgs = site();
    let seq = set(&mut mgs, "testfs-OST0000.osc.max_dirty_mb=64").seq;
    for name in [
        "osc.max_dirty_mb",
        "osc.*.max_dirty_mb",
        "osc.testfs-OST0000-osc-*.max_dirty_mb",
        "osc/*/max_dirty_mb",
    ] {
        let answer = get(&mgs, "testfs-OST0000", name);
        assert_eq!(answer.canonical, "osc.testfs-OST0000-osc-*.max_dirty_mb", "{name}");
        assert_eq!(answer.conf_param.as_deref(), Some("testfs-OST0000.osc.max_dirty_mb"));
        assert_eq!(answer.set_param, ["osc.testfs-OST0000-osc-*.max_dirty_mb"]);
        assert_eq!(Some(answer.readers[0].in_force[0].seq), seq);
        assert_eq!(answer.tunables, ["osc.max_dirty_mb"]);
    }
    assert_eq!(get(&mgs, "testfs", "timeout").default.as_deref(), Some("100"));
    set(&mut mgs, "ost.OSS.ost_io.threads_max=64");
    assert_eq!(told(&mgs, "testfs-OST0000", "ost.OSS.ost_io.threads_max", "testfs-OST0000"), "64");
    for (device, name) in [
        ("testfs-OST0000", "osc.nosuch"),
        ("testfs-OST0000", "nosuch"),
        ("nofs", "sys.timeout"),
        ("testfs-MDT0000", "osc.max_dirty_mb.x"),
        ("testfs", ""),
    ] {
        assert!(effective(mgs.engine.view(), 0, device, name).is_err(), "{device} {name}");
    }
}

/// As a real MDT showed: what conf_param takes under a second name is read back under it, set or not.
#[test]
fn a_second_name_is_read_back_before_and_after() {
    let (mut mgs, name) = (site(), "lod.dom_stripesize");
    let before = get(&mgs, "testfs-MDT0000", name);
    assert_eq!(before.conf_param.as_deref(), Some("testfs-MDT0000.lod.dom_stripesize"));
    set(&mut mgs, "testfs-MDT0000.lod.dom_stripesize=512K");
    assert_eq!(told(&mgs, "testfs-MDT0000", name, "testfs-MDT0000"), "512K");
    unset(&mut mgs, "testfs-MDT0000.lod.dom_stripesize");
    // 1 MiB, the default.
    assert_eq!(told(&mgs, "testfs-MDT0000", name, "testfs-MDT0000"), "1048576");
}

/// A setting of the connection to an MDT stands behind the section that adds it, also when that is written anew: before
/// it, it would end every mount.
#[test]
fn settings_of_an_mdt_follow_its_connection_through_a_writeconf() {
    let mut mgs = site();
    assert_eq!(register(&mut mgs, &mdt(1)).status, 0);
    for text in [
        "testfs-MDT0001.mdc.max_rpcs_in_flight=9",
        "testfs-MDT0001.mdc.active=0",
        "testfs-MDT0001.failover.node=10.0.0.7@tcp",
    ] {
        set(&mut mgs, text);
    }
    assert_eq!(register(&mut mgs, &mdt(1).writeconf()).status, 0);
    let log = |name: &str, role| {
        let (tree, error) = execute_log(role, name, &mgs.engine.view().logs[name].log);
        assert_eq!(error, None, "{name}");
        tree
    };
    let (client, other) = (log("testfs-client", Role::Client), log("testfs-MDT0000", Role::Mdt));
    let says = |tree: &lustre_peer::interp::ConfigTree, device: &str, name: &str| {
        tree.params.get(&(device.to_owned(), name.to_owned())).cloned()
    };
    assert_eq!(says(&client, "testfs-MDT0001-mdc", "mdc.max_rpcs_in_flight").as_deref(), Some("9"));
    assert_eq!(says(&client, "testfs-MDT0001-mdc", "mdc.active").as_deref(), Some("0"));
    assert_eq!(says(&other, "testfs-MDT0001-osp-MDT0000", "osp.active").as_deref(), Some("0"));
    let active = |tree: &lustre_peer::interp::ConfigTree| {
        tree.mdts.iter().find(|((_, index), _)| *index == 1).map(|(_, member)| member.active)
    };
    assert_eq!((active(&client), active(&other)), (Some(false), Some(false)));
    // NIDs come with the registration, which had none.
    let failover = get(&mgs, "testfs-MDT0001", "failover.node");
    assert!(failover.readers.iter().all(|r| r.in_force.is_empty()), "{failover:?}");
    log("testfs-MDT0001", Role::Mdt);
}

//! What an administrator does to logs leaves the bytes that the kernel MGS left in session C.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod golden;
mod harness;
#[path = "golden/store.rs"]
mod store;

use capture::states;
use golden::{compare, masked};
use harness::{Mgs, nid};
use mgs_core::Errno;
use mgs_core::model::TargetId;
use mgs_core::model::command::{Command, fork, log, nids, param, pool};
use mgs_core::model::commit::EventKind;
use mgs_core::model::names::is_log_of;
use store::mgs;

fn cancel(log: &str, index: u32) -> Command {
    log::Command::Cancel { log: log.to_owned(), index }.into()
}
fn del_ost(target: &str) -> Command {
    log::Command::DelOst { target: target.to_owned() }.into()
}
fn clear(name: &str) -> Command {
    log::Command::Clear { name: name.to_owned() }.into()
}
fn compact(name: &str) -> Command {
    log::Command::Compact { name: name.to_owned() }.into()
}
fn remove(log: &str) -> Command {
    log::Command::Remove { log: log.to_owned() }.into()
}
fn fork(from: &str, to: &str) -> Command {
    fork::Command::Fork { from: from.to_owned(), to: to.to_owned() }.into()
}
fn rename(from: &str, to: &str) -> Command {
    fork::Command::Rename { from: from.to_owned(), to: to.to_owned() }.into()
}
fn erase(fs: &str) -> Command {
    fork::Command::Erase { fs: fs.to_owned() }.into()
}
fn replace(target: &str, nids: &str) -> Command {
    nids::Command { target: target.to_owned(), nids: nids.to_owned(), rewrite: true }.into()
}

/// What a restart sees is what was seen before it.
fn check(mgs: &Mgs) {
    let again = mgs.restarted();
    let (ours, theirs) = (mgs.engine.view(), again.engine.view());
    assert_eq!(ours.fs, theirs.fs);
    assert_eq!(ours.logs.keys().collect::<Vec<_>>(), theirs.logs.keys().collect::<Vec<_>>());
    for (name, entry) in &ours.logs {
        assert_eq!(entry.log.to_file(), theirs.logs[name].log.to_file(), "{name}");
        assert_eq!(entry.head, theirs.logs[name].head, "{name}");
    }
}

fn errno(mgs: &mut Mgs, command: Command) -> Errno {
    mgs.order(command).unwrap_err().errno()
}

#[test]
fn del_ost_cancels_the_records_that_the_kernels_tool_cancels() {
    let golden = states::session("C");
    let mut mgs = mgs(&golden, "C09a-before-del_ost");
    let before = mgs.store.clone();
    let ticket = mgs.give(del_ost("testfs-OST0001"), true);
    let plan = mgs.done.remove(&ticket).unwrap().unwrap();
    assert_eq!(mgs.store, before);
    let cancelled: Vec<_> = plan.logs.iter().map(|l| (l.log.as_str(), l.cancelled.clone())).collect();
    assert_eq!(
        cancelled,
        [
            ("testfs-MDT0000", vec![24, 25, 26, 39, 45]),
            ("testfs-MDT0001", vec![24, 25, 26, 39, 45]),
            ("testfs-client", vec![32, 33, 34, 47, 54]),
        ]
    );
    let done = mgs.order(del_ost("testfs-OST0001")).unwrap();
    assert!(done.notified.is_empty() && done.logs.iter().all(|l| l.appended.is_empty()), "{done:?}");
    compare(&mgs, "C09b-del_ost", &golden, &["testfs-", "otherfs-"]);
    assert!(!mgs.engine.view().fs["testfs"].targets.contains_key(&TargetId::ost(1)));
    // Again: nothing is left to do.
    assert_eq!(mgs.order(del_ost("testfs-OST0001")).unwrap().seq, None);
    // No pool has it any more.
    let out = pool::Command::new(
        "testfs.p2",
        pool::Action::Remove(pool::Members::Named(vec!["OST0001".to_owned()])),
    );
    assert_eq!(errno(&mut mgs, out.into()), Errno::ENOENT);
    for (bad, why) in
        [("testfs-MDT0000", Errno::EINVAL), ("testfs", Errno::EINVAL), ("nofs-OST0000", Errno::ENOENT)]
    {
        assert_eq!(errno(&mut mgs, del_ost(bad)), why, "{bad}");
    }
    check(&mgs);
}

#[test]
fn llog_cancel_clears_one_bit() {
    let golden = states::session("C");
    let mut mgs = mgs(&golden, "C09b-del_ost");
    let done = mgs.order(cancel("testfs-client", 44)).unwrap();
    assert_eq!((done.logs[0].cancelled.clone(), done.notified.len()), (vec![44], 0));
    compare(&mgs, "C08-llog_cancel", &golden, &["testfs-", "otherfs-"]);
    for (log, index, why) in [
        ("testfs-client", 44, Errno::ENOENT),
        ("testfs-client", 9999, Errno::ENOENT),
        ("testfs-client", 0, Errno::EINVAL),
        ("params", 1, Errno::ENOENT),
        ("nosuch", 1, Errno::ENOENT),
    ] {
        assert_eq!(errno(&mut mgs, cancel(log, index)), why, "{log} {index}");
    }
    // A marker can be cancelled, and that is said.
    assert!(mgs.order(cancel("testfs-client", 45)).unwrap().warnings[0].contains("marker"));
    check(&mgs);
}

/// The backups that the kernel made are named by its clock, ours by ours: only their number is compared.
fn backups(mgs: &Mgs) -> usize {
    mgs.engine.view().logs.keys().filter(|name| name.ends_with(".bak")).count()
}

#[test]
fn replace_nids_and_clear_conf_write_the_logs_of_the_kernel() {
    let golden = states::session("C");
    let mut mgs = mgs(&golden, "C08-llog_cancel");
    let old = mgs.engine.view().logs["testfs-client"].clone();
    let done = mgs.order(replace("testfs-OST0000", "10.77.0.3@tcp,10.77.0.5@tcp")).unwrap();
    assert!(done.logs.iter().all(|l| l.erased) && done.notified.is_empty(), "{done:?}");
    compare(&mgs, "C07a-replace_nids", &golden, &["testfs-", "otherfs-"]);
    // The old ones are kept, byte for byte, and the new ones are others.
    let kept = &mgs.engine.view().logs["testfs-client.1700000000.bak"];
    assert_eq!(
        masked(&kept.log.to_file()),
        masked(&golden["C07a-replace_nids/CONFIGS/testfs-client.1795232206.bak"])
    );
    assert_eq!(kept.log.to_file(), old.log.to_file());
    assert_ne!(mgs.engine.view().logs["testfs-client"].id(), old.id());
    assert_eq!(backups(&mgs), 3);

    mgs.order(replace("testfs-MDT0000", "10.77.0.5@tcp:10.77.0.3@tcp")).unwrap();
    compare(&mgs, "C07b-replace_nids-mdt", &golden, &["testfs-", "otherfs-"]);
    let target = &mgs.engine.view().fs["testfs"].targets[&TargetId::mdt(0)];
    assert_eq!(
        (target.nids.clone(), target.failover.clone()),
        (vec![nid("10.77.0.5@tcp")], vec!["10.77.0.3@tcp".to_owned()])
    );
    mgs.order(replace("testfs-MDT0000", "10.77.0.3@tcp")).unwrap();
    mgs.order(replace("testfs-OST0000", "10.77.0.3@tcp")).unwrap();
    compare(&mgs, "C07c-replace_nids-back", &golden, &["testfs-", "otherfs-"]);
    // One for each log and command, where the kernel loses those of the same second.
    assert_eq!(backups(&mgs), 4 * 3);

    mgs.order(clear("testfs")).unwrap();
    mgs.order(clear("testfs-OST0000")).unwrap();
    compare(&mgs, "C07d-clear_conf", &golden, &["testfs-", "otherfs-"]);
    check(&mgs);
    assert_eq!(errno(&mut mgs, clear("nosuch")), Errno::ENOENT);
    assert_eq!(errno(&mut mgs, clear("testfs-OST0042")), Errno::ENOENT);
}

#[test]
fn replace_nids_is_refused_as_by_the_kernel_and_where_the_kernel_says_nothing() {
    let golden = states::session("C");
    let mut mgs = mgs(&golden, "C08-llog_cancel");
    let before = mgs.store.clone();
    for (target, nids, why) in [
        ("testfs-client", "10.77.0.3@tcp", Errno::ENXIO),
        // the kernel writes every log anew and answers 0 (mgs/12, 19)
        ("testfs-OST0099", "10.77.0.3@tcp", Errno::ENOENT),
        ("testfs-OST0000", "junk", Errno::ENXIO),
        // the kernel takes what it understood so far (mgs/12, 19)
        ("testfs-OST0000", "10.77.0.3@tcp,junk", Errno::ENXIO),
        ("testfs-OST0000", "", Errno::ENXIO),
        (&"x".repeat(65), "10.77.0.3@tcp", Errno::EOVERFLOW),
    ] {
        assert_eq!(errno(&mut mgs, replace(target, nids)), why, "{target} {nids}");
    }
    assert_eq!(mgs.store, before);
}

#[test]
fn a_fork_has_the_logs_of_the_kernels_but_its_pools_have_its_name() {
    let golden = states::session("C");
    let mut mgs = mgs(&golden, "C07d-clear_conf");
    let before = mgs.store.clone();
    let done = mgs.order(fork("testfs", "forkfs")).unwrap();
    assert_eq!(done.events, [EventKind::FsForked { from: "testfs".to_owned(), to: "forkfs".to_owned() }]);
    compare(&mgs, "C10a-lcfg_fork", &golden, &["testfs-", "otherfs-", "forkfs-OST"]);
    for log in ["forkfs-client", "forkfs-MDT0000", "forkfs-MDT0001"] {
        let ours = masked(&mgs.engine.view().logs[log].log.to_file());
        let mut theirs = llog::Log::from_file(&golden[&format!("C10a-lcfg_fork/CONFIGS/{log}")]).unwrap();
        let pools: Vec<u32> = llog::section::markers(&theirs)
            .filter(|(_, m)| m.comment.contains(" testfs.p2"))
            .map(|(index, _)| index)
            .collect();
        assert_eq!(pools.len(), 4, "{log}");
        for index in pools {
            theirs.edit_marker(index, |m| m.comment = m.comment.replace("testfs", "forkfs")).unwrap();
        }
        let theirs = masked(&theirs.to_file());
        assert_eq!(ours.iter().zip(&theirs).position(|(a, b)| a != b), None, "{log}");
        assert_eq!(ours.len(), theirs.len(), "{log}");
    }
    let view = mgs.engine.view();
    assert_eq!(view.fs["forkfs"].targets.len(), view.fs["testfs"].targets.len());
    assert_eq!(view.fs["forkfs"].targets[&TargetId::ost(0)].uuid, "forkfs-OST0000_UUID");
    assert_ne!(view.fs["forkfs"].head.uuid, view.fs["testfs"].head.uuid);
    check(&mgs);
    for (from, to, why) in [
        ("testfs", "forkfs", Errno::EEXIST),
        ("nosuch", "newfs", Errno::ENOENT),
        ("testfs", "testfs", Errno::EINVAL),
        ("testfs", "", Errno::EINVAL),
        ("testfs", "waytoolongname", Errno::EINVAL),
        ("testfs", "params", Errno::EINVAL),
    ] {
        assert_eq!(errno(&mut mgs, fork(from, to)), why, "{from} {to}");
    }
    // Its pools can be changed, unlike those of a kernel's fork (mgs/12, 42).
    mgs.order(pool::Command::new("forkfs.p2", pool::Action::Destroy).into()).unwrap();

    let done = mgs.order(erase("forkfs")).unwrap();
    assert_eq!(done.events, [EventKind::FsRemoved { fs: "forkfs".to_owned(), params: Vec::new() }]);
    compare(&mgs, "C10b-lcfg_erase", &golden, &["testfs-", "otherfs-"]);
    assert_eq!(errno(&mut mgs, erase("forkfs")), Errno::ENOENT);
    check(&mgs);
    // All that it leaves are commits.
    let left: Vec<_> = mgs.store.iter().filter(|(k, _)| !k.starts_with("commit/")).collect();
    assert_eq!(left, before.iter().filter(|(k, _)| !k.starts_with("commit/")).collect::<Vec<_>>());
    assert!(!mgs.store.keys().any(|k| k.contains("forkfs")));
}

#[test]
fn an_erased_file_system_takes_its_parameters_with_it_and_no_others() {
    let golden = states::session("C");
    let mut mgs = mgs(&golden, "C07d-clear_conf");
    for text in [
        "osc.testfs-OST0000*.max_dirty_mb=9",
        "osc.otherfs-*.max_dirty_mb=9",
        "debug=testfs",
        "mdt.testfs.x=1",
    ] {
        let (path, value) = text.split_once('=').unwrap();
        let set = param::Command::Set { path: path.to_owned(), value: value.to_owned(), delete: false };
        mgs.order(set.into()).unwrap();
    }
    let done = mgs.order(erase("testfs")).unwrap();
    let params = vec!["osc.testfs-OST0000*.max_dirty_mb".to_owned(), "mdt.testfs.x".to_owned()];
    assert_eq!(done.events, [EventKind::FsRemoved { fs: "testfs".to_owned(), params }]);
    let left = llog::text::yaml(&mgs.engine.view().logs["params"].log, false, &(1..=99));
    assert_eq!(left.lines().count(), 2, "{left}");
    assert!(!mgs.engine.view().logs.keys().any(|name| is_log_of("testfs", name)));
    // What was kept before is still there.
    assert!(backups(&mgs) > 0);
    check(&mgs);
}

#[test]
fn a_renamed_file_system_is_the_same_one() {
    let golden = states::session("C");
    let mut mgs = mgs(&golden, "C07d-clear_conf");
    let before = mgs.engine.view().fs["testfs"].clone();
    mgs.order(rename("testfs", "newfs")).unwrap();
    let view = mgs.engine.view();
    assert_eq!(view.fs["newfs"].head, before.head);
    assert_eq!(view.fs["newfs"].targets[&TargetId::ost(2)].id, before.targets[&TargetId::ost(2)].id);
    assert!(!view.fs.contains_key("testfs") && !view.logs.keys().any(|name| is_log_of("testfs", name)));
    let text = llog::text::yaml(&view.logs["newfs-client"].log, false, &(1..=99));
    assert!(
        text.contains("device: newfs-OST0000-osc, UUID: newfs-OST0000_UUID") && !text.contains("testfs"),
        "{text}"
    );
    check(&mgs);
}

#[test]
fn llog_remove_takes_one_log() {
    let golden = states::session("C");
    let mut mgs = mgs(&golden, "C10b-lcfg_erase");
    mgs.order(remove("otherfs-OST0000")).unwrap();
    let done = mgs.order(remove("otherfs-client")).unwrap();
    assert!(done.warnings[0].contains("begins anew"), "{done:?}");
    compare(&mgs, "C10c-llog_remove", &golden, &["testfs-"]);
    assert!(!mgs.engine.view().logs.keys().any(|name| name.starts_with("otherfs-")));
    assert_eq!(errno(&mut mgs, remove("otherfs-client")), Errno::ENOENT);
    let backup = mgs.engine.view().logs.keys().find(|n| n.ends_with(".bak")).unwrap().clone();
    mgs.order(remove(&backup)).unwrap();
    // Nodes open it at every mount, so that it is emptied only.
    mgs.order(remove("params")).unwrap();
    assert!(mgs.engine.view().logs["params"].log.is_empty());
    check(&mgs);
}

#[test]
fn compaction_clears_what_nobody_executes_and_keeps_bytes_and_indices() {
    let golden = states::session("C");
    let mut mgs = mgs(&golden, "C08-llog_cancel");
    let before = mgs.engine.view().logs["testfs-client"].log.clone();
    let text = |log: &llog::Log| llog::text::yaml(log, false, &(1..=u32::MAX));
    let done = mgs.order(compact("testfs")).unwrap();
    assert!(done.notified.is_empty() && done.logs.iter().all(|l| l.appended.is_empty()), "{done:?}");
    let after = mgs.engine.view().logs["testfs-client"].log.clone();
    assert_eq!(before.bytes_from(8192), after.bytes_from(8192));
    assert_eq!(before.last_index(), after.last_index());
    let live = after.records().filter(|r| r.live).count();
    assert_eq!(after.count() as usize, live + 1);
    assert!(after.count() < before.count());
    assert_eq!(after.header()[16..24], before.header()[16..24]);
    // The section of OST0001, of which del_ost left the NID; everything else is executed as before.
    let (before, after) = (text(&before), text(&after));
    let lost: Vec<&str> = before.lines().filter(|line| !after.contains(line)).collect();
    assert_eq!(
        lost,
        ["- { index: 31, event: add_uuid, nid: 10.77.0.3@tcp(0x200000a4d0003), node: 10.77.0.3@tcp }"]
    );
    assert_eq!(mgs.order(compact("testfs")).unwrap().seq, None);
    assert_eq!(errno(&mut mgs, compact("nosuch")), Errno::ENOENT);
    check(&mgs);
}

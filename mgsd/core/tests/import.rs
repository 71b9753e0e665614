//! Every recorded state of a kernel's MGT, taken over: the same bytes, the same targets, and it goes on from there.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used)]

mod golden;
mod harness;
mod targets;

use capture::states;
use golden::found::{found, other_order};
use harness::Mgs;
use mgs_core::Errno;
use mgs_core::model::command::import::Command;
use mgs_core::model::command::param;
use mgs_core::model::nodemap::index::Index;
use std::collections::{BTreeMap, BTreeSet};
use wire::nodemap::Entry;

fn stages() -> Vec<(String, states::Files, String)> {
    let mut out = Vec::new();
    for session in states::SESSIONS {
        let files = states::session(session);
        let names: BTreeSet<String> = files
            .keys()
            .filter(|p| p.contains("/CONFIGS/"))
            .map(|p| p.split('/').next().unwrap().to_owned())
            .collect();
        out.extend(names.into_iter().map(|stage| (session.to_owned(), files.clone(), stage)));
    }
    assert!(out.len() > 50, "{} stages", out.len());
    out
}

fn logs(mgs: &Mgs) -> BTreeMap<String, Vec<u8>> {
    let logs = mgs.engine.view().logs.iter();
    logs.map(|(name, entry)| (name.clone(), entry.log.to_file()))
        .filter(|(_, file)| !file.is_empty())
        .collect()
}

#[test]
fn every_recorded_state_is_taken_over_byte_for_byte() {
    let mut targets = 0;
    for (session, files, stage) in stages() {
        let command = found(&files, &stage);
        let mut mgs = Mgs::new();
        if command.logs.is_empty() {
            continue; // A00: nobody has registered
        }
        let done = mgs.order(command.clone().into()).unwrap_or_else(|e| panic!("{session}/{stage}: {e}"));
        assert!(done.seq.is_some(), "{stage}");
        assert_eq!(logs(&mgs), command.logs, "{stage}");
        // Read again from what was stored.
        let mut again = mgs.restarted();
        assert_eq!(logs(&again), command.logs, "{stage}");
        let view = again.engine.view();
        for (fs, version) in command.tables.iter().filter(|(fs, _)| *fs != "params") {
            let live = format!("mgs.MGS.live.{fs}=\n");
            let Some(text) = files.get(&format!("{stage}/params.txt")) else { continue };
            let text = String::from_utf8(text.clone()).unwrap();
            let Some((_, live)) = text.split_once(&live) else { continue };
            let live = live.split("\nSecure RPC").next().unwrap();
            let theirs: BTreeSet<&str> = live.lines().skip(2).collect();
            let Some(ours) = view.fs.get(fs) else {
                // A leftover of a mistyped name, or only in the memory of the kernel: its logs are gone.
                assert!(!command.logs.keys().any(|log| log.starts_with(fs)), "{stage}: {fs} has {theirs:?}");
                continue;
            };
            let names: BTreeSet<String> = ours.targets.keys().map(|id| id.svname(fs)).collect();
            // The kernel keeps targets in memory whose records del_ost took away (mgs/12, 14).
            assert!(theirs.iter().all(|name| names.contains(*name)), "{stage}: {names:?}, kernel {theirs:?}");
            assert_eq!(names.len(), theirs.len(), "{stage}: {names:?}, kernel {theirs:?}");
            assert_eq!(ours.head.nidtbl_version, *version, "{stage}");
            targets += names.len();
        }
        if let Some(entries) = &command.nodemaps {
            let mut theirs: Vec<Entry> = entries.iter().filter(|e| e.key != [0; 8]).copied().collect();
            let mut ours: Vec<Entry> =
                Index::of(&view.nodemaps).entries().iter().filter(|e| e.key != [0; 8]).copied().collect();
            theirs.sort();
            ours.sort();
            assert_eq!(ours, theirs, "{stage}: nodemap index");
        }
        // Once more: all is so already.
        let seq = view.seq;
        assert_eq!(again.order(command.into()).unwrap().seq, None, "{stage}");
        assert_eq!(again.engine.view().seq, seq);
    }
    assert!(targets > 150, "{targets} targets");
}

#[test]
fn settings_and_pools_of_the_source_are_settings_and_pools_here() {
    let files = states::session("B");
    let mut mgs = Mgs::new();
    mgs.order(found(&files, "B01h-conf_params").into()).unwrap();
    let settings = &mgs.engine.view().settings.conf["testfs"];
    let names: BTreeSet<&str> = settings.keys().map(|(_, name)| name.as_str()).collect();
    for name in [
        "sys.timeout",
        "osc.max_dirty_mb",
        "mdt.identity_upcall",
        "llite.max_read_ahead_mb",
        "quota.ost",
        "ost.brw_size",
    ] {
        assert!(names.contains(name), "{name} of {names:?}");
    }
    // It is deleted here, where the kernel set it.
    let delete = param::Command::Conf {
        device: "testfs".to_owned(),
        name: "llite.max_read_ahead_mb".to_owned(),
        value: String::new(),
        delete: true,
    };
    assert!(mgs.order(delete.into()).unwrap().seq.is_some());
    assert!(mgs.order(found(&files, "B01h-conf_params").into()).unwrap_err().errno() == Errno::EEXIST);
}

#[test]
fn what_is_odd_is_said_and_what_is_damaged_refused() {
    let files = states::session("B");
    let done = Mgs::new().order(found(&files, "B01j-conf_param-deleted").into()).unwrap();
    let said = |what: &str| done.warnings.iter().any(|w| w.contains(what));
    assert!(said("testfs-OST0042.osc.max_dirty_mb"), "{:?}", done.warnings);

    let whole = found(&files, "B00-mounted");
    let mut without = whole.clone();
    without.tables.clear();
    let done = Mgs::new().order(without.into()).unwrap();
    assert!(done.warnings.iter().any(|w| w.contains("65536")), "{:?}", done.warnings);
    for (name, change) in [
        ("testfs-client", Box::new(|f: &mut Vec<u8>| f.truncate(9000)) as Box<dyn Fn(&mut Vec<u8>)>),
        ("testfs-OST0000", Box::new(|f: &mut Vec<u8>| f[8192] ^= 8)),
        ("testfs-OST0000", Box::new(|f: &mut Vec<u8>| f.extend([0; 8]))),
        ("testfs-MDT0000", Box::new(|f: &mut Vec<u8>| f[24] ^= 1)),
    ] {
        let mut bad = whole.clone();
        change(bad.logs.get_mut(name).unwrap());
        let mut mgs = Mgs::new();
        let before = mgs.store.clone();
        let error = mgs.order(bad.into()).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(mgs.store, before);
    }
}

/// Disks of an MGS of the other byte order, and of releases before 2.9: what nodes are served is what they would be
/// served of ours.
#[test]
fn logs_of_the_other_byte_order_and_of_old_releases_are_turned() {
    let old = |file: &[u8]| [&file[..32], &[0; 4], &file[36..]].concat();
    type Form<'a> = (&'a dyn Fn(&[u8]) -> Vec<u8>, &'a str);
    let forms: [Form<'_>; 2] = [(&other_order, "byte order"), (&old, "before 2.9")];
    for (session, stage) in
        [("B", "B01h-conf_params"), ("C", "C08-llog_cancel"), ("E", "E08-set_param-P-many")]
    {
        let whole = found(&states::session(session), stage);
        let mut ours = Mgs::new();
        ours.order(whole.clone().into()).unwrap();
        for (form, says) in forms {
            let mut other = whole.clone();
            other.logs.values_mut().for_each(|file| *file = form(file));
            assert_ne!(other.logs, whole.logs);
            let mut mgs = Mgs::new();
            let done = mgs.order(other.clone().into()).unwrap();
            let said = done.warnings.iter().filter(|w| w.contains(says)).count();
            assert_eq!((said, logs(&mgs)), (whole.logs.len(), whole.logs.clone()), "{stage}");
            assert_eq!(mgs.state(), ours.state(), "{stage}");
            assert_eq!(mgs.restarted().order(other.into()).unwrap().seq, None, "it is so already");
        }
    }
    // A header that is wrong elsewhere is refused still.
    let mut bad = found(&states::session("B"), "B01h-conf_params");
    bad.logs.values_mut().for_each(|file| *file = old(file));
    bad.logs.get_mut("testfs-OST0000").unwrap()[24] ^= 1;
    assert!(Mgs::new().order(bad.into()).unwrap_err().to_string().contains("testfs-OST0000"));
}

/// A client that read half of a log from the kernel goes on here with the next record.
#[test]
fn readers_go_on_with_the_next_index() {
    let files = states::session("B");
    let mut mgs = Mgs::new();
    let command = found(&files, "B01h-conf_params");
    let last = llog::Log::from_file(&command.logs["testfs-client"]).unwrap().last_index();
    mgs.order(command.into()).unwrap();
    let set = param::Command::Conf {
        device: "testfs".to_owned(),
        name: "llite.max_read_ahead_mb".to_owned(),
        value: "32".to_owned(),
        delete: false,
    };
    mgs.order(set.into()).unwrap();
    let log = &mgs.engine.view().logs["testfs-client"].log;
    let next: Vec<u32> = log.records_from(last + 1).map(|r| r.index).collect();
    assert_eq!(next, (last + 1..=log.last_index()).collect::<Vec<_>>());
    assert!(next.len() >= 3, "{next:?}");
}

/// What a kernel takes and a node cannot use is taken over, and said; what is in order is not.
#[test]
fn parameters_that_are_wrong_are_taken_over_and_named() {
    let source = |orders: &[(&str, &str)]| {
        let mut mgs = Mgs::new();
        for target in [targets::mdt(0), targets::mdt(1), targets::ost(0)] {
            assert_eq!(targets::register(&mut mgs, &target).status, 0);
        }
        for (name, value) in orders {
            let (name, value) = ((*name).to_owned(), (*value).to_owned());
            // As a kernel does it: not judged.
            let command = match name.split_once('.').filter(|(device, _)| device.starts_with("testfs")) {
                Some((device, name)) => {
                    let (device, name) = (device.to_owned(), name.to_owned());
                    param::Command::Conf { device, name, value, delete: false }
                }
                None => param::Command::Set { path: name, value, delete: false },
            };
            mgs.order(command.into()).unwrap();
        }
        Command { from: "test".to_owned(), logs: logs(&mgs), tables: BTreeMap::new(), nodemaps: None }
    };
    let good = source(&[
        ("testfs-OST0000.osc.max_dirty_mb", "64"),
        ("testfs.mdt.root_squash", "99:99"),
        ("testfs-MDT0001.mdc.active", "0"),
        ("osc.*.max_dirty_mb", "32"),
    ]);
    let warned = |command: &Command| {
        let mut mgs = Mgs::new();
        let warnings = mgs.order(command.clone().into()).unwrap().warnings;
        assert_eq!(&logs(&mgs), &command.logs);
        (mgs, warnings.into_iter().filter(|w| w.starts_with("parameter ")).collect::<Vec<_>>())
    };
    let (mut mgs, warnings) = warned(&good);
    assert!(warnings.is_empty(), "{warnings:?}");
    // What follows from another setting is none of its own, and keeps nobody out when it is written again.
    for target in [targets::mdt(0), targets::mdt(1), targets::ost(0)] {
        assert_eq!(targets::register(&mut mgs, &target.writeconf()).status, 0);
    }
    let found =
        mgs_core::model::effective::effective(mgs.engine.view(), 0, "testfs", "mdt.root_squash").unwrap();
    assert!(
        found.readers.len() == 3 && found.readers.iter().all(|r| r.in_force[0].value == "99:99"),
        "{found:?}"
    );

    let wrong = [
        ("testfs-OST0000.osc.max_drity_mb", "64", "(unknown)"),
        ("testfs-OST0000.osc.max_dirty_mb", "999999", "(range)"),
        ("testfs.llite.max_cached_mb", "lots", "(value)"),
        ("testfs-MDT0000.mdt.identity_upcall", "/tmp/evil", "(upcall)"),
        ("osc.*.max_wet_mb", "1", "(unknown)"),
        ("obdfilter.testfs-OST0000.brw_size", "5KB", "(unit)"),
        ("obdfilter.testfs-OST0042.brw_size", "4", "testfs-OST0042 does not exist"),
    ];
    let orders: Vec<(&str, &str)> = wrong.iter().map(|(name, value, _)| (*name, *value)).collect();
    let (_, warnings) = warned(&source(&orders));
    for (name, _, class) in wrong {
        let hit = warnings.iter().filter(|w| w.contains(name) && w.contains(class)).count();
        assert_eq!(hit, 1, "{name} {class}: {warnings:#?}");
    }
    assert_eq!(warnings.len(), wrong.len(), "{warnings:#?}");
}

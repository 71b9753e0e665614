//! A log may stand twice: whoever has read the older generation goes on in it, whoever has not reads the newer one from
//! index 1, and both end in the same configuration, whatever happens to nodes and daemon in between.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod harness;
#[path = "generations/node.rs"]
mod node;
mod targets;

use harness::Mgs;
use lustre_peer::interp::{Role, execute_log};
use mgs_core::Errno;
use mgs_core::model::command::{Command, log, param};
use mgs_core::model::commit::EventKind;
use mgs_core::model::generation::{Served, Tag, agree};
use mgs_core::model::logs::Forecast;
use mgs_core::model::restore;
use node::{Found, Node};
use proptest::prelude::*;
use std::time::Duration;
use targets::{mdt, ost, register};

const LOG: &str = "testfs-client";

fn renew() -> Command {
    log::Command::Renew { log: LOG.to_owned() }.into()
}
fn retire(force: bool) -> Command {
    log::Command::Retire { log: LOG.to_owned(), force }.into()
}
fn conf(device: &str, name: &str, value: u32) -> Command {
    let (device, name, value) = (device.to_owned(), name.to_owned(), value.to_string());
    param::Command::Conf { device, name, value, delete: false }.into()
}
fn assign(mgs: &mut Mgs, device: &str, name: &str, value: u32) {
    mgs.order(conf(device, name, value)).unwrap();
}
fn set(mgs: &mut Mgs, name: &str, value: u32) {
    assign(mgs, "testfs", &format!("llite.{name}"), value);
}

/// A file system whose client log has dead sections.
fn site() -> Mgs {
    let mut mgs = Mgs::new();
    for target in [mdt(0), ost(0), ost(1)] {
        assert_eq!(register(&mut mgs, &target).status, 0);
    }
    (1..6).for_each(|n| set(&mut mgs, "max_cached_mb", 100 + n));
    // nobody waits for nodes that may come back
    mgs.advance(Duration::from_secs(151));
    mgs
}

fn last(mgs: &Mgs, log: &str) -> Option<u32> {
    mgs.engine.view().logs.get(log).map(|e| e.log.last_index())
}

#[test]
fn who_has_read_goes_on_and_who_has_not_begins_anew() {
    let mut mgs = site();
    let mut old = Node::mounted(&mut mgs, 1);
    assert_eq!(old.read(&mut mgs), Found::Log);
    let before = last(&mgs, LOG).unwrap();
    let done = mgs.order(renew()).unwrap();
    let Some(EventKind::LogRenewed { before: was, after, .. }) = done.events.last() else {
        panic!("{done:?}")
    };
    assert!(*was == before && *after + 10 < before, "{done:?}");
    // nobody is disturbed, and the id of the older one holds
    assert!(done.notified.is_empty());
    assert_eq!((last(&mgs, LOG), last(&mgs, "testfs-client@next")), (Some(before), Some(*after)));

    let mut new = Node::mounted(&mut mgs, 2);
    assert_eq!((new.read(&mut mgs), old.read(&mut mgs)), (Found::Log, Found::Log));
    assert!(new.id != old.id && new.cursor == *after && old.cursor == before);
    assert_eq!(new.tree(), old.tree());
    // every later change reaches both, under its own index
    set(&mut mgs, "max_cached_mb", 7);
    assert_eq!(register(&mut mgs, &ost(2)).status, 0);
    assert_eq!((new.read(&mut mgs), old.read(&mut mgs)), (Found::Log, Found::Log));
    assert!(new.cursor > *after && old.cursor > before && new.cursor < old.cursor);
    assert_eq!(new.tree(), old.tree());

    // the daemon dies: the handles that the nodes show say which is whose
    mgs = mgs.restarted();
    set(&mut mgs, "max_cached_mb", 8);
    for node in [&mut old, &mut new] {
        let id = node.id;
        node.reconnect(&mut mgs);
        assert_eq!((node.read(&mut mgs), node.id), (Found::Log, id));
    }
    assert_eq!(new.tree(), old.tree());
    let (tree, error) = execute_log(Role::Client, LOG, &mgs.engine.view().logs[LOG].log);
    assert_eq!((error, &tree), (None, new.tree()));
}

#[test]
fn the_older_one_is_retired_when_nobody_is_left() {
    let mut mgs = site();
    let mut old = Node::mounted(&mut mgs, 1);
    old.read(&mut mgs);
    let refused = |mgs: &mut Mgs| {
        let error = mgs.order(retire(false)).unwrap_err();
        (error.errno(), error.to_string())
    };
    assert_eq!(refused(&mut mgs).0, Errno::ENOENT, "one generation only");
    mgs.order(renew()).unwrap();
    assert_eq!(mgs.order(renew()).unwrap_err().errno(), Errno::EEXIST);
    let (errno, why) = refused(&mut mgs);
    assert!(errno == Errno::EBUSY && why.contains("10.0.2.1@tcp"), "{why}");
    // silent for too long is not gone
    mgs.advance(Duration::from_secs(200));
    assert!(mgs.engine.exports().is_empty());
    assert!(refused(&mut mgs).1.contains("10.0.2.1@tcp"));
    // it comes back, and goes on where it was
    old.reconnect(&mut mgs);
    set(&mut mgs, "max_cached_mb", 9);
    assert_eq!(old.read(&mut mgs), Found::Log);
    assert!(refused(&mut mgs).1.contains("10.0.2.1@tcp"));
    // also if there is nothing new, and the daemon is another one
    mgs = mgs.restarted();
    assert!(refused(&mut mgs).1.contains("try again in"));
    old.reconnect(&mut mgs);
    mgs.advance(Duration::from_secs(149));
    let cursor = old.cursor;
    assert_eq!((old.read(&mut mgs), old.cursor), (Found::Log, cursor));
    mgs.advance(Duration::from_secs(2));
    assert!(refused(&mut mgs).1.contains("10.0.2.1@tcp"));
    // it unmounts, mounts again, and is a reader of the newer one
    old.unmount(&mut mgs);
    let mut new = Node::mounted(&mut mgs, 1);
    new.read(&mut mgs);
    let next = mgs.engine.view().logs["testfs-client@next"].clone();
    let done = mgs.order(retire(false)).unwrap();
    assert!(done.warnings.is_empty() && done.notified.is_empty(), "{done:?}");
    let view = mgs.engine.view();
    assert!(!view.logs.contains_key("testfs-client@next"));
    assert_eq!(view.logs[LOG].id(), next.id(), "readers of it notice nothing");
    assert_eq!(view.logs[LOG].log.to_file(), next.log.to_file());
    assert_eq!(view.log_by_id(next.id()).map(|(name, _)| name), Some(LOG));
    set(&mut mgs, "max_cached_mb", 10);
    assert_eq!(new.read(&mut mgs), Found::Log);
    let reader = mgs.engine.exports().iter().next().unwrap();
    assert_eq!(reader.fetched_of(LOG, new.id.oid).unwrap().index, new.cursor);
    // and so it goes on
    set(&mut mgs, "max_cached_mb", 11);
    mgs.order(renew()).unwrap();
    assert_eq!(mgs.engine.pinned(LOG).len(), 1);
}

#[test]
fn who_was_left_behind_keeps_what_it_has_and_is_named() {
    let mut mgs = site();
    let mut old = Node::mounted(&mut mgs, 1);
    old.read(&mut mgs);
    mgs.order(renew()).unwrap();
    let done = mgs.order(retire(true)).unwrap();
    assert!(done.warnings[0].starts_with("remount: 10.0.2.1@tcp"), "{done:?}");
    set(&mut mgs, "max_cached_mb", 9);
    let cursor = old.cursor;
    assert_eq!((old.read(&mut mgs), old.cursor), (Found::Stale, cursor));
    let named = |mgs: &Mgs| mgs.engine.must_remount().into_keys().map(|n| n.to_string()).collect::<Vec<_>>();
    assert_eq!(named(&mgs), ["10.0.2.1@tcp"]);
    // also after the daemon has died
    mgs = mgs.restarted();
    assert_eq!(named(&mgs), ["10.0.2.1@tcp"]);
    old.reconnect(&mut mgs);
    assert_eq!(old.read(&mut mgs), Found::Stale);
    old.unmount(&mut mgs);
    assert!(named(&mgs).is_empty());
    let mut again = Node::mounted(&mut mgs, 1);
    assert_eq!(again.read(&mut mgs), Found::Log);
}

#[test]
fn in_doubt_it_is_the_older_one() {
    let mut mgs = site();
    mgs.order(renew()).unwrap();
    // its first attempt was lost
    let mut late = Node::attempting(&mut mgs, 1, 2, 0);
    assert_eq!(late.read(&mut mgs), Found::Log);
    assert_eq!(late.id, mgs.engine.view().logs[LOG].id());
    // it has read something of the MGS before us
    let mut foreign = Node::attempting(&mut mgs, 2, 5, 0x1234_5678_9abc_def0);
    assert_eq!(foreign.read(&mut mgs), Found::Log);
    assert_eq!(foreign.id, late.id);
    assert_eq!(mgs.engine.pinned(LOG).len(), 2);
    // nothing but the newer one is left: who begins at the beginning may, who does not has to mount again
    mgs.order(retire(true)).unwrap();
    assert_eq!((late.read(&mut mgs), foreign.read(&mut mgs)), (Found::Stale, Found::Stale));
    let mut fresh = Node::attempting(&mut mgs, 3, 2, 0);
    assert_eq!(fresh.read(&mut mgs), Found::Log);
    set(&mut mgs, "max_cached_mb", 9);
    assert_eq!(fresh.read(&mut mgs), Found::Log);
    let mut behind = Node::attempting(&mut mgs, 4, 7, 0);
    behind.cursor = 12;
    assert_eq!((behind.read(&mut mgs), behind.cursor), (Found::Stale, 12));
    assert_eq!(behind.read(&mut mgs), Found::Stale, "and it stays so");
}

#[test]
fn a_server_that_started_from_its_copy_is_not_given_another_generation() {
    let mut mgs = site();
    let log = "testfs-MDT0000".to_owned();
    (1..5).for_each(|n| assign(&mut mgs, "testfs-MDT0000", "mdt.identity_expire", 100 + n));
    mgs.order(log::Command::Renew { log: log.clone() }.into()).unwrap();
    mgs.order(log::Command::Retire { log: log.clone(), force: true }.into()).unwrap();
    let mut copied = Node::attempting(&mut mgs, 9, 3, 0).serving(&log);
    assert_eq!(copied.read(&mut mgs), Found::Stale);
    // one that registers over this connection reads from the beginning
    let mut started = Node::attempting(&mut mgs, 10, 3, 0).serving(&log);
    started.register(&mut mgs, &mdt(0).again());
    assert_eq!(started.read(&mut mgs), Found::Log);
}

#[test]
fn a_restore_that_loses_a_renewal_mixes_nothing() {
    let mut mgs = site();
    let mut old = Node::mounted(&mut mgs, 1);
    old.read(&mut mgs);
    let backup = mgs.store.clone();
    mgs.order(renew()).unwrap();
    let mut new = Node::mounted(&mut mgs, 2);
    new.read(&mut mgs);
    for known in [true, false] {
        let lost = known.then(|| mgs.engine.view());
        let how = restore::How { time: mgs.now.wall, txn: 1, actor: "uid:0".to_owned(), gap: 64 };
        let plan = restore::plan(backup.clone(), lost, &how).unwrap();
        let mut restored = Mgs::on(plan.entries, plan.seq);
        assert!(restored.engine.view().torn_generations().is_empty());
        set(&mut restored, "max_cached_mb", 50);
        // indices of the older one hold, with the fence above them; those of the newer one are of a log that is lost
        let mut nodes = (old.clone(), new.clone());
        nodes.0.reconnect(&mut restored);
        nodes.1.reconnect(&mut restored);
        assert_eq!(nodes.0.read(&mut restored), Found::Log);
        assert!(nodes.0.cursor > old.cursor);
        assert_eq!((nodes.1.read(&mut restored), nodes.1.cursor), (Found::Stale, new.cursor));
        // turns go on above those that are lost
        restored.order(renew()).unwrap();
        let mut later = Node::mounted(&mut restored, 3);
        assert_eq!((later.read(&mut restored), nodes.0.read(&mut restored)), (Found::Log, Found::Log));
        assert_eq!(nodes.1.read(&mut restored), Found::Stale);
        assert!(later.id != nodes.0.id && later.cursor < nodes.0.cursor);
    }
}

#[test]
fn a_backup_of_two_generations_is_restored_as_two() {
    let mut mgs = site();
    let mut old = Node::mounted(&mut mgs, 1);
    old.read(&mut mgs);
    mgs.order(renew()).unwrap();
    let mut new = Node::mounted(&mut mgs, 2);
    new.read(&mut mgs);
    let backup = mgs.store.clone();
    set(&mut mgs, "max_cached_mb", 49);
    for node in [&mut old, &mut new] {
        node.read(&mut mgs);
    }
    for known in [true, false] {
        let lost = known.then(|| mgs.engine.view());
        let how = restore::How { time: mgs.now.wall, txn: 1, actor: "uid:0".to_owned(), gap: 64 };
        let plan = restore::plan(backup.clone(), lost, &how).unwrap();
        let mut restored = Mgs::on(plan.entries, plan.seq);
        set(&mut restored, "max_cached_mb", 50);
        assert!(restored.engine.view().torn_generations().is_empty());
        for node in [&old, &new] {
            let mut node = node.clone();
            node.reconnect(&mut restored);
            assert_eq!(node.read(&mut restored), Found::Log);
            assert!(node.cursor > if known { 0 } else { 64 });
            let value =
                node.tree().params.iter().find(|((_, name), _)| name == "llite.max_cached_mb").unwrap().1;
            assert_eq!(value, "50");
        }
    }
}

#[test]
fn only_logs_are_renewed_and_never_a_generation_alone() {
    let mut mgs = site();
    let errno = |mgs: &mut Mgs, command: log::Command| mgs.order(command.into()).unwrap_err().errno();
    let name = |log: &str| log.to_owned();
    assert_eq!(errno(&mut mgs, log::Command::Renew { log: name("nosuch-client") }), Errno::ENOENT);
    assert_eq!(errno(&mut mgs, log::Command::Renew { log: name("params") }), Errno::ENOENT);
    let dry = mgs.give(renew(), true);
    assert!(matches!(mgs.done[&dry].as_ref().unwrap().events.last(), Some(EventKind::LogRenewed { .. })));
    assert_eq!(last(&mgs, "testfs-client@next"), None);
    mgs.order(renew()).unwrap();
    let next = name("testfs-client@next");
    for command in [
        log::Command::Cancel { log: next.clone(), index: 1 },
        log::Command::Remove { log: next.clone() },
        log::Command::Compact { name: next.clone() },
        log::Command::Renew { log: next.clone() },
        log::Command::Clear { name: next.clone() },
        log::Command::Retire { log: next.clone(), force: true },
    ] {
        assert_eq!(errno(&mut mgs, command), Errno::EINVAL);
    }
    assert!(matches!(mgs.engine.view().serve(&next, Tag::default()), Served::Absent));
    mgs.order(retire(true)).unwrap();
    // nothing would be gained
    let again = mgs.order(renew()).unwrap();
    assert!(again.seq.is_none() && again.warnings.len() == 1, "{again:?}");
}

#[test]
fn what_is_done_to_one_is_done_to_the_other() {
    let mut mgs = site();
    mgs.order(renew()).unwrap();
    let same = |mgs: &Mgs| {
        let logs = &mgs.engine.view().logs;
        assert!(agree(&logs[LOG].log, &logs["testfs-client@next"].log));
        let again = mgs.restarted();
        assert!(again.engine.view().torn_generations().is_empty());
        let theirs = &again.engine.view().logs;
        for name in [LOG, "testfs-client@next"] {
            assert_eq!(logs[name].log.to_file(), theirs[name].log.to_file(), "{name}");
        }
    };
    // a marker in place, records of a target cancelled, dead ones after them, an address edited
    set(&mut mgs, "max_cached_mb", 8);
    same(&mgs);
    assign(&mut mgs, "testfs-OST0001", "osc.active", 0);
    same(&mgs);
    let moved = mgs_core::model::command::nids::Command {
        target: "testfs-OST0000".to_owned(),
        nids: "10.0.0.9@tcp".to_owned(),
        rewrite: false,
    };
    mgs.order(moved.into()).unwrap();
    same(&mgs);
    mgs.order(log::Command::DelOst { target: "testfs-OST0001".to_owned() }.into()).unwrap();
    same(&mgs);
    mgs.order(log::Command::Compact { name: "testfs".to_owned() }.into()).unwrap();
    same(&mgs);
    let live = mgs.engine.view().logs[LOG].log.records().filter(|r| r.live).last().unwrap().index;
    mgs.order(log::Command::Cancel { log: LOG.to_owned(), index: live }.into()).unwrap();
    same(&mgs);
    // erased: both go
    assert_eq!(register(&mut mgs, &mdt(0).writeconf()).status, 0);
    assert_eq!(last(&mgs, "testfs-client@next"), None);
}

#[test]
fn orders_that_share_a_commit_are_done_one_after_the_other() {
    let mut mgs = site();
    let mut old = Node::mounted(&mut mgs, 1);
    old.read(&mut mgs);
    let cached = |n| conf("testfs", "llite.max_cached_mb", n);
    mgs.hold();
    mgs.give(cached(40), false);
    let (seq, commits) = (mgs.seq, mgs.commits);
    let early = mgs.give(renew(), false);
    let refused = mgs.give(retire(false), false);
    let orders = [cached(41), retire(true), cached(42), cached(43), renew(), cached(44)];
    let tickets = orders.map(|order| mgs.give(order, false));
    mgs.release();
    let error = mgs.done[&refused].as_ref().unwrap_err();
    assert!(error.to_string().contains("10.0.2.1@tcp"), "{error}");
    assert!(
        tickets.iter().chain([&early]).all(|ticket| mgs.done[ticket].as_ref().unwrap().seq == Some(seq + 2))
    );
    assert_eq!(mgs.commits, commits + 2);
    let again = mgs.restarted();
    for name in [LOG, "testfs-client@next"] {
        let (ours, theirs) = (&mgs.engine.view().logs[name], &again.engine.view().logs[name]);
        assert_eq!(ours.log.to_file(), theirs.log.to_file(), "{name}");
        assert_eq!(ours.head, theirs.head, "{name}");
        assert_eq!(again.engine.view().log_by_id(ours.id()).unwrap().0, name);
    }
    assert!(again.engine.view().torn_generations().is_empty());
    let left = mgs.store.keys().filter(|key| key.starts_with("llog/testfs-client")).count();
    assert_eq!(left, 4, "two heads, and what one commit wrote of each");
    assert_eq!(mgs.engine.must_remount().len(), 1);
    let mut new = Node::mounted(&mut mgs, 2);
    assert_eq!((new.read(&mut mgs), old.read(&mut mgs)), (Found::Log, Found::Stale));
    let value = new.tree().params.iter().find(|((_, name), _)| name == "llite.max_cached_mb").unwrap().1;
    assert_eq!(value, "44");
}

#[test]
fn a_forecast_needs_a_day_and_the_newer_one_its_own() {
    let mut mgs = site();
    let (day, wall) = (86_400, mgs.now.wall);
    let budget = mgs.engine.view().logs[LOG].budget();
    assert_eq!(budget.forecast(wall + day - 1), Forecast::TooEarly);
    let Forecast::Full(at) = budget.forecast(wall + day) else { panic!("{budget:?}") };
    assert_eq!(at, wall + day + i64::from(64767 - budget.used) * day / i64::from(budget.used));
    mgs.order(renew()).unwrap();
    let budget = mgs.engine.view().logs["testfs-client@next"].budget();
    assert_eq!((budget.base, budget.commits_left()), (budget.used, None));
    assert_eq!(
        budget.forecast(mgs.now.wall + day),
        Forecast::Steady,
        "what it was written with is no growth"
    );
}

#[test]
fn handles_carry_their_tag_and_no_other_mgs_has_them() {
    for (born, doubt) in [(0, false), (1, true), (2047, false)] {
        let handle = Tag { born, doubt }.seal(0xffff_ffff_ffff_ffff, "mgs");
        assert_eq!(Tag::open(handle, "mgs"), Some(Tag { born, doubt }));
        assert_ne!(Tag::open(handle, "another"), Some(Tag { born, doubt }));
        assert_ne!(Tag::open(handle ^ 1, "mgs"), Some(Tag { born, doubt }));
    }
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// An OST, or once more.
    Ost(u32),
    Set(u8, u32),
    Renew,
    Retire(bool),
    PowerCut,
    /// A node is silent for too long.
    Silence,
    /// A node mounts; its first attempt was lost.
    Mount(bool),
    Unmount(usize),
    Read(usize),
}

fn history() -> impl Strategy<Value = Vec<What>> {
    let what = prop_oneof![
        2 => (0_u32..5).prop_map(What::Ost),
        6 => (0_u8..3, 0_u32..4).prop_map(|(name, value)| What::Set(name, value)),
        2 => Just(What::Renew),
        2 => any::<bool>().prop_map(What::Retire),
        1 => Just(What::PowerCut),
        1 => Just(What::Silence),
        3 => prop::bool::weighted(0.2).prop_map(What::Mount),
        1 => (0_usize..8).prop_map(What::Unmount),
        6 => (0_usize..8).prop_map(What::Read),
    ];
    prop::collection::vec(what, 1..60)
}

/// A node reads on, and finds what it has to: who has read a generation goes on in it while it is there, and is given no
/// other one.
fn follows(mgs: &mut Mgs, node: &mut Node) -> bool {
    let (cursor, id) = (node.cursor, node.id);
    let found = node.read(mgs);
    let there = mgs.engine.view().log_by_id(id).is_some();
    if cursor == 0 {
        assert_eq!(found, Found::Log);
    } else if there {
        assert_eq!((found, node.id), (Found::Log, id));
    } else {
        // of whom nothing is known, and who stands behind the end, it shows in time; it executes nothing meanwhile
        let mut again = (0..8).map(|_| node.read(mgs));
        assert!(found == Found::Stale || again.any(|found| found == Found::Stale));
        assert_eq!(node.cursor, cursor);
        node.id = id;
        return false;
    }
    true
}

fn play(events: Vec<What>) {
    let mut mgs = site();
    let mut nodes: Vec<Node> = Vec::new();
    let (mut pair, mut count) = (false, 0_u8);
    for event in events {
        match event {
            What::Ost(index) => drop(register(&mut mgs, &ost(index + 2))),
            What::Set(name, value) => {
                set(
                    &mut mgs,
                    ["max_cached_mb", "max_read_ahead_mb", "statahead_max"][usize::from(name)],
                    value + 1,
                );
            }
            What::Renew => match mgs.order(renew()) {
                Ok(done) if done.events.iter().any(|e| matches!(e, EventKind::LogRenewed { .. })) => {
                    assert!(!pair);
                    pair = true;
                }
                Ok(_) => assert!(!pair),
                Err(error) => assert!(pair && error.errno() == Errno::EEXIST, "{error}"),
            },
            What::Retire(force) => match mgs.order(retire(force)) {
                Ok(_) => {
                    assert!(pair);
                    pair = false;
                }
                Err(error) => assert!(!pair || (!force && error.errno() == Errno::EBUSY), "{error}"),
            },
            What::PowerCut => {
                mgs = mgs.restarted();
                nodes.iter_mut().for_each(|n| n.reconnect(&mut mgs));
            }
            What::Silence => {
                mgs.advance(Duration::from_secs(151));
                nodes.iter_mut().for_each(|n| n.reconnect(&mut mgs));
            }
            What::Mount(doubt) if nodes.len() < 8 => {
                count += 1;
                nodes.push(Node::attempting(&mut mgs, count, if doubt { 2 } else { 1 }, 0));
            }
            What::Unmount(n) if n < nodes.len() => nodes.swap_remove(n).unmount(&mut mgs),
            What::Read(n) if n < nodes.len() => drop(follows(&mut mgs, &mut nodes[n])),
            What::Mount(_) | What::Unmount(_) | What::Read(_) => {}
        }
        assert!(mgs.engine.view().torn_generations().is_empty(), "{event:?}");
    }
    let (tree, error) = execute_log(Role::Client, LOG, &mgs.engine.view().logs[LOG].log);
    assert_eq!(error, None);
    nodes.push(Node::mounted(&mut mgs, 200));
    for mut node in nodes {
        if follows(&mut mgs, &mut node) {
            assert_eq!(*node.tree(), tree);
        }
    }
}

/// A search in passing; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = std::env::var_os("PROPTEST_CASES").map_or(96, |_| asked.cases);
    ProptestConfig { cases, failure_persistence: None, ..asked }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_cursor_and_every_beginning_end_in_the_same_configuration(events in history()) {
        play(events);
    }
}

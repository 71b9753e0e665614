//! The real daemon on a disk that fails when it is told to (`tests/faultfs/faultfs.c`): nothing acknowledged is lost,
//! nothing damaged is served, every refusal says why, and recovery needs nobody.
//!
//! `FAULTS` sets how many days there are (1; `make soak` says 20), `SEED` repeats a run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../daemon/mod.rs"]
mod daemon;
mod disk;
mod neighbour;
mod site;

use disk::Fault;
use lustre_peer::host::PeerError;
use lustre_peer::node::{TargetKind, TargetOptions, TargetState};
use site::{FS, Site, Start, copy_of, mount, verdict};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::task::JoinSet;

fn env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |v| v.parse().expect(name))
}

fn seed() -> u64 {
    let seed = env("SEED", u64::from(std::process::id()));
    eprintln!("SEED={seed}");
    seed
}

fn ost(index: u32) -> TargetOptions {
    TargetOptions::new(FS, TargetKind::Ost, index)
}

fn name(index: u32) -> String {
    ost(index).svname()
}

/// One target an hour: a commit grows with the file system, and one of more writes than lie between two faults never
/// succeeds.
const HOURS: u32 = 16;

/// What an administrator does in a day: new targets, restarts, writeconfs, clients. Everything succeeds in the end.
async fn a_day(site: &mut Site) -> BTreeSet<i32> {
    let (servers, clients) = (site.node(1).await, site.node(2).await);
    let mut said = BTreeSet::new();
    said.extend(site.until(mount(&servers, TargetOptions::new(FS, TargetKind::Mdt, 0))).await);
    for hour in 0..HOURS {
        said.extend(site.until(mount(&servers, ost(hour))).await);
        match hour % 4 {
            1 => {
                site.until(servers.umount(&name(hour - 1))).await.unwrap();
                said.extend(site.until(mount(&servers, ost(hour - 1))).await);
            }
            2 => {
                site.until(servers.umount(&name(hour))).await.unwrap();
                let mut again = ost(hour);
                again.state = TargetState::Writeconf;
                said.extend(site.until(mount(&servers, again)).await);
            }
            3 => {
                let tree = site.until(async {
                    loop {
                        if let Ok(tree) = clients.mount_client(FS).await {
                            return tree;
                        }
                    }
                });
                let tree = tree.await;
                let osts = tree.devices.values().filter(|d| d.kind == "osc").count();
                assert_eq!(osts, usize::try_from(hour).unwrap() + 1, "the client has each OST");
                site.until(clients.umount(&format!("{FS}-client"))).await.unwrap();
            }
            _ => {}
        }
    }
    servers.power_off().await;
    clients.power_off().await;
    said
}

/// A commit is some forty writes and one sync: faults come at a distance that lets some of them pass.
async fn days(fault: Fault, every: &[u64], errnos: &[i32]) {
    for (day, every) in (0..env("FAULTS", 1)).flat_map(|day| every.iter().map(move |every| (day, *every))) {
        let mut site = Site::new(seed() ^ day);
        site.start().await;
        site.disk.fail(fault, every);
        let said = a_day(&mut site).await;
        let made = site.disk.made();
        eprintln!("{fault:?}, each {every}: {made} faults, {} kills, nodes were told {said:?}", site.kills);
        assert!(made > 0);
        assert!(said.iter().all(|e| errnos.contains(e)), "{fault:?}: {said:?}");
        site.disk.heal();
        site.kill().await;
        site.check().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_fail_with_eio() {
    days(Fault::WriteEio, &[61, 149], &[-5]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_find_no_space() {
    days(Fault::WriteEnospc, &[61, 149], &[-28]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_are_short_are_not_even_noticed() {
    days(Fault::ShortWrite, &[1, 3], &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syncs_that_fail_and_lose_what_was_written() {
    days(Fault::SyncEio, &[3, 7], &[-5]).await;
}

/// In front of a write or sync, after an ever other number of them, the daemon is killed; what was not synced is gone,
/// all of it or in part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_write() {
    // while the dead daemon's disk is looked at, a node may lose patience: -ETIMEDOUT
    days(Fault::Kill, &[7, 40], &[-110]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_on_a_failing_disk_serves_or_says_why_not() {
    let mut site = Site::new(seed());
    let (mut refused, mut next) = (0, 0);
    for n in 1..=10 * env("FAULTS", 1) {
        for fault in [Fault::WriteEio, Fault::WriteEnospc, Fault::SyncEio, Fault::ReadOnly] {
            site.disk.fail(fault, n);
            match site.try_start().await {
                Start::Serves => site.kill().await,
                Start::Refused(why) => {
                    refused += 1;
                    assert_clear(&why);
                }
            }
            site.disk.heal();
            site.start().await;
            // something to lose at the next start
            let node = site.node(1).await;
            assert!(mount(&node, ost(next)).await.is_empty());
            next += 1;
            node.power_off().await;
            site.kill().await;
            site.check().await;
        }
    }
    eprintln!("{refused} starts refused");
    assert!(refused > 10);
}

/// A disk that says yes to a sync and forgets: what it lost cannot be known, but what is left is whole, or refused by
/// name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lying_disk_makes_no_damage_that_is_served() {
    let (mut clean, mut found) = (0, 0);
    for round in 0..8 * env("FAULTS", 1) {
        let mut site = Site::new(seed() ^ round);
        if round % 2 == 0 {
            site.disk.fail(Fault::LyingSync, 1);
        }
        site.start().await;
        let node = site.node(1).await;
        for index in 0..4 {
            if index == 2 {
                site.disk.fail(Fault::LyingSync, 1);
            }
            assert!(mount(&node, ost(index)).await.is_empty());
        }
        node.power_off().await;
        site.kill().await;
        site.disk.heal();
        let copy = copy_of(&site.disk.data());
        match verdict(copy.path()).await {
            Ok(()) => {
                clean += 1;
                site.start().await;
            }
            Err(findings) => {
                found += 1;
                assert!(findings.contains("restore a backup") || findings.contains("mgs.db"), "{findings}");
                if let Start::Refused(why) = site.try_start().await {
                    assert_clear(&why);
                } else {
                    assert!(!copy.path().join("mgs.db").exists(), "served although: {findings}");
                }
            }
        }
    }
    eprintln!("{clean} times an older state, {found} times refused by name");
}

async fn trouble(fault: Fault, errno: i32) {
    let mut site = Site::new(seed());
    site.start().await;
    let (servers, others, clients) = (site.node(1).await, site.node(2).await, site.node(3).await);
    assert!(mount(&servers, TargetOptions::new(FS, TargetKind::Mdt, 0)).await.is_empty());
    assert!(mount(&servers, ost(0)).await.is_empty());
    site.disk.fail(fault, 1);
    for _ in 0..3 {
        match others.mount_target(ost(1)).await {
            Err(PeerError::Mount { errno: said, .. }) => assert_eq!(said, errno),
            other => panic!("{other:?}"),
        }
        // the log service goes on, and no lock waits for the disk
        let tree = clients.mount_client(FS).await.unwrap();
        assert_eq!(tree.osts.len(), 1);
        clients.umount(&format!("{FS}-client")).await.unwrap();
    }
    let status = site.status().await;
    assert!(status.ready);
    assert!(site.disk.made() > 0);
    site.disk.heal();
    // nobody has to do anything
    mount(&others, ost(1)).await;
    let tree = clients.mount_client(FS).await.unwrap();
    assert_eq!(tree.osts.len(), 2);
    site.kill().await;
    site.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk() {
    trouble(Fault::Full, -28).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_disk() {
    trouble(Fault::ReadOnly, -30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_takes_no_writes() {
    trouble(Fault::WriteEio, -5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_takes_no_syncs() {
    trouble(Fault::SyncEio, -5).await;
}

/// 64 server nodes register one target after the other, on a disk whose sync takes as long as a hard disk's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_share_a_sync() {
    const WRITERS: u8 = 64;
    const EACH: u32 = 4;
    let mut site = Site::new(seed());
    site.start().await;
    let first = site.node(100).await;
    mount(&first, TargetOptions::new(FS, TargetKind::Mdt, 0)).await;
    let mut nodes = Vec::new();
    for number in 0..WRITERS {
        let node = site.node(number).await;
        node.register(ost(u32::from(number))).await.unwrap();
        nodes.push(node);
    }
    site.disk.slow(Duration::from_millis(30));
    let syncs = site.disk.syncs();
    let mut writers = JoinSet::new();
    for (node, number) in nodes.into_iter().zip(0..) {
        writers.spawn(async move {
            for n in 1..=EACH {
                node.register(ost(n * u32::from(WRITERS) + number)).await.unwrap();
            }
            node
        });
    }
    writers.join_all().await;
    let syncs = site.disk.syncs() - syncs;
    let changes = u64::from(WRITERS) * u64::from(EACH);
    eprintln!("{changes} acknowledged changes took {syncs} syncs");
    assert!(syncs * 16 <= changes, "{changes} acknowledged changes took {syncs} syncs");
}

fn assert_clear(why: &str) {
    let last = why.lines().last().unwrap_or_default();
    let clear = last.starts_with("mgsd: ") && last.contains("mgs.db");
    assert!(clear, "a start that fails says where and why: {why}");
}

//! A writeconf of a whole file system of some size, on the embedded store: one commit, however many logs it erases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use lustre_peer::interp::ConfigTree;
use lustre_peer::node::TargetState;
use lustre_peer::{HostConfig, PeerHost, TargetKind, TargetOptions};
use scenarios::daemon::Daemon;
use std::collections::BTreeSet;
use std::time::Duration;

const FS: &str = "testfs";
const OSTS: u32 = 40;

fn target(kind: TargetKind, index: u32, state: TargetState) -> TargetOptions {
    TargetOptions { state, ..TargetOptions::new(FS, kind, index) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writeconf_of_forty_osts_starts_new_logs() {
    let mgs = "10.7.0.1@tcp".parse().unwrap();
    let daemon = Daemon::start(mgs, Duration::from_secs(400)).await.unwrap();
    let node = |nid: &str| HostConfig::new(nid.parse().unwrap(), vec![mgs]).with_mgs_addr(daemon.lnet);
    let server = PeerHost::start(node("10.7.0.2@tcp")).await.unwrap();
    server.mount_mdt(FS, 0).await.unwrap();
    for index in 0..OSTS {
        server.mount_ost(FS, index).await.unwrap();
    }
    let client = PeerHost::start(node("10.7.0.3@tcp")).await.unwrap();
    let before = client.mount_client(FS).await.unwrap();
    let name = |kind: &str, index: u32| format!("{FS}-{kind}{index:04x}");
    server.umount(&name("MDT", 0)).await.unwrap();
    for index in 0..OSTS {
        server.umount(&name("OST", index)).await.unwrap();
    }

    // Somebody still has it mounted, and then dies: refused until somebody says that it is all right.
    let writeconf = || server.mount_target(target(TargetKind::Mdt, 0, TargetState::Writeconf));
    assert!(writeconf().await.is_err_and(|e| e.to_string().ends_with("rc = -1")));
    client.power_off().await;
    assert!(writeconf().await.is_err_and(|e| e.to_string().ends_with("rc = -1")));
    let why = daemon.api.why("testfs-MDT0000").await.unwrap().items;
    assert!(why.iter().any(|d| d.why.contains("mounted on 10.7.0.3@tcp;")), "{why:?}");
    daemon.api.fs_approve_writeconf(FS, false).await.unwrap();
    writeconf().await.unwrap();
    // What is not written again is unknown.
    let refused = server.mount_target(target(TargetKind::Ost, 0, TargetState::Registered)).await;
    assert!(refused.is_err_and(|e| e.to_string().contains("rc = -2")));
    for index in 0..OSTS {
        server.mount_target(target(TargetKind::Ost, index, TargetState::Writeconf)).await.unwrap();
    }
    let client = PeerHost::start(node("10.7.0.4@tcp")).await.unwrap();
    let mut after = client.mount_client(FS).await.unwrap();
    // The targets have started once more; apart from that it is the file system that it was.
    let started = |tree: &ConfigTree| tree.targets.values().map(|t| t.instance).collect::<BTreeSet<_>>();
    assert_eq!((started(&before), started(&after)), (BTreeSet::from([1]), BTreeSet::from([2])));
    after.targets.clone_from(&before.targets);
    assert!(after == before && after.osts.len() == 40, "{:?}", after.osts);
}

/// The procedure of the manual: everything is unmounted first, nobody has to allow anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_everybody_has_unmounted_a_writeconf_needs_no_leave() {
    let mgs = "10.7.0.1@tcp".parse().unwrap();
    let daemon = Daemon::start(mgs, Duration::from_secs(400)).await.unwrap();
    let node = |nid: &str| HostConfig::new(nid.parse().unwrap(), vec![mgs]).with_mgs_addr(daemon.lnet);
    let servers = [
        PeerHost::start(node("10.7.0.2@tcp")).await.unwrap(),
        PeerHost::start(node("10.7.0.3@tcp")).await.unwrap(),
    ];
    let client = PeerHost::start(node("10.7.0.4@tcp")).await.unwrap();
    servers[0].mount_mdt(FS, 0).await.unwrap();
    servers[1].mount_ost(FS, 0).await.unwrap();
    // This one keeps its MGC: another file system stays mounted on the node.
    servers[0].mount_mdt("other", 0).await.unwrap();
    client.mount_client(FS).await.unwrap();
    client.umount(&format!("{FS}-client")).await.unwrap();
    servers[1].umount(&format!("{FS}-OST0000")).await.unwrap();
    servers[0].umount(&format!("{FS}-MDT0000")).await.unwrap();
    servers[0].mount_target(target(TargetKind::Mdt, 0, TargetState::Writeconf)).await.unwrap();
    servers[1].mount_target(target(TargetKind::Ost, 0, TargetState::Writeconf)).await.unwrap();
    client.mount_client(FS).await.unwrap();
}

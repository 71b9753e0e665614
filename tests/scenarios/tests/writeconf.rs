//! A writeconf of a whole file system of some size, on the embedded store: one commit, however many logs it erases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

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
    client.power_off().await;
    let name = |kind: &str, index: u32| format!("{FS}-{kind}{index:04x}");
    server.umount(&name("MDT", 0)).await.unwrap();
    for index in 0..OSTS {
        server.umount(&name("OST", index)).await.unwrap();
    }

    server.mount_target(target(TargetKind::Mdt, 0, TargetState::Writeconf)).await.unwrap();
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

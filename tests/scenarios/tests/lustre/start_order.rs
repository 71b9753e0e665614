//! In whatever order servers and clients start, everybody ends with the same configuration.
use crate::site::{FS, Site, mdt, nid, ost, with};
use lustre_peer::interp::ConfigTree;
use lustre_peer::{Event, TargetKind, TargetOptions, TargetState};
use mgs_api::ParamAssignment;

const CLIENT: &str = "testfs-client";

/// Without what tells in which order targets announced themselves.
fn timeless(mut tree: ConfigTree) -> ConfigTree {
    tree.targets.values_mut().for_each(|t| t.version = 0);
    tree
}

/// Registers targets in an order, restarts them in the reverse one; what a client gets before and after.
async fn in_order(targets: &[TargetOptions]) -> ConfigTree {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    server.mount(targets.iter().cloned()).await;
    let first = site.seen(FS).await;
    server.umount(targets.iter().cloned()).await;
    server.mount(targets.iter().rev().cloned()).await;
    let mut second = site.seen(FS).await;
    assert!(second.targets.values().all(|t| t.instance == 2));
    second.targets.clone_from(&first.targets);
    assert!(first == second, "{first:?} {second:?}");
    server.end().await;
    site.end().await;
    timeless(first)
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_5b_client_without_an_mgs_fails() {
    let mut site = Site::new().await;
    site.stop_mgs().await;
    let client = site.node("10.6.0.4@tcp").await;
    assert!(client.host.mount_client(FS).await.is_err());
    // And works as soon as there is one.
    site.start_mgs().await;
    let server = site.node("10.6.0.3@tcp").await;
    server.mount([mdt(0), ost(0)]).await;
    assert_eq!(client.host.mount_client(FS).await.unwrap().to_string(), "1 MDT, 1 OST");
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_5d_5e_5f_client_while_ost_or_mds_is_down() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    let all = [mdt(0), ost(0)];
    server.mount(all.clone()).await;
    for down in all {
        server.umount([down.clone()]).await;
        assert_eq!(site.seen(FS).await.to_string(), "1 MDT, 1 OST");
        server.mount([down]).await;
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_19a_19b_mds_without_osts_and_osts_without_mds() {
    for (alone, text) in [(mdt(0), "1 MDT, 0 OSTs"), (ost(0), "0 MDTs, 1 OST")] {
        let site = Site::new().await;
        let server = site.node("10.6.0.3@tcp").await;
        server.mount([alone.clone()]).await;
        assert_eq!(site.seen(FS).await.to_string(), text);
        server.umount([alone]).await;
        site.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_21a_21b_21c_21d_mdt_and_osts_in_any_order() {
    let orders = [
        [mdt(0), ost(0), ost(1)],
        [ost(0), mdt(0), ost(1)],
        [ost(0), ost(1), mdt(0)],
        [ost(1), ost(0), mdt(0)],
    ];
    let first = in_order(&orders[0]).await;
    assert_eq!(first.to_string(), "1 MDT, 2 OSTs");
    for order in &orders[1..] {
        assert!(in_order(order).await == first, "{order:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_70a_70b_71a_to_71e_two_mdts_and_osts_in_any_order() {
    let orders = [
        [mdt(0), ost(0), mdt(1), ost(1)],
        [mdt(0), mdt(1), ost(0), ost(1)],
        [mdt(1), ost(0), mdt(0), ost(1)],
        [ost(0), ost(1), mdt(0), mdt(1)],
        [ost(0), mdt(1), ost(1), mdt(0)],
    ];
    // MDT0000 begins a file system anew only with a writeconf: registered late it finds what is there.
    let first = in_order(&orders[0]).await;
    assert_eq!(first.to_string(), "2 MDTs, 2 OSTs");
    for order in &orders[1..] {
        assert!(in_order(order).await == first, "{order:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_22_46a_51_targets_added_under_a_mounted_client() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    server.mount([mdt(0)]).await;
    let mut client = site.node("10.6.0.4@tcp").await;
    assert_eq!(client.host.mount_client(FS).await.unwrap().to_string(), "1 MDT, 0 OSTs");
    for (added, n) in [(ost(0), 1), (ost(1), 2), (mdt(1), 3)] {
        server.mount([added]).await;
        let now = client.config(CLIENT, |t| t.osts.len() + t.mdts.len() == n + 1).await;
        assert!(timeless(now.clone()).osts == site.seen(FS).await.osts);
    }
    client.end().await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_24a_two_file_systems_on_one_mgs() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    let other = |kind, index| TargetOptions::new("test-2", kind, index);
    server.mount([mdt(0), other(TargetKind::Mdt, 0), ost(0), other(TargetKind::Ost, 7)]).await;
    let trees = [site.seen(FS).await, site.seen("test-2").await];
    assert_eq!(trees.each_ref().map(ConfigTree::ost_indices), [[0].into(), [7].into()]);
    // Whatever becomes of one, the other keeps its logs.
    server.umount([mdt(0), ost(0)]).await;
    server.mount([with(mdt(0), TargetState::Writeconf)]).await;
    assert_eq!(site.seen(FS).await.to_string(), "1 MDT, 0 OSTs");
    assert!(site.seen("test-2").await == trees[1]);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_33a_56a_56b_81_sparse_and_large_indices() {
    let tree = in_order(&[mdt(0), ost(0x1fff), ost(10_000), ost(1_000), mdt(13), mdt(3), ost(3)]).await;
    assert_eq!(tree.ost_indices(), [3, 1_000, 0x1fff, 10_000].into());
    assert_eq!(tree.mdt_indices(), [0, 3, 13].into());
}

/// The OST starts from its own copy of the log, reads it again as soon as there is an MGS, and from then on is told of
/// changes like everybody. On a node with nothing else, and on one whose connection seems to stand.
#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_27a_a_parameter_reaches_an_ost_that_started_before_the_mgs() {
    for together in [false, true] {
        let mut site = Site::new().await;
        let (mds, mut oss) = (site.node("10.6.0.2@tcp").await, site.node("10.6.0.3@tcp").await);
        if together { &oss } else { &mds }.mount([mdt(0)]).await;
        oss.mount([ost(0)]).await;
        oss.umount([ost(0)]).await;
        site.stop_mgs().await;
        oss.mount([ost(0)]).await;
        assert_eq!(oss.host.config("testfs-OST0000").await.unwrap().devices.len(), 1, "from its copy");
        site.start_mgs().await;
        let assignment = "testfs-OST0000.ost.client_cache_seconds=27".to_owned();
        let param = ParamAssignment { assignment, syntax: None, force: false, wait: false };
        site.api().param_set(&param, false).await.unwrap();
        oss.config("testfs-OST0000", |t| t.params.values().any(|v| v == "27")).await;
        site.end().await;
    }
}

/// Service and MGS on one node: the MGS alone first, everybody else, and the MDT of its node last; both times.
#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_41a_41b_the_mdt_of_the_mgs_node_comes_last() {
    let mut site = Site::new().await;
    let (own, server) = (site.node("10.6.0.1@tcp").await, site.node("10.6.0.3@tcp").await);
    server.mount([mdt(1), ost(0)]).await;
    own.mount([mdt(0)]).await;
    let first = site.seen(FS).await;
    assert_eq!(first.to_string(), "2 MDTs, 1 OST");
    server.umount([ost(0), mdt(1)]).await;
    own.umount([mdt(0)]).await;
    site.stop_mgs().await;
    site.start_mgs().await;
    server.mount([mdt(1), ost(0)]).await;
    own.mount([mdt(0)]).await;
    assert!(site.seen(FS).await.devices == first.devices);
    site.end().await;
}

/// The MDT registered and failed after that: what its disk says is the same at the next start.
#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_26_an_mdt_that_failed_behind_its_registration_starts() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    let written_anew = with(mdt(0), TargetState::Writeconf);
    server.host.register(written_anew.clone()).await.unwrap();
    server.mount([written_anew, ost(0)]).await;
    server.umount([mdt(0)]).await;
    server.mount([mdt(0)]).await;
    assert_eq!(site.seen(FS).await.to_string(), "1 MDT, 1 OST");
    site.end().await;
}

/// A client that goes away in the middle of its mount leaves nothing behind that the next one stumbles over.
#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_23a_23b_a_mount_broken_off_and_made_again() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    server.mount([mdt(0), ost(0)]).await;
    for _ in 0..3 {
        let client = site.node("10.6.0.4@tcp").await;
        let mut events = client.host.events();
        let locked = async { while !matches!(events.recv().await, Ok(Event::Locked { .. })) {} };
        tokio::select! {
            biased;
            () = locked => {}
            mounted = client.host.mount_client(FS) => panic!("not broken off: {mounted:?}"),
        }
        client.end().await;
    }
    let again = site.node("10.6.0.4@tcp").await;
    assert_eq!(again.host.mount_client(FS).await.unwrap().to_string(), "1 MDT, 1 OST");
    // And a change does not wait for those that are gone.
    server.mount([ost(1)]).await;
    site.end().await;
}

/// A registration that was composed before the node knew that the MGS takes lists: its NIDs stand in the main buffer,
/// and the list is empty.
#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_73f_an_ost_registers_before_the_connection_is_complete() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    let more_nids = vec![nid("10.6.0.3@tcp1")];
    server.mount([mdt(0), TargetOptions { before_connected: true, more_nids, ..ost(0) }]).await;
    let tree = site.seen(FS).await;
    assert_eq!(tree.to_string(), "1 MDT, 1 OST");
    assert_eq!(tree.targets[&(2, 0)].nids, ["10.6.0.3@tcp", "10.6.0.3@tcp1"]);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_93_126_targets_registered_in_parallel() {
    let site = Site::new().await;
    let first = site.node("10.6.0.3@tcp").await;
    first.mount([mdt(0)]).await;
    let mut running = tokio::task::JoinSet::new();
    for n in 1..8 {
        let node = site.node(&format!("10.6.0.{}@tcp", 10 + n)).await;
        running.spawn(async move {
            node.mount([mdt(n), ost(n)]).await;
            node
        });
    }
    let nodes = running.join_all().await;
    let tree = site.seen(FS).await;
    assert_eq!(tree.to_string(), "8 MDTs, 7 OSTs");
    // Every MDT knows every other one and every OST, whoever was first.
    for node in &nodes {
        for name in
            site.api().targets(Some(FS)).await.unwrap().items.iter().filter(|t| t.name.contains("MDT"))
        {
            let Some(now) = node.host.config(&name.name).await else { continue };
            assert!(now.mdt_indices().len() <= 7 && now.devices.len() > 1, "{}", name.name);
        }
    }
    let again = site.node("10.6.0.40@tcp").await;
    for n in 1..8 {
        let tree = again.host.mount_target(with(mdt(n), TargetState::Registered)).await.unwrap();
        let others = (0..8).filter(|i| *i != n).collect();
        assert_eq!((tree.mdt_indices(), tree.ost_indices()), (others, (1..8).collect()), "MDT{n:04x}");
    }
    site.end().await;
}

/// Both nodes of a pair start the same target: the second is a restart like any other.
#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_41c_the_same_target_mounted_twice() {
    let site = Site::new().await;
    let (a, b) = (site.node("10.6.0.3@tcp").await, site.node("10.6.0.5@tcp").await);
    a.mount([mdt(0), ost(0)]).await;
    let before = site.api().log_file("testfs-client").await.unwrap();
    let again = with(ost(0), TargetState::Registered);
    assert_eq!(a.refused(again.clone()).await, -114, "by its own node");
    b.mount([again]).await;
    assert_eq!(site.api().log_file("testfs-client").await.unwrap(), before);
    site.end().await;
}

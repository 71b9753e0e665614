//! Fail-over of targets and of the MGS; what is said at format time and with the tuning tool.
use crate::site::{FS, Site, mdt, nid, ost, with};
use lustre_peer::{Event, TargetOptions, TargetState};
use mgs_api::ParamAssignment;

const CLIENT: &str = "testfs-client";

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_27b_121_the_mgs_fails_over_and_back() {
    let mut site = Site::new().await;
    let mut server = site.node("10.6.0.3@tcp").await;
    server.mount([mdt(0), ost(0)]).await;
    let mut client = site.node("10.6.0.4@tcp").await;
    let before = client.host.mount_client(FS).await.unwrap();
    for round in 1..3 {
        site.stop_mgs().await;
        site.start_mgs().await;
        for node in [&mut server, &mut client] {
            node.until(|e| matches!(e, Event::Connected { evicted: true, .. }).then_some(())).await;
            node.until(|e| matches!(e, Event::Reconfigured { .. } | Event::LogRead { .. }).then_some(()))
                .await;
        }
        // Logs are read on where they were left: a record executed twice would be an error.
        server.mount([ost(round)]).await;
        let now = client.config(CLIENT, |t| t.osts.len() == 1 + usize::try_from(round).unwrap()).await;
        assert_eq!(now.devices["testfs-OST0000-osc"], before.devices["testfs-OST0000-osc"]);
    }
    client.end().await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_49a_49b_timeouts_from_format_options() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    let params = vec!["sys.timeout=65".to_owned(), "sys.ldlm_timeout=19".to_owned()];
    server.mount([TargetOptions { params, ..mdt(0) }, ost(0)]).await;
    let tree = site.seen(FS).await;
    assert_eq!((tree.timeout, tree.ldlm_timeout), (Some(65), Some(19)));
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_73a_a_failnode_added_by_the_tuning_tool() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    server.mount([mdt(0), ost(0)]).await;
    let mut client = site.node("10.6.0.4@tcp").await;
    client.host.mount_client(FS).await.unwrap();
    server.umount([ost(0)]).await;
    let tuned = TargetOptions { failnodes: vec![vec![nid("10.6.0.5@tcp")]], ..ost(0) };
    server.mount([with(tuned, TargetState::Update)]).await;
    let live = client.config(CLIENT, |t| t.devices["testfs-OST0000-osc"].connections.len() == 2).await;
    assert_eq!(live.devices["testfs-OST0000-osc"].connections[1], "10.6.0.5@tcp");
    assert_eq!(site.seen(FS).await.devices, live.devices);
    client.end().await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_73b_many_nids_in_the_parameters() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    let nodes: Vec<_> = (0..161).map(|n| vec![nid(&format!("10.5.0.{n}@tcp"))]).collect();
    server.mount([mdt(0), TargetOptions { failnodes: nodes, ..ost(0) }]).await;
    assert_eq!(site.seen(FS).await.devices["testfs-OST0000-osc"].connections.len(), 162);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_137_a_new_mdt_inherits_parameters_and_failnodes() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    let params = vec!["osc.max_dirty_mb=7".to_owned(), "sys.timeout=130".to_owned()];
    let failnodes = vec![vec![nid("10.6.0.5@tcp")]];
    server.mount([mdt(0), TargetOptions { params, failnodes, ..ost(0) }]).await;
    server.mount([mdt(1)]).await;
    let of = |n: u32| server.host.config(["testfs-MDT0000", "testfs-MDT0001"][n as usize]);
    let new = of(1).await.unwrap();
    assert_eq!(new.devices["testfs-OST0000-osc-MDT0001"].connections, ["10.6.0.3@tcp", "10.6.0.5@tcp"]);
    let value = |(device, name): (&str, &str)| new.params.get(&(device.to_owned(), name.to_owned())).cloned();
    assert_eq!(
        value(("testfs-OST0000-osc-MDT0001", "osc.max_dirty_mb")),
        Some("7".to_owned()),
        "{:?}",
        new.params
    );
    site.end().await;
}

fn assignment(text: &str) -> ParamAssignment {
    ParamAssignment { assignment: text.to_owned(), syntax: None, force: false, wait: false }
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_30b_35a_35b_a_failover_nid_set_and_taken_away() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    server.mount([mdt(0), ost(0)]).await;
    let mut client = site.node("10.6.0.4@tcp").await;
    client.host.mount_client(FS).await.unwrap();
    let of = |t: &lustre_peer::interp::ConfigTree| t.devices["testfs-OST0000-osc"].connections.clone();
    site.api().param_set(&assignment("testfs-OST0000.failover.node=10.6.0.5@tcp"), false).await.unwrap();
    let live = client.config(CLIENT, |t| of(t).len() == 2).await;
    assert_eq!(of(&live), ["10.6.0.3@tcp", "10.6.0.5@tcp"]);
    assert_eq!(of(&site.seen(FS).await), of(&live));
    site.api().param_unset(&assignment("testfs-OST0000.failover.node"), false).await.unwrap();
    assert_eq!(of(&site.seen(FS).await), ["10.6.0.3@tcp"]);
    client.end().await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_73c_a_server_on_more_than_32_networks() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    let more_nids = (1..41).map(|n| nid(&format!("10.6.0.3@tcp{n}"))).collect();
    server.mount([mdt(0), TargetOptions { more_nids, ..ost(0) }]).await;
    let tree = site.seen(FS).await;
    assert_eq!(tree.to_string(), "1 MDT, 1 OST");
    assert_eq!(tree.targets[&(2, 0)].nids.len(), 41);
    site.end().await;
}

/// MGS NIDs of which some are nobody, some are named twice, and one is on IPv6.
#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_77_153a_153b_lists_of_mgs_nids() {
    let site = Site::new().await;
    let own = || nid("10.6.0.1@tcp");
    let server = site.node_with("10.6.0.3@tcp", |c| c.node.mgs = vec![own(), own(), own()]).await;
    let failnodes = vec![vec![nid("1.2.3.4@tcp"), nid("4.3.2.1@tcp")]];
    server.mount([mdt(0), TargetOptions { failnodes, ..ost(0) }]).await;
    let connections = &site.seen(FS).await.devices["testfs-OST0000-osc"].connections;
    assert_eq!(connections, &["10.6.0.3@tcp", "1.2.3.4@tcp"]);
    let nobody = ["0.0.0.0@tcp", "6699:7654::1234:1234:d84@tcp", "192.168.252.112@tcp"].map(nid);
    // A port of this host on which nobody listens.
    let closed = "127.0.0.1:9".parse().unwrap();
    for (n, before) in [&nobody[..], &nobody[1..2], &[]].into_iter().enumerate() {
        let at = format!("10.6.1.{n}@tcp");
        let client = site.node_with(&at, |c| {
            c.addresses.extend(before.iter().map(|nid| (*nid, closed)));
            c.node.mgs = before.iter().copied().chain([own()]).chain([nobody[1]]).collect();
        });
        assert_eq!(client.await.host.mount_client(FS).await.unwrap().to_string(), "1 MDT, 1 OST");
    }
    site.end().await;
}

/// None of the MGS NIDs answers: the mount fails, and an MGS that comes later is found.
#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_153c_no_mgs_nid_can_be_reached() {
    let mut site = Site::new().await;
    site.stop_mgs().await;
    let nids = ["192.168.252.112@tcp", "192.168.252.113@tcp", "10.6.0.1@tcp"].map(nid);
    let client = site.node_with("10.6.0.4@tcp", |c| {
        c.addresses.extend(nids.iter().map(|nid| (*nid, c.addresses[&nids[2]])).collect::<Vec<_>>());
        c.node.mgs = nids.to_vec();
    });
    let client = client.await;
    assert!(client.host.mount_client(FS).await.is_err());
    site.start_mgs().await;
    let server = site.node("10.6.0.3@tcp").await;
    server.mount([mdt(0), ost(0)]).await;
    assert_eq!(client.host.mount_client(FS).await.unwrap().to_string(), "1 MDT, 1 OST");
    site.end().await;
}

/// The MGS goes on on its partner: everybody finds it by the second NID that was given at the mount.
#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_160_every_mgs_nid_of_the_mount_is_used() {
    let mut site = Site::new().await;
    let partner = "10.6.0.11@tcp";
    let both = |c: &mut lustre_peer::HostConfig| {
        c.node.mgs.push(nid(partner));
        c.addresses.insert(nid(partner), c.addresses[&c.node.mgs[0]]);
    };
    let mut server = site.node_with("10.6.0.3@tcp", both).await;
    server.mount([mdt(0), ost(0)]).await;
    let mut client = site.node_with("10.6.0.4@tcp", both).await;
    client.host.mount_client(FS).await.unwrap();
    site.stop_mgs().await;
    site.start_mgs_at(partner).await;
    for node in [&mut server, &mut client] {
        node.until(|e| matches!(e, Event::Connected { mgs, .. } if *mgs == nid(partner)).then_some(())).await;
    }
    server.mount([ost(1)]).await;
    client.config(CLIENT, |t| t.osts.len() == 2).await;
    client.end().await;
    site.end().await;
}

/// An MDT restored from a backup, on another node of the pair: known to the MGS, and no log changes.
#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_131_154_an_mdt_restored_from_a_backup() {
    let mut site = Site::new().await;
    let (server, partner) = (site.node("10.6.0.3@tcp").await, site.node("10.6.0.5@tcp").await);
    let failnodes = vec![vec![nid("10.6.0.5@tcp")]];
    server.mount([TargetOptions { failnodes, ..mdt(0) }, ost(0)]).await;
    let mut logs = Vec::new();
    for log in ["testfs-MDT0000", CLIENT] {
        logs.push((log, site.api().log_file(log).await.unwrap()));
    }
    server.umount([ost(0), mdt(0)]).await;
    site.stop_mgs().await;
    site.start_mgs().await;
    partner.mount([with(mdt(0), TargetState::Registered)]).await;
    server.mount([ost(0)]).await;
    for (log, before) in logs {
        assert_eq!(site.api().log_file(log).await.unwrap(), before, "{log}");
    }
    assert_eq!(site.seen(FS).await.targets[&(1, 0)].nids, ["10.6.0.5@tcp"]);
    site.end().await;
}

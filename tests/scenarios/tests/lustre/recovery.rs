//! Imperative recovery: `recovery-small` 100 to 105 and 141.
use crate::site::{FS, Node, Site, mdt, ost, with};
use lustre_peer::{Event, HostConfig, TargetState};
use mgs_api::{IrState, RecoverySwitch};
use std::collections::BTreeMap;
use std::time::Duration;

const CLIENT: &str = "testfs-client";
const OST: (u8, u32) = (2, 0);

/// Recovery in force from the start; MDT0000 and OST0000 on nodes of their own, and a client.
async fn site() -> (Site, Node, Node, Node) {
    let site = Site::with_ir_timeout(Duration::ZERO).await;
    let (mds, oss) = (site.node("10.6.0.2@tcp").await, site.node("10.6.0.3@tcp").await);
    mds.mount([mdt(0)]).await;
    oss.mount([ost(0)]).await;
    let client = site.node("10.6.0.4@tcp").await;
    client.host.mount_client(FS).await.unwrap();
    (site, mds, oss, client)
}

/// OST0000 starts on its partner: what its target was told about recovery.
async fn fail_over(site: &Site, oss: Node, change: impl FnOnce(&mut HostConfig)) -> (Node, bool) {
    oss.end().await;
    let mut partner = site.node_with("10.6.0.5@tcp", change).await;
    let moved = lustre_peer::TargetOptions { instance: Some(2), ..with(ost(0), TargetState::Registered) };
    partner.mount([moved]).await;
    let ir = partner.until(|e| if let Event::Ready { ir, .. } = e { Some(*ir) } else { None }).await;
    (partner, ir)
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_small_100_disabled_nobody_is_told() {
    let (site, _mds, oss, mut client) = site().await;
    site.api().fs_recovery(FS, RecoverySwitch { enabled: false }, false).await.unwrap();
    let before = client.host.config(CLIENT).await.unwrap();
    let (partner, ir) = fail_over(&site, oss, |_| ()).await;
    assert!(!ir, "its window is not to shrink");
    // What does reach the client comes later than any callback about the table.
    partner.mount([ost(1)]).await;
    let now = client.config(CLIENT, |t| t.osts.len() == 2).await;
    assert_eq!(now.targets[&OST], before.targets[&OST]);
    // A new mount reads the table as it is.
    assert_eq!(site.seen(FS).await.targets[&OST].nids, ["10.6.0.5@tcp"]);
    client.end().await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_small_101a_101b_full_the_client_is_told_where_the_ost_is() {
    let (site, _mds, oss, mut client) = site().await;
    assert_eq!(site.api().fs(FS).await.unwrap().ir_state, IrState::Full);
    let (_partner, ir) = fail_over(&site, oss, |_| ()).await;
    assert!(ir);
    let now = client.config(CLIENT, |t| t.targets[&OST].instance == 2).await;
    assert_eq!(now.targets[&OST].nids, ["10.6.0.5@tcp"]);
    client.end().await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_small_102_versions_never_go_back() {
    let (mut site, _mds, oss, client) = site().await;
    let (_partner, _) = fail_over(&site, oss, |_| ()).await;
    let before = site.api().fs(FS).await.unwrap().nidtbl_version;
    site.stop_mgs().await;
    site.start_mgs().await;
    let mut new = site.node("10.6.0.6@tcp").await;
    new.host.mount_client(FS).await.unwrap();
    let version =
        new.until(|e| if let Event::TableRead { version, .. } = e { Some(*version) } else { None }).await;
    assert!(version >= Some(before), "{version:?}, {before} before the restart");
    client.end().await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_small_103_an_mdt_starts_without_mgs_and_reads_the_table_later() {
    let (mut site, mut mds, _oss, client) = site().await;
    mds.umount([mdt(0)]).await;
    site.stop_mgs().await;
    mds.mount([mdt(0)]).await;
    assert!(mds.host.config("testfs-MDT0000").await.unwrap().targets.is_empty());
    site.start_mgs().await;
    let now = mds.config("testfs-MDT0000", |t| t.targets.contains_key(&OST)).await;
    assert_eq!(now.targets[&OST].nids, ["10.6.0.3@tcp"]);
    client.end().await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_small_104_an_ost_mounted_noir_gets_no_promise() {
    let (site, _mds, oss, client) = site().await;
    let (_partner, ir) = fail_over(&site, oss, |config| config.node.noir = true).await;
    assert!(!ir);
    client.end().await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_small_105_a_client_without_ir_makes_the_state_partial() {
    let (site, _mds, oss, client) = site().await;
    let state = async || {
        let fs = site.api().fs(FS).await.unwrap();
        (fs.ir_state, fs.nonir_clients)
    };
    assert_eq!(state().await, (IrState::Full, 0));
    let old = site.node_with("10.6.0.6@tcp", |config| config.node.noir = true).await;
    old.host.mount_client(FS).await.unwrap();
    assert_eq!(state().await, (IrState::Partial, 1));
    let (partner, ir) = fail_over(&site, oss, |_| ()).await;
    assert!(!ir);
    old.host.umount(CLIENT).await.unwrap();
    assert_eq!(state().await, (IrState::Full, 0));
    partner.umount([ost(0)]).await;
    client.end().await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_small_141_after_a_restart_servers_hold_as_many_locks() {
    let (mut site, mut mds, mut oss, mut client) = site().await;
    locks(&site, [&mut mds, &mut oss, &mut client]).await;
    site.stop_mgs().await;
    site.start_mgs().await;
    locks(&site, [&mut mds, &mut oss, &mut client]).await;
    client.end().await;
    site.end().await;
}

/// Waits until everybody holds all locks of its mounts: seven for the MDT, five for the OST, four for the client. What
/// was revoked is taken again some seconds later.
async fn locks(site: &Site, [mds, oss, client]: [&mut Node; 3]) {
    let locked = |e: &Event| matches!(e, Event::Locked { .. }).then_some(());
    loop {
        let clients = site.api().clients().await.unwrap().items;
        let held: BTreeMap<String, u64> = clients.iter().map(|c| (c.nid.clone(), c.lock_count())).collect();
        let all = [("10.6.0.2@tcp", 7), ("10.6.0.3@tcp", 5), ("10.6.0.4@tcp", 4)];
        if held == all.map(|(nid, n)| (nid.to_owned(), n)).into() {
            return;
        }
        tokio::select! {
            () = mds.until(locked) => {}
            () = oss.until(locked) => {}
            () = client.until(locked) => {}
        }
    }
}

//! A mount that waits for approval, over the wire: approved, refused, and with mgsd killed while it waits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod daemon;

use daemon::{command, free_port, serve};
use lustre_peer::host::{HostConfig, PeerError, PeerHost};
use mgs_api::{Approval, Client, PolicySwitch, RegistrationPolicy, RegistrationState};
use mgs_core::model::view::View;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use store_backends::Store;
use store_backends::sqlite::SqliteStore;
use tokio::process::Child;

const FS: &str = "testfs";
const TARGET: &str = "testfs-OST0004";
/// EACCES.
const REFUSED: i32 = -13;

async fn start(data: &Path, port: u16) -> (Child, Client) {
    let mut command = command(data);
    let (child, _) = serve(command.args(["--nid", "127.0.0.1@tcp", "--port", &port.to_string()])).await;
    (child, Client::connect(&format!("unix:{}", data.join("api.sock").display())).await.unwrap())
}

/// Until the target waits.
async fn waits(api: &Client) {
    loop {
        let list = api.registrations().await.unwrap().items;
        if list.iter().any(|r| r.target == TARGET && r.state == RegistrationState::Waiting) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mount_waits_is_refused_survives_a_kill_and_is_approved() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let mgs = SocketAddr::from(([127, 0, 0, 1], port));
    let (mut daemon, api) = start(dir.path(), port).await;
    let policy = PolicySwitch { policy: RegistrationPolicy::Approve };
    assert!(api.registration_default(policy, false).await.unwrap().seq.is_some());

    let nid = "10.9.0.4@tcp".parse().unwrap();
    let mut config = HostConfig::new(nid, vec!["127.0.0.1@tcp".parse().unwrap()]).with_mgs_addr(mgs);
    // Its patience is 4 s then: mgsd counts seconds, so that the node connects and sends again while it waits.
    config.speed = 3;
    let node = Arc::new(PeerHost::start(config).await.unwrap());
    let mount = |node: &Arc<PeerHost>| {
        let node = Arc::clone(node);
        tokio::spawn(async move { node.mount_ost(FS, 4).await })
    };

    let mounting = mount(&node);
    waits(&api).await;
    api.registration_refuse(TARGET, false).await.unwrap();
    match mounting.await.unwrap() {
        Err(PeerError::Mount { errno: REFUSED, .. }) => {}
        other => panic!("{other:?}"),
    }
    api.registration_forget(TARGET, false).await.unwrap();

    let mounting = mount(&node);
    waits(&api).await;
    daemon.kill().await.unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let all = store.range("").await.unwrap();
    let view = View::load(all.entries.iter().map(|e| (e.key.as_str(), e.value.as_slice()))).unwrap();
    assert!(view.fs.is_empty(), "nothing of it is stored");
    drop(store);
    let (mut daemon, api) = start(dir.path(), port).await;
    waits(&api).await;
    assert!(!mounting.is_finished(), "it does not believe to be registered");
    api.registration_approve(TARGET, &Approval::default(), false).await.unwrap();
    mounting.await.unwrap().unwrap();
    assert_eq!(api.target(TARGET).await.unwrap().name, TARGET);
    assert!(api.registrations().await.unwrap().items.is_empty());
    let why = api.why(TARGET).await.unwrap().items;
    assert!(why.iter().any(|d| d.op == "held" && d.why.contains("registration approve")), "{why:?}");
    daemon.kill().await.unwrap();
}

//! Two daemons on one etcd, both active: what registers through one is served and announced by the other at once, and
//! either may be killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod daemon;

use daemon::{command, free_port, serve};
use lustre_peer::host::{HostConfig, PeerHost};
use lustre_peer::node::Event;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use store_backends::conformance::cluster::{Cluster, Settings};
use tokio::process::{Child, Command};
use wire::Nid;

const FS: &str = "testfs";

/// A daemon as a process of its own.
struct Daemon {
    child: Child,
    address: SocketAddr,
}

impl Daemon {
    /// Starts one and waits until it serves. `uuid` is what it says of itself.
    async fn start(dir: &Path, store: &str, port: u16) -> (Self, String) {
        let mut command = command(&dir.join(port.to_string()));
        let at = ["--store", store, "--nid", "127.0.0.1@tcp", "--port", &port.to_string()];
        let (child, first) = serve(command.args(at)).await;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        (Self { child, address }, first)
    }
}

async fn node(last: u8, daemon: &Daemon) -> PeerHost {
    let nid = Nid::tcp(Ipv4Addr::new(10, 8, 0, last).into(), 0);
    let mut config =
        HostConfig::new(nid, vec!["127.0.0.1@tcp".parse().unwrap()]).with_mgs_addr(daemon.address);
    config.speed = 20;
    PeerHost::start(config).await.unwrap()
}

/// Runs `mgsd` with these words; what it printed, on both streams.
async fn mgsd(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_mgsd")).args(words).output().await.unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Waits until the client's configuration has these OSTs.
async fn sees(client: &PeerHost, osts: &[u32]) {
    let mut events = client.events();
    loop {
        let config = client.config(&format!("{FS}-client")).await.expect("mounted");
        if config.ost_indices().into_iter().eq(osts.iter().copied()) {
            return;
        }
        let event = events.recv().await.unwrap();
        assert!(!matches!(event, Event::Violation(_)), "mgsd broke a rule: {event:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_registers_through_one_is_announced_by_the_other() {
    let cluster = Cluster::start(1, &Settings::default());
    let dir = tempfile::tempdir().unwrap();
    let store = cluster.url("several");
    // Both find the store empty, and make one MGS.
    let ((mut a, said_a), (b, said_b)) = tokio::join!(
        Daemon::start(dir.path(), &store, free_port()),
        Daemon::start(dir.path(), &store, free_port())
    );
    let uuid = |line: &str| line.split("MGS ").nth(1).map(str::to_owned).expect("a UUID");
    assert_eq!(uuid(&said_a), uuid(&said_b));

    let (near_a, near_b) = (node(1, &a).await, node(2, &b).await);
    near_a.mount_mdt(FS, 0).await.unwrap();
    near_b.mount_ost(FS, 0).await.unwrap();
    let (client_a, client_b) = (node(11, &a).await, node(12, &b).await);
    client_a.mount_client(FS).await.unwrap();
    client_b.mount_client(FS).await.unwrap();
    sees(&client_a, &[0]).await;
    sees(&client_b, &[0]).await;

    // At the same time through both: every one gets its index, everybody hears of all.
    let (one, other) = tokio::join!(near_a.mount_ost(FS, 1), near_b.mount_ost(FS, 2));
    one.unwrap();
    other.unwrap();
    sees(&client_a, &[0, 1, 2]).await;
    sees(&client_b, &[0, 1, 2]).await;

    // Copied and checked while both work.
    let file = dir.path().join("copy.db");
    let file = file.to_str().unwrap();
    let data = dir.path().join("data");
    let at = ["--store", &store, "--data", data.to_str().unwrap()];
    let said = mgsd(&[&["backup", file], &at[..]].concat()).await;
    assert!(said.contains("epoch 1") && said.contains("checked"), "{said}");
    let copy = store_backends::sqlite::read(Path::new(file)).unwrap();
    assert!(copy.entries.iter().any(|e| e.key == "fs/testfs/target/OST0002"));
    assert!(mgsd(&[&["backup", file], &at[..]].concat()).await.contains("never overwritten"));
    assert!(mgsd(&[&["check"], &at[..]].concat()).await.contains("no damage found"));
    assert!(mgsd(&[&["restore", "--from", file], &at[..]].concat()).await.contains("mgsctl store copy"));
    let place = dir.path().join("restored");
    let said = mgsd(&["restore", "--from", file, "--data", place.to_str().unwrap()]).await;
    assert!(said.contains("as epoch 2"), "{said}");

    // One dies; the other goes on, and has everything that was acknowledged.
    a.child.kill().await.unwrap();
    near_b.mount_ost(FS, 3).await.unwrap();
    sees(&client_b, &[0, 1, 2, 3]).await;
    let late = node(13, &b).await;
    late.mount_client(FS).await.unwrap();
    sees(&late, &[0, 1, 2, 3]).await;
}

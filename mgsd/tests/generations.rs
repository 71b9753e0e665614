//! A log is renewed under a running site: who has read it goes on at its next index, who mounts afterwards reads the short
//! one, and a daemon that is killed in between mixes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod daemon;

use daemon::{command, free_port, serve};
use lustre_peer::host::{HostConfig, PeerHost};
use mgs_api::{Client, Error, ParamAssignment};
use std::net::SocketAddr;
use std::path::Path;
use tokio::process::Child;

const LOG: &str = "testfs-client";
const NEXT: &str = "testfs-client@next";
const OLD: &str = "10.9.0.4@tcp";
const FRESH: &str = "10.9.0.5@tcp";

async fn start(data: &Path, port: u16) -> (Child, Client) {
    let mut command = command(data);
    let (child, _) = serve(command.args(["--nid", "127.0.0.1@tcp", "--port", &port.to_string()])).await;
    (child, Client::connect(&format!("unix:{}", data.join("api.sock").display())).await.unwrap())
}

/// The faster its clock runs, the less patient it is.
async fn node(nid: &str, port: u16, speed: u32) -> PeerHost {
    let mgs = SocketAddr::from(([127, 0, 0, 1], port));
    let mut config =
        HostConfig::new(nid.parse().unwrap(), vec!["127.0.0.1@tcp".parse().unwrap()]).with_mgs_addr(mgs);
    config.speed = speed;
    PeerHost::start(config).await.unwrap()
}

async fn set(api: &Client, megabytes: u32) {
    let assignment = format!("testfs.llite.max_read_ahead_mb={megabytes}");
    let wish = ParamAssignment { assignment, syntax: None, force: false, wait: false };
    assert!(api.param_set(&wish, false).await.unwrap().seq.is_some());
}

/// Waits until a node has fetched a log to its end, and nothing else has that it should not have; the index.
async fn at_end(api: &Client, log: &str, nid: &str, other: &str) -> u32 {
    loop {
        let readers = api.log_readers(log).await.unwrap().items;
        assert!(readers.iter().all(|r| r.nid != other), "{log}: {readers:?}");
        if let Some(reader) = readers.iter().find(|r| r.nid == nid && r.index == r.last) {
            return reader.index;
        }
        tokio::task::yield_now().await;
    }
}

/// Waits until a client has executed a value.
async fn told(client: &PeerHost, megabytes: u32) {
    let name = (LOG.to_owned(), "llite.max_read_ahead_mb".to_owned());
    while client.config(LOG).await.unwrap().params.get(&name) != Some(&megabytes.to_string()) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_renewed_under_a_running_site() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let (mut daemon, api) = start(dir.path(), port).await;
    let server = node("10.9.0.3@tcp", port, 10).await;
    server.mount_mdt("testfs", 0).await.unwrap();
    server.mount_ost("testfs", 0).await.unwrap();
    let old = node(OLD, port, 10).await;
    old.mount_client("testfs").await.unwrap();
    for n in 1..=8 {
        set(&api, 8 * n).await;
    }
    told(&old, 64).await;
    let before = at_end(&api, LOG, OLD, FRESH).await;
    let plan = api.log_renew(LOG, true).await.unwrap();
    assert!(plan.seq.is_none() && plan.notified.is_empty(), "{plan:?}");
    assert!(api.log_renew(LOG, false).await.unwrap().seq.is_some());

    // Its first attempt has to be the one that counts: a second one would put it in doubt.
    let fresh = node(FRESH, port, 2).await;
    fresh.mount_client("testfs").await.unwrap();
    told(&fresh, 64).await;
    set(&api, 72).await;
    told(&fresh, 72).await;
    told(&old, 72).await;
    let (long, short) = (at_end(&api, LOG, OLD, FRESH).await, at_end(&api, NEXT, FRESH, OLD).await);
    assert!(long > before && short + 16 < long, "{before} {long} {short}");
    let logs = api.logs(Some("testfs")).await.unwrap().items;
    let log = logs.iter().find(|log| log.name == LOG).unwrap();
    assert_eq!(log.next.as_deref(), Some(NEXT));
    assert!(log.pinned.contains(&OLD.to_owned()) && !log.pinned.contains(&FRESH.to_owned()), "{log:?}");

    // a kernel MGS has one: that of who is pinned
    let digits = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let mgt = api.export().await.unwrap();
    assert_eq!(mgt.logs[LOG], digits(&api.log_file(LOG).await.unwrap()));
    assert!(!mgt.logs.contains_key(NEXT));

    daemon.kill().await.unwrap();
    let (_daemon, api) = start(dir.path(), port).await;
    set(&api, 80).await;
    for client in [&old, &fresh] {
        client.ping().await.unwrap();
        told(client, 80).await;
    }
    assert!(at_end(&api, LOG, OLD, FRESH).await > long && at_end(&api, NEXT, FRESH, OLD).await > short);
    assert_eq!(old.config(LOG).await, fresh.config(LOG).await);

    match api.log_retire(LOG, false, false).await {
        Err(Error::Refused(problem)) => assert!(problem.detail.contains(OLD), "{problem:?}"),
        other => panic!("{other:?}"),
    }
    let done = api.log_retire(LOG, true, false).await.unwrap();
    assert!(done.warnings.iter().any(|w| w.contains("remount") && w.contains(OLD)), "{done:?}");
    set(&api, 88).await;
    told(&fresh, 88).await;
    let left: Vec<String> = api.status().await.unwrap().must_remount.into_iter().map(|n| n.nid).collect();
    assert!(left.contains(&OLD.to_owned()) && !left.contains(&FRESH.to_owned()), "{left:?}");
    // it kept what it had, and mounts again
    told(&old, 80).await;
    old.umount(LOG).await.unwrap();
    old.mount_client("testfs").await.unwrap();
    told(&old, 88).await;
    let left: Vec<String> = api.status().await.unwrap().must_remount.into_iter().map(|n| n.nid).collect();
    assert!(!left.contains(&OLD.to_owned()), "{left:?}");
    assert_eq!(old.config(LOG).await, fresh.config(LOG).await);
}

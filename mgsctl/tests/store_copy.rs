//! `mgsctl store copy` between SQLite and a real etcd, both ways.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

use clap::Parser as _;
use mgs_core::model::view::View;
use std::path::Path;
use std::process::{Command, Output};
use store_backends::conformance::cluster::{Cluster, Settings};
use store_backends::{Place, RangeReply};

fn copy(from: &str, to: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mgsctl"))
        .args(["store", "copy", "--from", from, "--to", to])
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn read(place: &str) -> RangeReply {
    Place::parse(place).unwrap().open().await.unwrap().range("").await.unwrap()
}

fn view(reply: &RangeReply) -> View {
    View::load(reply.entries.iter().map(|e| (e.key.as_str(), e.value.as_slice()))).unwrap()
}

/// A store that mgsd has made: run until it serves.
async fn made(dir: &Path) {
    // The library, not the binary: this package builds only its own.
    let api = format!("unix:{}", dir.join("api.sock").display());
    let data = dir.to_str().unwrap();
    let typed = ["mgsd", "--data", data, "--nid", "127.0.0.1@tcp", "--port", "0", "--api", &api];
    let config = mgsd::config::Config::new(&mgsd::config::Arguments::try_parse_from(typed).unwrap()).unwrap();
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let stop = async move { is_ready.await.unwrap() };
    mgsd::daemon::serve(config, move |_| ready.send(()).unwrap(), stop).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_sqlite_to_etcd_and_back() {
    let cluster = Cluster::start(1, &Settings::default());
    let dir = tempfile::tempdir().unwrap();
    let (first, last) = (dir.path().join("first"), dir.path().join("last"));
    std::fs::create_dir(&first).unwrap();
    made(&first).await;
    let first = format!("sqlite:{}", first.display());
    let (etcd, last) = (cluster.url("copied"), format!("sqlite:{}", last.display()));

    let before = read(&first).await;
    let done = copy(&first, &etcd);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(
        text(&done.stdout).contains("epoch:") && text(&done.stdout).contains("sha256"),
        "{}",
        text(&done.stdout)
    );
    assert_eq!(read(&first).await, before, "the source is left as it is");

    let there = read(&etcd).await;
    let (old, new) = (view(&before), view(&there));
    let (old_meta, new_meta) = (old.meta.clone().unwrap(), new.meta.clone().unwrap());
    assert_eq!((new_meta.uuid, new_meta.epoch), (old_meta.uuid, old_meta.epoch + 1));
    assert_eq!((new.seq, &new.fs), (old.seq + 1, &old.fs));
    for entry in &before.entries {
        if entry.key != "meta" && entry.key != "seq" {
            assert!(there.entries.contains(entry), "{}", entry.key);
        }
    }
    // Never over something.
    let again = copy(&first, &etcd);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("copied"), "{}", text(&again.stderr));

    let back = copy(&etcd, &last);
    assert!(back.status.success(), "{}", text(&back.stderr));
    let home = view(&read(&last).await);
    assert_eq!(home.meta.unwrap().epoch, new_meta.epoch + 1);

    let nosuch = dir.path().join("nosuch");
    let absent = format!("sqlite:{}", nosuch.display());
    for (from, to) in
        [(absent.as_str(), etcd.as_str()), (etcd.as_str(), "tape:0"), (etcd.as_str(), etcd.as_str())]
    {
        let refused = copy(from, to);
        assert_eq!(refused.status.code(), Some(1), "{from} {to}");
        assert_eq!(text(&refused.stderr).lines().count(), 1, "{}", text(&refused.stderr));
    }
    assert!(!nosuch.exists(), "looking makes nothing");
}

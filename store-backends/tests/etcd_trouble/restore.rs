//! A snapshot whose loading is cut short.

use std::sync::Arc;

use etcd_client::{Client, GetOptions};
use store_backends::conformance::cluster::{Cluster, Settings};
use store_backends::memory::MemoryStore;
use store_backends::{CommitOutcome, Entry, Snapshot, Store, StoreError};

use super::{put, request, run};

async fn snapshot() -> Snapshot {
    let store = MemoryStore::new();
    for base in 0..60 {
        let changes = (0..100).map(|i| put(&format!("llog/{base:02}/{i:02}"), vec![7; 50])).collect();
        assert_eq!(store.commit(request(base, changes)).await, CommitOutcome::Committed(base + 1));
    }
    store.snapshot().await.unwrap()
}

/// Dies with a part of the entries written. The address of that store.
async fn cut_short(cluster: &Cluster, name: &str, snapshot: &Snapshot) -> String {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let name = format!("{name}{attempt}");
        // on a busy machine it may be done before anybody looks
        if is_cut_short(cluster, &name, snapshot).await {
            return cluster.url(&name);
        }
    }
}

async fn is_cut_short(cluster: &Cluster, name: &str, snapshot: &Snapshot) -> bool {
    let dying = Arc::new(cluster.open(&cluster.url(name)).await);
    let loading = snapshot.clone();
    let loader = tokio::spawn(async move { dying.restore(loading).await });
    let endpoint = format!("http://127.0.0.1:{}", cluster.port(0));
    let mut raw = Client::connect([endpoint], None).await.unwrap();
    loop {
        let options = GetOptions::new().with_prefix().with_count_only();
        let count = raw.get(format!("/mgsd/{name}/"), Some(options)).await.unwrap().count();
        if count > 500 {
            break;
        }
    }
    loader.abort();
    loader.await.is_err_and(|e| e.is_cancelled())
}

#[test]
fn a_snapshot_cut_short_is_no_state() {
    run(async {
        let cluster = Cluster::start(1, &Settings::default());
        let snapshot = snapshot().await;
        let empty = Snapshot { seq: 0, entries: vec![] };

        let store = cluster.open(&cut_short(&cluster, "again", &snapshot).await).await;
        assert_eq!((store.snapshot().await, store.barrier().await), (Ok(empty.clone()), Ok(0)));
        assert_eq!(store.commits(0, 9).await, Ok(vec![]));
        let mut smaller = snapshot.clone();
        smaller.entries.retain(|e: &Entry| !e.key.starts_with("llog/00/"));
        store.restore(smaller.clone()).await.unwrap();
        assert_eq!(store.snapshot().await, Ok(smaller));

        let store = cluster.open(&cut_short(&cluster, "commit", &snapshot).await).await;
        assert_eq!(store.commit(request(0, vec![put("fs/a", "1")])).await, CommitOutcome::Committed(1));
        let keys: Vec<_> = store.range("").await.unwrap().entries.into_iter().map(|e| e.key).collect();
        assert_eq!(keys, ["commit/0000000000000001", "fs/a", "seq"]);
        assert!(matches!(store.restore(snapshot).await, Err(StoreError::NotEmpty { seq: 1, .. })));
    });
}

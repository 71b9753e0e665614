//! Others in the same cluster: they write beside us, compact under us, and by mistake into our keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use etcd_client::Client;
use store_backends::conformance::cluster::{Cluster, Settings};
use store_backends::{Store, StoreError};

use super::{commit, follow, put, run};

async fn stranger(cluster: &Cluster) -> Client {
    Client::connect([format!("http://127.0.0.1:{}", cluster.port(0))], None).await.unwrap()
}

#[test]
fn others_write_and_compact_all_the_time() {
    run(async {
        let cluster = Cluster::start(1, &Settings::default());
        let store = Arc::new(cluster.open(&cluster.url("site1")).await);
        for i in 0..30 {
            let keys = (0..100).map(|j| put(&format!("llog/big/{i:02}{j:02}"), vec![i; 100]));
            commit(&store, keys.collect()).await;
        }
        let mut other = stranger(&cluster).await;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let noise = tokio::spawn(async move {
            let mut compactions = 0;
            while !stopped.load(Ordering::SeqCst) {
                let mut revision = 0;
                for key in ["/other", "/mgsd/site10/seq", "/mgsd/site", "/mgsd/site1", "/mgsd/site0/fs/a"] {
                    let done = other.put(key, "x", None).await.unwrap();
                    revision = done.header().unwrap().revision();
                }
                other.compact(revision, None).await.unwrap();
                compactions += 1;
            }
            compactions
        });
        let end = 30 + 200;
        let follower = Arc::new(cluster.open(&cluster.url("site1")).await);
        let following = Arc::clone(&follower);
        let following = tokio::spawn(async move { follow(&following, end).await });
        let mut txns = Vec::new();
        for i in 0..200 {
            txns.push(commit(&store, vec![put("fs/a", i.to_string()), put("fs/b", i.to_string())]).await.1);
            if i % 10 == 0 {
                // several pages, one state
                let reply = store.range("").await.unwrap();
                let value = |key: &str| reply.entries.iter().find(|e| e.key == key).unwrap().value.clone();
                assert_eq!(reply.entries.len(), 3000 + 2 + usize::try_from(reply.seq).unwrap() + 1);
                assert_eq!(
                    (value("fs/a"), value("seq")),
                    (value("fs/b"), reply.seq.to_string().into_bytes())
                );
            }
        }
        assert_eq!(following.await.unwrap()[30..], txns);
        stop.store(true, Ordering::SeqCst);
        assert!(noise.await.unwrap() > 10, "nobody compacted");
    });
}

/// Whatever is not ours under our prefix, and every flipped bit, is reported by key, and never served.
#[test]
fn foreign_and_damaged_values_are_reported_by_key() {
    run(async {
        let cluster = Cluster::start(1, &Settings::default());
        let store = cluster.open(&cluster.url("site1")).await;
        commit(&store, vec![put("fs/a", "{}"), put("fs/empty", ""), put("llog/x", vec![0, 255])]).await;
        let good = store.snapshot().await.unwrap();
        let mut other = stranger(&cluster).await;
        let is = |e: &StoreError, wanted: &str| matches!(e, StoreError::Corrupt { key, .. } if key == wanted);

        for foreign in ["fs/b", "fs/ä", "zz top", "commit/x"] {
            other.put(format!("/mgsd/site1/{foreign}"), r#"{"by":"etcdctl"}"#, None).await.unwrap();
            let error = store.range("").await.unwrap_err();
            assert!(is(&error, foreign), "{error}");
            other.delete(format!("/mgsd/site1/{foreign}"), None).await.unwrap();
        }
        assert_eq!(store.snapshot().await, Ok(good.clone()));

        for key in good.entries.iter().map(|e| e.key.as_str()) {
            let full = format!("/mgsd/site1/{key}");
            let sealed = other.get(full.as_str(), None).await.unwrap().kvs()[0].value().to_vec();
            for byte in 0..sealed.len() {
                let mut bad = sealed.clone();
                bad[byte] ^= 1 << (byte % 8);
                other.put(full.as_str(), bad, None).await.unwrap();
                assert!(is(&store.range(key).await.unwrap_err(), key), "byte {byte} of {key}");
            }
            if key == "seq" {
                assert!(is(&store.barrier().await.unwrap_err(), key));
                assert!(is(&store.range("fs/").await.unwrap_err(), key));
            }
            if key.starts_with("commit/") {
                assert!(is(&store.commits(0, 9).await.unwrap_err(), key));
            }
            other.put(full.as_str(), sealed, None).await.unwrap();
        }
        // a value that stands under the key of another
        let sealed = other.get("/mgsd/site1/fs/a", None).await.unwrap().kvs()[0].value().to_vec();
        other.put("/mgsd/site1/fs/empty", sealed, None).await.unwrap();
        assert!(is(&store.range("fs/").await.unwrap_err(), "fs/empty"));
    });
}

//! Members that die, hang, and come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store_backends::conformance::cluster::{Cluster, Settings};
use store_backends::etcd::{EtcdConfig, EtcdStore};
use store_backends::{CommitOutcome, Store, StoreError};
use tokio::task::JoinSet;

use super::{commit, fate, follow, put, request, run};

/// Each of three members is killed under load, so the leader is, too. Three daemons write, one follows.
#[test]
fn every_member_is_killed_under_load() {
    run(async {
        let cluster = Arc::new(Cluster::start(3, &Settings::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = JoinSet::new();
        for order in [[0, 1, 2], [1, 2, 0], [2, 0, 1]] {
            let store = cluster.open(&cluster.url_through("load", &order)).await;
            let stop = Arc::clone(&stop);
            writers.spawn(async move {
                let mut acknowledged = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    acknowledged.push(commit(&store, vec![put("fs/last", format!("{order:?}"))]).await);
                }
                acknowledged
            });
        }
        let looker = cluster.open(&cluster.url("load")).await;
        let mut at = 0;
        for member in 0..3 {
            at = looker.barrier().await.unwrap_or(at);
            let _ = follow(&looker, at + 20).await;
            cluster.kill(member);
            // the others go on without it
            let _ = follow(&looker, at + 60).await;
            cluster.revive(member);
            drop(cluster.open(&cluster.url_through("load", &[member])).await);
        }
        stop.store(true, Ordering::SeqCst);
        let mut acknowledged: Vec<_> = writers.join_all().await.concat();
        acknowledged.sort_by_key(|(seq, _)| *seq);
        let end = looker.barrier().await.unwrap();
        let seen = follow(&looker, end).await;
        // dense, each once: what is stored is what was acknowledged
        let told: Vec<_> = acknowledged.iter().map(|(_, txn)| *txn).collect();
        assert!(acknowledged.iter().map(|(seq, _)| *seq).eq(1..=end));
        assert_eq!(told, seen);
    });
}

/// Without a quorum every call says so in time; with it again, all goes on, and the fate of the commit is certain.
#[test]
fn quorum_is_lost_and_comes_back() {
    run(async {
        let cluster = Cluster::start(3, &Settings::default());
        let url = format!("{}?timeout=1500ms", cluster.url("quorum"));
        let store = Arc::new(cluster.open(&url).await);
        assert_eq!(commit(&store, vec![put("fs/a", "1")]).await.0, 1);
        let waiter = Arc::clone(&store);
        let waiter = tokio::spawn(async move { waiter.wait(1).await });

        cluster.kill(1);
        cluster.kill(2);
        let lost = request(1, vec![put("fs/a", "2")]);
        let txn = lost.txn;
        let outcome = store.commit(lost).await;
        assert!(matches!(outcome, CommitOutcome::Unknown(StoreError::Unavailable { .. })), "{outcome:?}");
        assert!(matches!(store.barrier().await, Err(StoreError::Unavailable { .. })));
        assert!(store.range("fs/").await.is_err() && store.commits(0, 9).await.is_err());
        assert!(store.find_txn(txn, 1).await.is_err(), "nobody can know yet");
        let unconnected = EtcdStore::unconnected(&EtcdConfig::parse(&url).unwrap()).unwrap();
        assert!(EtcdStore::open(&EtcdConfig::parse(&url).unwrap()).await.is_err());
        assert!(!waiter.is_finished());

        cluster.revive(1);
        let happened = fate(&store, txn, 1).await;
        let (seq, _) = commit(&store, vec![put("fs/a", "3")]).await;
        assert_eq!(seq, if happened.is_some() { 3 } else { 2 });
        waiter.await.unwrap().unwrap();
        assert_eq!(unconnected.barrier().await, Ok(seq));
        assert_eq!(fate(&store, txn, 1).await, happened, "a fate never changes");
    });
}

/// A member that hangs, and an address where nobody is: calls go elsewhere.
#[test]
fn endpoints_that_do_not_answer_are_passed_over() {
    run(async {
        let cluster = Cluster::start(3, &Settings::default());
        // port 1 of the loopback: nobody
        let url = cluster.url_through("gone", &[0, 1, 2]).replacen("//", "//127.0.0.1:1,", 1);
        let store = cluster.open(&format!("{url}?timeout=3s")).await;
        for hanging in [0, 1, 2] {
            cluster.signal(hanging, "STOP");
            for _ in 0..5 {
                let before = store.barrier().await.unwrap();
                assert_eq!(commit(&store, vec![put("fs/a", "x")]).await.0, before + 1);
            }
            cluster.signal(hanging, "CONT");
        }
        assert_eq!(store.barrier().await, Ok(15));
    });
}

/// The doorbell rings through the loss of the member that watched.
#[test]
fn the_bell_rings_through_the_loss_of_its_member() {
    run(async {
        let cluster = Cluster::start(3, &Settings::default());
        let writer = cluster.open(&cluster.url_through("bell", &[2, 1])).await;
        let listener = Arc::new(cluster.open(&cluster.url_through("bell", &[0, 1])).await);
        commit(&writer, vec![]).await;
        listener.wait(0).await.unwrap();
        cluster.kill(0);
        let sleeper = Arc::clone(&listener);
        let sleeper = tokio::spawn(async move { sleeper.wait(1).await });
        commit(&writer, vec![]).await;
        tokio::time::timeout(Duration::from_secs(30), sleeper).await.unwrap().unwrap().unwrap();
    });
}

//! A cluster in trouble: nothing acknowledged is lost, nothing is done twice, and all goes on by itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod full;
mod late;
mod members;
mod proxy;
mod restore;
mod rights;
mod strangers;

use store_backends::etcd::EtcdStore;
use store_backends::{Change, CommitOutcome, CommitRequest, Seq, Store, StoreError, TxnId};

/// A commit that nobody else makes.
fn request(base: Seq, changes: Vec<Change>) -> CommitRequest {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let txn = TxnId(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)));
    let record = format!(r#"{{"txn":"{txn}"}}"#).into_bytes();
    CommitRequest { txn, base, guards: vec![], changes, record }
}

fn put(key: &str, value: impl Into<Vec<u8>>) -> Change {
    Change::Put(key.to_owned(), value.into())
}

fn txn_of(record: &[u8]) -> TxnId {
    let record: String = String::from_utf8(record.to_vec()).unwrap();
    record.split('"').nth(3).unwrap().parse().unwrap()
}

/// Asks until the store answers; a test that waits for ever is ended by its watchdog.
async fn fate(store: &EtcdStore, txn: TxnId, after: Seq) -> Option<Seq> {
    loop {
        if let Ok(fate) = store.find_txn(txn, after).await {
            return fate;
        }
    }
}

/// Commits until it has happened once, as mgsd does. Where, and what has happened of it before by accident: nothing.
async fn commit(store: &EtcdStore, changes: Vec<Change>) -> (Seq, TxnId) {
    let mut base = store.barrier().await.unwrap_or(0);
    loop {
        let request = request(base, changes.clone());
        let txn = request.txn;
        match store.commit(request).await {
            CommitOutcome::Committed(seq) => return (seq, txn),
            CommitOutcome::Conflict { at } => base = at,
            CommitOutcome::Unknown(e) => {
                assert!(matches!(e, StoreError::Unavailable { .. }), "{e}");
                if let Some(seq) = fate(store, txn, base).await {
                    return (seq, txn);
                }
                base = store.barrier().await.unwrap_or(base);
            }
        }
    }
}

/// Follows from 0 to `end` by waiting and fetching: the transactions in order.
async fn follow(store: &EtcdStore, end: Seq) -> Vec<TxnId> {
    let mut seen = Vec::new();
    loop {
        let at = Seq::try_from(seen.len()).unwrap();
        if at >= end {
            return seen;
        }
        store.wait(at).await.unwrap();
        for (seq, record) in store.commits(at, 50).await.unwrap_or_default() {
            assert_eq!(seq, Seq::try_from(seen.len()).unwrap() + 1);
            seen.push(txn_of(&record));
        }
    }
}

fn run(test: impl Future<Output = ()>) {
    let watchdog = std::time::Duration::from_secs(120);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(watchdog, test).await.expect("the store hangs") });
}

//! The etcd store keeps the contract, on a cluster of three: each call goes to another handle, as that of another
//! daemon, and each handle to another member.

#![allow(clippy::indexing_slicing)]

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use store_backends::conformance::Fresh;
use store_backends::conformance::cluster::{Cluster, Settings};
use store_backends::etcd::EtcdStore;
use store_backends::{
    Change, CommitOutcome, CommitRequest, RangeReply, Seq, Snapshot, Store, StoreError, TxnId,
};

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| Cluster::start(3, &Settings::default()));

struct Handles {
    all: [EtcdStore; 3],
    next: AtomicUsize,
}

impl Handles {
    fn next(&self) -> &EtcdStore {
        &self.all[self.next.fetch_add(1, Ordering::Relaxed) % self.all.len()]
    }
}

#[async_trait]
impl Store for Handles {
    async fn range(&self, prefix: &str) -> Result<RangeReply, StoreError> {
        self.next().range(prefix).await
    }
    async fn barrier(&self) -> Result<Seq, StoreError> {
        self.next().barrier().await
    }
    async fn commit(&self, req: CommitRequest) -> CommitOutcome {
        self.next().commit(req).await
    }
    async fn amend(&self, at: Seq, changes: Vec<Change>) -> Result<bool, StoreError> {
        self.next().amend(at, changes).await
    }
    async fn wait(&self, after: Seq) -> Result<(), StoreError> {
        self.next().wait(after).await
    }
    async fn commits(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        self.next().commits(after, limit).await
    }
    async fn find_txn(&self, txn: TxnId, after: Seq) -> Result<Option<Seq>, StoreError> {
        self.next().find_txn(txn, after).await
    }
    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.next().snapshot().await
    }
    async fn restore(&self, s: Snapshot) -> Result<(), StoreError> {
        self.next().restore(s).await
    }
    fn describe(&self) -> String {
        self.all[0].describe()
    }
}

async fn store() -> Fresh {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let open = async |members: [usize; 3]| CLUSTER.open(&CLUSTER.url_through(&name, &members)).await;
    let all = [open([0, 1, 2]).await, open([1, 2, 0]).await, open([2, 0, 1]).await];
    Fresh::new(Handles { all, next: AtomicUsize::new(0) }, ())
}

store_backends::conformance_suite!(store);

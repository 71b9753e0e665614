//! mgsd in this process, on SQLite, with a meter between it and its store.

use crate::senders::MGS;
use async_trait::async_trait;
use lnet_proxy::{Link, link};
use mgsd::drive::{self, Identity};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use store_backends::sqlite::SqliteStore;
use store_backends::{CommitOutcome, CommitRequest, RangeReply, Seq, Snapshot, Store, StoreError};

/// What the store was asked.
pub(crate) struct Meter {
    store: SqliteStore,
    /// Reads of values.
    pub(crate) reads: AtomicU64,
    /// Questions for the sequence number alone.
    pub(crate) barriers: AtomicU64,
    commits: Mutex<Vec<Duration>>,
}

impl Meter {
    /// How long each commit took.
    pub(crate) fn commits(&self) -> Vec<Duration> {
        self.commits.lock().unwrap().clone()
    }
}

#[async_trait]
impl Store for Meter {
    async fn range(&self, prefix: &str) -> Result<RangeReply, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.store.range(prefix).await
    }
    async fn barrier(&self) -> Result<Seq, StoreError> {
        self.barriers.fetch_add(1, Ordering::Relaxed);
        self.store.barrier().await
    }
    async fn commit(&self, req: CommitRequest) -> CommitOutcome {
        let before = Instant::now();
        let outcome = self.store.commit(req).await;
        self.commits.lock().unwrap().push(before.elapsed());
        outcome
    }
    async fn wait(&self, after: Seq) -> Result<(), StoreError> {
        self.store.wait(after).await
    }
    async fn commits(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.store.commits(after, limit).await
    }
    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.store.snapshot().await
    }
    async fn restore(&self, s: Snapshot) -> Result<(), StoreError> {
        self.store.restore(s).await
    }
    fn describe(&self) -> String {
        self.store.describe()
    }
    fn limits(&self) -> store_backends::Limits {
        self.store.limits()
    }
}

/// Runs until the test ends.
pub(crate) async fn start(data: &Path) -> (Arc<Meter>, SocketAddr) {
    let meter = Arc::new(Meter {
        store: SqliteStore::open(data).unwrap(),
        reads: AtomicU64::new(0),
        barriers: AtomicU64::new(0),
        commits: Mutex::default(),
    });
    let identity = Identity {
        name: None,
        nids: vec![MGS.parse().unwrap()],
        store: mgs_api::StoreInfo {
            kind: "sqlite".to_owned(),
            location: data.display().to_string(),
            format: 1,
            trouble: None,
            silent_since: None,
            checked: None,
            damage: Vec::new(),
        },
        checked: tokio::sync::watch::channel(mgsd::store_check::Checked::default()).1,
        started: 0,
    };
    let engine = mgs_core::engine::Config::default();
    let (driver, handle) = drive::start(engine, Arc::<Meter>::clone(&meter), identity).await.unwrap();
    tokio::spawn(driver.run());
    let (near, far) = link::pair();
    let config = lnet_proxy::Config::new(vec![MGS.parse().unwrap()]).with_port(0);
    let proxy = lnet_proxy::spawn(config, Link::Memory(far)).unwrap();
    let address = *proxy.addresses.first().unwrap();
    tokio::spawn(async move {
        handle.created().await;
        handle.serve_link(near).await;
        drop(proxy);
    });
    (meter, address)
}

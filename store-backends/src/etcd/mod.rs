//! The store in an etcd cluster that somebody else may own, too.
//!
//! All keys stand under one prefix (`/mgsd/<name>/`), which we share with nobody; the cluster we share with
//! everybody. So revisions of the cluster mean nothing here, and nothing here ever compacts it.
//!
//! ```text
//!   commit n+1 ─► one transaction   if   seq was written at revision r, and the guards hold
//!                                   then changes, commit/<n+1>, seq = n+1
//!   barrier    ─► linearizable read of seq
//!   range      ─► pages at the one revision of the first page
//!   wait       ─► a watch on seq rings; a read tells what happened
//! ```
//!
//! **Late requests.** A transaction that was given up may still be under way, and arrive after somebody was told that
//! it did not happen. Therefore it compares the *revision* at which `seq` was written, not only its value, and whoever
//! asks for its fate ([`Store::find_txn`]) first writes `seq` anew with the same value: what is late then finds another
//! revision and does nothing. Other writers notice the new revision, and repeat their transaction with it.
//!
//! Values carry their checksum in front, readable by a person (`sealed.rs`). `seq` may also be `0` (fenced while
//! empty), and `0 restoring` while a snapshot is loaded: such a store is empty for everybody, and its next writer
//! clears it.

mod bell;
mod commit;
mod config;
mod health;
mod members;
mod read;
mod restore;
mod shape;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use self::bell::Bell;
pub use self::config::{EtcdConfig, SCHEME};
pub use self::health::{DEFAULT_QUOTA_BYTES, Space};
use self::members::Members;
use self::shape::{At, Shape};
use crate::contract::{require_dense, scan_for_txn, validate_changes};
use crate::key::{COMMIT_PREFIX, commit_key, parse_commit_key};
use crate::{Change, CommitOutcome, CommitRequest, RangeReply, Seq, Snapshot, Store, StoreError, TxnId};

/// What the tasks of one store share.
struct Cluster {
    members: Members,
    shape: Shape,
    ring: watch::Sender<Seq>,
    /// Where `seq` was last seen. Only a hint: a transaction that relies on it compares it.
    known: Mutex<Option<At>>,
}

impl Cluster {
    /// Keeps the newest place of `seq`, and rings for it.
    fn saw(&self, at: At) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none_or(|known| known.revision <= at.revision) {
            *known = Some(at);
        }
        self.ring.send_if_modified(|seq| {
            let newer = at.seq > *seq;
            *seq = at.seq.max(*seq);
            newer
        });
    }

    fn known(&self) -> Option<At> {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A store in a cluster. See the [module](self). Any number of handles, here and on other hosts, may be used at once.
pub struct EtcdStore {
    cluster: Arc<Cluster>,
    bell: Bell,
    quota_bytes: u64,
}

impl EtcdStore {
    /// Connects, checks our rights, and reads where the store is: what is wrong with address, certificates, password
    /// or role shows here.
    ///
    /// # Errors
    /// [`StoreError::Io`] for a file that cannot be read, [`StoreError::Denied`] when the cluster refuses us,
    /// [`StoreError::Unavailable`] when no member answers, [`StoreError::Corrupt`] for a damaged `seq`.
    pub async fn open(config: &EtcdConfig) -> Result<Self, StoreError> {
        let store = Self::unconnected(config)?;
        store.cluster.check_access(config).await?;
        store.cluster.seq().await?;
        Ok(store)
    }

    /// As [`open`](Self::open) for a cluster that may be down: the calls fail until it answers.
    ///
    /// # Errors
    /// [`StoreError::Io`] for a file that cannot be read.
    pub fn unconnected(config: &EtcdConfig) -> Result<Self, StoreError> {
        let cluster = Cluster {
            members: Members::new(config)?,
            shape: Shape::new(config.prefix.clone()),
            ring: watch::Sender::new(0),
            known: Mutex::default(),
        };
        let quota_bytes = config.quota_bytes;
        Ok(Self { cluster: Arc::new(cluster), bell: Bell::default(), quota_bytes })
    }
}

#[async_trait]
impl Store for EtcdStore {
    async fn range(&self, prefix: &str) -> Result<RangeReply, StoreError> {
        let (from, to) = self.cluster.shape.prefix_range(prefix);
        let (at, entries) = self.cluster.scan(from, to, usize::MAX).await?;
        // what lies there belongs to a snapshot that is not yet, or never, complete
        let entries = if at.restoring { Vec::new() } else { entries };
        Ok(RangeReply { entries, seq: at.seq })
    }

    async fn read(&self, keys: &[String]) -> Result<RangeReply, StoreError> {
        let keys: BTreeSet<&str> = keys.iter().map(String::as_str).collect();
        let keys: Vec<&str> = keys.into_iter().collect();
        let (at, entries) = self.cluster.pick(&keys).await?;
        let entries = if at.restoring { Vec::new() } else { entries };
        Ok(RangeReply { entries, seq: at.seq })
    }

    async fn barrier(&self) -> Result<Seq, StoreError> {
        Ok(self.cluster.seq().await?.seq)
    }

    async fn commit(&self, req: CommitRequest) -> CommitOutcome {
        match req.validate(self.limits()) {
            Ok(()) => self.cluster.commit(&req).await,
            Err(refusal) => CommitOutcome::Unknown(refusal),
        }
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn amend(&self, at: Seq, changes: Vec<Change>) -> Result<bool, StoreError> {
        validate_changes(&changes, 0, self.limits())?;
        self.cluster.amend(at, &changes).await
    }

    async fn wait(&self, after: Seq) -> Result<(), StoreError> {
        let mut ring = self.cluster.ring.subscribe();
        self.bell.hang_up(&self.cluster);
        match ring.wait_for(|seq| *seq > after).await {
            Ok(_) => Ok(()),
            Err(_) => {
                Err(StoreError::Unavailable { store: self.describe(), detail: "it was closed".to_owned() })
            }
        }
    }

    async fn commits(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        let Some(first) = after.checked_add(1) else { return Ok(Vec::new()) };
        let from = self.cluster.shape.full(&commit_key(first));
        let (_, to) = self.cluster.shape.prefix_range(COMMIT_PREFIX);
        let (at, entries) = self.cluster.scan(from, to, limit).await?;
        if at.restoring {
            return Ok(Vec::new());
        }
        let found = entries.into_iter().map(|e| (parse_commit_key(&e.key).unwrap_or(Seq::MAX), e.value));
        let found: Vec<_> = found.collect();
        require_dense(&found, after, limit, at.seq)?;
        Ok(found)
    }

    async fn find_txn(&self, txn: TxnId, after: Seq) -> Result<Option<Seq>, StoreError> {
        if let Some(found) = scan_for_txn(self, txn, after).await? {
            return Ok(Some(found));
        }
        self.cluster.fence().await?;
        scan_for_txn(self, txn, after).await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let RangeReply { entries, seq } = self.range("").await?;
        Ok(Snapshot { seq, entries })
    }

    async fn restore(&self, s: Snapshot) -> Result<(), StoreError> {
        s.validate()?;
        self.cluster.restore(s).await
    }

    async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.space().await?.warning().into_iter().collect())
    }

    fn describe(&self) -> String {
        self.cluster.members.name().to_owned()
    }
}

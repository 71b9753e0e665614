//! Plans that are larger than a backend takes in one commit.
//!
//! ```text
//!   1  intent/<txn>                 {base}                                      ┐
//!   2  parts/…, part/…              values and a record that are too large      │ amend, at base: invisible
//!   3  stage/<txn>/<i>              the changes, so many per chunk              ┘
//!   4  COMMIT base + 1              staged/now names the stage, the intent goes; the record, or where its parts are
//!   5  the changes of each chunk    put in place                                ┐ amend, at base + 1: readers lay
//!   6  staged/now, stage/<txn>/…    removed                                     ┘ the stage over what they read
//! ```
//!
//! Cut short before 4, nothing has happened; what lies around belongs to an intent whose base is past, and is swept
//! away by the next large plan. Cut short after 4, everything has happened: readers see the stage, and the next
//! writer finishes 5 and 6 first, because every commit demands that there is no `staged/now`. Each step is
//! conditional on `seq`, so a writer that was slow, not dead, does no harm when it wakes up.
//!
//! `staged/last` keeps the number of the last large commit. A reader that finds it below the number of what it has
//! read knows that nothing was half in place.

mod encode;
mod read;
mod sweep;
mod write;

use async_trait::async_trait;

use self::encode::{Chunk, is_hidden};
use self::read::Asked;
use crate::{
    Change, CommitOutcome, CommitRequest, Limits, RangeReply, Seq, Snapshot, Store, StoreError, TxnId,
};

/// Enough for a writeconf of the largest file system: the same as the embedded store takes in one transaction.
const LIMITS: Limits = Limits { operations: 200_000, bytes: 64 << 20 };

/// A store that takes large plans, over one that does not. See the [module](self).
///
/// Every program that uses the inner store must use it through this.
pub struct Large<S> {
    inner: S,
}

impl<S: Store> Large<S> {
    /// Over `inner`.
    pub const fn new(inner: S) -> Self {
        Self { inner }
    }

    /// The store below: for what is particular to it.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    fn corrupt(key: &str, detail: &str) -> StoreError {
        StoreError::Corrupt { key: key.to_owned(), detail: detail.to_owned() }
    }
}

fn refuse_hidden(changes: &[Change]) -> Result<(), StoreError> {
    let key = |change: &'_ Change| match change {
        Change::Put(key, _) | Change::Delete(key) => is_hidden(key).then(|| key.clone()),
    };
    match changes.iter().find_map(key) {
        Some(key) => {
            let rule = "only the store itself writes staged/…, intent/…, stage/…, parts/… and part/…";
            Err(StoreError::InvalidKey { key, rule })
        }
        None => Ok(()),
    }
}

#[async_trait]
impl<S: Store> Store for Large<S> {
    async fn range(&self, prefix: &str) -> Result<RangeReply, StoreError> {
        self.look(Asked::Prefix(prefix)).await
    }

    async fn read(&self, keys: &[String]) -> Result<RangeReply, StoreError> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        self.look(Asked::Keys(&keys)).await
    }

    async fn barrier(&self) -> Result<Seq, StoreError> {
        self.inner.barrier().await
    }

    async fn commit(&self, req: CommitRequest) -> CommitOutcome {
        let checked = req.validate(LIMITS).and_then(|()| refuse_hidden(&req.changes));
        match checked {
            Ok(()) => self.write(req).await.unwrap_or_else(CommitOutcome::Unknown),
            Err(refusal) => CommitOutcome::Unknown(refusal),
        }
    }

    async fn amend(&self, at: Seq, changes: Vec<Change>) -> Result<bool, StoreError> {
        refuse_hidden(&changes)?;
        if self.inner.range(encode::NOW).await?.entries.is_empty() {
            return self.inner.amend(at, changes).await;
        }
        // what is staged would come over it
        self.finish().await?;
        self.inner.amend(at, changes).await
    }

    async fn wait(&self, after: Seq) -> Result<(), StoreError> {
        self.inner.wait(after).await
    }

    async fn commits(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        let mut found = self.inner.commits(after, limit).await?;
        for (seq, record) in &mut found {
            if let Some(whole) = self.whole(&crate::key::commit_key(*seq), record).await? {
                *record = whole;
            }
        }
        Ok(found)
    }

    async fn find_txn(&self, txn: TxnId, after: Seq) -> Result<Option<Seq>, StoreError> {
        self.inner.find_txn(txn, after).await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let RangeReply { entries, seq } = self.look(Asked::Prefix("")).await?;
        Ok(Snapshot { seq, entries })
    }

    async fn restore(&self, s: Snapshot) -> Result<(), StoreError> {
        s.validate()?;
        self.inner.restore(encode::with_parts(s, self.inner.limits())?).await
    }

    async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        self.inner.warnings().await
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    fn limits(&self) -> Limits {
        // an inner store that takes more by itself still has to carry the names of a stage
        let inner = self.inner.limits();
        Limits { operations: inner.operations.max(LIMITS.operations), bytes: inner.bytes.max(LIMITS.bytes) }
    }
}

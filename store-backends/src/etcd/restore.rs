//! Loading a snapshot that is larger than a transaction, all or nothing.
//!
//! ```text
//!   seq absent or "0"  ─► "0 restoring" ─► entries, so many per transaction ─► seq = n, with the last of them
//!                            │  cut short: the store counts as empty; the next restore or commit clears it
//! ```
//!
//! Each step compares the revision of `seq` and writes it again, so two loaders, or a loader and a writer, cannot mix.

use etcd_client::{DeleteOptions, Txn, TxnOp};

use super::Cluster;
use super::shape::At;
use crate::key::SEQ_KEY;
use crate::{Entry, Limits, Snapshot, StoreError};

impl Cluster {
    /// A valid snapshot.
    pub(super) async fn restore(&self, snapshot: Snapshot) -> Result<(), StoreError> {
        for entry in &snapshot.entries {
            let found = entry.key.len().saturating_add(entry.value.len());
            if found > Limits::EVERY.bytes {
                return Err(StoreError::TooLarge { found, limit: Limits::EVERY.bytes, unit: "bytes" });
            }
        }
        let mut at = self.fence().await?;
        self.require_empty(at).await?;
        if at.restoring {
            at = self.clear_restore(at).await?;
        }
        if snapshot.seq == 0 {
            return Ok(());
        }
        let restoring = At { restoring: true, ..at };
        at = self.load_step(at, restoring, vec![self.shape.put_restoring()]).await?;
        let entries = snapshot.entries.iter().filter(|e| e.key != SEQ_KEY);
        let mut batch = Vec::new();
        let mut bytes = 0usize;
        for Entry { key, value } in entries {
            let size = key.len().saturating_add(value.len());
            if batch.len() >= Limits::EVERY.operations || bytes.saturating_add(size) > Limits::EVERY.bytes {
                let mut full = std::mem::take(&mut batch);
                full.push(self.shape.put_restoring());
                at = self.load_step(at, at, full).await?;
                bytes = 0;
            }
            batch.push(self.shape.put(key, value));
            bytes = bytes.saturating_add(size);
        }
        batch.push(self.shape.put_seq(snapshot.seq));
        let loaded = At { seq: snapshot.seq, restoring: false, ..at };
        self.load_step(at, loaded, batch).await.map(drop)
    }

    async fn load_step(&self, at: At, after: At, operations: Vec<TxnOp>) -> Result<At, StoreError> {
        let txn = |at| {
            Txn::new()
                .when([self.shape.unmoved(at)])
                .and_then(operations.clone())
                .or_else([self.shape.get_seq()])
        };
        self.step(txn, at, after).await?.ok_or_else(|| StoreError::Unavailable {
            store: self.members.name().to_owned(),
            detail: "somebody else writes to it while a snapshot is loaded".to_owned(),
        })
    }

    async fn require_empty(&self, at: At) -> Result<(), StoreError> {
        let refused = |seq| Err(StoreError::NotEmpty { store: self.members.name().to_owned(), seq });
        if at.seq > 0 {
            return refused(at.seq);
        }
        let (from, to) = self.shape.prefix_range("");
        let (at, entries) = self.scan(from, to, 1).await?;
        if at.restoring || entries.is_empty() { Ok(()) } else { refused(at.seq) }
    }

    /// Removes what a loader that was cut short has left. Where `seq` stands then.
    pub(super) async fn clear_restore(&self, at: At) -> Result<At, StoreError> {
        let (from, to) = self.shape.prefix_range("");
        let seq = self.shape.full(SEQ_KEY);
        let after_seq = [seq.as_slice(), b"\0"].concat();
        let delete =
            |from: Vec<u8>, to: Vec<u8>| TxnOp::delete(from, Some(DeleteOptions::new().with_range(to)));
        let txn = |at| {
            let operations = [
                delete(from.clone(), seq.clone()),
                delete(after_seq.clone(), to.clone()),
                self.shape.put_seq(0),
            ];
            Txn::new().when([self.shape.unmoved(at)]).and_then(operations).or_else([self.shape.get_seq()])
        };
        match self.step(txn, at, At { restoring: false, ..at }).await? {
            Some(at) => Ok(at),
            None => self.seq().await,
        }
    }
}

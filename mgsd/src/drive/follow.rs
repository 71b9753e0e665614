//! Commits of other daemons on the same store: a doorbell, and what they wrote as one consistent state.

use super::Message;
use mgs_core::model::commit::CommitRecord;
use mgs_core::model::keys;
use mgs_core::model::tx::Changes;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use store_backends::{Store, StoreError};
use tokio::sync::{mpsc, watch};

/// Records fetched at a time.
const STEP: usize = 256;
/// Pause after the store failed.
const PAUSE: Duration = Duration::from_millis(500);

/// Follows a store that others write to.
pub(super) struct Follower {
    applied: watch::Sender<u64>,
    /// A read is under way.
    reading: bool,
    /// There may be more than the read under way will bring.
    again: bool,
}

impl Follower {
    /// Starts to listen, if others can write to this store at all.
    pub(super) fn start(store: &Arc<dyn Store>, tx: &mpsc::Sender<Message>, applied: u64) -> Self {
        let (sender, applied) = watch::channel(applied);
        if store.is_shared() {
            tokio::spawn(listen(Arc::clone(store), tx.clone(), applied));
        }
        Self { applied: sender, reading: false, again: false }
    }

    /// The view has reached a commit.
    pub(super) fn applied(&self, seq: u64) {
        self.applied.send_if_modified(|at| std::mem::replace(at, seq) != seq);
    }

    /// There may be commits above `applied`: reads them, unless a read is under way.
    pub(super) fn read(&mut self, store: &Arc<dyn Store>, tx: &mpsc::Sender<Message>, applied: u64) {
        self.again = self.reading;
        if self.reading {
            return;
        }
        self.reading = true;
        let (store, tx) = (Arc::clone(store), tx.clone());
        tokio::spawn(async move {
            let found = fetch(store.as_ref(), applied).await;
            if let Err(error) = &found {
                tracing::warn!(%error, "commits of other daemons cannot be read; trying again");
                tokio::time::sleep(PAUSE).await;
            }
            let _ = tx.send(Message::Followed(found.ok())).await; // the driver may be gone
        });
    }

    /// A read has ended; whether another one is due.
    pub(super) fn ended(&mut self, failed: bool) -> bool {
        self.reading = false;
        std::mem::take(&mut self.again) || failed
    }
}

/// Rings when the store is above what is applied.
async fn listen(store: Arc<dyn Store>, tx: mpsc::Sender<Message>, mut applied: watch::Receiver<u64>) {
    loop {
        let at = *applied.borrow_and_update();
        match store.wait(at).await {
            Ok(()) => {
                if tx.send(Message::Bell).await.is_err() {
                    return;
                }
                // The next ring is for what is above this; without progress, rings again later.
                let _ = tokio::time::timeout(PAUSE, applied.changed()).await;
            }
            Err(error) => {
                tracing::warn!(%error, "the store cannot be listened to; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
        if tx.is_closed() {
            return;
        }
    }
}

/// The records above `after`, and the keys that they wrote as they are after the last of them.
async fn fetch(store: &dyn Store, after: u64) -> Result<Changes, StoreError> {
    let mut changes = Changes::new();
    let mut written: BTreeSet<String> = BTreeSet::new();
    let mut to = after;
    loop {
        loop {
            let records = store.commits(to, STEP).await?;
            let Some((last, _)) = records.last() else { break };
            to = *last;
            for (seq, record) in records {
                let known: CommitRecord = serde_json::from_slice(&record).map_err(|error| {
                    StoreError::Corrupt { key: keys::commit(seq), detail: error.to_string() }
                })?;
                written.extend(known.keys);
                changes.insert(keys::commit(seq), Some(record));
            }
        }
        if written.is_empty() {
            return Ok(changes);
        }
        let wanted: Vec<String> = written.iter().cloned().collect();
        let state = store.read(&wanted).await?;
        if state.seq == to {
            changes.extend(wanted.into_iter().map(|key| (key, None)));
            changes.extend(state.entries.into_iter().map(|entry| (entry.key, Some(entry.value))));
            return Ok(changes);
        }
        // More was committed in between: its records first.
    }
}

//! Commits and barriers on their way to the store and back.

use super::Message;
use mgs_core::Errno;
use mgs_core::engine::CommitResult;
use mgs_core::model::tx::Changes;
use std::sync::Arc;
use std::time::Duration;
use store_backends::{Change, CommitOutcome, CommitRequest, Store, StoreError, TxnId};
use tokio::sync::mpsc;

/// Pause between two attempts to learn what became of a commit.
const RETRY: Duration = Duration::from_millis(250);
/// One line of the log for so many attempts.
const LINE_EACH: u32 = 40;

/// Makes a commit; its fate comes back as a message.
pub(super) fn commit(
    store: Arc<dyn Store>,
    tx: mpsc::Sender<Message>,
    base: u64,
    txn: u128,
    changes: Changes,
    record: Vec<u8>,
) {
    let changes = changes.into_iter().map(|(key, value)| match value {
        Some(value) => Change::Put(key, value),
        None => Change::Delete(key),
    });
    let request =
        CommitRequest { txn: TxnId(txn), base, guards: Vec::new(), changes: changes.collect(), record };
    tokio::spawn(async move {
        let message = match store.commit(request).await {
            CommitOutcome::Committed(_) => Message::Committed(CommitResult::Committed),
            CommitOutcome::Conflict { at } if store.is_shared() => {
                Message::Committed(CommitResult::Conflict { at })
            }
            CommitOutcome::Conflict { at } => {
                Message::Lost(format!("is at commit {at}, expected {base}: somebody else has written to it"))
            }
            CommitOutcome::Unknown(error) if error.is_refusal() => failed(&error),
            CommitOutcome::Unknown(error) => resolve(store.as_ref(), &tx, TxnId(txn), base, error).await,
        };
        let _ = tx.send(message).await; // the driver may be gone
    });
}

/// Neither yes nor no: looks for the transaction until the store answers. Who waits is told after the first try that
/// got no answer.
async fn resolve(
    store: &dyn Store,
    tx: &mpsc::Sender<Message>,
    txn: TxnId,
    base: u64,
    first: StoreError,
) -> Message {
    let mut tries: u32 = 0;
    loop {
        let error = match store.find_txn(txn, base).await {
            Ok(Some(_)) => return Message::Committed(CommitResult::Committed),
            Ok(None) => return failed(&first),
            Err(error) => error,
        };
        if tries == 0 {
            let why = format!("whether this is done will be known when the store answers again: {error}");
            // of the two errors the one that says more
            let errno = if matches!(error, StoreError::Io { .. }) { errno(&first) } else { errno(&error) };
            let _ = tx.send(Message::Stuck { errno, why }).await; // the driver may be gone
        }
        if tries.is_multiple_of(LINE_EACH) {
            tracing::warn!(%error, "the outcome of a commit is unknown; asking the store until it answers");
        }
        tries = tries.wrapping_add(1);
        tokio::time::sleep(RETRY).await;
    }
}

fn failed(error: &StoreError) -> Message {
    Message::Committed(CommitResult::Failed { errno: errno(error), why: error.to_string() })
}

const fn errno(error: &StoreError) -> Errno {
    match error {
        StoreError::TooLarge { .. } => Errno::E2BIG,
        StoreError::Full { .. } | StoreError::OverQuota { .. } => Errno::ENOSPC,
        StoreError::ReadOnly { .. } => Errno::EROFS,
        _ => Errno::EIO,
    }
}

/// Asks where the store is.
pub(super) fn barrier(store: Arc<dyn Store>, tx: mpsc::Sender<Message>) {
    tokio::spawn(async move {
        let _ = tx.send(Message::Barrier(store.barrier().await)).await; // the driver may be gone
    });
}

//! Old commit records are deleted: those behind a number of newer ones *and* older than an age.

use super::Handle;
use mgs_core::model::command::Order;
use mgs_core::model::command::retention::{Command, Pruned, STEP};
use mgs_core::model::view::sha256_hex;
use serde::Deserialize;
use std::sync::Weak;
use std::time::Duration;
use store_backends::{Store, StoreError};

/// What is kept for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// So many of the newest records.
    pub commits: u64,
    /// And all that are younger.
    pub age: Duration,
    /// Time between two looks.
    pub every: Duration,
}

/// The part of a record that counts here.
#[derive(Deserialize)]
struct Record {
    time: i64,
}

/// Deletes what need not be kept, again and again until the store is closed.
pub fn spawn(handle: Handle, store: Weak<dyn Store>, keep: Keep) {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(keep.every).await;
            let Some(done) = look(&handle, &store, keep).await else { return };
            if let Err(error) = done {
                tracing::warn!(error, "old commit records are not deleted");
            }
        }
    });
}

/// `None`: the daemon ends.
async fn look(handle: &Handle, store: &Weak<dyn Store>, keep: Keep) -> Option<Result<(), String>> {
    loop {
        let (through, seq, now) = handle.ask(|e, now, _| (e.view().pruned(), e.view().seq, now.wall)).await?;
        let youngest = now.saturating_sub(i64::try_from(keep.age.as_secs()).unwrap_or(i64::MAX));
        let last = seq.saturating_sub(keep.commits.max(1));
        if last <= through {
            return Some(Ok(()));
        }
        let old = match oldest(store.upgrade()?.as_ref(), through, last, youngest).await {
            Ok(Some(old)) => old,
            Ok(None) => return Some(Ok(())),
            Err(error) => return Some(Err(error.to_string())),
        };
        let order = Order { actor: "mgsd".to_owned(), command: Command(old).into(), dry_run: false };
        if let Err(error) = handle.order(order).await? {
            return Some(Err(error.to_string()));
        }
    }
}

/// The last of the next 64 records, if all of them may go.
async fn oldest(
    store: &dyn Store,
    through: u64,
    last: u64,
    youngest: i64,
) -> Result<Option<Pruned>, StoreError> {
    // a deletion is a commit, too: fewer are not worth one
    if last.saturating_sub(through) < STEP {
        return Ok(None);
    }
    let records = store.commits(through, usize::try_from(STEP).unwrap_or(usize::MAX)).await?;
    let mut old = None;
    for (seq, bytes) in records {
        let record: Record = serde_json::from_slice(&bytes).map_err(|e| StoreError::Corrupt {
            key: mgs_core::model::keys::commit(seq),
            detail: e.to_string(),
        })?;
        if record.time >= youngest {
            return Ok(None);
        }
        old = Some(Pruned { through: seq, sha256: sha256_hex(&bytes) });
    }
    Ok(old)
}

//! Removal of what no commit names: intents that were cut short, their stages, values that were replaced.

use std::collections::HashSet;

use super::Large;
use super::encode::{Group, INTENTS, Intent, PARTS, STAGES, part_key, place_of, txn_in};
use super::write::find;
use crate::{Change, Entry, Seq, Store, StoreError, TxnId};

impl<S: Store> Large<S> {
    /// Finishes what is half in place, and removes what no commit names. Not needed for correctness: it frees space.
    ///
    /// # Errors
    /// Those of the store below. Calling it again goes on where it stopped.
    pub async fn tidy(&self) -> Result<(), StoreError> {
        self.finish().await?;
        let at = self.inner.barrier().await?;
        self.sweep(at).await
    }

    /// At `at`, with nothing staged. Stops silently when the store moves on: there is a next time.
    pub(super) async fn sweep(&self, at: Seq) -> Result<(), StoreError> {
        // in this order: whoever prepares something at `at` has written its intent before it
        let groups = self.inner.range(PARTS).await?;
        let stages = self.inner.range(STAGES).await?;
        let intents = self.inner.range(INTENTS).await?;
        if [&groups, &stages, &intents].iter().any(|reply| reply.seq != at) {
            return Ok(());
        }
        let mut alive = HashSet::new();
        let mut dead = Vec::new();
        for entry in &intents.entries {
            // what builds on a commit that is past can never be named
            match serde_json::from_slice::<Intent>(&entry.value) {
                Ok(intent) if intent.base >= at => alive.extend(txn_in(&entry.key)),
                _ => dead.push(Change::Delete(entry.key.clone())),
            }
        }
        // the intent first: without it, what it has prepared cannot be named any more
        if !self.amend_all(at, dead.into_iter()).await? {
            return Ok(());
        }
        let unclaimed = |e: &&Entry| txn_in(&e.key).is_none_or(|txn| !alive.contains(&txn));
        let mut garbage: Vec<Change> =
            stages.entries.iter().filter(unclaimed).map(|e| Change::Delete(e.key.clone())).collect();
        for entry in groups.entries.iter().filter(unclaimed) {
            garbage.extend(self.unreferenced(entry, at).await?);
        }
        self.amend_all(at, garbage.into_iter()).await.map(drop)
    }

    /// The deletions of a value in parts that its owner does not have any more.
    async fn unreferenced(&self, index: &Entry, at: Seq) -> Result<Vec<Change>, StoreError> {
        let number = index.key.rsplit('/').next().and_then(|n| usize::from_str_radix(n, 16).ok());
        let (Ok(group), Some(txn), Some(n)) =
            (serde_json::from_slice::<Group>(&index.value), txn_in(&index.key), number)
        else {
            return Ok(Vec::new());
        };
        let owner = self.inner.range(&group.owner).await?;
        let named = match find(&owner.entries, &group.owner) {
            Some(entry) => place_of(&group.owner, &entry.value)?,
            None => None,
        };
        let same =
            |txn: TxnId| named.as_ref().is_some_and(|place| place.txn == txn.to_string() && place.n == n);
        if owner.seq != at || same(txn) {
            return Ok(Vec::new());
        }
        let txn = txn.to_string();
        // the index last: it is how the rest is found
        let parts = (0..group.parts).map(|i| Change::Delete(part_key(&txn, n, i)));
        Ok(parts.chain(std::iter::once(Change::Delete(index.key.clone()))).collect())
    }
}

//! The steps of a large plan, and the finishing of somebody else's.

use super::encode::{
    Intent, LAST, NOW, Now, STAGED, Splitter, chunk_key, intent_key, json, looks_like_parts, stage_prefix,
};
use super::read::Asked;
use super::{Chunk, Large};
use crate::key::commit_key;
use crate::{Change, CommitOutcome, CommitRequest, Entry, Guard, Limits, Seq, Store, StoreError};

/// Above so many guards one read of everything is cheaper than one for each.
const FEW_GUARDS: usize = 16;

impl<S: Store> Large<S> {
    /// A valid request, small or large.
    pub(super) async fn write(&self, req: CommitRequest) -> Result<CommitOutcome, StoreError> {
        if !req.guards.is_empty() {
            // the state of a number never changes, and the commit compares the number: reading is as good as a guard
            match self.guards_hold(&req).await? {
                Some(outcome) => return Ok(outcome),
                None => return self.write_unguarded(CommitRequest { guards: Vec::new(), ..req }).await,
            }
        }
        self.write_unguarded(req).await
    }

    async fn guards_hold(&self, req: &CommitRequest) -> Result<Option<CommitOutcome>, StoreError> {
        let all =
            if req.guards.len() > FEW_GUARDS { Some(self.look(Asked::Prefix("")).await?) } else { None };
        for guard in &req.guards {
            let key = match guard {
                Guard::Absent(key) | Guard::Equals(key, _) => key,
            };
            let (entry, at) = match &all {
                Some(all) => (find(&all.entries, key).cloned(), all.seq),
                None => {
                    let reply = self.look(Asked::Keys(std::slice::from_ref(key))).await?;
                    (find(&reply.entries, key).cloned(), reply.seq)
                }
            };
            let holds = match guard {
                Guard::Absent(_) => entry.is_none(),
                Guard::Equals(_, value) => entry.is_some_and(|e| e.value == *value),
            };
            if at != req.base || !holds {
                return Ok(Some(CommitOutcome::Conflict { at }));
            }
        }
        Ok(None)
    }

    async fn write_unguarded(&self, req: CommitRequest) -> Result<CommitOutcome, StoreError> {
        let next = req.base.saturating_add(1);
        let alike =
            |change: &Change| matches!(change, Change::Put(key, value) if looks_like_parts(key, value));
        let odd = req.changes.iter().any(alike) || looks_like_parts(&commit_key(next), &req.record);
        let nothing_staged = vec![Guard::Absent(NOW.to_owned())];
        let small = CommitRequest { guards: nothing_staged, ..req };
        if odd || small.validate(self.inner.limits()).is_err() {
            return self.write_large(small).await;
        }
        loop {
            match self.inner.commit(small.clone()).await {
                CommitOutcome::Conflict { at } if at == small.base => self.finish().await?,
                other => return Ok(other),
            }
        }
    }

    async fn write_large(&self, req: CommitRequest) -> Result<CommitOutcome, StoreError> {
        self.finish().await?;
        let CommitRequest { txn, base, changes, record, .. } = req;
        let at = self.inner.barrier().await?;
        if at != base {
            return Ok(CommitOutcome::Conflict { at });
        }
        self.sweep(at).await?;
        let next = base.saturating_add(1);
        let mut splitter = Splitter::new(txn);
        let record = splitter.shorten(&commit_key(next), record);
        let short = |change| match change {
            Change::Put(key, value) => {
                let value = splitter.shorten(&key, value);
                Change::Put(key, value)
            }
            delete @ Change::Delete(_) => delete,
        };
        let chunks = Chunk::cut(changes.into_iter().map(short).collect());

        let intent = intent_key(txn);
        let stage = chunks.iter().enumerate().map(|(i, chunk)| (chunk_key(txn, i), chunk.encode()));
        let claim = std::iter::once((intent.clone(), json(&Intent { base })));
        let prepared = claim.chain(splitter.puts).chain(stage);
        let puts = prepared.map(|(key, value)| Change::Put(key, value));
        if !self.amend_all(base, puts).await? {
            return Ok(CommitOutcome::Conflict { at: self.inner.barrier().await? });
        }
        let now = Now { seq: next, txn: txn.to_string(), chunks: chunks.len() };
        let naming = CommitRequest {
            txn,
            base,
            // `base` says it all: since `finish` nothing can be staged there, and our intent is alive
            guards: Vec::new(),
            changes: vec![
                Change::Put(NOW.to_owned(), json(&now)),
                Change::Put(LAST.to_owned(), next.to_string().into_bytes()),
                Change::Delete(intent),
            ],
            record,
        };
        let outcome = self.inner.commit(naming).await;
        if let CommitOutcome::Committed(seq) = outcome {
            // it has happened; what does not succeed now is finished by the next writer
            let _later = self.put_in_place(seq, &now, chunks).await;
        }
        Ok(outcome)
    }

    /// Makes changes in as many steps as they need; `false` when the store has moved on.
    pub(super) async fn amend_all(
        &self,
        at: Seq,
        changes: impl Iterator<Item = Change> + Send,
    ) -> Result<bool, StoreError> {
        let Limits { operations, bytes: most } = self.inner.limits();
        let mut batch = Vec::new();
        let mut bytes = 0usize;
        for change in changes {
            let size = match &change {
                Change::Put(key, value) => key.len().saturating_add(value.len()),
                Change::Delete(key) => key.len(),
            };
            if batch.len() >= operations || bytes.saturating_add(size) > most {
                if !self.inner.amend(at, std::mem::take(&mut batch)).await? {
                    return Ok(false);
                }
                bytes = 0;
            }
            bytes = bytes.saturating_add(size);
            batch.push(change);
        }
        if batch.is_empty() { Ok(true) } else { self.inner.amend(at, batch).await }
    }

    async fn put_in_place(&self, seq: Seq, now: &Now, chunks: Vec<Chunk>) -> Result<(), StoreError> {
        for chunk in chunks {
            if !self.inner.amend(seq, chunk.changes).await? {
                return Ok(()); // somebody else has finished it, and gone on
            }
        }
        let txn = now.txn.parse().map_err(|_| Self::corrupt(NOW, "it names no transaction"))?;
        let stage = (0..now.chunks).map(|i| Change::Delete(chunk_key(txn, i)));
        // first the name, so that nobody looks for chunks that are gone
        let name = std::iter::once(Change::Delete(NOW.to_owned()));
        self.amend_all(seq, name.chain(stage)).await.map(drop)
    }

    /// Puts in place what a commit has staged and nobody has put in place yet.
    pub(super) async fn finish(&self) -> Result<(), StoreError> {
        loop {
            let staged = self.inner.range(STAGED).await?;
            let Some(now) = now_of(&staged.entries)? else { return Ok(()) };
            if let Some(chunks) = self.chunks(&now).await? {
                return self.put_in_place(now.seq, &now, chunks).await;
            }
            // finished by somebody else while we read; if not, it is damage
            let again = self.inner.range(STAGED).await?;
            if now_of(&again.entries)?.is_some_and(|again| again.txn == now.txn) {
                return Err(Self::corrupt(NOW, "it names chunks that are not there"));
            }
        }
    }

    /// All chunks of a stage; `None` when some are gone.
    pub(super) async fn chunks(&self, now: &Now) -> Result<Option<Vec<Chunk>>, StoreError> {
        let txn = now.txn.parse().map_err(|_| Self::corrupt(NOW, "it names no transaction"))?;
        let found = self.inner.range(&stage_prefix(txn)).await?.entries;
        if found.len() != now.chunks {
            return Ok(None);
        }
        let decode = |e: &Entry| {
            Chunk::decode(&e.value).ok_or_else(|| Self::corrupt(&e.key, "it is not a list of changes"))
        };
        found.iter().map(decode).collect::<Result<_, _>>().map(Some)
    }
}

/// The value of `staged/now` among entries.
pub(super) fn now_of(entries: &[Entry]) -> Result<Option<Now>, StoreError> {
    let Some(entry) = find(entries, NOW) else { return Ok(None) };
    let unreadable =
        |e: serde_json::Error| StoreError::Corrupt { key: NOW.to_owned(), detail: e.to_string() };
    serde_json::from_slice(&entry.value).map(Some).map_err(unreadable)
}

/// The entry of a key, in a sorted range.
pub(super) fn find<'e>(entries: &'e [Entry], key: &str) -> Option<&'e Entry> {
    let index = entries.binary_search_by(|e| e.key.as_str().cmp(key)).ok()?;
    entries.get(index)
}

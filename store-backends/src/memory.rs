//! A store in memory: for tests and simulation. Nothing survives the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::contract::{require_dense, validate_changes};
use crate::key::{COMMIT_PREFIX, SEQ_KEY, commit_key, parse_commit_key, parse_seq_value, seq_value};
use crate::sealed::{crc, verify};
use crate::{
    Change, CommitOutcome, CommitRequest, Entry, Guard, RangeReply, Seq, Snapshot, Store, StoreError,
};

/// The state: the same map of keys to checksummed values that a real backend keeps.
#[derive(Default)]
struct State {
    rows: BTreeMap<String, Row>,
}

struct Row {
    value: Vec<u8>,
    crc: i64,
}

impl State {
    fn get(&self, key: &str) -> Result<Option<&[u8]>, StoreError> {
        self.rows.get(key).map(|row| verify(key, &row.value, row.crc)).transpose()
    }

    fn seq(&self) -> Result<Seq, StoreError> {
        parse_seq_value(self.get(SEQ_KEY)?)
    }

    fn put(&mut self, key: String, value: Vec<u8>) {
        let crc = i64::from(crc(&key, &value));
        self.rows.insert(key, Row { value, crc });
    }

    fn holds(&self, guard: &Guard) -> Result<bool, StoreError> {
        Ok(match guard {
            Guard::Absent(key) => self.get(key)?.is_none(),
            Guard::Equals(key, value) => self.get(key)? == Some(value),
        })
    }

    /// Decides first, then changes: an error leaves the state as it was.
    fn commit(&mut self, req: CommitRequest) -> Result<CommitOutcome, StoreError> {
        let at = self.seq()?;
        if at != req.base {
            return Ok(CommitOutcome::Conflict { at });
        }
        for guard in &req.guards {
            if !self.holds(guard)? {
                return Ok(CommitOutcome::Conflict { at });
            }
        }
        let next = at.saturating_add(1);
        self.make(req.changes);
        self.put(commit_key(next), req.record);
        self.put(SEQ_KEY.to_owned(), seq_value(next));
        Ok(CommitOutcome::Committed(next))
    }

    fn make(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Put(key, value) => self.put(key, value),
                Change::Delete(key) => drop(self.rows.remove(&key)),
            }
        }
    }

    fn range(&self, prefix: &str) -> Result<RangeReply, StoreError> {
        let seq = self.seq()?;
        let rows = self.rows.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        let entries = rows
            .map(|(key, row)| {
                let value = verify(key, &row.value, row.crc)?.to_vec();
                Ok(Entry { key: key.clone(), value })
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(RangeReply { entries, seq })
    }

    fn read(&self, keys: &[String]) -> Result<RangeReply, StoreError> {
        let seq = self.seq()?;
        let keys: BTreeSet<&String> = keys.iter().collect();
        let found = keys.into_iter().filter_map(|key| Some((key, self.rows.get(key)?)));
        let entry = |(key, row): (&String, &Row)| {
            let value = verify(key, &row.value, row.crc)?.to_vec();
            Ok(Entry { key: key.clone(), value })
        };
        Ok(RangeReply { entries: found.map(entry).collect::<Result<_, StoreError>>()?, seq })
    }

    fn commits(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        let seq = self.seq()?;
        let Some(first) = after.checked_add(1) else { return Ok(Vec::new()) };
        let rows = self.rows.range(commit_key(first)..);
        let found = rows
            .take_while(|(key, _)| key.starts_with(COMMIT_PREFIX))
            .take(limit)
            .map(|(key, row)| {
                let value = verify(key, &row.value, row.crc)?.to_vec();
                Ok((parse_commit_key(key).unwrap_or(Seq::MAX), value))
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        require_dense(&found, after, limit, seq)?;
        Ok(found)
    }
}

/// See the [module](self).
pub struct MemoryStore {
    state: Mutex<State>,
    bell: watch::Sender<Seq>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self { state: Mutex::default(), bell: watch::Sender::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // a panic inside leaves a whole state: `commit` cannot fail once it has begun to change
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn range(&self, prefix: &str) -> Result<RangeReply, StoreError> {
        self.state().range(prefix)
    }

    async fn read(&self, keys: &[String]) -> Result<RangeReply, StoreError> {
        self.state().read(keys)
    }

    async fn barrier(&self) -> Result<Seq, StoreError> {
        self.state().seq()
    }

    async fn commit(&self, req: CommitRequest) -> CommitOutcome {
        if let Err(refusal) = req.validate(self.limits()) {
            return CommitOutcome::Unknown(refusal);
        }
        let mut state = self.state();
        match state.commit(req) {
            Ok(outcome) => {
                if let CommitOutcome::Committed(seq) = outcome {
                    // under the lock, so that the bell never goes back
                    self.bell.send_replace(seq);
                }
                outcome
            }
            Err(e) => CommitOutcome::Unknown(e),
        }
    }

    async fn amend(&self, at: Seq, changes: Vec<Change>) -> Result<bool, StoreError> {
        validate_changes(&changes, 0, self.limits())?;
        let mut state = self.state();
        let unmoved = state.seq()? == at;
        if unmoved {
            state.make(changes);
        }
        Ok(unmoved)
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn wait(&self, after: Seq) -> Result<(), StoreError> {
        let mut bell = self.bell.subscribe();
        match bell.wait_for(|seq| *seq > after).await {
            Ok(_) => Ok(()),
            Err(_) => {
                Err(StoreError::Unavailable { store: self.describe(), detail: "it was closed".to_owned() })
            }
        }
    }

    async fn commits(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        self.state().commits(after, limit)
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let RangeReply { entries, seq } = self.state().range("")?;
        Ok(Snapshot { seq, entries })
    }

    async fn restore(&self, s: Snapshot) -> Result<(), StoreError> {
        s.validate()?;
        let mut state = self.state();
        let seq = state.seq()?;
        if !state.rows.is_empty() {
            return Err(StoreError::NotEmpty { store: self.describe(), seq });
        }
        for Entry { key, value } in s.entries {
            state.put(key, value);
        }
        self.bell.send_replace(s.seq);
        Ok(())
    }

    fn describe(&self) -> String {
        "memory (nothing survives this process)".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TxnId;

    fn request(base: Seq, guards: Vec<Guard>, changes: Vec<Change>) -> CommitRequest {
        let txn = TxnId(u128::from(base));
        CommitRequest { txn, base, guards, changes, record: format!(r#"{{"txn":"{txn}"}}"#).into_bytes() }
    }

    /// The conformance suite cannot damage a store; this does, and no way to read may serve it.
    #[tokio::test]
    async fn damage_is_reported_by_key_on_every_way_to_read() {
        let store = MemoryStore::new();
        let put = |key: &str| Change::Put(key.to_owned(), b"value".to_vec());
        assert_eq!(store.commit(request(0, vec![], vec![put("fs/a")])).await, CommitOutcome::Committed(1));
        let is = |error: &StoreError, wanted: &str| matches!(error, StoreError::Corrupt { key, .. } if key == wanted);

        let flip = |key: &str| store.state().rows.get_mut(key).unwrap().value[0] ^= 1;
        flip("fs/a");
        assert!(is(&store.range("fs/").await.unwrap_err(), "fs/a"));
        assert!(is(&store.snapshot().await.unwrap_err(), "fs/a"));
        let guard = Guard::Equals("fs/a".to_owned(), b"walue".to_vec());
        let outcome = store.commit(request(1, vec![guard], vec![])).await;
        assert!(matches!(outcome, CommitOutcome::Unknown(e) if is(&e, "fs/a")));
        flip("fs/a");

        flip("commit/0000000000000001");
        assert!(is(&store.commits(0, 9).await.unwrap_err(), "commit/0000000000000001"));
        assert!(is(&store.find_txn(TxnId(9), 0).await.unwrap_err(), "commit/0000000000000001"));
        flip("commit/0000000000000001");

        flip("seq");
        assert!(is(&store.barrier().await.unwrap_err(), "seq"));
        assert!(is(&store.range("fs/").await.unwrap_err(), "seq"));
        flip("seq");

        store.state().rows.remove("commit/0000000000000001");
        assert!(is(&store.commits(0, 9).await.unwrap_err(), "commit/0000000000000001"));
        assert_eq!(store.commits(1, 9).await, Ok(vec![]));
    }
}

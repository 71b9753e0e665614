//! The chain of commits, read from the store.

use mgs_api::{Chain, Commit, Problem, ProblemKind, Time};
use mgs_core::model::commit::CommitRecord;
use mgs_core::model::view::sha256_hex;
use store_backends::{Store, StoreError};

/// Records fetched at a time.
const STEP: usize = 512;

fn failed(error: &StoreError) -> Problem {
    Problem::new(ProblemKind::Storage, "commits", error.to_string())
        .hint("try again; 'mgsctl status' tells of the store")
}

/// Up to `limit` commits above `after`; those that retention has taken away are left out.
pub(super) async fn list(store: &dyn Store, after: u64, limit: u32) -> Result<Vec<Commit>, Problem> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = store.commits(after, limit).await.map_err(|e| failed(&e))?;
    found.iter().map(|(seq, record)| shown(*seq, record)).collect()
}

fn shown(seq: u64, record: &[u8]) -> Result<Commit, Problem> {
    let record: CommitRecord = serde_json::from_slice(record)
        .map_err(|e| Problem::new(ProblemKind::Storage, format!("commit {seq}"), e.to_string()))?;
    Ok(Commit {
        seq,
        time: Time::from_unix(u64::try_from(record.time).unwrap_or(0)),
        txn: record.txn,
        events: record.events.iter().filter_map(|event| serde_json::to_value(event).ok()).collect(),
        notified: record.touched,
        keys: record.keys,
        prev: record.prev,
    })
}

/// Looks at every commit that is kept.
pub(super) async fn verify(store: &dyn Store) -> Result<Chain, Problem> {
    let mut chain = Chain { first: 0, last: 0, sha256: String::new(), broken_at: None };
    loop {
        let found = store.commits(chain.last, STEP).await.map_err(|e| failed(&e))?;
        if found.is_empty() {
            return Ok(chain);
        }
        for (seq, record) in found {
            let prev = serde_json::from_slice::<CommitRecord>(&record).map(|r| r.prev);
            let whole = prev.is_ok_and(|prev| prev == chain.sha256);
            if chain.first == 0 {
                // What the first one that is kept follows is not here any more.
                chain.first = seq;
            }
            if !whole && chain.first != seq && chain.broken_at.is_none() || (!whole && seq == 1) {
                chain.broken_at = chain.broken_at.or(Some(seq));
            }
            chain.last = seq;
            chain.sha256 = sha256_hex(&record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store_backends::memory::MemoryStore;
    use store_backends::{Change, CommitOutcome, CommitRequest, TxnId};

    async fn commit(store: &MemoryStore, base: u64, prev: &str) -> Vec<u8> {
        let txn = TxnId(u128::from(base) + 1);
        let record = CommitRecord {
            seq: base + 1,
            txn: txn.to_string(),
            time: 7,
            touched: Vec::new(),
            events: Vec::new(),
            keys: vec!["x".to_owned()],
            prev: prev.to_owned(),
        };
        let record = serde_json::to_vec(&record).unwrap();
        let changes = vec![Change::Put("x".to_owned(), vec![1])];
        let request = CommitRequest { txn, base, guards: Vec::new(), changes, record: record.clone() };
        assert_eq!(store.commit(request).await, CommitOutcome::Committed(base + 1));
        record
    }

    #[tokio::test]
    async fn a_record_that_does_not_follow_is_found() {
        let store = MemoryStore::default();
        assert_eq!(verify(&store).await.unwrap().last, 0);
        let mut prev = String::new();
        for base in 0..600 {
            prev = sha256_hex(&commit(&store, base, &prev).await);
        }
        let whole = verify(&store).await.unwrap();
        assert_eq!((whole.first, whole.last, whole.broken_at), (1, 600, None));
        assert_eq!(whole.sha256, prev);
        commit(&store, 600, "another history").await;
        let last = commit(&store, 601, "yet another").await;
        let broken = verify(&store).await.unwrap();
        assert_eq!((broken.last, broken.broken_at, broken.sha256), (602, Some(601), sha256_hex(&last)));
        let listed = list(&store, 599, 2).await.unwrap();
        assert_eq!(listed.iter().map(|c| c.seq).collect::<Vec<_>>(), [600, 601]);
    }
}

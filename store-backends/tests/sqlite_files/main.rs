//! What the SQLite store does with files: keeps them over restarts, refuses what is not whole, touches nothing
//! that it refuses.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod damage;
mod refused;
mod restart;

use std::collections::BTreeMap;
use std::path::Path;

use store_backends::sqlite::SqliteStore;
use store_backends::{Change, CommitOutcome, CommitRequest, Entry, Store, TxnId};

/// Every file of a directory with its bytes; without the lock file, which even a refused start may leave.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    let name = |entry: &std::fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.filter(|e| name(e) != "mgs.lock").map(|e| (name(&e), std::fs::read(e.path()).unwrap())).collect()
}

/// As [`files`], short enough for a message: length and checksum.
fn prints(dir: &Path) -> BTreeMap<String, (usize, u32)> {
    files(dir).into_iter().map(|(name, bytes)| (name, (bytes.len(), crc32fast::hash(&bytes)))).collect()
}

/// A request whose txn id is the number of the commit.
fn request(base: u64, changes: Vec<Change>) -> CommitRequest {
    let txn = TxnId(u128::from(base) + 1);
    CommitRequest { txn, base, guards: vec![], changes, record: format!(r#"{{"txn":"{txn}"}}"#).into_bytes() }
}

fn put(key: &str, value: impl AsRef<[u8]>) -> Change {
    Change::Put(key.to_owned(), value.as_ref().to_vec())
}

async fn commit(store: &SqliteStore, base: u64, changes: Vec<Change>) {
    assert_eq!(store.commit(request(base, changes)).await, CommitOutcome::Committed(base + 1));
}

/// Three commits: small values, one without changes, one larger than a page.
async fn fill(dir: &Path) -> Vec<Entry> {
    let store = SqliteStore::open(dir).unwrap();
    commit(&store, 0, vec![put("meta", r#"{"name":"MGS"}"#), put("fs/testfs", r#"{"uuid":"u"}"#)]).await;
    commit(&store, 1, vec![]).await;
    let segment: Vec<u8> = (0..=255).cycle().take(9000).collect();
    commit(&store, 2, vec![put("llog/testfs-client/0000000000000001", segment), put("fs/empty", "")]).await;
    let entries = store.range("").await.unwrap().entries;
    assert_eq!(entries.len(), 8);
    entries
}

/// The database of [`fill`] as one file, and what it holds.
async fn filled() -> (tempfile::TempDir, Vec<Entry>) {
    let dir = tempfile::tempdir().unwrap();
    let entries = fill(dir.path()).await;
    assert_eq!(files(dir.path()).keys().collect::<Vec<_>>(), ["mgs.db"], "a closed store is one file");
    (dir, entries)
}

//! What only the inside can provoke: a COMMIT that fails, and damage under an open store.

use std::task::Poll;

use super::*;
use crate::{Change, Guard, TxnId};

fn request(base: Seq, guards: Vec<Guard>, changes: Vec<Change>) -> CommitRequest {
    let txn = TxnId(u128::from(base) + 1);
    CommitRequest { txn, base, guards, changes, record: format!(r#"{{"txn":"{txn}"}}"#).into_bytes() }
}

fn put(key: &str, value: &str) -> Change {
    Change::Put(key.to_owned(), value.as_bytes().to_vec())
}

async fn sql(store: &SqliteStore, sql: &'static str) {
    store.writer.run(|db| db.conn.execute_batch(sql)).await.unwrap().unwrap();
}

/// Makes every COMMIT fail that writes to `kv`: a foreign key checked at its end.
const FAIL: &str = "PRAGMA foreign_keys = ON;
    CREATE TEMP TABLE parent (id INTEGER PRIMARY KEY);
    CREATE TEMP TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TEMP TRIGGER fail AFTER INSERT ON main.kv BEGIN INSERT INTO child VALUES (1); END;";
const WORK_AGAIN: &str = "DROP TRIGGER temp.fail;";

#[tokio::test]
async fn a_failed_commit_is_unknown_until_it_is_settled() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(store.commit(request(0, vec![], vec![put("a", "1")])).await, CommitOutcome::Committed(1));
    sql(&store, FAIL).await;

    let lost = request(1, vec![], vec![put("a", "2")]);
    let outcome = store.commit(lost.clone()).await;
    assert!(matches!(&outcome, CommitOutcome::Unknown(e) if !e.is_refusal()), "{outcome:?}");
    assert!(store.unsettled.load(Ordering::Acquire));
    sql(&store, WORK_AGAIN).await;

    // somebody who reads keeps a checkpoint away, not the cut
    let outside = rusqlite::Connection::open(store.path()).unwrap();
    outside.execute_batch("BEGIN; SELECT count(*) FROM kv;").unwrap();
    outside.query_row("SELECT count(*) FROM kv", [], |_| Ok(())).unwrap();
    // what a COMMIT leaves that failed at its fsync: frames behind the last finished one
    let log = failure::beside(store.path(), "-wal");
    let finished = log.metadata().unwrap().len();
    let mut file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
    std::io::Write::write_all(&mut file, &[7; 5000]).unwrap();

    // no answer, rather than one that a restart could overturn
    let away = failure::beside(store.path(), "-away");
    std::fs::rename(&log, &away).unwrap();
    let io = |e: &StoreError| matches!(e, StoreError::Io { .. });
    assert!(store.barrier().await.is_err_and(|e| io(&e)));
    assert!(store.find_txn(lost.txn, 1).await.is_err_and(|e| io(&e)));
    let outcome = store.commit(lost.clone()).await;
    assert!(matches!(&outcome, CommitOutcome::Unknown(e) if io(e)), "{outcome:?}");
    std::fs::rename(&away, &log).unwrap();

    assert_eq!(store.find_txn(lost.txn, 1).await, Ok(None));
    assert!(!store.unsettled.load(Ordering::Acquire));
    assert_eq!(log.metadata().unwrap().len(), finished, "nothing is left that could come alive");
    drop(outside);
    assert_eq!(store.barrier().await, Ok(1));
    assert_eq!(store.commit(lost.clone()).await, CommitOutcome::Committed(2));
    assert_eq!(store.find_txn(lost.txn, 1).await, Ok(Some(2)));
}

#[tokio::test]
async fn a_failed_restore_leaves_an_empty_store() {
    let (full, empty) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = SqliteStore::open(full.path()).unwrap();
    assert_eq!(store.commit(request(0, vec![], vec![put("a", "1")])).await, CommitOutcome::Committed(1));
    let snapshot = store.snapshot().await.unwrap();
    let copy = SqliteStore::open(empty.path()).unwrap();
    sql(&copy, FAIL).await;
    assert!(copy.restore(snapshot.clone()).await.is_err());
    sql(&copy, WORK_AGAIN).await;
    assert_eq!(copy.snapshot().await, Ok(Snapshot { seq: 0, entries: vec![] }));
    assert_eq!(copy.restore(snapshot.clone()).await, Ok(()));
    assert_eq!(copy.snapshot().await, Ok(snapshot));
}

#[tokio::test]
async fn damage_under_an_open_store_is_never_served() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(store.commit(request(0, vec![], vec![put("fs/a", "1")])).await, CommitOutcome::Committed(1));
    let is =
        |error: &StoreError, wanted: &str| matches!(error, StoreError::Corrupt { key, .. } if key == wanted);
    let record = "commit/0000000000000001";

    sql(&store, "UPDATE kv SET crc = crc + 1 WHERE key = 'fs/a'").await;
    assert!(is(&store.range("fs/").await.unwrap_err(), "fs/a"));
    assert!(is(&store.snapshot().await.unwrap_err(), "fs/a"));
    let guards = [Guard::Absent("fs/a".to_owned()), Guard::Equals("fs/a".to_owned(), b"1".to_vec())];
    for guard in guards {
        let outcome = store.commit(request(1, vec![guard], vec![put("fs/b", "1")])).await;
        assert!(matches!(&outcome, CommitOutcome::Unknown(e) if is(e, "fs/a")), "{outcome:?}");
    }
    let findings = store.check().await.unwrap();
    assert_eq!(findings.iter().map(|f| f.key.as_deref()).collect::<Vec<_>>(), [Some("fs/a")]);
    assert_eq!(store.barrier().await, Ok(1), "the rest is served");
    assert_eq!(store.range("fs/b").await.unwrap().entries, []);

    sql(&store, "UPDATE kv SET value = x'7b7d' WHERE key LIKE 'commit/%'").await;
    assert!(is(&store.commits(0, 9).await.unwrap_err(), record));
    assert!(is(&store.find_txn(TxnId(9), 0).await.unwrap_err(), record));
    sql(&store, "DELETE FROM kv WHERE key LIKE 'commit/%'").await;
    assert!(is(&store.commits(0, 9).await.unwrap_err(), record));

    sql(&store, "UPDATE kv SET value = x'32' WHERE key = 'seq'").await;
    assert!(is(&store.barrier().await.unwrap_err(), "seq"));
    let outcome = store.commit(request(2, vec![], vec![])).await;
    assert!(matches!(&outcome, CommitOutcome::Unknown(e) if is(e, "seq")), "{outcome:?}");
}

/// What "durable when Committed" rests on.
#[tokio::test]
async fn the_writer_syncs_each_commit() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let settings = store.writer.run(|db| {
        let pragma =
            |name| db.conn.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0));
        (pragma("journal_mode").unwrap(), pragma("synchronous").unwrap())
    });
    assert_eq!(settings.await, Some(("wal".to_owned().into(), 2i64.into())), "2 is FULL");
}

/// Its caller has gone, the commit is whole all the same.
#[tokio::test]
async fn a_dropped_commit_is_all_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    {
        let mut dropped =
            std::pin::pin!(store.commit(request(0, vec![], vec![put("a", "1"), put("b", "1")])));
        // polled once: sent to the thread, and perhaps not yet answered
        let _ready: bool = std::future::poll_fn(|cx| Poll::Ready(dropped.as_mut().poll(cx).is_ready())).await;
    }
    store.wait(0).await.unwrap();
    assert_eq!(store.find_txn(TxnId(1), 0).await, Ok(Some(1)));
    assert_eq!(store.range("").await.unwrap().entries.len(), 4);
}

#[tokio::test]
async fn a_dead_thread_is_an_error_not_a_hang() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(store.writer.run(|_| panic!("planted")).await, None::<()>);
    let outcome = store.commit(request(0, vec![], vec![])).await;
    assert!(matches!(&outcome, CommitOutcome::Unknown(StoreError::Unavailable { .. })), "{outcome:?}");
    assert_eq!(store.barrier().await, Ok(0));
}

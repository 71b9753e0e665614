//! Restarts, clean and by force; the fixture of format 1.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use store_backends::sqlite::SqliteStore;
use store_backends::{Store, StoreError};

use super::{commit, files, filled, put};

#[tokio::test]
async fn a_reopened_store_has_everything() {
    let (dir, entries) = filled().await;
    for _ in 0..2 {
        let store = SqliteStore::open(dir.path()).unwrap();
        assert_eq!(store.barrier().await, Ok(3));
        store.wait(2).await.unwrap();
        assert_eq!(store.range("").await.unwrap().entries, entries);
        assert_eq!(store.check().await, Ok(vec![]));
    }
    let store = SqliteStore::open(dir.path()).unwrap();
    commit(&store, 3, vec![put("fs/testfs", "new")]).await;
    drop(store);
    let store = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(store.range("fs/testfs").await.unwrap().entries[0].value, b"new");
    assert_eq!(store.commits(3, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_directory_is_made_and_the_file_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("var/lib/mgsd");
    let store = SqliteStore::open(&data).unwrap();
    assert_eq!(store.path(), data.join("mgs.db"));
    assert_eq!(store.describe(), format!("sqlite {}", data.join("mgs.db").display()));
    assert_eq!(store.path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

/// The files as they are while the store is in use are what a `kill -9` leaves: every answered commit is there.
#[tokio::test]
async fn what_a_killed_process_leaves_has_every_answered_commit() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    for base in 0..30 {
        commit(&store, base, vec![put("fs/a", base.to_string()), put(&format!("fs/{base}"), "x")]).await;
        let killed = copy_of(dir.path());
        let after = SqliteStore::open(killed.path()).unwrap();
        assert_eq!(after.snapshot().await, store.snapshot().await);
        assert_eq!(after.check().await, Ok(vec![]));
    }
}

/// A log cut anywhere is a history cut after a whole commit.
#[tokio::test]
async fn a_torn_log_is_a_shorter_history() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let mut states = vec![store.snapshot().await.unwrap()];
    for base in 0..5 {
        commit(&store, base, vec![put("a", base.to_string()), put("z", base.to_string())]).await;
        states.push(store.snapshot().await.unwrap());
    }
    let log = files(dir.path())["mgs.db-wal"].len();
    let mut seen = [false; 6];
    for cut in (0..log).rev().step_by(1001).chain([0, 1, 31, 32, log]) {
        let torn = copy_of(dir.path());
        let wal = std::fs::OpenOptions::new().write(true).open(torn.path().join("mgs.db-wal")).unwrap();
        wal.set_len(u64::try_from(cut).unwrap()).unwrap();
        let after = SqliteStore::open(torn.path()).unwrap();
        let now = usize::try_from(after.barrier().await.unwrap()).unwrap();
        assert_eq!(after.snapshot().await.as_ref(), Ok(&states[now]), "cut at {cut}");
        seen[now] = true;
    }
    assert_eq!(seen, [true; 6]);
}

/// Whatever an interrupted first start has left, the next one makes a whole store.
#[tokio::test]
async fn an_interrupted_creation_starts_again() {
    let (whole, _) = filled().await;
    let half = &files(whole.path())["mgs.db"][..5000];
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in [("mgs.db.new", half), ("mgs.db.new-wal", b"x"), ("mgs.db.new-journal", b"")] {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let store = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(store.barrier().await, Ok(0));
    drop(store);
    assert_eq!(files(dir.path()).keys().collect::<Vec<_>>(), ["mgs.db"]);
}

#[tokio::test]
async fn a_second_open_is_refused_until_the_first_ends() {
    let (dir, entries) = filled().await;
    let first = SqliteStore::open(dir.path()).unwrap();
    let refused = SqliteStore::open(dir.path()).err().unwrap();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    let line = refused.to_string();
    assert!(line.contains(&format!("process {}", std::process::id())), "{line}");
    let refused = store_backends::sqlite::check(dir.path()).unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    assert_eq!(first.range("").await.unwrap().entries, entries, "the first is not disturbed");
    drop(first);
    assert_eq!(SqliteStore::open(dir.path()).unwrap().range("").await.unwrap().entries, entries);
}

/// People look into the database with `sqlite3` while it is in use; that must not stop commits.
#[tokio::test]
async fn inspection_from_outside_does_not_block_commits() {
    let (dir, _) = filled().await;
    let store = SqliteStore::open(dir.path()).unwrap();
    let outside = rusqlite::Connection::open(store.path()).unwrap();
    outside.execute_batch("BEGIN").unwrap();
    let rows = || outside.query_row("SELECT count(*) FROM kv", [], |row| row.get::<_, u32>(0)).unwrap();
    assert_eq!(rows(), 8);
    for base in 3..20 {
        commit(&store, base, vec![]).await;
    }
    assert_eq!(rows(), 8, "the reader keeps its state");
    assert_eq!(store.barrier().await, Ok(20));
    assert_eq!(store.check().await, Ok(vec![]));
}

/// Format 1 as it was first written; never regenerated, so that no later program can forget how to read it.
#[tokio::test]
async fn the_fixture_of_format_1_is_read() {
    let fixture = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/format-1.db"));
    let bytes = std::fs::read(fixture).unwrap();
    assert_eq!(&bytes[60..64], 1u32.to_be_bytes(), "user_version");
    assert_eq!(&bytes[68..72], b"mgsd", "application_id");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mgs.db"), bytes).unwrap();
    assert_eq!(store_backends::sqlite::check(dir.path()), Ok(vec![]));
    let store = SqliteStore::open(dir.path()).unwrap();
    let found: Vec<_> =
        store.range("").await.unwrap().entries.into_iter().map(|e| (e.key, e.value.len())).collect();
    let expected = [
        ("commit/0000000000000001", 42),
        ("commit/0000000000000002", 42),
        ("commit/0000000000000003", 42),
        ("fs/empty", 0),
        ("fs/testfs", 12),
        ("llog/testfs-client/0000000000000001", 9000),
        ("meta", 14),
        ("seq", 1),
    ];
    assert_eq!(found, expected.map(|(key, len)| (key.to_owned(), len)));
    let segment: Vec<u8> = (0..=255).cycle().take(9000).collect();
    assert_eq!(store.range("llog/").await.unwrap().entries[0].value, segment);
    commit(&store, 3, vec![put("fs/testfs", "goes on")]).await;
}

fn copy_of(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for (name, bytes) in files(dir) {
        if !name.ends_with("-shm") {
            std::fs::write(copy.path().join(name), bytes).unwrap();
        }
    }
    copy
}

//! Databases that are not ours to open: refused with a line that says what and what to do, left as they were.

use std::path::Path;

use rusqlite::Connection;
use store_backends::StoreError;
use store_backends::sqlite::{APPLICATION_ID, SqliteStore, supported};

use super::{files, filled, prints};

/// Opens `dir`, which must be refused, and changes nothing in it; the same for `check`.
fn refused(dir: &Path) -> StoreError {
    let before = prints(dir);
    let error = SqliteStore::open(dir).err().unwrap();
    assert_eq!(prints(dir), before, "changed by a refused open: {error}");
    drop(store_backends::sqlite::check(dir));
    assert_eq!(prints(dir), before, "changed by a check");
    let line = error.to_string();
    assert!(!line.contains('\n') && line.len() < 400, "one readable line: {line}");
    error
}

fn directory_with(db: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mgs.db"), db).unwrap();
    dir
}

/// The filled database after some SQL of somebody else, closed again.
async fn changed_by(sql: &str) -> tempfile::TempDir {
    let (dir, _) = filled().await;
    let conn = Connection::open(dir.path().join("mgs.db")).unwrap();
    conn.execute_batch(sql).unwrap();
    conn.close().unwrap();
    dir
}

#[tokio::test]
async fn a_truncated_file() {
    let (dir, _) = filled().await;
    let whole = &files(dir.path())["mgs.db"];
    assert!(whole.len() >= 4 * 4096);
    for len in (0..whole.len()).step_by(1024).chain([1, 15, 16, 99, 100, 511, 513, whole.len() - 1]) {
        let dir = directory_with(&whole[..len]);
        let error = refused(dir.path());
        assert!(matches!(error, StoreError::Damaged { .. }), "{len} bytes: {error}");
        assert!(error.to_string().contains("restore the file from a backup"));
        let findings = store_backends::sqlite::check(dir.path()).unwrap();
        assert!(!findings.is_empty(), "{len} bytes");
    }
}

#[tokio::test]
async fn a_file_of_zeros_or_garbage() {
    let garbage: Vec<u8> =
        (0u32..20_000).map(|i| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    for bytes in [vec![0; 20_000], garbage, b"not a database, but a note of an admin\n".repeat(100)] {
        let error = refused(directory_with(&bytes).path());
        assert!(matches!(error, StoreError::NotOurs { .. } | StoreError::Damaged { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_newer_format() {
    for newer in [supported() + 1, 99, u32::try_from(i32::MAX).unwrap()] {
        let dir = changed_by(&format!("PRAGMA user_version = {newer}")).await;
        let path = dir.path().join("mgs.db");
        let error = refused(dir.path());
        assert_eq!(error, StoreError::NewerFormat { found: newer, supported: supported(), path });
        let line = error.to_string();
        assert!(line.contains(&newer.to_string()) && line.contains("start the newer mgsd"), "{line}");
    }
}

/// The upgrade may lie in the log only: killed before its first checkpoint.
#[tokio::test]
async fn a_newer_format_that_is_still_in_the_log() {
    let (dir, _) = filled().await;
    let conn = Connection::open(dir.path().join("mgs.db")).unwrap();
    conn.execute_batch("PRAGMA user_version = 2").unwrap();
    let killed = tempfile::tempdir().unwrap();
    for name in ["mgs.db", "mgs.db-wal"] {
        std::fs::copy(dir.path().join(name), killed.path().join(name)).unwrap();
    }
    let before = prints(killed.path());
    assert_eq!(files(killed.path())["mgs.db"][63], 1, "not yet in the file");
    let error = SqliteStore::open(killed.path()).err().unwrap();
    assert!(matches!(error, StoreError::NewerFormat { found: 2, .. }), "{error}");
    let mut after = prints(killed.path());
    // the index of the log is a cache, made by any reader
    after.remove("mgs.db-shm");
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_database_of_another_program() {
    for sql in ["PRAGMA application_id = 0", "PRAGMA application_id = 1196444487", "PRAGMA user_version = 0"]
    {
        let error = refused(changed_by(sql).await.path());
        assert!(matches!(error, StoreError::NotOurs { .. }), "{sql}: {error}");
        assert!(error.to_string().contains("choose another data directory"), "{error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let conn = Connection::open(dir.path().join("mgs.db")).unwrap();
    conn.execute_batch("CREATE TABLE mail (id INTEGER PRIMARY KEY, body TEXT)").unwrap();
    conn.close().unwrap();
    assert!(matches!(refused(dir.path()), StoreError::NotOurs { .. }));
    assert_eq!(APPLICATION_ID.to_be_bytes(), *b"mgsd");
}

#[tokio::test]
async fn foreign_tables_and_triggers() {
    for sql in [
        "CREATE TABLE mine (x)",
        "CREATE TRIGGER t AFTER INSERT ON kv BEGIN DELETE FROM kv; END",
        "CREATE INDEX i ON kv (crc)",
        "DROP TABLE kv",
    ] {
        let error = refused(changed_by(sql).await.path());
        assert!(
            matches!(&error, StoreError::Damaged { detail, .. } if detail.contains("format 1")),
            "{error}"
        );
    }
}

/// Making a new, empty store would hide the loss; the log would be applied to it.
#[tokio::test]
async fn a_log_without_its_database() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mgs.db-wal"), b"x").unwrap();
    let error = refused(dir.path());
    assert!(matches!(&error, StoreError::Damaged { detail, .. } if detail.contains("missing")), "{error}");
}

#[tokio::test]
async fn a_check_of_nothing_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let error = store_backends::sqlite::check(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_in_the_place_of_the_database() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("mgs.db")).unwrap();
    let error = SqliteStore::open(dir.path()).err().unwrap();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    let file = dir.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let error = SqliteStore::open(&file).err().unwrap();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
}

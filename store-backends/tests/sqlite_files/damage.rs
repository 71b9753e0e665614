//! Damage inside of a file: found, named, never served.

use rusqlite::Connection;
use store_backends::sqlite::{Finding, SqliteStore, check};
use store_backends::{Store, StoreError};

use super::{files, filled, prints};

/// Keys of the findings, with their number.
fn keys(findings: &[Finding]) -> Vec<Option<&str>> {
    findings.iter().map(|f| f.key.as_deref()).collect()
}

#[tokio::test]
async fn each_value_with_one_flipped_bit_is_reported_by_key() {
    let (dir, entries) = filled().await;
    let path = dir.path().join("mgs.db");
    for entry in &entries {
        let bits = entry.value.len() * 8;
        // first, last and some between; an empty value gets a byte instead
        let mut damaged: Vec<Vec<u8>> = vec![[&entry.value[..], &[0]].concat()];
        for bit in [0, 7, bits / 3, bits / 2, bits.saturating_sub(1)] {
            let mut value = entry.value.clone();
            if let Some(byte) = value.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
                damaged.push(value);
            }
        }
        damaged.push(entry.value[..entry.value.len() / 2].to_vec());
        damaged.retain(|value| *value != entry.value);
        for value in damaged {
            set(&path, &entry.key, &value);
            let findings = check(dir.path()).unwrap();
            assert_eq!(keys(&findings), [Some(entry.key.as_str())], "{findings:?}");
            let before = prints(dir.path());
            let error = SqliteStore::open(dir.path()).err().unwrap();
            assert!(matches!(&error, StoreError::Corrupt { key, .. } if *key == entry.key), "{error}");
            assert_eq!(prints(dir.path()), before);
        }
        set(&path, &entry.key, &entry.value);
    }
    assert_eq!(check(dir.path()), Ok(vec![]));
}

#[tokio::test]
async fn a_damaged_checksum_or_key_is_reported() {
    for (sql, key) in [
        ("UPDATE kv SET crc = crc + 1 WHERE key = 'meta'", "meta"),
        ("UPDATE kv SET crc = crc + 4294967296 WHERE key = 'meta'", "meta"),
        ("UPDATE kv SET key = 'mete' WHERE key = 'meta'", "mete"),
    ] {
        let (dir, _) = filled().await;
        Connection::open(dir.path().join("mgs.db")).unwrap().execute_batch(sql).unwrap();
        assert_eq!(keys(&check(dir.path()).unwrap()), [Some(key)], "{sql}");
    }
}

#[tokio::test]
async fn lost_rows_of_the_sequence_are_reported() {
    for (sql, key) in [
        ("DELETE FROM kv WHERE key = 'commit/0000000000000001'", "commit/0000000000000001"),
        ("DELETE FROM kv WHERE key = 'commit/0000000000000002'", "commit/0000000000000002"),
        ("DELETE FROM kv WHERE key = 'commit/0000000000000003'", "seq"),
        ("DELETE FROM kv WHERE key = 'seq'", "seq"),
    ] {
        let (dir, _) = filled().await;
        Connection::open(dir.path().join("mgs.db")).unwrap().execute_batch(sql).unwrap();
        assert_eq!(keys(&check(dir.path()).unwrap()), [Some(key)], "{sql}");
        let error = SqliteStore::open(dir.path()).err().unwrap();
        assert!(matches!(&error, StoreError::Corrupt { key: k, .. } if k == key), "{error}");
    }
}

/// A bit flipped anywhere in the file is refused, or changes nothing that can be read.
#[tokio::test]
async fn no_flipped_bit_of_the_file_changes_what_is_served() {
    let (dir, entries) = filled().await;
    let whole = files(dir.path())["mgs.db"].clone();
    let path = dir.path().join("mgs.db");
    let mut found = 0;
    // all of the file header, then a stride without a common factor with the layout
    let places = (0..112).chain((112..whole.len()).step_by(23));
    for (i, place) in places.enumerate() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (i % 8);
        std::fs::write(&path, &bytes).unwrap();
        match SqliteStore::open(dir.path()) {
            Err(_) => {
                found += 1;
                assert!(std::fs::read(&path).unwrap() == bytes, "changed by a refused open, byte {place}");
            }
            Ok(store) => {
                assert_eq!(store.range("").await.unwrap().entries, entries, "byte {place}");
                assert_eq!(store.barrier().await, Ok(3), "byte {place}");
            }
        }
        for name in files(dir.path()).into_keys().filter(|name| name != "mgs.db") {
            std::fs::remove_file(dir.path().join(name)).unwrap();
        }
    }
    assert!(found > 300, "{found}");
}

fn set(path: &std::path::Path, key: &str, value: &[u8]) {
    let conn = Connection::open(path).unwrap();
    assert_eq!(conn.execute("UPDATE kv SET value = ?1 WHERE key = ?2", (value, key)).unwrap(), 1);
}

//! One flipped bit in any value is named by its key: by `mgsd check`, at the start, and while the daemon runs.

use crate::daemon::{Daemon, copy_of, mgsd};
use rusqlite::Connection;
use store_backends::StoreError;
use store_backends::sqlite::{SqliteStore, check};

struct Row {
    key: String,
    value: Vec<u8>,
    crc: i64,
}

fn rows(db: &Connection) -> Vec<Row> {
    let mut all = db.prepare("SELECT key, value, crc FROM kv").unwrap();
    let rows = all.query_map([], |r| Ok(Row { key: r.get(0)?, value: r.get(1)?, crc: r.get(2)? }));
    rows.unwrap().map(Result::unwrap).collect()
}

fn write(db: &Connection, row: &Row) {
    let sql = "UPDATE kv SET value = ?2, crc = ?3 WHERE key = ?1";
    assert_eq!(db.execute(sql, (&row.key, &row.value, row.crc)).unwrap(), 1);
    // where a damaged disk would have it: in the file, with no log beside it
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

async fn a_real_database() -> tempfile::TempDir {
    let mut daemon = Daemon::new().await;
    let node = daemon.node(1, 50).await;
    node.host.mount_mdt("alpha", 0).await.unwrap();
    for index in 0..3 {
        node.host.mount_ost("alpha", index).await.unwrap();
    }
    daemon.kill().await;
    copy_of(daemon.dir.path())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_in_any_row_is_named() {
    let dir = a_real_database().await;
    assert_eq!(check(dir.path()), Ok(vec![]));
    let all = rows(&Connection::open(dir.path().join("mgs.db")).unwrap());
    let prefixes = ["commit/", "fs/", "llog/", "meta", "seq"];
    assert!(prefixes.iter().all(|p| all.iter().any(|r| r.key.starts_with(p))));
    let mut flips = 0;
    for (n, good) in all.iter().enumerate() {
        // a bit somewhere in the value, another one for each row; and one of the checksum
        let bit = n * 7919 % (good.value.len() * 8);
        let mut value = good.value.clone();
        value[bit / 8] ^= 1 << (bit % 8);
        let bad = [
            Row { key: good.key.clone(), value, crc: good.crc },
            Row { key: good.key.clone(), value: good.value.clone(), crc: good.crc ^ 1 << (n % 32) },
        ];
        for row in bad {
            let db = Connection::open(dir.path().join("mgs.db")).unwrap();
            write(&db, &row);
            db.close().unwrap();
            let found = check(dir.path()).unwrap();
            let keys: Vec<_> = found.iter().map(|f| f.key.as_deref()).collect();
            assert_eq!(keys, [Some(good.key.as_str())], "{found:?}");
            let refused = SqliteStore::open(dir.path()).err().unwrap();
            assert!(matches!(&refused, StoreError::Corrupt { key, .. } if *key == good.key), "{refused}");
            flips += 1;
        }
        let db = Connection::open(dir.path().join("mgs.db")).unwrap();
        write(&db, good);
        db.close().unwrap();
    }
    eprintln!("{flips} bits in {} rows", all.len());
    assert_eq!(check(dir.path()), Ok(vec![]));

    // and by the program
    let db = Connection::open(dir.path().join("mgs.db")).unwrap();
    let row = all.iter().find(|r| r.key.starts_with("commit/")).unwrap();
    write(&db, &Row { key: row.key.clone(), value: b"{}".to_vec(), crc: row.crc });
    db.close().unwrap();
    let data = dir.path().to_str().unwrap();
    let said = mgsd(&["check", "--data", data]).await.unwrap_err();
    assert!(said.contains(&row.key) && said.contains("1 findings"), "{said}");
    let said = mgsd(&["--data", data, "--nid", "127.0.0.1@tcp", "--port", "1"]).await.unwrap_err();
    assert!(said.contains(&row.key) && said.contains("restore from a backup"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_daemon_finds_damage_and_serves_on() {
    let daemon = Daemon::new().await;
    let node = daemon.node(1, 50).await;
    node.host.mount_mdt("alpha", 0).await.unwrap();
    let api = daemon.api().await;
    let opened = api.status().await.unwrap().store;
    assert_eq!(opened.damage, Vec::<String>::new());
    let db = Connection::open(daemon.dir.path().join("mgs.db")).unwrap();
    db.execute("UPDATE kv SET crc = crc + 1 WHERE key = 'fs/alpha'", []).unwrap();
    // checks come once a second here
    let damaged = loop {
        let store = api.status().await.unwrap().store;
        if !store.damage.is_empty() {
            break store;
        }
    };
    assert!(damaged.damage[0].starts_with("fs/alpha: checksum"), "{damaged:?}");
    assert!(damaged.checked >= opened.checked);
    // what is in memory is served on
    let client = daemon.node(2, 50).await;
    client.host.mount_client("alpha").await.unwrap();
}

/// Values that a newer release wrote, and that only its kind can read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_of_a_newer_format_are_refused() {
    let dir = a_real_database().await;
    let data = dir.path().to_str().unwrap();
    let db = Connection::open(dir.path().join("mgs.db")).unwrap();
    let mut meta: serde_json::Value =
        serde_json::from_slice(&rows(&db).into_iter().find(|r| r.key == "meta").unwrap().value).unwrap();
    assert_eq!(meta["format"], serde_json::json!({"written": 1, "min_reader": 1}));
    // readable: a newer release that changed nothing for old readers
    for (min_reader, served) in [(1, true), (2, true), (3, false)] {
        meta["format"] = serde_json::json!({"written": 7, "min_reader": min_reader});
        let value = serde_json::to_vec(&meta).unwrap();
        let crc = i64::from(crc32fast::hash(&[b"meta\0", value.as_slice()].concat()));
        write(&db, &Row { key: "meta".to_owned(), value, crc });
        let said = mgsd(&["check", "--data", data]).await;
        assert_eq!(said.is_ok(), served, "{said:?}");
    }
    let said = mgsd(&["--data", data, "--nid", "127.0.0.1@tcp", "--port", "1"]).await.unwrap_err();
    assert!(said.contains("needs a reader of format 3, this mgsd reads up to 2"), "{said}");
}

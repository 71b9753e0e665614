//! Old commit records go, and nothing else does.

use crate::daemon::{Daemon, mgsd};
use lustre_peer::node::TargetKind;
use lustre_peer::node::TargetOptions;
use rusqlite::Connection;

fn records(daemon: &Daemon) -> (u64, u64) {
    let db = Connection::open(daemon.dir.path().join("mgs.db")).unwrap();
    let sql = "SELECT count(*), min(key) FROM kv WHERE key LIKE 'commit/%'";
    let (count, first): (u32, String) = db.query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    (count.into(), u64::from_str_radix(first.trim_start_matches("commit/"), 16).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_records_are_deleted_and_the_chain_stays_anchored() {
    let config = "check_interval = 1\nkeep_commits = 10\nkeep_days = 0\nprune_interval = 1\n";
    let mut daemon = Daemon::with(config).await;
    let node = daemon.node(1, 50).await;
    for index in 0..90 {
        node.host.register(TargetOptions::new("alpha", TargetKind::Ost, index)).await.unwrap();
    }
    // records carry whole seconds, looks come once in a second
    while records(&daemon).1 == 1 {
        tokio::task::yield_now().await;
    }
    daemon.kill().await;
    let (count, first) = records(&daemon);
    let data = daemon.data().to_owned();
    eprintln!("{count} records left, the first is {first}");
    assert_eq!(first, 65);
    assert!((10..90).contains(&count));
    assert!(mgsd(&["check", "--data", &data]).await.unwrap().contains("no damage"));

    // it starts, goes on, is backed up and restored
    daemon.start().await;
    let file = daemon.dir.path().join("copy.db");
    mgsd(&["backup", file.to_str().unwrap(), "--data", &data]).await.unwrap();
    node.host.register(TargetOptions::new("alpha", TargetKind::Ost, 100)).await.unwrap();
    daemon.kill().await;
    mgsd(&["restore", "--from", file.to_str().unwrap(), "--data", &data]).await.unwrap();
    assert!(mgsd(&["check", "--data", &data]).await.unwrap().contains("no damage"));
    assert_eq!(records(&daemon).1, first);

    // somebody cuts the history with the right checksums: the chain tells
    let db = Connection::open(daemon.dir.path().join("mgs.db")).unwrap();
    let (value, key) = (format!(r#"{{"through":64,"sha256":"{}"}}"#, "0".repeat(64)), "pruned");
    let crc = i64::from(crc32fast::hash(format!("{key}\0{value}").as_bytes()));
    db.execute("UPDATE kv SET value = ?1, crc = ?2 WHERE key = ?3", (value.as_bytes(), crc, key)).unwrap();
    db.close().unwrap();
    let said = mgsd(&["check", "--data", &data]).await.unwrap_err();
    assert!(said.contains("commit/0000000000000041: its field prev"), "{said}");
}

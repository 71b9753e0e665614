//! What the contract costs: commits through a store, beside the same rows and bytes written with the bare client.
//! Blocks of both alternate in one run, so that the machine's moods hit both.
//!
//! `cargo bench -p store-backends --bench against_raw [-- BLOCKS COMMITS]`

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a bench measures time and stops at the first error"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use etcd_client::{Client, Compare, CompareOp, Txn, TxnOp};
use rusqlite::Connection;
use store_backends::conformance::cluster::{Cluster, Settings};
use store_backends::etcd::EtcdStore;
use store_backends::sqlite::SqliteStore;
use store_backends::{Change, CommitOutcome, CommitRequest, Store, TxnId};
use tokio::task::JoinSet;

/// A registration of a target: a few short values, one segment.
fn changes(n: u64) -> Vec<(String, Vec<u8>)> {
    let ost = n % 1000;
    vec![
        (format!("fs/testfs/target/OST{ost:04x}"), vec![b'x'; 400]),
        (format!("fs/testfs/nidtbl/OST{ost:04x}"), vec![b'y'; 120]),
        (format!("llog/testfs-OST{ost:04x}/{n:016x}"), vec![b'z'; 1200]),
        (format!("llog/testfs-client/{n:016x}"), vec![b'z'; 600]),
    ]
}

fn record(n: u64) -> Vec<u8> {
    format!(r#"{{"txn":"{}","keys":"{}"}}"#, TxnId(u128::from(n)), "k".repeat(400)).into_bytes()
}

async fn ours(store: &dyn Store, n: u64) {
    let changes = changes(n).into_iter().map(|(key, value)| Change::Put(key, value)).collect();
    let txn = TxnId(u128::from(n));
    let request = CommitRequest { txn, base: n - 1, guards: vec![], changes, record: record(n) };
    assert_eq!(store.commit(request).await, CommitOutcome::Committed(n));
}

fn rows(n: u64) -> impl Iterator<Item = (String, Vec<u8>)> {
    let own = [(format!("commit/{n:016x}"), record(n)), ("seq".to_owned(), n.to_string().into_bytes())];
    changes(n).into_iter().chain(own)
}

fn raw_sqlite(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE kv (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID, STRICT",
    )
    .unwrap();
    db
}

fn raw_sqlite_commit(db: &mut Connection, n: u64) {
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    for (key, value) in rows(n) {
        let mut put = tx.prepare_cached("INSERT OR REPLACE INTO kv VALUES (?1, ?2, ?3)").unwrap();
        put.execute((key, value, 0x1234_5678)).unwrap();
    }
    tx.commit().unwrap();
}

/// As a store does it: compares the revision of `seq`, writes everything with nine more bytes each.
async fn raw_etcd_commit(client: &mut Client, prefix: &str, n: u64, revision: i64) -> i64 {
    let seq = format!("{prefix}seq");
    let put = |(key, value): (String, Vec<u8>)| {
        TxnOp::put(format!("{prefix}{key}"), [b"01234567 ", value.as_slice()].concat(), None)
    };
    let puts: Vec<_> = rows(n).map(put).collect();
    let txn = Txn::new()
        .when([Compare::mod_revision(seq.as_str(), CompareOp::Equal, revision)])
        .and_then(puts)
        .or_else([TxnOp::get(seq.as_str(), None)]);
    let done = client.txn(txn).await.unwrap();
    assert!(done.succeeded());
    done.header().unwrap().revision()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn report(what: &str, raw: &mut [Duration], ours: &mut [Duration], at_most: f64) {
    let (raw, ours) = (median(raw), median(ours));
    let ratio = ours.as_secs_f64() / raw.as_secs_f64();
    let verdict = if ratio <= at_most { "holds" } else { "DOES NOT HOLD" };
    println!("{what}: p50 raw {raw:?}, ours {ours:?}, ratio {ratio:.3} (at most {at_most}): {verdict}");
}

async fn sqlite(dir: &Path, blocks: u64, commits: u64) {
    let store = SqliteStore::open(&dir.join("ours")).unwrap();
    let mut db = raw_sqlite(&dir.join("raw.db"));
    let (mut raw_times, mut our_times) = (Vec::new(), Vec::new());
    for block in 0..blocks {
        let numbers = block * commits + 1..=(block + 1) * commits;
        for n in numbers.clone() {
            let start = Instant::now();
            raw_sqlite_commit(&mut db, n);
            raw_times.push(start.elapsed());
        }
        for n in numbers {
            let start = Instant::now();
            ours(&store, n).await;
            our_times.push(start.elapsed());
        }
    }
    report("sqlite, one writer", &mut raw_times, &mut our_times, 1.3);
}

async fn etcd(cluster: &Cluster, size: usize, blocks: u64, commits: u64) {
    let store = cluster.open(&cluster.url("ours")).await;
    let endpoint = format!("http://127.0.0.1:{}", cluster.port(0));
    let mut client = Client::connect([endpoint], None).await.unwrap();
    let (mut raw_times, mut our_times, mut revision) = (Vec::new(), Vec::new(), 0);
    for block in 0..blocks {
        let numbers = block * commits + 1..=(block + 1) * commits;
        for n in numbers.clone() {
            let start = Instant::now();
            revision = raw_etcd_commit(&mut client, "/mgsd/raw/", n, revision).await;
            raw_times.push(start.elapsed());
        }
        for n in numbers {
            let start = Instant::now();
            ours(&store, n).await;
            our_times.push(start.elapsed());
        }
    }
    report(&format!("etcd x{size}, one writer"), &mut raw_times, &mut our_times, 1.2);
}

/// Eight daemons, each on its own prefix: what the cluster takes in a second.
async fn etcd_throughput(cluster: &Cluster, size: usize, blocks: u64, commits: u64) {
    const WRITERS: u64 = 8;
    let endpoint = format!("http://127.0.0.1:{}", cluster.port(0));
    let mut raws = Vec::new();
    let mut stores: Vec<EtcdStore> = Vec::new();
    for writer in 0..WRITERS {
        raws.push((Client::connect([endpoint.as_str()], None).await.unwrap(), 0i64));
        stores.push(cluster.open(&cluster.url(&format!("many{writer}"))).await);
    }
    let (mut raw_times, mut our_times) = (Vec::new(), Vec::new());
    for block in 0..blocks {
        let numbers = block * commits + 1..=(block + 1) * commits;
        let (start, mut tasks) = (Instant::now(), JoinSet::new());
        for (writer, (mut client, mut revision)) in raws.drain(..).enumerate() {
            let numbers = numbers.clone();
            tasks.spawn(async move {
                for n in numbers {
                    revision =
                        raw_etcd_commit(&mut client, &format!("/mgsd/raw{writer}/"), n, revision).await;
                }
                (writer, client, revision)
            });
        }
        let mut done = tasks.join_all().await;
        raw_times.push(start.elapsed());
        done.sort_by_key(|(writer, ..)| *writer);
        raws = done.into_iter().map(|(_, client, revision)| (client, revision)).collect();
        let (start, mut tasks) = (Instant::now(), JoinSet::new());
        for store in stores.drain(..) {
            let numbers = numbers.clone();
            tasks.spawn(async move {
                for n in numbers {
                    ours(&store, n).await;
                }
                store
            });
        }
        stores = tasks.join_all().await;
        our_times.push(start.elapsed());
    }
    // neighbours in time are compared: on a machine that does other things, sums are of different weather
    let pairs = raw_times.iter().zip(&our_times);
    let mut ratios: Vec<f64> = pairs.map(|(raw, ours)| raw.as_secs_f64() / ours.as_secs_f64()).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let ratio = ratios[ratios.len() / 2];
    let block = f64::from(u32::try_from(WRITERS * commits).unwrap());
    let rate = |times: &mut [Duration]| block / median(times).as_secs_f64();
    let (raw, ours) = (rate(&mut raw_times), rate(&mut our_times));
    let verdict = if ratio >= 0.9 { "holds" } else { "DOES NOT HOLD" };
    println!(
        "etcd x{size}, {WRITERS} writers: raw {raw:.0}/s, ours {ours:.0}/s, ratio {ratio:.3} (at least 0.9): {verdict}"
    );
}

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let (blocks, commits) = match numbers[..] {
        [blocks, commits] => (blocks, commits),
        _ => (20, 50),
    };
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        sqlite(dir.path(), blocks, commits).await;
        for size in [1, 3] {
            let cluster = Cluster::start(size, &Settings::default());
            etcd(&cluster, size, blocks, commits).await;
            etcd_throughput(&cluster, size, blocks, commits).await;
        }
    });
}

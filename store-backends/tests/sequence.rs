//! Every reader gets every commit once and in order: slow ones, ones that lose their connection, ones that start
//! again from where they had last written it down; while somebody commits without a pause.
//!
//! `COMMITS_MEMORY`, `COMMITS_SQLITE`, `COMMITS_ETCD` set the number of commits (`make soak`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::{Arc, LazyLock};

use store_backends::conformance::cluster::{Cluster, Settings};
use store_backends::memory::MemoryStore;
use store_backends::sqlite::SqliteStore;
use store_backends::{Change, CommitOutcome, CommitRequest, Seq, Store, TxnId};
use tokio::task::JoinSet;

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| Cluster::start(1, &Settings::default()));

fn commits(variable: &str, default: Seq) -> Seq {
    std::env::var(variable).map_or(default, |number| number.parse().unwrap())
}

/// xorshift64: the same for each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[derive(Clone, Copy, Debug)]
struct Reader {
    batch: usize,
    /// Yields so often before it fetches.
    slowness: u64,
    /// Loses its connection after one of so many batches; 0: never.
    disconnects: u64,
    seed: u64,
}

const READERS: [Reader; 6] = [
    Reader { batch: 64, slowness: 0, disconnects: 0, seed: 1 },
    Reader { batch: 5, slowness: 0, disconnects: 50, seed: 2 },
    Reader { batch: 7, slowness: 20, disconnects: 20, seed: 3 },
    Reader { batch: 64, slowness: 300, disconnects: 10, seed: 4 },
    Reader { batch: 1000, slowness: 2000, disconnects: 3, seed: 5 },
    Reader { batch: 1000, slowness: 0, disconnects: 5, seed: 6 },
];

/// Commits `from + 1 ..= to`; commit `n` is transaction `n`.
async fn write(store: Arc<dyn Store>, from: Seq, to: Seq) {
    for base in from..to {
        tokio::task::yield_now().await;
        let txn = TxnId(u128::from(base + 1));
        let record = format!(r#"{{"txn":"{txn}"}}"#).into_bytes();
        let changes = vec![Change::Put("fs/last".to_owned(), base.to_string().into_bytes())];
        let request = CommitRequest { txn, base, guards: vec![], changes, record };
        assert_eq!(store.commit(request).await, CommitOutcome::Committed(base + 1));
    }
}

/// Applies everything above `cursor` up to `end`. What it has applied it writes down after each batch, unless it
/// loses its connection before: then it begins again from what is written down.
async fn read(connect: impl AsyncFn() -> Arc<dyn Store>, reader: Reader, cursor: Seq, end: Seq) {
    let mut random = Random(reader.seed);
    let (mut applied, mut written, mut reconnected) = (cursor, cursor, false);
    let mut store = connect().await;
    while written < end {
        let mut patience = random.below(8);
        loop {
            // sometimes it does not wait for the bell, and drops the wait half-way
            tokio::select! {
                biased;
                rung = store.wait(written) => { rung.unwrap(); break }
                () = tokio::task::yield_now() => match patience {
                    1 => break,
                    0 => { store.wait(written).await.unwrap(); break }
                    _ => patience -= 1,
                },
            }
        }
        for _ in 0..reader.slowness {
            tokio::task::yield_now().await;
        }
        let mut next = written;
        for (seq, record) in store.commits(written, reader.batch).await.unwrap() {
            next += 1;
            assert_eq!(seq, next, "{reader:?}: missing or out of order");
            let expected = format!(r#"{{"txn":"{}"}}"#, TxnId(u128::from(seq)));
            assert_eq!(record, expected.as_bytes(), "{reader:?}");
            assert!(seq > applied || reconnected, "{reader:?}: {seq} twice without a reason");
            applied = applied.max(seq);
        }
        assert!(applied - written <= Seq::try_from(reader.batch).unwrap(), "{reader:?}");
        let lost = reader.disconnects > 0 && next > written && random.below(reader.disconnects) == 0;
        reconnected = lost;
        if lost {
            store = connect().await;
        } else {
            written = next;
        }
    }
    assert_eq!((written, applied), (end, end));
}

/// `rounds` times: opens the store, commits a part, closes it.
async fn exact(end: Seq, rounds: u64, open: impl AsyncFn() -> Arc<dyn Store>, own_connections: bool) {
    for round in 0..rounds {
        let (from, to) = (end * round / rounds, end * (round + 1) / rounds);
        let store = open().await;
        assert_eq!(store.barrier().await, Ok(from));
        let mut writer = JoinSet::new();
        writer.spawn(write(Arc::clone(&store), from, to));
        let connect = async || if own_connections { open().await } else { Arc::clone(&store) };
        let [a, b, c, d, e, f] = READERS.map(|reader| read(connect, reader, from, to));
        tokio::join!(a, b, c, d, e, f);
        writer.join_all().await;
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(test);
}

#[test]
fn memory() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    run(exact(commits("COMMITS_MEMORY", 50_000), 1, async || Arc::clone(&store), false));
}

/// Closed and opened again nine times.
#[test]
fn sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let open = async || {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(dir.path()).unwrap());
        store
    };
    run(exact(commits("COMMITS_SQLITE", 20_000), 10, open, false));
}

/// Each connection is one of its own.
#[test]
fn etcd() {
    let open = async || {
        let store: Arc<dyn Store> = Arc::new(CLUSTER.open(&CLUSTER.url("sequence")).await);
        store
    };
    run(exact(commits("COMMITS_ETCD", 20_000), 2, open, true));
}

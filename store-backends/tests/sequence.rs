//! Every reader gets every commit once and in order: slow ones, ones that lose their connection, ones that start
//! again from where they had last written it down; while somebody commits without a pause.
//!
//! `COMMITS_MEMORY`, `COMMITS_SQLITE`, `COMMITS_ETCD` set the number of commits (`make soak`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::pin::Pin;
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
    /// Lets so many commits pass before it looks again.
    behind: Seq,
    /// Loses its connection after one of so many batches; 0: never.
    disconnects: u64,
    seed: u64,
}

const READERS: [Reader; 6] = [
    Reader { batch: 64, behind: 0, disconnects: 0, seed: 1 },
    Reader { batch: 5, behind: 4, disconnects: 50, seed: 2 },
    Reader { batch: 7, behind: 12, disconnects: 20, seed: 3 },
    Reader { batch: 64, behind: 100, disconnects: 10, seed: 4 },
    Reader { batch: 1000, behind: 700, disconnects: 3, seed: 5 },
    Reader { batch: 1000, behind: 1500, disconnects: 5, seed: 6 },
];

/// Makes a connection of one's own, or hands out the one that there is.
type Connect = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Arc<dyn Store>> + Send>> + Send + Sync>;

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
async fn read(connect: Connect, reader: Reader, cursor: Seq, end: Seq) {
    let mut random = Random(reader.seed);
    let (mut applied, mut written, mut reconnected) = (cursor, cursor, false);
    let mut store = connect().await;
    while written < end {
        let bell = (written + reader.behind).min(end - 1);
        if random.below(8) == 0 {
            // gives up waiting half-way, and looks although nobody rang
            tokio::select! {
                biased;
                rung = store.wait(bell) => rung.unwrap(),
                () = tokio::task::yield_now() => {}
            }
        } else {
            store.wait(bell).await.unwrap();
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
async fn exact(end: Seq, rounds: u64, open: Connect, own_connections: bool) {
    for round in 0..rounds {
        let (from, to) = (end * round / rounds, end * (round + 1) / rounds);
        let store = open().await;
        assert_eq!(store.barrier().await, Ok(from));
        let shared = Arc::clone(&store);
        let same: Connect = Arc::new(move || Box::pin(std::future::ready(Arc::clone(&shared))));
        let mut tasks = JoinSet::new();
        for reader in READERS {
            let connect = Arc::clone(if own_connections { &open } else { &same });
            tasks.spawn(read(connect, reader, from, to));
        }
        tasks.spawn(write(store, from, to));
        drop(same);
        tasks.join_all().await;
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(test);
}

#[test]
fn memory() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let open: Connect = Arc::new(move || Box::pin(std::future::ready(Arc::clone(&store))));
    run(exact(commits("COMMITS_MEMORY", 50_000), 1, open, false));
}

/// Closed and opened again nine times.
#[test]
fn sqlite() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let open: Connect = Arc::new(move || {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(dir.path()).unwrap());
        Box::pin(std::future::ready(store))
    });
    run(exact(commits("COMMITS_SQLITE", 20_000), 10, open, false));
}

/// Each connection is one of its own.
#[test]
fn etcd() {
    let open: Connect = Arc::new(|| {
        Box::pin(async {
            let store: Arc<dyn Store> = Arc::new(CLUSTER.open(&CLUSTER.url("sequence")).await);
            store
        })
    });
    run(exact(commits("COMMITS_ETCD", 20_000), 2, open, true));
}

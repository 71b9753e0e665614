//! A large plan is all or nothing, wherever its writer dies or stalls: on memory, SQLite and etcd.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod interrupted;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use store_backends::conformance::Fresh;
use store_backends::conformance::cluster::{Cluster, Settings};
use store_backends::large::Large;
use store_backends::memory::MemoryStore;
use store_backends::sqlite::SqliteStore;
use store_backends::{Change, CommitOutcome, CommitRequest, Seq, Store, TxnId};

use interrupted::{At, Interrupted};

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| Cluster::start(1, &Settings::default()));

async fn memory() -> Fresh {
    Fresh::new(MemoryStore::new(), ())
}

async fn sqlite() -> Fresh {
    let dir = tempfile::tempdir().unwrap();
    Fresh::new(SqliteStore::open(dir.path()).unwrap(), dir)
}

async fn etcd() -> Fresh {
    Fresh::new(CLUSTER.fresh_store().await, ())
}

type Map = BTreeMap<String, Vec<u8>>;

fn put(key: &str, value: impl Into<Vec<u8>>) -> Change {
    Change::Put(key.to_owned(), value.into())
}

fn request(txn: u128, base: Seq, changes: Vec<Change>, padding: usize) -> CommitRequest {
    let txn = TxnId(txn);
    let record = format!(r#"{{"txn":"{txn}","keys":"{}"}}"#, "k".repeat(padding)).into_bytes();
    CommitRequest { txn, base, guards: vec![], changes, record }
}

fn apply(map: &Map, changes: &[Change]) -> Map {
    let mut map = map.clone();
    for change in changes {
        match change {
            Change::Put(key, value) => drop(map.insert(key.clone(), value.clone())),
            Change::Delete(key) => drop(map.remove(key)),
        }
    }
    map
}

/// What was there before: keys that the plan replaces, removes, leaves alone; one of them in parts already.
fn old() -> Vec<Change> {
    let mut changes: Vec<Change> = (0..60).map(|i| put(&format!("fs/old{i:03}"), vec![i])).collect();
    changes.push(put("llog/big", vec![1; 300_000]));
    changes
}

/// More changes than a commit takes, a value and a record that are larger than a part.
fn plan() -> Vec<Change> {
    let mut changes: Vec<Change> = (0..230).map(|i| put(&format!("fs/new{i:03}"), vec![7; i])).collect();
    changes.extend((0..30).map(|i| Change::Delete(format!("fs/old{i:03}"))));
    changes.extend((30..40).map(|i| put(&format!("fs/old{i:03}"), "replaced")));
    changes.extend([put("llog/big", vec![2; 400_000]), put("fs/new000", "twice")]);
    changes
}

const RECORD: usize = 300_000;

/// Everything but the sequence, as a new process sees it; checks that parts of it are the same.
async fn state(store: &impl Store) -> (Seq, Map) {
    let all = store.range("").await.unwrap();
    let records = store.commits(0, 100).await.unwrap();
    let mut map = Map::new();
    for entry in all.entries {
        match entry.key.strip_prefix("commit/") {
            Some(seq) => {
                let seq = usize::from_str_radix(seq, 16).unwrap();
                assert_eq!(records[seq - 1].1, entry.value);
            }
            None if entry.key == "seq" => assert_eq!(entry.value, all.seq.to_string().into_bytes()),
            None => drop(map.insert(entry.key, entry.value)),
        }
    }
    for prefix in ["fs/", "fs/new1", "llog/", "llog/big"] {
        let part = store.range(prefix).await.unwrap();
        assert_eq!(part.seq, all.seq);
        let expected = map.iter().filter(|(key, _)| key.starts_with(prefix));
        assert!(part.entries.iter().map(|e| (&e.key, &e.value)).eq(expected), "{prefix}");
    }
    let some: Vec<String> =
        ["llog/big", "fs/old010", "fs/new100", "fs/new", "part/x"].map(str::to_owned).to_vec();
    let part = store.read(&some).await.unwrap();
    assert_eq!(part.seq, all.seq);
    let expected = map.iter().filter(|(key, _)| some.contains(key));
    assert!(part.entries.iter().map(|e| (&e.key, &e.value)).eq(expected));
    (all.seq, map)
}

/// Nothing of the machinery is left but what is in use.
async fn require_tidy(inner: &Arc<dyn Store>, in_parts: usize) {
    let large = Large::new(Interrupted::new(Arc::clone(inner), At::Nothing).0);
    large.tidy().await.unwrap();
    let keys: Vec<_> = inner.range("").await.unwrap().entries.into_iter().map(|e| e.key).collect();
    for prefix in ["intent/", "stage/", "staged/now"] {
        assert!(!keys.iter().any(|key| key.starts_with(prefix)), "{keys:?}");
    }
    let groups: Vec<_> = keys.iter().filter(|key| key.starts_with("parts/")).collect();
    assert_eq!(groups.len(), in_parts, "{groups:?}");
    let parts = keys.iter().filter_map(|key| key.strip_prefix("part/"));
    for part in parts {
        let group = part.rsplit_once('/').unwrap().0;
        assert!(groups.iter().any(|key| key.ends_with(group)), "{part} belongs to nobody");
    }
}

async fn prepared(factory: &impl AsyncFn() -> Fresh) -> (Fresh, Map) {
    let fresh = factory().await;
    let large = Large::new(Interrupted::new(Arc::clone(&fresh.store), At::Nothing).0);
    let outcome = large.commit(request(1, 0, old(), 10)).await;
    assert_eq!(outcome, CommitOutcome::Committed(1));
    let before = apply(&Map::new(), &old());
    assert_eq!(state(&large).await, (1, before.clone()));
    (fresh, before)
}

async fn steps(factory: &impl AsyncFn() -> Fresh) -> usize {
    let (fresh, before) = prepared(factory).await;
    let (store, _stalled) = Interrupted::new(Arc::clone(&fresh.store), At::Nothing);
    let large = Large::new(Arc::clone(&store));
    assert_eq!(large.commit(request(2, 1, plan(), RECORD)).await, CommitOutcome::Committed(2));
    assert_eq!(state(&large).await, (2, apply(&before, &plan())));
    let steps = store.steps();
    // the value of llog/big and the record
    require_tidy(&fresh.store, 2).await;
    assert!(steps >= 8, "{steps}: the plan is not large");
    steps
}

async fn dies(factory: &impl AsyncFn() -> Fresh, at: At) {
    let (fresh, before) = prepared(factory).await;
    let after = apply(&before, &plan());
    let (store, _stalled) = Interrupted::new(Arc::clone(&fresh.store), at);
    let told = Large::new(store).commit(request(2, 1, plan(), RECORD)).await;

    // a new process: first only looks, then asks for the fate, then writes
    let large = Large::new(Interrupted::new(Arc::clone(&fresh.store), At::Nothing).0);
    let (seq, found) = state(&large).await;
    let fate = large.find_txn(TxnId(2), 1).await.unwrap();
    match (seq, &told) {
        (1, CommitOutcome::Unknown(_)) => assert!(found == before && fate.is_none(), "{at:?}"),
        (2, _) => assert!(found == after && fate == Some(2), "{at:?}"),
        _ => panic!("{at:?}: told {told:?}, and the store is at {seq}"),
    }
    let small = vec![put("fs/new001", "next"), Change::Delete("fs/new002".to_owned()), put("fs/more", "x")];
    let next = request(3, seq, small.clone(), 0);
    assert_eq!(large.commit(next).await, CommitOutcome::Committed(seq + 1), "{at:?}");
    let found = apply(&found, &small);
    assert_eq!(state(&large).await, (seq + 1, found.clone()), "{at:?}");
    let again = request(4, seq + 1, plan(), RECORD);
    assert_eq!(large.commit(again).await, CommitOutcome::Committed(seq + 2), "{at:?}");
    let expected = (seq + 2, apply(&found, &plan()));
    assert_eq!(state(&large).await, expected, "{at:?}");
    // the value, the record of this plan, and that of the first one, if it was committed
    require_tidy(&fresh.store, usize::try_from(seq + 1).unwrap()).await;
    assert_eq!(state(&large).await, expected, "{at:?}");
}

async fn stalls(factory: &impl AsyncFn() -> Fresh, at: At, other_writes: bool) {
    let (fresh, before) = prepared(factory).await;
    let after = apply(&before, &plan());
    let (store, mut stalled) = Interrupted::new(Arc::clone(&fresh.store), at);
    let slow = tokio::spawn(async move { Large::new(store).commit(request(2, 1, plan(), RECORD)).await });
    let go_on = stalled.recv().await.unwrap();
    let large = Large::new(Interrupted::new(Arc::clone(&fresh.store), At::Nothing).0);
    let (seq, found) = state(&large).await;
    assert!(if seq == 1 { found == before } else { seq == 2 && found == after }, "{at:?}");
    let mut expected = found;
    if other_writes {
        for (txn, changes) in
            [(3, vec![put("fs/new001", "other")]), (4, plan()), (5, vec![put("fs/old050", "5")])]
        {
            let base = large.barrier().await.unwrap();
            let outcome = large.commit(request(txn, base, changes.clone(), 0)).await;
            assert_eq!(outcome, CommitOutcome::Committed(base + 1), "{at:?}");
            expected = apply(&expected, &changes);
        }
    } else {
        // what is being prepared is no garbage
        large.tidy().await.unwrap();
    }
    go_on.send(()).unwrap();
    let told = slow.await.unwrap();
    match told {
        CommitOutcome::Committed(2) if seq == 1 && !other_writes => expected = after,
        CommitOutcome::Committed(2) => assert_eq!(seq, 2, "{at:?}"),
        CommitOutcome::Conflict { .. } => assert!(seq == 1 && other_writes, "{at:?}"),
        other => panic!("{at:?}: {other:?}"),
    }
    assert!(state(&large).await.1 == expected, "{at:?}");
    if !other_writes {
        require_tidy(&fresh.store, 2).await;
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test);
}

async fn a_writer_dies_at_every_step(factory: impl AsyncFn() -> Fresh) {
    for step in 0..steps(&factory).await {
        dies(&factory, At::DiesBefore(step)).await;
        dies(&factory, At::DiesAfter(step)).await;
    }
}

async fn a_writer_stalls_at_every_step(factory: impl AsyncFn() -> Fresh) {
    for step in 0..steps(&factory).await {
        stalls(&factory, At::StallsBefore(step), false).await;
        stalls(&factory, At::StallsBefore(step), true).await;
    }
}

/// The copy of a store with values in parts is equal, also on a store that needs none, and back.
async fn copies_are_equal(factory: impl AsyncFn() -> Fresh) {
    let (fresh, before) = prepared(&factory).await;
    let large = Large::new(Interrupted::new(Arc::clone(&fresh.store), At::Nothing).0);
    assert_eq!(large.commit(request(2, 1, plan(), RECORD)).await, CommitOutcome::Committed(2));
    // larger than a commit of this store
    let huge = vec![put("llog/huge", vec![3; 600_000])];
    assert_eq!(large.commit(request(3, 2, huge.clone(), 600_000)).await, CommitOutcome::Committed(3));
    let expected = (3, apply(&apply(&before, &plan()), &huge));
    let snapshot = large.snapshot().await.unwrap();
    let plain = MemoryStore::new();
    plain.restore(snapshot.clone()).await.unwrap();
    assert_eq!(state(&plain).await, expected);
    let back = factory().await;
    let copy = Large::new(Interrupted::new(Arc::clone(&back.store), At::Nothing).0);
    copy.restore(plain.snapshot().await.unwrap()).await.unwrap();
    assert_eq!(copy.snapshot().await.unwrap(), snapshot);
    require_tidy(&back.store, 2).await;
    assert_eq!(copy.snapshot().await.unwrap(), snapshot);
}

macro_rules! on {
    ($($backend:ident)*) => { $(
        mod $backend {
            #[test]
            fn a_writer_dies_at_every_step() {
                super::run(super::a_writer_dies_at_every_step(super::$backend));
            }
            #[test]
            fn a_writer_stalls_at_every_step() {
                super::run(super::a_writer_stalls_at_every_step(super::$backend));
            }
            #[test]
            fn copies_are_equal() {
                super::run(super::copies_are_equal(super::$backend));
            }
        }
    )* };
}

on! { memory sqlite etcd }

//! Many callers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinSet;

use super::history::{Answer, Call, linearizable};
use super::{Fresh, put, request, run};
use crate::{CommitOutcome, Seq, Store};

const WRITERS: u64 = 4;
const COMMITS_EACH: u64 = 25;

/// Commits until it has succeeded `COMMITS_EACH` times, whatever the others do. Yields, because a store that
/// is always ready would let a task run for ever, and a runtime cannot stop such a task.
async fn write_all(store: Arc<dyn Store>, keys: [String; 2]) {
    let mut base = 0;
    for _ in 0..COMMITS_EACH {
        tokio::task::yield_now().await;
        base = loop {
            let value = (base + 1).to_string();
            let changes = keys.iter().map(|key| put(key, &value)).collect();
            match store.commit(request(base, vec![], changes)).await {
                CommitOutcome::Committed(seq) => break seq,
                CommitOutcome::Conflict { at } => base = at,
                CommitOutcome::Unknown(e) => panic!("{e}"),
            }
        };
    }
}

/// A reader never sees half of a commit, nor a state that differs from the number it comes with.
pub fn commits_are_atomic_for_readers(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        let mut readers = JoinSet::new();
        for _ in 0..2 {
            readers.spawn(read_states(Arc::clone(&store), 20));
        }
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            let store = Arc::clone(&store);
            // all write the same two keys; they go on until each reader has seen enough of them
            writers.spawn(async move {
                loop {
                    write_all(Arc::clone(&store), ["a".to_owned(), "z".to_owned()]).await;
                }
            });
        }
        while let Some(done) = readers.join_next().await {
            done.unwrap();
        }
    });
}

/// Reads until `states` different ones were seen; in each, both keys and `seq` equal the number of the commit.
async fn read_states(store: Arc<dyn Store>, states: usize) {
    let (mut seen, mut last) = (0, 0);
    while seen < states {
        tokio::task::yield_now().await;
        // all, and only what is wanted
        let reply = match seen % 2 {
            0 => store.range("").await.unwrap(),
            _ => store.read(&["z", "seq", "a"].map(str::to_owned)).await.unwrap(),
        };
        assert!(reply.seq >= last, "from {last} back to {}", reply.seq);
        seen += usize::from(reply.seq > last);
        last = reply.seq;
        let value = |key: &str| {
            let entry = reply.entries.iter().find(|e| e.key == key);
            entry.map_or("0", |e| std::str::from_utf8(&e.value).unwrap()).to_owned()
        };
        let now = last.to_string();
        assert_eq!([value("a"), value("seq"), value("z")], [now.clone(), now.clone(), now]);
    }
}

/// A follower that only waits and fetches gets every commit once and in order, whenever it falls asleep.
pub fn wait_never_misses(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        let end = WRITERS * COMMITS_EACH;
        let mut tasks = JoinSet::new();
        for limit in [1, 7, 1000] {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                let mut applied: Seq = 0;
                while applied < end {
                    store.wait(applied).await.unwrap();
                    for (seq, _) in store.commits(applied, limit).await.unwrap() {
                        assert_eq!(seq, applied + 1);
                        applied = seq;
                    }
                }
                assert_eq!(applied, end);
            });
        }
        for after in 0..end {
            // one sleeper per commit, and for the last one nobody writes afterwards
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                while store.barrier().await.unwrap() <= after {
                    store.wait(after).await.unwrap();
                }
            });
        }
        for writer in 0..WRITERS {
            let keys = [format!("a/{writer}"), format!("z/{writer}")];
            tasks.spawn(write_all(Arc::clone(&store), keys));
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    });
}

/// Writers, barriers and ranges at once: one order explains all answers.
pub fn concurrent_writers_are_linearizable(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        let clock = Arc::new(AtomicU64::new(0));
        let mut callers = JoinSet::new();
        for writer in 0..WRITERS {
            callers.spawn(writing_caller(Arc::clone(&store), Arc::clone(&clock), writer));
        }
        for _ in 0..2 {
            callers.spawn(reading_caller(Arc::clone(&store), Arc::clone(&clock)));
        }
        let history: Vec<Call> = callers.join_all().await.concat();
        linearizable(&history).unwrap();
        assert_eq!(store.barrier().await, Ok(WRITERS * COMMITS_EACH));
    });
}

fn tick(clock: &AtomicU64) -> u64 {
    clock.fetch_add(1, Ordering::SeqCst)
}

async fn writing_caller(store: Arc<dyn Store>, clock: Arc<AtomicU64>, writer: u64) -> Vec<Call> {
    let (mut calls, mut base, mut done) = (Vec::new(), 0, 0);
    while done < COMMITS_EACH {
        let changes =
            vec![put(&format!("fs/{writer}"), done.to_string()), put("fs/last", writer.to_string())];
        let start = tick(&clock);
        let outcome = store.commit(request(base, vec![], changes.clone())).await;
        let end = tick(&clock);
        let answer = match outcome {
            CommitOutcome::Committed(seq) => {
                assert_eq!(seq, base + 1);
                (base, done) = (seq, done + 1);
                Answer::Committed(seq, changes)
            }
            CommitOutcome::Conflict { at } => {
                assert_ne!(at, base, "a conflict without a reason");
                base = at;
                Answer::At(at)
            }
            CommitOutcome::Unknown(e) => panic!("{e}"),
        };
        calls.push(Call { start, end, answer });
        let start = tick(&clock);
        let at = store.barrier().await.unwrap();
        calls.push(Call { start, end: tick(&clock), answer: Answer::At(at) });
    }
    calls
}

async fn reading_caller(store: Arc<dyn Store>, clock: Arc<AtomicU64>) -> Vec<Call> {
    let (mut calls, mut seen) = (Vec::new(), 0);
    while seen < WRITERS * COMMITS_EACH {
        let start = tick(&clock);
        seen = store.barrier().await.unwrap();
        calls.push(Call { start, end: tick(&clock), answer: Answer::At(seen) });
        let start = tick(&clock);
        let reply = store.range("fs/").await.unwrap();
        calls.push(Call { start, end: tick(&clock), answer: Answer::Range(reply.seq, reply.entries) });
        // the checker compares all pairs: a spinning reader shall not swamp it
        store.wait(seen.min(WRITERS * COMMITS_EACH - 1)).await.unwrap();
    }
    calls
}

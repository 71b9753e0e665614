//! Random histories of one caller, compared with a plain map.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use super::{Fresh, request, run};
use crate::key::{commit_key, seq_value};
use crate::{Change, CommitOutcome, Entry, Guard, RangeReply, Seq, Snapshot, TxnId};

const KEYS: [&str; 10] =
    ["fs", "fs/A", "fs/a", "fs/a%", "fs/a/b", "fs/a_", "fs/ab", "fs/a~", "param/x.y", "want/fs"];
const PREFIXES: [&str; 11] =
    ["", "fs", "fs/", "fs/a", "fs/a%", "fs/a/", "fs/a_", "commit/", "seq", "want", "zz"];

#[derive(Clone, Debug)]
enum Op {
    /// `base_off` is added to the right base; guards that must hold are made from the model.
    Commit {
        base_off: i8,
        guards: Vec<(&'static str, GuardKind)>,
        changes: Vec<Change>,
    },
    Range(&'static str),
    Commits {
        back: u64,
        limit: usize,
    },
    FindNth {
        nth: usize,
        after: u64,
    },
    /// Snapshot, restore into a new store, go on there.
    Move,
}

#[derive(Clone, Debug)]
enum GuardKind {
    True,
    Absent,
    Equals(Vec<u8>),
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(any::<u8>(), 0..24),
        // larger than a page of any backend
        1 => (any::<u8>(), 4000usize..20_000).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let change = prop_oneof![
        3 => (select(&KEYS[..]), value()).prop_map(|(key, value)| Change::Put(key.to_owned(), value)),
        1 => select(&KEYS[..]).prop_map(|key| Change::Delete(key.to_owned())),
    ];
    let guard = prop_oneof![
        6 => Just(GuardKind::True),
        1 => Just(GuardKind::Absent),
        1 => value().prop_map(GuardKind::Equals),
    ];
    let base_off = prop_oneof![8 => Just(0i8), 1 => Just(-1), 1 => Just(1)];
    let commit = (base_off, vec((select(&KEYS[..]), guard), 0..3), vec(change, 0..6));
    prop_oneof![
        8 => commit.prop_map(|(base_off, guards, changes)| Op::Commit { base_off, guards, changes }),
        3 => select(&PREFIXES[..]).prop_map(Op::Range),
        2 => (0u64..8, 0usize..8).prop_map(|(back, limit)| Op::Commits { back, limit }),
        2 => (0usize..30, 0u64..8).prop_map(|(nth, after)| Op::FindNth { nth, after }),
        1 => Just(Op::Move),
    ]
}

/// What a store is, without any of the difficulties.
#[derive(Default)]
struct Model {
    map: BTreeMap<String, Vec<u8>>,
    txns: Vec<(TxnId, Vec<u8>)>,
}

impl Model {
    fn seq(&self) -> Seq {
        Seq::try_from(self.txns.len()).unwrap()
    }

    fn guard(&self, key: &str, kind: &GuardKind) -> (Guard, bool) {
        let (key, now) = (key.to_owned(), self.map.get(key));
        match (kind, now) {
            (GuardKind::True, Some(value)) => (Guard::Equals(key, value.clone()), true),
            (GuardKind::True, None) => (Guard::Absent(key), true),
            (GuardKind::Absent, now) => (Guard::Absent(key), now.is_none()),
            (GuardKind::Equals(value), now) => (Guard::Equals(key, value.clone()), now == Some(value)),
        }
    }

    fn apply(&mut self, txn: TxnId, record: Vec<u8>, changes: Vec<Change>) -> Seq {
        for change in changes {
            match change {
                Change::Put(key, value) => drop(self.map.insert(key, value)),
                Change::Delete(key) => drop(self.map.remove(&key)),
            }
        }
        self.txns.push((txn, record.clone()));
        self.map.insert(commit_key(self.seq()), record);
        self.map.insert("seq".to_owned(), seq_value(self.seq()));
        self.seq()
    }

    fn range(&self, prefix: &str) -> RangeReply {
        let found = self.map.iter().filter(|(key, _)| key.starts_with(prefix));
        let entries = found.map(|(key, value)| Entry { key: key.clone(), value: value.clone() }).collect();
        RangeReply { entries, seq: self.seq() }
    }
}

/// Any sequence of calls gives the answers of a plain map.
pub fn any_history_equals_the_model(factory: impl AsyncFn() -> Fresh) {
    let config = Config { cases: 32, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&vec(op(), 1..30), |ops| {
        run(replay(&factory, ops));
        Ok(())
    });
    if let Err(e) = outcome {
        panic!("{e}");
    }
}

async fn replay(factory: &impl AsyncFn() -> Fresh, ops: Vec<Op>) {
    let mut model = Model::default();
    let mut fresh = factory().await;
    for op in ops {
        let store = &fresh.store;
        match op {
            Op::Commit { base_off, guards, changes } => {
                let base = model.seq().wrapping_add_signed(i64::from(base_off));
                let guards: Vec<_> = guards.iter().map(|(key, kind)| model.guard(key, kind)).collect();
                let expected_to_hold = base_off == 0 && guards.iter().all(|(_, holds)| *holds);
                let guards = guards.into_iter().map(|(guard, _)| guard).collect();
                let request = request(base, guards, changes.clone());
                let (txn, record) = (request.txn, request.record.clone());
                let expected = if expected_to_hold {
                    CommitOutcome::Committed(model.apply(txn, record, changes))
                } else {
                    CommitOutcome::Conflict { at: model.seq() }
                };
                assert_eq!(store.commit(request).await, expected);
                assert_eq!(store.barrier().await, Ok(model.seq()));
            }
            Op::Range(prefix) => assert_eq!(store.range(prefix).await, Ok(model.range(prefix)), "{prefix:?}"),
            Op::Commits { back, limit } => {
                let after = model.seq().saturating_sub(back);
                let records = (1..).zip(model.txns.iter().map(|(_, record)| record.clone()));
                let expected = records.filter(|(seq, _)| *seq > after).take(limit).collect();
                assert_eq!(store.commits(after, limit).await, Ok(expected));
            }
            Op::FindNth { nth, after } => {
                let txn = model.txns.get(nth).map_or(TxnId(0), |(txn, _)| *txn);
                let seq = (1..).zip(&model.txns).find(|(seq, (t, _))| *t == txn && *seq > after);
                assert_eq!(store.find_txn(txn, after).await, Ok(seq.map(|(seq, _)| seq)));
            }
            Op::Move => {
                let snapshot = store.snapshot().await.unwrap();
                let RangeReply { entries, seq } = model.range("");
                assert_eq!(snapshot, Snapshot { seq, entries });
                let copy = factory().await;
                copy.store.restore(snapshot).await.unwrap();
                fresh = copy;
            }
        }
    }
    for prefix in PREFIXES {
        assert_eq!(fresh.store.range(prefix).await, Ok(model.range(prefix)), "{prefix:?}");
    }
}

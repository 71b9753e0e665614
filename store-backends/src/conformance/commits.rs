//! One writer: sequence, conflicts, guards, refusals, records.

use super::{Fresh, delete, keys, must_commit, pairs, put, record, request, run};
use crate::key::{MAX_KEY_BYTES, PRUNED_KEY, commit_key};
use crate::{Change, CommitOutcome, CommitRequest, Guard, Limits, RangeReply, StoreError, TxnId};

/// Sequence number 0, no key at all.
pub fn a_new_store_is_empty(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        assert_eq!(store.barrier().await, Ok(0));
        assert_eq!(store.range("").await, Ok(RangeReply { entries: vec![], seq: 0 }));
        assert_eq!(store.commits(0, 10).await, Ok(vec![]));
        assert_eq!(store.find_txn(TxnId(1), 0).await, Ok(None));
        assert!(!store.describe().is_empty());
    });
}

/// Each commit takes the next number and leaves its record and `seq` behind.
pub fn sequence_is_dense(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        let mut records = Vec::new();
        for base in 0..20 {
            let request = request(base, vec![], vec![put("fs/a", base.to_string())]);
            records.push((base + 1, request.record.clone()));
            assert_eq!(store.commit(request).await, CommitOutcome::Committed(base + 1));
            assert_eq!(store.barrier().await, Ok(base + 1));
        }
        assert_eq!(store.commits(0, 100).await.as_ref(), Ok(&records));
        assert_eq!(store.range("fs/").await.unwrap().seq, 20);
        assert_eq!(pairs(&store.range("seq").await.unwrap()), [("seq".to_owned(), "20".to_owned())]);
        let stored = store.range("commit/").await.unwrap().entries;
        let expected = records.iter().map(|(seq, record)| (commit_key(*seq), record));
        assert!(stored.iter().map(|e| (e.key.clone(), &e.value)).eq(expected));
    });
}

/// Below and above the current number: nothing changes, the answer says where the store is.
pub fn another_base_is_a_conflict(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        must_commit(&store, vec![put("fs/a", "1")]).await;
        must_commit(&store, vec![put("fs/a", "2")]).await;
        let before = store.snapshot().await.unwrap();
        for base in [0, 1, 3, u64::MAX] {
            let outcome = store.commit(request(base, vec![], vec![put("fs/a", "x"), delete("fs/a")])).await;
            assert_eq!(outcome, CommitOutcome::Conflict { at: 2 }, "base {base}");
        }
        assert_eq!(store.snapshot().await, Ok(before));
    });
}

/// One guard that does not hold, at any place among others that do, stops the whole commit.
pub fn a_failed_guard_changes_nothing(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        must_commit(&store, vec![put("fs/a", "1"), put("fs/empty", "")]).await;
        let before = store.snapshot().await.unwrap();
        let holding = [
            Guard::Absent("fs/b".to_owned()),
            Guard::Equals("fs/a".to_owned(), b"1".to_vec()),
            Guard::Equals("fs/empty".to_owned(), vec![]),
        ];
        let failing = [
            Guard::Absent("fs/a".to_owned()),
            Guard::Absent("fs/empty".to_owned()),
            Guard::Equals("fs/a".to_owned(), b"2".to_vec()),
            Guard::Equals("fs/a".to_owned(), b"".to_vec()),
            Guard::Equals("fs/a".to_owned(), b"11".to_vec()),
            Guard::Equals("fs/b".to_owned(), b"".to_vec()),
            Guard::Equals("fs/b".to_owned(), b"1".to_vec()),
        ];
        for failing in failing {
            for place in 0..=holding.len() {
                let mut guards = holding.to_vec();
                guards.insert(place, failing.clone());
                let changes = vec![put("fs/a", "x"), delete("fs/empty"), put("fs/b", "y")];
                let outcome = store.commit(request(1, guards, changes)).await;
                assert_eq!(outcome, CommitOutcome::Conflict { at: 1 }, "{failing:?}");
            }
        }
        assert_eq!(store.snapshot().await, Ok(before));
        let outcome = store.commit(request(1, holding.to_vec(), vec![put("fs/b", "y")])).await;
        assert_eq!(outcome, CommitOutcome::Committed(2));
    });
}

/// Guards are about the state before the commit, also for the keys that it changes.
pub fn guards_see_the_state_before(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        let absent = vec![Guard::Absent("fs/a".to_owned())];
        let outcome = store.commit(request(0, absent.clone(), vec![put("fs/a", "1")])).await;
        assert_eq!(outcome, CommitOutcome::Committed(1));
        let outcome = store.commit(request(1, absent, vec![delete("fs/a")])).await;
        assert_eq!(outcome, CommitOutcome::Conflict { at: 1 });
        let equals = vec![Guard::Equals("fs/a".to_owned(), b"1".to_vec())];
        let outcome = store.commit(request(1, equals, vec![put("fs/a", "2")])).await;
        assert_eq!(outcome, CommitOutcome::Committed(2));
    });
}

/// Of several changes of one key the last stays; deleting what is absent is no error.
pub fn changes_apply_in_order(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        let changes = vec![
            delete("fs/absent"),
            put("fs/a", "1"),
            put("fs/a", "2"),
            put("fs/b", "1"),
            delete("fs/b"),
            delete("fs/c"),
            put("fs/c", "3"),
        ];
        must_commit(&store, changes).await;
        let found = pairs(&store.range("fs/").await.unwrap());
        assert_eq!(found, [("fs/a".to_owned(), "2".to_owned()), ("fs/c".to_owned(), "3".to_owned())]);
        must_commit(&store, vec![delete("fs/a"), delete("fs/c")]).await;
        assert_eq!(keys(&store, "fs/").await, Vec::<String>::new());
    });
}

/// Empty, binary and large values come back as they went in.
pub fn values_are_any_bytes(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        let all: Vec<u8> = (0..=255).collect();
        let values = [vec![], vec![0], vec![0; 4096], all.clone(), all.repeat(1024)];
        for (i, value) in values.iter().enumerate() {
            must_commit(&store, vec![put(&format!("llog/testfs-client/{i}"), value)]).await;
        }
        let found = store.range("llog/").await.unwrap().entries;
        assert!(found.iter().map(|e| &e.value).eq(&values));
    });
}

/// What no backend takes is refused as such, with nothing written.
pub fn refusals_change_nothing(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        must_commit(&store, vec![put("fs/a", "1")]).await;
        let before = store.snapshot().await.unwrap();
        let refused = async |request: CommitRequest| match store.commit(request).await {
            CommitOutcome::Unknown(e) if e.is_refusal() => e,
            other => panic!("expected a refusal, got {other:?}"),
        };
        let long = "k".repeat(MAX_KEY_BYTES + 1);
        for key in ["", "/", "fs/", "fs//a", "fs/a b", "fs/\0", "fs/ö", long.as_str(), "seq", "commit/x"] {
            let e = refused(request(1, vec![], vec![put(key, "x")])).await;
            assert!(matches!(&e, StoreError::InvalidKey { key: k, .. } if k == key), "{e}");
            let e = refused(request(1, vec![], vec![delete(key)])).await;
            assert!(matches!(&e, StoreError::InvalidKey { key: k, .. } if k == key), "{e}");
        }
        let e = refused(request(1, vec![Guard::Absent("fs/".to_owned())], vec![])).await;
        assert!(matches!(e, StoreError::InvalidKey { .. }), "{e}");

        let limits = store.limits();
        let e = refused(request(1, vec![], vec![delete("fs/a"); limits.operations + 1])).await;
        assert!(matches!(e, StoreError::TooLarge { unit: "changes", .. }), "{e}");
        let e =
            refused(request(1, vec![Guard::Absent("fs/b".to_owned()); limits.operations + 1], vec![])).await;
        assert!(matches!(e, StoreError::TooLarge { unit: "guards", .. }), "{e}");
        let e = refused(request(1, vec![], vec![put("fs/a", vec![0; limits.bytes])])).await;
        assert!(matches!(e, StoreError::TooLarge { unit: "bytes", .. }), "{e}");

        let other = TxnId(u128::MAX);
        for bad in [&b""[..], b"{}", b"[]", b"{\"txn\":1}", b"\xff", &record(other)] {
            let e = refused(CommitRequest { record: bad.to_vec(), ..request(1, vec![], vec![]) }).await;
            assert!(matches!(e, StoreError::BadRecord { .. }), "{e}");
        }
        assert_eq!(store.snapshot().await, Ok(before));
    });
}

/// A commit that uses the limits to the full.
pub fn the_largest_commit_is_taken(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        let limits = store.limits();
        assert!(limits.operations >= Limits::EVERY.operations && limits.bytes >= Limits::EVERY.bytes);
        let key = |i| format!("llog/testfs-OST{i:08x}/{}", "0".repeat(16));
        let guards = (0..limits.operations).map(|i| Guard::Absent(key(i))).collect();
        let empty = (0..limits.operations).map(|i| Change::Put(key(i), vec![])).collect();
        let mut request = request(0, guards, empty);
        let keys_bytes = 2 * limits.operations * key(0).len();
        let each = (limits.bytes - request.record.len() - keys_bytes) / limits.operations;
        for change in &mut request.changes {
            if let Change::Put(_, value) = change {
                value.resize(each, 0xa5);
            }
        }
        assert_eq!(store.commit(request).await, CommitOutcome::Committed(1));
        let found = store.range("llog/").await.unwrap().entries;
        assert_eq!(found.len(), limits.operations);
        assert!(found.iter().all(|e| e.value.len() == each && e.value.iter().all(|b| *b == 0xa5)));
    });
}

/// It is made only where it was meant to be made, changes no number and no record, and may be made twice.
pub fn an_amendment_is_beside_the_sequence(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        assert_eq!(store.amend(0, vec![put("aside/0", "early")]).await, Ok(true));
        must_commit(&store, vec![put("fs/a", "1")]).await;
        let records = store.commits(0, 9).await;
        for at in [0, 2, u64::MAX] {
            assert_eq!(store.amend(at, vec![put("aside/1", "x"), delete("fs/a")]).await, Ok(false));
        }
        for _ in 0..2 {
            let changes = vec![put("aside/1", "x"), put("aside/1", "y"), delete("aside/0")];
            assert_eq!(store.amend(1, changes).await, Ok(true));
        }
        assert_eq!((store.barrier().await, store.commits(0, 9).await), (Ok(1), records));
        let all = keys(&store, "").await;
        assert_eq!(all, ["aside/1", "commit/0000000000000001", "fs/a", "seq"]);
        assert_eq!(pairs(&store.range("aside/").await.unwrap())[0].1, "y");
        for key in ["seq", "commit/0000000000000001", "", "fs//a"] {
            let refused = store.amend(1, vec![put(key, "x")]).await;
            assert!(matches!(refused, Err(StoreError::InvalidKey { .. })), "{refused:?}");
        }
        let too_many = vec![delete("fs/a"); store.limits().operations + 1];
        assert!(matches!(store.amend(1, too_many).await, Err(StoreError::TooLarge { .. })));
        assert_eq!(keys(&store, "").await, all);
        // a commit is not in its way, nor it in the way of one
        must_commit(&store, vec![delete("aside/1")]).await;
        assert_eq!(store.amend(1, vec![put("aside/1", "late")]).await, Ok(false));
    });
}

/// Any start, any limit; past the end there is nothing.
pub fn commits_are_read_from_anywhere(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        let end = 18; // crosses from one hex digit to two
        for _ in 0..end {
            must_commit(&store, vec![]).await;
        }
        let all = store.commits(0, 1000).await.unwrap();
        assert!(all.iter().map(|(seq, _)| *seq).eq(1..=end));
        for after in 0..=end {
            for limit in [0, 1, 2, 5, usize::MAX] {
                let found = store.commits(after, limit).await.unwrap();
                let expected = all.iter().skip(usize::try_from(after).unwrap()).take(limit);
                assert!(found.iter().eq(expected), "after {after} limit {limit}");
            }
        }
        for after in [end + 1, u64::MAX - 1, u64::MAX] {
            assert_eq!(store.commits(after, 10).await, Ok(vec![]), "after {after}");
        }
    });
}

/// A committed txn is found above any earlier number, a conflicting or never sent one never.
pub fn find_txn_resolves(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        let mut txns = Vec::new();
        for base in 0..150 {
            let request = request(base, vec![], vec![]);
            txns.push(request.txn);
            assert_eq!(store.commit(request).await, CommitOutcome::Committed(base + 1));
        }
        let lost = request(7, vec![], vec![]);
        let lost_txn = lost.txn;
        assert_eq!(store.commit(lost).await, CommitOutcome::Conflict { at: 150 });
        for after in [0, 1, 70, 149, 150, 151, u64::MAX] {
            assert_eq!(store.find_txn(lost_txn, after).await, Ok(None));
            for (seq, txn) in (1..).zip(&txns).step_by(7) {
                let expected = (seq > after).then_some(seq);
                assert_eq!(store.find_txn(*txn, after).await, Ok(expected), "seq {seq} after {after}");
            }
        }
    });
}

/// Old records are deleted by a commit that says so; what is left is dense, and a copy of it is taken.
pub fn old_records_go_with_their_anchor(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        for i in 0..6 {
            must_commit(&store, vec![put("fs/a", [i])]).await;
        }
        let gone = |upto: u64| (1..=upto).map(|seq| Change::Delete(commit_key(seq)));
        let anchor = |through: u64| put(PRUNED_KEY, format!(r#"{{"through":{through},"sha256":"x"}}"#));
        // without an anchor, or beyond it: refused
        for changes in [gone(1).collect::<Vec<_>>(), gone(4).chain([anchor(3)]).collect()] {
            let outcome = store.commit(request(6, vec![], changes)).await;
            assert!(matches!(&outcome, CommitOutcome::Unknown(e) if e.is_refusal()), "{outcome:?}");
        }
        let outcome = store.commit(request(6, vec![], gone(4).chain([anchor(4)]).collect())).await;
        assert_eq!(outcome, CommitOutcome::Committed(7));
        let left: Vec<u64> = store.commits(4, 100).await.unwrap().into_iter().map(|(seq, _)| seq).collect();
        assert_eq!(left, [5, 6, 7]);
        assert!(
            matches!(store.commits(3, 100).await, Err(StoreError::Corrupt { .. })),
            "too late: never a gap"
        );
        assert_eq!(store.barrier().await, Ok(7));

        let snapshot = store.snapshot().await.unwrap();
        let Fresh { store: copy, keep: _keep_copy } = factory().await;
        copy.restore(snapshot.clone()).await.unwrap();
        assert_eq!(copy.snapshot().await, Ok(snapshot.clone()));
        must_commit(&copy, vec![]).await;
        let mut gap = snapshot;
        gap.entries.retain(|e| e.key != commit_key(5));
        let Fresh { store: copy, keep: _keep_copy } = factory().await;
        let refused = copy.restore(gap).await;
        assert!(matches!(refused, Err(StoreError::BadSnapshot { .. })), "{refused:?}");
    });
}

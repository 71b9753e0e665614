//! Snapshot and restore.

use super::{Fresh, delete, must_commit, put, request, run};
use crate::{CommitOutcome, Snapshot, StoreError};

/// The copy equals the original, goes on counting from there, and its waiters are rung.
pub fn a_restored_store_is_equal(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        for i in 0..5 {
            must_commit(&store, vec![put(&format!("fs/{i}"), [0, 255, i]), put("fs/x", [i])]).await;
        }
        must_commit(&store, vec![delete("fs/2")]).await;
        let snapshot = store.snapshot().await.unwrap();
        assert_eq!(snapshot.seq, 6);
        assert_eq!(snapshot.entries, store.range("").await.unwrap().entries);

        let Fresh { store: copy, keep: _keep_copy } = factory().await;
        copy.restore(snapshot.clone()).await.unwrap();
        copy.wait(5).await.unwrap();
        assert_eq!(copy.snapshot().await, Ok(snapshot));
        assert_eq!(copy.barrier().await, Ok(6));
        assert_eq!(copy.commits(0, 100).await, store.commits(0, 100).await);

        let next = request(6, vec![], vec![put("fs/y", "")]);
        assert_eq!(copy.commit(next.clone()).await, CommitOutcome::Committed(7));
        assert_eq!(store.commit(next).await, CommitOutcome::Committed(7));
        assert_eq!(copy.snapshot().await, store.snapshot().await);
    });
}

/// A store that holds anything is never replaced, not even by its own snapshot.
pub fn restore_needs_an_empty_store(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        let empty = store.snapshot().await.unwrap();
        store.restore(empty.clone()).await.unwrap();
        assert_eq!(store.barrier().await, Ok(0));
        must_commit(&store, vec![]).await;
        let own = store.snapshot().await.unwrap();
        for snapshot in [empty, own.clone()] {
            let refused = store.restore(snapshot).await;
            assert!(matches!(refused, Err(StoreError::NotEmpty { seq: 1, .. })), "{refused:?}");
        }
        assert_eq!(store.snapshot().await, Ok(own));
    });
}

/// A snapshot that no store can have made leaves the store empty.
pub fn a_contradictory_snapshot_is_refused(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        must_commit(&store, vec![put("fs/a", "1")]).await;
        must_commit(&store, vec![put("fs/a", "2")]).await;
        let good = store.snapshot().await.unwrap();
        let damage: [fn(&mut Snapshot); 4] = [
            |s| s.seq += 1,
            |s| drop(s.entries.remove(0)),
            |s| s.entries.reverse(),
            |s| s.entries.retain(|e| e.key != "seq"),
        ];
        let Fresh { store: copy, keep: _keep_copy } = factory().await;
        for (i, damage) in damage.iter().enumerate() {
            let mut bad = good.clone();
            damage(&mut bad);
            let refused = copy.restore(bad).await;
            assert!(matches!(refused, Err(StoreError::BadSnapshot { .. })), "damage {i}: {refused:?}");
        }
        assert_eq!(copy.snapshot().await, Ok(Snapshot { seq: 0, entries: vec![] }));
        copy.restore(good.clone()).await.unwrap();
        assert_eq!(copy.snapshot().await, Ok(good));
    });
}

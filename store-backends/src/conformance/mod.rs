//! The suite that every backend must pass: a backend without it does not exist.
//!
//! ```text
//! async fn my_store() -> Fresh { … }
//! store_backends::conformance_suite!(my_store);     // one #[test] per rule of the contract
//! ```
//!
//! A failed rule panics with what was seen. [`conformance_suite!`](crate::conformance_suite) names the tests
//! alike for every backend.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a suite reports by panicking"
)]

#[cfg(feature = "etcd")]
pub mod cluster;
pub mod commits;
pub mod concurrent;
pub mod copies;
pub mod history;
pub mod model;
pub mod ranges;

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{Change, CommitOutcome, CommitRequest, Entry, Guard, RangeReply, Seq, Store, TxnId};

/// What a backend's factory makes: a new, empty store.
pub struct Fresh {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What must live as long as the store, e.g. its directory.
    pub keep: Box<dyn Any + Send>,
}

impl Fresh {
    /// A store with what keeps it alive; `()` where nothing is needed.
    pub fn new(store: impl Store, keep: impl Any + Send) -> Self {
        Self { store: Arc::new(store), keep: Box::new(keep) }
    }
}

/// One `#[test]` per rule, for a factory `async fn() -> Fresh`.
#[macro_export]
macro_rules! conformance_suite {
    ($factory:path) => {
        $crate::conformance_suite! { @each $factory:
            commits::a_new_store_is_empty
            commits::sequence_is_dense
            commits::another_base_is_a_conflict
            commits::a_failed_guard_changes_nothing
            commits::guards_see_the_state_before
            commits::changes_apply_in_order
            commits::values_are_any_bytes
            commits::refusals_change_nothing
            commits::old_records_go_with_their_anchor
            commits::the_largest_commit_is_taken
            commits::an_amendment_is_beside_the_sequence
            commits::commits_are_read_from_anywhere
            commits::find_txn_resolves
            ranges::entries_are_sorted_by_bytes
            ranges::prefixes_are_exact
            ranges::keys_are_read_together
            copies::a_restored_store_is_equal
            copies::restore_needs_an_empty_store
            copies::a_contradictory_snapshot_is_refused
            concurrent::commits_are_atomic_for_readers
            concurrent::wait_never_misses
            concurrent::concurrent_writers_are_linearizable
            model::any_history_equals_the_model
        }
    };
    (@each $factory:path: $($module:ident :: $rule:ident)*) => {
        $(
            #[test]
            fn $rule() {
                $crate::conformance::$module::$rule($factory);
            }
        )*
    };
}

/// Nothing in the suite takes this long; a store that hangs shall fail its test, not stop the run.
const WATCHDOG: Duration = Duration::from_secs(120);

/// Runs one rule on a runtime of its own.
fn run<R>(rule: impl Future<Output = R>) -> R {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(4).enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(WATCHDOG, rule).await.expect("the store hangs") })
}

/// A request with a fresh txn id and a record that names it.
fn request(base: Seq, guards: Vec<Guard>, changes: Vec<Change>) -> CommitRequest {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let txn = TxnId(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)) << 64 | u128::from(base));
    CommitRequest { txn, base, guards, changes, record: record(txn) }
}

fn record(txn: TxnId) -> Vec<u8> {
    format!(r#"{{"events":[{{"what":"conformance"}}],"txn":"{txn}"}}"#).into_bytes()
}

fn put(key: &str, value: impl AsRef<[u8]>) -> Change {
    Change::Put(key.to_owned(), value.as_ref().to_vec())
}

fn delete(key: &str) -> Change {
    Change::Delete(key.to_owned())
}

/// Commits `changes` on top of whatever the store holds; nobody else may write.
async fn must_commit(store: &Arc<dyn Store>, changes: Vec<Change>) -> Seq {
    let base = store.barrier().await.unwrap();
    let outcome = store.commit(request(base, vec![], changes)).await;
    assert_eq!(outcome, CommitOutcome::Committed(base + 1));
    base + 1
}

/// `(key, value)` of a range, as text where it is text.
fn pairs(reply: &RangeReply) -> Vec<(String, String)> {
    let text = |e: &Entry| (e.key.clone(), String::from_utf8_lossy(&e.value).into_owned());
    reply.entries.iter().map(text).collect()
}

/// The keys of a range.
async fn keys(store: &Arc<dyn Store>, prefix: &str) -> Vec<String> {
    store.range(prefix).await.unwrap().entries.into_iter().map(|e| e.key).collect()
}

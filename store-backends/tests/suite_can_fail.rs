//! The conformance suite catches planted bugs: each one below must fail the rule named beside it.

#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use async_trait::async_trait;
use store_backends::conformance::{Fresh, commits, concurrent, copies, model, ranges};
use store_backends::memory::MemoryStore;
use store_backends::{
    Change, CommitOutcome, CommitRequest, Entry, RangeReply, Seq, Snapshot, Store, StoreError, TxnId,
};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Bug {
    None,
    BellRingsForNothing,
    GuardsIgnored,
    BaseIgnored,
    LastGuardIgnored,
    ConflictHidden,
    PrefixBySegments,
    PrefixIsCaseBlind,
    UnsortedRange,
    TornRange,
    ReadsNeighbours,
    TornRead,
    StaleBarrier,
    AmendsAnywhere,
    AmendmentCounts,
    CommitsSkipOne,
    CommitsIgnoreLimit,
    TxnNotFound,
    TxnFoundTooEarly,
    RestoreSaysYes,
    RestoreForgetsBinary,
}

struct Faulty {
    inner: MemoryStore,
    bug: Bug,
    seen: Mutex<Seq>,
}

#[async_trait]
impl Store for Faulty {
    async fn range(&self, prefix: &str) -> Result<RangeReply, StoreError> {
        match self.bug {
            Bug::PrefixBySegments if !prefix.is_empty() => {
                let mut reply = self.inner.range(prefix).await?;
                let dir = format!("{}/", prefix.trim_end_matches('/'));
                reply.entries.retain(|e| e.key == prefix || e.key.starts_with(&dir));
                Ok(reply)
            }
            Bug::PrefixIsCaseBlind => {
                let mut reply = self.inner.range("").await?;
                reply.entries.retain(|e| e.key.to_lowercase().starts_with(&prefix.to_lowercase()));
                Ok(reply)
            }
            Bug::UnsortedRange => {
                let mut reply = self.inner.range(prefix).await?;
                reply.entries.reverse();
                Ok(reply)
            }
            Bug::TornRange => {
                let early = self.inner.range(prefix).await?;
                while self.inner.barrier().await? == early.seq {
                    tokio::task::yield_now().await;
                }
                let mut late = self.inner.range(prefix).await?;
                late.entries.retain(|e| e.key != "a");
                late.entries.splice(0..0, early.entries.into_iter().filter(|e| e.key == "a"));
                Ok(late)
            }
            _ => self.inner.range(prefix).await,
        }
    }

    async fn read(&self, keys: &[String]) -> Result<RangeReply, StoreError> {
        let mut reply = self.inner.read(keys).await?;
        match self.bug {
            Bug::ReadsNeighbours => {
                let all = self.inner.range("").await?;
                let wanted = |e: &Entry| keys.iter().any(|key| e.key.starts_with(key.as_str()));
                reply.entries = all.entries.into_iter().filter(wanted).collect();
            }
            Bug::TornRead => {
                tokio::task::yield_now().await;
                reply.seq = self.inner.barrier().await?;
            }
            _ => {}
        }
        Ok(reply)
    }

    async fn barrier(&self) -> Result<Seq, StoreError> {
        let now = self.inner.barrier().await?;
        let mut seen = self.seen.lock().unwrap();
        Ok(if self.bug == Bug::StaleBarrier { std::mem::replace(&mut *seen, now) } else { now })
    }

    async fn commit(&self, mut req: CommitRequest) -> CommitOutcome {
        match self.bug {
            Bug::GuardsIgnored => req.guards.clear(),
            Bug::LastGuardIgnored => drop(req.guards.pop()),
            Bug::BaseIgnored => req.base = self.inner.barrier().await.unwrap(),
            _ => {}
        }
        let base = req.base;
        match self.inner.commit(req).await {
            CommitOutcome::Conflict { .. } if self.bug == Bug::ConflictHidden => {
                CommitOutcome::Conflict { at: base }
            }
            outcome => outcome,
        }
    }

    async fn amend(&self, at: Seq, changes: Vec<Change>) -> Result<bool, StoreError> {
        match self.bug {
            Bug::AmendsAnywhere => self.inner.amend(self.inner.barrier().await?, changes).await,
            Bug::AmendmentCounts if at > 0 => {
                let txn = TxnId(u128::MAX);
                let record = format!(r#"{{"txn":"{txn}"}}"#).into_bytes();
                let request = CommitRequest { txn, base: at, guards: vec![], changes, record };
                Ok(matches!(self.inner.commit(request).await, CommitOutcome::Committed(_)))
            }
            _ => self.inner.amend(at, changes).await,
        }
    }

    async fn wait(&self, after: Seq) -> Result<(), StoreError> {
        if self.bug == Bug::BellRingsForNothing {
            tokio::task::yield_now().await;
            return Ok(());
        }
        self.inner.wait(after).await
    }

    async fn commits(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        match self.bug {
            Bug::CommitsSkipOne => {
                let mut found = self.inner.commits(after, limit).await?;
                found.retain(|(seq, _)| *seq != 12);
                Ok(found)
            }
            Bug::CommitsIgnoreLimit => self.inner.commits(after, usize::MAX).await,
            _ => self.inner.commits(after, limit).await,
        }
    }

    async fn find_txn(&self, txn: TxnId, after: Seq) -> Result<Option<Seq>, StoreError> {
        match self.bug {
            Bug::TxnNotFound => Ok(None),
            Bug::TxnFoundTooEarly => self.inner.find_txn(txn, 0).await,
            _ => self.inner.find_txn(txn, after).await,
        }
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.inner.snapshot().await
    }

    async fn restore(&self, mut s: Snapshot) -> Result<(), StoreError> {
        match self.bug {
            Bug::RestoreSaysYes => drop(self.inner.restore(s).await),
            Bug::RestoreForgetsBinary => {
                for entry in &mut s.entries {
                    entry.value = String::from_utf8_lossy(&entry.value).into_owned().into_bytes();
                }
                self.inner.restore(s).await?;
            }
            _ => self.inner.restore(s).await?,
        }
        Ok(())
    }

    fn describe(&self) -> String {
        format!("memory with {:?}", self.bug)
    }
}

macro_rules! holds {
    ($rule:path, $bug:expr) => {{
        let factory =
            async || Fresh::new(Faulty { inner: MemoryStore::new(), bug: $bug, seen: Mutex::default() }, ());
        catch_unwind(AssertUnwindSafe(|| $rule(factory))).is_ok()
    }};
}

/// The rule fails with the bug and passes without it, so it is the bug that it sees.
macro_rules! catches {
    ($($test:ident: $bug:ident by $rule:path;)*) => { $(
        #[test]
        fn $test() {
            assert!(holds!($rule, Bug::None));
            assert!(!holds!($rule, Bug::$bug));
        }
    )* };
}

catches! {
    guards_ignored: GuardsIgnored by commits::a_failed_guard_changes_nothing;
    guards_ignored_by_model: GuardsIgnored by model::any_history_equals_the_model;
    last_guard_ignored: LastGuardIgnored by commits::a_failed_guard_changes_nothing;
    base_ignored: BaseIgnored by commits::another_base_is_a_conflict;
    base_ignored_among_writers: BaseIgnored by concurrent::concurrent_writers_are_linearizable;
    conflict_hidden: ConflictHidden by commits::another_base_is_a_conflict;
    prefix_by_segments: PrefixBySegments by ranges::prefixes_are_exact;
    prefix_by_segments_by_model: PrefixBySegments by model::any_history_equals_the_model;
    prefix_is_case_blind: PrefixIsCaseBlind by ranges::prefixes_are_exact;
    unsorted_range: UnsortedRange by ranges::entries_are_sorted_by_bytes;
    torn_range: TornRange by concurrent::commits_are_atomic_for_readers;
    reads_neighbours: ReadsNeighbours by ranges::keys_are_read_together;
    torn_read: TornRead by concurrent::commits_are_atomic_for_readers;
    stale_barrier: StaleBarrier by commits::sequence_is_dense;
    stale_barrier_among_writers: StaleBarrier by concurrent::concurrent_writers_are_linearizable;
    amends_anywhere: AmendsAnywhere by commits::an_amendment_is_beside_the_sequence;
    amendment_counts: AmendmentCounts by commits::an_amendment_is_beside_the_sequence;
    commits_skip_one: CommitsSkipOne by commits::commits_are_read_from_anywhere;
    commits_skip_one_for_a_follower: CommitsSkipOne by concurrent::wait_never_misses;
    commits_ignore_limit: CommitsIgnoreLimit by commits::commits_are_read_from_anywhere;
    txn_not_found: TxnNotFound by commits::find_txn_resolves;
    txn_found_too_early: TxnFoundTooEarly by commits::find_txn_resolves;
    restore_says_yes: RestoreSaysYes by copies::restore_needs_an_empty_store;
    restore_forgets_binary: RestoreForgetsBinary by copies::a_restored_store_is_equal;
}

/// What the contract allows is no failure.
#[test]
fn a_bell_may_ring_for_nothing() {
    assert!(holds!(concurrent::wait_never_misses, Bug::BellRingsForNothing));
    assert!(holds!(concurrent::concurrent_writers_are_linearizable, Bug::BellRingsForNothing));
}

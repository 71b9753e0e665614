//! Commits, and what becomes of those without an answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use etcd_client::{Compare, CompareOp, Txn, TxnOp, TxnResponse};
use tokio::time::Instant;

use super::Cluster;
use super::members::{Failure, kv};
use super::shape::At;
use crate::contract::Seq;
use crate::key::commit_key;
use crate::sealed::seal;
use crate::txn::txn_of_stored;
use crate::{Change, CommitOutcome, CommitRequest, Guard, StoreError, TxnId};

/// What a transaction of ours did.
enum Tried {
    /// All of it; `seq`, where it is part of it, now stands here.
    Done(i64),
    /// Nothing; `seq` stands here.
    Not(At),
}

impl Cluster {
    /// A valid request. Goes on through the loss of members and leaders while patience lasts.
    pub(super) async fn commit(&self, req: &CommitRequest) -> CommitOutcome {
        match self.commit_or(req).await {
            Ok(outcome) => outcome,
            Err(e) => CommitOutcome::Unknown(e),
        }
    }

    async fn commit_or(&self, req: &CommitRequest) -> Result<CommitOutcome, StoreError> {
        let end = Instant::now() + self.members.patience();
        let mut at = match self.known() {
            Some(known) if known.seq == req.base => known,
            _ => self.seq().await?,
        };
        loop {
            if at.seq != req.base {
                return Ok(CommitOutcome::Conflict { at: at.seq });
            }
            if at.restoring {
                at = self.clear_restore(at).await?;
                continue;
            }
            match self.attempt(self.commit_txn(req, at)).await? {
                Ok(Tried::Done(revision)) => return Ok(self.committed(req.base, revision)),
                Ok(Tried::Not(now)) if now == at => {
                    self.check_guards(req).await?;
                    return Ok(CommitOutcome::Conflict { at: at.seq });
                }
                Ok(Tried::Not(now)) => at = now,
                // it was answered, so nothing is under way; but the one that fills the quota is done nevertheless
                Err(Failure::NoSpace) => {
                    self.forget();
                    return match self.record_is(req.base, req.txn).await? {
                        true => Ok(CommitOutcome::Committed(req.base.saturating_add(1))),
                        false => Err(self.members.error(Failure::NoSpace)),
                    };
                }
                Err(failure @ Failure::Unsure(_)) => {
                    self.forget();
                    let unsure = self.members.error(failure);
                    at = self.fence().await.map_err(|_| unsure.clone())?;
                    if at.seq > req.base && self.record_is(req.base, req.txn).await? {
                        return Ok(CommitOutcome::Committed(req.base.saturating_add(1)));
                    }
                    if Instant::now() >= end {
                        return Err(unsure);
                    }
                }
                Err(failure) => return Err(self.members.error(failure)),
            }
        }
    }

    fn committed(&self, base: Seq, revision: i64) -> CommitOutcome {
        let seq = base.saturating_add(1);
        self.saw(At { seq, restoring: false, revision });
        CommitOutcome::Committed(seq)
    }

    fn commit_txn(&self, req: &CommitRequest, at: At) -> Txn {
        let next = req.base.saturating_add(1);
        let mut compares = vec![self.shape.unmoved(at)];
        compares.extend(req.guards.iter().map(|guard| self.holds(guard)));
        let mut operations = self.operations(&req.changes);
        operations.push(self.shape.put(&commit_key(next), &req.record));
        operations.push(self.shape.put_seq(next));
        Txn::new().when(compares).and_then(operations).or_else([self.shape.get_seq()])
    }

    fn holds(&self, guard: &Guard) -> Compare {
        match guard {
            Guard::Absent(key) => Compare::version(self.shape.full(key), CompareOp::Equal, 0),
            Guard::Equals(key, value) => {
                Compare::value(self.shape.full(key), CompareOp::Equal, seal(key, value))
            }
        }
    }

    /// etcd takes one operation for each key: the last change stays.
    fn operations(&self, changes: &[Change]) -> Vec<TxnOp> {
        let mut last = BTreeMap::new();
        for change in changes {
            match change {
                Change::Put(key, value) => last.insert(key, Some(value)),
                Change::Delete(key) => last.insert(key, None),
            };
        }
        let operation = |(key, value): (&String, Option<&Vec<u8>>)| match value {
            Some(value) => self.shape.put(key, value),
            None => self.shape.delete(key),
        };
        last.into_iter().map(operation).collect()
    }

    /// Makes a transaction once. Its first answer of the other branch is `seq`.
    async fn attempt(&self, txn: Txn) -> Result<Result<Tried, Failure>, StoreError> {
        let call = |client: Arc<etcd_client::Client>| {
            let txn = txn.clone();
            async move { kv(&client).txn(txn).await }
        };
        let response: TxnResponse = match self.members.once(&call).await {
            Ok(response) => response,
            Err(failure) => return Ok(Err(failure)),
        };
        if response.succeeded() {
            let revision = response.header().map_or(0, etcd_client::ResponseHeader::revision);
            return Ok(Ok(Tried::Done(revision)));
        }
        let at = self.shape.at_in(&response, 0)?;
        // a cluster restored from a backup has gone back to older revisions
        self.forget();
        self.saw(at);
        Ok(Ok(Tried::Not(at)))
    }

    /// A guard that does not hold because its value is damaged is damage, not a conflict.
    async fn check_guards(&self, req: &CommitRequest) -> Result<(), StoreError> {
        let key = |guard: &'_ Guard| match guard {
            Guard::Absent(_) => None,
            Guard::Equals(key, _) => Some(key.clone()),
        };
        let keys: Vec<String> = req.guards.iter().filter_map(key).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.read_keys(&keys).await.map(drop)
    }

    /// Whether commit `base + 1` is that of `txn`.
    async fn record_is(&self, base: Seq, txn: TxnId) -> Result<bool, StoreError> {
        let next = base.saturating_add(1);
        match self.read_keys(&[&commit_key(next)]).await?.first() {
            Some(entry) => Ok(txn_of_stored(next, &entry.value)? == txn),
            None => Ok(false),
        }
    }

    /// From here on, no transaction that was sent before this call can be done any more. Where `seq` stands now.
    pub(super) async fn fence(&self) -> Result<At, StoreError> {
        let end = Instant::now() + self.members.patience();
        loop {
            let at = self.seq().await?;
            match self.attempt(self.rewrite(at, vec![])).await? {
                Ok(Tried::Done(revision)) => {
                    let at = At { revision, ..at };
                    self.saw(at);
                    return Ok(at);
                }
                // somebody else moved it, which does as well
                Ok(Tried::Not(now)) => return Ok(now),
                Err(failure @ Failure::Unsure(_)) if Instant::now() >= end => {
                    return Err(self.members.error(failure));
                }
                Err(Failure::Unsure(_)) => {}
                Err(failure) => return Err(self.members.error(failure)),
            }
        }
    }

    /// If `seq` stands at `at`: makes the operations and writes `seq` again.
    pub(super) fn rewrite(&self, at: At, mut operations: Vec<TxnOp>) -> Txn {
        operations.push(if at.restoring { self.shape.put_restoring() } else { self.shape.put_seq(at.seq) });
        Txn::new().when([self.shape.unmoved(at)]).and_then(operations).or_else([self.shape.get_seq()])
    }

    /// As [`crate::Store::amend`].
    pub(super) async fn amend(&self, seq: Seq, changes: &[Change]) -> Result<bool, StoreError> {
        let end = Instant::now() + self.members.patience();
        let mut at = match self.known() {
            Some(known) if known.seq == seq => known,
            _ => self.seq().await?,
        };
        while at.seq == seq && !at.restoring {
            let txn = Txn::new().when([self.shape.unmoved(at)]).and_then(self.operations(changes));
            match self.attempt(txn.or_else([self.shape.get_seq()])).await? {
                Ok(Tried::Done(_)) => return Ok(true),
                Ok(Tried::Not(now)) => at = now,
                Err(failure @ Failure::Unsure(_)) if Instant::now() >= end => {
                    return Err(self.members.error(failure));
                }
                Err(Failure::Unsure(_)) => at = self.seq().await?,
                Err(failure) => return Err(self.members.error(failure)),
            }
        }
        Ok(false)
    }

    /// Makes operations and writes `seq`, if it stands at `at`: where it stands then. `None`: it stood elsewhere.
    pub(super) async fn step(
        &self,
        txn: impl Fn(At) -> Txn,
        at: At,
        after: At,
    ) -> Result<Option<At>, StoreError> {
        match self.attempt(txn(at)).await? {
            Ok(Tried::Done(revision)) => {
                let at = At { revision, ..after };
                self.saw(at);
                Ok(Some(at))
            }
            Ok(Tried::Not(_)) => Ok(None),
            Err(failure) => Err(self.members.error(failure)),
        }
    }
}

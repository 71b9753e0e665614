//! A store that does something, or dies, at a given step of its user.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use store_backends::{
    Change, CommitOutcome, CommitRequest, Limits, RangeReply, Seq, Snapshot, Store, StoreError, TxnId,
};
use tokio::sync::mpsc;

/// What happens at the step.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum At {
    /// The step and all later calls fail, without effect.
    DiesBefore(usize),
    /// The step has its effect, nobody hears of it, all later calls fail.
    DiesAfter(usize),
    /// Another does something before the step, then it goes on.
    StallsBefore(usize),
    Nothing,
}

/// Writing calls are steps, counted from 0.
pub(crate) struct Interrupted {
    inner: Arc<dyn Store>,
    at: At,
    steps: AtomicUsize,
    /// Asks the other to act, waits until it has.
    stall: mpsc::Sender<tokio::sync::oneshot::Sender<()>>,
}

impl Interrupted {
    pub(crate) fn new(
        inner: Arc<dyn Store>,
        at: At,
    ) -> (Arc<Self>, mpsc::Receiver<tokio::sync::oneshot::Sender<()>>) {
        let (stall, stalled) = mpsc::channel(1);
        (Arc::new(Self { inner, at, steps: AtomicUsize::new(0), stall }), stalled)
    }

    pub(crate) fn steps(&self) -> usize {
        self.steps.load(Ordering::SeqCst)
    }

    fn died(&self) -> StoreError {
        StoreError::Unavailable { store: self.describe(), detail: "this process is dead".to_owned() }
    }

    fn alive(&self) -> Result<(), StoreError> {
        let steps = self.steps();
        match self.at {
            At::DiesBefore(k) | At::DiesAfter(k) if steps > k => Err(self.died()),
            _ => Ok(()),
        }
    }

    /// `Ok(true)`: die after the effect.
    async fn step(&self) -> Result<bool, StoreError> {
        self.alive()?;
        let step = self.steps.fetch_add(1, Ordering::SeqCst);
        match self.at {
            At::DiesBefore(k) if k == step => Err(self.died()),
            At::DiesAfter(k) if k == step => Ok(true),
            At::StallsBefore(k) if k == step => {
                let (done, waits) = tokio::sync::oneshot::channel();
                self.stall.send(done).await.unwrap();
                waits.await.unwrap();
                Ok(false)
            }
            _ => Ok(false),
        }
    }
}

#[async_trait]
impl Store for Interrupted {
    async fn range(&self, prefix: &str) -> Result<RangeReply, StoreError> {
        self.alive()?;
        self.inner.range(prefix).await
    }
    async fn read(&self, keys: &[String]) -> Result<RangeReply, StoreError> {
        self.alive()?;
        self.inner.read(keys).await
    }
    async fn barrier(&self) -> Result<Seq, StoreError> {
        self.alive()?;
        self.inner.barrier().await
    }
    async fn commit(&self, req: CommitRequest) -> CommitOutcome {
        let dies = match self.step().await {
            Ok(dies) => dies,
            Err(e) => return CommitOutcome::Unknown(e),
        };
        let outcome = self.inner.commit(req).await;
        if dies { CommitOutcome::Unknown(self.died()) } else { outcome }
    }
    async fn amend(&self, at: Seq, changes: Vec<Change>) -> Result<bool, StoreError> {
        let dies = self.step().await?;
        let outcome = self.inner.amend(at, changes).await;
        if dies { Err(self.died()) } else { outcome }
    }
    async fn wait(&self, after: Seq) -> Result<(), StoreError> {
        self.alive()?;
        self.inner.wait(after).await
    }
    async fn commits(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        self.alive()?;
        self.inner.commits(after, limit).await
    }
    async fn find_txn(&self, txn: TxnId, after: Seq) -> Result<Option<Seq>, StoreError> {
        self.alive()?;
        self.inner.find_txn(txn, after).await
    }
    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.alive()?;
        self.inner.snapshot().await
    }
    async fn restore(&self, s: Snapshot) -> Result<(), StoreError> {
        self.alive()?;
        self.inner.restore(s).await
    }
    fn describe(&self) -> String {
        self.inner.describe()
    }
    fn limits(&self) -> Limits {
        // less than any backend: more steps with less data
        Limits { operations: 95, bytes: 520 << 10 }
    }
}

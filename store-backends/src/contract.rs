//! The contract between mgsd and whatever holds its state.

use async_trait::async_trait;

use crate::key::{self, commit_key};
use crate::txn::{txn_of_record, txn_of_stored};
use crate::{Snapshot, StoreError, TxnId};

/// Our own sequence number: the number of commits so far. 0 is the empty store; commit `n` makes it `n`.
pub type Seq = u64;

/// What a backend takes in one commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most changes, and most guards.
    pub operations: usize,
    /// Most bytes: keys and values of guards and changes, plus the record.
    pub bytes: usize,
}

impl Limits {
    /// What every backend takes. Batches are cut to this; only a change that cannot be cut may need more.
    pub const EVERY: Self = Self { operations: 100, bytes: 1 << 20 };
}

/// A condition on the state *before* the commit, beside the compare of the sequence number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Guard {
    /// The key has no value.
    Absent(String),
    /// The key has exactly this value.
    Equals(String, Vec<u8>),
}

/// One change of a commit. Changes apply in order: of several for one key, the last stays.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Sets the value, whether or not the key exists.
    Put(String, Vec<u8>),
    /// Removes the key; no effect when it is absent.
    Delete(String),
}

/// One atomic step from `base` to `base + 1`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitRequest {
    /// Names this attempt; must be the field `txn` of `record`, too.
    pub txn: TxnId,
    /// The store must be exactly here.
    pub base: Seq,
    /// All must hold.
    pub guards: Vec<Guard>,
    /// All are made, or none.
    pub changes: Vec<Change>,
    /// Value of `commit/<base + 1>`: a JSON object with the field `txn` (32 hex digits).
    pub record: Vec<u8>,
}

/// What became of a [`CommitRequest`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommitOutcome {
    /// Done and durable; the store is at this sequence number, always `base + 1`.
    Committed(Seq),
    /// Nothing was changed: the store was not at `base`, or (`at == base`) a guard did not hold.
    Conflict {
        /// Where the store was.
        at: Seq,
    },
    /// Neither yes nor no. Never retry blindly: ask [`Store::find_txn`] first. The one exception is an error
    /// with [`StoreError::is_refusal`]: nothing was written and the same request is refused again.
    Unknown(StoreError),
}

/// A key with its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Relative key.
    pub key: String,
    /// Its bytes, checked against the stored checksum.
    pub value: Vec<u8>,
}

/// Answer of [`Store::range`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RangeReply {
    /// Sorted by key.
    pub entries: Vec<Entry>,
    /// The sequence number that the entries reflect.
    pub seq: Seq,
}

/// All hard state of one MGS. The rules are checked by the module `conformance`.
///
/// A future that is dropped before it is ready may still have its effect; a dropped `commit` is resolved like
/// [`CommitOutcome::Unknown`].
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// All entries whose key starts with `prefix` (bytes, not segments: `fs/a` finds `fs/ab`), as one
    /// consistent state. The empty prefix is everything, `seq` and `commit/…` included.
    async fn range(&self, prefix: &str) -> Result<RangeReply, StoreError>;

    /// The sequence number, linearizable: not older than any commit that was answered before this call began.
    async fn barrier(&self) -> Result<Seq, StoreError>;

    /// In one atomic step: compares the sequence number with `base`, checks the guards, makes the changes,
    /// writes `commit/<base + 1>` and `seq`. Durable when [`CommitOutcome::Committed`].
    async fn commit(&self, req: CommitRequest) -> CommitOutcome;

    /// A doorbell: returns when the sequence number is above `after`, at once if it is already. It may also
    /// return for no reason, but it never sleeps through a commit. What happened is read with
    /// [`Store::commits`].
    async fn wait(&self, after: Seq) -> Result<(), StoreError>;

    /// Up to `limit` commit records above `after`, dense and in order; a gap is [`StoreError::Corrupt`], never
    /// skipped. Empty when there is none yet.
    async fn commits(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Vec<u8>)>, StoreError>;

    /// The entries of these keys, sorted, as one consistent state; keys without a value are left out.
    ///
    /// A wrapper may leave it out: everything is read then.
    async fn read(&self, keys: &[String]) -> Result<RangeReply, StoreError> {
        let RangeReply { mut entries, seq } = self.range("").await?;
        let keys: std::collections::BTreeSet<&String> = keys.iter().collect();
        entries.retain(|entry| keys.contains(&entry.key));
        Ok(RangeReply { entries, seq })
    }

    /// Whether other daemons may commit to it, too.
    fn is_shared(&self) -> bool {
        false
    }

    /// Resolves an unknown outcome: the commit above `after` that carries `txn`. `None` is final for a request
    /// that the store no longer works on: the answer reflects a barrier taken inside this call. A backend whose
    /// requests can be under way without it makes sure that what was sent before this call cannot be done after it.
    async fn find_txn(&self, txn: TxnId, after: Seq) -> Result<Option<Seq>, StoreError> {
        scan_for_txn(self, txn, after).await
    }

    /// Makes changes *beside* the sequence if the store is at `at`, else nothing (`false`): `seq` and `commit/…` stay
    /// as they are, nobody is rung. Only for what no reader acts on before a commit names it, and only for changes
    /// that may be made twice: an error is neither yes nor no. Within [`Store::limits`]; durable when `Ok(true)`.
    ///
    /// A wrapper that never carries a large plan may leave it out: it then refuses.
    async fn amend(&self, at: Seq, changes: Vec<Change>) -> Result<bool, StoreError> {
        let _ = (at, changes);
        let detail = "it makes no changes beside its sequence".to_owned();
        Err(StoreError::Denied { store: self.describe(), detail })
    }

    /// A consistent copy of everything.
    async fn snapshot(&self) -> Result<Snapshot, StoreError>;

    /// Loads a snapshot, all or nothing, durable when `Ok`. Only into an empty store
    /// ([`StoreError::NotEmpty`]); a contradictory snapshot is [`StoreError::BadSnapshot`].
    async fn restore(&self, s: Snapshot) -> Result<(), StoreError>;

    /// What an operator should know now, one line each, before it becomes trouble. Asks the backend: not for every
    /// request.
    ///
    /// # Errors
    /// Those of the backend, when it cannot be asked.
    async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// For people: which backend and where, e.g. `sqlite /var/lib/mgsd/mgs.db`.
    fn describe(&self) -> String;

    /// What this backend takes in one commit: [`Limits::EVERY`] or more.
    fn limits(&self) -> Limits {
        Limits::EVERY
    }
}

/// A shared store is a store.
#[async_trait]
impl<S: Store + ?Sized> Store for std::sync::Arc<S> {
    async fn range(&self, prefix: &str) -> Result<RangeReply, StoreError> {
        (**self).range(prefix).await
    }
    async fn barrier(&self) -> Result<Seq, StoreError> {
        (**self).barrier().await
    }
    async fn commit(&self, req: CommitRequest) -> CommitOutcome {
        (**self).commit(req).await
    }
    async fn wait(&self, after: Seq) -> Result<(), StoreError> {
        (**self).wait(after).await
    }
    async fn commits(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        (**self).commits(after, limit).await
    }
    async fn read(&self, keys: &[String]) -> Result<RangeReply, StoreError> {
        (**self).read(keys).await
    }
    fn is_shared(&self) -> bool {
        (**self).is_shared()
    }
    async fn find_txn(&self, txn: TxnId, after: Seq) -> Result<Option<Seq>, StoreError> {
        (**self).find_txn(txn, after).await
    }
    async fn amend(&self, at: Seq, changes: Vec<Change>) -> Result<bool, StoreError> {
        (**self).amend(at, changes).await
    }
    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        (**self).snapshot().await
    }
    async fn restore(&self, s: Snapshot) -> Result<(), StoreError> {
        (**self).restore(s).await
    }
    async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        (**self).warnings().await
    }
    fn describe(&self) -> String {
        (**self).describe()
    }
    fn limits(&self) -> Limits {
        (**self).limits()
    }
}

impl CommitRequest {
    /// Refuses what a backend with these limits will not take.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`], [`StoreError::InvalidKey`], [`StoreError::BadRecord`]: all
    /// [`StoreError::is_refusal`].
    pub fn validate(&self, limits: Limits) -> Result<(), StoreError> {
        if self.guards.len() > limits.operations {
            let (found, limit) = (self.guards.len(), limits.operations);
            return Err(StoreError::TooLarge { found, limit, unit: "guards" });
        }
        let mut bytes = self.record.len();
        for guard in &self.guards {
            let (key, value) = match guard {
                Guard::Absent(key) => (key, 0),
                Guard::Equals(key, value) => (key, value.len()),
            };
            key::validate(key)?;
            bytes = bytes.saturating_add(key.len()).saturating_add(value);
        }
        validate_changes(&self.changes, bytes, limits)?;
        match txn_of_record(&self.record) {
            Ok(txn) if txn == self.txn => Ok(()),
            Ok(txn) => {
                Err(StoreError::BadRecord { detail: format!("names txn {txn}, the request {}", self.txn) })
            }
            Err(detail) => Err(StoreError::BadRecord { detail: format!("is {detail}") }),
        }
    }
}

/// Refuses changes that are too many, too large together with `bytes` of other things, or not ours to make.
pub(crate) fn validate_changes(changes: &[Change], bytes: usize, limits: Limits) -> Result<(), StoreError> {
    let too_large = |found, limit, unit| Err(StoreError::TooLarge { found, limit, unit });
    if changes.len() > limits.operations {
        return too_large(changes.len(), limits.operations, "changes");
    }
    let mut bytes = bytes;
    let mut through = 0;
    for change in changes {
        if let Change::Put(key, value) = change
            && key == key::PRUNED_KEY
        {
            through = key::parse_pruned(Some(value))?;
        }
    }
    let old = |change: &Change| match change {
        Change::Delete(key) => key::parse_commit_key(key).is_some_and(|seq| seq <= through),
        Change::Put(..) => false,
    };
    for change in changes {
        let (key, value) = match change {
            Change::Put(key, value) => (key, value.len()),
            Change::Delete(key) => (key, 0),
        };
        key::validate(key)?;
        if key::is_reserved(key) && !old(change) {
            let rule = "only the store itself writes seq and commit/…; records go with a value of pruned";
            return Err(StoreError::InvalidKey { key: key.clone(), rule });
        }
        bytes = bytes.saturating_add(key.len()).saturating_add(value);
    }
    if bytes > limits.bytes { too_large(bytes, limits.bytes, "bytes") } else { Ok(()) }
}

/// [`Store::find_txn`] for a store whose requests end with their answer.
pub(crate) async fn scan_for_txn<S: Store + ?Sized>(
    store: &S,
    txn: TxnId,
    after: Seq,
) -> Result<Option<Seq>, StoreError> {
    const STEP: usize = 64;
    let end = store.barrier().await?;
    let mut after = after;
    while after < end {
        for (seq, record) in store.commits(after, STEP).await? {
            if txn_of_stored(seq, &record)? == txn {
                return Ok(Some(seq));
            }
            after = seq;
        }
    }
    Ok(None)
}

/// Checks that `found` is exactly the commits `after+1 ..` of a store at `seq`, cut at `limit`.
pub(crate) fn require_dense(
    found: &[(Seq, Vec<u8>)],
    after: Seq,
    limit: usize,
    seq: Seq,
) -> Result<(), StoreError> {
    let mut next = after;
    for (found, _) in found {
        next = next.saturating_add(1);
        if *found != next {
            return Err(missing(next));
        }
    }
    if found.len() < limit && next < seq { Err(missing(next.saturating_add(1))) } else { Ok(()) }
}

fn missing(seq: Seq) -> StoreError {
    StoreError::Corrupt { key: commit_key(seq), detail: "this commit record is missing".to_owned() }
}

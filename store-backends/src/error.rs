//! What can go wrong in a store: one readable line each, with the next step.

use std::path::PathBuf;

/// Why a store operation failed. `Clone`, because one failed batch answers many waiting requests.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// A stored value does not match its checksum, or a value that must exist is missing or unreadable.
    #[error(
        "store key {key} is damaged: {detail}; it is not served: run `mgsd check`, then restore from a backup"
    )]
    Corrupt {
        /// The damaged key.
        key: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The database as a whole is damaged: truncated, garbage, or its pages do not fit together.
    #[error(
        "{path} is damaged: {detail}; it was left unchanged: keep a copy, then restore the file from a backup"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A newer mgsd wrote this database.
    #[error(
        "{path} has format {found}, this mgsd reads up to {supported}; it was left unchanged: start the newer mgsd, or restore a backup made before the upgrade"
    )]
    NewerFormat {
        /// Format number in the file.
        found: u32,
        /// Newest format number that this program knows.
        supported: u32,
        /// The file.
        path: PathBuf,
    },
    /// The file in our place belongs to something else.
    #[error(
        "{path} is not a database of mgsd: {detail}; it was left unchanged: choose another data directory or move the file away"
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// How it was told.
        detail: String,
    },
    /// Another process has this store open.
    #[error("{path} is in use by {holder}: stop that mgsd first, or choose another data directory")]
    InUse {
        /// The store's directory.
        path: PathBuf,
        /// Who holds it, as far as known.
        holder: String,
    },
    /// The system refused an operation on a file.
    #[error("{path}: cannot {doing}: {detail}; check free space, permissions and the health of the disk")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operation, as a verb with its object.
        doing: &'static str,
        /// The system's words.
        detail: String,
    },
    /// There is no room on the disk, or none left for this user.
    #[error("{}: cannot {doing}: the disk is full; free some space, mgsd goes on by itself", path.display())]
    Full {
        /// The file or directory.
        path: PathBuf,
        /// The operation, as a verb with its object.
        doing: &'static str,
    },
    /// The file system is mounted read-only, often by the kernel after an error of the disk.
    #[error(
        "{}: cannot {doing}: the file system is read-only; look for errors of the disk, then mount it writable, mgsd goes on by itself",
        path.display()
    )]
    ReadOnly {
        /// The file or directory.
        path: PathBuf,
        /// The operation, as a verb with its object.
        doing: &'static str,
    },
    /// A cluster that is shared takes no more writes.
    #[error(
        "store {store} is full: {detail}; nothing was written, mgsd goes on by itself when there is room"
    )]
    OverQuota {
        /// As [`crate::Store::describe`].
        store: String,
        /// What is full, and what the operator of the cluster does about it.
        detail: String,
    },
    /// A cluster refuses us.
    #[error("store {store} refuses: {detail}")]
    Denied {
        /// As [`crate::Store::describe`].
        store: String,
        /// What it refuses, and what to grant.
        detail: String,
    },
    /// The address of a store cannot be used.
    #[error("store {url:?}: {detail}")]
    BadUrl {
        /// The address, without passwords.
        url: String,
        /// What is wrong, and what is allowed.
        detail: String,
    },
    /// The store cannot answer now; the same call may succeed later.
    #[error("store {store} is not available: {detail}; the state is unchanged or unknown: try again")]
    Unavailable {
        /// As [`crate::Store::describe`].
        store: String,
        /// Why.
        detail: String,
    },
    /// A commit is above the limits that every backend keeps.
    #[error("commit refused: {found} {unit}, at most {limit} are allowed: split it into several commits")]
    TooLarge {
        /// Size of the request.
        found: usize,
        /// The limit.
        limit: usize,
        /// What is counted: `changes`, `guards` or `bytes`.
        unit: &'static str,
    },
    /// Not a key, or a key that only the store itself writes.
    #[error("key {key:?} refused: {rule}")]
    InvalidKey {
        /// The key as it came.
        key: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// The commit record does not name its transaction, so an unknown outcome could never be resolved.
    #[error(
        "commit refused: its record {detail}; a record is JSON with the field txn = 32 hex digits of its id"
    )]
    BadRecord {
        /// What is wrong with it.
        detail: String,
    },
    /// Restore is only possible into an empty store.
    #[error(
        "restore refused: {store} already holds commits up to {seq}; restore into an empty data directory"
    )]
    NotEmpty {
        /// As [`crate::Store::describe`].
        store: String,
        /// Its sequence number.
        seq: u64,
    },
    /// A snapshot contradicts itself.
    #[error("restore refused: the snapshot is damaged: {detail}; use another one")]
    BadSnapshot {
        /// The contradiction.
        detail: String,
    },
}

impl StoreError {
    /// Whether the *request* was refused: nothing was written, and the same request is refused again, for ever or
    /// (`OverQuota`, `Denied`) until an operator does something.
    ///
    /// For every other error of [`crate::CommitOutcome::Unknown`] the outcome must be resolved with
    /// [`crate::Store::find_txn`].
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::TooLarge { .. }
                | Self::InvalidKey { .. }
                | Self::BadRecord { .. }
                | Self::NotEmpty { .. }
                | Self::BadSnapshot { .. }
                | Self::OverQuota { .. }
                | Self::Denied { .. }
        )
    }
}

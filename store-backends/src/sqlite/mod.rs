//! The embedded store: one SQLite file per MGS.
//!
//! WAL with `synchronous=FULL`: a commit is answered after the fsync of the log. One thread writes, one reads;
//! a reader sees the last finished commit. Nothing on disk is trusted: an open reads and checks the whole
//! file, each later read checks what it reads, and what is damaged is refused by name.
//!
//! ```text
//!   commit ──► thread mgs-db-write ─┐            ┌─ wait (bell rings after COMMIT)
//!                                   ├─ mgs.db ───┤
//!   range, commits, barrier ──► thread mgs-db-read
//! ```
//!
//! When COMMIT fails, its pages may still reach the disk. The store is then *unsettled*: every call first cuts the
//! unfinished commit off the log (`Db::settle`), so that no answer can be overturned by a restart.

mod backup;
mod check;
mod db;
mod failure;
mod format;
mod lock;
mod open;
#[cfg(test)]
mod tests;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::sync::watch;

pub use self::backup::{Backup, Offline, backup, read, write};
pub use self::check::{Finding, MAX_FINDINGS};
use self::db::{Db, WriteFailure};
use self::failure::{closed, describe};
pub use self::format::{APPLICATION_ID, supported};
use self::lock::DirLock;
use self::worker::Worker;
use crate::contract::validate_changes;
use crate::{Change, CommitOutcome, CommitRequest, Limits, RangeReply, Seq, Snapshot, Store, StoreError};

/// Name of the database in the data directory.
pub const DB_FILE: &str = "mgs.db";

/// One transaction of one process: enough for a writeconf of the largest file system (4,600 OSTs and 16 MDTs: about
/// 110,000 changes).
const LIMITS: Limits = Limits { operations: 200_000, bytes: 64 << 20 };

/// A store in `dir/mgs.db`. See the [module](self).
pub struct SqliteStore {
    // dropped in this order: the writer last of the connections (it empties the log), then the lock
    reader: Worker,
    writer: Worker,
    _lock: DirLock,
    path: PathBuf,
    bell: watch::Sender<Seq>,
    unsettled: Arc<AtomicBool>,
}

impl SqliteStore {
    /// Opens the store of directory `dir`; creates directory and store when absent. Blocks: it reads and checks
    /// the whole database.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::NotOurs`], [`StoreError::NewerFormat`], [`StoreError::Damaged`],
    /// [`StoreError::Corrupt`]: refused, and the database is left byte for byte as it was.
    /// [`StoreError::Io`], [`StoreError::Unavailable`]: the system or another program is in the way.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        open::create_dir(dir)?;
        let lock = DirLock::take(dir)?;
        let path = dir.join(DB_FILE);
        if open::size_of(&path)?.is_none() {
            open::create(dir, &path)?;
        }
        let mut db = open::open_checked(&path)?;
        let seq = db.seq()?;
        let read = Db { conn: open::open_read_only(&path)?, path: path.clone() };
        Ok(Self {
            reader: Worker::start("mgs-db-read", &path, read)?,
            writer: Worker::start("mgs-db-write", &path, db)?,
            _lock: lock,
            path,
            bell: watch::Sender::new(seq),
            unsettled: Arc::default(),
        })
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Checks everything while the store stays in use: pages, checksums, density of `commit/`. Empty = clean.
    ///
    /// # Errors
    /// Only where reading is impossible for a reason outside of the database.
    pub async fn check(&self) -> Result<Vec<Finding>, StoreError> {
        let path = self.path.clone();
        let run = move || check::check(&open::open_read_only(&path)?, &path);
        tokio::task::spawn_blocking(run).await.unwrap_or_else(|_| Err(closed(&self.path)))
    }

    /// Runs `read` on the reading thread, in a settled store.
    async fn on_reader<R: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Db) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        if self.unsettled.load(Ordering::Acquire) {
            let (unsettled, bell) = (Arc::clone(&self.unsettled), self.bell.clone());
            let settled = self.writer.run(move |db| settle(db, &unsettled, &bell)).await;
            settled.unwrap_or_else(|| Err(closed(&self.path)))?;
        }
        self.reader.run(read).await.unwrap_or_else(|| Err(closed(&self.path)))
    }

    /// Runs `write` on the writing thread, in a settled store; rings the bell if it says where the store is now.
    async fn write<R: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Db) -> Result<(R, Option<Seq>), WriteFailure> + Send + 'static,
    ) -> Result<R, StoreError> {
        let unsettled = Arc::clone(&self.unsettled);
        let bell = self.bell.clone();
        let job = move |db: &mut Db| {
            settle(db, &unsettled, &bell)?;
            match write(db) {
                Ok((answer, now)) => {
                    if let Some(seq) = now {
                        bell.send_replace(seq);
                    }
                    Ok(answer)
                }
                Err(WriteFailure::Before(e)) => Err(e),
                Err(WriteFailure::AtCommit(e)) => {
                    unsettled.store(true, Ordering::Release);
                    Err(e)
                }
            }
        };
        self.writer.run(job).await.unwrap_or_else(|| Err(closed(&self.path)))
    }
}

/// On the writing thread: after a failed COMMIT, makes the state certain and rings for what it turned out to be.
fn settle(db: &mut Db, unsettled: &AtomicBool, bell: &watch::Sender<Seq>) -> Result<(), StoreError> {
    if unsettled.load(Ordering::Acquire) || !db.conn.is_autocommit() {
        db.settle()?;
        bell.send_replace(db.seq()?);
        unsettled.store(false, Ordering::Release);
    }
    Ok(())
}

/// Checks the store of `dir` without opening it for use: works on a database that [`SqliteStore::open`]
/// refuses as damaged, and lists everything that is wrong with it. Reads only. Empty = clean.
///
/// # Errors
/// As [`SqliteStore::open`] where nothing can be checked: in use, absent, not ours, newer format.
pub fn check(dir: &Path) -> Result<Vec<Finding>, StoreError> {
    let path = dir.join(DB_FILE);
    if open::size_of(&path)?.is_none() {
        let detail = "there is no such file".to_owned();
        return Err(StoreError::Io { path, doing: "check the database", detail });
    }
    let _lock = DirLock::take(dir)?;
    let conn = match open::open_untouched(&path) {
        Err(StoreError::Damaged { detail, .. }) => return Ok(vec![Finding { key: None, detail }]),
        other => other?,
    };
    match format::identify(&conn, &path) {
        Err(StoreError::Damaged { detail, .. }) => Ok(vec![Finding { key: None, detail }]),
        Err(e) => Err(e),
        Ok(_) => check::check(&conn, &path),
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn range(&self, prefix: &str) -> Result<RangeReply, StoreError> {
        let prefix = prefix.to_owned();
        self.on_reader(move |db| db.range(&prefix)).await
    }

    async fn read(&self, keys: &[String]) -> Result<RangeReply, StoreError> {
        let keys = keys.iter().cloned().collect();
        self.on_reader(move |db| db.read(&keys)).await
    }

    async fn barrier(&self) -> Result<Seq, StoreError> {
        self.on_reader(Db::seq).await
    }

    async fn commit(&self, req: CommitRequest) -> CommitOutcome {
        if let Err(refusal) = req.validate(LIMITS) {
            return CommitOutcome::Unknown(refusal);
        }
        let write = move |db: &mut Db| {
            let outcome = db.commit(&req)?;
            let now = if let CommitOutcome::Committed(seq) = &outcome { Some(*seq) } else { None };
            Ok((outcome, now))
        };
        self.write(write).await.unwrap_or_else(CommitOutcome::Unknown)
    }

    async fn amend(&self, at: Seq, changes: Vec<Change>) -> Result<bool, StoreError> {
        validate_changes(&changes, 0, LIMITS)?;
        self.write(move |db| Ok((db.amend(at, &changes)?, None))).await
    }

    async fn wait(&self, after: Seq) -> Result<(), StoreError> {
        let mut bell = self.bell.subscribe();
        bell.wait_for(|seq| *seq > after).await.map(drop).map_err(|_| closed(&self.path))
    }

    async fn commits(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        self.on_reader(move |db| db.commits(after, limit)).await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let RangeReply { entries, seq } = self.range("").await?;
        Ok(Snapshot { seq, entries })
    }

    async fn restore(&self, s: Snapshot) -> Result<(), StoreError> {
        s.validate()?;
        self.write(move |db| db.restore(&s).map(|()| ((), Some(s.seq)))).await
    }

    fn describe(&self) -> String {
        describe(&self.path)
    }

    fn limits(&self) -> Limits {
        LIMITS
    }
}

//! Backup of a store in use, and replacing the store of a directory.
//!
//! ```text
//!   backup:   dir/mgs.db ── VACUUM INTO ──► FILE.part ── checked, synced ──► FILE
//!   replace:  snapshot ──► dir/mgs.db.restored ── checked ──► dir/mgs.db; what was there: dir/mgs.db.<aside>
//! ```

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::check::check;
use super::db::{Db, WriteFailure};
use super::failure::{beside, failed, io_failed};
use super::lock::DirLock;
use super::{DB_FILE, open};
use crate::{Snapshot, StoreError};

/// A backup that was made and checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backup {
    /// What it holds.
    pub snapshot: Snapshot,
    /// Size of the file.
    pub bytes: u64,
}

/// Copies the store of `dir`, in use or not, to the new file `to`, as it is at one commit; and checks the copy. A
/// crash leaves no `to`. Readable by the user alone: the store holds secrets.
///
/// # Errors
/// [`StoreError::Io`]: `to` exists already, or cannot be written. Others as [`super::SqliteStore::open`].
pub fn backup(dir: &Path, to: &Path) -> Result<Backup, StoreError> {
    const DOING: &str = "write the backup";
    let path = dir.join(DB_FILE);
    if open::size_of(&path)?.is_none() {
        return Err(StoreError::Io { path, doing: "back it up", detail: "there is no such file".to_owned() });
    }
    if open::size_of(to)?.is_some() {
        let detail = "it exists already, and a backup is never overwritten".to_owned();
        return Err(StoreError::Io { path: to.to_owned(), doing: DOING, detail });
    }
    let part = beside(to, ".part");
    remove(&part)?;
    // made by us, for its mode; SQLite takes an empty file
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
    let file = file.map_err(io_failed(&part, DOING))?;
    // where no daemon runs, looking at it leaves nothing beside it
    let (_lock, source) = match DirLock::take(dir) {
        Ok(lock) => (Some(lock), open::open_untouched(&path)?),
        Err(StoreError::InUse { .. }) => (None, open::open_read_only(&path)?),
        Err(e) => return Err(e),
    };
    super::format::identify(&source, &path)?;
    let name = part.to_str().ok_or_else(|| StoreError::Io {
        path: part.clone(),
        doing: DOING,
        detail: "its name is not UTF-8".to_owned(),
    })?;
    source.execute("VACUUM INTO ?1", [name]).map_err(failed(&part, DOING))?;
    file.sync_all().map_err(io_failed(&part, DOING))?;
    let snapshot = read(&part)?;
    let bytes = file.metadata().map_err(io_failed(&part, DOING))?.len();
    std::fs::rename(&part, to).map_err(io_failed(to, DOING))?;
    sync_dir(parent(to))?;
    Ok(Backup { snapshot, bytes })
}

/// Writes the copy of a store that is elsewhere to the new file `to`, and reads it back; its size. As [`backup`].
///
/// # Errors
/// [`StoreError::Io`]: `to` exists already, or cannot be written. [`StoreError::BadSnapshot`].
pub fn write(snapshot: &Snapshot, to: &Path) -> Result<u64, StoreError> {
    const DOING: &str = "write the backup";
    snapshot.validate()?;
    if open::size_of(to)?.is_some() {
        let detail = "it exists already, and a backup is never overwritten".to_owned();
        return Err(StoreError::Io { path: to.to_owned(), doing: DOING, detail });
    }
    let part = beside(to, ".part");
    fresh(parent(to), &part, snapshot)?;
    let bytes = std::fs::metadata(&part).map_err(io_failed(&part, DOING))?.len();
    std::fs::rename(&part, to).map_err(io_failed(to, DOING))?;
    sync_dir(parent(to))?;
    Ok(bytes)
}

/// A new database `path` in `dir` with this content, closed, read back and found equal.
fn fresh(dir: &Path, path: &Path, snapshot: &Snapshot) -> Result<(), StoreError> {
    for suffix in ["", "-wal", "-shm"] {
        remove(&beside(path, suffix))?;
    }
    open::create(dir, path)?;
    let mut db = Db { conn: open::open_read_write(path)?, path: path.to_owned() };
    db.restore(snapshot).map_err(|e| match e {
        WriteFailure::Before(e) | WriteFailure::AtCommit(e) => e,
    })?;
    db.checkpoint()?;
    db.conn.close().map_err(|(_, e)| failed(path, "close the new store")(e))?;
    if read(path)? == *snapshot {
        return Ok(());
    }
    let detail = "what was written is not what is read".to_owned();
    Err(StoreError::Damaged { path: path.to_owned(), detail })
}

/// Everything in the database file `path`, which nobody may have open, wholly checked. Reads only.
///
/// # Errors
/// As [`super::SqliteStore::open`].
pub fn read(path: &Path) -> Result<Snapshot, StoreError> {
    let conn = open::open_untouched(path)?;
    super::format::identify(&conn, path)?;
    if let Some(finding) = check(&conn, path)?.into_iter().next() {
        return Err(finding.into_error(path));
    }
    let reply = Db { conn, path: path.to_owned() }.range("")?;
    let snapshot = Snapshot { seq: reply.seq, entries: reply.entries };
    snapshot.validate()?;
    Ok(snapshot)
}

/// A directory that no mgsd has open, and none can open as long as this lives.
#[derive(Debug)]
pub struct Offline {
    dir: PathBuf,
    _lock: DirLock,
}

impl Offline {
    /// Takes the directory; makes it when absent.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::Io`].
    pub fn take(dir: &Path) -> Result<Self, StoreError> {
        open::create_dir(dir)?;
        Ok(Self { dir: dir.to_owned(), _lock: DirLock::take(dir)? })
    }

    /// What the directory holds now; `None`: no store.
    ///
    /// # Errors
    /// As [`super::SqliteStore::open`].
    pub fn snapshot(&self) -> Result<Option<Snapshot>, StoreError> {
        let path = self.dir.join(DB_FILE);
        match open::size_of(&path)? {
            Some(_) => read(&path).map(Some),
            None => Ok(None),
        }
    }

    /// Puts a store with this content in the place of the present one, which is kept as `mgs.db.<aside>`; its path.
    /// A crash leaves the one or the other.
    ///
    /// # Errors
    /// [`StoreError::BadSnapshot`], [`StoreError::Io`] and its kin; then nothing has changed.
    pub fn replace(&self, snapshot: &Snapshot, aside: &str) -> Result<Option<PathBuf>, StoreError> {
        const DOING: &str = "keep the store that is replaced";
        snapshot.validate()?;
        let path = self.dir.join(DB_FILE);
        let new = beside(&path, ".restored");
        fresh(&self.dir, &new, snapshot)?;
        let old = beside(&path, &format!(".{aside}"));
        let replaced = open::size_of(&path)?.is_some();
        if replaced {
            link(&path, &old, DOING)?;
            let (log, old_log) = (beside(&path, "-wal"), beside(&old, "-wal"));
            if open::size_of(&log)?.is_some() {
                link(&log, &old_log, DOING)?;
            }
            sync_dir(&self.dir)?;
            // the log of the old store must never be applied to the new one
            remove(&log)?;
            remove(&beside(&path, "-shm"))?;
            sync_dir(&self.dir)?;
        }
        std::fs::rename(&new, &path).map_err(io_failed(&path, "put the restored store in its place"))?;
        sync_dir(&self.dir)?;
        Ok(replaced.then_some(old))
    }
}

fn link(from: &Path, to: &Path, doing: &'static str) -> Result<(), StoreError> {
    std::fs::hard_link(from, to).map_err(io_failed(to, doing))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(io_failed(path, "remove what an earlier attempt has left")(e))
        }
        _ => Ok(()),
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_failed(dir, "sync the directory"))
}

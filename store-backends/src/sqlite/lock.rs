//! One mgsd per directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::failure::io_failed;
use crate::StoreError;

/// Name of the lock file. It stays when the lock goes: removing it would let two processes hold "the" lock.
const LOCK_FILE: &str = "mgs.lock";

/// Held while the store is open; the kernel frees it however the process ends.
///
/// A file of its own, not the database: SQLite's own locks must stay usable for backup and inspection, and
/// closing a second handle of the database file would drop them.
#[derive(Debug)]
pub(super) struct DirLock {
    file: File,
}

impl DirLock {
    /// Takes the lock of `dir`, at once or not at all ([`StoreError::InUse`]).
    pub(super) fn take(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(LOCK_FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(io_failed(&path, "open the lock file"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // only for the message: a holder that has not yet written its id is still a holder
                let known = file.take(32).read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
                let holder =
                    if known { format!("process {}", holder.trim()) } else { "another process".to_owned() };
                return Err(StoreError::InUse { path: dir.to_owned(), holder });
            }
            Err(TryLockError::Error(e)) => return Err(io_failed(&path, "lock the lock file")(e)),
        }
        let note = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        note.map_err(io_failed(&path, "write the lock file"))?;
        Ok(Self { file })
    }
}

impl Drop for DirLock {
    fn drop(&mut self) {
        // A child that is just being started still has a copy of the handle: closing ours would not free the lock.
        // Where this fails, the lock goes with the last copy.
        drop(self.file.unlock());
    }
}

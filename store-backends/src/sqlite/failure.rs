//! SQLite's errors in our words.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHORT_READ;

use crate::StoreError;

/// For `map_err`: what SQLite says about `path` while we tried `doing`.
pub(super) fn failed(path: &Path, doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| {
        let path = path.to_owned();
        // a page that ends before its end is a truncated file, not a bad disk
        let short = error.sqlite_error().is_some_and(|e| e.extended_code == SQLITE_IOERR_SHORT_READ);
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => {
                StoreError::NotOurs { path, detail: "it is not a SQLite database".to_owned() }
            }
            _ if short => StoreError::Damaged { path, detail: format!("cannot {doing}: it is truncated") },
            Some(ErrorCode::DatabaseCorrupt) => {
                StoreError::Damaged { path, detail: format!("cannot {doing}: {error}") }
            }
            Some(ErrorCode::DiskFull) => StoreError::Full { path, doing },
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path, doing },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Unavailable {
                store: describe(&path),
                detail: format!("cannot {doing}: another program holds the database"),
            },
            _ => StoreError::Io { path, doing, detail: error.to_string() },
        }
    }
}

/// For `map_err`: what the system says about `path` while we tried `doing`.
pub(super) fn io_failed(path: &Path, doing: &'static str) -> impl Fn(std::io::Error) -> StoreError {
    move |error| {
        let path = path.to_owned();
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full { path, doing },
            ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { path, doing },
            _ => StoreError::Io { path, doing, detail: error.to_string() },
        }
    }
}

/// The thread that owns the connection is gone.
pub(super) fn closed(path: &Path) -> StoreError {
    StoreError::Unavailable { store: describe(path), detail: "it was closed".to_owned() }
}

/// As [`crate::Store::describe`].
pub(super) fn describe(path: &Path) -> String {
    format!("sqlite {}", path.display())
}

/// A file beside the database: `mgs.db` + `-wal`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

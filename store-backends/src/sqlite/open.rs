//! Opening: refuse before touching, create as a whole or not at all.
//!
//! ```text
//!   dir/mgs.lock      held while open                    dir/mgs.db        the store
//!   dir/mgs.db.new    a store being created: renamed to mgs.db once complete and synced, so that mgs.db
//!                     is never half made, and an empty or short mgs.db is always damage
//! ```

use std::fs::{File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::check::check;
use super::db::Db;
use super::failure::{beside, describe, failed, io_failed};
use super::format::{APPLICATION_ID, identify, migrate, supported};
use crate::StoreError;

/// How long one of our statements waits for another program that inspects the database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Smallest SQLite page, hence the smallest SQLite database.
const SMALLEST: u64 = 512;
const DOING: &str = "open the database";

/// Opens an existing store, wholly checked. Until the check has passed, nothing is written.
pub(super) fn open_checked(path: &Path) -> Result<Db, StoreError> {
    let format = {
        let conn = open_untouched(path)?;
        let format = identify(&conn, path)?;
        if let Some(finding) = check(&conn, path)?.into_iter().next() {
            return Err(finding.into_error(path));
        }
        format
    };
    let mut conn = open_read_write(path)?;
    migrate(&mut conn, format, supported()).map_err(failed(path, "migrate it to the current format"))?;
    let mut db = Db { conn, path: path.to_owned() };
    db.checkpoint()?;
    Ok(db)
}

/// Makes the data directory, if need be with those above it, so that a power failure cannot take it away again.
pub(super) fn create_dir(dir: &Path) -> Result<(), StoreError> {
    const DOING: &str = "create the data directory";
    let mut missing = Vec::new();
    for above in dir.ancestors().take_while(|above| !above.as_os_str().is_empty()) {
        if size_of(above)?.is_some() {
            break;
        }
        missing.push(above);
    }
    std::fs::create_dir_all(dir).map_err(io_failed(dir, DOING))?;
    for made in missing {
        // the parent of a relative name is the working directory
        let parent = made.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|dir| dir.sync_all()).map_err(io_failed(parent, "sync the directory"))?;
    }
    Ok(())
}

/// Makes an empty store at `path`, which does not exist. A crash at any point leaves nothing or all of it.
pub(super) fn create(dir: &Path, path: &Path) -> Result<(), StoreError> {
    let wal = beside(path, "-wal");
    if size_of(&wal)?.is_some() {
        let detail = format!("it is missing, but its write-ahead log {} is there", wal.display());
        return Err(StoreError::Damaged { path: path.to_owned(), detail });
    }
    let new = beside(path, ".new");
    for suffix in ["", "-wal", "-shm", "-journal"] {
        // left by a creation that was cut short; nothing in it was ever acknowledged
        let file = beside(&new, suffix);
        match std::fs::remove_file(&file) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_failed(&file, "remove what an interrupted start has left")(e));
            }
            _ => {}
        }
    }
    let doing = "create the database";
    // keys of sptlrpc and nodemaps are for the daemon only
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new);
    drop(file.map_err(io_failed(&new, doing))?);
    let mut conn = open_read_write(&new)?;
    conn.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed(&new, doing))?;
    migrate(&mut conn, 0, supported()).map_err(failed(&new, doing))?;
    let mut db = Db { conn, path: new.clone() };
    db.checkpoint()?;
    db.conn.close().map_err(|(_, e)| failed(&new, doing)(e))?;
    std::fs::rename(&new, path).map_err(io_failed(path, doing))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_failed(dir, "sync the directory"))
}

/// A connection for looking at a database that may not be ours. The directory must be locked.
///
/// Even a reading connection makes the files `-wal` and `-shm`. Where there is no log, SQLite is told that the
/// file is immutable, and makes none; where there is one, it must be read as well, and stays as it is.
pub(super) fn open_untouched(path: &Path) -> Result<Connection, StoreError> {
    let size = size_of(path)?.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound));
    let size = size.map_err(io_failed(path, DOING))?;
    if size < SMALLEST {
        let detail = format!("it is only {size} bytes long");
        return Err(StoreError::Damaged { path: path.to_owned(), detail });
    }
    if size_of(&beside(path, "-wal"))?.is_some_and(|size| size > 0) {
        return open_read_only(path);
    }
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                uri.push(char::from(*byte))
            }
            other => uri.push_str(&format!("%{other:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let conn = Connection::open_with_flags(uri, flags).map_err(failed(path, DOING))?;
    configure(&conn).map_err(failed(path, DOING))?;
    Ok(conn)
}

/// A connection that cannot change the database, beside one that can.
pub(super) fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(failed(path, DOING))?;
    configure(&conn).map_err(failed(path, DOING))?;
    Ok(conn)
}

pub(super) fn open_read_write(path: &Path) -> Result<Connection, StoreError> {
    let doing = "open the database for writing";
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(failed(path, doing))?;
    configure(&conn).map_err(failed(path, doing))?;
    conn.pragma_update(None, "synchronous", "FULL").map_err(failed(path, doing))?;
    // Pages. A checkpoint costs two fsyncs: at SQLite's 1000 a storm of registrations spends a third of them on it.
    conn.pragma_update(None, "wal_autocheckpoint", 2048).map_err(failed(path, doing))?;
    // KiB: the pages of a large batch, and still those that every commit goes through.
    conn.pragma_update(None, "cache_size", -16_384).map_err(failed(path, doing))?;
    let mode: String = conn
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(failed(path, doing))?;
    if mode != "wal" {
        let detail = "this file system does not support a write-ahead log".to_owned();
        return Err(StoreError::Unavailable { store: describe(path), detail });
    }
    Ok(conn)
}

fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    // a database is input: no code from its schema, no cell trusted to be where it says
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)
}

/// Size of a file; `None` only if there is certainly none: a store must not be created over one that merely
/// cannot be seen.
pub(super) fn size_of(path: &Path) -> Result<Option<u64>, StoreError> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io_failed(path, DOING)(e)),
    }
}

//! The statements: every read checks, every write seals.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior};

use super::failure::{beside, describe, failed, io_failed};
use crate::contract::require_dense;
use crate::key::{
    AFTER_ALL, COMMIT_PREFIX, SEQ_KEY, commit_key, parse_commit_key, parse_seq_value, seq_value,
};
use crate::sealed::{crc, verify};
use crate::{Change, CommitOutcome, CommitRequest, Entry, Guard, RangeReply, Seq, Snapshot, StoreError};

const RANGE: &str = "SELECT key, value, crc FROM kv WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3";
const GET: &str = "SELECT key, value, crc FROM kv WHERE key = ?1";
const PUT: &str = "INSERT OR REPLACE INTO kv (key, value, crc) VALUES (?1, ?2, ?3)";
const DELETE: &str = "DELETE FROM kv WHERE key = ?1";

/// One connection and the file it is for.
pub(super) struct Db {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
}

/// Where a write failed decides what may be known about it.
pub(super) enum WriteFailure {
    /// Before COMMIT: nothing was written.
    Before(StoreError),
    /// COMMIT itself failed: its pages may or may not be on the disk.
    AtCommit(StoreError),
}

impl Db {
    /// One consistent state of a prefix.
    pub(super) fn range(&mut self, prefix: &str) -> Result<RangeReply, StoreError> {
        let path = &self.path;
        let tx = self.conn.transaction().map_err(failed(path, "begin reading"))?;
        let seq = seq(&tx, path)?;
        let entries = scan(&tx, path, prefix, &format!("{prefix}{AFTER_ALL}"), usize::MAX)?;
        Ok(RangeReply { entries, seq })
    }

    /// One consistent state of these keys.
    pub(super) fn read(&mut self, keys: &BTreeSet<String>) -> Result<RangeReply, StoreError> {
        let path = &self.path;
        let tx = self.conn.transaction().map_err(failed(path, "begin reading"))?;
        let seq = seq(&tx, path)?;
        let mut entries = Vec::new();
        for key in keys {
            entries.extend(get(&tx, path, key)?.map(|value| Entry { key: key.clone(), value }));
        }
        Ok(RangeReply { entries, seq })
    }

    /// The sequence number.
    pub(super) fn seq(&mut self) -> Result<Seq, StoreError> {
        seq(&self.conn, &self.path)
    }

    /// Dense commit records above `after`.
    pub(super) fn commits(&mut self, after: Seq, limit: usize) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        let Some(first) = after.checked_add(1) else { return Ok(Vec::new()) };
        let path = &self.path;
        let tx = self.conn.transaction().map_err(failed(path, "begin reading"))?;
        let seq = seq(&tx, path)?;
        let end = format!("{COMMIT_PREFIX}{AFTER_ALL}");
        let found = scan(&tx, path, &commit_key(first), &end, limit)?
            .into_iter()
            .map(|Entry { key, value }| (parse_commit_key(&key).unwrap_or(Seq::MAX), value))
            .collect::<Vec<_>>();
        require_dense(&found, after, limit, seq)?;
        Ok(found)
    }

    /// One commit, one transaction, one fsync.
    pub(super) fn commit(&mut self, req: &CommitRequest) -> Result<CommitOutcome, WriteFailure> {
        let path = &self.path;
        let before = |e| WriteFailure::Before(failed(path, "write a commit")(e));
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(before)?;
        let at = seq(&tx, path).map_err(WriteFailure::Before)?;
        if at != req.base {
            return Ok(CommitOutcome::Conflict { at });
        }
        for guard in &req.guards {
            if !holds(&tx, path, guard).map_err(WriteFailure::Before)? {
                return Ok(CommitOutcome::Conflict { at });
            }
        }
        let next = at.saturating_add(1);
        make(&tx, &req.changes).map_err(before)?;
        put(&tx, &commit_key(next), &req.record).map_err(before)?;
        put(&tx, SEQ_KEY, &seq_value(next)).map_err(before)?;
        tx.commit().map_err(|e| WriteFailure::AtCommit(failed(path, "finish a commit")(e)))?;
        Ok(CommitOutcome::Committed(next))
    }

    /// Changes beside the sequence, if it is at `at`.
    pub(super) fn amend(&mut self, at: Seq, changes: &[Change]) -> Result<bool, WriteFailure> {
        let path = &self.path;
        let before = |e| WriteFailure::Before(failed(path, "write beside the commits")(e));
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(before)?;
        if seq(&tx, path).map_err(WriteFailure::Before)? != at {
            return Ok(false);
        }
        make(&tx, changes).map_err(before)?;
        tx.commit().map_err(|e| WriteFailure::AtCommit(failed(path, "write beside the commits")(e)))?;
        Ok(true)
    }

    /// Loads a valid snapshot into an empty database.
    pub(super) fn restore(&mut self, snapshot: &Snapshot) -> Result<(), WriteFailure> {
        let path = &self.path;
        let before = |e| WriteFailure::Before(failed(path, "write a snapshot")(e));
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(before)?;
        let empty: bool =
            tx.query_row("SELECT NOT EXISTS (SELECT 1 FROM kv)", [], |row| row.get(0)).map_err(before)?;
        if !empty {
            let seq = seq(&tx, path).map_err(WriteFailure::Before)?;
            return Err(WriteFailure::Before(StoreError::NotEmpty { store: describe(path), seq }));
        }
        for Entry { key, value } in &snapshot.entries {
            put(&tx, key, value).map_err(before)?;
        }
        tx.commit().map_err(|e| WriteFailure::AtCommit(failed(path, "finish a restore")(e)))
    }

    /// Moves the write-ahead log into the database with fsync, and truncates the log: after an open, where the log
    /// of a killed process may hold a commit that was never synced.
    pub(super) fn checkpoint(&mut self) -> Result<(), StoreError> {
        const DOING: &str = "checkpoint the write-ahead log";
        let busy: bool = self
            .conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(failed(&self.path, DOING))?;
        if busy {
            let detail = "another program reads the database and keeps its write-ahead log".to_owned();
            return Err(StoreError::Unavailable { store: describe(&self.path), detail });
        }
        Ok(())
    }

    /// Makes what is visible the only possible state: ends an open transaction, and cuts off what lies in the log
    /// behind the last finished commit. After a failed COMMIT its pages may be there, and would come alive at the
    /// next start. Cutting needs no space, so a full disk does not stand in its way.
    ///
    /// ```text
    ///   log = header of 32 bytes, then frames: header of 24 bytes and a page each
    /// ```
    pub(super) fn settle(&mut self) -> Result<(), StoreError> {
        const DOING: &str = "cut an unfinished commit off the write-ahead log";
        let failed = failed(&self.path, DOING);
        if !self.conn.is_autocommit() {
            self.conn.execute_batch("ROLLBACK").map_err(&failed)?;
        }
        // no checkpoint: only the numbers
        let frames: i64 =
            self.conn.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1)).map_err(&failed)?;
        let page: u64 =
            self.conn.query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0)).map_err(&failed)?.into();
        let end = match u64::try_from(frames) {
            Ok(0) => 0,
            Ok(frames) => frames.saturating_mul(page.saturating_add(24)).saturating_add(32),
            Err(_) => {
                return Err(StoreError::Io {
                    path: self.path.clone(),
                    doing: DOING,
                    detail: "it has none".to_owned(),
                });
            }
        };
        // SQLite locks the database and its -shm, never the log: a handle of our own drops no lock
        let log = beside(&self.path, "-wal");
        let cut = || {
            let file = OpenOptions::new().write(true).open(&log)?;
            if file.metadata()?.len() > end {
                file.set_len(end)?;
            }
            file.sync_all()
        };
        cut().map_err(io_failed(&log, DOING))
    }
}

fn seq(conn: &Connection, path: &Path) -> Result<Seq, StoreError> {
    parse_seq_value(get(conn, path, SEQ_KEY)?.as_deref())
}

fn holds(conn: &Connection, path: &Path, guard: &Guard) -> Result<bool, StoreError> {
    Ok(match guard {
        Guard::Absent(key) => get(conn, path, key)?.is_none(),
        Guard::Equals(key, value) => get(conn, path, key)?.as_ref() == Some(value),
    })
}

pub(super) fn get(conn: &Connection, path: &Path, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let row = conn
        .prepare_cached(GET)
        .and_then(|mut get| get.query_row([key], |row| Ok(checked(row))).optional())
        .map_err(failed(path, "read a value"))?;
    Ok(row.transpose()?.map(|entry| entry.value))
}

fn make(conn: &Connection, changes: &[Change]) -> rusqlite::Result<()> {
    for change in changes {
        match change {
            Change::Put(key, value) => put(conn, key, value)?,
            Change::Delete(key) => drop(conn.prepare_cached(DELETE)?.execute([key])?),
        }
    }
    Ok(())
}

fn put(conn: &Connection, key: &str, value: &[u8]) -> rusqlite::Result<()> {
    conn.prepare_cached(PUT)?.execute((key, value, crc(key, value)))?;
    Ok(())
}

fn scan(
    conn: &Connection,
    path: &Path,
    from: &str,
    to: &str,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let failed = failed(path, "read a range");
    let mut statement = conn.prepare_cached(RANGE).map_err(&failed)?;
    let mut rows = statement.query((from, to, limit)).map_err(&failed)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        entries.push(checked(row)?);
    }
    Ok(entries)
}

/// The columns key, value, crc as an entry, if they belong together.
pub(super) fn checked(row: &Row<'_>) -> Result<Entry, StoreError> {
    let column = |index| row.get_ref(index).unwrap_or(ValueRef::Null);
    let key = match column(0) {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    };
    match (column(0), column(1), column(2)) {
        (ValueRef::Text(raw), ValueRef::Blob(value), ValueRef::Integer(crc)) if raw == key.as_bytes() => {
            let value = verify(&key, value, crc)?.to_vec();
            Ok(Entry { key, value })
        }
        _ => Err(StoreError::Corrupt { key, detail: "a column has the wrong type".to_owned() }),
    }
}

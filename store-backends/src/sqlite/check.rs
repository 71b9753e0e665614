//! The full check of a database: `mgsd check`, and every open.

use std::fmt;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::db::{checked, get};
use super::failure::failed;
use crate::key::{
    self, COMMIT_PREFIX, PRUNED_KEY, SEQ_KEY, commit_key, parse_commit_key, parse_pruned, parse_seq_value,
};
use crate::{Entry, Seq, StoreError};

/// A damaged database can hold any number of damaged rows; a list is cut here, with a last line that says so.
pub const MAX_FINDINGS: usize = 1000;

/// One thing that is wrong in a database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The key concerned; `None` when the file as a whole is.
    pub key: Option<String>,
    /// What is wrong.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{key}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

impl Finding {
    /// The finding as the error that refuses the database at `path`.
    pub(super) fn into_error(self, path: &Path) -> StoreError {
        match self.key {
            Some(key) => StoreError::Corrupt { key, detail: self.detail },
            None => StoreError::Damaged { path: path.to_owned(), detail: self.detail },
        }
    }
}

/// Checks the pages (SQLite's `integrity_check`), every key and checksum, `seq`, and that `commit/` is dense
/// from 1, or behind what was pruned, to `seq`. Reads only. Time grows with the size of the database.
///
/// # Errors
/// Only where reading is impossible for a reason outside of the database (I/O error, busy).
pub(super) fn check(conn: &Connection, path: &Path) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    let outcome = pages(conn, path, &mut findings).and_then(|()| rows(conn, path, &mut findings));
    match outcome {
        Ok(()) => {}
        Err(StoreError::Damaged { detail, .. }) => findings.push(Finding { key: None, detail }),
        Err(e) => return Err(e),
    }
    if findings.len() > MAX_FINDINGS {
        findings.truncate(MAX_FINDINGS);
        findings.push(Finding {
            key: None,
            detail: format!("and more: only the first {MAX_FINDINGS} are listed"),
        });
    }
    Ok(findings)
}

fn pages(conn: &Connection, path: &Path, findings: &mut Vec<Finding>) -> Result<(), StoreError> {
    let failed = failed(path, "check its pages");
    let mut statement = conn.prepare("PRAGMA integrity_check(100)").map_err(&failed)?;
    let mut rows = statement.query([]).map_err(&failed)?;
    while let Some(row) = rows.next().map_err(&failed)? {
        let line: String = row.get(0).map_err(&failed)?;
        if line != "ok" {
            findings.push(Finding { key: None, detail: line.replace('\n', "; ") });
        }
    }
    Ok(())
}

fn rows(conn: &Connection, path: &Path, findings: &mut Vec<Finding>) -> Result<(), StoreError> {
    let failed = failed(path, "check its rows");
    let mut statement = conn.prepare("SELECT key, value, crc FROM kv").map_err(&failed)?;
    let mut rows = statement.query([]).map_err(&failed)?;
    let mut commits: Seq = match get(conn, path, PRUNED_KEY).and_then(|value| parse_pruned(value.as_deref()))
    {
        Ok(through) => through,
        // named with its row below
        Err(StoreError::Corrupt { .. }) => first_commit(conn, path)?.saturating_sub(1),
        Err(e) => return Err(e),
    };
    let mut stored_seq = None;
    while let Some(row) = rows.next().map_err(&failed)? {
        if findings.len() > MAX_FINDINGS {
            return Ok(());
        }
        let entry = match checked(row) {
            Ok(entry) => entry,
            Err(StoreError::Corrupt { key, detail }) => {
                // a damaged record is one finding, not also a gap
                if parse_commit_key(&key) == commits.checked_add(1) {
                    commits = commits.saturating_add(1);
                }
                findings.push(Finding { key: Some(key), detail });
                continue;
            }
            Err(e) => return Err(e),
        };
        if let Err(e) = key::validate(&entry.key) {
            findings.push(Finding { key: Some(entry.key), detail: e.to_string() });
        } else if entry.key == SEQ_KEY {
            stored_seq = Some(entry);
        } else if entry.key.starts_with(COMMIT_PREFIX) {
            commit_in_place(&entry, &mut commits, findings);
        }
    }
    let seq_is_damaged = findings.iter().any(|f| f.key.as_deref() == Some(SEQ_KEY));
    match parse_seq_value(stored_seq.as_ref().map(|e| e.value.as_slice())) {
        Ok(seq) if seq == commits || seq_is_damaged => {}
        Ok(seq) => {
            let detail = format!("seq is {seq}, but the commit records end at {commits}");
            findings.push(Finding { key: Some(SEQ_KEY.to_owned()), detail });
        }
        Err(e) => findings.push(Finding { key: Some(SEQ_KEY.to_owned()), detail: e.to_string() }),
    }
    Ok(())
}

/// The number of the first record that is there; 1 if there is none.
fn first_commit(conn: &Connection, path: &Path) -> Result<Seq, StoreError> {
    let first = conn
        .query_row(
            "SELECT key FROM kv WHERE key >= 'commit/' AND key < 'commit0' ORDER BY key LIMIT 1",
            [],
            |row| row.get::<_, String>(0),
        )
        .optional()
        .map_err(failed(path, "find the first commit"))?;
    Ok(first.and_then(|key| parse_commit_key(&key)).unwrap_or(1))
}

/// Keys arrive in order, so each record must be the next one.
fn commit_in_place(entry: &Entry, commits: &mut Seq, findings: &mut Vec<Finding>) {
    let expected = commits.saturating_add(1);
    match parse_commit_key(&entry.key) {
        Some(seq) if seq == expected => *commits = seq,
        Some(seq) if seq > expected => {
            let last = seq.saturating_sub(1);
            let missing =
                if last == expected { String::new() } else { format!(" up to {}", commit_key(last)) };
            let detail = format!("this commit record{missing} is missing");
            findings.push(Finding { key: Some(commit_key(expected)), detail });
            *commits = seq;
        }
        _ => {
            let detail = "this is not a key of a commit record".to_owned();
            findings.push(Finding { key: Some(entry.key.clone()), detail });
        }
    }
}

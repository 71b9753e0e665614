//! The logs that the recorded MGS had after a stage, put into the store of an mgsd that is stopped.
//!
//! For stages behind commands that mgsd refuses, or that only the API gives: what they did to the logs is there, byte for
//! byte, and the peers read on from where they were. Targets and NID tables stay as mgsd wrote them. The sequence of
//! commits stays as it is, too: a transplant is no commit.
use crate::Error;
use llog::Log;
use mgs_core::model::keys::{self, Key};
use mgs_core::model::logs::{LogHead, Segment};
use std::collections::BTreeMap;
use std::path::Path;
use store_backends::sqlite::SqliteStore;
use store_backends::{Change, Store, StoreError};

/// Object numbers of logs that mgsd did not make: far from its own.
const OIDS: u64 = 1 << 40;
/// Bytes of a log before its first record.
const HEADER: u64 = 8192;
/// What a backend takes at a time.
const BATCH: usize = 64;

/// Makes the logs in the store at `dir` those of `golden`.
///
/// # Errors
/// The store cannot be changed; a recorded log cannot be read.
pub async fn logs(dir: &Path, golden: &BTreeMap<&str, &[u8]>) -> Result<(), Error> {
    let failed = |error: StoreError| Error::Daemon(format!("its store: {error}"));
    let store = SqliteStore::open(dir).map_err(failed)?;
    let held = store.range("llog/").await.map_err(failed)?;
    let mut changes = Vec::new();
    let mut heads: BTreeMap<&str, LogHead> = BTreeMap::new();
    for entry in &held.entries {
        match Key::parse(&entry.key) {
            Some(Key::Log(log)) if golden.contains_key(log) => {
                let head = serde_json::from_slice(&entry.value);
                heads.insert(log, head.map_err(|e| Error::Daemon(format!("{}: {e}", entry.key)))?);
            }
            _ => changes.push(Change::Delete(entry.key.clone())),
        }
    }
    for (oid, (log, file)) in (OIDS..).zip(golden) {
        let unreadable = |e: llog::Error| Error::Archive { path: (*log).into(), what: e.to_string() };
        let records = if file.is_empty() { None } else { Some(Log::from_file(file).map_err(unreadable)?) };
        let created = records.as_ref().map_or(0, |_| 1);
        let mut head = heads.remove(log).unwrap_or(LogHead { oid, created, ..LogHead::default() });
        if head.created == 0 {
            head.created = created;
        }
        let value = serde_json::to_vec(&head).map_err(|e| Error::Daemon(format!("{log}: {e}")))?;
        changes.push(Change::Put(keys::log(log), value));
        let Some(records) = records else { continue };
        let segment = Segment {
            offset: HEADER,
            cancelled: records.records().filter(|r| !r.live).map(|r| r.index).collect(),
            bytes: file.get(8192..).unwrap_or_default().to_vec(),
        };
        changes.push(Change::Put(keys::segment(log, held.seq), segment.encode()));
    }
    for batch in changes.chunks(BATCH) {
        if !store.amend(held.seq, batch.to_vec()).await.map_err(failed)? {
            return Err(Error::Daemon("somebody else writes to its store".to_owned()));
        }
    }
    Ok(())
}

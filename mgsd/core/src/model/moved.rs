//! A store that was copied to another place goes on there as a new epoch: same identity, same indices and versions.

use super::commit::{CommitRecord, Event, EventKind};
use super::keys;
use super::restore::How;
use super::tx::Changes;
use super::view::{Meta, View};
use crate::Errno;
use crate::error::Error;

/// The commit that ends a copy: its changes and its record.
///
/// # Errors
/// The store holds no MGS yet.
pub fn plan(view: &View, from: &str, to: &str, how: &How) -> Result<(Changes, Vec<u8>), Error> {
    let Some(meta) = &view.meta else {
        return Err(Error::refused(from, Errno::ENOENT, "holds no MGS", "name the store that mgsd serves"));
    };
    let meta = Meta { epoch: meta.epoch + 1, ..meta.clone() };
    let kind = EventKind::StoreMoved { from: from.to_owned(), to: to.to_owned(), epoch: meta.epoch };
    let record = CommitRecord {
        seq: view.seq + 1,
        txn: format!("{:032x}", how.txn),
        time: how.time,
        touched: Vec::new(),
        events: vec![Event { actor: how.actor.clone(), kind }],
        keys: vec![keys::META.to_owned()],
        prev: view.last_hash.clone(),
    };
    let json = |e: serde_json::Error| Error::Bug { what: e.to_string() };
    let changes = [(keys::META.to_owned(), Some(serde_json::to_vec(&meta).map_err(json)?))].into();
    Ok((changes, serde_json::to_vec(&record).map_err(json)?))
}

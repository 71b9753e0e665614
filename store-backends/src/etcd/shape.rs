//! How keys and values of the contract lie in the cluster.

use etcd_client::{Compare, CompareOp, GetOptions, KeyValue, TxnOp, TxnOpResponse, TxnResponse};

use crate::key::{self, SEQ_KEY, parse_seq_value, seq_value};
use crate::sealed::{seal, unseal};
use crate::{Entry, Seq, StoreError};

const EMPTY: &[u8] = b"0";
const RESTORING: &[u8] = b"0 restoring";

/// What `seq` says, and when it was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct At {
    /// The sequence number.
    pub(super) seq: Seq,
    /// A snapshot is being loaded, or its loading was cut short: the store counts as empty.
    pub(super) restoring: bool,
    /// Revision of the cluster that wrote it; 0 when there is no such key.
    pub(super) revision: i64,
}

/// The prefix, and what is built with it.
pub(super) struct Shape {
    prefix: String,
}

impl Shape {
    pub(super) fn new(prefix: String) -> Self {
        Self { prefix }
    }

    /// The key in the cluster.
    pub(super) fn full(&self, key: &str) -> Vec<u8> {
        [self.prefix.as_bytes(), key.as_bytes()].concat()
    }

    /// First key with the prefix, and the first one after all of them.
    pub(super) fn prefix_range(&self, prefix: &str) -> (Vec<u8>, Vec<u8>) {
        let from = self.full(prefix);
        let mut to = from.clone();
        // text holds no 0xff, and our own prefix is not empty
        if let Some(last) = to.last_mut() {
            *last = last.saturating_add(1);
        }
        (from, to)
    }

    /// A key and value of the cluster as an entry, if they belong together.
    pub(super) fn entry(&self, kv: &KeyValue) -> Result<Entry, StoreError> {
        let relative = kv.key().strip_prefix(self.prefix.as_bytes()).unwrap_or(kv.key());
        let key = String::from_utf8_lossy(relative).into_owned();
        if key::validate(&key).is_err() {
            let detail = "another program wrote it: it is not a key of mgsd".to_owned();
            return Err(StoreError::Corrupt { key, detail });
        }
        let value = unseal(&key, kv.value())?.to_vec();
        Ok(Entry { key, value })
    }

    /// Whether it stands for a store that holds nothing.
    pub(super) fn is_placeholder(entry: &Entry) -> bool {
        entry.key == SEQ_KEY && (entry.value == EMPTY || entry.value == RESTORING)
    }

    /// `seq` as found.
    pub(super) fn at(&self, found: Option<&KeyValue>) -> Result<At, StoreError> {
        let Some(kv) = found else { return Ok(At { seq: 0, restoring: false, revision: 0 }) };
        let revision = kv.mod_revision();
        match unseal(SEQ_KEY, kv.value())? {
            EMPTY => Ok(At { seq: 0, restoring: false, revision }),
            RESTORING => Ok(At { seq: 0, restoring: true, revision }),
            value => Ok(At { seq: parse_seq_value(Some(value))?, restoring: false, revision }),
        }
    }

    /// `seq` out of the answer `index` of a transaction.
    pub(super) fn at_in(&self, response: &TxnResponse, index: usize) -> Result<At, StoreError> {
        match response.op_responses().get(index) {
            Some(TxnOpResponse::Get(get)) => self.at(get.kvs().first()),
            _ => Err(StoreError::Corrupt {
                key: SEQ_KEY.to_owned(),
                detail: "the cluster answered something that was not asked".to_owned(),
            }),
        }
    }

    /// Holds while `seq` stands exactly where it was seen.
    pub(super) fn unmoved(&self, at: At) -> Compare {
        Compare::mod_revision(self.full(SEQ_KEY), CompareOp::Equal, at.revision)
    }

    pub(super) fn get_seq(&self) -> TxnOp {
        TxnOp::get(self.full(SEQ_KEY), None)
    }

    pub(super) fn put(&self, key: &str, value: &[u8]) -> TxnOp {
        TxnOp::put(self.full(key), seal(key, value), None)
    }

    pub(super) fn delete(&self, key: &str) -> TxnOp {
        TxnOp::delete(self.full(key), None)
    }

    /// Writes `seq`.
    pub(super) fn put_seq(&self, seq: Seq) -> TxnOp {
        self.put(SEQ_KEY, &if seq == 0 { EMPTY.to_vec() } else { seq_value(seq) })
    }

    /// Marks the store as being loaded.
    pub(super) fn put_restoring(&self) -> TxnOp {
        self.put(SEQ_KEY, RESTORING)
    }

    /// Reads a page of `[from, to)`.
    pub(super) fn page(to: &[u8], limit: usize, revision: i64) -> GetOptions {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        GetOptions::new().with_range(to).with_limit(limit).with_revision(revision)
    }
}

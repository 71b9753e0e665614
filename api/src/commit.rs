//! Noun `audit`: who changed what, in one chain.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// A commit: all that changed at one step of the sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Commit {
    /// Its number.
    pub seq: u64,
    /// When.
    pub time: Time,
    /// Transaction id.
    pub txn: String,
    /// What happened, each with `actor` and `event`: who, and what.
    #[schema(value_type = Vec<Object>)]
    pub events: Vec<serde_json::Value>,
    /// Whose readers were told.
    pub notified: Vec<String>,
    /// Keys of the store that were written or deleted.
    pub keys: Vec<String>,
    /// SHA-256 of the record before it.
    pub prev: String,
}

/// What a look at the whole chain found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Chain {
    /// First commit that is kept; those before it have gone by retention.
    pub first: u64,
    /// Last commit.
    pub last: u64,
    /// SHA-256 of the last record: keep it elsewhere, and nobody can rewrite what is before it unnoticed.
    pub sha256: String,
    /// The first commit whose record does not carry the hash of the one before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_at: Option<u64>,
}

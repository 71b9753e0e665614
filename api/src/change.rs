//! What a change did, or would do: the answer to every order.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Answer to a change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// The commit that made it. None for a dry run, and when all was as asked for already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Nothing was changed: this is what would be done.
    pub dry_run: bool,
    /// What is not refused, and yet may not be meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What happened, as the commit's record holds it: an object with the member `event`.
    #[schema(value_type = Vec<Object>)]
    pub events: Vec<serde_json::Value>,
    /// Whose readers are told, such as `testfs/config`.
    pub notified: Vec<String>,
    /// Logs that change.
    pub logs: Vec<LogChange>,
}

/// What becomes of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogChange {
    /// Its name.
    pub log: String,
    /// It is erased first; nodes that hold it read the new one from the start.
    pub erased: bool,
    /// Indices of records that are edited in place: markers, and NIDs for mounts to come.
    pub edited: Vec<u32>,
    /// Indices of records that are cancelled; their bytes stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancelled: Vec<u32>,
    /// Records appended, as `lctl llog_print --raw` shows them.
    pub appended: Vec<String>,
}

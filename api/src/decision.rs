//! Noun `why`: what was decided on a node's requests.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// An answer that the MGS gave, or something that it did to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// When.
    pub time: Time,
    /// Which node.
    pub nid: String,
    /// What it asked (`mgs_target_reg`, `llog_open`), or what was done (`evicted`, `dropped`).
    pub op: String,
    /// Target, log or table concerned; empty when there is none.
    pub object: String,
    /// Status sent: 0, or a negative errno.
    pub status: i32,
    /// Name of the errno.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
    /// Why it was refused, and what to do next; empty when it was not refused.
    pub why: String,
}

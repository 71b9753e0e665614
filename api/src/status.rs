//! Noun `status`: the daemon itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// What a monitoring check or an admin asks first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Identity of this MGS, given at its first start and kept for good.
    pub mgs_uuid: String,
    /// Name of this MGS, `MGS` unless configured.
    pub name: String,
    /// Version of mgsd.
    pub version: String,
    /// NIDs that Lustre nodes reach this MGS at, in the order of the configuration.
    pub nids: Vec<String>,
    /// Number of the newest applied commit. Never goes back within an epoch.
    pub seq: u64,
    /// Raised by a restore from backup; a cursor is `mgs_uuid.epoch.seq`.
    pub epoch: u64,
    /// Start of this daemon.
    pub started: Time,
    /// Seconds since `started`.
    pub uptime: u64,
    /// Whether requests of Lustre nodes are served now.
    pub ready: bool,
    /// Why not, when `ready` is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ready: Option<String>,
    /// Where the hard state lives.
    pub store: StoreInfo,
    /// Nodes that have executed records which a restore took away. Each has to unmount everything of this MGS once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub must_remount: Vec<MustRemount>,
    /// Number of file systems known.
    pub fs_count: u64,
    /// Number of connected nodes (exports).
    pub client_count: u64,
    /// Seconds that file systems stay in `startup` of imperative recovery after the start.
    #[serde(default)]
    pub ir_timeout: u64,
    /// Counters since the start, by name, such as `connect` or `dropped.malformed`.
    pub counters: BTreeMap<String, u64>,
    /// The log that has used up most of its life; a warning is logged at 70 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fullest_log: Option<FullestLog>,
}

/// How near its end the fullest log is. Indices are never given out again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FullestLog {
    /// Its name.
    pub log: String,
    /// Indices used.
    pub used: u32,
    /// Indices of a life.
    pub limit: u32,
    /// How many commits of the size seen so far still fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commits_left: Option<u64>,
}

/// The store behind a daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoreInfo {
    /// Backend: `sqlite`, `etcd`, `memory`.
    pub kind: String,
    /// Where it is: a path or an address.
    pub location: String,
    /// Version of the format that is written.
    pub format: u64,
    /// Why no change is taken at present; logs are served on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// When the store answered last, while it has been silent for 5 s or longer: `ready` is false, logs are served on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<Time>,
    /// When the whole store was checked last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<Time>,
    /// What that check found; empty: no damage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<String>,
}

/// A node that is ahead of a restored backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MustRemount {
    /// The node.
    pub nid: String,
    /// The logs that it has read further than the backup goes.
    pub logs: Vec<String>,
}

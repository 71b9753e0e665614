//! Noun `client`: a connected node. Inside Lustre and mgsd this is an export.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// One connected node (export).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClientExport {
    /// UUID that the node's MGC connected with.
    pub uuid: String,
    /// NID that it connected from.
    pub nid: String,
    /// What the node seems to be.
    pub kind: ClientKind,
    /// When this connection was made.
    pub connected: Time,
    /// When the last request arrived.
    pub last_seen: Time,
    /// Connect flags in force, by their Lustre names.
    pub flags: Vec<String>,
    /// Version of Lustre that the node runs, where it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lustre_version: Option<String>,
    /// Config locks held, by resource.
    pub locks: Vec<LocksHeld>,
    /// Connection count: how often this node connected; requests of an older connection are refused.
    pub conn_cnt: u32,
}

impl ClientExport {
    /// Number of config locks held in all.
    pub fn lock_count(&self) -> u64 {
        self.locks.iter().map(|held| u64::from(held.count)).sum()
    }
}

/// What a connected node seems to be; a guess from what it asked for, as the protocol does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientKind {
    /// It mounts as a client.
    Client,
    /// It registered or started a target.
    Server,
    /// It has not shown yet.
    Unknown,
}

impl std::fmt::Display for ClientKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            ClientKind::Client => "client",
            ClientKind::Server => "server",
            ClientKind::Unknown => "unknown",
        })
    }
}

/// Config locks of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LocksHeld {
    /// The resource, `testfs:config`, `testfs:recover`, `params:params`.
    pub resource: String,
    /// Number of locks on it.
    pub count: u32,
}

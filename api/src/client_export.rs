//! Noun `client`: a connected node. Inside Lustre and mgsd this is an export.

use hyper::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::client::segment;
use crate::{Change, Client, Error, Time};

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
    /// How far it has fetched logs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fetched: Vec<LogFetched>,
    /// Connection count: how often this node connected; requests of an older connection are refused.
    pub conn_cnt: u32,
}

impl ClientExport {
    /// Logs that it has not fetched to their end.
    pub fn behind(&self) -> impl Iterator<Item = &LogFetched> {
        self.fetched.iter().filter(|log| log.index < log.last)
    }

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

/// How far a node has fetched a log. What it made of the records is its own affair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogFetched {
    /// The log.
    pub log: String,
    /// It has fetched through this index.
    pub index: u32,
    /// The last index of the log.
    pub last: u32,
    /// When it fetched last.
    pub at: Time,
}

/// Who may connect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Connections {
    /// No node that is not connected may connect.
    pub closed: bool,
    /// Nodes that may not connect, by NID.
    pub denied: Vec<String>,
}

/// Whether nodes that are not connected are let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseConnections {
    /// They are not.
    pub closed: bool,
}

/// Nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nids {
    /// By NID, such as `10.0.0.4@tcp`.
    pub nids: Vec<String>,
}

impl Client {
    /// Forgets the connections of a node, by NID or by UUID of an MGC.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn client_evict(&self, who: &str, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, &format!("/v1/clients/{}/evict", segment(who)), &(), dry_run).await
    }

    /// Who may connect.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn connections(&self) -> Result<Connections, Error> {
        self.json("/v1/connections").await
    }

    /// Lets nobody in who is not connected, or everybody again.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn client_close(&self, to: CloseConnections, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::PUT, "/v1/connections", &to, dry_run).await
    }

    /// Lets nodes in no more; those that are connected are evicted.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn client_deny(&self, which: &Nids, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, "/v1/connections/deny", which, dry_run).await
    }

    /// Lets denied nodes in again.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn client_allow(&self, which: &Nids, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, "/v1/connections/allow", which, dry_run).await
    }
}

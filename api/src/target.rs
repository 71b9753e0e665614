//! Noun `target`: an MDT or OST that has registered.

use hyper::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::client::segment;
use crate::{Change, Client, Error, Time};

/// One registered target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Target {
    /// Lustre name, `testfs-OST0000`: four lower-case hexadecimal digits of index.
    pub name: String,
    /// File system that it belongs to.
    pub fs: String,
    /// MDT or OST.
    #[serde(rename = "type")]
    pub kind: TargetKind,
    /// Index, 0 to 65534.
    pub index: u16,
    /// Identity given by mgsd at the first registration; its own writeconf keeps it, a writeconf of MDT0000 does not.
    pub uuid: String,
    /// NIDs that the target announced last.
    pub nids: Vec<String>,
    /// Failover nodes, each with its NIDs, in the order of the registration.
    pub failover: Vec<Vec<String>>,
    /// Instance that the target announced with its last READY: changes with every start of the target. None before
    /// the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<u32>,
    /// How far the target got.
    pub state: TargetState,
    /// The registration that is in force.
    pub registered: Registered,
    /// NID-table version at which this target last changed; 0 before its first READY.
    pub nidtbl_version: u64,
    /// Parameters that were given at formatting, in their order.
    pub params: Vec<Param>,
    /// Version of Lustre that the target's node runs, where it said so (`2.17.57.0`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lustre_version: Option<String>,
}

/// Kind of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum TargetKind {
    /// Metadata target.
    Mdt,
    /// Object storage target.
    Ost,
}

/// How far a target got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetState {
    /// Its sections are in the logs; it has not said yet that it runs.
    Registered,
    /// It has said READY and stands in the NID table.
    Ready,
}

/// When a target registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Registered {
    /// The commit that holds the registration.
    pub seq: u64,
    /// When.
    pub time: Time,
}

/// A parameter: `name=value`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Param {
    /// Name, such as `ost.quota_type` or `sys.timeout`.
    pub name: String,
    /// Value as it was given.
    pub value: String,
}

impl std::fmt::Display for TargetKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            TargetKind::Mdt => "MDT",
            TargetKind::Ost => "OST",
        })
    }
}

impl std::fmt::Display for TargetState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            TargetState::Registered => "registered",
            TargetState::Ready => "ready",
        })
    }
}

/// Other addresses for a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveTarget {
    /// `A,B` one node with two NIDs, `A:B` two nodes.
    pub nids: String,
    /// Write the logs anew, as a kernel MGS does it; refused while anybody is connected.
    #[serde(default)]
    pub rewrite: bool,
}

impl Client {
    /// Takes an OST out of the logs of clients and MDTs: mounts to come do not see it.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn target_remove(&self, name: &str, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::DELETE, &format!("/v1/targets/{}", segment(name)), &(), dry_run).await
    }

    /// Moves a target to other NIDs.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn target_replace_nids(
        &self,
        name: &str,
        to: &MoveTarget,
        dry_run: bool,
    ) -> Result<Change, Error> {
        self.change(Method::PUT, &format!("/v1/targets/{}/nids", segment(name)), to, dry_run).await
    }
}

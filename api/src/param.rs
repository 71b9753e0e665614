//! Noun `param`: parameters that nodes are told.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A parameter in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParamInForce {
    /// File system or target; none for `set_param -P`, which every node reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// `osc.max_dirty_mb`, or a path such as `osc.*.max_dirty_mb`.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where it stands.
    pub records: Vec<RecordAt>,
}

/// Place of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordAt {
    /// Log.
    pub log: String,
    /// Index in it.
    pub index: u32,
}

/// Which command of `lctl` an assignment is spelled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParamSyntax {
    /// `DEVICE.PARAM=VALUE`: stored in the logs of one file system.
    ConfParam,
    /// `PATH=VALUE` of `set_param -P`: stored for every node.
    SetParam,
}

/// An assignment to make or to take away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ParamAssignment {
    /// `testfs-OST0000.osc.max_dirty_mb=64`, `osc.*.max_dirty_mb=64`. To take it away, the value may be left out.
    pub assignment: String,
    /// By default `conf_param` where it begins with the name of a file system of this MGS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syntax: Option<ParamSyntax>,
    /// Take a name that the catalogue of tunables does not know. Nothing else.
    #[serde(default)]
    pub force: bool,
    /// Take a target that has not registered: the setting waits for it.
    #[serde(default)]
    pub wait: bool,
}

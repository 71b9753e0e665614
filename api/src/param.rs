//! Noun `param`: parameters that nodes are told.

use hyper::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::client::{query, segment};
use crate::{Change, Client, Error, List, Time};

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
    /// Where it stands; nowhere: it waits for its target.
    pub records: Vec<RecordAt>,
    /// The same name for `lctl set_param -P`, and for `lctl conf_param`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spellings: Vec<String>,
    /// Who assigned it, and when; of what came another way, such as by an import, whose commit wrote it. None: the chain
    /// of commits no longer says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned: Option<ParamAssigned>,
}

/// Who assigned a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParamAssigned {
    /// `uid:0`, `nid:10.0.0.3@tcp`.
    pub by: String,
    /// When.
    pub time: Time,
    /// The commit.
    pub seq: u64,
    /// The target whose registration brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// It was taken away: this is the default, written so that nodes that run go back to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unset: bool,
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

/// What nodes are told of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EffectiveParam {
    /// The one name for it, whichever spelling was asked for.
    pub canonical: String,
    /// As `lctl conf_param` spells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conf_param: Option<String>,
    /// As `lctl set_param -P` spells it.
    pub set_param: Vec<String>,
    /// Ids in the catalogue of tunables.
    pub tunables: Vec<String>,
    /// What holds where nobody says anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Unit of the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The target has registered; else this is what it will be told.
    pub registered: bool,
    /// By the logs that nodes read.
    pub readers: Vec<ParamReader>,
}

/// What the readers of one log are told when they mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParamReader {
    /// `testfs-client`, `testfs-MDT0000`.
    pub log: String,
    /// What holds: one, or each of a parameter that has several values at a time. Empty: the default.
    pub in_force: Vec<ParamTold>,
    /// What comes earlier, and has no effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadowed: Vec<ParamTold>,
}

/// One assignment, where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParamTold {
    /// As it was assigned.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Its record.
    pub record: RecordAt,
    /// The commit that assigned it; where nobody did here, the one that wrote the record.
    pub seq: u64,
    /// When.
    pub time: Time,
    /// Who; where nobody assigned it here, whose commit wrote the record. None: the chain of commits no longer says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The target whose registration brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// It was taken away: this is the default, written so that nodes that run go back to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unset: bool,
}

/// A change of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParamEvent {
    /// The commit.
    pub seq: u64,
    /// When.
    pub time: Time,
    /// Who.
    pub by: String,
    /// As it was assigned.
    pub name: String,
    /// The new value; none: it was taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Values that it had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
}

/// How far a change has come. A node that has fetched a record need not have done what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeReach {
    /// The commit.
    pub seq: u64,
    /// Logs that it wrote to. None: it only took away, and no node that runs hears of that.
    pub logs: Vec<LogReach>,
}

/// How far the readers of one log are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogReach {
    /// The log.
    pub log: String,
    /// The last index that the commit wrote.
    pub index: u32,
    /// Connected nodes that have read the log, those that are behind first.
    pub nodes: Vec<NodeReach>,
}

/// How far one node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeReach {
    /// Its NID.
    pub nid: String,
    /// UUID of its MGC.
    pub uuid: String,
    /// It has fetched through this index.
    pub fetched: u32,
    /// When; none: it has fetched nothing of this log yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// It has fetched past the change.
    pub past: bool,
}

/// Whether wrong assignments are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Validation {
    /// They are refused.
    #[default]
    Enforce,
    /// They are taken, warned of and noted; what no policy lets pass is refused still.
    Warn,
}

impl std::fmt::Display for Validation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Validation::Enforce => "enforce",
            Validation::Warn => "warn",
        })
    }
}

/// Policy of all parameters of this MGS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ParamPolicy {
    /// Refuse or warn.
    pub validation: Validation,
}

/// A program that nodes may be told to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgramSwitch {
    /// Its whole path.
    pub program: String,
    /// It may be, from now on.
    pub allowed: bool,
}

/// Programs that nodes may be told to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Programs {
    /// Those that Lustre runs by default.
    pub usual: Vec<String>,
    /// Those that root has allowed.
    pub allowed: Vec<String>,
}

/// What a writeconf does to the settings and pools of a file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Writeconf {
    /// They are written again as the targets come back.
    #[default]
    Reapply,
    /// They go with the logs, as with a kernel MGS.
    Wipe,
    /// The writeconf is refused until somebody has chosen.
    Ask,
}

impl std::fmt::Display for Writeconf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Writeconf::Reapply => "reapply",
            Writeconf::Wipe => "wipe",
            Writeconf::Ask => "ask",
        })
    }
}

/// Choice of what a writeconf does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteconfSwitch {
    /// From now on.
    pub writeconf: Writeconf,
}

impl Client {
    /// What nodes are told of a parameter; the target need not have registered.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn param_effective(&self, target: &str, name: &str) -> Result<EffectiveParam, Error> {
        let query = query(&[("target", Some(target)), ("name", Some(name))]);
        self.json(&format!("/v1/params/effective{query}")).await
    }

    /// Changes of a parameter that the chain of commits still has, oldest first.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn param_history(&self, name: &str) -> Result<List<ParamEvent>, Error> {
        self.json(&format!("/v1/params/history{}", query(&[("name", Some(name))]))).await
    }

    /// Which nodes have fetched past a commit; by default the last one that wrote to a log.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn param_status(&self, seq: Option<u64>) -> Result<ChangeReach, Error> {
        let seq = seq.map(|n| n.to_string());
        self.json(&format!("/v1/params/status{}", query(&[("seq", seq.as_deref())]))).await
    }

    /// Whether wrong assignments are refused.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn param_policy(&self) -> Result<ParamPolicy, Error> {
        self.json("/v1/params/policy").await
    }

    /// Sets whether wrong assignments are refused.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn set_param_policy(&self, to: &ParamPolicy, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::PUT, "/v1/params/policy", to, dry_run).await
    }

    /// Programs that nodes may be told to run.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn param_programs(&self) -> Result<Programs, Error> {
        self.json("/v1/params/programs").await
    }

    /// Allows a program, or takes that back; for root alone.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn param_allow(&self, to: &ProgramSwitch, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::PUT, "/v1/params/programs", to, dry_run).await
    }

    /// Sets what a writeconf does to the settings and pools of a file system.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn fs_writeconf(
        &self,
        name: &str,
        writeconf: Writeconf,
        dry_run: bool,
    ) -> Result<Change, Error> {
        let path = format!("/v1/fs/{}/writeconf", segment(name));
        self.change(Method::PUT, &path, &WriteconfSwitch { writeconf }, dry_run).await
    }
}

//! Noun `registration`: who wants to register, who may, and what a node's address has to do with it. Reserved indices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::client::{query, segment};
use crate::{Change, Client, Error, List, TargetKind, Time};
use hyper::Method;

/// A target that wants to register, was refused, or may come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Registration {
    /// Lustre name, `testfs-OST0004`.
    pub target: String,
    /// File system.
    pub fs: String,
    /// Its node. None when somebody spoke before it came, and meant any node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nid: Option<String>,
    /// Flags of its request (`mti_flags`), hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<String>,
    /// When it came, or when somebody spoke.
    pub since: Time,
    /// How far it got.
    pub state: RegistrationState,
    /// Who decided, and why; empty while it waits.
    pub why: String,
}

/// How far a target got that is not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationState {
    /// Its mount waits for a yes or no, for 50 s.
    Waiting,
    /// It was refused, or nobody said anything in time.
    Refused,
    /// It is let in when it comes.
    Approved,
}

/// What happens to a target that nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationPolicy {
    /// It registers, as with a kernel MGS.
    #[default]
    Open,
    /// It waits for a yes or no.
    Approve,
    /// It is refused, unless it was approved before it came.
    Closed,
}

/// A policy, to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicySwitch {
    /// From now on.
    pub policy: RegistrationPolicy,
}

/// Who lets a target in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// NIDs of the node that it has to come from; none: any node.
    #[serde(default)]
    pub from: Vec<String>,
}

/// How strictly NIDs that a node claims are held against its address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BindingMode {
    /// Not at all.
    Off,
    /// A line in the log and in `why`.
    #[default]
    Log,
    /// It is refused.
    Enforce,
}

/// Binding of NIDs to addresses, for nodes that come over one network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Binding {
    /// LNet network, `tcp`.
    pub network: String,
    /// How strict.
    pub mode: BindingMode,
    /// Nodes whose NIDs stand for each other.
    pub nodes: Vec<Vec<String>>,
    /// Routers that are believed; none: all that the proxy takes messages from.
    pub routers: Vec<String>,
}

/// Change of a binding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BindingChange {
    /// How strict.
    pub mode: BindingMode,
    /// Nodes to declare, each by its NIDs, beside those that are declared.
    #[serde(default)]
    pub nodes: Vec<Vec<String>>,
    /// Routers to declare.
    #[serde(default)]
    pub routers: Vec<String>,
    /// What was declared before is forgotten.
    #[serde(default)]
    pub reset: bool,
}

/// What holds for all file systems.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegistrationRules {
    /// Policy of file systems to come.
    pub default: RegistrationPolicy,
    /// Networks of which something was said; for others it is `log`.
    pub networks: Vec<Binding>,
}

/// A reserved index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reservation {
    /// Lustre name of the target to come.
    pub target: String,
    /// File system, which need not exist.
    pub fs: String,
    /// Only nodes with one of these NIDs may take it; none: whoever names the index.
    pub nids: Vec<String>,
    /// By whom, for what.
    pub by: String,
    /// When.
    pub time: Time,
    /// It ends then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// Indices to reserve: the lowest free ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    /// File system, which need not exist.
    pub fs: String,
    /// MDT or OST.
    #[serde(rename = "type")]
    pub kind: TargetKind,
    /// How many, 1 to 64.
    pub count: u32,
    /// Seconds until the reservation ends; none: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u32>,
    /// Who, for what; empty: who asks.
    #[serde(default)]
    pub by: String,
    /// Only nodes with one of these NIDs may take them; none: whoever names the index.
    #[serde(default)]
    pub nids: Vec<String>,
}

impl Client {
    /// Who waits, who was refused, who may come.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn registrations(&self) -> Result<List<Registration>, Error> {
        self.json("/v1/registrations").await
    }

    /// Lets a target in, once: the one that waits, or the next one that comes.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn registration_approve(
        &self,
        target: &str,
        approval: &Approval,
        dry_run: bool,
    ) -> Result<Change, Error> {
        let path = format!("/v1/registrations/{}/approve", segment(target));
        self.change(Method::POST, &path, approval, dry_run).await
    }

    /// Refuses a target until it is approved or forgotten.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn registration_refuse(&self, target: &str, dry_run: bool) -> Result<Change, Error> {
        let path = format!("/v1/registrations/{}/refuse", segment(target));
        self.change(Method::POST, &path, &(), dry_run).await
    }

    /// Takes back what was said of a target.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn registration_forget(&self, target: &str, dry_run: bool) -> Result<Change, Error> {
        let path = format!("/v1/registrations/{}", segment(target));
        self.change(Method::DELETE, &path, &(), dry_run).await
    }

    /// What holds for all file systems.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn registration_rules(&self) -> Result<RegistrationRules, Error> {
        self.json("/v1/registration-rules").await
    }

    /// The policy of file systems to come.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn registration_default(&self, to: PolicySwitch, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::PUT, "/v1/registration-rules/default", &to, dry_run).await
    }

    /// Binds claimed NIDs to addresses, of nodes that come over a network.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn registration_bind(
        &self,
        network: &str,
        to: &BindingChange,
        dry_run: bool,
    ) -> Result<Change, Error> {
        let path = format!("/v1/registration-rules/networks/{}", segment(network));
        self.change(Method::PUT, &path, to, dry_run).await
    }

    /// The policy of a file system.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn fs_policy(&self, fs: &str, to: PolicySwitch, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::PUT, &format!("/v1/fs/{}/policy", segment(fs)), &to, dry_run).await
    }

    /// Lets one writeconf of MDT0000 erase what nodes have mounted, within the hour.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn fs_approve_writeconf(&self, fs: &str, dry_run: bool) -> Result<Change, Error> {
        let path = format!("/v1/fs/{}/approve-writeconf", segment(fs));
        self.change(Method::POST, &path, &(), dry_run).await
    }

    /// Reserved indices: all, or those of one file system, which need not exist.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn reservations(&self, fs: Option<&str>) -> Result<List<Reservation>, Error> {
        self.json(&format!("/v1/reservations{}", query(&[("fs", fs)]))).await
    }

    /// Reserves indices; the events of the answer name them.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn reserve(&self, what: &Reserve, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, "/v1/reservations", what, dry_run).await
    }

    /// Lets a reserved index go.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn unreserve(&self, target: &str, dry_run: bool) -> Result<Change, Error> {
        let path = format!("/v1/reservations/{}", segment(target));
        self.change(Method::DELETE, &path, &(), dry_run).await
    }
}

impl std::fmt::Display for RegistrationState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Waiting => "waiting",
            Self::Refused => "refused",
            Self::Approved => "approved",
        })
    }
}

impl std::fmt::Display for RegistrationPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Open => "open",
            Self::Approve => "approve",
            Self::Closed => "closed",
        })
    }
}

impl std::fmt::Display for BindingMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Off => "off",
            Self::Log => "log",
            Self::Enforce => "enforce",
        })
    }
}

//! Who may register: the policy of each file system, verdicts on single targets, reserved indices, the leave for a
//! writeconf, and where a node must be seen to be believed. Stored, each under a key of its own.

use super::names::TargetId;
use super::tx::{Changes, Tx, put_or_delete};
use super::view::nid_list;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use wire::Nid;

/// What happens to a target that nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// It registers, as with a kernel MGS.
    #[default]
    Open,
    /// It waits until somebody says yes or no.
    Approve,
    /// It is refused.
    Closed,
}

impl Policy {
    /// `open`, `approve`, `closed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approve => "approve",
            Self::Closed => "closed",
        }
    }
    /// The policy of a kernel MGS; nothing is stored for it.
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
    pub(super) fn is_open(&self) -> bool {
        *self == Self::Open
    }
}

/// `registration/default`: the policy of file systems to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFileSystems {
    /// Policy.
    pub policy: Policy,
}

/// `fs/<fs>/verdict/<OST0000>`: what somebody said of a target that is not registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Yes, once; or no.
    pub approved: bool,
    /// Yes only to a node with one of these NIDs; empty: to any.
    #[serde(with = "nid_list", default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<Nid>,
    /// Who said it.
    pub by: String,
    /// Unix seconds.
    pub time: i64,
    /// A yes that nobody used goes then, unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// `fs/<fs>/reserved/<OST0000>`: an index that is kept for somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Only a node with one of these NIDs may take it; empty: whoever names the index.
    #[serde(with = "nid_list", default, skip_serializing_if = "Vec::is_empty")]
    pub nids: Vec<Nid>,
    /// By whom, and for what.
    pub by: String,
    /// Unix seconds.
    pub time: i64,
    /// It ends then, unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// `fs/<fs>/writeconf`: leave for one writeconf of MDT0000 while nodes have the file system mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// Who gave it.
    pub by: String,
    /// It ends then, unix seconds.
    pub until: i64,
}

/// `fs/<fs>/returning`: targets that a writeconf of MDT0000 has erased. Each is known, and registers again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returning {
    /// By kind and index.
    pub targets: BTreeSet<TargetId>,
}

/// How strictly NIDs that a node claims are held against the address that it is seen at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Not at all.
    Off,
    /// A line in the log and the journal.
    #[default]
    Log,
    /// It is refused.
    Enforce,
}

impl Mode {
    /// `off`, `log`, `enforce`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Log => "log",
            Self::Enforce => "enforce",
        }
    }
}

/// NIDs of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node(#[serde(with = "nid_list")] pub Vec<Nid>);

/// `registration/net/<tcp>`: binding of claimed NIDs to addresses, for nodes that come over one network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// How strict.
    pub mode: Mode,
    /// Nodes whose NIDs stand for each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Node>,
    /// Routers that are believed; empty: all that the proxy takes messages from.
    #[serde(with = "nid_list", default, skip_serializing_if = "Vec::is_empty")]
    pub routers: Vec<Nid>,
}

/// A target of a file system, which need not exist.
pub type Name = (String, TargetId);

/// All rules, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Policy of file systems to come.
    pub default: Policy,
    /// What was said of targets that are not registered.
    pub verdicts: BTreeMap<Name, Verdict>,
    /// Reserved indices.
    pub reserved: BTreeMap<Name, Reservation>,
    /// Leave for a writeconf, by file system.
    pub leaves: BTreeMap<String, Leave>,
    /// Targets that a writeconf has erased, by file system.
    pub returning: BTreeMap<String, Returning>,
    /// Bindings by network.
    pub bindings: BTreeMap<String, Binding>,
}

impl Rules {
    /// When the next thing ends, unix seconds.
    pub fn next_end(&self) -> Option<i64> {
        let verdicts = self.verdicts.values().filter_map(|v| v.until);
        let reserved = self.reserved.values().filter_map(|r| r.until);
        verdicts.chain(reserved).chain(self.leaves.values().map(|l| l.until)).min()
    }
}

/// A rule's key, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKey<'a> {
    /// `registration/default`
    Default,
    /// `registration/net/<tcp>`
    Net(&'a str),
    /// `fs/<fs>/verdict/<OST0000>`
    Verdict(&'a str, TargetId),
    /// `fs/<fs>/reserved/<OST0000>`
    Reserved(&'a str, TargetId),
    /// `fs/<fs>/writeconf`
    Leave(&'a str),
    /// `fs/<fs>/returning`
    Returning(&'a str),
}

impl std::fmt::Display for RuleKey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("registration/default"),
            Self::Net(net) => write!(f, "registration/net/{net}"),
            Self::Verdict(fs, id) => write!(f, "fs/{fs}/verdict/{id}"),
            Self::Reserved(fs, id) => write!(f, "fs/{fs}/reserved/{id}"),
            Self::Leave(fs) => write!(f, "fs/{fs}/writeconf"),
            Self::Returning(fs) => write!(f, "fs/{fs}/returning"),
        }
    }
}

impl Rules {
    /// Applies one key: a value, or its deletion.
    pub(super) fn apply(&mut self, key: RuleKey<'_>, value: Option<&[u8]>) -> Result<(), serde_json::Error> {
        fn set<K: Ord, V: serde::de::DeserializeOwned>(
            map: &mut BTreeMap<K, V>,
            key: K,
            value: Option<&[u8]>,
        ) -> Result<(), serde_json::Error> {
            match value {
                Some(value) => drop(map.insert(key, serde_json::from_slice(value)?)),
                None => drop(map.remove(&key)),
            }
            Ok(())
        }
        match key {
            RuleKey::Default => {
                let stored = value.map(serde_json::from_slice::<NewFileSystems>).transpose()?;
                self.default = stored.unwrap_or_default().policy;
                Ok(())
            }
            RuleKey::Net(net) => set(&mut self.bindings, net.to_owned(), value),
            RuleKey::Verdict(fs, id) => set(&mut self.verdicts, (fs.to_owned(), id), value),
            RuleKey::Reserved(fs, id) => set(&mut self.reserved, (fs.to_owned(), id), value),
            RuleKey::Leave(fs) => set(&mut self.leaves, fs.to_owned(), value),
            RuleKey::Returning(fs) => set(&mut self.returning, fs.to_owned(), value),
        }
    }
}

/// Rules that a transaction changes.
#[derive(Debug, Default)]
pub(super) struct RuleChanges {
    default: Option<Policy>,
    verdicts: BTreeMap<Name, Option<Verdict>>,
    reserved: BTreeMap<Name, Option<Reservation>>,
    leaves: BTreeMap<String, Option<Leave>>,
    returning: BTreeMap<String, Option<Returning>>,
    bindings: BTreeMap<String, Option<Binding>>,
}

impl RuleChanges {
    pub(super) fn finish(&self, changes: &mut Changes) -> Result<(), Error> {
        if let Some(policy) = self.default {
            let value = (policy != Policy::Open).then_some(NewFileSystems { policy });
            put_or_delete(changes, RuleKey::Default.to_string(), value.as_ref())?;
        }
        for ((fs, id), value) in &self.verdicts {
            put_or_delete(changes, RuleKey::Verdict(fs, *id).to_string(), value.as_ref())?;
        }
        for ((fs, id), value) in &self.reserved {
            put_or_delete(changes, RuleKey::Reserved(fs, *id).to_string(), value.as_ref())?;
        }
        for (fs, value) in &self.leaves {
            put_or_delete(changes, RuleKey::Leave(fs).to_string(), value.as_ref())?;
        }
        for (fs, value) in &self.returning {
            put_or_delete(changes, RuleKey::Returning(fs).to_string(), value.as_ref())?;
        }
        for (net, value) in &self.bindings {
            put_or_delete(changes, RuleKey::Net(net).to_string(), value.as_ref())?;
        }
        Ok(())
    }
}

impl Tx<'_> {
    /// The policy in force for a file system, which need not exist.
    pub fn policy(&self, fs: &str) -> Policy {
        self.head(fs).map_or_else(|| self.default_policy(), |head| head.registration)
    }
    /// Policy of file systems to come.
    pub fn default_policy(&self) -> Policy {
        self.rules.default.unwrap_or(self.view.rules.default)
    }
    /// Sets it.
    pub const fn set_default_policy(&mut self, policy: Policy) {
        self.rules.default = Some(policy);
    }

    /// What was said of a target.
    pub fn verdict(&self, fs: &str, id: TargetId) -> Option<&Verdict> {
        let name = (fs.to_owned(), id);
        match self.rules.verdicts.get(&name) {
            Some(changed) => changed.as_ref(),
            None => self.view.rules.verdicts.get(&name),
        }
    }
    /// Says it, or takes it back.
    pub fn set_verdict(&mut self, fs: &str, id: TargetId, verdict: Option<Verdict>) {
        self.rules.verdicts.insert((fs.to_owned(), id), verdict);
    }

    /// The reservation of an index.
    pub fn reserved(&self, fs: &str, id: TargetId) -> Option<&Reservation> {
        let name = (fs.to_owned(), id);
        match self.rules.reserved.get(&name) {
            Some(changed) => changed.as_ref(),
            None => self.view.rules.reserved.get(&name),
        }
    }
    /// Reserves an index, or lets it go.
    pub fn set_reserved(&mut self, fs: &str, id: TargetId, reservation: Option<Reservation>) {
        self.rules.reserved.insert((fs.to_owned(), id), reservation);
    }

    /// Leave for a writeconf.
    pub fn leave(&self, fs: &str) -> Option<&Leave> {
        match self.rules.leaves.get(fs) {
            Some(changed) => changed.as_ref(),
            None => self.view.rules.leaves.get(fs),
        }
    }
    /// Gives it, or takes it back.
    pub fn set_leave(&mut self, fs: &str, leave: Option<Leave>) {
        self.rules.leaves.insert(fs.to_owned(), leave);
    }

    /// Targets that a writeconf has erased.
    pub fn returning(&self, fs: &str) -> Option<&Returning> {
        match self.rules.returning.get(fs) {
            Some(changed) => changed.as_ref(),
            None => self.view.rules.returning.get(fs),
        }
    }
    /// Sets them.
    pub fn set_returning(&mut self, fs: &str, returning: Option<Returning>) {
        self.rules.returning.insert(fs.to_owned(), returning);
    }

    /// The binding of a network; *log* where nobody said otherwise.
    pub fn binding(&self, net: &str) -> Binding {
        let changed = self.rules.bindings.get(net).map(Option::as_ref);
        changed.unwrap_or_else(|| self.view.rules.bindings.get(net)).cloned().unwrap_or_default()
    }
    /// Sets it.
    pub fn set_binding(&mut self, net: &str, binding: Binding) {
        let stored = (binding != Binding::default()).then_some(binding);
        self.rules.bindings.insert(net.to_owned(), stored);
    }

    /// Lets go of everything that has ended, up to `most` of it; events say what.
    pub fn expire(&mut self, most: usize) {
        use super::commit::EventKind::{ApprovalExpired, LeaveExpired, ReservationExpired};
        let (wall, rules) = (self.wall(), &self.view.rules);
        let over = |until: Option<i64>| until.is_some_and(|until| until <= wall);
        let verdicts: Vec<Name> =
            rules.verdicts.iter().filter(|(_, v)| over(v.until)).map(|(n, _)| n.clone()).collect();
        let reserved: Vec<Name> =
            rules.reserved.iter().filter(|(_, r)| over(r.until)).map(|(n, _)| n.clone()).collect();
        let leaves: Vec<String> =
            rules.leaves.iter().filter(|(_, l)| over(Some(l.until))).map(|(fs, _)| fs.clone()).collect();
        for (fs, id) in reserved.into_iter().take(most) {
            let before = self.reserved(&fs, id).cloned();
            self.event(ReservationExpired { target: id.svname(&fs), before });
            self.set_reserved(&fs, id, None);
        }
        for (fs, id) in verdicts.into_iter().take(most) {
            let before = self.verdict(&fs, id).cloned();
            self.event(ApprovalExpired { target: id.svname(&fs), before });
            self.set_verdict(&fs, id, None);
        }
        for fs in leaves.into_iter().take(most) {
            let before = self.leave(&fs).cloned();
            self.event(LeaveExpired { fs: fs.clone(), before });
            self.set_leave(&fs, None);
        }
    }
}

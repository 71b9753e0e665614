//! Settings: what somebody assigned, kept apart from the logs that carry it. A log says what its readers are told; a
//! setting says what is wanted, by whom, since when. So it can wait for a target, reach targets that register later, and
//! outlive a writeconf.

mod bind;
mod key;
mod pools;

pub use bind::{Reach, bind, forget, keep_on_erase};
pub use key::SettingKey;
pub use pools::{WaitingPools, drop_pool};

use super::conf_param::Scope;
use super::tx::{Changes, Tx, put_or_delete};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What happens to an assignment that the judge finds wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Validation {
    /// It is refused.
    #[default]
    Enforce,
    /// It is taken, and noted in the commit; what no policy lets pass is refused still.
    Warn,
}

impl Validation {
    /// `enforce`, `warn`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Warn => "warn",
        }
    }
}

/// `param/policy`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParamPolicy {
    /// Refuse or warn.
    pub validation: Validation,
    /// Programs that nodes may be told to run, beside those that Lustre runs by default.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub programs: BTreeSet<String>,
}

/// What a writeconf does to the settings and pools of a file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

impl Writeconf {
    /// `reapply`, `wipe`, `ask`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reapply => "reapply",
            Self::Wipe => "wipe",
            Self::Ask => "ask",
        }
    }
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
    pub(super) fn is_reapply(&self) -> bool {
        *self == Self::Reapply
    }
}

/// One value, with who assigned it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// `64`.
    pub value: String,
    /// `uid:0`, `nid:10.0.0.3@tcp`.
    pub by: String,
    /// Unix seconds.
    pub time: i64,
    /// The commit.
    pub seq: u64,
    /// The target whose registration brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// It was taken away; this is the default, written so that nodes that run go back to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unset: bool,
}

/// `param/…`: an assignment in force, or waiting for its target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// One; of parameters that have several at a time, all of them in the order of assignment.
    pub values: Vec<Value>,
}

impl Setting {
    /// Nobody wants it any more: what is left is the default.
    pub fn is_unset(&self) -> bool {
        self.values.iter().all(|v| v.unset)
    }
    /// The commit of the newest assignment.
    pub fn seq(&self) -> u64 {
        self.values.iter().map(|v| v.seq).max().unwrap_or(0)
    }
}

/// Which part of a file system, and which parameter of it.
pub type ConfName = (Scope, String);

/// All settings, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What happens to assignments.
    pub policy: ParamPolicy,
    /// Of the logs of a file system (`conf_param`).
    pub conf: BTreeMap<String, BTreeMap<ConfName, Setting>>,
    /// Of the log `params` (`set_param -P`), by path.
    pub set: BTreeMap<String, Setting>,
    /// Pools that a writeconf has erased, and whose members have not all come back.
    pub pools: BTreeMap<String, WaitingPools>,
}

impl Settings {
    /// Applies one key: a value, or its deletion.
    pub(super) fn apply(&mut self, key: SettingKey<'_>, value: Option<&[u8]>) -> Result<(), String> {
        fn parsed<T: serde::de::DeserializeOwned>(value: Option<&[u8]>) -> Result<Option<T>, String> {
            value.map(serde_json::from_slice).transpose().map_err(|e| e.to_string())
        }
        match key {
            SettingKey::Policy => {
                self.policy = parsed(value)?.unwrap_or_default();
            }
            SettingKey::Conf(fs, scope, name) => {
                let name = (key::scope(scope)?, key::unescape(name)?);
                match parsed(value)? {
                    Some(setting) => drop(self.conf.entry(fs.to_owned()).or_default().insert(name, setting)),
                    None => {
                        if let Some(of_fs) = self.conf.get_mut(fs) {
                            of_fs.remove(&name);
                        }
                    }
                }
            }
            SettingKey::Set(path) => {
                let path = key::unescape(path)?;
                match parsed(value)? {
                    Some(setting) => drop(self.set.insert(path, setting)),
                    None => drop(self.set.remove(&path)),
                }
            }
            SettingKey::Pools(fs) => match parsed(value)? {
                Some(pools) => drop(self.pools.insert(fs.to_owned(), pools)),
                None => drop(self.pools.remove(fs)),
            },
        }
        Ok(())
    }
}

/// Settings that a transaction changes.
#[derive(Debug, Default)]
pub(super) struct SettingChanges {
    policy: Option<ParamPolicy>,
    conf: BTreeMap<String, BTreeMap<ConfName, Option<Setting>>>,
    set: BTreeMap<String, Option<Setting>>,
    pools: BTreeMap<String, Option<WaitingPools>>,
}

impl SettingChanges {
    pub(super) fn finish(&self, changes: &mut Changes) -> Result<(), Error> {
        if let Some(policy) = &self.policy {
            let value = Some(policy).filter(|policy| **policy != ParamPolicy::default());
            put_or_delete(changes, SettingKey::Policy.to_string(), value)?;
        }
        for (fs, settings) in &self.conf {
            for ((scope, name), value) in settings {
                put_or_delete(changes, key::conf(fs, *scope, name), value.as_ref())?;
            }
        }
        for (path, value) in &self.set {
            put_or_delete(changes, key::set(path), value.as_ref())?;
        }
        for (fs, value) in &self.pools {
            put_or_delete(changes, SettingKey::Pools(fs).to_string(), value.as_ref())?;
        }
        Ok(())
    }
}

impl Tx<'_> {
    /// What happens to assignments.
    pub fn param_policy(&self) -> &ParamPolicy {
        self.settings.policy.as_ref().unwrap_or(&self.view.settings.policy)
    }
    /// Refuse or warn.
    pub fn validation(&self) -> Validation {
        self.param_policy().validation
    }
    /// Sets what happens to assignments.
    pub fn set_param_policy(&mut self, policy: ParamPolicy) {
        self.settings.policy = Some(policy);
    }

    /// A setting of a file system.
    pub fn conf_setting(&self, fs: &str, scope: Scope, name: &str) -> Option<&Setting> {
        let name = (scope, name.to_owned());
        match self.settings.conf.get(fs).and_then(|of_fs| of_fs.get(&name)) {
            Some(changed) => changed.as_ref(),
            None => self.view.settings.conf.get(fs)?.get(&name),
        }
    }
    /// Sets it, or takes it away.
    pub fn set_conf_setting(&mut self, fs: &str, scope: Scope, name: &str, setting: Option<Setting>) {
        self.settings.conf.entry(fs.to_owned()).or_default().insert((scope, name.to_owned()), setting);
    }
    /// The settings of a file system.
    pub fn conf_settings(&self, fs: &str) -> BTreeMap<&ConfName, &Setting> {
        let mut all: BTreeMap<&ConfName, &Setting> =
            self.view.settings.conf.get(fs).into_iter().flatten().collect();
        for (name, changed) in self.settings.conf.get(fs).into_iter().flatten() {
            match changed {
                Some(setting) => drop(all.insert(name, setting)),
                None => drop(all.remove(name)),
            }
        }
        all
    }

    /// A setting of the log `params`.
    pub fn set_setting(&self, path: &str) -> Option<&Setting> {
        match self.settings.set.get(path) {
            Some(changed) => changed.as_ref(),
            None => self.view.settings.set.get(path),
        }
    }
    /// Sets it, or takes it away.
    pub fn set_set_setting(&mut self, path: &str, setting: Option<Setting>) {
        self.settings.set.insert(path.to_owned(), setting);
    }
    /// The settings of the log `params`.
    pub fn set_settings(&self) -> BTreeMap<&str, &Setting> {
        let mut all: BTreeMap<&str, &Setting> =
            self.view.settings.set.iter().map(|(path, s)| (path.as_str(), s)).collect();
        for (path, changed) in &self.settings.set {
            match changed {
                Some(setting) => drop(all.insert(path, setting)),
                None => drop(all.remove(path.as_str())),
            }
        }
        all
    }

    /// Pools of a file system that wait for members.
    pub fn waiting_pools(&self, fs: &str) -> Option<&WaitingPools> {
        match self.settings.pools.get(fs) {
            Some(changed) => changed.as_ref(),
            None => self.view.settings.pools.get(fs),
        }
    }
    /// Sets them.
    pub fn set_waiting_pools(&mut self, fs: &str, pools: Option<WaitingPools>) {
        self.settings.pools.insert(fs.to_owned(), pools.filter(|p| !p.pools.is_empty()));
    }

    /// Names of the logs that it writes to or edits.
    pub fn changed_log_names(&self) -> Vec<String> {
        let edited = self.edited.iter().map(|(log, _)| log.clone());
        let grown = self.logs.iter().filter(|(name, entry)| {
            let before = self.view.logs.get(*name).map(|old| old.log.last_index());
            entry.as_ref().map(|new| new.log.last_index()) != before
        });
        edited.chain(grown.map(|(name, _)| name.clone())).collect::<BTreeSet<_>>().into_iter().collect()
    }
    /// A file system has this name.
    pub fn knows_fs(&self, fs: &str) -> bool {
        self.head(fs).is_some()
    }

    /// A value as whoever acts now assigns it.
    pub fn assigned_now(&self, value: &str, from: Option<String>) -> Value {
        Value {
            value: value.to_owned(),
            by: self.actor().to_owned(),
            time: self.wall(),
            seq: self.seq(),
            from,
            unset: false,
        }
    }
}

/// The setting after an assignment: of parameters with several values at a time one more, of others a new one.
pub fn assigned(before: Option<&Setting>, name: &str, value: Value) -> Setting {
    let mut values = match before {
        Some(before) if super::conf_param::compound(name) => before.values.clone(),
        _ => Vec::new(),
    };
    values.retain(|v| !v.unset && v.value != value.value);
    values.push(value);
    Setting { values }
}

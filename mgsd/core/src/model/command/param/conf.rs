//! `conf_param`: an assignment in the logs of one file system.

use super::{Doing, FAILOVER, Syntax, connections, device_name, event, keepers, registered};
use crate::Errno;
use crate::error::Error;
use crate::model::Resource;
use crate::model::command::{gate, sptlrpc};
use crate::model::conf_param::{self, Scope, Setting};
use crate::model::names::{TargetId, client_log};
use crate::model::settings::{self, Reach};
use crate::model::tx::Tx;
use wire::ldlm::ConfigKind;

/// The file system and the part of it that a device of `conf_param` means.
///
/// # Errors
/// No such file system or target.
pub fn device(tx: &Tx<'_>, text: &str) -> Result<(String, Scope), Error> {
    part_of(tx, text, false)
}

/// The same; the target need not be registered, where `wait` says so.
///
/// # Errors
/// No such file system or target.
pub(in crate::model) fn part_of(tx: &Tx<'_>, text: &str, wait: bool) -> Result<(String, Scope), Error> {
    let object = || format!("device '{}'", text.escape_default());
    if text.len() > 63 {
        return Err(Error::refused(
            object(),
            Errno::E2BIG,
            "is too long",
            "a device has at most 63 characters",
        ));
    }
    let known = |fs: &str| tx.head(fs).is_some() && (wait || !tx.log_is_empty(&client_log(fs)));
    if known(text) {
        return Ok((text.to_owned(), Scope::Fs));
    }
    let stem = ["-osc", "-mdc", "-mdtlov"].iter().find_map(|end| text.strip_suffix(end)).unwrap_or(text);
    let (fs, rest) = stem.rsplit_once('-').unwrap_or((stem, ""));
    if !known(fs) {
        return Err(Error::refused(
            object(),
            Errno::EINVAL,
            format!("no target of a file system '{}' has registered", fs.escape_default()),
            "see 'mgsctl fs list'",
        ));
    }
    if rest == "client" {
        return Ok((fs.to_owned(), Scope::Fs));
    }
    match TargetId::parse(rest) {
        Some(id) if wait || tx.target(fs, id).is_some() => Ok((fs.to_owned(), Scope::Target(id))),
        Some(_) => Err(Error::refused(
            object(),
            Errno::ENOENT,
            "is not registered; its record would end every mount with an error",
            format!("see 'mgsctl target list --fs {fs}', or let the setting wait with --wait"),
        )),
        None => Err(Error::refused(
            object(),
            Errno::EINVAL,
            "is neither a file system nor a target",
            format!("name {fs}, or a target such as {fs}-OST0000"),
        )),
    }
}

/// Assigns, or takes away.
pub(super) fn assign(tx: &mut Tx<'_>, of: &str, name: &str, value: &str, doing: Doing) -> Result<(), Error> {
    if name.starts_with(sptlrpc::PREFIX) {
        return sptlrpc::Command::of_param(of, name, value, doing.delete)?.plan(tx);
    }
    // What waits for a target may be taken back.
    let waits = |tx: &Tx<'_>| match part_of(tx, of, true) {
        Ok((fs, scope)) => tx.conf_setting(&fs, scope, name).is_some(),
        Err(_) => false,
    };
    let (fs, scope) = part_of(tx, of, doing.wait || (doing.delete && waits(tx)))?;
    let fs = fs.as_str();
    let setting = Setting { fs, scope, name, value, delete: doing.delete, reach: Reach::All };
    if !setting.is_known() {
        if doing.lenient {
            tx.warn(format!("no node executes {name}: nothing is written"));
            return Ok(());
        }
        return Err(Error::refused(
            format!("parameter '{of}.{}'", name.escape_default()),
            Errno::EINVAL,
            "is of no class that a node executes",
            "classes: sys, quota, failover, osc, mdc, lov, llite, mdt, mdd, lod, ost, osd; others with 'set -P'",
        ));
    }
    let before = tx.changed_logs();
    if doing.delete {
        unset(tx, &setting, doing)?;
    } else {
        set(tx, &setting, None)?;
    }
    if tx.changed_logs() != before {
        tx.touch(Resource::new(fs, ConfigKind::Config));
    }
    Ok(())
}

/// Nodes are additive, and NIDs are never kept: they come with each registration.
fn is_kept(name: &str) -> bool {
    !name.starts_with("failover.")
}

/// Sets a parameter, and keeps who wanted it. `from`: the target whose registration brings it.
///
/// # Errors
/// The class takes no such device or value.
pub(in crate::model) fn set(tx: &mut Tx<'_>, s: &Setting<'_>, from: Option<String>) -> Result<(), Error> {
    let before = tx.changed_logs();
    if registered(tx, s.fs, s.scope) {
        conf_param::set(tx, s)?;
    } else if is_kept(s.name) {
        tx.warn(format!("{} has not registered: the setting waits for it", device_name(s.fs, s.scope)));
    } else {
        let object = format!("parameter '{}.{}'", device_name(s.fs, s.scope), s.name);
        let hint = "register the target first";
        return Err(Error::refused(
            object,
            Errno::ENOENT,
            "is kept for no target that has not registered",
            hint,
        ));
    }
    let stored = tx.conf_setting(s.fs, s.scope, s.name);
    let same = stored.is_some_and(|known| known.values.iter().any(|v| !v.unset && v.value == s.value));
    if same && tx.changed_logs() == before {
        return Ok(());
    }
    if is_kept(s.name) {
        let setting = settings::assigned(stored, s.name, tx.assigned_now(s.value, from));
        tx.set_conf_setting(s.fs, s.scope, s.name, Some(setting));
    } else if tx.changed_logs() == before {
        return Ok(());
    }
    tx.event(event(&device_name(s.fs, s.scope), s.name, s.value, false));
    Ok(())
}

fn unset(tx: &mut Tx<'_>, s: &Setting<'_>, doing: Doing) -> Result<(), Error> {
    let stored = tx.conf_setting(s.fs, s.scope, s.name).cloned();
    let wanted = |v: &&settings::Value| !v.unset && (s.value.is_empty() || v.value == s.value);
    let known = stored.iter().flat_map(|known| &known.values).any(|v| wanted(&v));
    let not_set = || {
        let object = format!("parameter '{}.{}={}'", device_name(s.fs, s.scope), s.name, s.value);
        Err(Error::refused(object, Errno::ENOENT, "is not set", "see 'mgsctl param list'"))
    };
    if stored.as_ref().is_some_and(|known| known.is_unset()) || (stored.is_some() && !known) {
        return not_set();
    }
    let last = stored.iter().flat_map(|known| &known.values).rfind(wanted).map(|v| v.value.clone());
    let before = tx.changed_logs();
    if registered(tx, s.fs, s.scope) {
        match conf_param::set(tx, s) {
            Err(error) if error.errno() == Errno::ENOENT && known => {}
            other => other?,
        }
    } else if !known {
        return not_set();
    }
    let left = stored.map(|mut known| {
        known.values.retain(|v| !v.unset && !s.value.is_empty() && v.value != s.value);
        known
    });
    let left = left.filter(|known| !known.values.is_empty());
    let gone = left.is_none();
    tx.set_conf_setting(s.fs, s.scope, s.name, left);
    tx.event(event(&device_name(s.fs, s.scope), s.name, s.value, true));
    let written = tx.changed_logs() != before;
    if s.name == FAILOVER {
        connections_stay(tx, s);
        return Ok(());
    }
    uncover(tx, s)?;
    if gone && written && doing.revert {
        revert(tx, s, last.as_deref())?;
    }
    Ok(())
}

/// Nobody can be told to forget a node.
fn connections_stay(tx: &mut Tx<'_>, s: &Setting<'_>) {
    let (target, logs) = (device_name(s.fs, s.scope), tx.changed_log_names());
    if !logs.is_empty() {
        let logs = logs.join(", ");
        tx.warn(format!(
            "nodes that run and have read {logs} keep their connections to {target} until they mount again"
        ));
    }
    let brought = |log: &String| {
        let entry = tx.log(log)?;
        let mut found = connections(&entry.log).into_iter();
        found
            .find(|c| c.brought && c.record.device.as_deref() == Some(target.as_str()))
            .map(|c| c.record.value)
    };
    if let Some(value) = logs_of(tx, s.fs).iter().find_map(brought) {
        tx.warn(format!(
            "{target} brought {value} when it registered: that stays; 'mgsctl target replace-nids' changes it"
        ));
    }
}

/// The logs that connect to targets.
fn logs_of(tx: &Tx<'_>, fs: &str) -> Vec<String> {
    let mdts = tx.mdts(fs).into_iter().map(|mdt| mdt.svname(fs));
    std::iter::once(client_log(fs)).chain(mdts).collect()
}

/// What another setting of the same name says holds again where the removed one stood.
fn uncover(tx: &mut Tx<'_>, s: &Setting<'_>) -> Result<(), Error> {
    let mut others: Vec<(Scope, settings::Setting)> = Vec::new();
    for ((scope, name), other) in tx.conf_settings(s.fs) {
        if *scope != s.scope && name == s.name && !other.is_unset() && registered(tx, s.fs, *scope) {
            others.push((*scope, other.clone()));
        }
    }
    // The newest comes first, and those behind it find its value there.
    others.sort_by_key(|(_, other)| std::cmp::Reverse(other.seq()));
    for (scope, other) in &others {
        for value in &other.values {
            let again = Setting {
                scope: *scope,
                value: &value.value,
                delete: false,
                reach: Reach::Missing,
                ..s.clone()
            };
            conf_param::set(tx, &again)?;
        }
    }
    Ok(())
}

/// Nodes that run are told the default, where it is known and nothing else holds.
fn revert(tx: &mut Tx<'_>, s: &Setting<'_>, last: Option<&str>) -> Result<(), Error> {
    let name = format!("{}.{}", device_name(s.fs, s.scope), s.name);
    let logs = tx.changed_log_names();
    let others = gate::same_elsewhere(tx, Syntax::ConfParam, &name);
    if let Some(other) = others.first() {
        keepers(tx, &name, last, &logs, &format!("then {other} holds"));
        return Ok(());
    }
    if conf_param::compound(s.name) {
        keepers(tx, &name, last, &logs, "it has several values at a time");
        return Ok(());
    }
    let default = match gate::default_of(tx, Syntax::ConfParam, &name) {
        Ok(default) => default,
        Err(why) => {
            keepers(tx, &name, last, &logs, &why);
            return Ok(());
        }
    };
    if last == Some(default.as_str()) {
        return Ok(());
    }
    let back = Setting { value: &default, delete: false, reach: Reach::Missing, ..s.clone() };
    if conf_param::set(tx, &back).is_err() {
        keepers(tx, &name, last, &logs, &format!("the default '{default}' cannot be written"));
        return Ok(());
    }
    tx.warn(format!("nodes that run are told the default, {default}"));
    let value = settings::Value { unset: true, ..tx.assigned_now(&default, None) };
    tx.set_conf_setting(s.fs, s.scope, s.name, Some(settings::Setting { values: vec![value] }));
    Ok(())
}

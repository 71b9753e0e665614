//! `set_param -P`: an assignment in the log `params`, which every node reads.

use super::{Doing, Syntax, event, keepers};
use crate::Errno;
use crate::error::Error;
use crate::model::Resource;
use crate::model::command::gate;
use crate::model::conf_param::compound;
use crate::model::names::TargetId;
use crate::model::settings;
use crate::model::tx::Tx;
use llog::lcfg::LustreCfg;
use wire::ldlm::ConfigKind;

/// The log of `set_param -P`.
pub const PARAMS: &str = "params";

fn refuse<T>(path: &str, errno: Errno, what: &str, hint: &str) -> Result<T, Error> {
    Err(Error::refused(format!("parameter '{}'", path.escape_default()), errno, what, hint))
}

fn check(path: &str) -> Result<(), Error> {
    let last = path.rsplit('.').next().unwrap_or(path);
    if path.starts_with("failover.mode") {
        return refuse(path, Errno::EPERM, "is fixed when a target is formatted", "format it again");
    }
    if ["failover.", "srpc."].iter().any(|class| path.starts_with(class)) || path.contains(".failover.node") {
        return refuse(
            path,
            Errno::EINVAL,
            "belongs to one target",
            "use 'mgsctl param set TARGET.NAME=VALUE'",
        );
    }
    if path.starts_with("llite.") && ["root_squash", "nosquash_nids"].contains(&last) {
        return refuse(path, Errno::EINVAL, "is set by the servers", "set mdt.*.root_squash");
    }
    Ok(())
}

/// The target of a known file system that a name begins a part with.
pub(in crate::model) fn named_target(tx: &Tx<'_>, name: &str) -> Option<(String, TargetId)> {
    name.split(['.', '/']).find_map(|part| {
        let part = ["mdt-", "filter-"].iter().find_map(|b| part.strip_prefix(b)).unwrap_or(part);
        part.match_indices('-').find_map(|(at, _)| {
            let (fs, rest) = (part.get(..at)?, part.get(at + 1..)?);
            let id = TargetId::parse(rest.get(..7)?)?;
            tx.knows_fs(fs).then(|| (fs.to_owned(), id))
        })
    })
}

/// Assigns, or takes away.
pub(super) fn assign(tx: &mut Tx<'_>, path: &str, value: &str, doing: Doing) -> Result<(), Error> {
    check(path)?;
    let before = tx.changed_logs();
    if doing.delete {
        unset(tx, path, value, doing)?;
    } else {
        set(tx, path, value, doing)?;
    }
    if tx.changed_logs() != before {
        tx.touch(Resource::new(PARAMS, ConfigKind::Params));
    }
    Ok(())
}

fn set(tx: &mut Tx<'_>, path: &str, value: &str, doing: Doing) -> Result<(), Error> {
    let before = tx.changed_logs();
    let absent = named_target(tx, path).filter(|(fs, id)| tx.target(fs, *id).is_none());
    match absent.filter(|_| doing.wait) {
        Some((fs, id)) => tx.warn(format!("{} has not registered: the setting waits for it", id.svname(&fs))),
        None => write_path(tx, path, value)?,
    }
    let stored = tx.set_setting(path);
    let same = stored.is_some_and(|known| known.values.iter().any(|v| !v.unset && v.value == value));
    if same && tx.changed_logs() == before {
        return Ok(());
    }
    let setting = settings::assigned(stored, path, tx.assigned_now(value, None));
    tx.set_set_setting(path, Some(setting));
    tx.event(event(PARAMS, path, value, false));
    Ok(())
}

/// Writes a path into the log, unless it is there with this value.
pub(in crate::model) fn write_path(tx: &mut Tx<'_>, path: &str, value: &str) -> Result<(), Error> {
    let text = format!("{path}={value}");
    let same = sections(tx, path);
    if same.iter().any(|(_, cfg)| cfg.buf_str(1) == Some(text.as_str())) {
        return Ok(());
    }
    if !compound(path) {
        for (tag, _) in &same {
            tx.skip_sections(PARAMS, tag, path)?;
        }
    }
    let tag = tag(tx, path);
    tx.params_section(&tag, path, &[LustreCfg::set_param(&tag, &text)])?;
    tx.touch(Resource::new(PARAMS, ConfigKind::Params));
    Ok(())
}

fn unset(tx: &mut Tx<'_>, path: &str, value: &str, doing: Doing) -> Result<(), Error> {
    let stored = tx.set_setting(path).cloned();
    let same = sections(tx, path);
    let text = format!("{path}={value}");
    let matches = |cfg: &LustreCfg| value.is_empty() || cfg.buf_str(1) == Some(text.as_str());
    let wanted = |v: &&settings::Value| !v.unset && (value.is_empty() || v.value == value);
    let known = stored.iter().flat_map(|known| &known.values).any(|v| wanted(&v));
    let was_unset = stored.as_ref().is_some_and(settings::Setting::is_unset);
    if was_unset || (!known && !same.iter().any(|(_, cfg)| matches(cfg))) {
        return refuse(path, Errno::ENOENT, "is not set", "see 'mgsctl param list'");
    }
    let last = same.iter().rfind(|(_, cfg)| matches(cfg));
    let last = last.and_then(|(_, cfg)| Some(cfg.buf_str(1)?.split_once('=')?.1.to_owned()));
    for (tag, _) in same.iter().filter(|(_, cfg)| matches(cfg)) {
        tx.skip_values(PARAMS, tag, path, (!value.is_empty()).then_some(text.as_str()))?;
    }
    let left = stored.map(|mut known| {
        known.values.retain(|v| !v.unset && !value.is_empty() && v.value != value);
        known
    });
    let left = left.filter(|known| !known.values.is_empty());
    let gone = left.is_none();
    tx.set_set_setting(path, left);
    tx.event(event(PARAMS, path, value, true));
    if !gone && doing.revert {
        keepers(tx, path, last.as_deref(), &[PARAMS.to_owned()], "it has several values at a time");
    }
    if gone && last.is_some() && doing.revert {
        revert(tx, path, last.as_deref())?;
    }
    Ok(())
}

/// Nodes that run are told the default, where it is known and nothing else holds.
fn revert(tx: &mut Tx<'_>, path: &str, last: Option<&str>) -> Result<(), Error> {
    let logs = [PARAMS.to_owned()];
    let mut others = gate::same_elsewhere(tx, Syntax::SetParam, path);
    others.extend(tx.set_settings().into_iter().filter_map(|(other, setting)| {
        let value = setting.values.last().filter(|v| !v.unset)?;
        (other != path && tunables::overlap(other, path)).then(|| format!("{other}={}", value.value))
    }));
    if let Some(other) = others.first() {
        keepers(tx, path, last, &logs, &format!("then {other} holds"));
        return Ok(());
    }
    if compound(path) {
        keepers(tx, path, last, &logs, "it has several values at a time");
        return Ok(());
    }
    let default = match gate::default_of(tx, Syntax::SetParam, path) {
        Ok(default) => default,
        Err(why) => {
            keepers(tx, path, last, &logs, &why);
            return Ok(());
        }
    };
    if last == Some(default.as_str()) {
        return Ok(());
    }
    write_path(tx, path, &default)?;
    tx.warn(format!("nodes that run are told the default, {default}"));
    let value = settings::Value { unset: true, ..tx.assigned_now(&default, None) };
    tx.set_set_setting(path, Some(settings::Setting { values: vec![value] }));
    Ok(())
}

/// Live records of `params` with this path, under whichever tag.
fn sections(tx: &Tx<'_>, path: &str) -> Vec<(String, LustreCfg)> {
    let mut out = Vec::new();
    let mut open = None;
    let Some(entry) = tx.log(PARAMS) else { return out };
    for cfg in entry.log.records().filter(|r| r.live).filter_map(|r| r.cfg().ok()) {
        match cfg.marker() {
            Some(m) => {
                let hit = m.is_start() && !m.is_skip() && m.comment == path;
                open = hit.then_some(m.tgtname);
            }
            None => out.extend(open.clone().map(|tag| (tag, cfg))),
        }
    }
    out
}

/// The tag of a path: the file system that it names behind its first dot, or `general`. It is for people; a path is
/// replaced and deleted under any tag.
fn tag(tx: &Tx<'_>, path: &str) -> String {
    let rest = path.split_once('.').map_or("", |(_, rest)| rest);
    let named = tx.file_systems().into_iter().filter(|fs| rest.contains(fs.as_str()));
    named.max_by_key(String::len).unwrap_or_else(|| "general".to_owned())
}

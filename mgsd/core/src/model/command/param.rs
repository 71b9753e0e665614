//! Noun `param`: `conf_param` writes into the logs of one file system, `set_param -P` into the log `params` that every
//! node reads (mgs/07).

use super::gate;
use crate::Errno;
use crate::error::Error;
use crate::model::Resource;
use crate::model::commit::EventKind;
use crate::model::conf_param::{self, Scope, Setting, compound};
use crate::model::names::{TargetId, client_log};
use crate::model::tx::Tx;
use llog::lcfg::{LustreCfg, cmd};
use std::collections::BTreeMap;
use wire::ldlm::ConfigKind;

/// How an assignment is spelled, and so where it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// `DEVICE.PARAM=VALUE`: the logs of one file system.
    ConfParam,
    /// `PATH=VALUE`: the log `params`, for every node.
    SetParam,
}

/// Changes of parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// An assignment as somebody typed it.
    Assign {
        /// `testfs-OST0000.osc.max_dirty_mb=64`, `osc.*.max_dirty_mb=64`; of a deletion also without a value.
        text: String,
        /// How it is meant; by default `conf_param` when it begins with the name of a file system of this MGS.
        syntax: Option<Syntax>,
        /// Take it away.
        delete: bool,
        /// Take a name that the catalogue of tunables does not know. Nothing else.
        force: bool,
    },
    /// `lctl conf_param DEVICE.PARAM=VALUE`, with `-d` or without a value a deletion.
    Conf {
        /// `testfs`, `testfs-OST0000`, also with the suffix `-osc`, `-mdc`, `-mdtlov` or `-client`.
        device: String,
        /// `osc.max_dirty_mb`.
        name: String,
        /// `64`; for a deletion, only this value.
        value: String,
        /// Take it away: mounts to come see the default.
        delete: bool,
    },
    /// `lctl set_param -P PATH=VALUE`.
    Set {
        /// `osc.*.max_dirty_mb`.
        path: String,
        /// `64`; for a deletion, only this value.
        value: String,
        /// Take it away.
        delete: bool,
    },
}

/// The log of `set_param -P`.
pub const PARAMS: &str = "params";
/// Longest `name=value` of a record: what a node's buffer takes with its device and NULs.
const TEXT_MAX: usize = 4000;

impl Command {
    const fn deletes(&self) -> bool {
        match self {
            Self::Assign { delete, .. } => *delete,
            Self::Conf { value, delete, .. } | Self::Set { value, delete, .. } => *delete || value.is_empty(),
        }
    }

    pub(super) fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        match self {
            Self::Assign { .. } => {}
            Self::Conf { name, value, .. } | Self::Set { path: name, value, .. } => check_text(name, value)?,
        }
        match self {
            Self::Assign { text, syntax, delete, force } => {
                let (syntax, command) = assigned(tx, text, *syntax, *delete)?;
                // Whatever is stored may be taken away.
                if !command.deletes() {
                    for warning in gate::judge(tx, text, syntax, *force)? {
                        tx.warn(warning);
                    }
                }
                command.plan(tx)
            }
            Self::Conf { device, name, value, delete } => conf(tx, device, name, value, *delete),
            Self::Set { path, value, delete } => set(tx, path, value, *delete),
        }
    }
}

/// Takes an assignment apart.
fn assigned(
    tx: &Tx<'_>,
    text: &str,
    syntax: Option<Syntax>,
    delete: bool,
) -> Result<(Syntax, Command), Error> {
    let (left, value) = text.split_once('=').map_or((text, None), |(left, value)| (left, Some(value)));
    let refuse = |what: &str, hint: &str| {
        Err(Error::refused(format!("assignment '{}'", text.escape_default()), Errno::EINVAL, what, hint))
    };
    if value.is_none() && !delete {
        return refuse("has no '=' (syntax)", "write NAME=VALUE, such as testfs-OST0000.osc.max_dirty_mb=64");
    }
    let value = value.unwrap_or_default().to_owned();
    let first = left.split_once('.');
    let ours = first.is_some_and(|(device, _)| {
        let fs = tx.file_systems();
        fs.contains(device)
            || fs.iter().any(|fs| device.strip_prefix(fs.as_str()).is_some_and(|r| r.starts_with('-')))
    });
    let syntax = syntax.unwrap_or(if ours { Syntax::ConfParam } else { Syntax::SetParam });
    match (syntax, first) {
        (Syntax::ConfParam, Some((device, name))) => {
            Ok((syntax, Command::Conf { device: device.to_owned(), name: name.to_owned(), value, delete }))
        }
        (Syntax::ConfParam, None) => {
            refuse("names no device (syntax)", "write DEVICE.PARAM=VALUE, such as testfs.sys.timeout=100")
        }
        (Syntax::SetParam, _) => Ok((syntax, Command::Set { path: left.to_owned(), value, delete })),
    }
}

/// A parameter in force: what a node that mounts now is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InForce {
    /// `testfs`, `testfs-OST0000`; `None` for `set_param -P`.
    pub device: Option<String>,
    /// `osc.max_dirty_mb`, or a path.
    pub name: String,
    /// `64`.
    pub value: String,
    /// Logs that hold it, each with the index of the record.
    pub logs: Vec<(String, u32)>,
}

/// Parameters of a file system in force, or those of `set_param -P`, in the order of their names. What a device per
/// MDT repeats is shown once.
pub fn in_force<'a>(logs: impl IntoIterator<Item = (&'a str, &'a llog::Log)>) -> Vec<InForce> {
    type Key = (Option<String>, String, String);
    let mut found: BTreeMap<Key, Vec<(String, u32)>> = BTreeMap::new();
    for (log, entry) in logs {
        let mut head = None;
        for record in entry.records().filter(|r| r.live) {
            let Ok(cfg) = record.cfg() else { continue };
            if let Some(m) = cfg.marker() {
                head = (m.is_start() && !m.is_skip()).then_some(m.tgtname);
                continue;
            }
            let Some(tgtname) = &head else { continue };
            let set = cfg.command == cmd::SET_PARAM;
            let known = [cmd::PARAM, cmd::SET_PARAM, cmd::SET_TIMEOUT, cmd::SET_LDLM_TIMEOUT];
            let text = cfg.buf_str(1).filter(|_| known.contains(&cfg.command));
            let Some((name, value)) = text.and_then(|t| t.split_once('=')) else { continue };
            // The failout mode of a target stands beside its set-up, and is no parameter that somebody set.
            let device = (!set).then(|| owner(tgtname));
            let key = (device, name.to_owned(), value.to_owned());
            found.entry(key).or_default().push((log.to_owned(), record.index));
        }
    }
    let shown = |((device, name, value), logs)| InForce { device, name, value, logs };
    found.into_iter().map(shown).collect()
}

/// The file system or target whose device this is: `testfs-OST0000-osc-MDT0000` is `testfs-OST0000`.
fn owner(device: &str) -> String {
    let parts: Vec<&str> = device.split('-').collect();
    let last = parts.iter().position(|part| TargetId::parse(part).is_some());
    match last {
        Some(at) => parts.get(..=at).unwrap_or_default().join("-"),
        None => device
            .strip_suffix("-client")
            .or_else(|| device.strip_suffix("-clilov"))
            .unwrap_or(device)
            .to_owned(),
    }
}

/// What no parameter may have, whatever its name: it would end up in a shell or break a record.
fn check_text(name: &str, value: &str) -> Result<(), Error> {
    let object = || format!("parameter '{}'", name.escape_default());
    if name.is_empty() || name.contains('=') || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Error::refused(
            object(),
            Errno::EINVAL,
            "is no name of a parameter",
            "a name has no '=', no blank and is not empty, such as osc.max_dirty_mb",
        ));
    }
    if value.chars().any(char::is_control) {
        return Err(Error::refused(
            object(),
            Errno::EINVAL,
            "has a value with control characters",
            "values are one line of text",
        ));
    }
    if name.len() + value.len() > TEXT_MAX {
        return Err(Error::refused(
            object(),
            Errno::E2BIG,
            "is too long",
            format!("name and value have {TEXT_MAX} bytes together"),
        ));
    }
    Ok(())
}

/// The file system and the part of it that a device of `conf_param` means.
///
/// # Errors
/// No such file system or target.
pub fn device(tx: &Tx<'_>, text: &str) -> Result<(String, Scope), Error> {
    let object = || format!("device '{}'", text.escape_default());
    if text.len() > 63 {
        return Err(Error::refused(
            object(),
            Errno::E2BIG,
            "is too long",
            "a device has at most 63 characters",
        ));
    }
    let known = |fs: &str| tx.head(fs).is_some() && !tx.log_is_empty(&client_log(fs));
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
        Some(id) if tx.target(fs, id).is_some() => Ok((fs.to_owned(), Scope::Target(id))),
        Some(_) => Err(Error::refused(
            object(),
            Errno::ENOENT,
            "is not registered; its record would end every mount with an error",
            format!("see 'mgsctl target list --fs {fs}'"),
        )),
        None => Err(Error::refused(
            object(),
            Errno::EINVAL,
            "is neither a file system nor a target",
            format!("name {fs}, or a target such as {fs}-OST0000"),
        )),
    }
}

fn conf(tx: &mut Tx<'_>, of: &str, name: &str, value: &str, delete: bool) -> Result<(), Error> {
    let (fs, scope) = device(tx, of)?;
    let fs = fs.as_str();
    let setting = Setting { fs, scope, name, value, delete };
    if !setting.is_known() {
        return Err(Error::refused(
            format!("parameter '{of}.{}'", name.escape_default()),
            Errno::EINVAL,
            "is of no class that a node executes",
            "classes: sys, quota, failover, osc, mdc, lov, llite, mdt, mdd, lod, ost, osd; others with 'set -P'",
        ));
    }
    let before = tx.changed_logs();
    conf_param::set(tx, &setting)?;
    changed(tx, before, fs, ConfigKind::Config, of, name, value, delete)
}

/// Notes what was done, unless all was so already.
#[allow(clippy::too_many_arguments)] // fields of one event
fn changed(
    tx: &mut Tx<'_>,
    before: (usize, usize),
    base: &str,
    kind: ConfigKind,
    device: &str,
    name: &str,
    value: &str,
    delete: bool,
) -> Result<(), Error> {
    if tx.changed_logs() == before {
        return Ok(());
    }
    let (device, name) = (device.to_owned(), name.to_owned());
    tx.event(match delete || value.is_empty() {
        true => EventKind::ParamDeleted { device, name },
        false => EventKind::ParamSet { device, name, value: value.to_owned() },
    });
    tx.touch(Resource::new(base, kind));
    Ok(())
}

fn set(tx: &mut Tx<'_>, path: &str, value: &str, delete: bool) -> Result<(), Error> {
    let refuse = |errno, what: &str, hint: &str| {
        Err(Error::refused(format!("parameter '{}'", path.escape_default()), errno, what, hint))
    };
    let last = path.rsplit('.').next().unwrap_or(path);
    if path.starts_with("failover.mode") {
        return refuse(Errno::EPERM, "is fixed when a target is formatted", "format it again");
    }
    if ["failover.", "srpc."].iter().any(|class| path.starts_with(class)) || path.contains(".failover.node") {
        return refuse(Errno::EINVAL, "belongs to one target", "use 'mgsctl param set TARGET.NAME=VALUE'");
    }
    if path.starts_with("llite.") && ["root_squash", "nosquash_nids"].contains(&last) {
        return refuse(Errno::EINVAL, "is set by the servers", "set mdt.*.root_squash");
    }
    let deleting = delete || value.is_empty();
    let text = format!("{path}={value}");
    let same: Vec<(String, LustreCfg)> = sections(tx, path);
    let matches = |cfg: &LustreCfg| value.is_empty() || cfg.buf_str(1) == Some(text.as_str());
    let before = tx.changed_logs();
    if deleting {
        if !same.iter().any(|(_, cfg)| matches(cfg)) {
            return refuse(Errno::ENOENT, "is not set", "see 'mgsctl param list'");
        }
        for (tag, _) in same.iter().filter(|(_, cfg)| matches(cfg)) {
            tx.skip_values(PARAMS, tag, path, (!value.is_empty()).then_some(text.as_str()))?;
        }
    } else {
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
    }
    changed(tx, before, PARAMS, ConfigKind::Params, PARAMS, path, value, delete)
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

//! Noun `param`: `conf_param` writes into the logs of one file system, `set_param -P` into the log `params` that every
//! node reads (mgs/07).

use crate::Errno;
use crate::error::Error;
use crate::model::Resource;
use crate::model::commit::EventKind;
use crate::model::conf_param::{self, Scope, Setting, compound};
use crate::model::names::{TargetId, client_log};
use crate::model::tx::Tx;
use llog::lcfg::LustreCfg;
use wire::ldlm::ConfigKind;

/// Changes of parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
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
    pub(super) fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let (Self::Conf { name, value, .. } | Self::Set { path: name, value, .. }) = self;
        check_text(name, value)?;
        match self {
            Self::Conf { device, name, value, delete } => conf(tx, device, name, value, *delete),
            Self::Set { path, value, delete } => set(tx, path, value, *delete),
        }
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

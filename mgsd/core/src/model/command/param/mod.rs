//! Noun `param`: `conf_param` writes into the logs of one file system, `set_param -P` into the log `params` that every
//! node reads (mgs/07). What is assigned is kept as a setting, too (`model::settings`).

mod conf;
mod connections;
mod in_force;
mod listed;
mod path;

pub use conf::device;
pub(in crate::model) use conf::{part_of, set as set_conf};
pub use connections::{Connection, FAILOVER, connections, typed};
pub use in_force::{InForce, ParamRecord, in_force, records};
pub use listed::{Listed, listed};
pub use path::PARAMS;
pub(in crate::model) use path::{named_target, write_path};

use super::gate::{self, How};
use crate::Errno;
use crate::error::Error;
use crate::model::commit::EventKind;
use crate::model::conf_param::Scope;
use crate::model::names::TargetId;
use crate::model::settings::{ParamPolicy, Validation};
use crate::model::tx::Tx;
use tunables::canonical;

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
        /// Take it away; nodes that run are told the default, where it is known.
        delete: bool,
        /// Take a name that the catalogue of tunables does not know. Nothing else.
        force: bool,
        /// Take a target that has not registered: the setting waits for it.
        wait: bool,
    },
    /// `lctl conf_param DEVICE.PARAM=VALUE`, with `-d` or without a value a deletion. Not judged.
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
    /// `lctl set_param -P PATH=VALUE`. Not judged.
    Set {
        /// `osc.*.max_dirty_mb`.
        path: String,
        /// `64`; for a deletion, only this value.
        value: String,
        /// Take it away.
        delete: bool,
    },
    /// Whether wrong assignments are refused or warned of.
    Validation(Validation),
    /// A program that nodes may be told to run, or not any more. For root alone.
    Program {
        /// Its whole path.
        program: String,
        /// It may be.
        allowed: bool,
    },
}

/// What is done with a name and a value.
#[derive(Clone, Copy, Debug, Default)]
struct Doing {
    /// Take it away.
    delete: bool,
    /// Tell nodes that run of the default.
    revert: bool,
    /// The target need not be registered.
    wait: bool,
    /// A class that no node executes is no error.
    lenient: bool,
}

/// Longest `name=value` of a record: what a node's buffer takes with its device and NULs.
const TEXT_MAX: usize = 4000;

impl Command {
    pub(super) fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        match self {
            Self::Assign { text, syntax, delete, force, wait } => {
                let assigned = Assigned::parse(tx, text, *syntax, *delete)?;
                let mut doing =
                    Doing { delete: *delete, revert: true, wait: assigned.waits(tx, *wait), lenient: false };
                if !*delete {
                    let how = How { force: *force, wait: doing.wait };
                    let passed = gate::judge(tx, text, assigned.typed, how)?;
                    check_text(&assigned.name, &assigned.value)?;
                    doing.lenient = tx.validation() == Validation::Warn;
                    passed.warnings.into_iter().for_each(|warning| tx.warn(warning));
                    assigned.warn_of_others(tx);
                    assigned.plan(tx, doing)?;
                    if let Some(event) = passed.tolerated.filter(|_| tx.has_events()) {
                        tx.event(event);
                    }
                    return Ok(());
                }
                check_text(&assigned.name, &assigned.value)?;
                assigned.plan(tx, doing)
            }
            Self::Conf { device, name, value, delete } => {
                check_text(name, value)?;
                conf::assign(
                    tx,
                    device,
                    name,
                    value,
                    Doing { delete: *delete || value.is_empty(), ..Doing::default() },
                )
            }
            Self::Set { path, value, delete } => {
                check_text(path, value)?;
                path::assign(
                    tx,
                    path,
                    value,
                    Doing { delete: *delete || value.is_empty(), ..Doing::default() },
                )
            }
            Self::Program { program, allowed } => allow(tx, program, *allowed),
            Self::Validation(validation) => {
                let before = tx.validation();
                if before != *validation {
                    tx.event(EventKind::ValidationSet { validation: *validation, before });
                    tx.set_param_policy(ParamPolicy { validation: *validation, ..tx.param_policy().clone() });
                }
                Ok(())
            }
        }
    }
}

/// Who may have programs run as root on every node is root here, and nobody else.
const ROOT: &str = "uid:0";
/// Longest path of a program.
const PROGRAM_MAX: usize = 255;
/// Most programs on the list.
const PROGRAMS: usize = 64;

fn allow(tx: &mut Tx<'_>, program: &str, allowed: bool) -> Result<(), Error> {
    let refuse = |errno, what: &str, hint: &str| {
        Err(Error::refused(format!("program '{}'", program.escape_default()), errno, what, hint))
    };
    if tx.actor() != ROOT {
        let what = "is allowed by root alone: nodes run it as root";
        return refuse(Errno::EPERM, what, "ask root of this host").map_err(|error: Error| {
            let verb = if allowed { "allow" } else { "forbid" };
            error.forbidden("privilege", format!("param {verb} {program}"))
        });
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/_-.+".contains(&b);
    let parts = program.split('/').skip(1);
    let whole = program.starts_with('/') && parts.clone().all(|part| !["", ".", ".."].contains(&part));
    if !whole || program.len() > PROGRAM_MAX || !program.bytes().all(plain) {
        let hint = "a whole path of letters, digits and '_-.+', such as /usr/sbin/l_getidentity";
        return refuse(Errno::EINVAL, "is no path of a program", hint);
    }
    let mut policy = tx.param_policy().clone();
    let changed =
        if allowed { policy.programs.insert(program.to_owned()) } else { policy.programs.remove(program) };
    if policy.programs.len() > PROGRAMS {
        return refuse(Errno::ENOSPC, "is one too many", "at most 64 programs; forbid one first");
    }
    if changed {
        tx.event(EventKind::ProgramAllowed { program: program.to_owned(), allowed });
        tx.set_param_policy(policy);
    }
    Ok(())
}

/// An assignment taken apart.
struct Assigned {
    /// As it was typed.
    typed: Syntax,
    /// As it is kept.
    syntax: Syntax,
    /// Of `conf_param`.
    device: String,
    name: String,
    value: String,
}

impl Assigned {
    fn parse(tx: &Tx<'_>, text: &str, syntax: Option<Syntax>, delete: bool) -> Result<Self, Error> {
        let (left, value) = text.split_once('=').map_or((text, None), |(left, value)| (left, Some(value)));
        let refuse = |what: &str, hint: &str| {
            Err(Error::refused(format!("assignment '{}'", text.escape_default()), Errno::EINVAL, what, hint))
        };
        if value.is_none() && !delete {
            return refuse(
                "has no '=' (syntax)",
                "write NAME=VALUE, such as testfs-OST0000.osc.max_dirty_mb=64",
            );
        }
        let value = value.unwrap_or_default().to_owned();
        let first = left.split_once('.');
        let ours = first.is_some_and(|(device, _)| {
            tx.knows_fs(device)
                || device.match_indices('-').any(|(at, _)| device.get(..at).is_some_and(|fs| tx.knows_fs(fs)))
        });
        // A file system that is mistyped: tesfts.sys.timeout.
        let meant = || {
            let (device, rest) = first?;
            let class = rest.split('.').next()?;
            let is_path =
                tunables::prefix(device).is_some() || !tx.view.catalogue.by_pattern(left).is_empty();
            Some(!is_path && rest.contains('.') && tunables::prefix(class).is_some())
        };
        let conf = ours || meant() == Some(true);
        let syntax = syntax.unwrap_or(if conf { Syntax::ConfParam } else { Syntax::SetParam });
        let (device, name) = match (syntax, first) {
            (Syntax::ConfParam, Some((device, name))) => (device.to_owned(), name.to_owned()),
            (Syntax::ConfParam, None) => {
                return refuse(
                    "names no device (syntax)",
                    "write DEVICE.PARAM=VALUE, such as testfs.sys.timeout=100",
                );
            }
            // One name, however its parts are separated.
            (Syntax::SetParam, _) => {
                let path = canonical(tunables::Syntax::SetParamP, left);
                if let Some((target, name)) = connection_of(&path) {
                    let (device, name) = (target.to_owned(), name.to_owned());
                    return Ok(Self { typed: syntax, syntax: Syntax::ConfParam, device, name, value });
                }
                (String::new(), path)
            }
        };
        Ok(Self { typed: syntax, syntax, device, name, value })
    }

    /// Says what else sets the same, and which of the two holds.
    fn warn_of_others(&self, tx: &mut Tx<'_>) {
        /// Most that are named.
        const NAMED: usize = 3;
        let mut others = gate::same_elsewhere(tx, self.syntax, &self.spelled());
        if others.len() > NAMED {
            let more = others.len() - NAMED;
            others.truncate(NAMED);
            others.push(format!("{more} more"));
        }
        let others = others.join(", ");
        match self.syntax {
            _ if others.is_empty() => {}
            Syntax::ConfParam => tx.warn(format!("a node that mounts takes {others}, which comes behind it")),
            Syntax::SetParam => tx.warn(format!("it comes behind {others}, and wins at every mount")),
        }
    }

    /// As it is typed.
    fn spelled(&self) -> String {
        match self.syntax {
            Syntax::ConfParam => format!("{}.{}", self.device, self.name),
            Syntax::SetParam => self.name.clone(),
        }
    }

    /// Its target may be one that has not registered: somebody said so, or it is expected.
    fn waits(&self, tx: &Tx<'_>, asked: bool) -> bool {
        asked
            || named_target(tx, &self.spelled()).is_some_and(|(fs, id)| {
                let returns = tx.returning(&fs).is_some_and(|r| r.targets.contains(&id));
                returns || tx.reserved(&fs, id).is_some()
            })
    }

    fn plan(&self, tx: &mut Tx<'_>, doing: Doing) -> Result<(), Error> {
        match self.syntax {
            Syntax::ConfParam => conf::assign(tx, &self.device, &self.name, &self.value, doing),
            Syntax::SetParam => path::assign(tx, &self.name, &self.value, doing),
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

/// What an assignment is noted as.
fn event(device: &str, name: &str, value: &str, delete: bool) -> EventKind {
    let (device, name) = (device.to_owned(), name.to_owned());
    match delete {
        // before: the transaction knows what went
        true => EventKind::ParamDeleted { device, name, before: Vec::new() },
        false => EventKind::ParamSet { device, name, value: value.to_owned(), before: Vec::new() },
    }
}

/// Where a deletion could not tell running nodes what holds from now on.
fn keepers(tx: &mut Tx<'_>, name: &str, value: Option<&str>, logs: &[String], why: &str) {
    if let (Some(value), false) = (value, logs.is_empty()) {
        tx.warn(format!(
            "nodes that run and have read {} keep {name}={value} until they mount again: {why}",
            logs.join(", ")
        ));
    }
}

/// The device of an event: a file system or one of its targets.
fn device_name(fs: &str, scope: Scope) -> String {
    match scope {
        Scope::Fs => fs.to_owned(),
        Scope::Target(id) => id.svname(fs),
    }
}

fn registered(tx: &Tx<'_>, fs: &str, scope: Scope) -> bool {
    match scope {
        Scope::Fs => true,
        Scope::Target(id) => tx.target(fs, id).is_some(),
    }
}

/// The target in `obdfilter.TARGET.failover.node`. No node has such a path: it means the connections in the logs, which
/// `conf_param` writes.
pub(in crate::model) fn connection_of(path: &str) -> Option<(&str, &str)> {
    let (_, target) = path.strip_suffix(FAILOVER)?.strip_suffix('.')?.rsplit_once('.')?;
    TargetId::parse(target.rsplit_once('-')?.1).map(|_| (target, FAILOVER))
}

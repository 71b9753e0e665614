//! Noun `nodemap`: every editing command of a kernel MGS (mgs/08, 8.2), many at once. All of them are done or none, in
//! one commit, and servers are told once.

mod claim;
mod fileset;
mod property;

use crate::Errno;
use crate::error::Error;
use crate::model::Resource;
use crate::model::commit::EventKind;
use crate::model::nodemap::{DEFAULT, ID_MAX, NAME_MAX, Nodemap};
use crate::model::tx::Tx;
use std::fmt;
use wire::ldlm::ConfigKind;
use wire::nodemap::IdKind;

/// Most edits of one batch.
pub const MAX_EDITS: usize = 262_144;
/// Edits that the record of a commit tells in full.
const TOLD: usize = 64;

/// Changes of nodemaps: all, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// In this order.
    pub edits: Vec<Edit>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Nodemaps are in force, or not.
    Activate(bool),
    /// Something about one of them.
    Of {
        /// Its name; for a ban also `?`: whose range it is.
        name: String,
        /// What.
        action: Action,
    },
}

/// What is done to a nodemap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is made, with the properties of the default nodemap.
    Add,
    /// It is removed with all that belongs to it.
    Del,
    /// A property gets a value, as `lctl nodemap_modify` takes it.
    Set {
        /// `admin`, `squash_uid`, `rbac` and so on.
        property: String,
        /// `1`, `99`, `file_perms,dne_ops`, `+quota_ops`.
        value: String,
    },
    /// NIDs belong to it.
    AddRange(String),
    /// They no longer do. Banned ones among them are forgotten.
    DelRange(String),
    /// NIDs may not connect.
    Ban(String),
    /// They may again.
    Unban(String),
    /// Ids of clients become ids of the file system.
    AddIdmap {
        /// Of what.
        kind: IdKind,
        /// `500:1000`, `500-599:1000-1099`.
        map: String,
    },
    /// They no longer do.
    DelIdmap {
        /// Of what.
        kind: IdKind,
        /// The same.
        map: String,
    },
    /// Ids `0..limit` become `start..start + limit`.
    AddOffset {
        /// First id in the file system.
        start: u64,
        /// How many.
        limit: u64,
    },
    /// They no longer do.
    DelOffset,
    /// The primary fileset is this, or with an empty path none.
    SetFileset(String),
    /// A fileset is added.
    AddFileset {
        /// From the root of the file system.
        path: String,
        /// Beside the primary one.
        alternate: bool,
        /// Read-only.
        ro: bool,
    },
    /// A fileset is removed; without a path all of them.
    DelFileset(Option<String>),
    /// A fileset becomes another.
    ModifyFileset {
        /// Which.
        path: String,
        /// New path.
        rename: Option<String>,
        /// Primary or alternate from now on.
        alternate: Option<bool>,
        /// Read-only or not from now on.
        ro: Option<bool>,
    },
    /// SELinux policy of its clients; an empty one is none.
    SetSepol(String),
    /// Capabilities of ordinary users.
    SetCaps {
        /// `off`, `mask`, `set`.
        kind: String,
        /// `cap_chown,cap_fowner`, `+cap_mknod`, or a number.
        caps: String,
    },
}

/// What an edit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Did {
    /// All was so already.
    Nothing,
    /// Something that servers do not read.
    Kept,
    /// Something that they read.
    Served,
}

impl Did {
    const fn served(changed: bool) -> Self {
        if changed { Self::Served } else { Self::Nothing }
    }
}

impl Command {
    pub(in crate::model) fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        if self.edits.len() > MAX_EDITS {
            return Err(Error::refused(
                "batch of nodemap edits",
                Errno::E2BIG,
                format!("has {} edits", self.edits.len()),
                format!("at most {MAX_EDITS} go into one"),
            ));
        }
        let mut told = Vec::new();
        let (mut done, mut served) = (0, false);
        for (number, edit) in (1..).zip(&self.edits) {
            let did = edit.plan(tx).map_err(|error| match error {
                Error::Refused { object, what, hint, errno } if self.edits.len() > 1 => {
                    Error::Refused { object: format!("edit {number}, {object}"), what, hint, errno }
                }
                other => other,
            })?;
            if did != Did::Nothing {
                done += 1;
                if told.len() < TOLD {
                    told.push(edit.to_string());
                }
            }
            served |= did == Did::Served;
        }
        if done == 0 {
            return Ok(());
        }
        if served {
            let mut head = tx.nodemap_head();
            head.version = tx.seq();
            tx.set_nodemap_head(head);
            tx.touch(Resource::new("nodemap", ConfigKind::Nodemap));
        }
        let more = done - told.len();
        tx.event(EventKind::NodemapsEdited { edits: told, more });
        Ok(())
    }
}

impl Edit {
    fn plan(&self, tx: &mut Tx<'_>) -> Result<Did, Error> {
        let (name, action) = match self {
            Self::Activate(active) => {
                let mut head = tx.nodemap_head();
                let did = Did::served(head.active != *active);
                head.active = *active;
                tx.set_nodemap_head(head);
                return Ok(did);
            }
            Self::Of { name, action } => (name.as_str(), action),
        };
        check_name(name, action)?;
        match action {
            Action::Add => add(tx, name),
            Action::Del => del(tx, name),
            Action::Set { property, value } => property::set(tx, name, property, value),
            Action::AddRange(range) => claim::add_range(tx, name, range),
            Action::DelRange(range) => claim::del_range(tx, name, range),
            Action::Ban(range) => claim::ban(tx, name, range),
            Action::Unban(range) => claim::unban(tx, name, range),
            Action::AddIdmap { kind, map } => claim::add_idmap(tx, name, *kind, map),
            Action::DelIdmap { kind, map } => claim::del_idmap(tx, name, *kind, map),
            Action::AddOffset { start, limit } => claim::add_offset(tx, name, *start, *limit),
            Action::DelOffset => claim::del_offset(tx, name),
            Action::SetFileset(path) => fileset::set(tx, name, path),
            Action::AddFileset { path, alternate, ro } => fileset::add(tx, name, path, *alternate, *ro),
            Action::DelFileset(path) => fileset::del(tx, name, path.as_deref()),
            Action::ModifyFileset { path, rename, alternate, ro } => {
                fileset::modify(tx, name, path, rename.as_deref(), *alternate, *ro)
            }
            Action::SetSepol(sepol) => property::sepol(tx, name, sepol),
            Action::SetCaps { kind, caps } => property::caps(tx, name, kind, caps),
        }
    }
}

fn object(name: &str) -> String {
    format!("nodemap '{}'", name.escape_default())
}

fn refused<T>(
    name: &str,
    errno: Errno,
    what: impl Into<String>,
    hint: impl Into<String>,
) -> Result<T, Error> {
    Err(Error::refused(object(name), errno, what, hint))
}

fn check_name(name: &str, action: &Action) -> Result<(), Error> {
    let guess = name == claim::WHOSE && matches!(action, Action::Ban(_) | Action::Unban(_));
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if guess || (letters && (1..=NAME_MAX).contains(&name.len())) {
        return Ok(());
    }
    let errno = match action {
        Action::Add if name.len() > NAME_MAX => Errno::ENAMETOOLONG,
        _ => Errno::EINVAL,
    };
    let what = if name.len() > NAME_MAX { "name is too long" } else { "is no name of a nodemap" };
    refused(name, errno, what, format!("1 to {NAME_MAX} letters, digits or '_'"))
}

/// The nodemap, to change it.
fn known<'a>(tx: &'a mut Tx<'_>, name: &str) -> Result<&'a mut Nodemap, Error> {
    match tx.nodemap_mut(name) {
        Some(map) => Ok(map),
        None => unknown(name),
    }
}

fn unknown<T>(name: &str) -> Result<T, Error> {
    refused(name, Errno::ENOENT, "does not exist", "see 'mgsctl nodemap list', or add it")
}

/// The same for what the default nodemap cannot have.
fn other<'a>(tx: &'a mut Tx<'_>, name: &str, what: &str) -> Result<&'a mut Nodemap, Error> {
    if name == DEFAULT {
        let hint = "make a nodemap for these clients with 'mgsctl nodemap add'";
        return refused(
            name,
            Errno::EINVAL,
            format!("is of whoever no other claims, and has no {what}"),
            hint,
        );
    }
    known(tx, name)
}

fn add(tx: &mut Tx<'_>, name: &str) -> Result<Did, Error> {
    if tx.nodemap(name).is_some() {
        return refused(name, Errno::EEXIST, "exists already", "see 'mgsctl nodemap list'");
    }
    let mut head = tx.nodemap_head();
    head.last_id += 1;
    if head.last_id > ID_MAX {
        return refused(name, Errno::ENOSPC, "has no id left", format!("there are {ID_MAX} in all"));
    }
    let map = Nodemap::new(head.last_id, tx.nodemap(DEFAULT).unwrap_or(&Nodemap::untouched()));
    tx.set_nodemap_head(head);
    tx.set_nodemap(name, Some(map));
    Ok(Did::Served)
}

fn del(tx: &mut Tx<'_>, name: &str) -> Result<Did, Error> {
    if name == DEFAULT {
        return refused(name, Errno::EINVAL, "cannot be deleted", "set its properties instead");
    }
    if tx.nodemap(name).is_none() {
        return unknown(name);
    }
    tx.set_nodemap(name, None);
    fileset::forget_param(tx, name)?;
    Ok(Did::Served)
}

fn kind(kind: IdKind) -> &'static str {
    match kind {
        IdKind::Uid => "uid",
        IdKind::Gid => "gid",
        IdKind::Projid => "projid",
    }
}

/// In the words of `lctl`, for the record of the commit.
impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, action) = match self {
            Self::Activate(active) => return write!(f, "activate {}", u8::from(*active)),
            Self::Of { name, action } => (name.escape_default(), action),
        };
        match action {
            Action::Add => write!(f, "add {name}"),
            Action::Del => write!(f, "del {name}"),
            Action::Set { property, value } => write!(f, "modify {name} {property}={value}"),
            Action::AddRange(range) => write!(f, "add_range {name} {range}"),
            Action::DelRange(range) => write!(f, "del_range {name} {range}"),
            Action::Ban(range) => write!(f, "banlist_add {name} {range}"),
            Action::Unban(range) => write!(f, "banlist_del {name} {range}"),
            Action::AddIdmap { kind: k, map } => write!(f, "add_idmap {name} {} {map}", kind(*k)),
            Action::DelIdmap { kind: k, map } => write!(f, "del_idmap {name} {} {map}", kind(*k)),
            Action::AddOffset { start, limit } => write!(f, "add_offset {name} {start}+{limit}"),
            Action::DelOffset => write!(f, "del_offset {name}"),
            Action::SetFileset(path) => write!(f, "set_fileset {name} {path}"),
            Action::AddFileset { path, alternate, ro } => {
                let flags = [(*alternate, " alternate"), (*ro, " read-only")];
                let flags: String = flags.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
                write!(f, "fileset_add {name} {path}{flags}")
            }
            Action::DelFileset(path) => write!(f, "fileset_del {name} {}", path.as_deref().unwrap_or("*")),
            Action::ModifyFileset { path, rename, alternate, ro } => {
                write!(f, "fileset_modify {name} {path}")?;
                rename.iter().try_for_each(|to| write!(f, " to {to}"))?;
                let kind = |alternate: &bool| if *alternate { "alternate" } else { "primary" };
                alternate.iter().try_for_each(|a| write!(f, " {}", kind(a)))?;
                ro.iter().try_for_each(|ro| f.write_str(if *ro { " read-only" } else { " writable" }))
            }
            Action::SetSepol(sepol) => write!(f, "set_sepol {name} {sepol}"),
            Action::SetCaps { kind, caps } => write!(f, "set_cap {name} {kind}:{caps}"),
        }
    }
}

//! Filesets: directories that clients of a nodemap see as their root. One is primary, others stand beside it.

use super::{Did, known, refused};
use crate::Errno;
use crate::error::Error;
use crate::model::command::param;
use crate::model::nodemap::sorted::Sorted;
use crate::model::nodemap::{FILESETS, Fileset, PATH_MAX};
use crate::model::tx::Tx;
use wire::nodemap::cluster_flags2 as f2;

type Filesets = Sorted<Fileset>;

fn check(name: &str, path: &str) -> Result<(), Error> {
    if path.len() > PATH_MAX {
        let hint = format!("a path has at most {PATH_MAX} bytes");
        return refused(name, Errno::ENAMETOOLONG, "the path of the fileset is too long", hint);
    }
    if !path.starts_with('/') || path.chars().any(char::is_control) {
        let what = format!("'{}' is no path of a fileset", path.escape_default());
        return refused(name, Errno::EINVAL, what, "it begins with '/', the root of the file system");
    }
    Ok(())
}

fn find(filesets: &Filesets, path: &str) -> Option<u32> {
    filesets.iter().find(|(_, f)| f.path == path).map(|(n, _)| n)
}

/// Puts one in; what cannot be says why.
fn put(name: &str, filesets: &mut Filesets, path: &str, alternate: bool, ro: bool) -> Result<(), Error> {
    if find(filesets, path).is_some() {
        let hint = format!("change it with 'mgsctl nodemap fileset modify {name} {path}'");
        return refused(name, Errno::EEXIST, format!("has the fileset '{path}' already"), hint);
    }
    let number = match alternate {
        false => 0,
        true => (1..).find(|n| !filesets.contains(*n)).unwrap_or(u32::MAX),
    };
    if number as usize >= FILESETS {
        let what = format!("has {} alternate filesets, no more fit", FILESETS - 1);
        return refused(name, Errno::ENOSPC, what, "remove one");
    }
    if let Some(primary) = filesets.get(number) {
        let what = format!("has the primary fileset '{}' already", primary.path);
        return refused(name, Errno::EEXIST, what, "add this one as alternate, or modify the other");
    }
    filesets.insert(number, Fileset { path: path.to_owned(), ro });
    Ok(())
}

/// Filesets live in the index from now on. A kernel MGS of old kept them in the log `params`; what stands there would
/// come back with every mount of a server.
fn in_index(tx: &mut Tx<'_>, name: &str) -> Result<bool, Error> {
    let map = known(tx, name)?;
    let before = map.flags2;
    map.flags2 |= f2::FILESET_IAM;
    let moved = map.flags2 != before;
    if moved {
        forget_param(tx, name)?;
    }
    Ok(moved)
}

/// Takes `nodemap.<name>.fileset` out of the log `params`.
pub(super) fn forget_param(tx: &mut Tx<'_>, name: &str) -> Result<(), Error> {
    let path = format!("nodemap.{name}.fileset");
    if !tx.fileset_params().contains(&path) {
        return Ok(());
    }
    let delete = param::Command::Set { path, value: String::new(), delete: true };
    match delete.plan(tx) {
        Err(error) if error.errno() == Errno::ENOENT => Ok(()),
        done => done,
    }
}

pub(super) fn set(tx: &mut Tx<'_>, name: &str, path: &str) -> Result<Did, Error> {
    known(tx, name)?;
    let none = path.is_empty() || path == "clear";
    if !none {
        check(name, path)?;
    }
    let moved = in_index(tx, name)?;
    let map = known(tx, name)?;
    let before = map.filesets.clone();
    match map.filesets.get_mut(0) {
        _ if none => drop(map.filesets.remove(0)),
        // The kernel takes the mark read-only away as well.
        Some(primary) => *primary = Fileset { path: path.to_owned(), ro: false },
        None => put(name, &mut map.filesets, path, false, false)?,
    }
    let changed = map.filesets != before;
    if none {
        forget_param(tx, name)?;
    }
    Ok(Did::served(changed || moved))
}

pub(super) fn add(tx: &mut Tx<'_>, name: &str, path: &str, alternate: bool, ro: bool) -> Result<Did, Error> {
    let map = known(tx, name)?;
    check(name, path)?;
    if find(&map.filesets, path)
        .is_some_and(|n| (n != 0) == alternate && map.filesets.get(n).is_some_and(|f| f.ro == ro))
    {
        return Ok(Did::Nothing);
    }
    put(name, &mut map.filesets, path, alternate, ro)?;
    in_index(tx, name)?;
    Ok(Did::Served)
}

pub(super) fn del(tx: &mut Tx<'_>, name: &str, path: Option<&str>) -> Result<Did, Error> {
    let map = known(tx, name)?;
    let Some(path) = path else {
        let had = !map.filesets.is_empty();
        map.filesets.clear();
        return Ok(Did::served(had));
    };
    check(name, path)?;
    match find(&map.filesets, path) {
        Some(n) => drop(map.filesets.remove(n)),
        None => return missing(name, path),
    }
    Ok(Did::Served)
}

fn missing<T>(name: &str, path: &str) -> Result<T, Error> {
    let what = format!("has no fileset '{}'", path.escape_default());
    refused(name, Errno::ENOENT, what, format!("see 'mgsctl nodemap show {name}'"))
}

pub(super) fn modify(
    tx: &mut Tx<'_>,
    name: &str,
    path: &str,
    rename: Option<&str>,
    alternate: Option<bool>,
    ro: Option<bool>,
) -> Result<Did, Error> {
    let map = known(tx, name)?;
    if let Some(rename) = rename {
        check(name, rename)?;
    }
    let Some(n) = find(&map.filesets, path) else { return missing(name, path) };
    let before = map.filesets.clone();
    let Some(old) = map.filesets.remove(n) else { return missing(name, path) };
    let new = Fileset { path: rename.unwrap_or(path).to_owned(), ro: ro.unwrap_or(old.ro) };
    let alternate = alternate.unwrap_or(n != 0);
    if alternate == (n != 0) && new.path == old.path {
        // only its mark: it keeps its number
        map.filesets.insert(n, new);
    } else if let Err(error) = put(name, &mut map.filesets, &new.path, alternate, new.ro) {
        map.filesets = before;
        return Err(error);
    }
    Ok(Did::served(map.filesets != before))
}

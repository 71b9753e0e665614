//! A whole file system under another name, or gone: `lctl lcfg_fork`, the rename of `tunefs.lustre --rename`,
//! `lctl lcfg_erase` (mgs/09, 9.2). One commit each.

use super::param::PARAMS;
use crate::Errno;
use crate::error::Error;
use crate::model::commit::EventKind;
use crate::model::names::{check_fsname, client_log};
use crate::model::registration::uuid_text;
use crate::model::tx::Tx;
use crate::model::view::{FsHead, Registered, Target};
use llog::lcfg::{LustreCfg, cmd};
use sha2::{Digest, Sha256};

/// Changes of a file system as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Logs and targets once more under another name, as snapshots need them.
    Fork {
        /// File system.
        from: String,
        /// The new name.
        to: String,
    },
    /// Logs and targets under another name; the old one is free again.
    Rename {
        /// File system.
        from: String,
        /// The new name.
        to: String,
    },
    /// Logs, targets and settings go, and what `set_param -P` has for it.
    Erase {
        /// File system.
        fs: String,
    },
}

impl Command {
    /// The file system that may not be in use meanwhile.
    pub(crate) fn unmounts(&self) -> Option<&str> {
        match self {
            Self::Fork { .. } => None,
            Self::Rename { from: fs, .. } | Self::Erase { fs } => Some(fs),
        }
    }

    pub(super) fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        match self {
            Self::Fork { from, to } => {
                copy(tx, from, to, false)?;
                tx.event(EventKind::FsForked { from: from.clone(), to: to.clone() });
            }
            Self::Rename { from, to } => {
                copy(tx, from, to, true)?;
                gone(tx, from);
                if !params_of(tx, from).is_empty() {
                    tx.warn(format!(
                        "parameters of 'set_param -P' still name '{from}'; see 'mgsctl param list'"
                    ));
                }
                tx.event(EventKind::FsRenamed { from: from.clone(), to: to.clone() });
            }
            Self::Erase { fs } => erase(tx, fs)?,
        }
        Ok(())
    }
}

fn unknown(fs: &str) -> Error {
    let object = format!("file system '{}'", fs.escape_default());
    Error::refused(object, Errno::ENOENT, "has no logs here", "see 'mgsctl fs list'")
}

/// Copies logs, targets and settings; `same`: it is the same file system, with the UUIDs that it has.
fn copy(tx: &mut Tx<'_>, from: &str, to: &str, same: bool) -> Result<(), Error> {
    check_fsname(to)?;
    let object = || format!("file system '{to}'");
    if from == to {
        let hint = "give another name";
        return Err(Error::refused(object(), Errno::EINVAL, "is both the old name and the new one", hint));
    }
    if tx.head(to).is_some() || !tx.logs_of(to).is_empty() {
        let hint = format!("give another name, or erase it with 'mgsctl fs erase {to}'");
        return Err(Error::refused(object(), Errno::EEXIST, "exists already", hint));
    }
    let logs = tx.logs_of(from);
    let Some(head) = tx.head(from).cloned().filter(|_| !logs.is_empty()) else { return Err(unknown(from)) };
    let uuid = |old: &str| if same { old.to_owned() } else { derived(old, to, tx.seq()) };
    let head = match same {
        true => head,
        // a table of its own, still empty
        false => FsHead { uuid: uuid(&head.uuid), created: tx.wall(), nidtbl_version: 2, ..head },
    };
    let targets: Vec<_> = tx
        .targets(from)
        .into_iter()
        .filter_map(|id| {
            let old = tx.target(from, id)?;
            let registered = Registered { seq: tx.seq(), ..old.registered.clone() };
            let text = renamed(old.uuid.as_bytes(), from, to).and_then(|b| String::from_utf8(b).ok());
            let new = Target {
                id: uuid(&old.id),
                uuid: text.unwrap_or_else(|| old.uuid.clone()),
                registered: if same { old.registered.clone() } else { registered },
                ready: same && old.ready,
                ..old.clone()
            };
            Some((id, new, tx.nids(from, id).cloned().filter(|_| same)))
        })
        .collect();
    tx.set_head(to, head);
    for (id, target, nids) in targets {
        tx.set_target(to, id, Some(target));
        tx.set_nids(to, id, nids);
    }
    for log in logs {
        let records = tx.records(&log).into_iter().map(|(_, record)| fork_record(&record, from, to));
        let records = records.collect::<Result<Vec<_>, _>>()?;
        let name = format!("{to}{}", log.get(from.len()..).unwrap_or_default());
        tx.rewrite_log(&name, &records)?;
    }
    let settings: Vec<_> = tx
        .conf_settings(from)
        .into_iter()
        .map(|((scope, name), s)| (*scope, name.clone(), s.clone()))
        .collect();
    for (scope, name, setting) in settings {
        tx.set_conf_setting(to, scope, &name, Some(setting));
    }
    Ok(())
}

/// A UUID for the copy of something that has one: the same whoever plans it.
fn derived(uuid: &str, to: &str, seq: u64) -> String {
    let digest = Sha256::digest(format!("{uuid} {to} {seq}"));
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest.iter()).for_each(|(b, d)| *b = *d);
    uuid_text(bytes)
}

/// Text of a buffer whose name begins with the old file system: `testfs`, `testfs-OST0000`.
fn renamed(buf: &[u8], from: &str, to: &str) -> Option<Vec<u8>> {
    let rest = buf.strip_prefix(from.as_bytes())?;
    matches!(rest.first(), None | Some(0 | b'-')).then(|| [to.as_bytes(), rest].concat())
}

/// Length of the descriptor of a LOV or LMV, and where its UUID lies.
const DESC: (usize, usize) = (88, 48);
/// Size of the UUID field, NUL included.
const UUID: usize = 40;

/// A record for the fork: device, buffers and names that begin with the old name get the new one. The words behind a
/// parameter are kept, and of a pool also the comment of its section; but unlike the kernel's, a comment that names the
/// pool's file system follows, so that the fork's pools can be changed (mgs/12, 42).
fn fork_record(record: &LustreCfg, from: &str, to: &str) -> Result<LustreCfg, Error> {
    let mut out = record.clone();
    if let Some(mut marker) = record.marker() {
        if let Some(name) = renamed(marker.tgtname.as_bytes(), from, to) {
            marker.tgtname = String::from_utf8_lossy(&name).into_owned();
        }
        let pool =
            marker.comment.split_once(' ').filter(|(word, _)| ["new", "add", "rem", "del"].contains(word));
        if let Some((word, rest)) = pool
            && let Some(rest) = rest.strip_prefix(from).filter(|rest| rest.starts_with('.'))
        {
            let rest = rest.replace(&format!(".{from}-"), &format!(".{to}-"));
            marker.comment = format!("{word} {to}{rest}");
        }
        return LustreCfg::marker_rec(&marker).map_err(|e| {
            let hint = "names in a log have at most 63 bytes: take a shorter one";
            Error::refused(format!("section '{}'", marker.comment), Errno::E2BIG, e.to_string(), hint)
        });
    }
    let last = if matches!(record.command, cmd::PARAM | cmd::SET_PARAM) { 1 } else { out.bufs.len() };
    for buf in out.bufs.iter_mut().take(last) {
        if buf.len() == DESC.0 && record.command == cmd::SETUP {
            let uuid = buf.get(DESC.1..DESC.1 + UUID).unwrap_or_default();
            let text = uuid.split(|b| *b == 0).next().unwrap_or_default();
            if let Some(mut new) = renamed(text, from, to) {
                new.resize(UUID, 0);
                buf.splice(DESC.1..DESC.1 + UUID, new);
            }
        } else if let Some(new) = renamed(buf, from, to) {
            *buf = new;
        }
    }
    Ok(out)
}

/// Forgets a file system with its logs, targets, NID table and settings.
fn gone(tx: &mut Tx<'_>, fs: &str) {
    for log in tx.logs_of(fs) {
        tx.erase_log(&log);
    }
    for id in tx.targets(fs) {
        tx.set_target(fs, id, None);
    }
    tx.clear_nids(fs);
    if tx.leave(fs).is_some() {
        tx.set_leave(fs, None);
    }
    if tx.returning(fs).is_some() {
        tx.set_returning(fs, None);
    }
    let settings: Vec<_> = tx.conf_settings(fs).into_keys().cloned().collect();
    for (scope, name) in settings {
        tx.set_conf_setting(fs, scope, &name, None);
    }
    if tx.waiting_pools(fs).is_some() {
        tx.set_waiting_pools(fs, None);
    }
    tx.remove_head(fs);
}

fn erase(tx: &mut Tx<'_>, fs: &str) -> Result<(), Error> {
    if tx.head(fs).is_none() && tx.log(&client_log(fs)).is_none() {
        return Err(unknown(fs));
    }
    gone(tx, fs);
    let params = params_of(tx, fs);
    let indices: Vec<u32> = params.iter().flat_map(|(_, indices)| indices.clone()).collect();
    tx.cancel_records(PARAMS, &indices)?;
    for (path, _) in &params {
        if tx.set_setting(path).is_some() {
            tx.set_set_setting(path, None);
        }
    }
    let params = params.into_iter().map(|(path, _)| path).collect();
    tx.event(EventKind::FsRemoved { fs: fs.to_owned(), params });
    Ok(())
}

/// Parameters of `set_param -P` for a file system: their paths, each with the indices of its section. A path is one of
/// a file system when a part of it names the file system or a device of it. The kernel takes every parameter whose
/// text contains the name anywhere.
fn params_of(tx: &Tx<'_>, fs: &str) -> Vec<(String, Vec<u32>)> {
    let of_fs =
        |part: &str| part.strip_prefix(fs).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    let mut out = Vec::new();
    let mut open: Option<(String, Vec<u32>)> = None;
    for (index, cfg) in tx.records(PARAMS) {
        match cfg.marker() {
            Some(m) if m.is_start() => {
                let named = !m.is_skip() && m.comment.split('.').any(of_fs);
                open = named.then(|| (m.comment, vec![index]));
            }
            Some(_) => {
                if let Some((path, mut indices)) = open.take() {
                    indices.push(index);
                    out.push((path, indices));
                }
            }
            None => {
                if let Some((_, indices)) = &mut open {
                    indices.push(index);
                }
            }
        }
    }
    out
}

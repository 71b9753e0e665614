//! Noun `log`: what is done to configuration logs as such (mgs/09, 9.2).

use crate::Errno;
use crate::error::Error;
use crate::model::commit::EventKind;
use crate::model::conf_param::Scope;
use crate::model::edits::BACKUP;
use crate::model::names::{TargetId, TargetKind, client_log, is_log_of, is_next, log_base, log_of};
use crate::model::tx::Tx;
use llog::lcfg::{LustreCfg, cmd};
use llog::{Log, Marker};

use super::InUse;
use super::param::PARAMS;

/// Changes of logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `lctl llog_cancel`: one record is no longer executed by mounts to come.
    Cancel {
        /// Log.
        log: String,
        /// Record.
        index: u32,
    },
    /// `lctl llog_remove`. `params` is left empty instead: nodes open it at every mount.
    Remove {
        /// Log.
        log: String,
    },
    /// The bits of everything that no reader executes are cleared, while nodes have it mounted: shorter replay. Indices
    /// and bytes stay.
    Compact {
        /// A file system, or one log.
        name: String,
    },
    /// The same, and beside the log a newer generation of it is begun: indices from 1 on, for mounts to come.
    Renew {
        /// Log.
        log: String,
    },
    /// The older generation of a log is given up.
    Retire {
        /// Log.
        log: String,
        /// Although nodes have read it: they hear no more of the log until they mount again.
        force: bool,
    },
    /// `lctl clear_conf`: the logs are written anew without what no reader executes. Indices begin at 1 again, so that
    /// nobody may be connected.
    Clear {
        /// File system, or target.
        name: String,
    },
    /// `lctl del_ost`: mounts to come do not see the OST.
    DelOst {
        /// `testfs-OST0001`.
        target: String,
    },
}

impl Command {
    /// What may not be in use meanwhile.
    pub(crate) fn unmounts(&self) -> Option<InUse<'_>> {
        match self {
            Self::Remove { log } if log.ends_with(BACKUP) => None,
            Self::Remove { log } if log == PARAMS => Some(InUse::All),
            Self::Remove { log } => Some(InUse::Fs(log_base(log))),
            Self::Clear { name } => Some(InUse::Fs(TargetId::parse_svname(name).map_or(name, |(fs, _)| fs))),
            Self::Cancel { .. }
            | Self::Compact { .. }
            | Self::Renew { .. }
            | Self::Retire { .. }
            | Self::DelOst { .. } => None,
        }
    }

    pub(super) fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        self.check_name()?;
        match self {
            Self::Cancel { log, index } => cancel(tx, log, *index),
            Self::Remove { log } => remove(tx, log),
            Self::Compact { name } => compact(tx, name),
            Self::Renew { log } => renew(tx, log),
            Self::Retire { log, .. } => retire(tx, log),
            Self::Clear { name } => clear(tx, name),
            Self::DelOst { target } => del_ost(tx, target),
        }
    }
}

impl Command {
    /// The newer generation of a log changes with the older one, and never alone.
    fn check_name(&self) -> Result<(), Error> {
        let (Self::Cancel { log: name, .. }
        | Self::Remove { log: name }
        | Self::Compact { name }
        | Self::Renew { log: name }
        | Self::Retire { log: name, .. }
        | Self::Clear { name }
        | Self::DelOst { target: name }) = self;
        if is_next(name) {
            let (what, hint) = ("is a generation of a log", format!("name the log, '{}'", log_of(name)));
            return Err(Error::refused(format!("'{}'", name.escape_default()), Errno::EINVAL, what, hint));
        }
        Ok(())
    }
}

/// A log that has to exist and to hold something.
fn known(tx: &Tx<'_>, log: &str) -> Result<(), Error> {
    if tx.log_is_empty(log) {
        let object = format!("log '{}'", log.escape_default());
        return Err(Error::refused(object, Errno::ENOENT, "is not there, or empty", "see 'mgsctl log list'"));
    }
    Ok(())
}

fn cancel(tx: &mut Tx<'_>, log: &str, index: u32) -> Result<(), Error> {
    known(tx, log)?;
    let command = tx.log(log).and_then(|e| e.log.record(index)).and_then(|r| r.command());
    tx.cancel_records(log, &[index])?;
    if command == Some(cmd::MARKER) {
        tx.warn(format!(
            "record {index} was a marker: its section has lost an end; 'mgsctl log print --raw {log}'"
        ));
    }
    tx.event(EventKind::LogRecordsCancelled { log: log.to_owned(), indices: vec![index] });
    Ok(())
}

fn remove(tx: &mut Tx<'_>, log: &str) -> Result<(), Error> {
    if tx.log(log).is_none() {
        return known(tx, log);
    }
    tx.erase_log(log);
    if log == PARAMS {
        tx.create_log(log);
    }
    let fs = log_base(log).to_owned();
    if log == client_log(&fs) && tx.head(&fs).is_some() {
        tx.warn(format!(
            "without its client log '{fs}' begins anew: the next start of MDT0000 erases its other logs"
        ));
    }
    tx.event(EventKind::LogRemoved { log: log.to_owned() });
    Ok(())
}

/// The logs that a name stands for.
fn named(tx: &Tx<'_>, name: &str) -> Result<Vec<String>, Error> {
    let mut logs = if tx.log(name).is_some() { vec![name.to_owned()] } else { tx.logs_of(name) };
    logs.retain(|log| !tx.log_is_empty(log));
    logs.sort_unstable();
    if logs.is_empty() {
        let object = format!("'{}'", name.escape_default());
        let what = "is neither a log with records nor a file system that has one";
        return Err(Error::refused(object, Errno::ENOENT, what, "see 'mgsctl log list'"));
    }
    Ok(logs)
}

fn compact(tx: &mut Tx<'_>, name: &str) -> Result<(), Error> {
    for log in named(tx, name)? {
        let dead = tx.log(&log).map(|entry| dead_records(&entry.log)).unwrap_or_default();
        if !dead.is_empty() {
            tx.cancel_records(&log, &dead)?;
            tx.event(EventKind::LogCompacted { log, records: u32::try_from(dead.len()).unwrap_or(u32::MAX) });
        }
    }
    Ok(())
}

fn renew(tx: &mut Tx<'_>, log: &str) -> Result<(), Error> {
    known(tx, log)?;
    if log.ends_with(BACKUP) {
        let (what, hint) = ("is a backup that nobody reads", "name the log itself");
        return Err(Error::refused(format!("log '{log}'"), Errno::EINVAL, what, hint));
    }
    compact(tx, log)?;
    match tx.renew_log(log)? {
        Some(event) => tx.event(event),
        None => tx.warn(format!("log '{log}' has nothing that a newer generation would leave out")),
    }
    Ok(())
}

fn retire(tx: &mut Tx<'_>, log: &str) -> Result<(), Error> {
    known(tx, log)?;
    let event = tx.retire_log(log)?;
    tx.event(event);
    Ok(())
}

/// Live records that no reader executes: skipped sections with their markers, and what is left of sections whose
/// device or setting was cancelled (`del_ost`, `llog_cancel`): NIDs for a node that nobody names, or nothing at all.
pub fn dead_records(log: &Log) -> Vec<u32> {
    let mut dead = Vec::new();
    let mut open: Option<(Marker, Vec<u32>, bool)> = None;
    let mut lost = false;
    for record in log.records() {
        if !record.live {
            lost |= open.is_some() && !record.is_pad();
            continue;
        }
        let Ok(cfg) = record.cfg() else { continue };
        match cfg.marker() {
            Some(m) if m.is_start() => {
                open = Some((m, vec![record.index], false));
                lost = false;
            }
            Some(_) => {
                if let Some((start, mut indices, serves)) = open.take() {
                    indices.push(record.index);
                    if start.is_skip() || (lost && !serves) {
                        dead.append(&mut indices);
                    }
                }
            }
            None => {
                if let Some((_, indices, serves)) = &mut open {
                    indices.push(record.index);
                    *serves |= cfg.command != cmd::ADD_UUID;
                }
            }
        }
    }
    dead
}

fn clear(tx: &mut Tx<'_>, name: &str) -> Result<(), Error> {
    let target = TargetId::parse_svname(name).map(|(fs, _)| fs);
    let fs = target.unwrap_or(name).to_owned();
    // What follows the last '-' is alphanumeric, so that backups are left alone.
    let mut logs = tx.logs_of(&fs);
    logs.retain(|log| !tx.log_is_empty(log) && (target.is_none() || log == name));
    logs.sort_unstable();
    if logs.is_empty() {
        return known(tx, name);
    }
    let mut backups = Vec::new();
    for log in &logs {
        let kept = in_force(tx.records(log));
        backups.extend(tx.back_up(log));
        tx.rewrite_log(log, &kept)?;
    }
    tx.event(EventKind::LogsRewritten { logs, backups });
    Ok(())
}

/// Without skipped sections. What a reader ignores for another reason stays, as in the kernel.
fn in_force(records: Vec<(u32, LustreCfg)>) -> Vec<LustreCfg> {
    let mut skip = false;
    let mut out = Vec::new();
    for (_, cfg) in records {
        match cfg.marker() {
            Some(m) if m.is_skip() => skip = m.is_start(),
            Some(_) => out.push(cfg),
            None if !skip => out.push(cfg),
            None => {}
        }
    }
    out
}

fn del_ost(tx: &mut Tx<'_>, name: &str) -> Result<(), Error> {
    let refuse = |errno, what: &str, hint: String| {
        Err(Error::refused(format!("target '{}'", name.escape_default()), errno, what, hint))
    };
    let Some((fs, id)) = TargetId::parse_svname(name).filter(|(_, id)| id.kind == TargetKind::Ost) else {
        return refuse(Errno::EINVAL, "is no OST", "write FS-OSTxxxx, such as testfs-OST0001".to_owned());
    };
    if tx.head(fs).is_none() {
        return refuse(Errno::ENOENT, "belongs to no file system here", "see 'mgsctl fs list'".to_owned());
    }
    let name = id.svname(fs);
    let mut logs = vec![client_log(fs)];
    logs.extend(tx.mdts(fs).into_iter().map(|mdt| mdt.svname(fs)));
    logs.retain(|log| is_log_of(fs, log) && tx.log(log).is_some());
    for log in logs {
        let indices = of_target(&tx.records(&log), &name);
        if !indices.is_empty() {
            tx.cancel_records(&log, &indices)?;
            tx.event(EventKind::LogRecordsCancelled { log, indices });
        }
    }
    if tx.target(fs, id).is_some() {
        tx.set_target(fs, id, None);
        tx.set_nids(fs, id, None);
        let settings = tx.conf_settings(fs).into_keys().filter(|(scope, _)| *scope == Scope::Target(id));
        let settings: Vec<_> = settings.cloned().collect();
        settings.into_iter().for_each(|(scope, name)| tx.set_conf_setting(fs, scope, &name, None));
        tx.event(EventKind::TargetRemoved { target: name.clone() });
        tx.warn(format!(
            "running nodes keep {name} until they mount again; 'mgsctl param set {name}.osc.active=0' before this \
             stops them from using it"
        ));
    }
    Ok(())
}

/// Records in force that name a target or one of its devices. NIDs of its nodes stay, as with `lctl del_ost`; compaction
/// takes them.
fn of_target(records: &[(u32, LustreCfg)], name: &str) -> Vec<u32> {
    let mut out = Vec::new();
    let mut live = false;
    for (index, cfg) in records {
        match cfg.marker() {
            Some(m) => live = m.is_start() && !m.is_skip(),
            None if live => {
                let texts = (0..cfg.bufs.len()).filter_map(|i| cfg.buf_str(i));
                if texts.into_iter().any(|text| names(text, name)) {
                    out.push(*index);
                }
            }
            None => {}
        }
    }
    out
}

/// `testfs-OST0001`, `testfs-OST0001-osc`, `testfs-OST0001_UUID`.
fn names(text: &str, target: &str) -> bool {
    let behind = text.strip_prefix(target).map(|rest| rest.bytes().next());
    behind.is_some_and(|next| next.is_none_or(|b| !b.is_ascii_alphanumeric()))
}

//! What a kernel MGS has on its disk becomes what is stored here, in one commit (mgs/11). Logs are taken byte for byte:
//! nodes that have read them from the kernel go on here with the next index. What a kernel keeps nowhere else, targets
//! and settings, is read out of them.

mod targets;

use super::param::Syntax;
use super::{gate, sptlrpc};
use crate::Errno;
use crate::error::Error;
use crate::lint;
use crate::model::Resource;
use crate::model::commit::EventKind;
use crate::model::conf_param::Scope;
use crate::model::logs::{FIRST, LogEntry};
use crate::model::names::{TargetId, check_fsname, log_base};
use crate::model::nodemap::{DEFAULT, index};
use crate::model::registration::uuid_text;
use crate::model::settings::{self, Writeconf};
use crate::model::tx::Tx;
use crate::model::view::FsHead;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use wire::ldlm::ConfigKind;
use wire::nodemap::Entry;

/// What is taken over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Where it was found, for the record of the commit.
    pub from: String,
    /// Log files by name, as they are.
    pub logs: BTreeMap<String, Vec<u8>>,
    /// Version of the NID table of each file system.
    pub tables: BTreeMap<String, u64>,
    /// The nodemap index; `None`: there was none.
    pub nodemaps: Option<Vec<Entry>>,
}

/// Version of a NID table whose version is not known: above what nodes may hold, far below the end at 2^31.
const UNKNOWN_VERSION: u64 = 1 << 16;

fn refused(object: &str, errno: Errno, what: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::refused(object.to_owned(), errno, what, hint)
}

impl Command {
    pub(super) fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let is_so = |(name, file): (&String, &Vec<u8>)| {
            tx.log(name).is_some_and(|e| kept(file).is_ok_and(|(file, _)| e.log.to_file() == *file))
        };
        if self.logs.iter().all(is_so) && !self.logs.is_empty() {
            return Ok(());
        }
        self.check_empty(tx)?;
        let security = self.logs.get(&sptlrpc::log_name(sptlrpc::MGS)).map(|file| llog::Log::from_file(file));
        if let Some(Ok(log)) = &security {
            sptlrpc::can_be_met(log)?;
        }
        for (name, file) in &self.logs {
            take(tx, name, file)?;
        }
        let bases: BTreeSet<&str> =
            self.logs.keys().filter(|name| kind(name).is_some()).map(|name| log_base(name)).collect();
        let mut file_systems = Vec::new();
        for fs in bases {
            match check_fsname(fs) {
                Ok(()) if fs != "_mgs" => {
                    self.file_system(tx, fs);
                    file_systems.push(fs.to_owned());
                }
                _ if fs == "_mgs" => {}
                _ => tx.warn(format!(
                    "file system '{fs}': no file system may have this name; its logs are kept, and served to nobody"
                )),
            }
        }
        paths(tx);
        tx.touch(Resource::new("params", ConfigKind::Params));
        if let Some(entries) = &self.nodemaps {
            nodemaps(tx, entries)?;
        }
        let logs = self.logs.len() as u64;
        tx.as_found();
        tx.event(EventKind::Imported { from: self.from.clone(), logs, file_systems });
        Ok(())
    }

    /// Nothing that nodes hold is written over.
    fn check_empty(&self, tx: &Tx<'_>) -> Result<(), Error> {
        let hint = "import into an mgsd that was started on an empty store";
        if let Some(fs) = tx.file_systems().into_iter().next() {
            return Err(refused(
                "import",
                Errno::EEXIST,
                format!("file system '{fs}' exists here already"),
                hint,
            ));
        }
        let written = tx.view.logs.iter().find(|(_, entry)| !entry.log.is_empty());
        if let Some((name, _)) = written {
            return Err(refused(
                "import",
                Errno::EEXIST,
                format!("log '{name}' has records here already"),
                hint,
            ));
        }
        Ok(())
    }

    fn file_system(&self, tx: &mut Tx<'_>, fs: &str) {
        let logs: Vec<String> = tx.logs_of(fs);
        let markers = logs.iter().filter_map(|log| tx.log(log)).flat_map(|entry| entry.log.records());
        let markers = markers.filter_map(|r| r.cfg().ok()?.marker());
        let (mut generation, mut created) = (1, tx.wall());
        for marker in markers {
            generation = generation.max(marker.step);
            created = created.min(i64::try_from(marker.createtime).unwrap_or(created));
        }
        let nidtbl_version = self.tables.get(fs).copied().unwrap_or_else(|| {
            tx.warn(format!(
                "file system '{fs}': no version of its NID table; it goes on at {UNKNOWN_VERSION}, above what nodes hold"
            ));
            UNKNOWN_VERSION
        });
        let head = FsHead {
            uuid: uuid(fs, tx.seq()),
            created,
            generation,
            nidtbl_version: nidtbl_version.max(2),
            recovery_off: false,
            registration: crate::model::rules::Policy::default(),
            writeconf: Writeconf::default(),
        };
        tx.event(EventKind::FsCreated { fs: fs.to_owned(), uuid: head.uuid.clone() });
        tx.set_head(fs, head);
        for (id, target) in targets::of(tx, fs) {
            tx.set_target(fs, id, Some(target));
        }
        for log in &logs {
            odd(tx, log);
        }
        conf_settings(tx, fs, &logs);
        tx.touch(Resource::new(fs, ConfigKind::Config));
    }
}

/// `client`, `MDT`, `OST`, `sptlrpc`: what a log of a file system is; `None` of backups and of `params`.
fn kind(name: &str) -> Option<&str> {
    let (_, end) = name.rsplit_once('-')?;
    match TargetId::parse(end) {
        Some(_) => end.get(..3),
        None => Some(end).filter(|end| ["client", "sptlrpc"].contains(end)),
    }
}

/// `llh_size`, the length of the shortest record, in the header of a log.
const SIZE: std::ops::Range<usize> = 32..36;

/// The file as it is kept, and what is to be said of that: in our byte order, with the shortest length in its header,
/// which releases before 2.9 left empty.
fn kept(file: &[u8]) -> Result<(Cow<'_, [u8]>, Option<&'static str>), llog::Error> {
    let log = llog::Log::from_file(file)?;
    if log.is_foreign_order() {
        let note = "of the other byte order; turned, record by record: indices and lengths stay";
        return Ok((Cow::Owned(log.to_file()), Some(note)));
    }
    if file.get(SIZE) != Some(&[0; 4]) {
        return Ok((Cow::Borrowed(file), None));
    }
    let (mut filled, whole) = (file.to_vec(), log.header());
    if let (Some(to), Some(from)) = (filled.get_mut(SIZE), whole.get(SIZE)) {
        to.copy_from_slice(from);
    }
    Ok((
        Cow::Owned(filled),
        Some("of a release before 2.9; the length of its shortest record is put into its header"),
    ))
}

/// Puts a file in the place of a log, and makes sure that what is stored gives the same file again.
fn take(tx: &mut Tx<'_>, name: &str, file: &[u8]) -> Result<(), Error> {
    let object = format!("log '{}'", name.escape_default());
    let plain = !name.is_empty()
        && name.len() < 128
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if !plain {
        return Err(refused(
            &object,
            Errno::EINVAL,
            "is no name of a log",
            "letters, digits, '-', '_' and '.'",
        ));
    }
    let hint = "look at it with 'llog check', or leave it out";
    let (file, note) = kept(file).map_err(|e| refused(&object, Errno::EINVAL, e.to_string(), hint))?;
    let log =
        llog::Log::from_file(&file).map_err(|e| refused(&object, Errno::EINVAL, e.to_string(), hint))?;
    if let Some(note) = note {
        tx.warn(format!("{object}: {note}"));
    }
    let seq = tx.seq();
    let entry = tx.log_mut(name)?;
    entry.head.created = log.timestamp();
    entry.log = log;
    let mut again = LogEntry::new(entry.head.clone());
    let segment = entry.written_since(None, seq).encode();
    again.set_segment(seq, Some(&segment)).map_err(|e| refused(&object, Errno::EINVAL, e, hint))?;
    let back = again.log.to_file();
    if back != *file {
        let at = back.iter().zip(&*file).take_while(|(a, b)| a == b).count();
        let what = format!("cannot be kept byte for byte: byte {at} of {} differs", file.len());
        return Err(refused(&object, Errno::EINVAL, what, hint));
    }
    Ok(())
}

/// What a reader would stumble over.
fn odd(tx: &mut Tx<'_>, log: &str) {
    let Some(entry) = tx.log(log) else { return };
    let walked = lint::records(log, &entry.log.bytes_from(FIRST), BTreeSet::new(), 1);
    let budget = entry.budget();
    if let Err(violation) = walked {
        tx.warn(violation.to_string());
    }
    if budget.is_low() {
        tx.warn(format!(
            "log '{log}': {} of {} indices are used; renew it (mgsctl log renew)",
            budget.used, budget.limit
        ));
    }
}

/// Settings of a file system, out of the sections in force.
fn conf_settings(tx: &mut Tx<'_>, fs: &str, logs: &[String]) {
    let mut found: BTreeMap<(Scope, String), settings::Setting> = BTreeMap::new();
    let mut unknown: BTreeSet<String> = BTreeSet::new();
    for log in logs {
        let Some(entry) = tx.log(log) else { continue };
        for record in super::param::records(log, &entry.log) {
            let Some(device) = &record.device else { continue };
            if follows(fs, &record.name) {
                continue;
            }
            let scope = match TargetId::parse_svname(device) {
                // Of the whole file system, in the log of each MDT.
                Some((_, id)) if SQUASH.contains(&record.name.as_str()) && tx.target(fs, id).is_some() => {
                    Scope::Fs
                }
                Some((_, id)) if tx.target(fs, id).is_none() => {
                    unknown.insert(format!("{device}.{}", record.name));
                    continue;
                }
                Some((_, id)) => Scope::Target(id),
                None => Scope::Fs,
            };
            let value = value(tx, &record.value, record.created);
            let setting = found.entry((scope, record.name.clone())).or_default();
            *setting = settings::assigned(Some(setting), &record.name, value);
        }
    }
    for ((scope, name), setting) in found {
        let device = match scope {
            Scope::Fs => fs.to_owned(),
            Scope::Target(id) => id.svname(fs),
        };
        doubt(tx, Syntax::ConfParam, &format!("{device}.{name}"), &setting);
        tx.set_conf_setting(fs, scope, &name, Some(setting));
    }
    for name in unknown {
        tx.warn(format!(
            "parameter '{name}': its target does not exist; every reader of the log stops at this record"
        ));
    }
}

/// What no single MDT has.
const SQUASH: [&str; 2] = ["mdt.root_squash", "mdt.nosquash_nids"];

/// Written because another parameter was set, `mdc.active` or `mdt.root_squash`; nobody can set it.
fn follows(fs: &str, name: &str) -> bool {
    let of_device = name.strip_prefix(fs).is_some_and(|rest| rest.starts_with('-'));
    of_device || ["osp.active", "llite.root_squash", "llite.nosquash_nids"].contains(&name)
}

/// Settings of `set_param -P`.
fn paths(tx: &mut Tx<'_>) {
    let Some(entry) = tx.log(super::param::PARAMS) else { return };
    let mut found: BTreeMap<String, settings::Setting> = BTreeMap::new();
    for record in super::param::records(super::param::PARAMS, &entry.log) {
        let value = value(tx, &record.value, record.created);
        let setting = found.entry(record.name.clone()).or_default();
        *setting = settings::assigned(Some(setting), &record.name, value);
    }
    for (path, setting) in found {
        doubt(tx, Syntax::SetParam, &path, &setting);
        if let Some((fs, id)) = super::param::named_target(tx, &path)
            && tx.target(&fs, id).is_none()
        {
            let name = id.svname(&fs);
            tx.warn(format!("parameter '{path}': {name} does not exist; no node does anything with it"));
        }
        tx.set_set_setting(&path, Some(setting));
    }
}

/// Says what would be refused here.
fn doubt(tx: &mut Tx<'_>, syntax: Syntax, name: &str, setting: &settings::Setting) {
    for value in &setting.values {
        if let Some(doubt) = gate::doubts(tx, syntax, name, &value.value) {
            tx.warn(doubt);
        }
    }
}

fn value(tx: &Tx<'_>, value: &str, created: u64) -> settings::Value {
    settings::Value { time: i64::try_from(created).unwrap_or(0), ..tx.assigned_now(value, None) }
}

fn nodemaps(tx: &mut Tx<'_>, entries: &[Entry]) -> Result<(), Error> {
    let parsed = index::parse(entries);
    let (active, maps) = parsed.map_err(|why| {
        refused("nodemap index", Errno::EINVAL, why, "leave it out, and add the nodemaps again")
    })?;
    let mut head = tx.nodemap_head();
    let ranges =
        |map: &crate::model::nodemap::Nodemap| map.ranges.keys().chain(map.bans.keys()).copied().max();
    head.last_id = maps.values().map(|map| map.id).max().unwrap_or(0).max(head.last_id);
    head.last_range = maps.values().filter_map(ranges).max().unwrap_or(0).max(head.last_range);
    head.active = active;
    if active || maps.keys().any(|name| name != DEFAULT) {
        head.version = tx.seq();
    }
    tx.set_nodemap_head(head);
    for (name, map) in maps {
        if tx.nodemap(&name) != Some(&map) {
            tx.set_nodemap(&name, Some(map));
        }
    }
    tx.touch(Resource::new("nodemap", ConfigKind::Nodemap));
    Ok(())
}

/// A UUID for something that had none: the same whoever plans it.
fn uuid(name: &str, seq: u64) -> String {
    let digest = Sha256::digest(format!("import {name} {seq}"));
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest.iter()).for_each(|(b, d)| *b = *d);
    uuid_text(bytes)
}

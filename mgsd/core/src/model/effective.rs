//! Read-back: what nodes are told of a parameter, which assignment says so, and which others it hides.
//!
//! A node that mounts executes its own log, then `params`; of two that set the same the later one holds. So the answer
//! comes from the logs, and the settings say who wanted it. Of a target that has not registered, the logs are those that
//! its registration would leave.

use super::command::param::{FAILOVER, PARAMS, ParamRecord, Syntax, connection_of, connections, records};
use super::conf_param::{Scope, compound};
use super::logs::LogEntry;
use super::names::{TargetId, TargetKind, client_log};
use super::sections::Writer;
use super::settings::{self, Setting};
use super::tx::Tx;
use super::view::{Registered, Target, View};
use crate::Errno;
use crate::error::Error;
use std::collections::BTreeSet;
use tunables::{Assignment, Judge, Needs, canonical, covers, overlap, prefix, translate};
use wire::Nid;

/// What is known of one parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The one name for it.
    pub canonical: String,
    /// As `lctl conf_param` spells it.
    pub conf_param: Option<String>,
    /// As `lctl set_param -P` spells it.
    pub set_param: Vec<String>,
    /// Ids in the catalogue.
    pub tunables: Vec<String>,
    /// What holds where nobody says anything.
    pub default: Option<String>,
    /// Unit of the number.
    pub unit: Option<String>,
    /// The target has registered; else this is what it would be told.
    pub registered: bool,
    /// By the logs that nodes read.
    pub readers: Vec<Reader>,
}

/// What the readers of one log are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// `testfs-client`, `testfs-MDT0000`.
    pub log: String,
    /// What holds; of parameters with several values at a time, each of them. Empty: the default.
    pub in_force: Vec<Told>,
    /// What comes earlier, and has no effect.
    pub shadowed: Vec<Told>,
}

/// One assignment, where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// As it was assigned, `testfs-OST0000.osc.max_dirty_mb`.
    pub name: String,
    /// In which spelling.
    pub syntax: Syntax,
    /// `64`.
    pub value: String,
    /// Log.
    pub log: String,
    /// Index of the record in it.
    pub index: u32,
    /// Commit that assigned it; of records that nobody assigned here, the one that wrote them.
    pub seq: u64,
    /// When, unix seconds.
    pub time: i64,
    /// Who; `None`: not kept.
    pub by: Option<String>,
    /// The target whose registration brought it.
    pub from: Option<String>,
    /// It is the default, written when somebody took the setting away.
    pub unset: bool,
}

/// What the question means.
struct Name {
    fs: String,
    /// The part that an assignment of `conf_param` names, and its parameter.
    conf: Option<(Scope, String)>,
    /// The path of `set_param -P`, where `conf_param` has no name.
    path: Option<String>,
    /// The target that was asked for.
    of: Scope,
}

/// Answers for a device and a name: `osc.max_dirty_mb`, `osc.*.max_dirty_mb`, `timeout`.
///
/// # Errors
/// No such file system; a name that means nothing there.
pub fn effective(view: &View, wall: i64, device: &str, name: &str) -> Result<Effective, Error> {
    let mut tx = Tx::new(view, view.seq + 1, 0, wall, "mgsd".to_owned());
    let name = understood(&tx, device, name)?;
    let mut registered = true;
    for scope in [name.of, name.conf.as_ref().map_or(Scope::Fs, |(scope, _)| *scope)] {
        if let Scope::Target(id) = scope
            && tx.target(&name.fs, id).is_none()
        {
            registered = false;
            as_if_registered(&mut tx, &name.fs, id)?;
        }
    }
    let conf_param =
        name.conf.as_ref().map(|(scope, param)| format!("{}.{param}", device_of(&name.fs, *scope)));
    let (spelled, syntax) = match (&conf_param, &name.path) {
        (Some(conf), _) => (conf.clone(), tunables::Syntax::ConfParam),
        (None, path) => (path.clone().unwrap_or_default(), tunables::Syntax::SetParamP),
    };
    let set_param = match &conf_param {
        Some(conf) => translate(tunables::Syntax::ConfParam, conf).into_iter().map(|t| t.name).collect(),
        None => vec![spelled.clone()],
    };
    let catalogue = &*view.catalogue;
    let tunables = Judge::new(catalogue).judge(&Assignment::new(syntax, format!("{spelled}=0"))).tunables;
    let found: Vec<_> = tunables.iter().filter_map(|id| catalogue.by_id(id)).collect();
    let one = |of: fn(&tunables::Tunable) -> Option<String>| {
        let all: BTreeSet<Option<String>> = found.iter().map(|t| of(t)).collect();
        all.into_iter()
            .next()
            .filter(|_| found.iter().all(|t| of(t) == found.first().and_then(|f| of(f))))
            .flatten()
    };
    let is_connection = name.conf.as_ref().is_some_and(|(_, param)| param == FAILOVER);
    Ok(Effective {
        canonical: canonical(syntax, &spelled),
        conf_param,
        set_param,
        default: one(|t| t.default.clone()).or_else(|| is_connection.then(|| "none".to_owned())),
        unit: one(|t| t.bare_unit().map(str::to_owned)),
        tunables,
        registered,
        readers: logs(&tx, &name).into_iter().map(|log| reader(&tx, &name, &log)).collect(),
    })
}

/// Set on the file system alone, and written into the log of clients, too.
const SQUASH: [&str; 2] = ["mdt.root_squash", "mdt.nosquash_nids"];

fn device_of(fs: &str, scope: Scope) -> String {
    match scope {
        Scope::Fs => fs.to_owned(),
        Scope::Target(id) => id.svname(fs),
    }
}

/// Finds out what a device and a name mean.
fn understood(tx: &Tx<'_>, device: &str, name: &str) -> Result<Name, Error> {
    let name = canonical(tunables::Syntax::SetParamP, name);
    let name = name.as_str();
    if let Some((target, param)) = connection_of(name) {
        let (fs, of) = super::command::param::part_of(tx, target, true)?;
        return Ok(Name { fs, conf: Some((of, param.to_owned())), path: None, of });
    }
    let (fs, of) = super::command::param::part_of(tx, device, true)?;
    let refuse = |what: &str, hint: String| {
        let object = format!("parameter '{}' of {}", name.escape_default(), device.escape_default());
        Err(Error::refused(object, Errno::EINVAL, what, hint))
    };
    if name == FAILOVER && of == Scope::Fs {
        return refuse("is a setting of one target", format!("name it, see 'mgsctl target list --fs {fs}'"));
    }
    let catalogue = &*tx.view.catalogue;
    let conf = |param: &str| -> Option<(Scope, String)> {
        let needs = prefix(param.split('.').next()?)?.needs;
        let scope = match (needs, of) {
            (Needs::FileSystem, _) => Scope::Fs,
            (Needs::Ost, Scope::Target(id)) if id.kind == TargetKind::Ost => of,
            (Needs::Mdt, Scope::Target(id)) if id.kind == TargetKind::Mdt => of,
            (Needs::MdtOrAll, Scope::Target(id)) if id.kind == TargetKind::Ost => return None,
            (Needs::MdtOrAll | Needs::Any, _) => of,
            (Needs::Target, Scope::Target(_)) => of,
            _ => return None,
        };
        Some((scope, param.to_owned()))
    };
    let done = |conf, path| Ok(Name { fs: fs.clone(), conf, path, of });
    let not_there = |name: &str| {
        let whose = match prefix(name.split('.').next().unwrap_or(name)).map(|p| p.needs) {
            Some(Needs::FileSystem) => Some(("the file system", fs.clone())),
            Some(Needs::Ost) => Some(("one OST", format!("{fs}-OST0000"))),
            Some(Needs::Mdt | Needs::MdtOrAll) => Some(("an MDT", format!("{fs}-MDT0000"))),
            Some(Needs::Target) => Some(("one target", format!("{fs}-OST0000"))),
            Some(Needs::Any) | None => None,
        };
        if let Some((whose, such)) = whose.filter(|_| !catalogue.by_conf_param(name).is_empty()) {
            let hint = format!("name one such as {such}; 'mgsctl target list --fs {fs}' shows them");
            return refuse(&format!("is a setting of {whose}"), hint);
        }
        let near = catalogue.near(name).join(" or ");
        let meant = if near.is_empty() { String::new() } else { format!("did you mean {near}? ") };
        refuse(
            "is in no catalogue and no log",
            format!("{meant}'mgsctl param explain NAME' tells what there is"),
        )
    };
    let stored = |(scope, param): &(Scope, String)| tx.conf_setting(&fs, *scope, param).is_some();
    if !name.contains('.') {
        let mut all: Vec<(Scope, String)> = Vec::new();
        for tunable in catalogue.by_name(name) {
            let spelled =
                tunable.conf_param.as_deref().and_then(|c| c.split_once('.')).and_then(|(_, p)| conf(p));
            all.extend(spelled.filter(|found| !all.contains(found)));
        }
        let names: Vec<&str> = all.iter().map(|(_, param)| param.as_str()).collect();
        return match (all.as_slice(), catalogue.by_id(&format!("global.{name}"))) {
            ([], Some(_)) => done(None, Some(name.to_owned())),
            ([one], _) => done(Some(one.clone()), None),
            ([], None) => not_there(name),
            _ => refuse("has several of this name", format!("name one of {}", names.join(", "))),
        };
    }
    // Names that conf_param takes besides the one in the catalogue: lod.dom_stripesize for lov.dom_stripesize.
    let taken = |(scope, param): &(Scope, String)| {
        let text = format!("{}.{param}=0", device_of(&fs, *scope));
        let judged = Judge::new(catalogue).judge(&Assignment::new(tunables::Syntax::ConfParam, text));
        !param.contains('*') && !judged.tunables.is_empty()
    };
    if let Some(conf) = conf(name)
        && (stored(&conf)
            || !catalogue.by_conf_param(name).is_empty()
            || taken(&conf)
            || named_in_logs(tx, &fs, &conf))
    {
        return done(Some(conf), None);
    }
    let path = name.to_owned();
    for translated in translate(tunables::Syntax::SetParamP, &path).into_iter().filter(|t| t.exact) {
        if let Some((device, param)) = translated.name.split_once('.') {
            let (other, scope) = super::command::param::part_of(tx, device, true)?;
            // A path that names a target is about that one, whichever was asked for.
            let of = if scope == Scope::Fs { of } else { scope };
            return Ok(Name { fs: other, conf: Some((scope, param.to_owned())), path: None, of });
        }
    }
    // A pattern: what it means for this device.
    let param = tunables::segments(&path).split_off(1).into_iter().skip(1).collect::<Vec<_>>().join(".");
    for prefix in tunables::PREFIXES {
        let Some((scope, conf)) = conf(&format!("{}.{param}", prefix.name)) else { continue };
        let spelled = format!("{}.{conf}", device_of(&fs, scope));
        let names = translate(tunables::Syntax::ConfParam, &spelled);
        if !param.is_empty() && names.iter().any(|t| overlap(&path, &t.name)) {
            return done(Some((scope, conf)), None);
        }
    }
    if catalogue.by_pattern(&path).is_empty() && !tx.set_settings().contains_key(path.as_str()) {
        return not_there(name);
    }
    done(None, Some(path))
}

fn named_in_logs(tx: &Tx<'_>, fs: &str, (scope, param): &(Scope, String)) -> bool {
    let name = Name { fs: fs.to_owned(), conf: Some((*scope, param.clone())), path: None, of: *scope };
    let device = device_of(fs, *scope);
    logs(tx, &name).iter().any(|log| {
        let entry = tx.log(log);
        entry.is_some_and(|e| {
            records(log, &e.log).iter().any(|r| r.name == *param && r.device.as_ref() == Some(&device))
        })
    })
}

/// The logs whose readers the name concerns.
fn logs(tx: &Tx<'_>, name: &Name) -> Vec<String> {
    let fs = name.fs.as_str();
    let all = |kind: Option<TargetKind>| {
        let wanted = tx.targets(fs).into_iter().filter(move |id| kind.is_none_or(|k| id.kind == k));
        wanted.map(|id| id.svname(fs)).collect::<Vec<_>>()
    };
    let client = || vec![client_log(fs)];
    let own = |id: TargetId| vec![id.svname(fs)];
    let class = name.conf.as_ref().map_or("", |(_, param)| param.split('.').next().unwrap_or(param));
    let is = |wanted: &str| name.conf.as_ref().is_some_and(|(_, param)| param == wanted);
    let scope = name.conf.as_ref().map_or(name.of, |(scope, _)| *scope);
    let found = match (class, scope, name.of) {
        ("sys", _, Scope::Target(id)) | ("quota", _, Scope::Target(id)) => own(id),
        ("sys", ..) => [client(), all(None)].concat(),
        ("quota", ..) => all(None),
        ("osc", ..) => [client(), all(Some(TargetKind::Mdt))].concat(),
        ("failover" | "mdc", Scope::Target(id), _) if is(FAILOVER) || is("mdc.active") => {
            let others = tx.mdts(fs).into_iter().filter(|mdt| *mdt != id).map(|mdt| mdt.svname(fs));
            client().into_iter().chain(others).collect()
        }
        ("mdc" | "llite", ..) => client(),
        ("lov", Scope::Target(id), _) => [own(id), client()].concat(),
        ("mdt", Scope::Fs, _) if SQUASH.iter().any(|n| is(n)) => {
            [client(), all(Some(TargetKind::Mdt))].concat()
        }
        ("mdt", Scope::Fs, _) => all(Some(TargetKind::Mdt)),
        (_, _, Scope::Target(id)) => own(id),
        _ => client(),
    };
    found.into_iter().filter(|log| !tx.log_is_empty(log)).collect()
}

/// Failover nodes are added, and none is taken away: each holds.
fn connected(tx: &Tx<'_>, name: &Name, log: &str) -> Reader {
    let target = device_of(&name.fs, name.conf.as_ref().map_or(name.of, |(scope, _)| *scope));
    let spelled = format!("{target}.{FAILOVER}");
    let mut told = Vec::new();
    if let Some(entry) = tx.log(log) {
        for found in connections(&entry.log).into_iter().filter(|c| c.record.device.as_ref() == Some(&target))
        {
            let from = found.brought.then(|| target.clone());
            let told_of = as_told(None, Syntax::ConfParam, spelled.clone(), log, entry, found.record);
            told.push(Told { from, ..told_of });
        }
    }
    Reader { log: log.to_owned(), in_force: told, shadowed: Vec::new() }
}

fn reader(tx: &Tx<'_>, name: &Name, log: &str) -> Reader {
    if name.conf.as_ref().is_some_and(|(_, param)| param == FAILOVER) {
        return connected(tx, name, log);
    }
    let mut told = Vec::new();
    if let (Some((scope, param)), Some(entry)) = (&name.conf, tx.log(log)) {
        let fs = name.fs.as_str();
        let is_mdt = !log.ends_with("-client");
        let written = match param.as_str() {
            "mdc.active" if is_mdt => "osp.active",
            // Clients are told, too.
            "mdt.root_squash" if !is_mdt => "llite.root_squash",
            "mdt.nosquash_nids" if !is_mdt => "llite.nosquash_nids",
            _ => param,
        };
        let device = match scope {
            Scope::Target(_) if param.starts_with("lov.") && !is_mdt => fs.to_owned(),
            Scope::Fs if param.starts_with("mdt.") && is_mdt => log.to_owned(),
            scope => device_of(fs, *scope),
        };
        for record in records(log, &entry.log) {
            if record.name == written && record.device.as_ref() == Some(&device) {
                told.push(conf_told(tx, name, log, entry, record));
            }
        }
    }
    let samples = samples(name, log);
    if let Some(entry) = tx.log(PARAMS) {
        for record in records(PARAMS, &entry.log) {
            if samples.iter().any(|sample| covers(&record.name, sample)) {
                let setting = tx.set_setting(&record.name);
                told.push(as_told(setting, Syntax::SetParam, record.name.clone(), PARAMS, entry, record));
            }
        }
    }
    let several = told.last().is_some_and(|last| compound(&last.name));
    let in_force = if several { std::mem::take(&mut told) } else { told.pop().into_iter().collect() };
    told.reverse();
    Reader { log: log.to_owned(), in_force, shadowed: told }
}

fn conf_told(tx: &Tx<'_>, name: &Name, log: &str, entry: &LogEntry, record: ParamRecord) -> Told {
    let fs = name.fs.as_str();
    let (asked, param) = name.conf.clone().unwrap_or((Scope::Fs, record.name.clone()));
    // One MDT's value may come from the file system, another MDT's of the LOV, or the other way round.
    let mut scopes = vec![asked];
    if param.starts_with("mdt.") {
        scopes.push(Scope::Fs);
        scopes.extend(TargetId::parse_svname(log).map(|(_, id)| Scope::Target(id)));
    }
    if param.starts_with("lov.") {
        scopes.extend(tx.mdts(fs).into_iter().map(Scope::Target));
    }
    let says = |scope: &Scope| {
        let setting = tx.conf_setting(fs, *scope, &param)?;
        setting.values.iter().filter(|v| v.value == record.value).map(|v| v.seq).max()
    };
    let newest = scopes.iter().filter_map(|scope| Some((says(scope)?, *scope))).max();
    let scope = newest.map_or(asked, |(_, scope)| scope);
    let spelled = format!("{}.{param}", device_of(fs, scope));
    as_told(tx.conf_setting(fs, scope, &param), Syntax::ConfParam, spelled, log, entry, record)
}

fn as_told(
    setting: Option<&Setting>,
    syntax: Syntax,
    name: String,
    log: &str,
    entry: &LogEntry,
    record: ParamRecord,
) -> Told {
    let known = setting.and_then(|s| s.values.iter().rfind(|v| v.value == record.value));
    Told {
        name,
        syntax,
        log: log.to_owned(),
        index: record.index,
        seq: known.map_or_else(|| entry.segment_at(record.offset).unwrap_or(0), |v| v.seq),
        time: known.map_or_else(|| i64::try_from(record.created).unwrap_or(0), |v| v.time),
        by: known.map(|v| v.by.clone()),
        from: known.and_then(|v| v.from.clone()),
        unset: known.is_some_and(|v| v.unset),
        value: record.value,
    }
}

/// What the parameter is called on the nodes that read a log.
fn samples(name: &Name, log: &str) -> Vec<String> {
    let Some((scope, param)) = &name.conf else { return name.path.clone().into_iter().collect() };
    let Some((class, rest)) = param.split_once('.') else { return Vec::new() };
    let (fs, device) = (name.fs.as_str(), device_of(&name.fs, *scope));
    let reader = TargetId::parse_svname(log).map(|(_, id)| id);
    let here = reader.map_or_else(|| device.clone(), |id| id.svname(fs));
    match (class, reader) {
        ("sys", _) => vec![rest.to_owned()],
        ("quota", _) => {
            ["ldiskfs", "zfs"].iter().map(|osd| format!("osd-{osd}.{here}.quota_slave.enabled")).collect()
        }
        ("osc", Some(mdt)) => {
            ["osp", "osc"].iter().map(|c| format!("{c}.{device}-osc-{mdt}.{rest}")).collect()
        }
        ("mdc", Some(mdt)) => vec![format!("osp.{device}-osp-{mdt}.{rest}")],
        ("lov", None) => vec![format!("lov.{fs}-clilov-*.{rest}")],
        ("lov" | "lod", Some(_)) => {
            ["lod", "lov"].iter().map(|c| format!("{c}.{here}-mdtlov.{rest}")).collect()
        }
        ("mdt", _) => vec![format!("mdt.{here}.{rest}")],
        _ => translate(tunables::Syntax::ConfParam, &format!("{device}.{param}"))
            .into_iter()
            .map(|t| t.name)
            .collect(),
    }
}

/// The logs as the registration of a target would leave them.
fn as_if_registered(tx: &mut Tx<'_>, fs: &str, id: TargetId) -> Result<(), Error> {
    let nids: Vec<Nid> = "192.0.2.1@tcp".parse().into_iter().collect();
    let uuid = format!("{}_UUID", id.svname(fs));
    let fresh = [id.svname(fs), client_log(fs)].into_iter().filter(|log| tx.log_is_empty(log)).collect();
    let target = Target {
        id: String::new(),
        uuid: uuid.clone(),
        nids: nids.clone(),
        failover: Vec::new(),
        params: String::new(),
        lustre_version: 0,
        registered: Registered { seq: tx.seq(), time: tx.wall(), flags: 0, mgc_uuid: String::new() },
        ready: false,
    };
    let writer = Writer { fs, id, uuid: &uuid, nids: &nids, failover: &[], failout: false };
    tx.set_target(fs, id, Some(target));
    match id.kind {
        TargetKind::Mdt => writer.write_mdt(tx)?,
        TargetKind::Ost => writer.write_ost(tx, false)?,
    }
    settings::bind(tx, fs, id, &fresh)
}

//! MGS_TARGET_REG, operation REG: which index, which logs, which refusal (mgs/05).

use super::Resource;
use super::admission::{self, Admission, Origin};
use super::command::{gate, param};
use super::commit::EventKind;
use super::conf_param::{self, Scope, Setting};
use super::names::{MAX_INDEX, TargetId, TargetKind, check_fsname, client_log};
use super::node_names;
use super::params;
use super::sections::Writer;
use super::settings::{self, Reach, Validation, Writeconf};
use super::tx::Tx;
use super::view::{FsHead, Registered, Target};
use crate::Errno;
use crate::error::Error;
use std::collections::BTreeSet;
use wire::Nid;
use wire::ldlm::ConfigKind;
use wire::mgs::{TargetInfo, ldd};

/// A registration as it came, its NIDs already taken from whichever form carried them.
#[derive(Clone, Debug)]
pub struct Request {
    /// The body; the reply is made from it.
    pub info: TargetInfo,
    /// NIDs, in the order sent.
    pub nids: Vec<Nid>,
    /// UUID of the MGC.
    pub mgc_uuid: String,
    /// Where it came from.
    pub origin: Origin,
    /// READY only: the first NID was `#net`, this network is to be removed.
    pub removed_net: Option<String>,
    /// Random numbers for the UUIDs of a new file system and a new target.
    pub entropy: [[u8; 16]; 2],
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The body of the reply.
    pub info: TargetInfo,
    /// Nothing was written: a start of a known target, or a repetition.
    pub unchanged: bool,
}

/// What a REG leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It is answered.
    Done(Outcome),
    /// Somebody has to approve it first. The transaction is to be dropped.
    Wait,
}

impl Request {
    fn refused(&self, errno: Errno, what: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::refused(format!("target '{}'", self.info.svname.escape_default()), errno, what, hint)
    }

    /// It asks for a writeconf of MDT0000, which erases every log of its file system.
    pub fn erases(&self) -> bool {
        let asks = self.info.flags & ldd::WRITECONF != 0 && self.info.flags & ldd::NEED_INDEX == 0;
        asks && self.target().is_ok_and(|id| id == TargetId::mdt(0))
    }

    /// The target it speaks of.
    pub fn target(&self) -> Result<TargetId, Error> {
        let kind = match self.info.flags & (ldd::SV_TYPE_MDT | ldd::SV_TYPE_OST) {
            ldd::SV_TYPE_MDT => TargetKind::Mdt,
            ldd::SV_TYPE_OST => TargetKind::Ost,
            _ => {
                return Err(self.refused(
                    Errno::EINVAL,
                    "is neither an MDT nor an OST",
                    "format it with mkfs.lustre --mdt or --ost",
                ));
            }
        };
        Ok(TargetId { kind, index: self.info.stripe_index })
    }
}

/// Plans a REG.
pub fn plan(tx: &mut Tx<'_>, req: &Request) -> Result<Plan, Error> {
    let fs = req.info.fsname.as_str();
    check_fsname(fs)?;
    let mut id = req.target()?;
    let mut flags = req.info.flags;
    let known_fs = tx.head(fs).is_some();

    if flags & ldd::NEED_INDEX != 0 {
        flags |= ldd::WRITECONF;
    }
    if flags & (ldd::WRITECONF | ldd::UPDATE) == 0 {
        if tx.log_is_empty(&client_log(fs)) {
            // The logs are lost (or never were): the target registers again.
            flags |= ldd::WRITECONF;
        } else if tx.target(fs, id).is_some() {
            return Ok(Plan::Done(Outcome { info: req.info.clone(), unchanged: true }));
        } else {
            return Err(req.refused(
                Errno::ENOENT,
                format!("claims to be registered, but file system '{fs}' does not know it"),
                "check the MGS NID of the target, or register it again with tunefs.lustre --writeconf",
            ));
        }
    } else if flags & ldd::NO_PRIMNODE == 0 {
        check_failover(req)?;
    }

    if flags & ldd::WRITECONF != 0 {
        flags |= ldd::UPDATE;
    }
    if flags & ldd::NEED_INDEX != 0 {
        id.index = free_index(tx, fs, id.kind).ok_or_else(|| {
            req.refused(
                Errno::ERANGE,
                "no index is free",
                "a file system has indices 0 to 65534 per kind of target",
            )
        })?;
    }
    if id.index > MAX_INDEX {
        return Err(req.refused(
            Errno::ERANGE,
            format!("index {} is out of range", id.index),
            "format the target with an index from 0 to 65534",
        ));
    }

    if flags & ldd::WRITECONF == 0
        && let Some(known) = tx.target(fs, id)
    {
        if flags & ldd::VIRGIN != 0 {
            return repeated(req, known, id).map(Plan::Done);
        }
        return update(tx, req, id).map(Plan::Done);
    }
    register(tx, req, id, known_fs, flags)
}

/// The target's own NIDs must not stand in its `failover.node=`: a first registration comes from the primary node.
fn check_failover(req: &Request) -> Result<(), Error> {
    let parsed = params::parse(&req.info.svname, &req.info.params)?;
    let nodes = parsed.failover.iter().flat_map(|v| params::failover_nodes(v)).flatten();
    for nid in nodes {
        if req.nids.contains(&nid) {
            return Err(req.refused(
                Errno::EADDRNOTAVAIL,
                format!("its own NID {nid} is listed as a failover node"),
                "mount it on its primary node first, or format it with --servicenode",
            ));
        }
    }
    Ok(())
}

/// The lowest index that is neither taken nor reserved.
fn free_index(tx: &Tx<'_>, fs: &str, kind: TargetKind) -> Option<u32> {
    let taken: BTreeSet<u32> =
        tx.targets(fs).into_iter().filter(|id| id.kind == kind).map(|id| id.index).collect();
    (0..=MAX_INDEX).find(|n| !taken.contains(n) && tx.reserved(fs, TargetId { kind, index: *n }).is_none())
}

/// A VIRGIN target whose index is taken: by itself, when the reply to its first registration was lost, or when its
/// mount failed behind that reply. Until a READY says that the target serves, the same request from the same NIDs is
/// the same target; its MGC may be a new one (docs/decisions/0014).
fn repeated(req: &Request, known: &Target, id: TargetId) -> Result<Outcome, Error> {
    let same = !known.ready
        && known.nids == req.nids
        && known.params == req.info.params
        && known.registered.flags == req.info.flags;
    if same {
        return Ok(Outcome { info: written(req, id, known.uuid.clone()), unchanged: true });
    }
    Err(req.refused(
        Errno::EADDRINUSE,
        format!("index {} is already in use", id.index),
        "format it with another --index, with --replace to take the place of a lost target, or use --writeconf",
    ))
}

/// The reply after logs were written.
fn written(req: &Request, id: TargetId, uuid: String) -> TargetInfo {
    let mut info = req.info.clone();
    info.flags &= !(ldd::VIRGIN | ldd::UPDATE | ldd::NEED_INDEX | ldd::WRITECONF);
    info.flags |= ldd::REWRITE_LDD;
    info.stripe_index = id.index;
    info.svname = id.svname(&info.fsname);
    info.uuid = uuid;
    info
}

/// UPDATE of a known target (`--replace`, or parameters changed with tunefs.lustre): no section is written for the
/// target itself, each parameter is set.
fn update(tx: &mut Tx<'_>, req: &Request, id: TargetId) -> Result<Outcome, Error> {
    let parsed = params::parse(&req.info.svname, &req.info.params)?;
    let fs = req.info.fsname.as_str();
    gate::brought(tx, fs, id, &parsed.settings, &parsed.failover)?;
    for value in &parsed.failover {
        let name = "failover.node";
        let (scope, reach) = (Scope::Target(id), Reach::All);
        conf_param::set(tx, &Setting { fs, scope, name, value, delete: false, reach })?;
    }
    set_all(tx, fs, id, &parsed, false)?;
    if let Some(mut target) = tx.target(fs, id).cloned() {
        // The flags do not tell `--replace` from tunefs.lustre: behind either a new disk may count from 1.
        target.registered.seq = tx.seq();
        let nids = texts(&target.nids);
        tx.set_target(fs, id, Some(target));
        let (target, before) = (id.svname(fs), nids.clone());
        tx.event(EventKind::TargetRegistered { target, nids, before, writeconf: false });
    }
    let mut info = req.info.clone();
    info.flags &= !(ldd::VIRGIN | ldd::UPDATE | ldd::NEED_INDEX | ldd::WRITECONF);
    info.flags |= ldd::REWRITE_LDD | ldd::PARAM;
    info.stripe_index = id.index;
    tx.touch(Resource::new(fs, ConfigKind::Config));
    Ok(Outcome { info, unchanged: false })
}

/// The parameters that a target brings along, each as if an administrator had set it. At a writeconf (`again`) it brings
/// what it was formatted with once more: what somebody else has said since stays.
fn set_all(
    tx: &mut Tx<'_>,
    fs: &str,
    id: TargetId,
    parsed: &params::Parsed,
    again: bool,
) -> Result<(), Error> {
    let svname = id.svname(fs);
    for setting in &parsed.settings {
        let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
        let scope = match tunables::prefix(name.split('.').next().unwrap_or(name)).map(|p| p.needs) {
            Some(tunables::Needs::FileSystem | tunables::Needs::Any) => Scope::Fs,
            _ => Scope::Target(id),
        };
        let known = tx.conf_setting(fs, scope, name).filter(|s| !s.is_unset());
        let others = |v: &settings::Value| v.from.as_deref() != Some(svname.as_str());
        if again && known.is_some_and(|s| s.values.iter().any(others)) {
            continue;
        }
        let setting = Setting { fs, scope, name, value, delete: value.is_empty(), reach: Reach::All };
        if !setting.is_known() || setting.delete {
            if tx.validation() == Validation::Warn {
                continue; // of no effect, as with a kernel MGS
            }
            return Err(Error::refused(
                format!("target '{svname}'"),
                Errno::EINVAL,
                format!("brings the parameter '{}', which no log has a place for", name.escape_default()),
                "take it away with tunefs.lustre --erase-params and mount again",
            ));
        }
        param::set_conf(tx, &setting, Some(svname.clone()))?;
    }
    Ok(())
}

fn register(tx: &mut Tx<'_>, req: &Request, id: TargetId, known_fs: bool, flags: u32) -> Result<Plan, Error> {
    let writeconf = flags & ldd::WRITECONF != 0;
    let fs = req.info.fsname.as_str();
    let svname = id.svname(fs);
    if req.nids.is_empty() {
        return Err(req.refused(
            Errno::EINVAL,
            "brought no NID that this MGS can read",
            "check 'lctl list_nids' on the server; at least one NID is needed",
        ));
    }
    let parsed = params::parse(&req.info.svname, &req.info.params)?;
    let failover: Vec<Vec<Nid>> = parsed.failover.iter().flat_map(|v| params::failover_nodes(v)).collect();
    gate::brought(tx, fs, id, &parsed.settings, &parsed.failover)?;
    let nodes: Vec<Nid> =
        std::iter::once(&req.nids).chain(&failover).filter_map(|n| n.first().copied()).collect();
    node_names::check(tx, fs, id, &nodes)?;

    if tx.target(fs, id).is_none() {
        if admission::admit(tx, req, id, flags & ldd::NEED_INDEX != 0)? == Admission::Wait {
            return Ok(Plan::Wait);
        }
        admission::enter(tx, fs, id);
    }
    if !known_fs {
        let registration = tx.default_policy();
        let uuid = uuid_text(req.entropy[0]);
        tx.event(EventKind::FsCreated { fs: fs.to_owned(), uuid: uuid.clone() });
        tx.set_head(
            fs,
            FsHead {
                uuid,
                created: tx.wall(),
                generation: 1,
                nidtbl_version: 2,
                recovery_off: false,
                registration,
                writeconf: Writeconf::default(),
            },
        );
    }
    let known = tx.target(fs, id).cloned();
    if writeconf {
        let keep = tx.head(fs).map(|head| head.writeconf).unwrap_or_default();
        if id == TargetId::mdt(0) {
            settings::keep_on_erase(tx, fs, keep)?;
            erase_all(tx, fs);
        } else {
            settings::forget(tx, fs, id, keep)?;
            tx.erase_log(&svname);
        }
    } else if !tx.log_is_empty(&svname) && id.kind == TargetKind::Ost {
        return Err(req.refused(
            Errno::EALREADY,
            format!("log '{svname}' exists although index {} is free", id.index),
            "register the target with tunefs.lustre --writeconf",
        ));
    }

    let uuid = if req.info.uuid.is_empty() { format!("{svname}_UUID") } else { req.info.uuid.clone() };
    let fresh = [svname.clone(), client_log(fs)].into_iter().filter(|log| tx.log_is_empty(log)).collect();
    let writer =
        Writer { fs, id, uuid: &uuid, nids: &req.nids, failover: &failover, failout: parsed.failout };
    match id.kind {
        TargetKind::Mdt => {
            tx.set_target(fs, id, Some(target(tx, req, id, &uuid, &parsed)));
            writer.write_mdt(tx)?;
        }
        TargetKind::Ost => {
            let still_known = tx.target(fs, id).is_some();
            writer.write_ost(tx, still_known)?;
            tx.set_target(fs, id, Some(target(tx, req, id, &uuid, &parsed)));
        }
    }
    set_all(tx, fs, id, &parsed, writeconf && req.info.flags & ldd::VIRGIN == 0)?;
    settings::bind(tx, fs, id, &fresh)?;
    tx.event(EventKind::TargetRegistered {
        target: svname,
        nids: texts(&req.nids),
        before: known.map(|k| texts(&k.nids)).unwrap_or_default(),
        writeconf,
    });
    tx.touch(Resource::new(fs, ConfigKind::Config));
    Ok(Plan::Done(Outcome { info: written(req, id, uuid), unchanged: false }))
}

fn target(tx: &Tx<'_>, req: &Request, id: TargetId, uuid: &str, parsed: &params::Parsed) -> Target {
    let known = tx.target(&req.info.fsname, id);
    Target {
        id: known.map_or_else(|| uuid_text(req.entropy[1]), |k| k.id.clone()),
        uuid: uuid.to_owned(),
        nids: req.nids.clone(),
        failover: parsed.failover.clone(),
        params: req.info.params.clone(),
        lustre_version: req.info.lustre_ver,
        registered: Registered {
            seq: tx.seq(),
            time: tx.wall(),
            flags: req.info.flags,
            mgc_uuid: req.mgc_uuid.clone(),
        },
        ready: false,
    }
}

/// Writeconf of MDT0000: every log of the file system goes, every other target has to register again. The security
/// log stays, and so does the version of the NID table.
fn erase_all(tx: &mut Tx<'_>, fs: &str) {
    for log in tx.logs_of(fs) {
        if !log.ends_with("-sptlrpc") {
            tx.erase_log(&log);
        }
    }
    let targets = tx.targets(fs);
    for id in &targets {
        tx.set_target(fs, *id, None);
    }
    tx.clear_nids(fs);
    if let Some(mut head) = tx.head(fs).cloned() {
        head.generation = 1;
        tx.set_head(fs, head);
    }
    if tx.leave(fs).is_some() {
        tx.set_leave(fs, None);
    }
    if !targets.is_empty() {
        // They are no strangers when they come back. Whoever came back already is known by its registration.
        let mut returning = tx.returning(fs).cloned().unwrap_or_default();
        let before = returning.targets.len();
        returning.targets.extend(targets.iter().filter(|id| **id != TargetId::mdt(0)));
        if returning.targets.len() != before {
            tx.set_returning(fs, Some(returning));
        }
        let names = targets.iter().map(|id| id.svname(fs)).collect();
        tx.event(EventKind::FsErased { fs: fs.to_owned(), targets: names });
    }
}

/// NIDs for a commit record.
pub fn texts(nids: &[Nid]) -> Vec<String> {
    nids.iter().map(ToString::to_string).collect()
}

/// A version 4 UUID from random bytes.
pub fn uuid_text(mut b: [u8; 16]) -> String {
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    let hex: String = b.iter().map(|b| format!("{b:02x}")).collect();
    let part = |a: usize, z: usize| hex.get(a..z).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

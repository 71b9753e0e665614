//! Which records a registration writes, into which log, in which order (mgs/04). The words of the comments are
//! protocol: servers look for `add mdc` and `add failnid`.

use super::names::{TargetId, TargetKind, client_log, node_uuid};
use super::tx::Tx;
use crate::error::Error;
use llog::lcfg::{LustreCfg, cmd};
use llog::marker::flag;
use wire::Nid;

/// A target as the log writer needs it.
#[derive(Clone, Debug)]
pub struct Writer<'a> {
    /// File system.
    pub fs: &'a str,
    /// Which target.
    pub id: TargetId,
    /// Its UUID.
    pub uuid: &'a str,
    /// Its NIDs; the first names the node.
    pub nids: &'a [Nid],
    /// Its failover nodes, one list of NIDs each.
    pub failover: &'a [Vec<Nid>],
    /// `failover.mode=failout`.
    pub failout: bool,
}

/// One ADD_UUID per NID: IPv4-sized in the nid field, others as text.
pub(super) fn nid_list(node: &str, nids: &[Nid]) -> impl Iterator<Item = LustreCfg> {
    nids.iter().map(move |nid| match nid.to_u64() {
        Some(v) => LustreCfg::add_uuid(node, v, None),
        None => LustreCfg::add_uuid(node, 0, Some(&nid.to_string())),
    })
}

/// NIDs and connection of each failover node.
pub(super) fn failover_list(device: &str, nodes: &[Vec<Nid>]) -> Vec<LustreCfg> {
    let mut out = Vec::new();
    for nids in nodes {
        if let Some(first) = nids.first() {
            let node = node_uuid(first);
            out.extend(nid_list(&node, nids));
            out.push(LustreCfg::add_conn(device, &node));
        }
    }
    out
}

/// Names of the LOV and LMV that every client builds.
pub(super) fn clilov(fs: &str) -> String {
    format!("{fs}-clilov")
}
fn clilmv(fs: &str) -> String {
    format!("{fs}-clilmv")
}
pub(super) fn mdtlov(fs: &str, mdt: TargetId) -> String {
    format!("{}-mdtlov", mdt.svname(fs))
}

impl Writer<'_> {
    fn svname(&self) -> String {
        self.id.svname(self.fs)
    }

    /// NID list, ATTACH, SETUP, failover list: the part that all "add" sections share.
    fn connection(&self, device: &str, kind: &str, lov: &str) -> Vec<LustreCfg> {
        let Some(first) = self.nids.first() else { return Vec::new() };
        let node = node_uuid(first);
        let mut out: Vec<LustreCfg> = nid_list(&node, self.nids).collect();
        out.push(LustreCfg::attach(device, kind, &format!("{lov}_UUID")));
        out.push(LustreCfg::setup_str(device, &[self.uuid, &node]));
        out.extend(failover_list(device, self.failover));
        out
    }

    const fn mode(&self) -> &'static str {
        if self.failout { "n" } else { "f" }
    }

    /// Writes the sections of an MDT: first registration or writeconf.
    pub fn write_mdt(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let (fs, name) = (self.fs, self.svname());
        let lov = mdtlov(fs, self.id);
        if tx.log_is_empty(&name) {
            lov_block(tx, fs, &name, &lov)?;
        }
        let index = self.id.index.to_string();
        let records = [
            LustreCfg::attach(&name, "mdt", self.uuid),
            LustreCfg::mount_opt(&name, &lov, None),
            LustreCfg::setup_str(&name, &[self.uuid, &index, &lov, self.mode()]),
        ];
        tx.section(fs, &name, &name, "add mdt", 0, &records)?;
        ensure_client_log(tx, fs)?;
        convert_client_log(tx, fs, self.id)?;
        copy_mdt_log(tx, fs, self.id)?;

        let client = client_log(fs);
        let device = format!("{name}-mdc");
        tx.skip_sections(&client, &name, "add mdc")?;
        tx.skip_sections(&client, &name, "add failnid")?;
        tx.skip_device(&client, &device)?;
        let mut records = self.connection(&device, "mdc", &clilmv(fs));
        records.push(LustreCfg::add_mdc(
            &clilmv(fs),
            self.uuid,
            self.id.index,
            Some(&format!("{device}_UUID")),
        ));
        tx.section(fs, &client, &name, "add mdc", 0, &records)?;

        for mdt in tx.mdts(fs) {
            let log = mdt.svname(fs);
            if mdt == self.id || tx.log_is_empty(&log) {
                continue;
            }
            let (device, lov) = (format!("{name}-osp-{mdt}"), mdtlov(fs, mdt));
            tx.skip_sections(&log, &name, "add osp")?;
            tx.skip_sections(&log, &name, "add failnid")?;
            tx.skip_device(&log, &device)?;
            let mut records = self.connection(&device, "osp", &lov);
            records.push(LustreCfg::add_mdc(&lov, self.uuid, self.id.index, None));
            tx.section(fs, &log, &name, "add osp", 0, &records)?;
        }
        Ok(())
    }

    /// Writes the sections of an OST: first registration or writeconf.
    pub fn write_ost(&self, tx: &mut Tx<'_>, known: bool) -> Result<(), Error> {
        let (fs, name) = (self.fs, self.svname());
        let records = [
            LustreCfg::attach(&name, "obdfilter", self.uuid),
            LustreCfg::setup_str(&name, &["dev", "type", self.mode()]),
        ];
        tx.section(fs, &name, &name, "add ost", 0, &records)?;

        // A known index: readers have the device already. A kernel MGS writes sections for them all the same, dead on
        // arrival.
        if known && !tx.dead_sections {
            return Ok(());
        }
        let flags = if known { flag::SKIP } else { 0 };
        for mdt in tx.mdts(fs) {
            let log = mdt.svname(fs);
            if tx.log_is_empty(&log) {
                continue;
            }
            let lov = mdtlov(fs, mdt);
            let mut records = self.connection(&format!("{name}-osc-{mdt}"), "osc", &lov);
            records.push(LustreCfg::lov_add_obd(&lov, self.uuid, self.id.index));
            tx.section(fs, &log, &name, "add osc", flags, &records)?;
        }
        ensure_client_log(tx, fs)?;
        let mut records = self.connection(&format!("{name}-osc"), "osc", &clilov(fs));
        records.push(LustreCfg::lov_add_obd(&clilov(fs), self.uuid, self.id.index));
        tx.section(fs, &client_log(fs), &name, "add osc", flags, &records)
    }
}

fn lov_block(tx: &mut Tx<'_>, fs: &str, log: &str, lov: &str) -> Result<(), Error> {
    let records = [
        LustreCfg::attach(lov, "lov", &format!("{lov}_UUID")),
        LustreCfg::setup(lov, &[&LustreCfg::lov_desc(lov)]),
    ];
    tx.section(fs, log, lov, "lov setup", 0, &records)
}

/// LOV, LMV and profile blocks, if the client log has none yet.
fn ensure_client_log(tx: &mut Tx<'_>, fs: &str) -> Result<(), Error> {
    let log = client_log(fs);
    if !tx.log_is_empty(&log) {
        return Ok(());
    }
    let (lov, lmv) = (clilov(fs), clilmv(fs));
    lov_block(tx, fs, &log, &lov)?;
    let records = [
        LustreCfg::attach(&lmv, "lmv", &format!("{lmv}_UUID")),
        LustreCfg::setup(&lmv, &[&LustreCfg::lmv_desc(&lmv)]),
    ];
    tx.section(fs, &log, &lmv, "lmv setup", 0, &records)?;
    let profile = [LustreCfg::mount_opt(&log, &lov, Some(&lmv))];
    tx.section(fs, &log, &log, "mount opts", 0, &profile)
}

/// Copies the targets that the client log knows into the log of a new MDT, with the devices renamed (mgs/04, 4.2.4).
fn convert_client_log(tx: &mut Tx<'_>, fs: &str, mdt: TargetId) -> Result<(), Error> {
    let log = mdt.svname(fs);
    for section in live_sections(tx, &client_log(fs)) {
        let Some(target) =
            section.tgtname.strip_prefix(fs).and_then(|t| t.strip_prefix('-')).and_then(TargetId::parse)
        else {
            continue;
        };
        let is_target = ["add mdc", "add osc", "add failnid"].iter().any(|c| section.comment.starts_with(c));
        if !is_target || target == mdt {
            continue;
        }
        let kind = if target.kind == TargetKind::Mdt { "osp" } else { "osc" };
        let device = format!("{}-{kind}-{mdt}", section.tgtname);
        let lov = mdtlov(fs, mdt);
        let records: Vec<LustreCfg> =
            section.records.iter().filter_map(|r| converted(r, &device, kind, &lov)).collect();
        let comment =
            if section.comment.starts_with("add mdc") { "add osp" } else { section.comment.as_str() };
        tx.section(fs, &log, &section.tgtname, comment, section.flags & flag::EXCLUDE, &records)?;
    }
    Ok(())
}

/// Copies what an administrator set on the other MDTs (pools, parameters, `sys`, `quota`) into the log of a new one,
/// with the MDT's name replaced (mgs/04, 4.2.5).
fn copy_mdt_log(tx: &mut Tx<'_>, fs: &str, mdt: TargetId) -> Result<(), Error> {
    const OWN: [&str; 5] = ["add mdt", "lov setup", "add osp", "add osc", "add failnid"];
    let log = mdt.svname(fs);
    let others = tx.mdts(fs).into_iter().filter(|id| *id != mdt);
    let Some(source) = others.into_iter().find(|id| !tx.log_is_empty(&id.svname(fs))) else { return Ok(()) };
    for section in live_sections(tx, &source.svname(fs)) {
        let of_fs =
            section.tgtname == fs || section.tgtname.strip_prefix(fs).is_some_and(|t| t.starts_with('-'));
        if !of_fs || OWN.iter().any(|c| section.comment.starts_with(c)) || section.tgtname.starts_with(&log) {
            continue;
        }
        let renamed = |text: &str| rename_mdt(text, source, mdt);
        let copied = |r: &LustreCfg| {
            let mut r = r.clone();
            if let Some(dev) = r.dev().map(renamed) {
                set_dev(&mut r, &dev);
            }
            r
        };
        let records: Vec<LustreCfg> =
            section.records.iter().filter(|r| is_setting(r.command)).map(copied).collect();
        let (target, flags) = (renamed(&section.tgtname), section.flags & flag::EXCLUDE);
        tx.section(fs, &log, &target, &renamed(&section.comment), flags, &records)?;
    }
    Ok(())
}

/// Everything but the commands that build devices and connections.
const fn is_setting(command: u32) -> bool {
    !matches!(
        command,
        cmd::ATTACH
            | cmd::DETACH
            | cmd::ADD_CONN
            | cmd::DEL_CONN
            | cmd::SETUP
            | cmd::CLEANUP
            | cmd::ADD_MDC
            | cmd::DEL_MDC
            | cmd::LOV_ADD_INA
            | cmd::LOV_ADD_OBD
            | cmd::LOV_DEL_OBD
    )
}

/// Replaces `-MDTssss` by `-MDTxxxx` where a name ends or goes on with `-` or `_`.
fn rename_mdt(text: &str, from: TargetId, to: TargetId) -> String {
    let (from, to) = (format!("-{from}"), format!("-{to}"));
    let mut out = String::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once(&from) {
        out.push_str(head);
        out.push_str(if tail.is_empty() || tail.starts_with(['-', '_']) { &to } else { &from });
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn converted(record: &LustreCfg, device: &str, kind: &str, lov: &str) -> Option<LustreCfg> {
    let mut r = record.clone();
    match record.command {
        cmd::ADD_UUID => {}
        cmd::ATTACH => r = LustreCfg::attach(device, kind, &format!("{lov}_UUID")),
        cmd::SETUP | cmd::ADD_CONN | cmd::DETACH | cmd::DEL_CONN | cmd::CLEANUP => set_dev(&mut r, device),
        cmd::ADD_MDC | cmd::DEL_MDC | cmd::LOV_ADD_OBD | cmd::LOV_ADD_INA | cmd::LOV_DEL_OBD => {
            set_dev(&mut r, lov)
        }
        _ => return None,
    }
    Some(r)
}

fn set_dev(record: &mut LustreCfg, dev: &str) {
    let mut bytes = dev.as_bytes().to_vec();
    bytes.push(0);
    match record.bufs.first_mut() {
        Some(first) => *first = bytes,
        None => record.bufs.push(bytes),
    }
}

/// A section that is not skipped, decoded.
struct Section {
    tgtname: String,
    comment: String,
    flags: u32,
    records: Vec<LustreCfg>,
}

fn live_sections(tx: &Tx<'_>, log: &str) -> Vec<Section> {
    let Some(entry) = tx.log(log) else { return Vec::new() };
    let mut out = Vec::new();
    let mut open: Option<Section> = None;
    for record in entry.log.records().filter(|r| r.live) {
        let Ok(cfg) = record.cfg() else { continue };
        match cfg.marker() {
            Some(m) if m.flags & flag::START != 0 => {
                open = (m.flags & flag::SKIP == 0).then_some(Section {
                    tgtname: m.tgtname,
                    comment: m.comment,
                    flags: m.flags,
                    records: Vec::new(),
                });
            }
            Some(_) => out.extend(open.take()),
            None => {
                if let Some(section) = &mut open {
                    section.records.push(cfg);
                }
            }
        }
    }
    out
}

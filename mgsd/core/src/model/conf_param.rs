//! `TARGET.PARAM=VALUE`: which record lands in which log (mgs/07, 7.2 to 7.5). Used for parameters that come with a
//! registration; the same rules serve an administrator.

use super::command::param::{Connection, connections, typed};
use super::names::{TargetId, TargetKind, client_log};
use super::node_names;
use super::params::failover_nodes;
use super::sections::{failover_list, mdtlov};
use super::settings::Reach;
use super::tx::Tx;
use crate::Errno;
use crate::error::Error;
use llog::lcfg::{LustreCfg, cmd};
use llog::marker::flag;

/// What a parameter is set on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The whole file system.
    Fs,
    /// One target.
    Target(TargetId),
}

/// A setting, taken apart.
#[derive(Clone, Debug)]
pub struct Setting<'a> {
    /// File system.
    pub fs: &'a str,
    /// Whole file system or one target.
    pub scope: Scope,
    /// `osc.max_dirty_mb`.
    pub name: &'a str,
    /// `64`; of a deletion, the only value that goes, or empty.
    pub value: &'a str,
    /// Taken away. An empty value means the same.
    pub delete: bool,
    /// Into which logs.
    pub reach: Reach<'a>,
}

impl Setting<'_> {
    fn device(&self) -> String {
        match self.scope {
            Scope::Fs => self.fs.to_owned(),
            Scope::Target(id) => id.svname(self.fs),
        }
    }
    const fn deletes(&self) -> bool {
        self.delete || self.value.is_empty()
    }
    /// Its class is one that nodes execute.
    pub fn is_known(&self) -> bool {
        let class = self.name.split_once('.').map_or("", |(class, _)| class);
        match class {
            "failover" => ["failover.node", "failover.mode"].contains(&self.name),
            _ => ["sys", "quota", "osc", "mdc", "lov", "llite", "mdt", "mdd", "lod", "ost", "osd"]
                .contains(&class),
        }
    }
    fn text(&self) -> String {
        format!("{}={}", self.name, self.value)
    }
    fn refused(&self, errno: Errno, what: &str, hint: &str) -> Error {
        Error::refused(
            format!("parameter '{}.{}'", self.device(), self.text().escape_default()),
            errno,
            what,
            hint,
        )
    }
}

/// Sets a parameter, or takes it away. Names that no class knows are left alone, as the kernel does.
pub fn set(tx: &mut Tx<'_>, s: &Setting<'_>) -> Result<(), Error> {
    let before = tx.changed_logs();
    write(tx, s)?;
    if s.deletes() && tx.changed_logs() == before && s.is_known() {
        return Err(s.refused(Errno::ENOENT, "is not set", "see 'mgsctl param list'"));
    }
    Ok(())
}

fn write(tx: &mut Tx<'_>, s: &Setting<'_>) -> Result<(), Error> {
    match s.name.split_once('.').map_or(("", s.name), |(class, rest)| (class, rest)) {
        ("failover", "mode") => {
            Err(s.refused(Errno::EPERM, "is fixed when the target is formatted", "format it again"))
        }
        ("failover", "node") => add_failnid(tx, s),
        ("sys", name) => set_sys(tx, s, name),
        ("quota", name) => set_quota(tx, s, name),
        ("osc" | "mdc", name) => set_connection(tx, s, name),
        ("lov", _) => set_lov(tx, s),
        ("llite", name) => set_llite(tx, s, name),
        ("mdt", name) => set_mdt(tx, s, name),
        ("mdd" | "lod" | "ost" | "osd", _) => {
            let device = s.device();
            if tx.log_is_empty(&device) {
                return Err(s.refused(Errno::ENODEV, "has no log of its own", "name one registered target"));
            }
            put(tx, s, &device, &device, s.name, param(Some(&device), &s.text()))
        }
        _ => Ok(()),
    }
}

fn param(dev: Option<&str>, text: &str) -> LustreCfg {
    LustreCfg::param(dev, text)
}

/// Parameters with several values at a time: a new one is added, none is replaced (LU-17920).
pub fn compound(name: &str) -> bool {
    ["nrs_tbf_rule", "pcc", "wbc"].contains(&name.rsplit('.').next().unwrap_or(name))
}

/// Replaces the live section with this key by a new one; nothing happens when the value is there already. Of a
/// deletion, the section goes and nothing comes.
fn put(
    tx: &mut Tx<'_>,
    s: &Setting<'_>,
    log: &str,
    tgtname: &str,
    name: &str,
    record: LustreCfg,
) -> Result<(), Error> {
    if tx.log_is_empty(log) || !s.reach.has(log) {
        return Ok(());
    }
    if s.deletes() {
        let only = record.buf_str(1).filter(|_| !s.value.is_empty());
        return tx.skip_values(log, tgtname, name, only);
    }
    let live = tx.live_values(log, tgtname, name);
    if live.contains(&record) || (matches!(s.reach, Reach::Missing) && !live.is_empty()) {
        return Ok(());
    }
    if !compound(name) {
        tx.skip_sections(log, tgtname, name)?;
    }
    tx.section(s.fs, log, tgtname, name, 0, &[record])
}

fn number(s: &Setting<'_>) -> Result<u32, Error> {
    let text = s.value;
    if s.deletes() && text.is_empty() {
        return Ok(0); // the record is only looked for by its name
    }
    let parsed = match (text.strip_prefix("0x"), text.strip_prefix('0')) {
        (Some(hex), _) => u32::from_str_radix(hex, 16),
        (None, Some(octal)) if !octal.is_empty() => u32::from_str_radix(octal, 8),
        _ => text.parse(),
    };
    parsed.map_err(|_| s.refused(Errno::EINVAL, "is not a number", "give seconds, such as 100"))
}

fn set_sys(tx: &mut Tx<'_>, s: &Setting<'_>, name: &str) -> Result<(), Error> {
    let mut record = match name {
        "timeout" => LustreCfg::set_timeout(number(s)?),
        "ldlm_timeout" => LustreCfg::set_ldlm_timeout(number(s)?),
        "at_min" | "at_max" | "at_extra" | "at_early_margin" | "at_history" => {
            param(None, &s.text()).with_num(number(s)?)
        }
        "jobid_var" => param(None, &s.text()).with_text(2, s.value),
        _ => {
            return Err(s.refused(
                Errno::EINVAL,
                "is no setting of class sys",
                "sys knows timeout, ldlm_timeout, at_min, at_max, at_extra, at_early_margin, at_history, jobid_var",
            ));
        }
    };
    if matches!(record.command, cmd::SET_TIMEOUT | cmd::SET_LDLM_TIMEOUT) {
        // Stored as it was written, which need not be decimal.
        record = record.with_text(1, &s.text());
    }
    for log in served_logs(tx, s.fs) {
        put(tx, s, &log, s.fs, s.name, record.clone())?;
    }
    Ok(())
}

fn set_quota(tx: &mut Tx<'_>, s: &Setting<'_>, name: &str) -> Result<(), Error> {
    let valid = s.deletes() || s.value == "none" || s.value.contains(['u', 'g', 'p']);
    if !["mdt", "ost"].contains(&name) || !valid {
        return Err(s.refused(
            Errno::EINVAL,
            "is no quota setting",
            "quota.mdt and quota.ost take u, g, p or none",
        ));
    }
    for log in served_logs(tx, s.fs).into_iter().filter(|l| !l.ends_with("-client")) {
        put(tx, s, &log, s.fs, s.name, param(Some(s.fs), &s.text()))?;
    }
    Ok(())
}

/// Client, MDT and OST logs of a file system, in that order. The kernel takes them by a hash that differs from MGT to
/// MGT, so that the steps of their sections do, too.
fn served_logs(tx: &Tx<'_>, fs: &str) -> Vec<String> {
    let mut logs = vec![client_log(fs)];
    logs.extend(tx.targets(fs).into_iter().map(|id| id.svname(fs)));
    logs.retain(|log| !tx.log_is_empty(log));
    logs
}

fn set_connection(tx: &mut Tx<'_>, s: &Setting<'_>, name: &str) -> Result<(), Error> {
    let Scope::Target(id) = s.scope else {
        return Err(s.refused(Errno::EINVAL, "needs a target", "name an OST for osc, an MDT for mdc"));
    };
    let target = id.svname(s.fs);
    if name == "active" && matches!(s.reach, Reach::All) {
        set_active(tx, s, id)?;
    }
    let kind = if id.kind == TargetKind::Ost { "osc" } else { "mdc" };
    let device = format!("{target}-{kind}");
    put(tx, s, &client_log(s.fs), &device, s.name, param(Some(&device), &s.text()))?;
    for mdt in tx.mdts(s.fs) {
        let log = mdt.svname(s.fs);
        if id.kind == TargetKind::Ost {
            let device = format!("{target}-osc-{mdt}");
            put(tx, s, &log, &device, s.name, param(Some(&device), &s.text()))?;
        } else if name == "active" && mdt != id {
            let device = format!("{target}-osp-{mdt}");
            put(
                tx,
                s,
                &log,
                &device,
                "osp.active",
                param(Some(&device), &format!("osp.active={}", s.value)),
            )?;
            let lov = mdtlov(s.fs, mdt);
            let on = u8::from(!s.value.starts_with('0'));
            let name = format!("{device}.active");
            put(tx, s, &log, &lov, &name, param(Some(&lov), &format!("{name}={on}")))?;
        }
    }
    Ok(())
}

/// New mounts add the target inactive: EXCLUDE on the sections that add it.
fn set_active(tx: &mut Tx<'_>, s: &Setting<'_>, id: TargetId) -> Result<(), Error> {
    if id == TargetId::mdt(0) {
        return Err(s.refused(
            Errno::EPERM,
            "would switch off the root of the file system",
            "MDT0000 stays active",
        ));
    }
    let off = s.value.starts_with('0') && !s.deletes();
    let target = id.svname(s.fs);
    let (in_client, in_mdt) =
        if id.kind == TargetKind::Ost { ("add osc", "add osc") } else { ("add mdc", "add osp") };
    tx.exclude_sections(&client_log(s.fs), &target, in_client, off)?;
    for mdt in tx.mdts(s.fs) {
        tx.exclude_sections(&mdt.svname(s.fs), &target, in_mdt, off)?;
    }
    Ok(())
}

fn set_lov(tx: &mut Tx<'_>, s: &Setting<'_>) -> Result<(), Error> {
    let Scope::Target(id @ TargetId { kind: TargetKind::Mdt, .. }) = s.scope else {
        return Err(s.refused(Errno::EINVAL, "needs an MDT", "name an MDT, such as FS-MDT0000"));
    };
    let (log, device) = (id.svname(s.fs), mdtlov(s.fs, id));
    put(tx, s, &log, &device, s.name, param(Some(&device), &s.text()))?;
    let device = format!("{}-clilov", s.fs);
    put(tx, s, &client_log(s.fs), &device, s.name, param(Some(&device), &s.text()))
}

const SQUASH: [&str; 2] = ["root_squash", "nosquash_nids"];

fn set_llite(tx: &mut Tx<'_>, s: &Setting<'_>, name: &str) -> Result<(), Error> {
    if s.scope != Scope::Fs || SQUASH.contains(&name) {
        return Err(s.refused(
            Errno::EINVAL,
            "cannot be set this way",
            "llite is set on the file system, root squash on mdt",
        ));
    }
    let log = client_log(s.fs);
    put(tx, s, &log, &log, s.name, param(Some(&log), &s.text()))
}

fn set_mdt(tx: &mut Tx<'_>, s: &Setting<'_>, name: &str) -> Result<(), Error> {
    let squash = SQUASH.contains(&name);
    let mdts = match s.scope {
        Scope::Fs => tx.mdts(s.fs),
        Scope::Target(id) if id.kind == TargetKind::Mdt && !squash => vec![id],
        Scope::Target(_) => {
            return Err(s.refused(
                Errno::EINVAL,
                "needs an MDT",
                "name an MDT; root squash is set on the file system",
            ));
        }
    };
    for mdt in mdts {
        let device = mdt.svname(s.fs);
        put(tx, s, &device, &device, s.name, param(Some(&device), &s.text()))?;
    }
    if squash {
        let (log, name) = (client_log(s.fs), format!("llite.{name}"));
        put(tx, s, &log, &log, &name, param(Some(&log), &format!("{name}={}", s.value)))?;
    }
    Ok(())
}

/// Takes the sections away that add exactly these nodes.
fn skip_nodes(tx: &mut Tx<'_>, log: &str, target: &str, nodes: &str) -> Result<(), Error> {
    let Some(entry) = tx.log(log) else { return Ok(()) };
    let hit =
        |c: &Connection| !c.brought && c.record.device.as_deref() == Some(target) && c.record.value == nodes;
    let found: Vec<Connection> = connections(&entry.log).into_iter().filter(hit).collect();
    let cancel = u64::try_from(tx.wall()).unwrap_or(0);
    tx.edit_markers(log, found.into_iter().flat_map(|c| c.markers).collect(), |m| {
        m.flags |= flag::SKIP;
        m.canceltime = cancel;
    })
}

/// Additive: running clients execute the new connections, nothing is taken away.
fn add_failnid(tx: &mut Tx<'_>, s: &Setting<'_>) -> Result<(), Error> {
    let Scope::Target(id) = s.scope else {
        return Err(s.refused(Errno::EINVAL, "needs a target", "name an MDT or OST"));
    };
    let target = id.svname(s.fs);
    if tx.log_is_empty(&target) {
        return Err(s.refused(Errno::ENOENT, "the target has no log", "register it first"));
    }
    if s.deletes() {
        let mut logs = vec![client_log(s.fs)];
        logs.extend(tx.mdts(s.fs).into_iter().map(|mdt| mdt.svname(s.fs)));
        // As a kernel does it; those that are named alone, where some are.
        let named = failover_nodes(s.value);
        return match s.value.is_empty() {
            true => logs.iter().try_for_each(|log| tx.skip_sections(log, &target, "add failnid")),
            false => {
                let named = typed(named.iter().map(Vec::as_slice));
                logs.iter().try_for_each(|log| skip_nodes(tx, log, &target, &named))
            }
        };
    }
    let nodes = failover_nodes(s.value);
    if nodes.is_empty() {
        return Err(s.refused(Errno::EINVAL, "names no NID", "NIDs are numeric, such as 10.0.0.2@tcp"));
    }
    let own = tx.target(s.fs, id).map(node_names::of).unwrap_or_default();
    node_names::check(tx, s.fs, id, &[own, node_names::firsts(s.value)].concat())?;
    let (in_client, in_mdt) = if id.kind == TargetKind::Ost { ("osc", "osc") } else { ("mdc", "osp") };
    let records = failover_list(&format!("{target}-{in_client}"), &nodes);
    tx.section(s.fs, &client_log(s.fs), &target, "add failnid", 0, &records)?;
    for mdt in tx.mdts(s.fs) {
        let log = mdt.svname(s.fs);
        if mdt != id && !tx.log_is_empty(&log) {
            let records = failover_list(&format!("{target}-{in_mdt}-{mdt}"), &nodes);
            tx.section(s.fs, &log, &target, "add failnid", 0, &records)?;
        }
    }
    Ok(())
}

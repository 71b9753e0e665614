//! `replace_nids`: a target moves to other addresses (mgs/09, 9.2). A kernel MGS writes every log anew, with everybody
//! unmounted. Here a target also moves while nodes have it mounted:
//!
//! ```text
//!  add osc   START | ADD_UUID | ATTACH | SETUP | ADD_UUID, ADD_CONN | ADD_OBD | END     what mounts to come execute:
//!                    ^ edited            ^ edited   cancelled                           the new address, in place
//!  …
//!  add failnid  START | ADD_UUID | ADD_CONN | … | END          appended: running nodes get the new connections
//! ```
//! When the target starts there, its READY brings the NID table up to date.

use crate::Errno;
use crate::error::Error;
use crate::model::Resource;
use crate::model::commit::EventKind;
use crate::model::names::{TargetId, client_log, node_uuid};
use crate::model::node_names;
use crate::model::sections::{failover_list, nid_list};
use crate::model::tx::Tx;
use llog::lcfg::{LustreCfg, cmd};
use wire::Nid;
use wire::ldlm::ConfigKind;

/// New addresses of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// `testfs-OST0000`.
    pub target: String,
    /// `A,B` one node with two NIDs, `A:B` two nodes.
    pub nids: String,
    /// As a kernel MGS does it: the logs are written anew, their indices begin at 1, and nobody may be connected.
    pub rewrite: bool,
}

/// Sections that connect to a target.
const ADD: [&str; 3] = ["add osc", "add mdc", "add osp"];
const FAILNID: &str = "add failnid";
/// Longest name of a device.
const NAME_MAX: usize = 64;

/// NIDs of `A,B:C`: a list for each node. Unlike [`crate::model::params::failover_nodes`], all of it has to be understood.
///
/// # Errors
/// `ENXIO`, as a kernel MGS answers when no NID is understood.
pub fn nodes(text: &str) -> Result<Vec<Vec<Nid>>, Error> {
    let refuse = |at: &str| {
        let hint = "write NIDs as numbers, such as 10.0.0.2@tcp; ',' joins those of a node, ':' begins the next node";
        Err(Error::refused(format!("NID '{}'", at.escape_default()), Errno::ENXIO, "cannot be read", hint))
    };
    let mut nodes = vec![Vec::new()];
    let mut rest = text;
    loop {
        // IPv6 addresses contain ':': a NID ends at the first mark behind its '@'.
        let end =
            rest.find('@').and_then(|at| Some(at + rest.get(at..)?.find([',', ':'])?)).unwrap_or(rest.len());
        let (nid, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        match (nid.parse::<Nid>(), nodes.last_mut()) {
            (Ok(nid), Some(node)) if nid != Nid::LOOPBACK => node.push(nid),
            _ => return refuse(nid),
        }
        match tail.split_at_checked(1) {
            None => return Ok(nodes),
            Some((mark, tail)) => {
                if mark == ":" {
                    nodes.push(Vec::new());
                }
                rest = tail;
            }
        }
    }
}

impl Command {
    /// The file system that may not be in use meanwhile.
    pub(crate) fn unmounts(&self) -> Option<&str> {
        let (fs, _) = TargetId::parse_svname(&self.target).filter(|_| self.rewrite)?;
        Some(fs)
    }

    /// The file system, and whether readers have to understand NIDs that are not 64 bits long.
    pub(crate) fn readers(&self) -> Option<(&str, bool)> {
        let (fs, _) = TargetId::parse_svname(&self.target).filter(|_| !self.rewrite)?;
        Some((fs, nodes(&self.nids).ok()?.iter().flatten().any(|nid| nid.to_u64().is_none())))
    }

    fn refused(&self, errno: Errno, what: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::refused(format!("target '{}'", self.target.escape_default()), errno, what, hint)
    }

    pub(super) fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        if self.target.len() > NAME_MAX {
            return Err(self.refused(Errno::EOVERFLOW, "name is too long", "at most 64 characters"));
        }
        let Some((fs, id)) = TargetId::parse_svname(&self.target) else {
            let hint = "write FS-OSTxxxx or FS-MDTxxxx, such as testfs-OST0000";
            return Err(self.refused(Errno::ENXIO, "is no name of a target", hint));
        };
        let nodes = nodes(&self.nids)?;
        let Some(mut target) = tx.target(fs, id).cloned() else {
            let hint = "see 'mgsctl target list'";
            return Err(self.refused(Errno::ENOENT, "is not registered", hint));
        };
        let names: Vec<Nid> = nodes.iter().filter_map(|node| node.first().copied()).collect();
        node_names::check(tx, fs, id, &names)?;
        let first = nodes.first().cloned().unwrap_or_default();
        let others: Vec<String> = nodes.iter().skip(1).map(|node| texts(node).join(",")).collect();
        let failover = if others.is_empty() { Vec::new() } else { vec![others.join(":")] };
        if target.nids == first && target.failover == failover && !self.rewrite {
            return Ok(());
        }
        let logs: Vec<String> = std::iter::once(client_log(fs))
            .chain(tx.mdts(fs).into_iter().map(|mdt| mdt.svname(fs)))
            .filter(|log| !tx.log_is_empty(log))
            .collect();
        if self.rewrite {
            let mut backups = Vec::new();
            for log in &logs {
                let records = rewritten(tx.records(log), &id.svname(fs), &nodes);
                backups.extend(tx.back_up(log));
                tx.rewrite_log(log, &records)?;
            }
            tx.event(EventKind::LogsRewritten { logs, backups });
        } else {
            for log in &logs {
                self.edit(tx, fs, log, &id.svname(fs), &nodes)?;
            }
            tx.touch(Resource::new(fs, ConfigKind::Config));
        }
        tx.event(EventKind::NidsReplaced {
            target: id.svname(fs),
            nodes: nodes.iter().map(|node| texts(node)).collect(),
            before: texts(&target.nids),
        });
        target.nids = first;
        target.failover = failover;
        tx.set_target(fs, id, Some(target));
        Ok(())
    }

    /// One log, in place.
    fn edit(
        &self,
        tx: &mut Tx<'_>,
        fs: &str,
        log: &str,
        name: &str,
        nodes: &[Vec<Nid>],
    ) -> Result<(), Error> {
        let records = tx.records(log);
        let mut device = None;
        for section in sections(&records, name) {
            let Some((setup, record)) = section.iter().find(|(_, cfg)| cfg.command == cmd::SETUP) else {
                continue;
            };
            device = record.dev().map(str::to_owned);
            let changes = self.moved(&records, section, *setup, nodes)?;
            for (index, record) in &changes.replaced {
                tx.replace_record(log, *index, record)?;
            }
            tx.cancel_records(log, &changes.cancelled)?;
        }
        let Some(device) = device else { return Ok(()) };
        tx.skip_sections(log, name, FAILNID)?;
        tx.section(fs, log, name, FAILNID, 0, &failover_list(&device, nodes))
    }

    /// What changes in an "add" section: its records in front of `setup` name the first node, none behind it.
    fn moved(
        &self,
        all: &[(u32, LustreCfg)],
        section: &[(u32, LustreCfg)],
        setup: u32,
        nodes: &[Vec<Nid>],
    ) -> Result<Changes, Error> {
        let hint = "unmount everything and use --rewrite";
        let mut nids = nodes.first().into_iter().flatten();
        let mut changes = Changes::default();
        let mut node: Option<String> = None;
        for (index, record) in section {
            match record.command {
                cmd::ADD_UUID if *index < setup => {
                    let Some(nid) = nids.next() else {
                        changes.cancelled.push(*index);
                        continue;
                    };
                    let Some(value) = nid.to_u64().filter(|_| record.bufs.len() == 2) else {
                        let what = format!("NID {nid} does not fit in the place of the old one");
                        return Err(self.refused(Errno::EINVAL, what, hint));
                    };
                    let room = record.bufs.get(1).map_or(0, |buf| buf.len().next_multiple_of(8));
                    let name = match &node {
                        Some(name) => name.clone(),
                        None => fitting(all, nid, room).ok_or_else(|| {
                            let what =
                                format!("another node of these logs has the name that {nid} would get");
                            self.refused(Errno::EINVAL, what, hint)
                        })?,
                    };
                    let mut record = record.clone();
                    record.nid = value;
                    record.nal = 0;
                    put(&mut record, 1, &name);
                    node = Some(name);
                    changes.replaced.push((*index, record));
                }
                cmd::SETUP => {
                    let (Some(name), mut record) = (&node, record.clone()) else {
                        return Err(self.refused(Errno::EINVAL, "has a section without NIDs", hint));
                    };
                    let old = record.bufs.get(2).map_or(0, |buf| buf.len().next_multiple_of(8));
                    if name.len() >= old {
                        return Err(self.refused(Errno::EINVAL, "has records of different lengths", hint));
                    }
                    put(&mut record, 2, name);
                    changes.replaced.push((*index, record));
                }
                cmd::ADD_UUID | cmd::ADD_CONN if *index > setup => changes.cancelled.push(*index),
                _ => {}
            }
        }
        Ok(changes)
    }
}

/// What happens to records of a section.
#[derive(Default)]
struct Changes {
    replaced: Vec<(u32, LustreCfg)>,
    cancelled: Vec<u32>,
}

fn texts(nids: &[Nid]) -> Vec<String> {
    nids.iter().map(ToString::to_string).collect()
}

/// Records between the markers of the sections in force that connect to a target.
fn sections<'a>(
    records: &'a [(u32, LustreCfg)],
    name: &'a str,
) -> impl Iterator<Item = &'a [(u32, LustreCfg)]> {
    let mut open = None;
    records.iter().enumerate().filter_map(move |(at, (_, cfg))| {
        let marker = cfg.marker()?;
        if marker.is_start() {
            let add = ADD.contains(&marker.comment.as_str()) && marker.tgtname == name;
            open = (add && !marker.is_skip()).then_some(at + 1);
            return None;
        }
        records.get(open.take()?..at)
    })
}

/// A node's name in the room of another: the text of its NID, or the end of it. Names only have to differ. `None`: the
/// name is another node's.
fn fitting(all: &[(u32, LustreCfg)], nid: &Nid, room: usize) -> Option<String> {
    let text = node_uuid(nid);
    let cut = text.len().saturating_sub(room.saturating_sub(1));
    let name = text.get(cut..).filter(|name| !name.is_empty())?.to_owned();
    let mut users =
        all.iter().filter(|(_, cfg)| cfg.command == cmd::ADD_UUID && cfg.buf_str(1) == Some(&name));
    let other = users.any(|(_, cfg)| Some(cfg.effective_nid()) != nid.to_u64());
    (cut == 0 || !other).then_some(name)
}

/// Puts a text into a buffer of a record without changing the length of either, so that a text that is shorter is
/// followed by NULs.
fn put(record: &mut LustreCfg, buffer: usize, text: &str) {
    if let Some(buf) = record.bufs.get_mut(buffer) {
        let room = buf.len().next_multiple_of(8);
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        if bytes.len().next_multiple_of(8) != room {
            bytes.resize(room, 0);
        }
        *buf = bytes;
    }
}

/// Where the copy of a log is, within the sections of the target.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// Elsewhere: copied.
    Copy,
    /// In a section that goes.
    Skip,
    /// In front of the first NID.
    Uuid,
    /// In front of SETUP.
    Setup,
    /// Behind it.
    Done,
}

/// A log as a kernel MGS writes it anew: without skipped sections, with the first node in the place of the old NIDs
/// and the others behind SETUP.
fn rewritten(records: Vec<(u32, LustreCfg)>, name: &str, nodes: &[Vec<Nid>]) -> Vec<LustreCfg> {
    let first = nodes.first().map_or(&[][..], Vec::as_slice);
    let node = first.first().map(node_uuid).unwrap_or_default();
    let mut at = At::Copy;
    let mut out = Vec::new();
    for (_, cfg) in records {
        if let Some(m) = cfg.marker() {
            let ours = m.tgtname == name;
            match (m.is_skip(), m.is_start()) {
                (true, start) => at = if start { At::Skip } else { At::Copy },
                (false, true) if ours => at = if m.comment == FAILNID { At::Skip } else { At::Uuid },
                (false, false) if ours => at = At::Copy,
                (false, _) => {}
            }
            if m.is_skip() || (ours && m.comment == FAILNID) || at == At::Skip {
                continue;
            }
            out.push(cfg);
            continue;
        }
        match (at, cfg.command) {
            (At::Skip, _) | (At::Setup, cmd::ADD_UUID) | (At::Done, cmd::ADD_UUID | cmd::ADD_CONN) => {}
            (At::Uuid, cmd::ADD_UUID) => {
                out.extend(nid_list(&node, first));
                at = At::Setup;
            }
            (At::Setup, cmd::SETUP) => {
                let device = cfg.dev().unwrap_or_default().to_owned();
                out.push(cfg.with_text(2, &node));
                out.extend(failover_list(&device, nodes.get(1..).unwrap_or_default()));
                at = At::Done;
            }
            _ => out.push(cfg),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_list_is_read_or_nothing() {
        let read = |text| nodes(text).map(|n| n.iter().map(|n| texts(n)).collect::<Vec<_>>());
        assert_eq!(
            read("10.0.0.1@tcp,10.1.0.1@o2ib:fd00::2@tcp1").unwrap(),
            [vec!["10.0.0.1@tcp".to_owned(), "10.1.0.1@o2ib".to_owned()], vec!["fd00::2@tcp1".to_owned()]]
        );
        for bad in [
            "",
            ",",
            "junk",
            "10.0.0.1@tcp,",
            "10.0.0.1@tcp:",
            "10.0.0.1@tcp,junk",
            "junk:10.0.0.1@tcp",
            "0@lo",
        ] {
            assert_eq!(read(bad).map_err(|e| e.errno()), Err(Errno::ENXIO), "{bad}");
        }
    }
}

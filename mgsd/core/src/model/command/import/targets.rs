//! Targets of a file system, out of its logs.

use super::uuid;
use crate::model::names::{TargetId, client_log};
use crate::model::tx::Tx;
use crate::model::view::{Registered, Target};
use llog::lcfg::{LustreCfg, cmd};
use std::collections::BTreeMap;
use wire::Nid;

/// Sections that connect to a target, and the one that adds connections later.
const ADD: [&str; 3] = ["add mdc", "add osc", "add osp"];
const FAILNID: &str = "add failnid";

/// What the logs say of one.
#[derive(Debug, Default)]
struct Found {
    uuid: Option<String>,
    nids: Vec<Nid>,
    /// Nodes with their NIDs, in order.
    failover: Vec<Vec<Nid>>,
    created: u64,
    connected: bool,
}

/// Every target that the log of clients or that of an MDT connects to, and every one that has a log of its own.
pub(super) fn of(tx: &mut Tx<'_>, fs: &str) -> Vec<(TargetId, Target)> {
    let client = client_log(fs);
    let logs = tx.logs_of(fs);
    let mut found: BTreeMap<TargetId, Found> = BTreeMap::new();
    // That of clients last: what it says counts.
    let others = logs.iter().filter(|log| **log != client);
    for log in others.chain(logs.iter().filter(|log| **log == client)) {
        sections(&tx.records(log).into_iter().map(|(_, cfg)| cfg).collect::<Vec<_>>(), fs, &mut found);
    }
    for log in &logs {
        let own = TargetId::parse_svname(log).map(|(_, id)| id).filter(|_| !tx.log_is_empty(log));
        if let Some(id) = own {
            found.entry(id).or_default();
        }
    }
    let mut out = Vec::new();
    for (id, target) in found {
        let name = id.svname(fs);
        if tx.log_is_empty(&name) {
            tx.warn(format!("target '{name}': others connect to it, and it has no log of its own"));
        }
        if !target.connected && !tx.log_is_empty(&client) {
            tx.warn(format!("target '{name}': it has a log, and clients do not connect to it"));
        }
        let texts = |nids: &[Nid]| nids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let nodes: Vec<String> = target.failover.iter().map(|node| texts(node)).collect();
        out.push((
            id,
            Target {
                id: uuid(&name, tx.seq()),
                uuid: target.uuid.unwrap_or_else(|| format!("{name}_UUID")),
                nids: target.nids,
                failover: if nodes.is_empty() { Vec::new() } else { vec![nodes.join(":")] },
                params: String::new(),
                lustre_version: 0,
                registered: Registered {
                    seq: tx.seq(),
                    time: i64::try_from(target.created).unwrap_or(0),
                    flags: 0,
                    mgc_uuid: String::new(),
                },
                ready: true,
            },
        ));
    }
    out
}

/// Reads the live sections of a log.
fn sections(records: &[LustreCfg], fs: &str, found: &mut BTreeMap<TargetId, Found>) {
    let mut open: Option<(TargetId, Found, bool)> = None;
    for cfg in records {
        if let Some(marker) = cfg.marker() {
            let id = TargetId::parse_svname(&marker.tgtname).filter(|(of, _)| *of == fs).map(|(_, id)| id);
            let connects = ADD.contains(&marker.comment.as_str());
            match (marker.is_start(), id) {
                (true, Some(id)) if !marker.is_skip() && (connects || marker.comment == FAILNID) => {
                    let created = marker.createtime;
                    open = Some((id, Found { created, connected: connects, ..Found::default() }, false));
                }
                (true, _) => open = None,
                (false, _) => {
                    if let Some((id, section, _)) = open.take() {
                        join(found.entry(id).or_default(), section);
                    }
                }
            }
            continue;
        }
        let Some((_, section, set_up)) = &mut open else { continue };
        match cfg.command {
            cmd::ADD_UUID => {
                let nids = section.failover.last_mut();
                match (nid(cfg), *set_up || !section.connected, nids) {
                    (Some(nid), false, _) => section.nids.push(nid),
                    (Some(nid), true, Some(node)) if node_of(cfg, node) => node.push(nid),
                    (Some(nid), true, _) => section.failover.push(vec![nid]),
                    (None, ..) => {}
                }
            }
            cmd::SETUP => {
                section.uuid = cfg.buf_str(1).map(str::to_owned);
                *set_up = true;
            }
            _ => {}
        }
    }
}

/// A section of a target says it all anew; one of connections adds to it.
fn join(target: &mut Found, section: Found) {
    if section.connected {
        *target = section;
        return;
    }
    target.failover.extend(section.failover);
}

fn nid(cfg: &LustreCfg) -> Option<Nid> {
    match cfg.effective_nid() {
        0 => cfg.buf_str(2).or(cfg.buf_str(1)).and_then(|text| text.parse().ok()),
        packed => Some(Nid::from_u64(packed)),
    }
}

/// Whether an `ADD_UUID` is for the node whose first NID this is.
fn node_of(cfg: &LustreCfg, node: &[Nid]) -> bool {
    let first = node.first().map(crate::model::names::node_uuid);
    first.is_some() && cfg.buf_str(1) == first.as_deref()
}

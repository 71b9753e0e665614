//! `failover.node`: a setting that has no record of its own. It is connections in the logs of those who connect, and
//! every node that was ever named stays.

use super::in_force::ParamRecord;
use crate::model::names::TargetId;
use llog::lcfg::{LustreCfg, cmd};
use wire::Nid;

/// As `conf_param` spells it.
pub const FAILOVER: &str = "failover.node";

/// Sections that connect to a target. What comes behind the set-up are failover nodes that it brought.
const ADD: [&str; 3] = ["add mdc", "add osc", "add osp"];
/// The section that adds connections later.
const FAILNID: &str = "add failnid";

/// Failover nodes that one section of a log adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Of the first of its records. The value is as it is typed: NIDs of a node with `,`, nodes with `:`.
    pub record: ParamRecord,
    /// The target brought it along when it registered: it goes with its next writeconf, and with nothing else.
    pub brought: bool,
    /// Index and offset of the markers around them.
    pub markers: Vec<(u32, u64)>,
}

/// The failover nodes that a log has, in live sections, in order.
pub fn connections(log: &llog::Log) -> Vec<Connection> {
    let mut found = Vec::new();
    let mut open: Option<Section> = None;
    for record in log.records().filter(|r| r.live) {
        let Ok(cfg) = record.cfg() else { continue };
        if let Some(m) = cfg.marker() {
            found.extend(open.take().and_then(|section| section.close((record.index, record.offset))));
            let brought = ADD.contains(&m.comment.as_str());
            let wanted = m.is_start() && !m.is_skip() && (brought || m.comment == FAILNID);
            if wanted && TargetId::parse_svname(&m.tgtname).is_some() {
                let created = m.createtime;
                let markers = vec![(record.index, record.offset)];
                open = Some(Section { target: m.tgtname, created, brought, markers, ..Section::default() });
            }
        } else if let Some(section) = &mut open {
            section.take(record.index, record.offset, &cfg);
        }
    }
    found
}

#[derive(Default)]
struct Section {
    target: String,
    created: u64,
    brought: bool,
    markers: Vec<(u32, u64)>,
    /// It has connected to the first node.
    set_up: bool,
    /// The first record behind that.
    first: Option<(u32, u64)>,
    /// Nodes by the name of each.
    nodes: Vec<(String, Vec<Nid>)>,
}

impl Section {
    fn take(&mut self, index: u32, offset: u64, cfg: &LustreCfg) {
        if cfg.command == cmd::SETUP {
            self.set_up = true;
        }
        if cfg.command != cmd::ADD_UUID || (self.brought && !self.set_up) {
            return;
        }
        let (Some(nid), Some(node)) = (nid(cfg), cfg.buf_str(1)) else { return };
        self.first.get_or_insert((index, offset));
        match self.nodes.last_mut() {
            Some((name, nids)) if name == node => nids.push(nid),
            _ => self.nodes.push((node.to_owned(), vec![nid])),
        }
    }

    fn close(mut self, end: (u32, u64)) -> Option<Connection> {
        let (index, offset) = self.first?;
        self.markers.push(end);
        let value = typed(self.nodes.iter().map(|(_, nids)| nids.as_slice()));
        let record = ParamRecord {
            index,
            offset,
            created: self.created,
            device: Some(self.target),
            name: FAILOVER.to_owned(),
            value,
        };
        Some(Connection { record, brought: self.brought, markers: self.markers })
    }
}

/// Nodes as they are typed: NIDs of a node with `,`, nodes with `:`.
pub fn typed<'a>(nodes: impl Iterator<Item = &'a [Nid]>) -> String {
    let node = |nids: &[Nid]| nids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    nodes.map(node).collect::<Vec<_>>().join(":")
}

fn nid(cfg: &LustreCfg) -> Option<Nid> {
    match cfg.effective_nid() {
        0 => cfg.buf_str(2).or(cfg.buf_str(1)).and_then(|text| text.parse().ok()),
        packed => Some(Nid::from_u64(packed)),
    }
}

//! What the logs say is in force.

use super::connections::connections;
use crate::model::names::{TargetId, log_base};
use llog::lcfg::cmd;
use std::collections::BTreeMap;

/// A parameter in force: what a node that mounts now is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InForce {
    /// `testfs`, `testfs-OST0000`; `None` for `set_param -P`.
    pub device: Option<String>,
    /// `osc.max_dirty_mb`, or a path.
    pub name: String,
    /// `64`.
    pub value: String,
    /// Logs that hold it, each with the index of the record.
    pub logs: Vec<(String, u32)>,
}

/// Parameters of a file system in force, or those of `set_param -P`, in the order of their names. What a device per
/// MDT repeats is shown once.
pub fn in_force<'a>(logs: impl IntoIterator<Item = (&'a str, &'a llog::Log)>) -> Vec<InForce> {
    type Key = (Option<String>, String, String);
    let mut found: BTreeMap<Key, Vec<(String, u32)>> = BTreeMap::new();
    for (log, entry) in logs {
        let connections = connections(entry).into_iter().map(|c| c.record);
        for record in records(log, entry).into_iter().chain(connections) {
            let key = (record.device, record.name, record.value);
            found.entry(key).or_default().push((log.to_owned(), record.index));
        }
    }
    let shown = |((device, name, value), logs)| InForce { device, name, value, logs };
    found.into_iter().map(shown).collect()
}

/// A record that sets a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamRecord {
    /// Index of the record.
    pub index: u32,
    /// Offset of the record in the log file.
    pub offset: u64,
    /// When its section was written, unix seconds.
    pub created: u64,
    /// `testfs`, `testfs-OST0000`; `None` for `set_param -P`.
    pub device: Option<String>,
    /// `osc.max_dirty_mb`, or a path.
    pub name: String,
    /// `64`.
    pub value: String,
}

/// The records of a log that set parameters, those in live sections, in the order of execution.
pub fn records(name: &str, log: &llog::Log) -> Vec<ParamRecord> {
    let (fs, mut found) = (log_base(name), Vec::new());
    let mut head = None;
    for record in log.records().filter(|r| r.live) {
        let Ok(cfg) = record.cfg() else { continue };
        if let Some(m) = cfg.marker() {
            head = (m.is_start() && !m.is_skip()).then_some((m.tgtname, m.createtime));
            continue;
        }
        let Some((tgtname, created)) = &head else { continue };
        let known = [cmd::PARAM, cmd::SET_PARAM, cmd::SET_TIMEOUT, cmd::SET_LDLM_TIMEOUT];
        let text = cfg.buf_str(1).filter(|_| known.contains(&cfg.command));
        let Some((name, value)) = text.and_then(|t| t.split_once('=')) else { continue };
        let device = (cfg.command != cmd::SET_PARAM).then(|| owner(fs, tgtname));
        found.push(ParamRecord {
            index: record.index,
            offset: record.offset,
            created: *created,
            device,
            name: name.to_owned(),
            value: value.to_owned(),
        });
    }
    found
}

/// The file system or target whose device this is: `testfs-OST0000-osc-MDT0000` is `testfs-OST0000`.
fn owner(fs: &str, device: &str) -> String {
    let rest = device.strip_prefix(fs).and_then(|rest| rest.strip_prefix('-'));
    let target = rest.and_then(|rest| TargetId::parse(rest.split('-').next().unwrap_or(rest)));
    target.map_or_else(|| fs.to_owned(), |id| id.svname(fs))
}

//! Follows a log as a reader executes it (`class_config_llog_handler`, `class_process_config`) and reports the
//! commands that would fail.

use super::Findings;
use crate::{Log, LustreCfg, Marker, cmd};
use std::collections::{BTreeMap, BTreeSet};

/// Length of the LOV and LMV descriptors.
const DESC: usize = 88;
/// Parameters that need no device.
const DEVICELESS: [&str; 3] = ["sys.", "llite.", "quota."];

/// What a reader has built so far.
#[derive(Default)]
struct Reader {
    devices: BTreeMap<String, Device>,
    nodes: BTreeSet<String>,
    section: Option<(u32, Marker)>,
}

struct Device {
    kind: String,
    attached: u32,
    set_up: bool,
    targets: BTreeMap<String, u32>,
}

pub(super) fn check(out: &mut Findings, log: &Log) {
    let mut reader = Reader::default();
    for rec in log.records().filter(|r| r.live) {
        // Records that do not decode are the matter of the structure.
        let Ok(cfg) = rec.cfg() else { continue };
        let index = rec.index;
        if cfg.command == cmd::MARKER {
            match cfg.marker() {
                Some(m) => reader.marker(out, index, m),
                None => out.error(index, "marker has no content: readers would crash or stop here"),
            }
            continue;
        }
        match &reader.section {
            None => {
                let name = name(&cfg);
                out.warn(index, format!("{name} lies outside any section: readers ignore it"));
            }
            Some((_, m)) if m.is_skip() => {}
            Some(_) => reader.execute(out, index, &cfg),
        }
    }
    if let Some((index, m)) = reader.section {
        out.warn(index, format!("section {} '{}' has no END marker", m.tgtname, m.comment));
    }
}

fn name(cfg: &LustreCfg) -> String {
    cmd::command_name(cfg.command).map_or_else(|| format!("command {:#x}", cfg.command), str::to_owned)
}

impl Reader {
    fn marker(&mut self, out: &mut Findings, index: u32, m: Marker) {
        let title = |m: &Marker| format!("{} '{}' step {}", m.tgtname, m.comment, m.step);
        match (m.is_start(), m.is_end()) {
            (true, false) => {
                if let Some((start, open)) = self.section.replace((index, m)) {
                    out.warn(
                        start,
                        format!("section {} has no END marker before record {index}", title(&open)),
                    );
                }
            }
            (false, true) => match self.section.take() {
                None => out.warn(index, format!("END marker of {} without START", title(&m))),
                Some((start, open)) => {
                    if (open.step, &open.tgtname, &open.comment) != (m.step, &m.tgtname, &m.comment) {
                        let (a, b) = (title(&open), title(&m));
                        out.warn(index, format!("END marker of {b} closes {a} of record {start}"));
                    }
                    if open.is_skip() != m.is_skip() {
                        out.warn(index, format!("START and END of {} disagree about SKIP", title(&open)));
                    }
                }
            },
            _ => out
                .warn(index, format!("marker {} is neither START nor END: flags {:#x}", title(&m), m.flags)),
        }
    }

    /// A command inside a section that is not skipped.
    fn execute(&mut self, out: &mut Findings, index: u32, cfg: &LustreCfg) {
        match cfg.command {
            cmd::ATTACH => self.attach(out, index, cfg),
            cmd::SETUP => self.setup(out, index, cfg),
            cmd::DETACH => self.detach(out, index, cfg),
            cmd::ADD_UUID => match cfg.buf_str(1) {
                None => out.error(index, "add_uuid without node UUID: readers stop here"),
                Some(_) if cfg.nid == 0 && cfg.buf_str(2).is_none() => {
                    out.error(index, "add_uuid without NID: readers stop here");
                }
                Some(node) => drop(self.nodes.insert(node.to_owned())),
            },
            cmd::ADD_CONN => self.add_conn(out, index, cfg),
            cmd::LOV_ADD_OBD | cmd::ADD_MDC => self.add_target(out, index, cfg),
            cmd::PARAM => self.param(out, index, cfg),
            cmd::MOUNTOPT => {
                for dev in [2, 3].into_iter().filter_map(|i| cfg.buf_str(i)) {
                    if !self.devices.contains_key(dev) {
                        out.warn(index, format!("profile names device {dev}, which is not attached"));
                    }
                }
            }
            cmd::SET_PARAM if cfg.buf_str(1).is_none_or(|t| !t.contains('=')) => {
                out.warn(index, "set_param without 'name=value' has no effect");
            }
            cmd::POOL_NEW | cmd::POOL_ADD | cmd::POOL_REM | cmd::POOL_DEL
                if cfg.dev().is_none_or(|d| !self.devices.contains_key(d)) =>
            {
                out.warn(index, format!("{} on a device that is not attached has no effect", name(cfg)));
            }
            other if cmd::command_name(other).is_none() => {
                if other & cmd::REQUIRED == 0 {
                    out.warn(index, format!("unknown command {other:#x}: readers log and ignore it"));
                } else {
                    out.error(index, format!("unknown required command {other:#x}: mounting fails"));
                }
            }
            _ => {}
        }
    }

    fn attach(&mut self, out: &mut Findings, index: u32, cfg: &LustreCfg) {
        let (Some(dev), Some(kind), Some(_)) = (cfg.dev(), cfg.buf_str(1), cfg.buf_str(2)) else {
            out.error(index, "attach needs device, type and UUID: readers stop here with -22");
            return;
        };
        let fresh =
            Device { kind: kind.to_owned(), attached: index, set_up: false, targets: BTreeMap::new() };
        if let Some(old) = self.devices.insert(dev.to_owned(), fresh) {
            let at = old.attached;
            out.error(
                index,
                format!("device {dev} was attached by record {at} already: readers stop here with -17"),
            );
        }
    }

    fn detach(&mut self, out: &mut Findings, index: u32, cfg: &LustreCfg) {
        if cfg.dev().and_then(|d| self.devices.remove(d)).is_none() {
            out.error(index, "detach of a device that is not attached: readers stop here");
        }
    }

    fn add_conn(&mut self, out: &mut Findings, index: u32, cfg: &LustreCfg) {
        if self.ready(out, index, cfg).is_some() {
            self.node(out, index, cfg.buf_str(1));
        }
    }

    fn setup(&mut self, out: &mut Findings, index: u32, cfg: &LustreCfg) {
        let dev = cfg.dev().unwrap_or_default();
        let Some(device) = self.devices.get_mut(dev) else {
            out.error(
                index,
                format!("setup of device '{dev}', which is not attached: readers stop here with -22"),
            );
            return;
        };
        if device.set_up {
            out.error(index, format!("device {dev} is set up twice: readers stop here with -17"));
        }
        device.set_up = true;
        match device.kind.as_str() {
            kind @ ("lov" | "lmv") => {
                let found = cfg.bufs.get(1).map_or(0, Vec::len);
                if found != DESC {
                    out.error(index, format!("{kind} descriptor has {found} bytes, {DESC} are needed"));
                }
            }
            "mdc" | "osc" | "osp" => self.node(out, index, cfg.buf_str(2)),
            _ => {}
        }
    }

    /// The device of a command that needs it set up.
    fn ready(&mut self, out: &mut Findings, index: u32, cfg: &LustreCfg) -> Option<&mut Device> {
        let dev = cfg.dev().unwrap_or_default();
        let device = self.devices.get_mut(dev).filter(|d| d.set_up);
        if device.is_none() {
            let name = name(cfg);
            out.error(
                index,
                format!("{name} on device '{dev}', which is not set up: readers stop here with -22"),
            );
        }
        device
    }

    /// A connection needs a node UUID that has NIDs.
    fn node(&self, out: &mut Findings, index: u32, node: Option<&str>) {
        let node = node.unwrap_or_default();
        if !self.nodes.contains(node) {
            out.error(index, format!("node '{node}' has no add_uuid before: the connection fails with -2"));
        }
    }

    fn add_target(&mut self, out: &mut Findings, index: u32, cfg: &LustreCfg) {
        let (Some(uuid), Some(number)) = (cfg.buf_str(1), cfg.buf_str(2)) else {
            out.error(index, format!("{} needs UUID and index: readers stop here with -22", name(cfg)));
            return;
        };
        if number.parse::<u16>().is_err() {
            out.error(index, format!("{} has index '{number}', allowed are 0 to 65534", name(cfg)));
        }
        let key = format!("{} {number}", cmd::command_name(cfg.command).unwrap_or_default());
        let Some(device) = self.ready(out, index, cfg) else { return };
        if let Some(first) = device.targets.insert(key, index) {
            out.error(
                index,
                format!("index {number} of {uuid} was taken by record {first}: readers stop here with -17"),
            );
        }
    }

    fn param(&self, out: &mut Findings, index: u32, cfg: &LustreCfg) {
        let Some(text) = cfg.buf_str(1).filter(|t| t.contains('=')) else {
            out.error(index, "conf_param without 'name=value': readers stop here with -22");
            return;
        };
        if DEVICELESS.iter().any(|prefix| text.starts_with(prefix)) {
            return;
        }
        let dev = cfg.dev().unwrap_or_default();
        if !self.devices.contains_key(dev) {
            // A kernel MGS writes this itself when it is told a target that does not exist.
            out.warn(
                index,
                format!(
                    "conf_param {text} for device '{dev}', which is not attached: readers stop here with -22"
                ),
            );
        }
    }
}

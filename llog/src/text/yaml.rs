//! `lctl llog_print`: effective records as YAML.

use super::{c, nid};
use crate::{Log, Marker, RecordRef, cmd, lcfg::LustreCfg};
use std::fmt::Write;
use std::ops::RangeInclusive;

/// The records of a log as `lctl llog_print` prints them (`llog_print_cb`, `class_config_yaml_output`).
///
/// Plain: the commands that a reader executes; markers, cancelled records, those outside sections and in SKIP sections
/// are left out. Raw: everything live. Whether a record is inside a SKIP section is known from the start of the log,
/// where the kernel looks back ten records only. A command without a name, at which the kernel stops with
/// -ENOTTY, gets its number as event.
pub fn yaml(log: &Log, raw: bool, range: &RangeInclusive<u32>) -> String {
    let mut out = String::new();
    let mut executed = false;
    for rec in log.records().take_while(|r| r.index <= *range.end()).filter(|r| r.live) {
        let Ok(cfg) = rec.cfg() else {
            if range.contains(&rec.index) {
                let _ = writeln!(
                    out,
                    "[index]: {:05}  [type]: {:02x}  [len]: {:04}",
                    rec.index, rec.kind, rec.len
                );
            }
            continue;
        };
        let marker = cfg.marker();
        match &marker {
            Some(m) if m.is_start() => executed = !m.is_skip(),
            Some(m) if m.is_end() => executed = false,
            _ => {}
        }
        let shown = raw || (executed && cfg.command != cmd::MARKER);
        if shown && range.contains(&rec.index) {
            line(&mut out, &rec, &cfg, marker.as_ref());
        }
    }
    out
}

/// One record. Writing to a `String` cannot fail.
fn line(out: &mut String, rec: &RecordRef<'_>, cfg: &LustreCfg, marker: Option<&Marker>) {
    let known = cmd::describe(cfg.command);
    let event = known.map_or_else(|| format!("{:#x}", cfg.command), |d| d.name.to_owned());
    let keys = known.map_or(["1", "2", "3", "4"], |d| d.keys);
    let _ = write!(out, "- {{ index: {}, event: {event}", rec.index);
    if cfg.flags != 0 {
        let _ = write!(out, ", flags: {}", c::hex(cfg.flags, 8));
    }
    if cfg.num != 0 {
        let _ = write!(out, ", num: {}", c::hex(cfg.num, 8));
    }
    if cfg.nid != 0 {
        let _ = write!(out, ", nid: {}({:#x})", nid::text(cfg.nid), cfg.nid);
    }
    if let Some(dev) = cfg.bufs.first().filter(|b| !b.is_empty()) {
        let _ = write!(out, ", device: {}", c::string(dev));
    }
    let text = |i: usize| cfg.bufs.get(i).filter(|b| !b.is_empty()).map(|b| c::string(b));
    if let Some(m) = marker {
        let _ = write!(
            out,
            ", flags: {}, version: {}, createtime: {}, canceltime: {}",
            c::hex(m.flags, 4),
            m.version_text(),
            m.createtime.cast_signed(),
            m.canceltime.cast_signed()
        );
    } else if cfg.command == cmd::SET_PARAM {
        if let Some((name, value)) = text(1).as_deref().and_then(|t| t.split_once('=')) {
            let _ = write!(out, ", parameter: {name}, value: {value}");
        }
    } else {
        for i in 1..cfg.bufs.len() {
            if let Some(text) = text(i) {
                // The kernel's table ends at four keys; buffers behind it are numbered on.
                let number = i.to_string();
                let _ = write!(out, ", {}: {text}", keys.get(i - 1).copied().unwrap_or(&number));
            }
        }
    }
    out.push_str(" }\n");
}

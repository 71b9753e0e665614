//! `llog_reader FILE`: structure, header, then every live record. Times are UTC.

use super::{c, nid};
use crate::header::{CONFIG_UUID, IS_PLAIN};
use crate::{Log, Marker, RecordRef, cmd, lcfg::LustreCfg, le, marker::flag};
use std::fmt::Write;
use std::ops::RangeInclusive;

/// Length by which `llog_reader` recognises a LOV descriptor, and mistakes an LMV descriptor for one.
const LOV_DESC: usize = 88;

/// The text of `llog_reader`. A log never written to gives nothing (the original refuses such a file). Damage, which
/// the original reports between these lines, is the matter of [`crate::check`].
pub fn reader(log: &Log, range: &RangeInclusive<u32>) -> String {
    let mut out = String::new();
    if log.end() == 0 {
        return out;
    }
    let live = || log.records().filter(|r| r.live && range.contains(&r.index));
    for r in live() {
        let _ = writeln!(out, "rec #{} type={:x} len={} offset {}", r.index, r.kind, r.len, r.offset);
    }
    let shortest = log.shortest();
    let time = u64::try_from(log.timestamp()).map_or_else(|_| String::from("in the distant past"), c::ctime);
    let _ = writeln!(out, "Header size : 8192\t llh_size : {shortest}\nTime : {time}");
    let _ = writeln!(
        out,
        "Number of records: {}\tcat_idx: 0\tlast_idx: {}\nFlags: {IS_PLAIN:#x}\nTarget uuid : {CONFIG_UUID}",
        log.count() - 1,
        log.last_index()
    );
    out.push_str("-----------------------\n");
    let mut skip = false;
    for r in live() {
        let _ = writeln!(out, "#{:02} ({:03}){}", r.index, r.len, line(&r, &mut skip));
    }
    out
}

/// What follows `#NN (LEN)`. `skip` carries the state of the section from line to line.
pub fn line(rec: &RecordRef<'_>, skip: &mut bool) -> String {
    let mut out = String::new();
    if !rec.live {
        out.push_str("NOT SET ");
    }
    if rec.is_pad() {
        out.push_str("padding");
        return out;
    }
    match rec.cfg() {
        Ok(cfg) => command(&mut out, &cfg, skip),
        Err(_) => {
            let _ = write!(out, "unknown type {:x}", rec.kind);
        }
    }
    out
}

fn command(out: &mut String, cfg: &LustreCfg, skip: &mut bool) {
    if *skip {
        out.push_str("SKIP ");
    }
    let word = match cfg.command {
        cmd::MARKER => {
            match cfg.marker() {
                Some(m) => marker(out, &m, skip),
                None => out.push_str("marker without content"),
            }
            return;
        }
        cmd::SETUP if cfg.bufs.len() == 2 && cfg.bufs.get(1).is_some_and(|b| b.len() == LOV_DESC) => {
            lov_setup(out, cfg);
            return;
        }
        cmd::SET_TIMEOUT | cmd::SET_LDLM_TIMEOUT => {
            let name = if cfg.command == cmd::SET_TIMEOUT { "set_timeout" } else { "set_ldlm_timeout" };
            let _ = write!(out, "{name}={} ", cfg.num.cast_signed());
            return;
        }
        cmd::ATTACH => "attach    ",
        cmd::SETUP => "setup     ",
        cmd::DETACH => "detach    ",
        cmd::CLEANUP => "cleanup   ",
        cmd::ADD_UUID => "add_uuid  ",
        cmd::DEL_UUID => "del_uuid  ",
        cmd::ADD_CONN => "add_conn  ",
        cmd::DEL_CONN => "del_conn  ",
        cmd::LOV_ADD_OBD => "lov_modify_tgts add ",
        cmd::LOV_DEL_OBD => "lov_modify_tgts del ",
        cmd::ADD_MDC => "modify_mdc_tgts add ",
        cmd::DEL_MDC => "modify_mdc_tgts del ",
        cmd::MOUNTOPT => "mount_option ",
        cmd::DEL_MOUNTOPT => "del_mount_option ",
        cmd::SET_UPCALL => "set_lustre_upcall ",
        cmd::PARAM => "param ",
        cmd::SET_PARAM => "set_param ",
        cmd::SPTLRPC_CONF => "sptlrpc_conf ",
        cmd::POOL_NEW => "pool new ",
        cmd::POOL_ADD => "pool add ",
        cmd::POOL_REM => "pool remove ",
        cmd::POOL_DEL => "pool destroy ",
        other => {
            // The original has a line break of its own here and so leaves an empty line.
            let _ = writeln!(out, "unsupported cmd_code = {other:x}");
            return;
        }
    };
    out.push_str(word);
    if cfg.nid != 0 {
        let _ = write!(out, "nid={}({:#x})  ", nid::text(cfg.nid), cfg.nid);
    }
    if cfg.nal != 0 {
        let _ = write!(out, "nal={} ", cfg.nal.cast_signed());
    }
    for (i, buf) in cfg.bufs.iter().enumerate() {
        let _ = write!(out, "{i}:{}  ", c::string(buf));
    }
}

fn marker(out: &mut String, m: &Marker, skip: &mut bool) {
    if m.is_start() && m.is_skip() {
        out.push_str("SKIP START ");
        *skip = true;
    } else if m.is_end() {
        out.push_str("END   ");
        *skip = false;
    }
    if m.flags & flag::EXCLUDE != 0 {
        out.push_str(if m.is_start() { "EXCLUDE START " } else { "EXCLUDE END   " });
    }
    let cancel = if m.canceltime == 0 { String::new() } else { c::ctime(m.canceltime) };
    let _ = write!(
        out,
        "marker {:3} (flags={}, v{}) {:<15} '{}' {}-{cancel}",
        m.step.cast_signed(),
        c::hex(m.flags, 4),
        m.version_text(),
        c::visible(&m.tgtname),
        c::visible(&m.comment),
        c::ctime(m.createtime)
    );
}

/// A LOV descriptor, see [`LustreCfg::lov_desc`].
fn lov_setup(out: &mut String, cfg: &LustreCfg) {
    let desc = cfg.bufs.get(1).map_or(&[][..], Vec::as_slice);
    let word = |at| le::u32_at(desc, at).unwrap_or_default();
    let long = |at| le::u64_at(desc, at).unwrap_or_default();
    let dev = cfg.bufs.first().map_or(&[][..], Vec::as_slice);
    let _ = write!(
        out,
        "lov_setup 0:{}  1:(struct lov_desc)\n\t\tuuid={}  stripe:cnt={} size={} offset={} pattern={}",
        c::string(dev),
        c::string(desc.get(48..).unwrap_or_default()),
        word(8),
        long(16),
        long(24),
        c::hex(word(12), 0)
    );
}

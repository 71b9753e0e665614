//! From the bytes of a log to the records that the API shows.

use llog::{LustreCfg, RecordRef, marker};
use mgs_api::{LogRecord, Marker, Problem, ProblemKind, Time};

/// The records of a log with `start <= index <= end`, in order, cancelled ones and padding included.
///
/// # Errors
/// A log that does not parse: it came from our own store, so the store is to blame.
pub(super) fn of(name: &str, file: &[u8], start: u32, end: u32) -> Result<Vec<LogRecord>, Problem> {
    let log = llog::Log::from_file(file).map_err(|error| {
        Problem::new(ProblemKind::Storage, format!("log {name:?}"), error.to_string())
            .hint("mgsd check --data DIR examines the store")
    })?;
    Ok(log.records_from(start.max(1)).take_while(|record| record.index <= end).map(shown).collect())
}

fn shown(record: RecordRef<'_>) -> LogRecord {
    let mut shown = LogRecord {
        index: record.index,
        offset: record.offset,
        length: record.len,
        live: record.live,
        command: "pad".to_owned(),
        device: None,
        flags: 0,
        num: 0,
        nid: None,
        buffers: Vec::new(),
        marker: None,
    };
    if record.is_pad() {
        return shown;
    }
    let number = record.command().unwrap_or(record.kind);
    shown.command = llog::command_name(number).map_or_else(|| format!("{number:#x}"), str::to_owned);
    match record.cfg() {
        Ok(cfg) => {
            shown.device = cfg.dev().map(str::to_owned);
            (shown.flags, shown.num) = (cfg.flags, cfg.num);
            shown.nid = nid(&cfg);
            shown.marker = cfg.marker().map(marker_of);
            if shown.marker.is_none() {
                shown.buffers = cfg.bufs.iter().skip(1).map(|buffer| text(buffer)).collect();
            }
        }
        // Not one of ours, and still shown: its payload as it is.
        Err(_) => shown.buffers.push(hex(record.payload)),
    }
    shown
}

fn nid(cfg: &LustreCfg) -> Option<String> {
    match cfg.effective_nid() {
        0 => None,
        packed => Some(wire::nid::Nid::from_u64(packed).to_string()),
    }
}

fn marker_of(marker: llog::Marker) -> Marker {
    let names = [
        (marker::flag::START, "START"),
        (marker::flag::END, "END"),
        (marker::flag::SKIP, "SKIP"),
        (marker::flag::UPGRADE146, "UPGRADE146"),
        (marker::flag::EXCLUDE, "EXCLUDE"),
    ];
    Marker {
        step: marker.step,
        flags: marker.flags,
        flag_names: names
            .into_iter()
            .filter(|(bit, _)| marker.flags & bit != 0)
            .map(|(_, name)| name.to_owned())
            .collect(),
        lustre_version: marker.version_text(),
        created: Time::from_unix(marker.createtime),
        cancelled: (marker.canceltime != 0).then(|| Time::from_unix(marker.canceltime)),
        target: marker.tgtname,
        comment: marker.comment,
    }
}

/// A buffer is text when it is printable up to its NUL and holds nothing behind it; else its bytes are shown.
fn text(buffer: &[u8]) -> String {
    let end = buffer.iter().position(|byte| *byte == 0).unwrap_or(buffer.len());
    let (head, tail) = buffer.split_at(end);
    match std::str::from_utf8(head) {
        Ok(text) if tail.iter().all(|byte| *byte == 0) && !text.chars().any(char::is_control) => {
            text.to_owned()
        }
        _ => hex(buffer),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("hex:{digits}")
}

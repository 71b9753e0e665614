//! A log as JSON, nothing left out but what the frame repeats.

use super::nid;
use crate::{Log, RecordRef, cmd, le, record::kind};
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;

/// `{"header": …, "records": […]}`: every record in order, padding and cancelled ones included.
///
/// A buffer that is text with one NUL at its end is a string, an absent one is null, any other is `{"hex": …}`.
pub fn json(log: &Log, range: &RangeInclusive<u32>) -> Value {
    let records: Vec<Value> =
        log.records().filter(|r| range.contains(&r.index)).map(|r| record(&r)).collect();
    json!({
        "header": {
            "size": log.end(),
            "timestamp": log.timestamp(),
            "live_records": log.count() - 1,
            "last_index": log.last_index(),
            "shortest_record": log.shortest(),
            "foreign_order": log.is_foreign_order(),
        },
        "records": records,
    })
}

/// One record.
pub fn record(rec: &RecordRef<'_>) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| out.insert(key.to_owned(), value);
    put("index", rec.index.into());
    put("offset", rec.offset.into());
    put("len", rec.len.into());
    put("live", rec.live.into());
    match (rec.kind, rec.cfg()) {
        (kind::PAD, _) => {
            put("event", "padding".into());
        }
        (kind::CFG, Err(e)) => {
            put("error", e.to_string().into());
            put("payload", hex(rec.payload));
        }
        (_, Err(_)) => {
            put("type", format!("{:#x}", rec.kind).into());
            put("payload", hex(rec.payload));
        }
        (_, Ok(cfg)) => {
            let event =
                cmd::command_name(cfg.command).map_or_else(|| format!("{:#x}", cfg.command), str::to_owned);
            put("event", event.into());
            for (key, word) in [("flags", cfg.flags), ("num", cfg.num), ("nal", cfg.nal)] {
                if word != 0 {
                    put(key, word.into());
                }
            }
            if cfg.nid != 0 {
                put("nid", nid::text(cfg.nid).into());
                put("nid64", format!("{:#018x}", cfg.nid).into());
            }
            if let Some(m) = cfg.marker() {
                let marker = json!({
                    "step": m.step, "flags": m.flags, "version": m.version_text(), "createtime": m.createtime,
                    "canceltime": m.canceltime, "tgtname": m.tgtname, "comment": m.comment,
                });
                put("marker", marker);
            } else {
                put("buffers", cfg.bufs.iter().map(|b| buffer(b)).collect());
            }
        }
    }
    Value::Object(out)
}

fn buffer(buf: &[u8]) -> Value {
    let Some((0, text)) = buf.split_last() else {
        return if buf.is_empty() { Value::Null } else { hex(buf) };
    };
    match std::str::from_utf8(text) {
        Ok(text) if text.len() == le::until_nul(text.as_bytes()).len() => text.into(),
        _ => hex(buf),
    }
}

fn hex(bytes: &[u8]) -> Value {
    let text: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    json!({ "hex": text })
}

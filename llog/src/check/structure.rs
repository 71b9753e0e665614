//! Header against records, and bytes that nobody reads.

use super::Findings;
use crate::header::{CONFIG_UUID, Header, IS_PLAIN};
use crate::{Log, LustreCfg, record::kind};

/// The header of the file against the one that its records give.
pub(super) fn header(out: &mut Findings, file: &[u8], log: &Log) {
    let Ok(header) = Header::decode(file) else { return };
    if header.count != log.count() {
        out.error(
            None,
            format!(
                "header counts {} records, {} are live: servers reject their local copy of this log",
                header.count,
                log.count()
            ),
        );
    }
    if !header.is_set(0) {
        out.error(None, "bit 0 of the bitmap, the header's own, is clear");
    }
    for index in 1..=crate::record::MAX_INDEX {
        if header.is_set(index) && !log.is_live(index) {
            out.error(index, "is live in the bitmap but not in the file: readers report corruption");
        }
    }
    if header.min_len != log.shortest() {
        let (found, want) = (header.min_len, log.shortest());
        out.warn(None, format!("header says the shortest record has {found} bytes, it has {want}"));
    }
    if header.flags != IS_PLAIN || header.cat_idx != 0 {
        let (flags, cat) = (header.flags, header.cat_idx);
        out.warn(
            None,
            format!(
                "header has flags {flags:#x} and catalogue index {cat}; a configuration log has 0x4 and 0"
            ),
        );
    }
    if header.uuid != CONFIG_UUID {
        out.warn(
            None,
            format!("header has UUID '{}'; a kernel MGS writes only to '{CONFIG_UUID}'", header.uuid),
        );
    }
    if log.is_foreign_order() {
        out.warn(None, "written in foreign byte order");
    }
}

/// Frames and the bytes between the buffers.
pub(super) fn records(out: &mut Findings, log: &Log) {
    let mut last = 0;
    for rec in log.records() {
        if rec.index != last + 1 {
            out.warn(rec.index, format!("follows record {last}: the indices between are missing"));
        }
        last = rec.index;
        match rec.kind {
            kind::PAD => {
                if rec.live {
                    out.warn(rec.index, "is padding but live in the bitmap");
                }
                if rec.payload.iter().any(|b| *b != 0) {
                    out.warn(rec.index, "padding is not zero");
                }
            }
            kind::CFG => match LustreCfg::decode(rec.payload) {
                Ok(cfg) if cfg.encode() != rec.payload => {
                    out.warn(rec.index, "bytes behind the buffers are not zero");
                }
                Ok(_) => {}
                Err(e) if rec.live => out.error(rec.index, format!("{e}: every reader stops here with -22")),
                Err(e) => out.warn(rec.index, format!("{e} (cancelled)")),
            },
            other if rec.live => {
                out.error(rec.index, format!("type {other:#x} has no place in a configuration log"));
            }
            other => out
                .warn(rec.index, format!("type {other:#x} has no place in a configuration log (cancelled)")),
        }
    }
}

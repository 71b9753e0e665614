//! What travels in log reads: the header, and records with their configuration commands.
use crate::ours::{Values, le32};
use bytes::Bytes;
use llog::header::Header;
use llog::record::kind;
use llog::{LustreCfg, cmd};

const FLAGS: [(&str, u32); 5] = [
    ("lustre.llog_log_hdr.llh_flags.zap_when_empty", 1),
    ("lustre.llog_log_hdr.llh_flags.is_cat", 2),
    ("lustre.llog_log_hdr.llh_flags.is_plain", 4),
    ("lustre.llog_log_hdr.llh_flags.ext_jobid", 8),
    ("lustre.llog_log_hdr.llh_flags.is_fixsize", 16),
];

pub(crate) fn flags(out: &mut Values, flags: u32) {
    for (name, bit) in FLAGS {
        out.text(name, u8::from(flags & bit != 0));
    }
}

fn frame(out: &mut Values, len: u32, index: u32, of: u32) {
    out.text("lustre.llog_rec_hdr.lrh_len", len);
    out.text("lustre.llog_rec_hdr.lrh_index", index);
    out.hex32("lustre.llog_rec_hdr.lrh_type", of);
    out.text("lustre.llog_rec_hdr.lrh_id", 0);
}

fn tail(out: &mut Values, len: u32, index: u32) {
    out.text("lustre.llog_rec_tail.lrt_len", len);
    out.text("lustre.llog_rec_tail.lrt_index", index);
}

/// The 8192 bytes of READ_HEADER.
pub(crate) fn header(out: &mut Values, bytes: &Bytes) {
    if bytes.is_empty() {
        return;
    }
    let header = Header::decode(bytes).unwrap();
    frame(out, 8192, 0, kind::HEADER);
    tail(out, 8192, header.last_index);
    out.text("lustre.llog_log_hdr.llh_timestamp", date(header.timestamp));
    out.text("lustre.llog_log_hdr.llh_count", header.count);
    out.text("lustre.llog_log_hdr.llh_bitmap_offset", 88);
    out.text("lustre.llog_log_hdr.llh_size", header.min_len);
    out.hex32("lustre.llog_log_hdr.llh_flags", header.flags);
    flags(out, header.flags);
    out.text("lustre.llog_log_hdr.llh_cat_idx", header.cat_idx);
    out.text("lustre.obd_uuid", header.uuid);
    for word in header.bitmap.chunks(4) {
        out.hex32("lustre.llog_log_hdr.llh_bitmap", le32(word));
    }
}

/// The records of NEXT_BLOCK; zeros follow the last one.
pub(crate) fn records(out: &mut Values, chunk: &Bytes) {
    let mut rest = &chunk[..];
    while rest.len() >= llog::record::MIN && le32(&rest[..4]) != 0 {
        let len = usize::try_from(le32(&rest[..4])).unwrap();
        let (record, behind) = rest.split_at(len);
        let (index, of) = (le32(&record[4..8]), le32(&record[8..12]));
        frame(out, le32(&record[..4]), index, of);
        if of == kind::CFG {
            let payload = &record[llog::record::HEAD..len - llog::record::TAIL];
            command(out, &LustreCfg::decode(payload).unwrap());
            tail(out, le32(&record[..4]), index);
        } else {
            // tshark takes the first bytes of the padding for its tail.
            assert_eq!(of, kind::PAD);
            tail(out, le32(&record[16..20]), le32(&record[20..24]));
        }
        rest = behind;
    }
}

fn command(out: &mut Values, command: &LustreCfg) {
    out.hex32("lustre.lustre_cfg.version", llog::lcfg::VERSION);
    out.hex32("lustre.lustre_cfg.command", command.command);
    out.text("lustre.lustre_cfg.num", command.num);
    out.hex32("lustre.lustre_cfg.flags", command.flags);
    out.nid(command.nid);
    out.text("lustre.lustre_cfg.bufcount", command.bufs.len());
    for buffer in &command.bufs {
        out.text("lustre.lustre_cfg.buflen", buffer.len());
    }
    for (i, buffer) in command.bufs.iter().enumerate() {
        match (i, command.marker()) {
            (0, Some(_)) => {}
            (1, Some(marker)) => {
                out.text("lustre.cfg_maker.step", marker.step);
                out.hex32("lustre.cfg_maker.flags", marker.flags);
                out.text("lustre.cfg_maker.vers", marker.vers);
                out.text("lustre.cfg_maker.createtime", date(marker.createtime.cast_signed()));
                out.text("lustre.cfg_maker.canceltime", date(marker.canceltime.cast_signed()));
                out.text("lustre.cfg_maker.tgtname", marker.tgtname);
                out.text("lustre.cfg_maker.comment", marker.comment);
            }
            _ if command.command == cmd::SETUP && buffer.len() == 88 => {
                out.text("lustre.obd_uuid", text(&buffer[48..]));
            }
            _ => out.text("lustre.lustre_cfg.buffer", text(buffer)),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|b| *b == 0).next().unwrap()).into_owned()
}

/// `Nov 21, 2026 03:10:23.000000000 UTC`; the day padded with a blank.
fn date(seconds: i64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (mut days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let mut year = 1970;
    let leap = |y: i64| (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    while days >= 365 + i64::from(leap(year)) {
        days -= 365 + i64::from(leap(year));
        year += 1;
    }
    let mut month = 0;
    let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{} {:2}, {year} {hour:02}:{minute:02}:{second:02}.000000000 UTC", MONTHS[month], days + 1)
}

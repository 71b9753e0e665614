//! A log under random changes, and under hostile bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

use capture::states;

use llog::marker::flag;
use llog::{Error, Log, LustreCfg, Marker, check, diff, text};
use proptest::prelude::*;

/// A command whose record has exactly `len` bytes (at least 72).
fn of_len(len: usize) -> LustreCfg {
    let rec = LustreCfg::new(llog::cmd::PARAM).with_buf(1, vec![b'x'; len - 24 - 40]);
    assert_eq!(24 + rec.encoded_len(), len);
    rec
}

/// `mgs/01`: ten records of 112 bytes, then 120-byte ones; 112 bytes are left in the chunk, filled by record 69.
#[test]
fn padding_of_the_documented_example() {
    let mut log = Log::new();
    for i in 1..=68 {
        let done = log.append(&of_len(if i <= 10 { 112 } else { 120 }), 5).unwrap();
        assert_eq!((done.index, done.pad), (i, None));
    }
    assert_eq!(log.end(), 16272);
    let done = log.append(&of_len(120), 6).unwrap();
    assert_eq!((done.index, done.offset, done.len, done.pad), (70, 16384, 120, Some(112)));
    let pad = log.record(69).unwrap();
    assert!(pad.is_pad() && !pad.live && pad.payload.iter().all(|b| *b == 0));
    assert_eq!((pad.offset, pad.len), (16272, 112));
    assert_eq!((log.last_index(), log.count(), log.timestamp()), (70, 70, 5));
    assert_eq!(log.cancel(69), Err(Error::NotFound { index: 69, last: 70 }));
}

/// A record may fill a chunk exactly; it may not leave fewer than 24 bytes.
#[test]
fn edges_of_a_chunk() {
    let mut log = Log::new();
    assert_eq!(log.append(&of_len(8192), 0).unwrap().pad, None);
    assert_eq!((log.chunk_count(), log.end()), (1, 16384));
    assert_eq!(log.append(&of_len(8192 - 80), 0).unwrap().pad, None);
    assert_eq!(log.append(&of_len(80), 0).unwrap().pad, None);
    assert_eq!(log.append(&of_len(8192 - 96), 0).unwrap().offset, 24576);
    // 72 would leave 24, which is room for a pad; 80 would leave 16.
    assert_eq!(log.clone().append(&of_len(72), 0).unwrap().pad, None);
    assert_eq!(log.append(&of_len(80), 0).unwrap().pad, Some(96));
    let before = log.to_file();
    for len in [8176, 8184, 8200] {
        let error = log.append(&of_len(len), 0).unwrap_err();
        assert!(matches!(error, Error::TooBig { .. }) && error.errno() == -7, "{error}");
    }
    let eight = LustreCfg { bufs: vec![Vec::new(); 8], ..LustreCfg::new(1) };
    assert!(matches!(log.append(&eight, 0), Err(Error::TooBig { .. })));
    assert!(log.append(&LustreCfg::new(llog::cmd::MARKER), 0).is_err());
    assert!(log.to_file() == before, "a refused append changes nothing");
}

/// A file whose header says `last`, with records of these kinds and lengths, frames sound.
fn file_of(records: &[(u32, u32)]) -> Vec<u8> {
    let mut seed = Log::new();
    seed.append(&of_len(72), 0).unwrap();
    let mut file = seed.header();
    let last = u32::try_from(records.len()).unwrap();
    file[8188..8192].copy_from_slice(&last.to_le_bytes());
    for (index, (kind, len)) in (1u32..).zip(records) {
        for word in [*len, index, *kind, 0] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        let end = file.len() + usize::try_from(*len).unwrap() - 24;
        let payload = of_len(usize::try_from(*len).unwrap().max(72)).encode();
        file.extend_from_slice(&payload);
        file.resize(end, 0);
        for word in [*len, index] {
            file.extend_from_slice(&word.to_le_bytes());
        }
    }
    file
}

/// Where records may lie: not across a chunk, padding only at its end, no hole smaller than a record.
#[test]
fn places_of_records() {
    use llog::record::kind::{CFG, HEADER, PAD};
    let sound: [&[(u32, u32)]; 3] =
        [&[(CFG, 8000), (PAD, 192), (CFG, 400)], &[(CFG, 8192), (CFG, 72)], &[(CFG, 8168), (PAD, 24)]];
    for records in sound {
        let log = Log::from_file(&file_of(records)).unwrap();
        assert_eq!(log.records().map(|r| (r.kind, r.len)).collect::<Vec<_>>(), records);
    }
    let broken: [(&[(u32, u32)], &str); 4] = [
        (
            &[(CFG, 8000), (CFG, 400)],
            "record at offset 16192: length 400 reaches over the end of its 8192-byte chunk",
        ),
        (
            &[(CFG, 80), (PAD, 80)],
            "record at offset 8272: padding of length 80 does not end at the end of the chunk",
        ),
        (&[(CFG, 8176)], "record at offset 8192: leaves 16 bytes of its chunk, fewer than any record has"),
        (&[(CFG, 80), (HEADER, 80)], "record at offset 8272: a second header inside the log"),
    ];
    for (records, want) in broken {
        assert_eq!(Log::from_file(&file_of(records)).unwrap_err().to_string(), want);
    }
    // The second record with another index, in head, tail and header.
    for (index, want) in [(1, "index is 1, expected 2"), (0, "index is 0, allowed are 1 to 64767")] {
        let mut file = file_of(&[(CFG, 80), (CFG, 80)]);
        for at in [8188, 8272 + 4, 8272 + 76] {
            file[at..at + 4].copy_from_slice(&u32::to_le_bytes(index));
        }
        let error = Log::from_file(&file).unwrap_err().to_string();
        assert_eq!(error, format!("record at offset 8272: {want}"));
    }
}

/// Index 64767 is the last; then -ENOSPC, without a pad left behind.
#[test]
fn full_log() {
    let mut log = Log::new();
    let rec = of_len(72);
    while log.last_index() < 64766 {
        log.append(&rec, 1).unwrap();
    }
    let last = log.append(&rec, 1);
    if let Ok(done) = &last {
        assert_eq!(done.index, 64767);
    }
    let before = log.end();
    let error = log.append(&rec, 1).unwrap_err();
    assert!(matches!(error, Error::Full { .. }) && error.errno() == -28, "{error}");
    assert_eq!(log.end(), before);
    let file = log.to_file();
    let read = Log::from_file(&file).unwrap();
    assert!(read.to_file() == file);
    assert_eq!(read.count(), log.count());
}

#[test]
fn empty_logs() {
    let log = Log::from_file(&[]).unwrap();
    assert_eq!((log.end(), log.to_file().len(), log.last_index(), log.count()), (0, 0, 0, 1));
    assert!(
        log.is_empty()
            && log.record(1).is_none()
            && log.chunk(0).is_none()
            && log.chunk_of_index(1).is_none()
    );
    let header = log.header();
    assert_eq!((header.len(), header[24], header[88], header[44]), (8192, 1, 1, 0));
    // A header without records, as very old servers wrote it, stays what it is.
    let read = Log::from_file(&header).unwrap();
    assert_eq!((read.end(), read.to_file().len()), (8192, 8192));
    // All cancelled: empty in the sense of llog_is_empty, yet the indices are used up.
    let mut log = Log::new();
    log.append(&of_len(72), 3).unwrap();
    log.cancel(1).unwrap();
    assert!(log.is_empty() && log.end() == 8192 + 72 && log.last_index() == 1 && log.shortest() == 72);
    assert_eq!(log.cancel(1).unwrap_err().errno(), -2);
    assert_eq!(log.cancel(0).unwrap_err().errno(), -22);
    assert_eq!(log.cancel(64768).unwrap_err().errno(), -2);
    assert_eq!(log.edit_marker(1, |_| {}).unwrap_err().errno(), -2);
    log.append(&of_len(72), 3).unwrap();
    assert_eq!(log.edit_marker(2, |_| {}).unwrap_err().errno(), -22);
}

/// A golden log cut anywhere is refused, except to nothing.
#[test]
fn truncated_at_every_byte() {
    let file = states::session("A")["A03-ost0001/CONFIGS/testfs-client"].clone();
    for cut in 1..file.len() {
        let error = Log::from_file(&file[..cut]).expect_err("a cut file is refused");
        assert!(!error.to_string().contains('\n'), "one line: {error}");
    }
    let more = [file.clone(), vec![0; 8]].concat();
    assert!(Log::from_file(&more).is_err(), "zeros behind the last record");
}

/// Each four-byte word of a small golden log set to hostile values. Nothing panics; what is read is written back as a
/// log that reads the same.
#[test]
fn hostile_words() {
    let file = states::session("A")["A02-ost0000/CONFIGS/testfs-OST0000"].clone();
    let words = (0..96).chain(8180..file.len()).step_by(4).filter(|at| at + 4 <= file.len());
    for at in words {
        for value in [0, 1, 7, u32::MAX, 1 << 31, (1 << 31) - 1, 8192, 8193, 64767, 64768] {
            let mut bad = file.clone();
            bad[at..at + 4].copy_from_slice(&value.to_le_bytes());
            exercise(&bad);
        }
    }
}

/// Everything that reads a file, on this file.
fn exercise(bytes: &[u8]) {
    let findings = check::file(bytes);
    for finding in &findings {
        assert!(!finding.to_string().is_empty());
    }
    let Ok(log) = Log::from_file(bytes) else {
        assert!(!findings.is_empty());
        return;
    };
    let all = text::range(None, None);
    let _ = text::yaml(&log, true, &all);
    let _ = text::yaml(&log, false, &all);
    let _ = text::reader(&log, &all);
    let _ = text::json(&log, &all);
    let _ = llog::section::sections(&log).count();
    let file = log.to_file();
    let again = Log::from_file(&file).unwrap();
    assert!(again.to_file() == file);
    assert!(diff::diff(&log, &again).is_empty());
}

/// A file as a big-endian server wrote it: all integers turned around, strings and bitmap as they are.
fn big_endian(file: &[u8]) -> Vec<u8> {
    let mut out = file.to_vec();
    let mut turn = |at: usize, len: usize| out[at..at + len].reverse();
    for at in [0, 4, 8, 12, 24, 28, 32, 36, 40, 8184, 8188] {
        turn(at, 4);
    }
    turn(16, 8);
    let log = Log::from_file(file).unwrap();
    for rec in log.records() {
        let at = usize::try_from(rec.offset).unwrap();
        let len = usize::try_from(rec.len).unwrap();
        for word in [0, 4, 8, 12, len - 8, len - 4] {
            turn(at + word, 4);
        }
        let Ok(cfg) = rec.cfg() else { continue };
        let body = at + 16;
        for word in [0, 4, 8, 12, 24, 28] {
            turn(body + word, 4);
        }
        turn(body + 16, 8);
        for i in 0..cfg.bufs.len() {
            turn(body + 32 + 4 * i, 4);
        }
        if cfg.marker().is_some() {
            for (word, len) in [(0, 4), (4, 4), (8, 4), (16, 8), (24, 8)] {
                turn(body + 40 + word, len);
            }
        }
    }
    out
}

/// The same log in the other byte order becomes the golden file. So does one that a little-endian server continued.
#[test]
fn foreign_byte_order() {
    for (name, file) in states::logs().into_iter().filter(|(_, f)| !f.is_empty()).step_by(7) {
        let foreign = big_endian(&file);
        let log = Log::from_file(&foreign).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(log.is_foreign_order());
        assert!(log.to_file() == file, "{name}");
        let native = Log::from_file(&file).unwrap();
        let second = usize::try_from(native.record(2).unwrap().offset).unwrap();
        let mixed = [&file[..8192], &foreign[8192..second], &file[second..]].concat();
        let log = Log::from_file(&mixed).unwrap();
        assert!(log.is_foreign_order() && log.to_file() == file, "{name} mixed");
        assert!(Log::new().append_raw(&foreign[8192..], &[], 0).is_err(), "segments are ours: little-endian");
        exercise(&foreign);
    }
}

/// A loaded segment must continue the log exactly; a refused one changes nothing.
#[test]
fn segments_that_do_not_fit() {
    let file = states::session("A")["A03-ost0001/CONFIGS/testfs-client"].clone();
    let log = Log::from_file(&file).unwrap();
    let body = log.bytes_from(8192);
    let mut half = Log::new();
    let third = usize::try_from(log.record(3).unwrap().offset).unwrap() - 8192;
    half.append_raw(&body[..third], &[], 9).unwrap();
    let before = half.to_file();
    for wrong in [&body[..], &body[third + 168..], &body[third..third + 24], &body[third + 8..]] {
        assert!(half.append_raw(wrong, &[], 9).is_err());
        assert!(half.to_file() == before);
    }
    half.append_raw(&body[third..], &[], 9).unwrap();
    half.set_timestamp(log.timestamp());
    assert!(half.to_file() == file);
}

/// Indices may be missing in a file: readers tolerate that, and so does reading; a finding says it.
#[test]
fn gaps() {
    let mut log = Log::new();
    log.append(&of_len(72), 1).unwrap();
    log.append(&of_len(72), 1).unwrap();
    let mut file = log.to_file();
    for at in [8192 + 72 + 4, 8192 + 144 - 4, 8188] {
        file[at..at + 4].copy_from_slice(&5u32.to_le_bytes());
    }
    file[88] = 0b10_0011;
    let log = Log::from_file(&file).unwrap();
    assert!(log.has_gaps() && log.is_live(5) && log.record(3).is_none() && log.to_file() == file);
    assert_eq!(log.chunk_of_index(3), Some(0));
    assert_eq!(log.records_from(2).next().unwrap().index, 5);
    assert!(check::file(&file).iter().any(|f| f.to_string().contains("indices between are missing")));
    assert!(Log::new().append_raw(&file[8192..], &[], 0).is_err());
}

#[derive(Clone, Debug)]
enum Change {
    Append(usize),
    Section(String, String),
    Cancel(u32),
    Skip(u32),
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (9usize..1022).prop_map(|n| Change::Append(8 * n)),
        1 => Just(Change::Append(8192)),
        8 => (9usize..40).prop_map(|n| Change::Append(8 * n)),
        4 => ("[a-z]{1,20}", "[ -~]{1,30}").prop_map(|(t, c)| Change::Section(t, c)),
        3 => (0u32..80).prop_map(Change::Cancel),
        3 => (0u32..80).prop_map(Change::Skip),
    ]
}

fn marker(flags: u32, tgtname: &str, comment: &str) -> LustreCfg {
    let m = Marker { step: 2, flags, tgtname: tgtname.into(), comment: comment.into(), ..Marker::default() };
    LustreCfg::marker_rec(&m).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Against a model that is only a list of commands: same commands in the same order, never across a chunk, counters
    /// exact, clones untouched, the file reads back, segments rebuild it.
    #[test]
    fn random_changes(changes in prop::collection::vec(any_change(), 1..60)) {
        let mut log = Log::new();
        let mut model: Vec<(u32, LustreCfg, bool)> = Vec::new();
        let mut segments: Vec<Vec<u8>> = Vec::new();
        for change in changes {
            let clone = log.clone();
            let before = clone.to_file();
            let mut append = |log: &mut Log, cfg: LustreCfg| {
                let start = log.end().max(8192);
                let done = log.append(&cfg, 7).unwrap();
                let pad = u64::from(done.pad.unwrap_or(0));
                assert_eq!(done.offset - pad, start);
                assert_eq!(done.offset + u64::from(done.len), log.end());
                segments.push(log.bytes_from(start));
                model.push((done.index, cfg, true));
            };
            match change {
                Change::Append(len) => append(&mut log, of_len(len)),
                Change::Section(t, c) => {
                    append(&mut log, marker(flag::START, &t, &c));
                    append(&mut log, LustreCfg::param(Some(&t), &format!("{c}=1")));
                    append(&mut log, marker(flag::END, &t, &c));
                }
                Change::Cancel(i) => {
                    let found = model.iter_mut().find(|r| r.0 == i && r.2);
                    prop_assert_eq!(log.cancel(i).is_ok(), found.is_some());
                    if let Some(r) = found { r.2 = false; }
                }
                Change::Skip(i) => {
                    let found = model.iter_mut().find(|r| r.0 == i && r.2 && r.1.marker().is_some());
                    let skip = |m: &mut Marker| { m.flags |= flag::SKIP; m.canceltime = 8; };
                    prop_assert_eq!(log.edit_marker(i, skip).is_ok(), found.is_some());
                    if let Some(r) = found {
                        let mut m = r.1.marker().unwrap();
                        skip(&mut m);
                        r.1 = LustreCfg::marker_rec(&m).unwrap();
                    }
                }
            }
            prop_assert!(clone.to_file() == before, "a clone is never changed");
        }
        let seen: Vec<_> =
            log.records().filter(|r| !r.is_pad()).map(|r| (r.index, r.cfg().unwrap(), r.live)).collect();
        prop_assert_eq!(&seen, &model);
        let live = model.iter().filter(|r| r.2).count();
        prop_assert_eq!(usize::try_from(log.count()).unwrap(), live + 1);
        for (n, rec) in log.records().enumerate() {
            prop_assert_eq!(usize::try_from(rec.index).unwrap(), n + 1);
            prop_assert!(rec.offset % 8192 + u64::from(rec.len) <= 8192);
        }
        let file = log.to_file();
        let read = Log::from_file(&file).unwrap();
        prop_assert!(read.to_file() == file);
        prop_assert!(diff::diff(&log, &read).is_empty());
        let cancelled: Vec<u32> = model.iter().filter(|r| !r.2).map(|r| r.0).collect();
        let mut loaded = Log::new();
        for segment in &segments {
            loaded.append_raw(segment, &cancelled, 7).unwrap();
        }
        for (index, cfg, live) in &model {
            if let (true, Some(m)) = (*live, cfg.marker()) {
                loaded.edit_marker(*index, |old| *old = m).unwrap();
            }
        }
        let edited_then_cancelled = model.iter().any(|r| !r.2 && r.1.marker().is_some_and(|m| m.is_skip()));
        prop_assert!(edited_then_cancelled || loaded.to_file() == file);
        // what was edited, put over what it was at first
        let mut first = Log::new();
        segments.iter().for_each(|segment| first.append_raw(segment, &[], 7).unwrap());
        let (untouched, records) = (first.clone(), log.bytes_from(8192));
        prop_assert!(first.overwrite_raw(1, &records, &cancelled).unwrap());
        prop_assert!(first.to_file() == file);
        if let Some(second) = log.record(2) {
            let mut first = untouched.clone();
            let tail = log.bytes_between(second.offset, u64::MAX);
            prop_assert!(first.overwrite_raw(2, &tail, &cancelled).unwrap());
            prop_assert!(first.bytes_from(second.offset) == tail);
            // other records leave it as it is
            let mut first = untouched.clone();
            prop_assert!(first.overwrite_raw(1, &tail, &cancelled).is_err());
            prop_assert!(first.overwrite_raw(2, &tail[..tail.len() - 1], &cancelled).is_err());
            prop_assert!(first.to_file() == untouched.to_file());
        }
        let printed = text::yaml(&log, true, &text::range(None, None));
        prop_assert_eq!(printed.lines().count(), live);
        let some = text::yaml(&log, true, &text::range(Some(3), Some(9)));
        prop_assert_eq!(some.lines().count(), model.iter().filter(|r| r.2 && (3..=9).contains(&r.0)).count());
    }

    #[test]
    fn random_damage(damage in prop::collection::vec((8192usize..8880, any::<u8>()), 1..6)) {
        let mut file = states::session("A")["A02-ost0000/CONFIGS/testfs-OST0000"].clone();
        for (at, byte) in damage {
            file[at] = byte;
        }
        exercise(&file);
    }
}

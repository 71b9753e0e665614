//! Every log of every recorded state of a kernel MGS, against this crate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

use capture::states;

use llog::record::kind;
use llog::{Log, text};

/// Reading and writing a file gives the same bytes.
#[test]
fn parse_and_write() {
    for (name, file) in states::logs() {
        let log = Log::from_file(&file).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(log.to_file() == file, "{name}: to_file differs");
        assert_eq!(log.end(), u64::try_from(file.len()).unwrap(), "{name}");
        assert_eq!(log.bytes_from(0), file, "{name}");
        for cut in [1, 8191, 8192, 8193, 16383, 16384, 16385, file.len()] {
            let want = file.get(cut..).unwrap_or_default();
            assert!(log.bytes_from(u64::try_from(cut).unwrap()) == want, "{name}: from {cut}");
        }
        assert!(!log.has_gaps() && !log.is_foreign_order());
    }
}

/// Appending the commands of a log, then cancelling what is cancelled there, gives the same file: same padding at
/// the same places, same indices, same header.
#[test]
fn rebuild_by_append() {
    let (mut pads, mut cancels) = (0, 0);
    for (name, file) in states::logs() {
        let log = Log::from_file(&file).unwrap();
        let mut built = Log::new();
        for rec in log.records() {
            if rec.is_pad() {
                pads += 1;
                continue;
            }
            assert_eq!(rec.kind, kind::CFG);
            let done = built.append(&rec.cfg().unwrap(), log.timestamp()).unwrap();
            assert_eq!((done.index, done.offset, done.len), (rec.index, rec.offset, rec.len), "{name}");
        }
        for rec in log.records().filter(|r| !r.live && !r.is_pad()) {
            built.cancel(rec.index).unwrap();
            cancels += 1;
        }
        assert!(built.to_file() == file, "{name}: rebuilt file differs");
    }
    assert_eq!((pads, cancels), (44, 159), "padding and cancelled records in the recordings");
}

/// Storing a log as one segment per append and loading the segments gives the same file.
#[test]
fn rebuild_from_segments() {
    for (name, file) in states::logs() {
        let log = Log::from_file(&file).unwrap();
        let cancelled: Vec<u32> = log.records().filter(|r| !r.live && !r.is_pad()).map(|r| r.index).collect();
        let mut built = Log::new();
        let mut from = 8192;
        for rec in log.records().filter(|r| !r.is_pad()) {
            let end = rec.offset + u64::from(rec.len);
            let segment = &file[usize::try_from(from).unwrap()..usize::try_from(end).unwrap()];
            built.append_raw(segment, &cancelled, log.timestamp()).unwrap();
            from = end;
        }
        assert!(built.to_file() == file, "{name}: file from segments differs");
        let mut whole = Log::new();
        whole.append_raw(&log.bytes_from(8192), &cancelled, log.timestamp()).unwrap();
        assert!(whole.to_file() == file, "{name}: file from one segment differs");
    }
}

/// Chunks and look-ups agree with the file.
#[test]
fn chunks() {
    for (name, file) in states::logs() {
        let log = Log::from_file(&file).unwrap();
        for n in 0..log.chunk_count() {
            let start = 8192 * (n + 1);
            let want = &file[start..file.len().min(start + 8192)];
            assert_eq!(log.chunk(n).unwrap(), want, "{name} chunk {n}");
        }
        assert_eq!(log.chunk(log.chunk_count()), None);
        for rec in log.records() {
            let n = usize::try_from(rec.offset / 8192 - 1).unwrap();
            assert_eq!(log.chunk_of_index(rec.index), Some(n), "{name} index {}", rec.index);
            assert_eq!(log.record(rec.index), Some(rec));
            assert_eq!(log.records_from(rec.index).next(), Some(rec));
            assert!(log.chunk_last_index(n).unwrap() >= rec.index);
        }
        assert_eq!(log.chunk_of_index(log.last_index() + 1), None);
        assert_eq!(log.records_from(log.last_index() + 1).next(), None);
    }
}

/// `llog_print.txt` is a sequence of `== COMMAND` lines, each followed by all that the command printed; nothing is cut
/// off. Two things in it are not in the file: the directory order of `llog_catlist` and the object number in `logid`.
/// Refusals (of empty logs) came over another stream; in B10b one of them slipped behind the next `==` line, so they
/// are compared as a set per stage.
#[test]
fn llog_print_texts() {
    let (mut plain, mut raw, mut info) = (0, 0, 0);
    for s in states::SESSIONS {
        let files = states::session(s);
        for (path, content) in files.iter().filter(|(p, _)| p.ends_with("/llog_print.txt")) {
            let stage = path.strip_suffix("/llog_print.txt").unwrap();
            let content = std::str::from_utf8(content).unwrap();
            let (refusals, lines): (Vec<&str>, Vec<&str>) =
                content.lines().partition(|l| l.ends_with(" failed: No such file or directory"));
            let mut expected = Vec::new();
            for block in lines.join("\n").strip_prefix("== ").unwrap().split("\n== ") {
                let (command, printed) = block.split_once('\n').unwrap_or((block, ""));
                let what = format!("{s}/{stage}: {command}");
                let Some((command, name)) = command.rsplit_once(' ') else {
                    assert_eq!(command, "llog_catlist", "{what}");
                    continue;
                };
                let log = Log::from_file(&files[&format!("{stage}/CONFIGS/{name}")]).unwrap();
                let all = text::range(None, None);
                let (ours, counter) = match command {
                    "llog_print" => (text::yaml(&log, false, &all), &mut plain),
                    "llog_print --raw" => (text::yaml(&log, true, &all), &mut raw),
                    "llog_info" => {
                        let first = printed.lines().next().unwrap_or_default();
                        let logid = first.strip_prefix("logid:            ").unwrap_or_default();
                        (text::info(&log, logid), &mut info)
                    }
                    other => panic!("{what}: unknown command {other}"),
                };
                if log.end() == 0 {
                    let refused = match command {
                        "llog_info" => String::from("llog_info: OBD_IOC_LLOG_INFO"),
                        _ => format!("{name}: OBD_IOC_LLOG_PRINT"),
                    };
                    expected.push(format!("{refused} failed: No such file or directory"));
                    assert_eq!(printed, "", "{what}");
                } else {
                    assert_eq!(ours, format!("{printed}\n"), "{what}");
                    *counter += 1;
                }
            }
            let mut refusals = refusals;
            refusals.sort_unstable();
            expected.sort_unstable();
            assert_eq!(refusals, expected, "{s}/{stage}");
        }
    }
    assert_eq!([plain, raw, info], [298; 3], "texts in the recordings");
}

/// `<log>.llog_reader.txt` is the complete output of the tool, both streams, run with times in UTC.
#[test]
fn llog_reader_texts() {
    let refusal = "llog_reader: File too small for llog header: want=8192 got=0: Success (0)\n\
                   llog_reader: Could not pack buffer.: Input/output error (5)\n";
    let (mut compared, mut empty) = (0, 0);
    for s in states::SESSIONS {
        let files = states::session(s);
        for (path, printed) in files.iter().filter(|(p, _)| p.ends_with(".llog_reader.txt")) {
            let (stage, name) = path.strip_suffix(".llog_reader.txt").unwrap().split_once('/').unwrap();
            if name == "nodemap" {
                continue;
            }
            let printed = std::str::from_utf8(printed).unwrap();
            let log = Log::from_file(&files[&format!("{stage}/CONFIGS/{name}")]).unwrap();
            let ours = text::reader(&log, &text::range(None, None));
            if log.end() == 0 {
                assert_eq!(printed, refusal, "{s}/{path}");
                assert_eq!(ours, "");
                empty += 1;
            } else {
                assert_eq!(ours, printed, "{s}/{path}");
                compared += 1;
            }
        }
    }
    assert_eq!((compared, empty), (416, 80), "texts in the recordings");
}

/// `check` refuses nothing. Its only warnings are the parameters of OST0042, which B01j set although that OST does not
/// exist: there every reader really stopped (`mgs/02`).
#[test]
fn check_accepts_every_log() {
    let mut warnings = 0;
    for (name, file) in states::logs() {
        let findings = llog::check::file(&file);
        for finding in &findings {
            assert_eq!(finding.level, llog::check::Level::Warning, "{name}: {finding}");
            let text = finding.to_string();
            assert!(
                name.starts_with("B/") && text.contains("device 'testfs-OST0042-osc"),
                "{name}: {finding}"
            );
            warnings += 1;
        }
        let log = Log::from_file(&file).unwrap();
        assert_eq!(llog::check::log(&log), findings, "{name}");
    }
    assert_eq!(warnings, 28, "14 states, a client log and an MDT log each");
}

/// Sections come out in pairs of markers, and their records are what lies between.
#[test]
fn sections() {
    let (mut total, mut skipped) = (0, 0);
    for (name, file) in states::logs() {
        let log = Log::from_file(&file).unwrap();
        let mut inside = 0;
        for s in llog::section::sections(&log) {
            let ends =
                [s.start_index, s.end_index].map(|i| log.record(i).unwrap().cfg().unwrap().marker().unwrap());
            for m in &ends {
                assert_eq!((&m.tgtname, &m.comment, m.step), (&s.tgtname, &s.comment, s.step), "{name}");
            }
            inside += s.records(&log).count() + 2;
            assert!(llog::section::find(&log, &s.tgtname, &s.comment).any(|other| other == s));
            total += 1;
            skipped += usize::from(s.is_skipped());
        }
        assert_eq!(
            inside,
            usize::try_from(log.count() - 1).unwrap(),
            "{name}: every live record is in a section"
        );
    }
    assert_eq!((total, skipped), (2502, 307), "sections in the recordings");
}

/// Skipping a section as the MGS does gives the bytes that the MGS wrote.
#[test]
fn skip_as_the_kernel_did() {
    let files = states::session("E");
    let names = ["testfs-client", "testfs-MDT0000"];
    let read = |stage: &str, name: &str| files[&format!("{stage}/CONFIGS/{name}")].clone();
    for name in names {
        let after = Log::from_file(&read("E08-set_param-P-many", name)).unwrap();
        let before_file = read("E03b-dup-index-refused", name);
        let mut log = Log::from_file(&before_file).unwrap();
        let mut edits = 0;
        for s in llog::section::sections(&after).filter(llog::Section::is_skipped) {
            let was = llog::section::sections(&log).find(|old| old.start_index == s.start_index);
            let Some(was) = was.filter(|old| !old.is_skipped()) else { continue };
            for index in [was.start_index, was.end_index] {
                log.edit_marker(index, |m| {
                    m.flags |= llog::marker::flag::SKIP;
                    m.canceltime = s.canceltime;
                })
                .unwrap();
                edits += 1;
            }
        }
        assert!(edits > 0, "{name}: nothing was skipped between the stages");
        let start = log.end();
        log.append_raw(&after.bytes_from(start), &[], 0).unwrap();
        assert!(log.to_file() == after.to_file(), "{name}");
    }
}

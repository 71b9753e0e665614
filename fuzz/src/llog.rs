//! Configuration logs: files, segments, changes, text forms.
use crate::input::Input;
use llog::{CHUNK, Log, LustreCfg, Marker, check, cmd, diff, marker::flag, record::MIN, section, text};

/// A log file. What `check` refuses and what can be loaded are the same; a loaded log prints, and is written as a
/// file that loads as the same log.
pub fn llog_file(data: &[u8]) {
    let findings = check::file(data);
    let loaded = Log::from_file(data);
    for finding in &findings {
        assert!(!finding.to_string().contains('\n'), "{finding}");
    }
    match loaded {
        Ok(log) => image(&log),
        Err(e) => {
            assert_eq!(findings.len(), 1, "{e}");
            assert!(e.errno() != 0);
        }
    }
}

/// Promises of every log in memory.
pub(crate) fn image(log: &Log) {
    let file = log.to_file();
    assert_eq!(log.end(), file.len() as u64);
    let again = Log::from_file(&file).unwrap_or_else(|e| panic!("cannot be read again: {e}"));
    assert_eq!(again.to_file(), file);
    assert!(!again.is_foreign_order());
    let mut last = 0;
    let mut live = 0;
    for record in log.records() {
        assert!(record.index > last);
        last = record.index;
        live += u32::from(record.live);
        let (at, len) = (usize::try_from(record.offset).unwrap(), record.len as usize);
        let hole = CHUNK.checked_sub(at % CHUNK + len).expect("a record crosses a chunk");
        assert!(hole == 0 || hole >= MIN, "a hole of {hole} bytes that no reader takes");
        assert_eq!(file[at + 16..at + len - 8], *record.payload);
        if let Ok(cfg) = record.cfg() {
            assert_eq!(record.command(), Some(cfg.command));
        }
    }
    assert_eq!((log.last_index(), log.count(), log.is_empty()), (last, live + 1, live == 0));
    assert_eq!(log.record(last).map(|r| r.index), (last > 0).then_some(last));
    for offset in [1, 8191, 8192, 8200, log.end() / 2, log.end()] {
        let tail = file.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        assert_eq!(log.bytes_from(offset), tail, "from {offset}");
    }
    texts(log, last);
    assert_eq!(diff::diff(log, &again), []);
    rebuilt(log);
}

/// From its segment alone, as the store keeps it. Gaps and broken payloads are refused there.
fn rebuilt(log: &Log) {
    let cancelled: Vec<u32> = log.records().filter(|r| !r.live && !r.is_pad()).map(|r| r.index).collect();
    let mut again = Log::new();
    let sound = !log.records().any(|r| r.is_pad() && r.live);
    if again.append_raw(&log.bytes_from(8192), &cancelled, log.timestamp()).is_ok()
        && log.last_index() > 0
        && sound
    {
        assert!(!log.has_gaps());
        assert_eq!(again.to_file(), log.to_file());
    }
}

/// No record can forge a line: there are as many as there are records, or as the form has.
fn texts(log: &Log, last: u32) {
    for range in [text::range(None, None), text::range(Some(last), None), text::range(Some(2), Some(1))] {
        for raw in [false, true] {
            let yaml = text::yaml(log, raw, &range);
            assert!(yaml.lines().all(|l| l.starts_with("- { ") || l.starts_with("[index]: ")), "{yaml}");
            assert!(yaml.lines().count() < log.count() as usize, "{yaml}");
        }
        text::reader(log, &range);
        text::json(log, &range).to_string();
    }
    assert_eq!(text::info(log, "[0x3:0xa:0x0]").lines().count(), 4);
    for finding in check::log(log) {
        assert!(!finding.to_string().contains('\n'), "{finding}");
    }
    for section in section::sections(log) {
        assert!(section.start_index < section.end_index);
        assert!(section.records(log).count() < log.count() as usize);
        assert!(section::find(log, &section.tgtname, &section.comment).count() > 0);
    }
}

/// A stored segment: `[n] n x u16 cancelled index, then records`.
pub fn llog_segment(data: &[u8]) {
    let mut input = Input(data);
    let cancelled: Vec<u32> = (0..input.u8()).map(|_| input.u16().into()).collect();
    let mut log = Log::new();
    match log.append_raw(input.0, &cancelled, 7) {
        Ok(()) => {
            assert_eq!(log.bytes_from(8192), input.0);
            image(&log);
            let before = log.to_file();
            // The same indices again: refused, and nothing has changed.
            assert!(log.append_raw(input.0, &cancelled, 8).is_err() || input.0.is_empty());
            assert_eq!(log.to_file(), before);
        }
        Err(e) => {
            assert!(!e.to_string().contains('\n'), "{e}");
            assert_eq!((log.end(), log.last_index()), (0, 0));
        }
    }
}

/// Changes in any order: `op, then what it takes` (see the code). What fails changes nothing; a copy made before a
/// change stays as it was.
pub fn llog_ops(data: &[u8]) {
    const MOST: usize = 200;
    let mut input = Input(data);
    let mut log = Log::new();
    for _ in 0..MOST {
        if input.is_empty() {
            break;
        }
        let copy = log.clone();
        let before = copy.to_file();
        let op = input.u8() % 6;
        let done = match op {
            0 => {
                let filler = vec![b'x'; input.u16().into()];
                log.append(&LustreCfg::new(cmd::SET_PARAM).with_text(0, "general").with_buf(1, filler), 5)
                    .map(drop)
            }
            1 => {
                let name = String::from_utf8_lossy(input.part()).into_owned();
                let flags = u32::from(input.u8());
                let marker = Marker { flags, tgtname: name.clone(), comment: name, ..Marker::default() };
                LustreCfg::marker_rec(&marker).and_then(|rec| log.append(&rec, 5)).map(drop)
            }
            2 => log.cancel(input.u16().into()),
            3 => {
                let index = input.u16().into();
                let name = input.u8() & 1 == 1;
                log.edit_marker(index, |m| {
                    m.flags |= flag::SKIP;
                    m.canceltime = 9;
                    if name {
                        m.comment.push('!');
                    }
                })
            }
            4 => {
                let bytes = input.part();
                log.append_raw(bytes, &[log.last_index() + 1], 6)
            }
            _ => LustreCfg::decode(input.part()).and_then(|rec| log.append(&rec, 5)).map(drop),
        };
        assert_eq!(copy.to_file(), before);
        if done.is_err() {
            assert_eq!(log.to_file(), before);
        }
    }
    image(&log);
}

//! Seeds for logs and their parts, from the management target of the kernel MGS.
use crate::Corpus;
use llog::{Log, LustreCfg, cmd};
use std::collections::BTreeMap;

/// Logs longer than this repeat what shorter ones have.
const MOST_BYTES: usize = 24_000;
/// Logs of one name and number of records.
const MOST_FILES: usize = 24;

/// Fills in files, segments, commands, markers and scripts.
pub(crate) fn fill(corpus: &mut Corpus) {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (path, file) in capture::states::logs() {
        let name = path.replace('/', "_");
        let log = Log::from_file(&file).expect("golden");
        parts(corpus, &name, &log, &mut kinds);
        if file.len() > MOST_BYTES || file.is_empty() {
            continue;
        }
        // `testfs-client`, `testfs-client.bak`: one each of some lengths is enough.
        let base = path.rsplit('/').next().unwrap_or("").to_owned();
        if bounded(&mut kinds, format!("file {base} {}", log.last_index() / 16), 1)
            && bounded(&mut kinds, "file".to_owned(), MOST_FILES)
        {
            corpus.add("llog_file", name.clone(), file.clone());
        }
        if bounded(&mut kinds, format!("segment {base} {}", log.last_index() / 4), 1)
            && bounded(&mut kinds, "segment".to_owned(), 2 * MOST_FILES)
        {
            segment(corpus, &name, &log);
        }
    }
    corpus.add("llog_file", "derived-empty", Vec::new());
    refused(corpus);
    scripts(corpus);
}

/// One step over a limit: nothing but the limit stands in the way.
fn refused(corpus: &mut Corpus) {
    let full = |n: usize| {
        let cfg = LustreCfg::new(cmd::SET_PARAM);
        (1..n).fold(cfg.with_text(0, "general"), |cfg, i| cfg.with_text(i, "x"))
    };
    for n in [7, 8] {
        corpus.add("lustre_cfg", format!("derived-{n}-buffers"), full(n).encode());
    }
    for hole in [0_usize, 8, 16, 24] {
        let len = 8192 - hole;
        let mut payload = LustreCfg::new(cmd::SET_PARAM).with_buf(0, vec![b'x'; len - 24 - 40]).encode();
        assert_eq!(payload.len(), len - 24);
        let words = |list: &[u32]| -> Vec<u8> { list.iter().flat_map(|w| w.to_le_bytes()).collect() };
        let long = u32::try_from(len).unwrap();
        let mut record = words(&[long, 1, llog::record::kind::CFG, 0]);
        record.append(&mut payload);
        record.extend(words(&[long, 1]));
        corpus.add_behind("llog_segment", format!("derived-hole-{hole}"), &[0], &record);
    }
}

/// True the first `most` times.
fn bounded(kinds: &mut BTreeMap<String, usize>, kind: String, most: usize) -> bool {
    let count = kinds.entry(kind).or_default();
    *count += 1;
    *count <= most
}

fn segment(corpus: &mut Corpus, name: &str, log: &Log) {
    let bytes = log.bytes_from(8192);
    if bytes.len() > 9000 {
        return;
    }
    let cancelled: Vec<u32> =
        log.records().filter(|r| !r.live && !r.is_pad()).map(|r| r.index).take(255).collect();
    let mut seed = vec![u8::try_from(cancelled.len()).unwrap()];
    cancelled.iter().for_each(|index| seed.extend(&index.to_le_bytes()[..2]));
    corpus.add_behind("llog_segment", name, &seed, &bytes);
    let value = mgs_core::model::logs::Segment { offset: 8192, cancelled, bytes };
    corpus.add("core_segment", name, value.encode());
}

fn parts(corpus: &mut Corpus, name: &str, log: &Log, kinds: &mut BTreeMap<String, usize>) {
    for record in log.records() {
        let Ok(cfg) = record.cfg() else { continue };
        let what = llog::command_name(cfg.command).unwrap_or("other");
        let lens: Vec<usize> = cfg.bufs.iter().map(Vec::len).collect();
        let id = format!("{what}-{}", record.index);
        if cfg.command == cmd::MARKER {
            let Some(marker) = cfg.marker() else { continue };
            if bounded(kinds, format!("marker {} {}", marker.comment, marker.flags), 1)
                && bounded(kinds, "marker".to_owned(), 60)
            {
                corpus.add("marker", format!("{name}-{}", record.index), cfg.bufs[1].clone());
                corpus.add("lustre_cfg", format!("{name}-{id}"), record.payload);
            }
        } else if bounded(kinds, format!("cfg {what} {lens:?}"), 1)
            && bounded(kinds, format!("cfg {what}"), 8)
        {
            corpus.add("lustre_cfg", format!("{name}-{id}"), record.payload);
        }
    }
}

/// Operations of `llog_ops`: fill a chunk to its last bytes, edit, cancel, append what was recorded.
fn scripts(corpus: &mut Corpus) {
    let marker =
        |name: &[u8], flags: u8| [&[1, u8::try_from(name.len()).unwrap(), 0], name, &[flags]].concat();
    let text = |n: u16| [&[0][..], &n.to_le_bytes()].concat();
    let section = [marker(b"testfs-OST0000", 1), text(30), marker(b"testfs-OST0000", 2)].concat();
    corpus.add("llog_ops", "section-skipped", [&section[..], &[3, 1, 0, 0, 3, 3, 0, 1, 2, 2, 0]].concat());
    for n in [8080_u16, 8088, 8096, 8104, 8112, 8120, 8136, 9000] {
        corpus.add(
            "llog_ops",
            format!("chunk-{n}"),
            [text(n), text(8), text(8136 - 100), section.clone()].concat(),
        );
    }
    let full: Vec<u8> = (0..60).flat_map(|n| text(100 + 40 * n)).chain([2, 5, 0, 2, 5, 0, 2, 0, 0]).collect();
    corpus.add("llog_ops", "many", full);
    let states = capture::states::session("A");
    let (_, file) = states.iter().find(|(path, _)| path.ends_with("CONFIGS/testfs-client")).expect("golden");
    let log = Log::from_file(file).expect("golden");
    let bytes = log.bytes_from(8192);
    let length = u16::try_from(bytes.len()).unwrap().to_le_bytes();
    corpus.add("llog_ops", "A-testfs-client", [&[4, length[0], length[1]], &bytes[..], &section].concat());
    let cfgs: Vec<u8> = log
        .records()
        .take(12)
        .flat_map(|r| [&[5][..], &u16::try_from(r.payload.len()).unwrap().to_le_bytes(), r.payload].concat())
        .collect();
    corpus.add("llog_ops", "A-testfs-client-records", cfgs);
}

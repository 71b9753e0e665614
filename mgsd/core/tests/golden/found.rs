//! What an import is given: the files of a recorded stage.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use capture::states;
use mgs_core::model::command::import::Command;
use wire::nodemap::Entry;

/// Entries of an index file as ldiskfs keeps them: one leaf (mgs/11).
pub fn leaf(file: &[u8]) -> Vec<Entry> {
    let leaf = &file[4096..];
    let count = usize::from(u16::from_le_bytes([leaf[2], leaf[3]]));
    let entry = |e: &[u8]| Entry { key: e[..8].try_into().unwrap(), rec: e[8..].try_into().unwrap() };
    leaf[4..].chunks(40).take(count).map(entry).collect()
}

/// What an import of a stage is given.
pub fn found(files: &states::Files, stage: &str) -> Command {
    let mut command = Command { from: stage.to_owned(), ..Command::default() };
    for (path, file) in files.range(format!("{stage}/")..format!("{stage}0")) {
        let path = &path[stage.len() + 1..];
        match path.split_once('/') {
            Some(("CONFIGS", "mountdata")) => {}
            Some(("CONFIGS", "nodemap")) => command.nodemaps = Some(leaf(file)),
            Some(("CONFIGS", name)) if !file.is_empty() => {
                drop(command.logs.insert(name.to_owned(), file.clone()))
            }
            Some(("NIDTBL_VERSIONS", fs)) => {
                command.tables.insert(fs.to_owned(), u64::from_le_bytes(file[..8].try_into().unwrap()));
            }
            _ => {}
        }
    }
    command
}

/// A log as a node of the other byte order writes it.
pub fn other_order(file: &[u8]) -> Vec<u8> {
    let mut out = file.to_vec();
    let mut turn = |at: usize, len: usize| out[at..at + len].reverse();
    [0, 4, 8, 12, 24, 28, 32, 36, 40, 8184, 8188].into_iter().for_each(|at| turn(at, 4));
    turn(16, 8);
    for record in llog::Log::from_file(file).unwrap().records() {
        let (at, len) = (usize::try_from(record.offset).unwrap(), usize::try_from(record.len).unwrap());
        [0, 4, 8, 12, len - 8, len - 4].into_iter().for_each(|word| turn(at + word, 4));
        let Ok(cfg) = record.cfg() else { continue };
        let body = at + 16;
        [0, 4, 8, 12, 24, 28].into_iter().for_each(|word| turn(body + word, 4));
        turn(body + 16, 8);
        (0..cfg.bufs.len()).for_each(|i| turn(body + 32 + 4 * i, 4));
        if cfg.marker().is_some() {
            let fields = [(0, 4), (4, 4), (8, 4), (16, 8), (24, 8)];
            fields.into_iter().for_each(|(word, len)| turn(body + 40 + word, len));
        }
    }
    out
}

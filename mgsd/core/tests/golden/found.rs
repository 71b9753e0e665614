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

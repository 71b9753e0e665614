//! The recorded states of the kernel MGS: `vectors/states/<session>.tar.gz`.
//!
//! For tests only: whatever is wrong with a file fails the test that reads it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

use std::collections::BTreeMap;
use std::io::Read;

/// All files of a session by their path `<stage>/CONFIGS/<log>`, `<stage>/llog_print.txt`, …
pub type Files = BTreeMap<String, Vec<u8>>;

/// The recorded sessions.
pub const SESSIONS: [&str; 4] = ["A", "B", "C", "E"];

/// Reads one archive (ustar; equal files are hard links to the first).
pub fn session(name: &str) -> Files {
    let path = crate::vectors_dir().join("states").join(format!("{name}.tar.gz"));
    let gz = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(&gz[..]).read_to_end(&mut tar).unwrap();
    let mut files = Files::new();
    let mut at = 0;
    while at + 512 <= tar.len() && tar[at] != 0 {
        let head = &tar[at..at + 512];
        let text = |from: usize, len: usize| {
            let field = head[from..from + len].split(|b| *b == 0).next().unwrap();
            String::from_utf8(field.to_vec()).unwrap().trim_start_matches("./").to_owned()
        };
        let (prefix, base) = (text(345, 155), text(0, 100));
        let path = if prefix.is_empty() { base } else { format!("{prefix}/{base}") };
        let size = usize::from_str_radix(text(124, 12).trim(), 8).unwrap();
        at += 512;
        match head[156] {
            b'0' => drop(files.insert(path, tar[at..at + size].to_vec())),
            b'1' => {
                let target = files.get(&text(157, 100)).expect("link to an earlier file").clone();
                files.insert(path, target);
            }
            b'5' => {}
            other => panic!("{path}: entry type {other}"),
        }
        at += size.next_multiple_of(512);
    }
    assert!(files.len() > 50, "session {name} has only {} files", files.len());
    files
}

/// Every log file, as (session/stage/name, bytes). `mountdata` and `nodemap` are no logs.
pub fn logs() -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    for s in SESSIONS {
        for (path, bytes) in session(s) {
            if let Some((stage, name)) = path.split_once("/CONFIGS/")
                && name != "mountdata"
                && name != "nodemap"
            {
                out.push((format!("{s}/{stage}/{name}"), bytes));
            }
        }
    }
    assert_eq!(out.len(), 496, "the recordings hold 496 logs");
    out
}

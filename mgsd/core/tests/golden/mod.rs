//! Recorded sessions: their requests, and the logs that the kernel MGS left.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod found;

use crate::harness::Mgs;
use capture::states;
use wire::Nid;
use wire::lnet::{Message as Lnet, portal};
use wire::ptlrpc::{Message, opc};

/// The requests of a session that change logs, in order, with what is needed to send them again.
pub fn requests(session: &str) -> Vec<(Nid, u64, Message)> {
    let path = capture::vectors_dir().join(format!("captures/{session}/{session}-session.pcap.gz"));
    let all = capture::lnet::messages(&capture::load(&path).unwrap()).unwrap();
    let mut out = Vec::new();
    for m in all.into_iter().filter(|m| m.to_server && m.header.dest.to_string() == "10.77.0.2@tcp") {
        let Lnet::Put { portal: portal::MGS_REQUEST, match_bits, .. } = m.header.msg else { continue };
        let message = Message::decode(&m.payload).unwrap();
        if matches!(message.body().unwrap().opc, opc::MGS_CONNECT | opc::MGS_TARGET_REG | opc::MGS_DISCONNECT)
        {
            out.push((m.header.src, match_bits, message));
        }
    }
    out
}

/// The logs whose names start with one of `logs` are those of a stage.
pub fn compare(mgs: &Mgs, stage: &str, golden: &states::Files, logs: &[&str]) {
    let prefix = format!("{stage}/CONFIGS/");
    let mut found = 0;
    for (path, file) in golden {
        let Some(name) = path.strip_prefix(&prefix) else { continue };
        if !logs.iter().any(|l| name.starts_with(l)) || name.ends_with(".bak") {
            continue;
        }
        found += 1;
        let entry = mgs.engine.view().logs.get(name).unwrap_or_else(|| panic!("{stage}: no log {name}"));
        let (ours, theirs) = match file.is_empty() {
            true => (entry.log.to_file(), file.clone()),
            false => (masked_order(&entry.log.to_file()), masked_order(file)),
        };
        if ours != theirs {
            let at = ours.iter().zip(&theirs).position(|(a, b)| a != b);
            let show = |bytes: &[u8]| {
                let log = llog::Log::from_file(bytes).unwrap();
                log.records().map(|r| format!("{} {:?}\n", r.index, r.cfg().ok())).collect::<String>()
            };
            panic!(
                "{stage}: {name} differs at {at:?} ({} and {} bytes)\n-- ours\n{}-- kernel\n{}",
                ours.len(),
                theirs.len(),
                show(&ours),
                show(&theirs)
            );
        }
    }
    assert!(found >= 1, "{stage}: nothing compared");
}

/// The same, and the steps of `sys.*`, which is written to all logs in an order that differs from MGT to MGT (mgs/09,
/// 9.1: `llog_catlist`).
pub fn masked_order(file: &[u8]) -> Vec<u8> {
    let mut out = masked(file);
    let log = llog::Log::from_file(file).unwrap();
    for r in log.records() {
        if r.cfg().ok().and_then(|c| c.marker()).is_some_and(|m| m.comment.starts_with("sys.")) {
            let at = usize::try_from(r.offset).unwrap() + 16 + 40;
            out[at..at + 4].fill(0);
        }
    }
    out
}

/// Zeros what the mask lists: header timestamp, marker times, version word, and what follows the NUL of marker names.
pub fn masked(file: &[u8]) -> Vec<u8> {
    let mut out = file.to_vec();
    if out.is_empty() {
        return out;
    }
    out[16..24].fill(0);
    let log = llog::Log::from_file(file).unwrap();
    for r in log.records() {
        if r.cfg().ok().and_then(|c| c.marker()).is_none() {
            continue;
        }
        // Record header 16, lustre_cfg header 40: the marker lies behind.
        let at = usize::try_from(r.offset).unwrap() + 16 + 40;
        out[at + 8..at + 12].fill(0);
        let cancelled = out[at + 24..at + 32] != [0; 8];
        out[at + 16..at + 24].fill(0);
        out[at + 24..at + 32].fill(u8::from(cancelled));
        for name in [at + 32, at + 96] {
            let end = out[name..name + 64].iter().position(|b| *b == 0).unwrap();
            out[name + end..name + 64].fill(0);
        }
    }
    out
}

//! Texts of `mgs.MGS.live.*` and `mgs.MGS.exports.*` (`mgs_nids.c: lprocfs_rd_ir_state`, `genops.c`).

use mgs_api::{ClientExport, FileSystem, IrState, SecurityRule};

use super::front::{Done, Front};
use super::{logs, srpc};

/// `fsdb_flags` of a file system that is in order.
const FLAGS: u32 = 0x20;

/// Version of a table without changes.
const FIRST_VERSION: u64 = 2;

/// A file system. What notifying its readers took is zero: it is queued, and nobody waits for it.
pub(super) fn file_system(fs: &FileSystem, targets: &[&str], rules: &[SecurityRule]) -> String {
    let head = text(&fs.name, fs.generation, targets, &srpc::of_file_system(rules, &fs.name));
    format!("{head}{}", recovery(fs.ir_state, fs.nonir_clients, fs.nidtbl_version, fs.ir_notified))
}

/// `params`, which a kernel lists among the file systems.
pub(super) fn params(steps: u32, state: IrState) -> String {
    format!("{}{}", text("params", steps, &[], ""), recovery(state, 0, FIRST_VERSION, 0))
}

fn text(name: &str, generation: u32, targets: &[&str], rules: &str) -> String {
    let targets: String = targets.iter().map(|target| format!("{target}\n")).collect();
    format!(
        "fsname: {name}\nflags: {FLAGS:#x}     gen: {generation}\n{targets}\nSecure RPC Config Rules:\n{rules}\n"
    )
}

fn recovery(state: IrState, nonir_clients: u64, version: u64, notified: u64) -> String {
    format!(
        "imperative_recovery_state:\n    state: {state}\n    nonir_clients: {nonir_clients}\n    nidtbl_version: {version}\n    \
         notify_duration_total: 0.000000000\n    notify_duation_max: 0.000000000\n    notify_count: {notified}"
    )
}

/// The step of the last marker of a log: what a kernel has counted to.
pub(super) async fn last_step(front: &Front<'_>, log: &str) -> Done<u32> {
    let log = logs::read(front, log).await?;
    let steps = log.records().filter_map(|r| r.cfg().ok()?.marker()).map(|marker| marker.step);
    Ok(steps.max().unwrap_or(1))
}

/// Connect flags (`lustre_idl.h: OBD_CONNECT_*`): bit, word of the API, word of a kernel.
const CONNECT: [(u64, &str, &str); 8] = [
    (0x20, "version", "version"),
    (0x40, "mgs_nidlist", "mgs_nidlist"),
    (0x2000, "barrier", "barrier"),
    (0x100_0000, "adaptive_timeouts", "adaptive_timeouts"),
    (0x10_0000_0000, "full20", "full20"),
    (0x100_0000_0000, "imperative_recovery", "imp_recov"),
    (0x2000_0000_0000_0000, "bulk_mbits", "bulk_mbits"),
    (0x8000_0000_0000_0000, "flags2", "second_flags"),
];

/// Those of the second word.
const CONNECT2: [&str; 2] = ["reply_mbits", "large_nid"];

/// A connected node.
pub(super) fn export(mgs: &str, client: &ClientExport) -> String {
    let has = |word: &str| client.flags.iter().any(|flag| flag == word);
    let first = CONNECT.iter().filter(|(_, word, _)| has(word));
    let bits = first.clone().fold(0, |bits, (bit, ..)| bits | bit);
    let words: Vec<&str> =
        first.map(|(.., word)| *word).chain(CONNECT2.into_iter().filter(|word| has(word))).collect();
    let version = client.lustre_version.as_deref().unwrap_or("0.0.0.0");
    format!(
        "{}:\n    name: {mgs}\n    client: {}\n    connect_flags: [ {} ]\n    connect_data:\n       flags: {bits:#x}\n       \
         instance: 0\n       target_version: {version}\n    export_flags: [  ]",
        client.uuid,
        client.nid,
        words.join(", ")
    )
}

//! How much one peer can make the MGS remember, which takes more inputs than a fuzzer finds; and how far the seeds come.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use fuzz_targets::engine::{World, counts_of, frames_of};
use std::collections::BTreeMap;
use std::path::Path;
use wire::relay::Frame;

/// A recorded registration, repeated under ever new names. `World` judges the bounds after each.
#[test]
fn names_of_targets() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/engine_ops");
    let script = std::fs::read(seeds.join("A-253-4848")).unwrap();
    let (sent, _) = frames_of(&script);
    let Some(Frame::Deliver { slot, incarnation, portal, match_bits, offset, payload }) =
        sent.last().cloned()
    else {
        panic!("{:?}", sent.last())
    };
    let at = payload.windows(14).position(|w| w == b"testfs-MDT0000").expect("name of the target");
    let mut world = World::new();
    sent.iter().for_each(|frame| world.relay(frame.clone()));
    for n in 1..1500_u16 {
        let mut changed = payload.to_vec();
        changed[at..at + 14].copy_from_slice(format!("testfs-XXX{n:04x}").as_bytes());
        let match_bits = match_bits + 128 * u64::from(n);
        let payload = changed.into();
        world.relay(Frame::Deliver { slot, incarnation, portal, match_bits, offset, payload });
    }
    world.end();
}

/// Scripts that are refused at the door would find nothing: the seeds together reach every service and every way out.
#[test]
fn seeds_come_through() {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/engine_ops")).unwrap() {
        for (name, n) in counts_of(&std::fs::read(file.unwrap().path()).unwrap()) {
            *counts.entry(name).or_default() += n;
        }
    }
    for name in [
        "mgs_connect",
        "mgs_disconnect",
        "mgs_target_reg",
        "mgs_set_info",
        "mgs_config_read",
        "obd_ping",
        "ldlm_enqueue",
        "ldlm_cancel",
        "llog_open",
        "llog_read_header",
        "llog_next_block",
        "commits",
        "commits_failed",
        "callbacks_sent",
        "evictions",
        "early_replies",
        "bulk_failed",
        "not_connected",
        "duplicates",
    ] {
        assert!(counts.get(name).is_some_and(|n| *n > 0), "no seed reaches {name}: {counts:?}");
    }
}

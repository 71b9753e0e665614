//! What takes more inputs than a fuzzer finds: how much one peer can make the MGS remember.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use fuzz_targets::engine::{World, frames_of};
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

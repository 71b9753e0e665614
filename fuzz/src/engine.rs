//! The MGS itself: relay frames go in, and whatever comes out is judged.
mod judge;
mod script;
mod world;

pub use world::World;

use crate::input::Input;
use wire::relay::Frame;

/// Relay frames as they come from a proxy. The store answers at once, bulk is acknowledged at once.
pub fn engine_frames(data: &[u8]) {
    let mut world = World::new();
    let mut rest = data;
    while let Ok(Some((frame, used))) = Frame::parse(rest) {
        rest = &rest[used..];
        world.relay(frame);
    }
    world.end();
}

/// A script of requests and events (`engine/script.rs` says what it is made of): requests are well-formed as messages, and carry the
/// handles that the MGS gave out, so that a fuzzer comes behind the first checks.
pub fn engine_ops(data: &[u8]) {
    let mut world = World::new();
    world.run(&mut Input(data));
    world.end();
}

/// The frames that a script sends, for `engine_frames`, and those that it is answered with.
pub fn frames_of(script: &[u8]) -> (Vec<Frame>, Vec<Frame>) {
    let mut world = World::new();
    world.run(&mut Input(script));
    world.traffic()
}

/// What the engine counted during a script: how far a seed comes.
pub fn counts_of(script: &[u8]) -> Vec<(&'static str, u64)> {
    let mut world = World::new();
    world.run(&mut Input(script));
    world.end();
    world.counts()
}

/// What the store holds after a script, for `core_view`.
pub fn store_of(script: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut world = World::new();
    world.run(&mut Input(script));
    world.end();
    world.stored()
}

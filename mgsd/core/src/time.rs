//! The time of an input, as the driver saw it.

use std::time::Duration;

/// Both clocks at once; the core reads neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// Since some start; never goes back. Every deadline is in it.
    pub mono: Duration,
    /// Unix seconds; only ever written down, nothing is decided by it.
    pub wall: i64,
}

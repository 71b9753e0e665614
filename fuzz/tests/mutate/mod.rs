//! Changed copies of a seed: always the same for the same seed.

/// What an attacker puts into a length.
const EVIL: [u32; 5] = [0, 1, 1 << 31, (1 << 31) - 1, u32::MAX];

/// SplitMix64: small, and good enough to choose places.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % n.max(1) as u64).unwrap()
    }
}

/// One changed copy; `other` is a seed of the same target to splice with.
pub(crate) fn changed(seed: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.below(3) {
        let at = dice.below(bytes.len());
        match dice.below(7) {
            0 => bytes.truncate(at),
            1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            2 => {
                // Most lengths are little endian words on a multiple of four, some behind a byte that chooses.
                let at = at / 4 * 4 + dice.below(2) * (1 + dice.below(2));
                put(&mut bytes, at, &EVIL[dice.below(EVIL.len())].to_le_bytes());
            }
            3 => put(&mut bytes, at, &EVIL[dice.below(EVIL.len())].to_be_bytes()[..1 + dice.below(4)]),
            4 => {
                let from = dice.below(other.len());
                bytes.truncate(at);
                bytes.extend(&other[from..]);
            }
            5 => {
                // A piece twice, or once less.
                let end = (at + 1 + dice.below(64)).min(bytes.len());
                let piece = bytes[at.min(end)..end].to_vec();
                if dice.below(2) == 0 {
                    bytes.splice(at..at, piece);
                } else {
                    bytes.drain(at.min(end)..end);
                }
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = u8::try_from(dice.below(256)).unwrap();
                }
            }
        }
    }
    bytes
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

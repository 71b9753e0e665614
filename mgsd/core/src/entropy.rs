//! Random numbers from one seed, handed in at the start: SHA-256 over seed and counter.

use sha2::{Digest, Sha256};

/// A stream of random numbers; the same seed gives the same stream.
#[derive(Clone, Debug)]
pub(crate) struct Entropy {
    seed: [u8; 32],
    counter: u64,
}

impl Entropy {
    /// A stream. The seed must be unpredictable where cookies must be.
    pub(crate) const fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    /// Sixteen random bytes.
    pub(crate) fn bytes(&mut self) -> [u8; 16] {
        self.counter += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.counter.to_le_bytes());
        let mut out = [0; 16];
        out.iter_mut().zip(hash.finalize()).for_each(|(o, b)| *o = b);
        out
    }

    /// A random number that is not zero: a cookie.
    pub(crate) fn cookie(&mut self) -> u64 {
        #[allow(clippy::cast_possible_truncation)] // half of the bits is meant
        let (low, high) = {
            let b = u128::from_le_bytes(self.bytes());
            (b as u64, (b >> 64) as u64)
        };
        if low == 0 { high | 1 } else { low }
    }
}

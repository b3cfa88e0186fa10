//! Where randomness comes from.

use std::fmt;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

/// A source of unpredictable bytes. The core draws all of its randomness from one.
///
/// In production it must be cryptographically secure; in a test, seed it, and the run repeats.
pub trait RandomSource: Send {
    /// Fills `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// A cryptographically secure generator (ChaCha with 12 rounds): as unpredictable as its seed.
#[derive(Clone)]
pub struct SeededRandom(ChaCha12Rng);

impl SeededRandom {
    /// A generator whose output `seed` determines. Take the seed from the operating system.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// A generator of its own, seeded from `source`.
    pub(crate) fn forked_from(source: &mut dyn RandomSource) -> Self {
        let mut seed = [0; 32];
        source.fill(&mut seed);
        Self::from_seed(seed)
    }

    /// `N` random bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A random number.
    pub(crate) fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}

impl RandomSource for SeededRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

impl fmt::Debug for SeededRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeededRandom(secret)")
    }
}

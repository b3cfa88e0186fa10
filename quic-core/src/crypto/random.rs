//! Where randomness comes from.

use std::fmt;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

/// Bytes in a word of the generator's output.
const WORD: usize = 4;

/// A source of unpredictable bytes. The core draws all of its randomness from one.
///
/// In production it must be cryptographically secure; in a test, seed it, and the run repeats.
pub trait RandomSource: Send {
    /// Fills `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// A cryptographically secure generator (ChaCha with 12 rounds): as unpredictable as its seed.
///
/// It keeps no output in advance, so that it takes little memory, and every draw costs about the
/// same: draw many bytes at once rather than few of them often.
#[derive(Clone)]
pub struct SeededRandom {
    seed: [u8; 32],
    /// Words of the output that were drawn.
    drawn: u64,
}

impl SeededRandom {
    /// A generator whose output `seed` determines. Take the seed from the operating system.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
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
        u64::from_le_bytes(self.array())
    }
}

impl RandomSource for SeededRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        let mut generator = ChaCha12Rng::from_seed(self.seed);
        generator.set_word_pos(self.drawn.into());
        generator.fill_bytes(bytes);
        self.drawn = self.drawn.saturating_add(bytes.len().div_ceil(WORD) as u64);
    }
}

impl fmt::Debug for SeededRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeededRandom(secret)")
    }
}

/// The same output, drawn in advance: for who draws a few bytes at a time and has the memory.
pub(crate) struct BufferedRandom {
    source: SeededRandom,
    drawn: [u8; DRAWN],
    /// Bytes of `drawn` that were used.
    used: usize,
}

/// What the generator makes at a time. Whole words, so that the output is the same.
const DRAWN: usize = 256;

impl BufferedRandom {
    /// Goes on where `source` is.
    pub(crate) fn new(source: SeededRandom) -> Self {
        Self { source, drawn: [0; DRAWN], used: DRAWN }
    }

    /// `N` random bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A random number.
    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }
}

impl RandomSource for BufferedRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.used >= DRAWN {
                self.source.fill(&mut self.drawn);
                self.used = 0;
            }
            let left = self.drawn.get(self.used..).unwrap_or_default();
            let length = rest.len().min(left.len());
            let (now, later) = rest.split_at_mut(length);
            now.iter_mut().zip(left).for_each(|(to, from)| *to = *from);
            self.used += length.next_multiple_of(WORD);
            rest = later;
        }
    }
}

impl fmt::Debug for BufferedRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BufferedRandom(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_in_advance_is_the_same() {
        let mut plain = SeededRandom::from_seed([7; 32]);
        let mut buffered = BufferedRandom::new(plain.clone());
        for length in (0..200).chain([255, 256, 257, 1000]) {
            let (mut expected, mut bytes) = (vec![0; length], vec![0; length]);
            plain.fill(&mut expected);
            buffered.fill(&mut bytes);
            assert_eq!(bytes, expected, "{length} bytes");
        }
        assert_eq!((buffered.array::<3>(), buffered.u64()), (plain.array(), plain.u64()));
    }
}

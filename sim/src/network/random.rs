//! Numbers that look random and follow from a seed.

/// A generator that is fast and repeats (SplitMix64). Nobody has to be kept from guessing here.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator number `stream` of a run with this seed.
    pub const fn new(seed: u64, stream: u64) -> Self {
        Self(mix(seed ^ mix(stream)))
    }

    /// The next number.
    pub const fn u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `limit`; 0 if that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.u64().checked_rem(limit).unwrap_or(0)
    }

    /// Whether something that happens with this probability happens now.
    pub fn chance(&mut self, probability: f64) -> bool {
        // Always draws, so that what follows does not depend on the probability.
        let number = (self.u64() >> 11) as f64 / (1_u64 << 53) as f64;
        number < probability
    }

    /// 32 bytes to seed another generator with.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        for chunk in seed.chunks_mut(8) {
            chunk.copy_from_slice(&self.u64().to_le_bytes());
        }
        seed
    }
}

/// Scrambles a number.
pub(super) const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A number that differs, as far as tests can see, for bytes that differ.
pub fn hash(bytes: &[u8]) -> u64 {
    let chunks = bytes.chunks_exact(8);
    let rest = chunks
        .remainder()
        .iter()
        .fold(bytes.len() as u64, |sum, byte| sum.wrapping_mul(257).wrapping_add(u64::from(*byte)));
    chunks.fold(mix(rest), |sum, chunk| {
        let word = chunk.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte));
        (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    })
}

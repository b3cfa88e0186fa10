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
        let number = self.u64();
        // A division takes longer than all else here, and what nobody asked for is drawn, too.
        if limit <= 1 { 0 } else { number % limit }
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
    // Lanes that do not wait for each other.
    let (blocks, rest) = bytes.as_chunks::<32>();
    let mut lanes = [bytes.len() as u64, 1, 2, 3];
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane = stir(*lane, u64::from_le_bytes(*word));
        }
    }
    let (words, rest) = rest.as_chunks::<8>();
    for (lane, word) in lanes.iter_mut().zip(words) {
        *lane = stir(*lane, u64::from_le_bytes(*word));
    }
    let last = rest.iter().fold(1, |word, byte| (word << 8) | u64::from(*byte));
    lanes.iter().fold(mix(last), |sum, lane| mix(stir(sum, *lane)))
}

fn stir(sum: u64, word: u64) -> u64 {
    let product = (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The highest bit alone would still be a single one, which another word could take back.
    product ^ (product >> 32)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_hash_follows_from_every_bit_and_the_length() {
        for length in [0, 1, 7, 8, 9, 31, 32, 33, 40, 100, 1200] {
            let bytes = vec![0; length];
            let mut hashes = BTreeSet::from([hash(&bytes), hash(&[&bytes[..], &[0]].concat())]);
            for bit in 0..8 * length {
                let mut changed = bytes.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                hashes.insert(hash(&changed));
            }
            assert_eq!(hashes.len(), 2 + 8 * length, "{length}");
        }
    }

    #[test]
    fn numbers_are_below_their_limit_and_all_are_drawn() {
        let random = &mut Random::new(1, 1);
        assert!((0..100).all(|_| random.below(0) == 0 && random.below(1) == 0));
        let drawn: BTreeSet<u64> = (0..1000).map(|_| random.below(10)).collect();
        assert_eq!(drawn, (0..10).collect());
    }
}

//! How maps are hashed whose keys strangers choose.

use std::fmt;
use std::hash::{BuildHasher, Hasher};

use siphasher::sip::SipHasher13;

use super::SeededRandom;

/// Hashes with a secret, so that nobody who chooses keys can aim at a bucket.
#[derive(Clone, Copy)]
pub(crate) struct KeyedHash([u8; 16]);

impl KeyedHash {
    pub(crate) fn new(random: &mut SeededRandom) -> Self {
        Self(random.array())
    }

    pub(crate) fn with_secret(secret: [u8; 16]) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedHash(secret)")
    }
}

impl BuildHasher for KeyedHash {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

/// Hashes numbers with a secret, for maps that are asked several times for each request.
///
/// The key is two secret words: a number is mixed with one and multiplied by the other, and the
/// halves of the product are folded together, twice. That is no pseudorandom function: it is for
/// numbers of which a peer can only choose some out of a range that this end grants, and whose
/// hashes it never sees.
#[derive(Clone, Copy)]
pub(crate) struct KeyedNumberHash {
    mask: u64,
    /// Odd.
    factor: u64,
}

impl From<KeyedHash> for KeyedNumberHash {
    fn from(hash: KeyedHash) -> Self {
        Self { mask: hash.hash_one(0_u64), factor: hash.hash_one(1_u64) | 1 }
    }
}

impl fmt::Debug for KeyedNumberHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedNumberHash(secret)")
    }
}

impl BuildHasher for KeyedNumberHash {
    type Hasher = NumberHasher;

    #[inline]
    fn build_hasher(&self) -> NumberHasher {
        NumberHasher { key: *self, state: 0 }
    }
}

/// See [`KeyedNumberHash`].
#[derive(Debug)]
pub(crate) struct NumberHasher {
    key: KeyedNumberHash,
    state: u64,
}

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        let KeyedNumberHash { mask, factor } = self.key;
        let once = folded_product(self.state ^ number ^ mask, factor);
        self.state = folded_product(once ^ mask.rotate_left(32), factor);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }
}

#[inline]
fn folded_product(a: u64, b: u64) -> u64 {
    let (low, high) = a.carrying_mul(b, 0);
    low ^ high
}

#[cfg(test)]
mod tests;

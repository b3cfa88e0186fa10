//! How maps are hashed whose keys strangers choose.

use std::fmt;
use std::hash::BuildHasher;

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

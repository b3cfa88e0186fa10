//! Bytes made from a seed, and the checksum that every one of them goes through.

use bytes::{Bytes, BytesMut};

/// Bytes given out at a time.
const CHUNK: usize = 256 << 10;

/// Makes bytes that only a seed determines, faster than they can be encrypted.
#[derive(Debug)]
pub(crate) struct Generator {
    random: SplitMix,
    left: u64,
    memory: BytesMut,
}

impl Generator {
    /// Makes `length` bytes from `seed`.
    pub(crate) fn new(seed: u64, length: u64) -> Self {
        Self { random: SplitMix::new(seed), left: length, memory: BytesMut::new() }
    }

    /// The next bytes; `None` after the last.
    pub(crate) fn next_chunk(&mut self) -> Option<Bytes> {
        if self.left == 0 {
            return None;
        }
        // Once the transport let go of the earlier chunks, their memory is used again.
        self.memory.reserve(CHUNK);
        self.memory.resize(CHUNK, 0);
        for word in self.memory.chunks_exact_mut(8) {
            word.copy_from_slice(&self.random.next().to_le_bytes());
        }
        let length = usize::try_from(self.left).map_or(CHUNK, |left| left.min(CHUNK));
        self.left = self.left.saturating_sub(length as u64);
        let mut chunk = self.memory.split();
        chunk.truncate(length);
        Some(chunk.freeze())
    }
}

/// A small, fast generator of numbers (Steele, Lea, Flood: SplitMix64). Not for secrets.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix(u64);

impl SplitMix {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A CRC-32 over every byte, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checksum {
    hasher: crc32fast::Hasher,
    count: u64,
}

impl Checksum {
    pub(crate) fn add(&mut self, data: &[u8]) {
        self.hasher.update(data);
        self.count = self.count.saturating_add(data.len() as u64);
    }

    /// How many bytes were added.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn value(self) -> u32 {
        self.hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, Checksum, Generator};

    fn all(seed: u64, length: u64) -> Vec<u8> {
        let mut generator = Generator::new(seed, length);
        std::iter::from_fn(|| generator.next_chunk()).flatten().collect()
    }

    #[test]
    fn the_same_seed_makes_the_same_bytes_and_exactly_so_many() {
        let length = CHUNK * 2 + 3;
        let data = all(7, length as u64);
        assert_eq!(data.len(), length);
        assert_eq!(data, all(7, length as u64));
        assert_ne!(data, all(8, length as u64));
        assert_ne!(data[..CHUNK], data[CHUNK..2 * CHUNK]);
        assert!(all(7, 0).is_empty());
    }

    #[test]
    fn swapped_bytes_change_the_checksum() {
        let sum = |data: &[u8]| {
            let mut checksum = Checksum::default();
            for byte in data {
                checksum.add(&[*byte]);
            }
            (checksum.count(), checksum.value())
        };
        assert_ne!(sum(b"ab"), sum(b"ba"));
        assert_eq!(sum(b"123456789"), (9, 0xcbf4_3926));
    }
}

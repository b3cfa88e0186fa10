//! Keys that hide nothing, but notice every change.

use quic_core::Side;
use quic_core::rustls::Error;
use quic_core::rustls::quic::{
    DirectionalKeys, HeaderProtectionKey, Keys, PacketKey, PacketKeySet, Tag,
};

const TAG_LENGTH: usize = 16;

/// Makes the keys of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyMaker {
    pub(super) secret: u64,
    pub(super) confidentiality_limit: u64,
    pub(super) integrity_limit: u64,
}

impl KeyMaker {
    /// All keys of `side`, for the level or key phase with this number.
    pub(super) fn keys(&self, side: Side, generation: u64) -> Keys {
        let PacketKeySet { local, remote } = self.packet_keys(side, generation);
        Keys {
            local: DirectionalKeys { header: Box::new(NullHeaderKey), packet: local },
            remote: DirectionalKeys { header: Box::new(NullHeaderKey), packet: remote },
        }
    }

    /// Only the packet keys, for a key update.
    pub(super) fn packet_keys(&self, side: Side, generation: u64) -> PacketKeySet {
        let client = self.packet_key(generation, 0);
        let server = self.packet_key(generation, 1);
        match side {
            Side::Client => PacketKeySet { local: client, remote: server },
            Side::Server => PacketKeySet { local: server, remote: client },
        }
    }

    fn packet_key(&self, generation: u64, sender: u64) -> Box<dyn PacketKey> {
        Box::new(NullPacketKey {
            seed: mix(mix(self.secret, generation), sender),
            confidentiality_limit: self.confidentiality_limit,
            integrity_limit: self.integrity_limit,
        })
    }
}

struct NullHeaderKey;

impl HeaderProtectionKey for NullHeaderKey {
    fn encrypt_in_place(&self, _: &[u8], _: &mut u8, _: &mut [u8]) -> Result<(), Error> {
        Ok(())
    }

    fn decrypt_in_place(&self, _: &[u8], _: &mut u8, _: &mut [u8]) -> Result<(), Error> {
        Ok(())
    }

    fn sample_len(&self) -> usize {
        TAG_LENGTH
    }
}

struct NullPacketKey {
    seed: u64,
    confidentiality_limit: u64,
    integrity_limit: u64,
}

impl NullPacketKey {
    fn tag(&self, number: u64, header: &[u8], payload: &[u8]) -> [u8; TAG_LENGTH] {
        let sum = checksum(mix(self.seed, number), &[header, payload]);
        (u128::from(sum) << 64 | u128::from(mix(sum, number))).to_be_bytes()
    }
}

impl PacketKey for NullPacketKey {
    fn encrypt_in_place(
        &self,
        packet_number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<Tag, Error> {
        Ok(Tag::from(self.tag(packet_number, header, payload).as_slice()))
    }

    fn decrypt_in_place<'a>(
        &self,
        packet_number: u64,
        header: &[u8],
        payload: &'a mut [u8],
    ) -> Result<&'a [u8], Error> {
        let payload: &'a [u8] = payload;
        let (payload, tag) = payload.split_last_chunk::<TAG_LENGTH>().ok_or(Error::DecryptError)?;
        if self.tag(packet_number, header, payload) == *tag {
            Ok(payload)
        } else {
            Err(Error::DecryptError)
        }
    }

    fn tag_len(&self) -> usize {
        TAG_LENGTH
    }

    fn confidentiality_limit(&self) -> u64 {
        self.confidentiality_limit
    }

    fn integrity_limit(&self) -> u64 {
        self.integrity_limit
    }
}

/// A sum of all bytes and where each part ends. A change within eight bytes always shows.
pub(super) fn checksum(seed: u64, parts: &[&[u8]]) -> u64 {
    parts.iter().fold(seed, |mut sum, part| {
        let (words, rest) = part.as_chunks::<8>();
        for word in words {
            sum = mix(sum, u64::from_le_bytes(*word));
        }
        let last = rest.iter().fold(1, |last, byte| last << 8 | u64::from(*byte));
        mix(sum, last)
    })
}

/// One to one in each argument while the other stays.
pub(super) fn mix(a: u64, b: u64) -> u64 {
    (a.rotate_left(5) ^ b).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31)
}

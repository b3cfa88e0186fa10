//! Keys for the payload of packets (RFC 9001 §5.3).

use rustls::Error;
use rustls::crypto::cipher::{Iv, Nonce};
use rustls::quic::{PacketKey, Tag};
use zeroize::Zeroizing;

use super::super::provider::aead::{Aad, LessSafeKey, Nonce as UniqueNonce, UnboundKey};
use super::{Details, Expanding, SuiteNumber};
use crate::crypto::packet_protection::TAG_LENGTH;

/// A key of `N` bytes.
pub(super) struct CompactPacketKey<const N: usize>(Expanding<LessSafeKey, Secrets<N>>);

struct Secrets<const N: usize> {
    iv: Iv,
    key: Zeroizing<[u8; N]>,
}

impl<const N: usize> CompactPacketKey<N> {
    pub(super) fn new(suite: SuiteNumber, key: Zeroizing<[u8; N]>, iv: Iv) -> Self {
        Self(Expanding::new(suite, Secrets { iv, key }))
    }

    fn nonce(&self, packet_number: u64) -> UniqueNonce {
        UniqueNonce::assume_unique_for_key(Nonce::new(&self.0.secrets.iv, packet_number).0)
    }
}

fn expand<const N: usize>(details: &Details, secrets: &Secrets<N>) -> Option<LessSafeKey> {
    UnboundKey::new(details.packet, &secrets.key[..]).ok().map(LessSafeKey::new)
}

impl<const N: usize> PacketKey for CompactPacketKey<N> {
    fn encrypt_in_place(
        &self,
        packet_number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<Tag, Error> {
        let nonce = self.nonce(packet_number);
        let seal = |key: &LessSafeKey| {
            key.seal_in_place_separate_tag(nonce, Aad::from(header), payload).ok()
        };
        let tag = self.0.with(expand, seal).flatten();
        tag.map(|tag| Tag::from(tag.as_ref())).ok_or(Error::EncryptError)
    }

    fn decrypt_in_place<'a>(
        &self,
        packet_number: u64,
        header: &[u8],
        payload: &'a mut [u8],
    ) -> Result<&'a [u8], Error> {
        let nonce = self.nonce(packet_number);
        let open =
            |key: &LessSafeKey| Some(&*key.open_in_place(nonce, Aad::from(header), payload).ok()?);
        self.0.with(expand, open).flatten().ok_or(Error::DecryptError)
    }

    fn tag_len(&self) -> usize {
        TAG_LENGTH
    }

    fn confidentiality_limit(&self) -> u64 {
        self.0.suite.details().map_or(0, |details| details.confidentiality_limit)
    }

    fn integrity_limit(&self) -> u64 {
        self.0.suite.details().map_or(0, |details| details.integrity_limit)
    }
}

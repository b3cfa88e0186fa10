//! Keys for the records of TLS. QUIC sends none, but a session makes such keys nevertheless.

use std::mem;

use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter,
    OutboundOpaqueMessage, OutboundPlainMessage, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::{ConnectionTrafficSecrets, Error};

use super::{CompactSuite, SuiteNumber};
use crate::crypto::packet_protection::TAG_LENGTH;

/// Length of the content type inside of every protected record (RFC 8446 §5.2).
const CONTENT_TYPE_LENGTH: usize = 1;

/// A key that is expanded when the first record needs it.
enum RecordKey<K> {
    Unused(SuiteNumber, AeadKey, Iv),
    Expanded(Option<K>),
}

impl<K> RecordKey<K> {
    fn expanded(
        &mut self,
        expand: impl FnOnce(&dyn Tls13AeadAlgorithm, AeadKey, Iv) -> K,
    ) -> Option<&mut K> {
        let expanded = match mem::replace(self, Self::Expanded(None)) {
            Self::Unused(suite, key, iv) => {
                suite.details().map(|details| expand(details.plain.aead_alg, key, iv))
            }
            Self::Expanded(key) => key,
        };
        *self = Self::Expanded(expanded);
        match self {
            Self::Unused(..) => None,
            Self::Expanded(key) => key.as_mut(),
        }
    }
}

impl MessageEncrypter for RecordKey<Box<dyn MessageEncrypter>> {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let expanded = self.expanded(|algorithm, key, iv| algorithm.encrypter(key, iv));
        expanded.ok_or(Error::EncryptError)?.encrypt(message, sequence)
    }

    fn encrypted_payload_len(&self, payload_length: usize) -> usize {
        payload_length.saturating_add(CONTENT_TYPE_LENGTH + TAG_LENGTH)
    }
}

impl MessageDecrypter for RecordKey<Box<dyn MessageDecrypter>> {
    fn decrypt<'a>(
        &mut self,
        message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let expanded = self.expanded(|algorithm, key, iv| algorithm.decrypter(key, iv));
        expanded.ok_or(Error::DecryptError)?.decrypt(message, sequence)
    }
}

impl Tls13AeadAlgorithm for CompactSuite {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(RecordKey::<Box<dyn MessageEncrypter>>::Unused(self.number, key, iv))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(RecordKey::<Box<dyn MessageDecrypter>>::Unused(self.number, key, iv))
    }

    fn key_len(&self) -> usize {
        self.details.plain.aead_alg.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.details.plain.aead_alg.extract_keys(key, iv)
    }

    fn fips(&self) -> bool {
        self.details.plain.aead_alg.fips()
    }
}

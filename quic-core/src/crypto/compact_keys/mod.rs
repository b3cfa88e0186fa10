//! Keys that take little memory until they are busy.
//!
//! An expanded key takes several hundred bytes, and a connection has more than a dozen of them:
//! for three kinds of packets, two directions, the next key phase, and the records of TLS, which
//! QUIC never sends. Most protect a few packets at most. So all are kept as they were derived, and
//! only those that are used again and again stay expanded.

mod header_key;
mod packet_key;
mod record_keys;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::crypto::cipher::{AeadKey, Iv};
use rustls::crypto::{CipherSuiteCommon, CryptoProvider};
use rustls::quic::{Algorithm, HeaderProtectionKey, Keys, PacketKey, Version};
use rustls::{CipherSuite, SupportedCipherSuite, Tls13CipherSuite};
use zeroize::Zeroizing;

use self::header_key::CompactHeaderKey;
use self::packet_key::CompactPacketKey;
use super::provider::aead;

/// A key is expanded anew for so many packets before it stays expanded.
const BRIEF_USES: u32 = 16;
/// Key length of AES-128.
const SHORT: usize = 16;
/// Key length of AES-256 and ChaCha20.
const LONG: usize = 32;

/// The cryptography of rustls with keys for QUIC that take little memory until they are busy, so
/// that connections that wait cost less: to be given to `builder_with_provider` of
/// [`rustls::ServerConfig`] and [`rustls::ClientConfig`].
///
/// The configurations that this crate makes use it already. It is backed by *ring*, or by
/// AWS-LC if only the feature `aws-lc-rs` is enabled.
pub fn provider() -> CryptoProvider {
    let cipher_suites = SUITES.iter().map(SupportedCipherSuite::Tls13).collect();
    CryptoProvider { cipher_suites, ..plain_provider() }
}

/// What the configurations of this crate use.
pub(super) fn default_provider() -> Arc<CryptoProvider> {
    Arc::new(provider())
}

#[cfg(feature = "ring")]
fn plain_provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

#[cfg(all(feature = "aws-lc-rs", not(feature = "ring")))]
fn plain_provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

/// How the keys of one suite are made, for QUIC and for TLS.
#[derive(Clone, Copy)]
struct CompactSuite(&'static Details);

struct Details {
    /// The same suite as rustls has it.
    plain: &'static Tls13CipherSuite,
    packet: &'static aead::Algorithm,
    header: &'static aead::quic::Algorithm,
    confidentiality_limit: u64,
    integrity_limit: u64,
}

/// Made once, and kept as long as the process runs.
static SUITES: LazyLock<Vec<Tls13CipherSuite>> = LazyLock::new(|| {
    let suites = plain_provider().cipher_suites;
    let details = suites.iter().filter_map(SupportedCipherSuite::tls13).filter_map(Details::of);
    details.map(|details| Box::leak(Box::new(details)).suite()).collect()
});

impl Details {
    fn of(plain: &'static Tls13CipherSuite) -> Option<Self> {
        let suite = plain.common.suite;
        let (packet, header) = if suite == CipherSuite::TLS13_AES_128_GCM_SHA256 {
            (&aead::AES_128_GCM, &aead::quic::AES_128)
        } else if suite == CipherSuite::TLS13_AES_256_GCM_SHA384 {
            (&aead::AES_256_GCM, &aead::quic::AES_256)
        } else if suite == CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 {
            (&aead::CHACHA20_POLY1305, &aead::quic::CHACHA20)
        } else {
            return None;
        };
        // The limits of RFC 9001 §6.6 are those that rustls has.
        let keys = Keys::initial(Version::V1, plain, plain.quic?, &[], rustls::Side::Client);
        Some(Self {
            plain,
            packet,
            header,
            confidentiality_limit: keys.local.packet.confidentiality_limit(),
            integrity_limit: keys.local.packet.integrity_limit(),
        })
    }

    fn suite(&'static self) -> Tls13CipherSuite {
        let common = &self.plain.common;
        let compact: &'static _ = Box::leak(Box::new(CompactSuite(self)));
        Tls13CipherSuite {
            common: CipherSuiteCommon {
                suite: common.suite,
                hash_provider: common.hash_provider,
                confidentiality_limit: common.confidentiality_limit,
            },
            hkdf_provider: self.plain.hkdf_provider,
            aead_alg: compact,
            quic: Some(compact),
        }
    }
}

impl Algorithm for CompactSuite {
    fn packet_key(&self, key: AeadKey, iv: Iv) -> Box<dyn PacketKey> {
        if key.as_ref().len() == SHORT {
            Box::new(CompactPacketKey::<SHORT>::new(self.0, secret(&key), iv))
        } else {
            Box::new(CompactPacketKey::<LONG>::new(self.0, secret(&key), iv))
        }
    }

    fn header_protection_key(&self, key: AeadKey) -> Box<dyn HeaderProtectionKey> {
        if key.as_ref().len() == SHORT {
            Box::new(CompactHeaderKey::<SHORT>::new(self.0, secret(&key)))
        } else {
            Box::new(CompactHeaderKey::<LONG>::new(self.0, secret(&key)))
        }
    }

    fn aead_key_len(&self) -> usize {
        self.0.packet.key_len()
    }

    fn fips(&self) -> bool {
        self.0.plain.quic.is_some_and(Algorithm::fips)
    }
}

/// The bytes of a key of length `N`.
fn secret<const N: usize>(key: &AeadKey) -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0; N]);
    bytes.iter_mut().zip(key.as_ref()).for_each(|(to, from)| *to = *from);
    bytes
}

/// A key as expanded as its use asks for.
struct Expanding<K> {
    uses: AtomicU32,
    expanded: OnceLock<Box<K>>,
}

impl<K> Expanding<K> {
    const fn new() -> Self {
        Self { uses: AtomicU32::new(0), expanded: OnceLock::new() }
    }

    /// Lets `act` use the key; `expand` makes it when it is not there. `None` if it cannot.
    #[inline]
    fn with<R>(&self, expand: impl FnOnce() -> Option<K>, act: impl FnOnce(&K) -> R) -> Option<R> {
        match self.expanded.get() {
            Some(key) => Some(act(key)),
            None => self.with_new(expand, act),
        }
    }

    #[cold]
    fn with_new<R>(
        &self,
        expand: impl FnOnce() -> Option<K>,
        act: impl FnOnce(&K) -> R,
    ) -> Option<R> {
        let key = expand()?;
        if self.uses.fetch_add(1, Ordering::Relaxed) < BRIEF_USES {
            return Some(act(&key));
        }
        Some(act(self.expanded.get_or_init(|| Box::new(key))))
    }
}

//! Keys that take little memory until they are busy.
//!
//! An expanded key takes several hundred bytes, and a connection has more than a dozen of them:
//! for three kinds of packets, two directions, the next key phase, and the records of TLS, which
//! QUIC never sends. Most protect a few packets at most. So all are kept as they were derived, and
//! only those that are used again and again stay expanded.

mod header_key;
mod packet_key;
mod record_keys;
mod version_secrets;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::crypto::cipher::{AeadKey, Iv};
use rustls::crypto::{CipherSuiteCommon, CryptoProvider};
use rustls::quic::{Algorithm, HeaderProtectionKey, Keys, PacketKey, Version};
use rustls::{CipherSuite, SupportedCipherSuite, Tls13CipherSuite};
use zeroize::Zeroizing;

use self::header_key::CompactHeaderKey;
use self::packet_key::CompactPacketKey;
use super::provider::aead;

pub(super) use self::version_secrets::VersionSecrets;

/// A key is expanded anew for so many packets before it stays expanded.
const BRIEF_USES: u8 = 16;
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
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.3
    //# A cipher suite MUST NOT be negotiated unless a header protection scheme
    //# is defined for the cipher suite.
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

/// One of the suites, by its place in [`DETAILS`]: each key holds one.
#[derive(Clone, Copy)]
struct SuiteNumber(u8);

impl SuiteNumber {
    fn details(self) -> Option<&'static Details> {
        DETAILS.get(usize::from(self.0))
    }
}

/// How the keys of one suite are made, for QUIC and for TLS.
#[derive(Clone, Copy)]
struct CompactSuite {
    number: SuiteNumber,
    details: &'static Details,
}

struct Details {
    /// The same suite as rustls has it.
    plain: &'static Tls13CipherSuite,
    packet: &'static aead::Algorithm,
    header: &'static aead::quic::Algorithm,
    confidentiality_limit: u64,
    integrity_limit: u64,
}

/// Made once, and kept as long as the process runs.
static DETAILS: LazyLock<Vec<Details>> = LazyLock::new(|| {
    let suites = plain_provider().cipher_suites;
    suites.iter().filter_map(SupportedCipherSuite::tls13).filter_map(Details::of).collect()
});

/// Made once, and kept as long as the process runs.
static SUITES: LazyLock<Vec<Tls13CipherSuite>> = LazyLock::new(|| {
    let numbers = (0..).map(SuiteNumber);
    DETAILS.iter().zip(numbers).map(|(details, number)| details.suite(number)).collect()
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

    fn suite(&'static self, number: SuiteNumber) -> Tls13CipherSuite {
        let common = &self.plain.common;
        let compact: &'static _ = Box::leak(Box::new(CompactSuite { number, details: self }));
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
            Box::new(CompactPacketKey::<SHORT>::new(self.number, secret(&key), iv))
        } else {
            Box::new(CompactPacketKey::<LONG>::new(self.number, secret(&key), iv))
        }
    }

    fn header_protection_key(&self, key: AeadKey) -> Box<dyn HeaderProtectionKey> {
        if key.as_ref().len() == SHORT {
            Box::new(CompactHeaderKey::<SHORT>::new(self.number, secret(&key)))
        } else {
            Box::new(CompactHeaderKey::<LONG>::new(self.number, secret(&key)))
        }
    }

    fn aead_key_len(&self) -> usize {
        self.details.packet.key_len()
    }

    fn fips(&self) -> bool {
        self.details.plain.quic.is_some_and(Algorithm::fips)
    }
}

/// The bytes of a key of length `N`.
fn secret<const N: usize>(key: &AeadKey) -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0; N]);
    bytes.iter_mut().zip(key.as_ref()).for_each(|(to, from)| *to = *from);
    bytes
}

/// A key `K` as expanded as its use asks for, and the secrets `S` that it is made from.
///
/// A connection has many of these, so what is small lies side by side.
struct Expanding<K, S> {
    expanded: OnceLock<Box<K>>,
    uses: AtomicU8,
    suite: SuiteNumber,
    secrets: S,
}

impl<K, S> Expanding<K, S> {
    const fn new(suite: SuiteNumber, secrets: S) -> Self {
        Self { expanded: OnceLock::new(), uses: AtomicU8::new(0), suite, secrets }
    }

    /// Lets `act` use the key; `expand` makes it when it is not there. `None` if it cannot.
    #[inline]
    fn with<R>(
        &self,
        expand: impl FnOnce(&Details, &S) -> Option<K>,
        act: impl FnOnce(&K) -> R,
    ) -> Option<R> {
        match self.expanded.get() {
            Some(key) => Some(act(key)),
            None => self.with_new(expand, act),
        }
    }

    #[cold]
    fn with_new<R>(
        &self,
        expand: impl FnOnce(&Details, &S) -> Option<K>,
        act: impl FnOnce(&K) -> R,
    ) -> Option<R> {
        let key = expand(self.suite.details()?, &self.secrets)?;
        if self.uses.fetch_add(1, Ordering::Relaxed) < BRIEF_USES {
            return Some(act(&key));
        }
        Some(act(self.expanded.get_or_init(|| Box::new(key))))
    }
}

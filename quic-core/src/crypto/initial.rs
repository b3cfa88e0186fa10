//! Keys for Initial packets, which anyone on the path can compute (RFC 9001 §5.2).

use std::fmt;

use rustls::crypto::CryptoProvider;
use rustls::quic::{Keys, Suite, Version};
use rustls::{CipherSuite, SupportedCipherSuite};

use super::compact_keys::default_provider;
use crate::memory;
use crate::wire::header::{VERSION_1, VERSION_2};
use crate::wire::{ConnectionId, Side};

/// Keys for Initial packets that opened one.
pub(crate) struct InitialKeys(pub(crate) Box<Keys>);

impl InitialKeys {
    /// Heap at the most, in bytes: of both directions, a key for packets and one for headers.
    pub(crate) const fn worst_case_bytes() -> u64 {
        memory::boxes::<Keys>(1) + memory::boxes::<[u8; 80]>(4)
    }
}

impl fmt::Debug for InitialKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InitialKeys").finish_non_exhaustive()
    }
}

/// The name that rustls has for a QUIC version; `None` if it is not supported.
pub(super) fn tls_version(version: u32) -> Option<Version> {
    match version {
        VERSION_1 => Some(Version::V1),
        VERSION_2 => Some(Version::V2),
        _ => None,
    }
}

/// The suite that Initial packets are protected with: AES-128-GCM with SHA-256. It is the one of
/// `provider`, or this crate's own if the provider permits others only: what protects Initial
/// packets need not be on offer for all that follows.
pub(super) fn initial_suite(provider: &CryptoProvider) -> Option<Suite> {
    suite_of(provider).or_else(|| suite_of(&default_provider()))
}

fn suite_of(provider: &CryptoProvider) -> Option<Suite> {
    let suites = provider.cipher_suites.iter().filter_map(SupportedCipherSuite::tls13);
    let mut suites =
        suites.filter(|suite| suite.common.suite == CipherSuite::TLS13_AES_128_GCM_SHA256);
    suites.next()?.quic_suite()
}

/// The Initial keys of the end that is `side`; `None` if the version is not supported.
pub(super) fn initial_keys(
    suite: Suite,
    version: u32,
    destination_id: &ConnectionId,
    side: Side,
) -> Option<Keys> {
    let side = match side {
        Side::Client => rustls::Side::Client,
        Side::Server => rustls::Side::Server,
    };
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.2
    //# The HKDF-Expand-Label function defined in TLS 1.3 MUST be used for
    //# Initial packets even where the TLS versions offered do not include TLS
    //# 1.3.
    Some(suite.keys(destination_id.as_slice(), side, tls_version(version)?))
}

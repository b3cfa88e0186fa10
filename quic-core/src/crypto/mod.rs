//! Keys, and the TLS handshake that makes them (RFC 9001).

mod bound_tickets;
mod client_hello;
mod compact_keys;
mod initial;
mod keyed_hash;
mod keyring;
mod one_rtt_keys;
#[cfg(feature = "wire")]
#[expect(clippy::missing_errors_doc, reason = "the errors are types that say when they come")]
pub mod packet_protection;
#[cfg(not(feature = "wire"))]
#[expect(unreachable_pub, unnameable_types, reason = "public under the feature `wire`")]
mod packet_protection;
mod post_handshake;
mod random;
mod resumption;
#[cfg(feature = "wire")]
pub mod retry_tag;
#[cfg(not(feature = "wire"))]
#[expect(unreachable_pub, reason = "public under the feature `wire`")]
mod retry_tag;
mod rustls_session;
mod secret_capture;
mod session;
mod stateless_reset;
mod tls_builder;
mod tls_config;
mod token_log;
mod tokens;

#[cfg(test)]
mod tests;

#[cfg(all(feature = "aws-lc-rs", not(feature = "ring")))]
use aws_lc_rs as provider;
#[cfg(feature = "ring")]
use ring as provider;

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
compile_error!("enable the feature `ring` or the feature `aws-lc-rs`");

pub use compact_keys::provider;
pub use keyring::{KeyId, Keyring, KeyringError};
pub(crate) use random::BufferedRandom;
pub use random::{RandomSource, SeededRandom};
pub use resumption::{ClientSession, SessionKey, SessionStore};
pub use session::{
    ClientOffer, HandshakeData, KeyChange, Level, Session, SessionFactory, StartSessionError,
};
pub use tls_builder::{TlsClientBuilder, TlsServerBuilder};
pub use tls_config::{TlsClientConfig, TlsConfigError, TlsServerConfig};

pub(crate) use initial::InitialKeys;
pub(crate) use keyed_hash::{KeyedHash, KeyedNumberHash};
pub(crate) use one_rtt_keys::OneRttKeys;
pub(crate) use packet_protection::{
    OpenError, Opened, SAMPLE_OFFSET, SealError, TAG_LENGTH, open, seal,
};
pub(crate) use retry_tag::{is_retry_authentic, retry_tag};
pub(crate) use stateless_reset::{reset_token, reset_token_with};
pub(crate) use token_log::SingleUse;
pub(crate) use tokens::{MAXIMUM_TOKEN_LENGTH, Token, seal as seal_token, unseal as open_token};

/// Compares in a time that depends on nothing but the lengths.
fn constant_time_equal(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && std::hint::black_box(difference) == 0
}

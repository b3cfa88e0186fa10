//! TLS that takes the same instructions each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quic_core::crypto::{TlsClientConfig, TlsServerConfig, provider};
use quic_core::rustls::RootCertStore;
use quic_core::rustls::client::{ClientConfig, Resumption};
use quic_core::rustls::crypto::{CryptoProvider, GetRandomFailed, SecureRandom};
use quic_core::rustls::pki_types::UnixTime;
use quic_core::rustls::server::ServerConfig;
use quic_core::rustls::time_provider::TimeProvider;
use quic_core::rustls::version::TLS13;
use quic_sim::null_tls::NullTls;
use quic_sim::pair::{Setup, certificate};

/// What everything random follows from.
const SEED: u64 = 1;
/// The application protocol.
const ALPN: &[u8] = b"bench";

/// Cryptography of a scenario.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tls {
    /// As it is used outside of tests, but for its randomness: the order of the extensions in a
    /// ClientHello is random, and with it where memory lies.
    Real,
    /// A TLS that encrypts nothing: what remains is what QUIC itself takes.
    Null,
}

impl Tls {
    /// What two ends start from.
    pub(crate) fn setup(self) -> Setup {
        match self {
            Self::Null => {
                let tls = Arc::new(NullTls::default());
                Setup::with_tls(SEED, tls.clone(), tls)
            }
            Self::Real => {
                let (client, server) = real().expect("what is configured is valid");
                Setup::with_tls(SEED, Arc::new(client), Arc::new(server))
            }
        }
    }
}

fn real() -> Result<(TlsClientConfig, TlsServerConfig), Box<dyn std::error::Error>> {
    let (chain, key) = certificate();
    let mut roots = RootCertStore::empty();
    for certificate in &chain {
        roots.add(certificate.clone())?;
    }
    let provider = Arc::new(CryptoProvider { secure_random: &Repeatable, ..provider() });
    let clock = Arc::new(Standing);
    let mut client = ClientConfig::builder_with_details(Arc::clone(&provider), clock.clone())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![ALPN.to_vec()];
    client.resumption = Resumption::disabled();
    let mut server = ServerConfig::builder_with_details(provider, clock)
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    server.alpn_protocols = vec![ALPN.to_vec()];
    Ok((TlsClientConfig::new(Arc::new(client))?, TlsServerConfig::new(Arc::new(server))?))
}

/// Bytes that everybody can guess.
#[derive(Debug)]
struct Repeatable;

static DRAWN: AtomicU64 = AtomicU64::new(SEED);

impl SecureRandom for Repeatable {
    fn fill(&self, out: &mut [u8]) -> Result<(), GetRandomFailed> {
        for chunk in out.chunks_mut(size_of::<u64>()) {
            // SplitMix64.
            let mut word = DRAWN.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            chunk.copy_from_slice(&word.to_be_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// A clock that shows the same time always.
#[derive(Debug)]
struct Standing;

impl TimeProvider for Standing {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_hours(500_000)))
    }
}

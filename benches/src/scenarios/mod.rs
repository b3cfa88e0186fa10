//! What is measured.

mod bulk;
mod requests;

use std::sync::Arc;

use quic_core::crypto::{TlsClientConfig, TlsServerConfig};
use quic_core::rustls::RootCertStore;
use quic_sim::null_tls::NullTls;
use quic_sim::pair::{Setup, certificate};

use crate::meter::Meter;

/// What everything random follows from.
const SEED: u64 = 1;

/// Something that is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    /// The hot path, and a variant of it.
    pub(crate) name: &'static str,
    /// What instructions are counted by.
    pub(crate) unit: &'static str,
    /// Plays it, with what is to be counted told to the meter.
    pub(crate) play: fn(&mut Meter),
}

/// Cryptography of a scenario.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tls {
    /// As it is used outside of tests.
    Real,
    /// A TLS that encrypts nothing: what remains is what QUIC itself takes.
    Null,
}

impl Tls {
    /// What two ends start from.
    fn setup(self) -> Setup {
        match self {
            Self::Null => Setup::with_tls(SEED, null(), null()),
            Self::Real => {
                let (chain, key) = certificate();
                let mut roots = RootCertStore::empty();
                roots.add(chain[0].clone()).expect("it is one");
                let server = TlsServerConfig::from_certificate(chain, key, &[b"bench"]);
                let client = TlsClientConfig::from_roots(roots, &[b"bench"]);
                let server = Arc::new(server.expect("it is valid"));
                Setup::with_tls(SEED, Arc::new(client.expect("it is valid")), server)
            }
        }
    }
}

fn null() -> Arc<NullTls> {
    Arc::new(NullTls::default())
}

/// All scenarios, in the order in which they are told of.
pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("seal/tls", "packet", |meter| bulk::seal(meter, Tls::Real)),
    scenario("seal/null", "packet", |meter| bulk::seal(meter, Tls::Null)),
    scenario("open/tls", "packet", |meter| bulk::open(meter, Tls::Real)),
    scenario("open/null", "packet", |meter| bulk::open(meter, Tls::Null)),
    scenario("bulk/tls", "packet", |meter| bulk::whole(meter, Tls::Real)),
    scenario("bulk/null", "packet", |meter| bulk::whole(meter, Tls::Null)),
    scenario("requests/tls", "request", |meter| requests::both(meter, Tls::Real)),
    scenario("requests/null", "request", |meter| requests::both(meter, Tls::Null)),
    scenario("requests/client", "request", requests::client),
    scenario("requests/server", "request", requests::server),
];

const fn scenario(name: &'static str, unit: &'static str, play: fn(&mut Meter)) -> Scenario {
    Scenario { name, unit, play }
}

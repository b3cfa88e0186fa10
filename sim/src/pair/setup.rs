//! What a simulation starts from.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

use quic_core::crypto::{SessionFactory, TlsClientConfig, TlsServerConfig};
use quic_core::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use quic_core::{
    AddressValidation, ClientConfig, EndpointConfig, Keyring, QUIC_V1, QUIC_V2, ServerConfig,
    ServerVersions, TransportConfig,
};

use super::Pair;
use crate::network::Link;
use crate::null_tls::NullTls;

/// The name of the server.
pub const SERVER_NAME: &str = "server.example";
/// The address of the client.
pub const CLIENT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 50_001);
/// The address of the server.
pub const SERVER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 443);

/// What a simulation starts from. Change fields, then [`build`](Self::build).
#[derive(Clone, Debug)]
pub struct Setup {
    /// What everything random follows from.
    pub seed: u64,
    /// TLS of the client.
    pub client_tls: Arc<dyn SessionFactory>,
    /// TLS of the server.
    pub server_tls: Arc<dyn SessionFactory>,
    /// The client's limits and timings.
    pub client_transport: TransportConfig,
    /// The server's limits and timings.
    pub server_transport: TransportConfig,
    /// What the client's connections share.
    pub client_endpoint: EndpointConfig,
    /// What the server's connections share.
    pub server_endpoint: EndpointConfig,
    /// What the server's tokens are sealed with.
    pub server_keyring: Keyring,
    /// When clients have to prove their address.
    pub validation: AddressValidation,
    /// Attempts that may wait.
    pub accept_backlog: usize,
    /// The version that the client starts with.
    pub version: u32,
    /// The versions that the client wants.
    pub client_versions: Vec<u32>,
    /// The versions that the server speaks.
    pub server_versions: ServerVersions,
    /// What the server prefers to its address.
    pub preferred_address: Option<SocketAddrV4>,
    /// From the client to the server.
    pub to_server: Link,
    /// From the server to the client.
    pub to_client: Link,
}

impl Setup {
    /// Two ends with default configurations, null TLS, and a link that passes everything.
    pub fn new(seed: u64) -> Self {
        Self::with_tls(seed, Arc::new(NullTls::default()), Arc::new(NullTls::default()))
    }

    /// The same, with TLS as it is used outside of tests. Lengths and times repeat, contents do
    /// not.
    pub fn with_rustls(seed: u64) -> Self {
        let (chain, key) = certificate();
        let server = TlsServerConfig::from_certificate(chain, key, &[b"test"]).unwrap();
        let client = TlsClientConfig::dangerous_without_verification(&[b"test"]).unwrap();
        Self::with_tls(seed, Arc::new(client), Arc::new(server))
    }

    /// The same, with this TLS.
    pub fn with_tls(
        seed: u64,
        client_tls: Arc<dyn SessionFactory>,
        server_tls: Arc<dyn SessionFactory>,
    ) -> Self {
        let mut server_endpoint = EndpointConfig::default();
        server_endpoint.keyring = Some(Keyring::new([0x5a; 32]));
        Self {
            seed,
            client_tls,
            server_tls,
            client_transport: TransportConfig::default(),
            server_transport: TransportConfig::default(),
            client_endpoint: EndpointConfig::default(),
            server_endpoint,
            server_keyring: Keyring::new([0x3c; 32]),
            validation: AddressValidation::Never,
            accept_backlog: 1024,
            version: QUIC_V1,
            client_versions: vec![QUIC_V1, QUIC_V2],
            server_versions: ServerVersions::default(),
            preferred_address: None,
            to_server: Link::default(),
            to_client: Link::default(),
        }
    }

    /// Changes both ends' limits and timings.
    #[must_use]
    pub fn transport(mut self, change: impl Fn(&mut TransportConfig)) -> Self {
        change(&mut self.client_transport);
        change(&mut self.server_transport);
        self
    }

    /// Changes both directions of the link.
    #[must_use]
    pub fn link(mut self, change: impl Fn(&mut Link)) -> Self {
        change(&mut self.to_server);
        change(&mut self.to_client);
        self
    }

    /// The client's configuration.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        let tls = Arc::clone(&self.client_tls);
        let mut config = ClientConfig::new(tls, self.client_transport.clone()).unwrap();
        config.version = self.version;
        config.versions.clone_from(&self.client_versions);
        Arc::new(config)
    }

    /// The server's configuration.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let (tls, transport) = (Arc::clone(&self.server_tls), self.server_transport.clone());
        let keyring = self.server_keyring.clone();
        let mut config = ServerConfig::new(tls, transport, keyring).unwrap();
        config.validation = self.validation;
        config.accept_backlog = self.accept_backlog;
        config.versions.clone_from(&self.server_versions);
        config.preferred_address_v4 = self.preferred_address;
        Arc::new(config)
    }

    /// Two ends, of which the server listens.
    pub fn build(self) -> Pair {
        Pair::from_setup(self)
    }
}

/// A certificate for [`SERVER_NAME`] with an Ed25519 key that is always the same, so that
/// signatures have always the same length.
pub fn certificate() -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    // PKCS #8 around 32 bytes of an Ed25519 key (RFC 8410 §7).
    let mut pkcs8 = vec![
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    pkcs8.extend_from_slice(&[0x42; 32]);
    let pkcs8 = PrivatePkcs8KeyDer::from(pkcs8);
    let key = rcgen::KeyPair::try_from(&pkcs8).unwrap();
    let parameters = rcgen::CertificateParams::new([SERVER_NAME.to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    (vec![certificate.der().clone()], pkcs8.into())
}

//! Two endpoints that trust each other.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use driver_tokio::crypto::{TlsClientConfig, TlsServerConfig};
use driver_tokio::rustls::RootCertStore;
use driver_tokio::rustls::pki_types::PrivateKeyDer;
use driver_tokio::{
    ClientConfig, Connection, Endpoint, Keyring, RecvStream, SendStream, ServerConfig,
    TransportConfig,
};

const ALPN: &[&[u8]] = &[b"test"];

/// A server and a client on the loopback interface.
pub(crate) struct Pair {
    pub(crate) server: Endpoint,
    pub(crate) client: Endpoint,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with(TransportConfig::default())
    }

    /// Both ends with these limits.
    pub(crate) fn with(transport: TransportConfig) -> Self {
        let (server, client) = tls();
        let (server, client_config) = configs_of(server, client, transport);
        let client = Endpoint::client(any_port()).unwrap();
        client.set_default_client_config(client_config);
        Self { server: Endpoint::server(server, any_port()).unwrap(), client }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addr().unwrap()
    }

    /// A connection: the client's end and the server's.
    pub(crate) async fn connect(&self) -> (Connection, Connection) {
        let connecting = self.client.connect(self.address(), "localhost").unwrap();
        let accept = async { self.server.accept().await.unwrap().await.unwrap() };
        let (client, server) = tokio::join!(connecting, accept);
        (client.unwrap(), server)
    }

    /// A unidirectional stream of a new connection, after one byte went over it.
    pub(crate) async fn stream(&self) -> Streams {
        let (client, server) = self.connect().await;
        let mut send = client.open_uni().await.unwrap();
        send.write_all(b"!").await.unwrap();
        let mut peer_recv = server.accept_uni().await.unwrap();
        peer_recv.read_exact(&mut [0]).await.unwrap();
        Streams { send, peer_recv, _connections: (client, server) }
    }
}

/// Configurations of a server and a client that trusts it.
pub(crate) fn configs() -> (ServerConfig, ClientConfig) {
    let (server, client) = tls();
    configs_of(server, client, TransportConfig::default())
}

fn configs_of(
    server: TlsServerConfig,
    client: TlsClientConfig,
    transport: TransportConfig,
) -> (ServerConfig, ClientConfig) {
    let keyring = Keyring::new([7; 32]);
    let server = ServerConfig::new(Arc::new(server), transport.clone(), keyring).unwrap();
    let client = ClientConfig::new(Arc::new(client), transport).unwrap();
    (server, client)
}

/// TLS of a server and of a client that trusts it.
fn tls() -> (TlsServerConfig, TlsClientConfig) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let server = TlsServerConfig::from_certificate(vec![certificate], key, ALPN).unwrap();
    (server, TlsClientConfig::from_roots(roots, ALPN).unwrap())
}

/// Both ends of a stream that the client opened.
pub(crate) struct Streams {
    pub(crate) send: SendStream,
    pub(crate) peer_recv: RecvStream,
    _connections: (Connection, Connection),
}

/// Fails a test that hangs.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.unwrap()
}

/// Bytes that differ enough to show a gap or a repetition.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| ((index % 251) ^ ((index >> 12) % 256)).to_le_bytes()[0]).collect()
}

pub(crate) fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

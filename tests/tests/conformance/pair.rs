//! Two endpoints that trust each other.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use driver::crypto::{TlsClientConfig, TlsServerConfig};
use driver::rustls::RootCertStore;
use driver::rustls::pki_types::PrivateKeyDer;
use driver::rustls::server::ServerSessionMemoryCache;
use driver::{
    ClientConfig, Connecting, Connection, Keyring, RecvStream, SendStream, ServerConfig,
    SessionCache, TransportConfig,
};
use futures::join;

use crate::drivers::Driver;

const ALPN: &[&[u8]] = &[b"test"];

/// A server and a client.
pub(crate) struct Pair<D: Driver> {
    driver: D,
    pub(crate) server: D::Endpoint,
    pub(crate) client: D::Endpoint,
    config: ServerConfig,
    tls: TlsServerConfig,
}

impl<D: Driver> Pair<D> {
    pub(crate) fn new(driver: &D) -> Self {
        Self::with(driver, TransportConfig::default())
    }

    /// Both ends with these limits.
    pub(crate) fn with(driver: &D, transport: TransportConfig) -> Self {
        let (server, client) = tls();
        Self::start(driver, server, client, transport)
    }

    /// Both ends with early data (0-RTT).
    pub(crate) fn with_early_data(driver: &D) -> Self {
        let (server, client) = tls();
        let client = client.offer_early_data(true).session_store(Arc::new(SessionCache::default()));
        Self::start(driver, server.accept_early_data(true), client, TransportConfig::default())
    }

    fn start(
        driver: &D,
        tls: TlsServerConfig,
        client: TlsClientConfig,
        transport: TransportConfig,
    ) -> Self {
        let (config, client_config) = configs_of(tls.clone(), client, transport);
        let (server, client) = (driver.server(config.clone()), driver.client());
        client.set_default_client_config(client_config);
        Self { driver: driver.clone(), server, client, config, tls }
    }

    /// The server anew, with the configuration and thus the keys of the old one.
    pub(crate) fn restart(&mut self) {
        self.server = self.driver.server(self.config.clone());
    }

    /// The server anew, without the sessions that it gave.
    pub(crate) fn forget_sessions(&mut self) {
        let tls = self.tls.clone().session_store(ServerSessionMemoryCache::new(10));
        self.config.crypto = Arc::new(tls);
        self.restart();
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addr().unwrap()
    }

    pub(crate) fn connecting(&self) -> Connecting {
        self.client.connect(self.address(), "localhost").unwrap()
    }

    /// A connection: the client's end and the server's.
    pub(crate) async fn connect(&self) -> (Connection, Connection) {
        let accept = async { self.server.accept().await.unwrap().await.unwrap() };
        let (client, server) = join!(self.connecting(), accept);
        (client.unwrap(), server)
    }

    /// A bidirectional stream of a new connection, after one byte went over it.
    pub(crate) async fn stream(&self) -> Streams {
        let (client, server) = self.connect().await;
        let (mut send, recv) = client.open_bi().await.unwrap();
        send.write_all(b"!").await.unwrap();
        let (peer_send, mut peer_recv) = server.accept_bi().await.unwrap();
        peer_recv.read_exact(&mut [0]).await.unwrap();
        Streams { client, server, send, recv, peer_send, peer_recv }
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

/// Both ends of a connection and of a stream that the client opened.
pub(crate) struct Streams {
    pub(crate) client: Connection,
    pub(crate) server: Connection,
    pub(crate) send: SendStream,
    pub(crate) recv: RecvStream,
    pub(crate) peer_send: SendStream,
    pub(crate) peer_recv: RecvStream,
}

/// Lets a future run until it waits, then drops it; panics if it completes.
pub(crate) async fn cancel<T>(future: impl Future<Output = T>) {
    assert!(poll_once(future).await.is_none(), "it was to wait");
}

/// What a future gives without waiting; drops it if it has to wait.
pub(crate) async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Sends bytes to the other end on a new stream and compares what it gets.
pub(crate) async fn transfer(from: &Connection, to: &Connection, length: usize) {
    let sent = pattern(length);
    let send = async {
        let mut send = from.open_uni().await.unwrap();
        send.write_all(&sent).await.unwrap();
        send.finish().unwrap();
    };
    let receive = async {
        let mut recv = to.accept_uni().await.unwrap();
        recv.read_to_end(length).await.unwrap()
    };
    let ((), received) = join!(send, receive);
    assert!(received == sent, "something else came");
}

/// Bytes that differ enough to show a gap or a repetition.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| ((index % 251) ^ ((index >> 12) % 256)).to_le_bytes()[0]).collect()
}

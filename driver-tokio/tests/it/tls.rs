//! What TLS can do, over real connections.

use std::net::SocketAddr;
use std::sync::Arc;

use driver_tokio::crypto::{TlsClientConfig, TlsServerConfig};
use driver_tokio::rustls::RootCertStore;
use driver_tokio::rustls::pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};
use driver_tokio::{
    ClientConfig, Connection, ConnectionError, Endpoint, EndpointConfig, KeyId, Keyring,
    ServerConfig, TransportConfig, TransportErrorCode,
};

use super::support::{any_port, configs, soon};

const SECRET: [u8; 32] = [7; 32];

struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: RootCertStore,
    public: SubjectPublicKeyInfoDer<'static>,
}

fn identity(name: &str) -> Identity {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    Identity {
        chain: vec![certificate],
        key: PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into()),
        roots,
        public: rcgen::PublicKeyData::subject_public_key_info(&made.signing_key).into(),
    }
}

fn server(tls: TlsServerConfig) -> Endpoint {
    let keyring = Keyring::new(SECRET);
    let config = ServerConfig::new(Arc::new(tls), TransportConfig::default(), keyring).unwrap();
    Endpoint::server(config, any_port()).unwrap()
}

fn client(tls: TlsClientConfig) -> Endpoint {
    let endpoint = Endpoint::client(any_port()).unwrap();
    let config = ClientConfig::new(Arc::new(tls), TransportConfig::default()).unwrap();
    endpoint.set_default_client_config(config);
    endpoint
}

fn to(server: &Endpoint) -> SocketAddr {
    server.local_addr().unwrap()
}

/// Both ends of a new connection.
async fn connect(client: &Endpoint, server: &Endpoint) -> (Connection, Connection) {
    let connecting = client.connect(to(server), "localhost").unwrap();
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let (client, server) = soon(async { tokio::join!(connecting, accept) }).await;
    (client.unwrap(), server)
}

fn certificates(connection: &Connection) -> Vec<CertificateDer<'static>> {
    let identity = connection.peer_identity().unwrap();
    identity.downcast_ref::<Vec<CertificateDer<'static>>>().unwrap().clone()
}

#[tokio::test]
async fn a_server_knows_its_clients_by_their_certificates() {
    let (own, peer) = (identity("localhost"), identity("client"));
    let tls = TlsServerConfig::builder()
        .certificate(own.chain.clone(), own.key)
        .unwrap()
        .require_client_certificates(peer.roots)
        .unwrap()
        .alpn(&[b"test"])
        .build()
        .unwrap();
    let server = server(tls);
    let builder = || {
        let builder = TlsClientConfig::builder().trust_roots(own.roots.clone()).unwrap();
        builder.alpn(&[b"test"])
    };
    let known = builder().certificate(peer.chain.clone(), peer.key).unwrap().build().unwrap();
    let (at_client, at_server) = connect(&client(known), &server).await;
    assert_eq!(certificates(&at_server), peer.chain);
    assert_eq!(certificates(&at_client), own.chain);

    // Who has none hears of it after it has finished: certificate_required (116).
    let unknown = client(builder().build().unwrap());
    let connecting = unknown.connect(to(&server), "localhost").unwrap();
    let accept = async { server.accept().await.unwrap().await.map(|_| ()) };
    let (connection, refused) = soon(async { tokio::join!(connecting, accept) }).await;
    assert!(refused.is_err());
    let reason = match connection {
        Ok(connection) => soon(connection.closed()).await,
        Err(error) => error,
    };
    let ConnectionError::ConnectionClosed(close) = reason else { panic!("{reason}") };
    assert_eq!(close.code, TransportErrorCode::crypto(116));
}

#[tokio::test]
async fn both_ends_know_each_other_by_raw_public_keys() {
    let (own, peer) = (identity("localhost"), identity("client"));
    let tls = TlsServerConfig::builder()
        .raw_public_key(own.key)
        .unwrap()
        .require_client_raw_public_keys(vec![peer.public.clone()])
        .build()
        .unwrap();
    let server = server(tls);
    let tls = TlsClientConfig::builder()
        .trust_raw_public_keys(vec![own.public.clone()])
        .raw_public_key(peer.key)
        .unwrap()
        .build()
        .unwrap();
    let (at_client, at_server) = connect(&client(tls), &server).await;
    assert_eq!(certificates(&at_server)[0].as_ref(), peer.public.as_ref());
    assert_eq!(certificates(&at_client)[0].as_ref(), own.public.as_ref());
}

#[tokio::test]
async fn an_endpoint_takes_a_new_key_while_it_is_in_use_and_nothing_else() {
    let (server_config, client_config) = configs();
    let mut config = EndpointConfig::default();
    let mut keyring = Keyring::new(SECRET);
    config.keyring = Some(keyring.clone());
    let socket = std::net::UdpSocket::bind(any_port()).unwrap();
    let server = Endpoint::new(config.clone(), Some(server_config), socket).unwrap();
    let client = Endpoint::client(any_port()).unwrap();
    client.set_default_client_config(client_config);
    let before = connect(&client, &server).await;
    let next = KeyId::new(1).unwrap();
    keyring.announce(next, [8; 32]).unwrap();
    keyring.activate(next).unwrap();
    config.keyring = Some(keyring);
    server.reconfigure(config.clone()).unwrap();
    let after = connect(&client, &server).await;
    for (client, server) in [before, after] {
        let mut send = client.open_uni().await.unwrap();
        send.write_all(b"hello").await.unwrap();
        send.finish().unwrap();
        let mut recv = soon(server.accept_uni()).await.unwrap();
        assert_eq!(soon(recv.read_to_end(100)).await.unwrap(), b"hello"[..]);
    }
    config.max_connections = 1;
    let error = server.reconfigure(config).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

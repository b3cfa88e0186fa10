//! Two endpoints that trust each other, and both ends of an HTTP/3 connection.

use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use driver::crypto::{TlsClientConfig, TlsServerConfig};
use driver::rustls::RootCertStore;
use driver::rustls::pki_types::PrivateKeyDer;
use driver::{ClientConfig, Keyring, ServerConfig, TransportConfig};
use futures::join;
use h3::client::SendRequest;
use h3::error::{ConnectionError, StreamError};
use h3::quic::RecvStream;
use h3::server::RequestStream;
use h3_quic_core::{ALPN, BidiStream, Connection, OpenStreams};
use http::{Request, Response};

use crate::drivers::Driver;

pub(crate) type Server = h3::server::Connection<Connection, Bytes>;
pub(crate) type Requests = SendRequest<OpenStreams, Bytes>;
type Resolver = h3::server::RequestResolver<Connection, Bytes>;
pub(crate) type Answer = RequestStream<BidiStream<Bytes>, Bytes>;

/// Both ends of a QUIC connection, the client's first.
pub(crate) async fn connected<D: Driver>(
    transport: TransportConfig,
) -> (driver::Connection, driver::Connection) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let server = TlsServerConfig::from_certificate(vec![certificate], key, &[ALPN]).unwrap();
    let client = TlsClientConfig::from_roots(roots, &[ALPN]).unwrap();
    let keyring = Keyring::new([7; 32]);
    let server = ServerConfig::new(Arc::new(server), transport.clone(), keyring).unwrap();
    let client = ClientConfig::new(Arc::new(client), transport).unwrap();

    let (server, endpoint) = (D::server(server), D::client());
    let address = server.local_addr().unwrap();
    let connecting = endpoint.connect_with(client, address, "localhost").unwrap();
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let (client, server) = join!(connecting, accept);
    (client.unwrap(), server)
}

/// Both ends of an HTTP/3 connection; the client's runs until it ends, which is the future.
pub(crate) async fn pair<D: Driver>(
    transport: TransportConfig,
) -> (Requests, impl Future<Output = ConnectionError> + Send, Server) {
    let (client, server) = connected::<D>(transport).await;
    let (client, server) =
        join!(h3::client::new(Connection::new(client)), Server::new(Connection::new(server)));
    let (mut connection, requests) = client.unwrap();
    let ended = D::spawn(async move { connection.wait_idle().await });
    (requests, ended, server.unwrap())
}

/// Serves a connection beside the calling task: gives each request to a task of its own. How the
/// connection ended is the future.
pub(crate) fn serve<D: Driver, F: Future<Output = ()> + Send + 'static>(
    mut server: Server,
    answer: impl Fn(Request<()>, Answer) -> F + Clone + Send + 'static,
) -> impl Future<Output = Option<ConnectionError>> + Send {
    D::spawn(async move {
        loop {
            match server.accept().await {
                // What is no request is the connection's to deal with.
                Ok(Some(resolver)) => drop(D::spawn(respond(resolver, answer.clone()))),
                Ok(None) => return None,
                Err(error) => return Some(error),
            }
        }
    })
}

async fn respond<F: Future<Output = ()>>(
    resolver: Resolver,
    answer: impl Fn(Request<()>, Answer) -> F,
) {
    if let Ok((request, stream)) = resolver.resolve_request().await {
        answer(request, stream).await;
    }
}

/// The next request.
pub(crate) async fn next(server: &mut Server) -> (Request<()>, Answer) {
    let resolver = server.accept().await.unwrap().unwrap();
    resolver.resolve_request().await.unwrap()
}

pub(crate) fn get(path: &str) -> Request<()> {
    Request::get(format!("https://localhost{path}")).body(()).unwrap()
}

pub(crate) fn post() -> Request<()> {
    Request::post("https://localhost/").body(()).unwrap()
}

pub(crate) fn ok() -> Response<()> {
    Response::new(())
}

/// The rest of a body.
pub(crate) async fn body<S: RecvStream>(
    stream: &mut h3::client::RequestStream<S, Bytes>,
) -> Result<Bytes, StreamError> {
    let mut all = BytesMut::new();
    while let Some(mut data) = stream.recv_data().await? {
        all.extend_from_slice(&data.copy_to_bytes(data.remaining()));
    }
    Ok(all.freeze())
}

/// The rest of the body of a request.
pub(crate) async fn body_of_request<S: RecvStream>(
    stream: &mut RequestStream<S, Bytes>,
) -> Result<Bytes, StreamError> {
    let mut all = BytesMut::new();
    while let Some(mut data) = stream.recv_data().await? {
        all.extend_from_slice(&data.copy_to_bytes(data.remaining()));
    }
    Ok(all.freeze())
}

/// Bytes that differ enough to show a gap or a repetition.
pub(crate) fn pattern(length: usize) -> Bytes {
    (0..length).map(|index| ((index % 251) ^ ((index >> 12) % 256)).to_le_bytes()[0]).collect()
}

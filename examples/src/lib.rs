//! What the examples share because it is not their point: arguments, a certificate, a secret.
//!
//! The programs are in `examples/`, each complete in one file; what they have in common is told in
//! `docs/own-loop.md`, whose code is compiled and run here:
#![doc = include_str!("../../docs/own-loop.md")]

use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::{env, fs, thread};

use quic_core::crypto::{TlsClientConfig, TlsServerConfig};
use quic_core::rustls::RootCertStore;
use quic_core::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Whatever goes wrong in an example ends it.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What a server begins with.
#[derive(Debug)]
pub struct Server {
    /// The socket to serve on.
    pub socket: UdpSocket,
    /// Its certificate, for `localhost`.
    pub tls: TlsServerConfig,
    /// How many connections to serve, before the program ends.
    pub connections: usize,
}

/// What a client begins with.
#[derive(Debug)]
pub struct Client {
    /// The server's address.
    pub server: SocketAddr,
    /// Trust in its certificate.
    pub tls: TlsClientConfig,
}

/// Runs what the program's arguments ask for:
///
/// - nothing: both ends on loopback, the server in a thread of its own, until `connections` were
///   served;
/// - `server ADDRESS [FILE]`: a server that runs for ever and writes its certificate to the file;
/// - `client ADDRESS [FILE]`: a client that trusts the certificate in the file.
///
/// # Errors
/// Wrong arguments, and whatever goes wrong at one of the ends.
pub fn run(
    alpn: &[u8],
    connections: usize,
    serve: fn(Server) -> Result<(), Error>,
    client: fn(Client) -> Result<(), Error>,
) -> Result<(), Error> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let file = PathBuf::from(arguments.get(2).map_or("example-certificate.der", String::as_str));
    let alpn = &[alpn];
    match (arguments.first().map(String::as_str), arguments.get(1)) {
        (None, _) => {
            let (certificate, key) = self_signed()?;
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            let server = socket.local_addr()?;
            let tls = TlsServerConfig::from_certificate(vec![certificate.clone()], key, alpn)?;
            let serving = thread::spawn(move || serve(Server { socket, tls, connections }));
            client(Client { server, tls: trusting(certificate, alpn)? })?;
            serving.join().map_err(|_| "the server panicked")?
        }
        (Some("server"), Some(address)) => {
            let (certificate, key) = self_signed()?;
            fs::write(&file, &certificate)?;
            let tls = TlsServerConfig::from_certificate(vec![certificate], key, alpn)?;
            let socket = UdpSocket::bind(address.parse::<SocketAddr>()?)?;
            println!("serving on {}, certificate in {}", socket.local_addr()?, file.display());
            serve(Server { socket, tls, connections: usize::MAX })
        }
        (Some("client"), Some(address)) => {
            let certificate = CertificateDer::from(fs::read(&file)?);
            client(Client { server: address.parse()?, tls: trusting(certificate, alpn)? })
        }
        _ => Err("usage: [server|client ADDRESS [CERTIFICATE-FILE]]".into()),
    }
}

/// An address of this host to reach `remote` from: loopback from loopback, any from elsewhere.
pub fn local_address_for(remote: SocketAddr) -> SocketAddr {
    let ip: std::net::IpAddr = match (remote.ip().is_loopback(), remote.is_ipv4()) {
        (true, _) => remote.ip(),
        (false, true) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        (false, false) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    (ip, 0).into()
}

/// Bytes that nobody can guess. The core draws none by itself: every endpoint is seeded with such.
///
/// # Errors
/// If the system has no randomness.
pub fn secret() -> Result<[u8; 32], Error> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    Ok(secret)
}

/// A certificate for `localhost` that is good for this run, and its key.
fn self_signed() -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), Error> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    Ok((made.cert.der().clone(), key))
}

/// Trust in one certificate alone.
fn trusting(
    certificate: CertificateDer<'static>,
    alpn: &[&[u8]],
) -> Result<TlsClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    Ok(TlsClientConfig::from_roots(roots, alpn)?)
}

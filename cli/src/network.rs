//! Sockets, endpoints and connections, with errors that say what to do.

use std::env;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use driver::{Connecting, Connection, EarlyDataOutcome, Endpoint, EndpointOptions, Incoming};
use quic_core::crypto::{SessionFactory, TlsClientConfig, TlsServerConfig};
use quic_core::{
    ClientConfig, ConnectionError, EndpointConfig, Keyring, ServerConfig, SharedRecorder,
    TransportConfig, VarInt,
};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::{CipherSuite, KeyLogFile, RootCertStore};
use rustls_pki_types::CertificateDer;
use socket2::{Domain, Protocol, Socket, Type};

use crate::certificates::Identity;
use crate::errors::Failure;
use crate::runtime::{self, Elapsed};

/// Bytes that a socket may buffer each way, as far as the system lets us.
pub(crate) const SOCKET_BUFFER: usize = 4 << 20;

/// Whom a client believes.
#[derive(Clone, Debug)]
pub(crate) enum Trust {
    Anyone,
    Roots(Vec<CertificateDer<'static>>),
}

/// Which packet protection to ask for first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Preference {
    /// The fastest where the processor has instructions for AES.
    Aes128,
    ChaCha20,
}

/// Where to connect to, and the name that the server's certificate has to have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) name: &'a str,
}

/// A UDP socket with large buffers, for any use.
pub(crate) fn udp_socket(address: SocketAddr) -> io::Result<UdpSocket> {
    buffered_socket(address, SOCKET_BUFFER)
}

fn buffered_socket(address: SocketAddr, buffer: usize) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if buffer > 0 {
        // The system caps them; smaller buffers only cost speed.
        let _: io::Result<()> = socket.set_send_buffer_size(buffer);
        let _: io::Result<()> = socket.set_recv_buffer_size(buffer);
    }
    if address.is_ipv6() && address.ip().is_unspecified() {
        // Without IPv4 on the machine this is refused, and not needed.
        let _: io::Result<()> = socket.set_only_v6(false);
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// The socket of an endpoint, bound to `address`.
pub(crate) fn bound_socket(address: SocketAddr, buffer: usize) -> Result<UdpSocket, Failure> {
    buffered_socket(address, buffer).map_err(|error| {
        let kind = error.kind();
        let advice = if kind == io::ErrorKind::AddrInUse {
            "; stop what listens there or choose another port"
        } else if kind == io::ErrorKind::AddrNotAvailable {
            "; this machine has no such address"
        } else if kind == io::ErrorKind::PermissionDenied {
            "; choose a port above 1023"
        } else {
            ""
        };
        Failure::local(format!("cannot listen on {address}: {error}{advice}"))
    })
}

/// The address to bind a socket to that is to reach `remote`.
pub(crate) fn any_port_towards(remote: SocketAddr) -> SocketAddr {
    match remote {
        SocketAddr::V4(remote) if remote.ip().is_loopback() => (Ipv4Addr::LOCALHOST, 0).into(),
        SocketAddr::V6(remote) if remote.ip().is_loopback() => (Ipv6Addr::LOCALHOST, 0).into(),
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

/// An endpoint that accepts connections on `socket`.
pub(crate) fn server_endpoint(
    config: ServerConfig,
    socket: UdpSocket,
    recorder: Option<SharedRecorder>,
) -> Result<Endpoint, Failure> {
    sharded_server_endpoint(config, socket, recorder, NonZeroU16::MIN)
}

/// An endpoint that accepts connections on the address of `socket`, in so many shards.
pub(crate) fn sharded_server_endpoint(
    config: ServerConfig,
    socket: UdpSocket,
    recorder: Option<SharedRecorder>,
    shards: NonZeroU16,
) -> Result<Endpoint, Failure> {
    let mut shared = EndpointConfig::default();
    shared.recorder = recorder;
    shared.keyring = Some(Keyring::new(random_bytes()?));
    let options = EndpointOptions::new(shared).with_server(Some(config)).with_shards(shards);
    endpoint(options, socket)
}

/// How many shards a server on so many threads has: as many as asked for, or one for each thread
/// where the system spreads what arrives over several sockets.
pub(crate) fn shards(asked: Option<NonZeroU16>, threads: usize) -> NonZeroU16 {
    let threads = if cfg!(target_os = "linux") { threads } else { 1 };
    let by_threads = u16::try_from(threads).ok().and_then(NonZeroU16::new);
    asked.or(by_threads).unwrap_or(NonZeroU16::MIN)
}

/// An endpoint that only opens connections, from `socket`.
pub(crate) fn client_endpoint(
    socket: UdpSocket,
    recorder: Option<SharedRecorder>,
) -> Result<Endpoint, Failure> {
    let mut shared = EndpointConfig::default();
    shared.recorder = recorder;
    endpoint(EndpointOptions::new(shared), socket)
}

/// An endpoint; says on stderr what the system grants less of than asked for, and the fix.
fn endpoint(options: EndpointOptions, socket: UdpSocket) -> Result<Endpoint, Failure> {
    let endpoint = runtime::endpoint(options, socket).map_err(|error| endpoint_failure(&error))?;
    for warning in endpoint.warnings() {
        eprintln!("warning: {warning}");
    }
    Ok(endpoint)
}

fn endpoint_failure(error: &io::Error) -> Failure {
    Failure::local(format!("cannot use the UDP socket: {error}"))
}

pub(crate) fn local_address(endpoint: &Endpoint) -> Result<SocketAddr, Failure> {
    endpoint.local_addr().map_err(|error| endpoint_failure(&error))
}

/// TLS of a server. Secrets go to the file that `SSLKEYLOGFILE` names, if it is set.
pub(crate) fn server_tls(
    identity: Identity,
    alpn: &[&[u8]],
    preference: Preference,
) -> Result<TlsServerConfig, Failure> {
    let unfit = |error: &dyn std::fmt::Display| {
        Failure::local(format!("the certificate and its key cannot be used: {error}"))
    };
    let mut tls = rustls::ServerConfig::builder_with_provider(provider(preference))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| unfit(&error))?
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)
        .map_err(|error| unfit(&error))?;
    tls.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let tls = TlsServerConfig::new(Arc::new(tls)).map_err(|error| unfit(&error))?;
    Ok(if logs_keys() { tls.key_log(Arc::new(KeyLogFile::new())) } else { tls })
}

/// TLS of a client. Secrets go to the file that `SSLKEYLOGFILE` names, if it is set.
pub(crate) fn client_tls(
    trust: Trust,
    alpn: &[&[u8]],
    preference: Preference,
) -> Result<TlsClientConfig, Failure> {
    let unfit = |error: &dyn std::fmt::Display| {
        Failure::local(format!("the trusted certificates cannot be used: {error}"))
    };
    let tls = match trust {
        Trust::Anyone => TlsClientConfig::dangerous_without_verification(alpn),
        Trust::Roots(certificates) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates {
                roots.add(certificate).map_err(|error| unfit(&error))?;
            }
            let mut tls = rustls::ClientConfig::builder_with_provider(provider(preference))
                .with_protocol_versions(&[&rustls::version::TLS13])
                .map_err(|error| unfit(&error))?
                .with_root_certificates(roots)
                .with_no_client_auth();
            tls.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
            tls.resumption = Resumption::disabled();
            TlsClientConfig::new(Arc::new(tls))
        }
    };
    let tls = tls.map_err(|error| unfit(&error))?;
    Ok(if logs_keys() { tls.key_log(Arc::new(KeyLogFile::new())) } else { tls })
}

fn logs_keys() -> bool {
    env::var_os("SSLKEYLOGFILE").is_some_and(|path| !path.is_empty())
}

/// The preferred cipher suite first; ChaCha20 alone if that is preferred.
fn provider(preference: Preference) -> Arc<CryptoProvider> {
    let mut provider = quic_core::crypto::provider();
    let first = match preference {
        Preference::Aes128 => CipherSuite::TLS13_AES_128_GCM_SHA256,
        Preference::ChaCha20 => CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    };
    if preference == Preference::ChaCha20 {
        provider.cipher_suites.retain(|suite| suite.suite() == first);
    }
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != first);
    Arc::new(provider)
}

pub(crate) fn server_config(
    tls: impl SessionFactory + 'static,
    transport: TransportConfig,
) -> Result<ServerConfig, Failure> {
    let keyring = Keyring::new(random_bytes()?);
    ServerConfig::new(Arc::new(tls), transport, keyring)
        .map_err(|error| Failure::usage(error.to_string()))
}

pub(crate) fn client_config(
    tls: impl SessionFactory + 'static,
    transport: TransportConfig,
) -> Result<ClientConfig, Failure> {
    ClientConfig::new(Arc::new(tls), transport).map_err(|error| Failure::usage(error.to_string()))
}

/// Bytes that nobody can guess.
fn random_bytes() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| Failure::local(format!("the system has no randomness: {error}")))?;
    Ok(bytes)
}

/// Opens a connection and waits for the handshake.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    config: ClientConfig,
    target: Target<'_>,
    alpn: &[&[u8]],
) -> Result<Connection, Failure> {
    let connecting = start(endpoint, config, target)?;
    connecting.await.map_err(|error| connect_failure(&error, target, alpn))
}

/// Opens a connection; one whose requests can be sent at once, by 0-RTT, is not waited for. What
/// is asked for here can be asked for twice.
pub(crate) async fn connect_early(
    endpoint: &Endpoint,
    config: ClientConfig,
    target: Target<'_>,
    alpn: &[&[u8]],
) -> Result<Connection, Failure> {
    let connecting = start(endpoint, config, target)?;
    match connecting.into_0rtt() {
        Ok((connection, outcome)) => {
            runtime::spawn(async {
                if let Ok(EarlyDataOutcome::Rejected(requests)) = outcome.await {
                    requests.resend();
                }
            });
            Ok(connection)
        }
        Err(connecting) => connecting.await.map_err(|error| connect_failure(&error, target, alpn)),
    }
}

fn start(
    endpoint: &Endpoint,
    config: ClientConfig,
    target: Target<'_>,
) -> Result<Connecting, Failure> {
    endpoint
        .connect_with(config, target.address, target.name)
        .map_err(|error| Failure::connect(format!("cannot connect to {}: {error}", target.name)))
}

/// Waits for the handshake of a connection that a client opened.
pub(crate) async fn accept(incoming: Incoming) -> Result<Connection, ConnectionError> {
    incoming.accept()?.await
}

/// Whether a TLS alert (RFC 8446 §6.2) means that the certificate is not believed: from
/// `bad_certificate` to `unknown_ca`, or `decrypt_error` for a wrong signature.
const fn is_about_the_certificate(alert: u64) -> bool {
    matches!(alert, 42..=48 | 51)
}

/// The TLS alert `no_application_protocol` (RFC 7301 §3.2).
const NO_APPLICATION_PROTOCOL: u64 = 120;

fn connect_failure(error: &ConnectionError, target: Target<'_>, alpn: &[&[u8]]) -> Failure {
    let to = format!("{} ({})", target.name, target.address);
    let alert = if let ConnectionError::TransportError(error)
    | ConnectionError::ConnectionClosed(error) = error
    {
        error.code.value().checked_sub(0x100)
    } else {
        None
    };
    Failure::connect(match (error, alert) {
        (ConnectionError::HandshakeTimedOut | ConnectionError::TimedOut, _) => {
            format!("no answer from {to}; check the address, and that UDP gets there")
        }
        (ConnectionError::VersionMismatch, _) => {
            format!("{to} speaks neither version 1 nor version 2 of QUIC")
        }
        (_, Some(NO_APPLICATION_PROTOCOL)) => format!(
            "{to} does not speak {}; check that it is the right server and port",
            alpn.iter()
                .map(|name| name.escape_ascii().to_string())
                .collect::<Vec<_>>()
                .join(" or ")
        ),
        (ConnectionError::TransportError(error), Some(alert))
            if is_about_the_certificate(alert) =>
        {
            format!(
                "the certificate of {to} is not trusted ({error}); \
                 name its issuer with --ca, or use --insecure to trust anyone"
            )
        }
        _ => format!("cannot connect to {to}: {error}"),
    })
}

/// Ends a connection because everything is done.
pub(crate) fn close(connection: &Connection) {
    connection.close(VarInt::from_u32(0), b"");
}

/// Ends an endpoint and its connections because the program ends, and tells the peers.
pub(crate) async fn shut_down(endpoint: &Endpoint) {
    endpoint.close(VarInt::from_u32(0), b"");
    // Who does not answer by then finds out by a timeout.
    let _: Result<(), Elapsed> = runtime::timeout(SHUTDOWN_TIMEOUT, endpoint.wait_idle()).await;
}

/// How long connections may take to end when a server stops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

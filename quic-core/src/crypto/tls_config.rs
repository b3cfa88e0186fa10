//! TLS configurations of rustls that are fit for QUIC, and start its sessions.

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::quic::{ClientConnection, Connection, Keys, ServerConnection, Suite, Version};
use rustls::server::StoresServerSessions;
use rustls::version::TLS13;
use rustls::{
    ClientConfig, DigitallySignedStruct, KeyLog, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};

use super::bound_tickets::{bind, bind_sessions};
use super::compact_keys::default_provider;
use super::initial::{initial_keys, initial_suite, tls_version};
use super::resumption::{SessionStore, UNLIMITED_EARLY_DATA, Variants, client_resumption};
use super::rustls_session::RustlsSession;
use super::secret_capture::SecretCapture;
use super::{Session, SessionFactory, StartSessionError};
use crate::wire::header::{VERSION_1, VERSION_2};
use crate::wire::{ConnectionId, Side};

/// All that is offered and taken.
//= https://www.rfc-editor.org/rfc/rfc9001#section-4.2
//# Clients MUST NOT offer TLS versions older than 1.3.
pub(super) const VERSIONS: &[&SupportedProtocolVersion] = &[&TLS13];

/// A TLS configuration that QUIC cannot work with.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// Initial packets cannot be protected without this suite (RFC 9001 §5.2), which is neither in
    /// the provider of the configuration nor in this crate's own.
    #[error("no crypto provider has TLS13_AES_128_GCM_SHA256 with support for QUIC")]
    NoInitialCipherSuite,
    /// rustls does not accept it for QUIC: TLS 1.3 is off, or the certificate and key are no good.
    #[error("the TLS configuration is not fit for QUIC: {0}")]
    Rejected(String),
}

impl From<rustls::Error> for TlsConfigError {
    fn from(error: rustls::Error) -> Self {
        Self::Rejected(error.to_string())
    }
}

/// TLS for the connections that a server accepts. Early data (0-RTT) is off, unless
/// [`accept_early_data`](Self::accept_early_data) turns it on.
#[derive(Clone)]
pub struct TlsServerConfig {
    configs: ServerConfigs,
    initial: Suite,
    keep_exporter: bool,
}

/// The same configuration for each version of QUIC, with tickets that are good for that one only
/// (RFC 9369 §5).
#[derive(Clone)]
pub(super) struct ServerConfigs {
    version_1: Arc<ServerConfig>,
    version_2: Arc<ServerConfig>,
    /// Those of servers with early data.
    variants: Variants,
}

impl ServerConfigs {
    fn new(config: &ServerConfig) -> Self {
        Self {
            version_1: bind(config, VERSION_1),
            version_2: bind(config, VERSION_2),
            variants: Variants::default(),
        }
    }

    /// The configuration of a server with these transport parameters.
    pub(super) fn of(&self, version: Version, parameters: &[u8]) -> Arc<ServerConfig> {
        self.variants.get(
            parameters,
            match version {
                Version::V2 => &self.version_2,
                Version::V1Draft | Version::V1 | _ => &self.version_1,
            },
        )
    }
}

impl TlsServerConfig {
    /// Takes a configuration of rustls. Early data is turned off. Session tickets are good for the
    /// version of QUIC only in which they were given (RFC 9369 §5).
    ///
    /// # Errors
    /// If TLS 1.3 or the suite that protects Initial packets is missing.
    pub fn new(mut config: Arc<ServerConfig>) -> Result<Self, TlsConfigError> {
        let initial =
            initial_suite(config.crypto_provider()).ok_or(TlsConfigError::NoInitialCipherSuite)?;
        if config.max_early_data_size != 0 {
            Arc::make_mut(&mut config).max_early_data_size = 0;
        }
        ServerConnection::new(Arc::clone(&config), Version::V1, Vec::new())?;
        Ok(Self { configs: ServerConfigs::new(&config), initial, keep_exporter: false })
    }

    /// A configuration with one certificate and the application protocols `alpn`, most wanted
    /// first. Clients need no certificate.
    ///
    /// # Errors
    /// If certificate and key do not fit each other, or the key is of an unknown kind.
    pub fn from_certificate(
        certificate_chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        alpn: &[&[u8]],
    ) -> Result<Self, TlsConfigError> {
        //= https://www.rfc-editor.org/rfc/rfc9001#section-4.2
        //# An endpoint MUST terminate the connection if a version of TLS older than 1.3 is
        //# negotiated.
        let mut config = ServerConfig::builder_with_provider(default_provider())
            .with_protocol_versions(VERSIONS)?
            .with_no_client_auth()
            .with_single_cert(certificate_chain, key)?;
        config.alpn_protocols = owned(alpn);
        Self::new(Arc::new(config))
    }

    /// Whether connections keep the TLS state after the handshake, which keying material can be
    /// exported from; it takes several KiB each. Without it, material can be exported only
    /// until the handshake is confirmed. Default: `false`.
    #[must_use]
    pub fn keep_exporter(mut self, keep: bool) -> Self {
        self.keep_exporter = keep;
        self
    }

    /// Takes early data (0-RTT, RFC 9001 §4.6) from clients that come back. Default: off.
    ///
    /// Early data can be replayed by others, who need not understand it; applications have to be
    /// fit for that, see [`RecvStream::is_early`](crate::RecvStream::is_early). What is promised
    /// here is the most that RFC 8446 §8.1 knows: a session is taken out of the store when it is
    /// resumed, so that early data is delivered once at most for all servers that share a store.
    /// Servers that do not, and those that were started anew, do not know each other's sessions
    /// and take no early data by them. It is refused too when a transport parameter that limits
    /// it was reduced since (RFC 9000 §7.4.1), or with a `ticketer` in the configuration of
    /// rustls, by which tickets could be used any number of times.
    #[must_use]
    pub fn accept_early_data(mut self, accept: bool) -> Self {
        let size = if accept { UNLIMITED_EARLY_DATA } else { 0 };
        for config in [&mut self.configs.version_1, &mut self.configs.version_2] {
            Arc::make_mut(config).max_early_data_size = size;
        }
        self
    }

    /// Keeps sessions for clients that come back in `store`. Default: the last 256 in memory, and
    /// each connection takes two.
    ///
    /// Many can be kept in memory by
    /// [`ServerSessionMemoryCache`](rustls::server::ServerSessionMemoryCache). A store that
    /// servers share has to give each session away once, whoever asks at the same time: with early
    /// data on, replays are kept off by that alone.
    #[must_use]
    pub fn session_store(mut self, store: Arc<dyn StoresServerSessions>) -> Self {
        let ServerConfigs { version_1, version_2, .. } = &mut self.configs;
        Arc::make_mut(version_1).session_storage = bind_sessions(Arc::clone(&store), VERSION_1);
        Arc::make_mut(version_2).session_storage = bind_sessions(store, VERSION_2);
        self
    }

    /// Reports the secrets of all sessions started from now on to `key_log`, with which whoever
    /// reads them can decrypt the connections. `rustls::KeyLogFile` writes them to the file that the
    /// environment variable `SSLKEYLOGFILE` names, as Wireshark reads them.
    #[must_use]
    pub fn key_log(mut self, key_log: Arc<dyn KeyLog>) -> Self {
        let ServerConfigs { version_1, version_2, .. } = &mut self.configs;
        Arc::make_mut(version_1).key_log = Arc::clone(&key_log);
        Arc::make_mut(version_2).key_log = key_log;
        self
    }
}

impl fmt::Debug for TlsServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServerConfig")
            .field("keep_exporter", &self.keep_exporter)
            .finish_non_exhaustive()
    }
}

impl SessionFactory for TlsServerConfig {
    fn start(
        &self,
        version: u32,
        _server_name: Option<&str>,
        parameters: Vec<u8>,
    ) -> Result<Box<dyn Session>, StartSessionError> {
        supported(version)?;
        let configs = self.configs.clone();
        Ok(Box::new(RustlsSession::server(configs, parameters, self.keep_exporter)))
    }

    fn initial_keys(
        &self,
        version: u32,
        destination_id: &ConnectionId,
        side: Side,
    ) -> Option<Keys> {
        initial_keys(self.initial, version, destination_id, side)
    }
}

/// TLS for the connections that a client opens. Early data (0-RTT) is off, unless
/// [`offer_early_data`](Self::offer_early_data) turns it on.
#[derive(Clone)]
pub struct TlsClientConfig {
    config: Arc<ClientConfig>,
    initial: Suite,
    /// Sessions of connections that started with version 2.
    resumption_2: Resumption,
}

/// Sessions of version 2 that are remembered unless the application says otherwise; as many as
/// rustls remembers of version 1.
const SESSIONS: usize = 256;

impl TlsClientConfig {
    /// Takes a configuration of rustls. Early data is turned off. Its `resumption` is for
    /// connections of version 1; see [`resumption_of_version_2`](Self::resumption_of_version_2).
    ///
    /// # Errors
    /// If TLS 1.3 or the suite that protects Initial packets is missing.
    pub fn new(mut config: Arc<ClientConfig>) -> Result<Self, TlsConfigError> {
        let initial =
            initial_suite(config.crypto_provider()).ok_or(TlsConfigError::NoInitialCipherSuite)?;
        //= https://www.rfc-editor.org/rfc/rfc9001#section-5.6
        //# A client therefore MUST NOT use 0-RTT for application data unless
        //# specifically requested by the application that is in use.
        if config.enable_early_data {
            Arc::make_mut(&mut config).enable_early_data = false;
        }
        let name = ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into());
        ClientConnection::new(Arc::clone(&config), Version::V1, name, Vec::new())?;
        Ok(Self { config, initial, resumption_2: Resumption::in_memory_sessions(SESSIONS) })
    }

    /// A configuration that trusts servers certified by `roots`, and offers the application
    /// protocols `alpn`, most wanted first.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_roots(roots: RootCertStore, alpn: &[&[u8]]) -> Result<Self, TlsConfigError> {
        //= https://www.rfc-editor.org/rfc/rfc9001#section-4.4
        //# A client MUST authenticate the identity of the server.
        let mut config = ClientConfig::builder_with_provider(default_provider())
            .with_protocol_versions(VERSIONS)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = owned(alpn);
        Self::new(Arc::new(config))
    }

    /// A configuration that believes any server to be who it says it is, so that anyone on the
    /// path can read and change everything. For tests and tools only.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn dangerous_without_verification(alpn: &[&[u8]]) -> Result<Self, TlsConfigError> {
        let provider = default_provider();
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(VERSIONS)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TrustAnyone(provider)))
            .with_no_client_auth();
        config.alpn_protocols = owned(alpn);
        Self::new(Arc::new(config))
    }

    /// Offers to send early data (0-RTT, RFC 9001 §4.6) to servers that allow it. Default: off.
    ///
    /// Nothing is sent because of this alone: the application sends early data by using streams
    /// before [`Event::Connected`](crate::Event::Connected). Others can replay it to the server,
    /// and it has no forward secrecy.
    #[must_use]
    pub fn offer_early_data(mut self, offer: bool) -> Self {
        Arc::make_mut(&mut self.config).enable_early_data = offer;
        self
    }

    /// Keeps sessions in `store`. Default: where the configuration of rustls says; there, in
    /// memory, up to eight for each of 32 servers.
    #[must_use]
    pub fn session_store(mut self, store: Arc<dyn SessionStore>) -> Self {
        let protocols: Arc<[Vec<u8>]> = self.config.alpn_protocols.clone().into();
        let version_1 = client_resumption(Arc::clone(&store), VERSION_1, Arc::clone(&protocols));
        Arc::make_mut(&mut self.config).resumption = version_1;
        self.resumption_2 = client_resumption(store, VERSION_2, protocols);
        self
    }

    /// How sessions of connections that start with version 2 of QUIC are resumed. Tickets are good
    /// for one version only (RFC 9369 §5), so do not give it a store that others use. Tickets of a
    /// connection that the server moved to another version are not kept. Default: 256 servers are
    /// remembered in memory.
    #[must_use]
    pub fn resumption_of_version_2(mut self, resumption: Resumption) -> Self {
        self.resumption_2 = resumption;
        self
    }

    #[cfg(test)]
    pub(super) fn rustls_config(&self) -> &ClientConfig {
        &self.config
    }

    /// What a session of this version works with, and what hears of its secrets.
    fn for_session(&self, version: Version) -> (Arc<ClientConfig>, Arc<SecretCapture>) {
        let mut config = (*self.config).clone();
        let capture = Arc::new(SecretCapture::new(Arc::clone(&config.key_log)));
        config.key_log = Arc::clone(&capture) as Arc<dyn KeyLog>;
        //= https://www.rfc-editor.org/rfc/rfc9369#section-5
        //# Clients MUST NOT use a
        //# session ticket or token from a QUIC version 1 connection to initiate
        //# a QUIC version 2 connection, and vice versa.
        if matches!(version, Version::V2) {
            config.resumption = self.resumption_2.clone();
        }
        (Arc::new(config), capture)
    }

    /// Reports the secrets of all sessions started from now on to `key_log`, with which whoever
    /// reads them can decrypt the connections. `rustls::KeyLogFile` writes them to the file that the
    /// environment variable `SSLKEYLOGFILE` names, as Wireshark reads them.
    #[must_use]
    pub fn key_log(mut self, key_log: Arc<dyn KeyLog>) -> Self {
        Arc::make_mut(&mut self.config).key_log = key_log;
        self
    }
}

impl fmt::Debug for TlsClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClientConfig").finish_non_exhaustive()
    }
}

impl SessionFactory for TlsClientConfig {
    fn start(
        &self,
        version: u32,
        server_name: Option<&str>,
        parameters: Vec<u8>,
    ) -> Result<Box<dyn Session>, StartSessionError> {
        let version = supported(version)?;
        let name = server_name.unwrap_or_default().to_owned();
        let Ok(name) = ServerName::try_from(name.clone()) else {
            return Err(StartSessionError::InvalidServerName(name));
        };
        let (config, capture) = self.for_session(version);
        //= https://www.rfc-editor.org/rfc/rfc9001#section-8.4
        //# A client MUST NOT request the use of the TLS 1.3 compatibility mode.
        let tls = ClientConnection::new(config, version, name, parameters)
            .map_err(|error| StartSessionError::Tls(error.to_string()))?;
        Ok(Box::new(RustlsSession::client(Connection::Client(tls), capture)))
    }

    fn initial_keys(
        &self,
        version: u32,
        destination_id: &ConnectionId,
        side: Side,
    ) -> Option<Keys> {
        initial_keys(self.initial, version, destination_id, side)
    }
}

fn supported(version: u32) -> Result<Version, StartSessionError> {
    tls_version(version).ok_or(StartSessionError::UnsupportedVersion(version))
}

fn owned(alpn: &[&[u8]]) -> Vec<Vec<u8>> {
    alpn.iter().map(|protocol| protocol.to_vec()).collect()
}

#[cfg(test)]
pub(super) fn trust_anyone() -> Arc<dyn ServerCertVerifier> {
    Arc::new(TrustAnyone(default_provider()))
}

/// Takes any certificate, but still checks that the server holds its key.
#[derive(Debug)]
struct TrustAnyone(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

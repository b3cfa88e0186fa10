//! TLS configurations of rustls that are fit for QUIC, and start its sessions.

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::quic::{ClientConnection, Connection, Keys, ServerConnection, Suite, Version};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, DigitallySignedStruct, KeyLog, RootCertStore, ServerConfig, SignatureScheme,
};

use super::bound_tickets::bind;
use super::compact_keys::default_provider;
use super::initial::{initial_keys, initial_suite, tls_version};
use super::rustls_session::RustlsSession;
use super::secret_capture::SecretCapture;
use super::{Session, SessionFactory, StartSessionError};
use crate::wire::header::{VERSION_1, VERSION_2};
use crate::wire::{ConnectionId, Side};

/// A TLS configuration that QUIC cannot work with.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// Initial packets cannot be protected without this suite (RFC 9001 §5.2).
    #[error("the crypto provider lacks TLS13_AES_128_GCM_SHA256 with support for QUIC")]
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

/// TLS for the connections that a server accepts. Early data (0-RTT) is off.
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
}

impl ServerConfigs {
    fn new(config: &ServerConfig) -> Self {
        Self { version_1: bind(config, VERSION_1), version_2: bind(config, VERSION_2) }
    }

    pub(super) fn of(&self, version: Version) -> Arc<ServerConfig> {
        Arc::clone(match version {
            Version::V2 => &self.version_2,
            _ => &self.version_1,
        })
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
        let mut config = ServerConfig::builder_with_provider(default_provider())
            .with_protocol_versions(&[&TLS13])?
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

    /// Reports the secrets of all sessions started from now on to `key_log`, with which whoever
    /// reads them can decrypt the connections. `rustls::KeyLogFile` writes them to the file that the
    /// environment variable `SSLKEYLOGFILE` names, as Wireshark reads them.
    #[must_use]
    pub fn key_log(mut self, key_log: Arc<dyn KeyLog>) -> Self {
        for config in [&mut self.configs.version_1, &mut self.configs.version_2] {
            Arc::make_mut(config).key_log = Arc::clone(&key_log);
        }
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

/// TLS for the connections that a client opens. Early data (0-RTT) is off.
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
        let mut config = ClientConfig::builder_with_provider(default_provider())
            .with_protocol_versions(&[&TLS13])?
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
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TrustAnyone(provider)))
            .with_no_client_auth();
        config.alpn_protocols = owned(alpn);
        Self::new(Arc::new(config))
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

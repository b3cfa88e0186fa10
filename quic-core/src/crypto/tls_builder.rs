//! TLS configurations for what applications usually want, in one line for each wish.

mod identity;
mod raw_public_keys;

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, ResolvesServerCert, WebPkiClientVerifier};
use rustls::{CipherSuite, ClientConfig, NamedGroup, RootCertStore, ServerConfig};

use self::identity::{ByServerName, certified_key, resolver_of_client, resolver_of_server};
use self::raw_public_keys::{TrustedKeys, raw_key};
use super::compact_keys::default_provider;
use super::tls_config::VERSIONS;
use super::{TlsClientConfig, TlsConfigError, TlsServerConfig};

/// Which cryptography a configuration permits.
#[derive(Clone, Debug)]
struct Choices {
    provider: Arc<CryptoProvider>,
    alpn: Vec<Vec<u8>>,
}

impl Choices {
    fn new() -> Self {
        Self { provider: default_provider(), alpn: Vec::new() }
    }

    /// Keeps the suites in `wanted`, in this order.
    fn keep_cipher_suites(&mut self, wanted: &[CipherSuite]) {
        let provider = Arc::make_mut(&mut self.provider);
        let place = |suite: CipherSuite| wanted.iter().position(|wanted| *wanted == suite);
        //= https://www.rfc-editor.org/rfc/rfc9001#section-5.3
        //# An endpoint MUST NOT reject a ClientHello that offers a cipher suite
        //# that it does not support, or it would be impossible to deploy a new
        //# cipher suite.
        provider.cipher_suites.retain(|suite| place(suite.suite()).is_some());
        provider.cipher_suites.sort_by_key(|suite| place(suite.suite()));
    }

    /// Keeps the groups in `wanted`, in this order.
    fn keep_groups(&mut self, wanted: &[NamedGroup]) {
        let provider = Arc::make_mut(&mut self.provider);
        let place = |group: NamedGroup| wanted.iter().position(|wanted| *wanted == group);
        provider.kx_groups.retain(|group| place(group.name()).is_some());
        provider.kx_groups.sort_by_key(|group| place(group.name()));
    }
}

fn owned(alpn: &[&[u8]]) -> Vec<Vec<u8>> {
    alpn.iter().map(|protocol| protocol.to_vec()).collect()
}

/// Builds a [`TlsServerConfig`]: say who the server is, and what it asks of its clients.
///
/// What it cannot say can be said to rustls, whose
/// [`ServerConfig`] goes into [`TlsServerConfig::new`].
///
/// ```
/// use quic_core::crypto::{TlsConfigError, TlsServerConfig};
/// use quic_core::rustls::RootCertStore;
/// use quic_core::rustls::pki_types::{CertificateDer, PrivateKeyDer};
///
/// fn configure(
///     chain: Vec<CertificateDer<'static>>,
///     key: PrivateKeyDer<'static>,
///     clients: RootCertStore,
/// ) -> Result<TlsServerConfig, TlsConfigError> {
///     TlsServerConfig::builder()
///         .certificate(chain, key)?
///         .require_client_certificates(clients)?
///         .alpn(&[b"h3"])
///         .build()
/// }
/// ```
#[derive(Debug)]
pub struct TlsServerBuilder {
    choices: Choices,
    names: ByServerName,
    resolver: Option<Arc<dyn ResolvesServerCert>>,
    /// Cipher suites are in the order of this end's wishes.
    own_order: bool,
    clients: Arc<dyn ClientCertVerifier>,
}

impl TlsServerConfig {
    /// A builder of a configuration, which needs at least a certificate or a raw public key.
    pub fn builder() -> TlsServerBuilder {
        TlsServerBuilder {
            choices: Choices::new(),
            names: ByServerName::default(),
            resolver: None,
            own_order: false,
            clients: Arc::new(NoClientAuth),
        }
    }
}

impl TlsServerBuilder {
    /// The certificate for clients that ask for no name, or one that has no certificate of its own.
    ///
    /// # Errors
    /// If certificate and key do not fit each other, or the key is of an unknown kind.
    pub fn certificate(
        mut self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsConfigError> {
        self.names.default = Some(certified_key(chain, key, &self.choices.provider)?);
        Ok(self)
    }

    /// The certificate for clients that ask for `name` (RFC 6066 §3). Without
    /// [`certificate`](Self::certificate) clients that ask for another name are refused with the
    /// alert `access_denied`, which is what rustls says to clients without a certificate for them.
    ///
    /// # Errors
    /// As [`certificate`](Self::certificate).
    pub fn certificate_for(
        mut self,
        name: &str,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsConfigError> {
        let key = certified_key(chain, key, &self.choices.provider)?;
        self.names.add(name, key);
        Ok(self)
    }

    /// A raw public key in place of certificates (RFC 7250), which clients have to know already.
    ///
    /// # Errors
    /// If the key is of an unknown kind, or its public key cannot be told.
    pub fn raw_public_key(mut self, key: PrivateKeyDer<'static>) -> Result<Self, TlsConfigError> {
        let key = raw_key(key, &self.choices.provider)?;
        self.resolver = Some(resolver_of_server(key));
        Ok(self)
    }

    /// Chooses the certificate by `resolver`, in place of everything else.
    #[must_use]
    pub fn resolver(mut self, resolver: Arc<dyn ResolvesServerCert>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Asks clients for a certificate by one of `roots`, but does without.
    ///
    /// # Errors
    /// If there are no roots.
    pub fn request_client_certificates(self, roots: RootCertStore) -> Result<Self, TlsConfigError> {
        let provider = Arc::clone(&self.choices.provider);
        let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
        let verifier = builder.allow_unauthenticated().build().map_err(rejected)?;
        Ok(self.client_verifier(verifier))
    }

    /// Refuses clients without a certificate by one of `roots`.
    ///
    /// # Errors
    /// If there are no roots.
    pub fn require_client_certificates(self, roots: RootCertStore) -> Result<Self, TlsConfigError> {
        let provider = Arc::clone(&self.choices.provider);
        let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
        let verifier = builder.build().map_err(rejected)?;
        Ok(self.client_verifier(verifier))
    }

    /// Refuses clients without one of these public keys (RFC 7250).
    #[must_use]
    pub fn require_client_raw_public_keys(
        self,
        trusted: Vec<SubjectPublicKeyInfoDer<'static>>,
    ) -> Self {
        let verifier = TrustedKeys::new(trusted, Arc::clone(&self.choices.provider));
        self.client_verifier(Arc::new(verifier))
    }

    /// Decides about clients by `verifier`.
    #[must_use]
    pub fn client_verifier(mut self, verifier: Arc<dyn ClientCertVerifier>) -> Self {
        self.clients = verifier;
        self
    }

    /// The application protocols, most wanted first (RFC 7301). A client that offers none of them
    /// is refused with the alert `no_application_protocol`.
    #[must_use]
    pub fn alpn(mut self, protocols: &[&[u8]]) -> Self {
        self.choices.alpn = owned(protocols);
        self
    }

    /// Permits these cipher suites only, most wanted first, whatever clients want most.
    /// Initial packets are protected by `TLS13_AES_128_GCM_SHA256` all the same (RFC 9001 §5.2).
    #[must_use]
    pub fn cipher_suites(mut self, suites: &[CipherSuite]) -> Self {
        self.own_order = true;
        self.choices.keep_cipher_suites(suites);
        self
    }

    /// Permits these key exchanges only, such as [`NamedGroup::X25519MLKEM768`], which needs the
    /// feature `aws-lc-rs` without `ring`.
    #[must_use]
    pub fn key_exchange_groups(mut self, groups: &[NamedGroup]) -> Self {
        self.choices.keep_groups(groups);
        self
    }

    /// The configuration.
    ///
    /// # Errors
    /// If there is neither a certificate nor a raw public key, or the permitted cryptography does
    /// not suffice.
    pub fn build(self) -> Result<TlsServerConfig, TlsConfigError> {
        let resolver = match self.resolver {
            Some(resolver) => resolver,
            None if self.names.is_empty() => {
                return Err(TlsConfigError::Rejected("the server has no certificate".to_owned()));
            }
            None => Arc::new(self.names),
        };
        let mut config = ServerConfig::builder_with_provider(self.choices.provider)
            .with_protocol_versions(VERSIONS)?
            .with_client_cert_verifier(self.clients)
            .with_cert_resolver(resolver);
        config.ignore_client_order = self.own_order;
        config.alpn_protocols = self.choices.alpn;
        TlsServerConfig::new(Arc::new(config))
    }
}

/// Builds a [`TlsClientConfig`]: say whom to trust, and who the client is.
///
/// What it cannot say can be said to rustls, whose [`ClientConfig`] goes into
/// [`TlsClientConfig::new`].
///
/// ```
/// use quic_core::crypto::{TlsClientConfig, TlsConfigError};
/// use quic_core::rustls::RootCertStore;
/// use quic_core::rustls::pki_types::{CertificateDer, PrivateKeyDer};
///
/// fn configure(
///     servers: RootCertStore,
///     chain: Vec<CertificateDer<'static>>,
///     key: PrivateKeyDer<'static>,
/// ) -> Result<TlsClientConfig, TlsConfigError> {
///     TlsClientConfig::builder()
///         .trust_roots(servers)?
///         .certificate(chain, key)?
///         .alpn(&[b"h3"])
///         .build()
/// }
/// ```
#[derive(Debug)]
pub struct TlsClientBuilder {
    choices: Choices,
    servers: Option<Arc<dyn ServerCertVerifier>>,
    identity: Option<Arc<dyn ResolvesClientCert>>,
}

impl TlsClientConfig {
    /// A builder of a configuration, which has to say whom to trust.
    pub fn builder() -> TlsClientBuilder {
        TlsClientBuilder { choices: Choices::new(), servers: None, identity: None }
    }
}

impl TlsClientBuilder {
    /// Trusts servers with a certificate by one of `roots` for their name.
    ///
    /// # Errors
    /// If there are no roots.
    pub fn trust_roots(self, roots: RootCertStore) -> Result<Self, TlsConfigError> {
        let provider = Arc::clone(&self.choices.provider);
        let builder = WebPkiServerVerifier::builder_with_provider(roots.into(), provider);
        let verifier = builder.build().map_err(rejected)?;
        Ok(self.verifier(verifier))
    }

    /// Trusts servers with one of these public keys (RFC 7250), whatever their name.
    #[must_use]
    pub fn trust_raw_public_keys(self, trusted: Vec<SubjectPublicKeyInfoDer<'static>>) -> Self {
        let verifier = TrustedKeys::new(trusted, Arc::clone(&self.choices.provider));
        self.verifier(Arc::new(verifier))
    }

    /// Decides about servers by `verifier`.
    #[must_use]
    pub fn verifier(mut self, verifier: Arc<dyn ServerCertVerifier>) -> Self {
        self.servers = Some(verifier);
        self
    }

    /// The certificate for servers that ask for one.
    ///
    /// # Errors
    /// If certificate and key do not fit each other, or the key is of an unknown kind.
    pub fn certificate(
        mut self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsConfigError> {
        let key = certified_key(chain, key, &self.choices.provider)?;
        self.identity = Some(Arc::new(rustls::sign::SingleCertAndKey::from(key)));
        Ok(self)
    }

    /// A raw public key for servers that ask for one (RFC 7250).
    ///
    /// # Errors
    /// If the key is of an unknown kind, or its public key cannot be told.
    pub fn raw_public_key(mut self, key: PrivateKeyDer<'static>) -> Result<Self, TlsConfigError> {
        let key = raw_key(key, &self.choices.provider)?;
        self.identity = Some(resolver_of_client(key));
        Ok(self)
    }

    /// Chooses the client's certificate by `resolver`.
    #[must_use]
    pub fn resolver(mut self, resolver: Arc<dyn ResolvesClientCert>) -> Self {
        self.identity = Some(resolver);
        self
    }

    /// The application protocols to offer, most wanted first (RFC 7301).
    #[must_use]
    pub fn alpn(mut self, protocols: &[&[u8]]) -> Self {
        self.choices.alpn = owned(protocols);
        self
    }

    /// Offers these cipher suites only, most wanted first. Initial packets are protected by
    /// `TLS13_AES_128_GCM_SHA256` all the same (RFC 9001 §5.2).
    #[must_use]
    pub fn cipher_suites(mut self, suites: &[CipherSuite]) -> Self {
        self.choices.keep_cipher_suites(suites);
        self
    }

    /// Offers these key exchanges only, such as [`NamedGroup::X25519MLKEM768`], which needs the
    /// feature `aws-lc-rs` without `ring`, and two datagrams for the first flight.
    #[must_use]
    pub fn key_exchange_groups(mut self, groups: &[NamedGroup]) -> Self {
        self.choices.keep_groups(groups);
        self
    }

    /// The configuration.
    ///
    /// # Errors
    /// If it does not say whom to trust, or the permitted cryptography does not suffice.
    pub fn build(self) -> Result<TlsClientConfig, TlsConfigError> {
        let verifier = self
            .servers
            .ok_or_else(|| TlsConfigError::Rejected("the client trusts nobody".to_owned()))?;
        let builder = ClientConfig::builder_with_provider(self.choices.provider)
            .with_protocol_versions(VERSIONS)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match self.identity {
            Some(identity) => builder.with_client_cert_resolver(identity),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.choices.alpn;
        TlsClientConfig::new(Arc::new(config))
    }
}

fn rejected(error: impl std::fmt::Display) -> TlsConfigError {
    TlsConfigError::Rejected(error.to_string())
}

//! TLS at the evil end: it trusts anyone.

use std::sync::Arc;

use quic_core::crypto::provider;
use quic_core::wire::header::VERSION_2;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::quic::{Keys, Version};
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme,
    SupportedCipherSuite,
};

/// A client's TLS, which takes any certificate, resumes sessions and offers early data.
///
/// # Errors
/// If TLS cannot be set up.
pub fn client_tls(alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(provider());
    let trusting = Arc::new(TrustAnyone(Arc::clone(&provider)));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(trusting)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config.enable_early_data = true;
    Ok(Arc::new(config))
}

/// A server's TLS, which offers early data.
///
/// # Errors
/// If TLS cannot be set up, or the key is not the certificate's.
pub fn server_tls(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    alpn: &[&[u8]],
) -> Result<Arc<ServerConfig>, Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config.max_early_data_size = u32::MAX;
    Ok(Arc::new(config))
}

/// The name that rustls has for a version of QUIC; all but version 2 are dressed as version 1.
pub(crate) fn tls_version(version: u32) -> Version {
    if version == VERSION_2 { Version::V2 } else { Version::V1 }
}

/// The keys of Initial packets (RFC 9001 §5.2); `None` if the provider has no AES-128-GCM.
pub(crate) fn initial_keys(
    version: u32,
    destination_id: &[u8],
    side: rustls::Side,
) -> Option<Keys> {
    let provider = provider();
    let suites = provider.cipher_suites.iter().filter_map(SupportedCipherSuite::tls13);
    let mut suites =
        suites.filter(|suite| suite.common.suite == CipherSuite::TLS13_AES_128_GCM_SHA256);
    let suite = suites.next()?.quic_suite()?;
    Some(suite.keys(destination_id, side, tls_version(version)))
}

#[derive(Debug)]
struct TrustAnyone(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

//! Certificates and keys, and which is for whom.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::client::{AlwaysResolvesClientRawPublicKeys, ResolvesClientCert};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// A certificate with its key, checked to fit each other.
pub(super) fn certified_key(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, rustls::Error> {
    CertifiedKey::from_der(chain, key, provider).map(Arc::new)
}

pub(super) fn resolver_of_server(key: Arc<CertifiedKey>) -> Arc<dyn ResolvesServerCert> {
    Arc::new(AlwaysResolvesServerRawPublicKeys::new(key))
}

pub(super) fn resolver_of_client(key: Arc<CertifiedKey>) -> Arc<dyn ResolvesClientCert> {
    Arc::new(AlwaysResolvesClientRawPublicKeys::new(key))
}

/// Certificates by the name that a client asks for (RFC 6066 §3).
#[derive(Debug, Default)]
pub(super) struct ByServerName {
    /// In lower case: names are compared without regard to case.
    names: BTreeMap<String, Arc<CertifiedKey>>,
    /// For all other names, and for none.
    pub(super) default: Option<Arc<CertifiedKey>>,
}

impl ByServerName {
    pub(super) fn add(&mut self, name: &str, key: Arc<CertifiedKey>) {
        // No name that a client asks for ends in a dot (RFC 6066 §3).
        let name = name.strip_suffix('.').unwrap_or(name);
        self.names.insert(name.to_ascii_lowercase(), key);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.default.is_none()
    }
}

impl ResolvesServerCert for ByServerName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let own = name.and_then(|name| self.names.get(&name));
        own.or(self.default.as_ref()).cloned()
    }
}

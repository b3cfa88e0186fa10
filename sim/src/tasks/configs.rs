//! Configurations for those who do not test their TLS.

use std::sync::Arc;

use driver::{ClientConfig, Keyring, ServerConfig, TransportConfig};

use crate::null_tls::NullTls;

/// Configurations of a client and a server that trust each other and everybody, with null TLS and
/// these limits on both ends.
///
/// Runs with null TLS repeat bit by bit, since it draws no random numbers, and are fast, since it
/// encrypts nothing.
pub fn null_configs(transport: TransportConfig) -> (ClientConfig, ServerConfig) {
    let tls = || Arc::new(NullTls::default());
    let client = ClientConfig::new(tls(), transport.clone()).expect("a default configuration");
    let keyring = Keyring::new([0x3c; 32]);
    let server = ServerConfig::new(tls(), transport, keyring).expect("a default configuration");
    (client, server)
}

//! A WebTransport server that sends back what it receives: on streams that go both ways, on streams
//! that go one way, and in datagrams.
//!
//! ```text
//! cargo run -p h3-quic-core --example webtransport_echo -- 127.0.0.1:4433
//! ```
//!
//! It makes a certificate that a browser takes without an authority, by its hash, and says what to
//! enter into the browser's console.

mod session;

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use driver_tokio::crypto::TlsServerConfig;
use driver_tokio::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use driver_tokio::{Endpoint, Keyring, ServerConfig, TransportConfig};
use h3_quic_core::ALPN;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

/// Browsers take certificates by their hash if these are valid for at most two weeks.
const VALIDITY: Duration = Duration::from_hours(10 * 24);

#[expect(clippy::print_stdout, reason = "it tells its user how to reach it")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:4433".into()).parse()?;
    let (certificate, key) = certificate()?;
    let hash = digest(&SHA256, &certificate);
    let tls = TlsServerConfig::from_certificate(vec![certificate], key, &[ALPN])?;
    let mut secret = [0; 32];
    SystemRandom::new().fill(&mut secret).map_err(|_| "the system has no randomness")?;
    let transport = TransportConfig::default();
    let config = ServerConfig::new(Arc::new(tls), transport, Keyring::new(secret))?;
    let endpoint = Endpoint::server(config, address)?;
    println!(
        "new WebTransport('https://{}/', {{ serverCertificateHashes: [{{\n  \
         algorithm: 'sha-256', value: new Uint8Array({:?}) }}] }})",
        endpoint.local_addr()?,
        hash.as_ref()
    );
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let remote = incoming.remote_address();
            let connection = match incoming.await {
                Ok(connection) => connection,
                Err(error) => return println!("{remote}: no connection: {error}"),
            };
            if let Err(error) = session::serve(connection).await {
                println!("{remote}: {error}");
            }
        });
    }
    Ok(())
}

/// A certificate for localhost that is valid now.
fn certificate() -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()])?;
    // Clocks differ.
    let begin = since_1970.saturating_sub(Duration::from_hours(1));
    parameters.not_before = date_time_ymd(1970, 1, 1) + begin;
    parameters.not_after = parameters.not_before + VALIDITY;
    let key = KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    Ok((certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into())))
}

//! A server that sends back what it receives, and a client that asks it to, in one process.
//!
//! `cargo run -p driver-smol --example echo_smol`

use std::sync::Arc;

use driver_smol::crypto::{TlsClientConfig, TlsServerConfig};
use driver_smol::{ClientConfig, Endpoint, Keyring, ServerConfig, TransportConfig, VarInt};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Listens on a port of the loopback interface.
fn server(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Endpoint, Error> {
    let tls = TlsServerConfig::from_certificate(chain, key, &[b"echo"])?;
    // In production: 32 bytes that nobody can guess, kept over restarts.
    let keyring = Keyring::new([7; 32]);
    let config = ServerConfig::new(Arc::new(tls), TransportConfig::default(), keyring)?;
    Ok(Endpoint::server(config, "127.0.0.1:0".parse()?)?)
}

/// Answers every connection, each in a task of its own.
async fn serve(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        let served = async move {
            let connection = incoming.accept()?.await?;
            while let Ok((mut send, mut recv)) = connection.accept_bi().await {
                while let Some(chunk) = recv.read_chunk(usize::MAX).await? {
                    send.write_chunk(chunk).await?;
                }
                send.finish()?;
            }
            Ok::<_, Error>(())
        };
        smol::spawn(served).detach();
    }
}

fn main() -> Result<(), Error> {
    smol::block_on(run())
}

async fn run() -> Result<(), Error> {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = certified.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
    let server = server(vec![certificate.clone()], key)?;
    let address = server.local_addr()?;
    smol::spawn(serve(server)).detach();

    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate)?;
    let tls = TlsClientConfig::from_roots(roots, &[b"echo"])?;
    let config = ClientConfig::new(Arc::new(tls), TransportConfig::default())?;
    let endpoint = Endpoint::client("127.0.0.1:0".parse()?)?;
    let connection = endpoint.connect_with(config, address, "localhost")?.await?;
    let (mut send, mut recv) = connection.open_bi().await?;
    send.write_all(b"hello").await?;
    send.finish()?;
    let answer = recv.read_to_end(1 << 20).await?;
    assert_eq!(answer, b"hello");
    connection.close(VarInt::from_u32(0), b"done");
    endpoint.wait_idle().await;
    Ok(())
}

//! QUIC on tokio.
//!
//! [`Endpoint`] is where everything begins; the rest is that of `driver`, with the names that users
//! of QUIC libraries in Rust know. Every endpoint is one task: no task per connection, no channel
//! per datagram.
//!
//! A server that sends back what it receives, and a client of it:
//!
//! ```
//! use std::sync::Arc;
//!
//! use driver_tokio::crypto::{TlsClientConfig, TlsServerConfig};
//! use driver_tokio::rustls::RootCertStore;
//! use driver_tokio::rustls::pki_types::{CertificateDer, PrivateKeyDer};
//! use driver_tokio::{ClientConfig, Endpoint, ServerConfig, Keyring, TransportConfig, VarInt};
//!
//! type Error = Box<dyn std::error::Error + Send + Sync>;
//!
//! async fn echo_server(
//!     chain: Vec<CertificateDer<'static>>,
//!     key: PrivateKeyDer<'static>,
//!     secret: [u8; 32],
//! ) -> Result<(), Error> {
//!     let tls = TlsServerConfig::from_certificate(chain, key, &[b"echo"])?;
//!     let keyring = Keyring::new(secret);
//!     let config = ServerConfig::new(Arc::new(tls), TransportConfig::default(), keyring)?;
//!     let endpoint = Endpoint::server(config, "127.0.0.1:4433".parse()?)?;
//!     while let Some(incoming) = endpoint.accept().await {
//!         tokio::spawn(async move {
//!             let connection = incoming.accept()?.await?;
//!             while let Ok((mut send, mut recv)) = connection.accept_bi().await {
//!                 while let Some(chunk) = recv.read_chunk(usize::MAX).await? {
//!                     send.write_chunk(chunk).await?;
//!                 }
//!                 send.finish()?;
//!             }
//!             Ok::<_, Error>(())
//!         });
//!     }
//!     Ok(())
//! }
//!
//! async fn echo_client(roots: RootCertStore) -> Result<Vec<u8>, Error> {
//!     let tls = TlsClientConfig::from_roots(roots, &[b"echo"])?;
//!     let config = ClientConfig::new(Arc::new(tls), TransportConfig::default())?;
//!     let endpoint = Endpoint::client("127.0.0.1:0".parse()?)?;
//!     let connecting = endpoint.connect_with(config, "127.0.0.1:4433".parse()?, "localhost")?;
//!     let connection = connecting.await?;
//!     let (mut send, mut recv) = connection.open_bi().await?;
//!     send.write_all(b"hello").await?;
//!     send.finish()?;
//!     let answer = recv.read_to_end(1 << 20).await?;
//!     connection.close(VarInt::from_u32(0), b"done");
//!     endpoint.wait_idle().await;
//!     Ok(answer)
//! }
//! ```
#![forbid(unsafe_code)]

mod runtime;
mod socket;
mod timer;

pub use driver::*;
pub use runtime::Tokio;
pub use socket::TokioSocket;
pub use timer::TokioTimer;

/// A UDP socket with any number of QUIC connections, run by tokio. Clones are handles of the same
/// endpoint; see [`driver::Endpoint`] for what it can do.
///
/// Constructors that are not told a runtime have to be called inside of a tokio runtime with I/O and
/// time, and return an error elsewhere. Where the runtime lacks one of the two, tokio itself can
/// only panic: that is caught and becomes an error as well, but the program's panic hook hears of it.
pub type Endpoint = EndpointOn<Tokio>;

//! QUIC on smol, async-std, and whatever else runs futures beside async-io.
//!
//! [`Endpoint`] is where everything begins; the rest is that of `driver`, with the names that users
//! of QUIC libraries in Rust know, and the same as that of `driver-tokio`. Every endpoint is one
//! task: no task per connection, no channel per datagram. Streams are
//! [`AsyncRead`](smol::io::AsyncRead) and [`AsyncWrite`](smol::io::AsyncWrite).
//!
//! Which executor runs the tasks of endpoints is a feature: `smol` (the default) or `async-std`. If
//! both are on, [`Endpoint`] is smol's, and `AsyncStdEndpoint` the other. An executor of your own
//! is one as well: see [`AsyncIo`].
//!
//! A server that sends back what it receives, and a client of it:
//!
//! ```
//! use std::sync::Arc;
//!
//! use driver_smol::crypto::{TlsClientConfig, TlsServerConfig};
//! use driver_smol::rustls::RootCertStore;
//! use driver_smol::rustls::pki_types::{CertificateDer, PrivateKeyDer};
//! use driver_smol::{ClientConfig, Endpoint, Keyring, ServerConfig, TransportConfig, VarInt};
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
//!         let served = async move {
//!             let connection = incoming.accept()?.await?;
//!             while let Ok((mut send, mut recv)) = connection.accept_bi().await {
//!                 while let Some(chunk) = recv.read_chunk(usize::MAX).await? {
//!                     send.write_chunk(chunk).await?;
//!                 }
//!                 send.finish()?;
//!             }
//!             Ok::<_, Error>(())
//!         };
//!         smol::spawn(served).detach();
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

mod executor;
mod runtime;
mod socket;
mod timer;

pub use driver::*;
#[cfg(feature = "async-std")]
pub use executor::AsyncStd;
pub use executor::Executor;
#[cfg(feature = "smol")]
pub use executor::Smol;
pub use runtime::AsyncIo;
pub use socket::AsyncIoSocket;
pub use timer::AsyncIoTimer;

/// A UDP socket with any number of QUIC connections, run by smol. Clones are handles of the same
/// endpoint; see [`driver::Endpoint`] for what it can do.
#[cfg(feature = "smol")]
pub type Endpoint = EndpointOn<AsyncIo<Smol>>;

/// A UDP socket with any number of QUIC connections, run by async-std. Clones are handles of the
/// same endpoint; see [`driver::Endpoint`] for what it can do.
#[cfg(all(feature = "async-std", not(feature = "smol")))]
pub type Endpoint = AsyncStdEndpoint;

/// A UDP socket with any number of QUIC connections, run by async-std. Clones are handles of the
/// same endpoint; see [`driver::Endpoint`] for what it can do.
#[cfg(feature = "async-std")]
pub type AsyncStdEndpoint = EndpointOn<AsyncIo<AsyncStd>>;

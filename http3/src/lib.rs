//! HTTP/3 over `quic-core`: what the crate [`h3`] needs of a QUIC implementation, over the handles of
//! [`driver`], so that it runs wherever they do: on tokio, on smol, in the simulator.
//!
//! A connection whose handshake agreed on the application protocol [`ALPN`] becomes an HTTP/3
//! connection by [`Connection::new`], which goes into `h3::server::builder` or `h3::client::new`:
//!
//! ```
//! use bytes::Bytes;
//! use h3_quic_core::Connection;
//!
//! type Error = Box<dyn std::error::Error + Send + Sync>;
//!
//! /// Says hello to whoever asks.
//! async fn serve(connection: driver::Connection) -> Result<(), Error> {
//!     let mut connection =
//!         h3::server::builder().build::<_, Bytes>(Connection::new(connection)).await?;
//!     while let Some(resolver) = connection.accept().await? {
//!         let (_request, mut stream) = resolver.resolve_request().await?;
//!         stream.send_response(http::Response::new(())).await?;
//!         stream.send_data(Bytes::from_static(b"hello")).await?;
//!         stream.finish().await?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! Codes are passed on as they are: what the peer stopped, reset or closed with reaches `h3`, and
//! `h3`'s codes reach the peer. Handles that are dropped before their time say so in HTTP/3's
//! terms: a stream that was not finished is reset with H3_REQUEST_CANCELLED, so that the peer does
//! not take what it got for the whole.
//!
//! What a peer can make this end hold is bounded: a frame other than DATA by 256 KiB, after which
//! the stream is stopped with H3_EXCESSIVE_LOAD ([`FrameTooLong`]); everything else by the flow
//! control of [`driver::TransportConfig`].
//!
//! Datagrams (RFC 9297) are those of [`h3_datagram`], and WebTransport that of `h3-webtransport`:
//! see the example `webtransport_echo`.
#![forbid(unsafe_code)]

mod bidi_stream;
mod connection;
mod datagrams;
mod errors;
mod frames;
mod recv_stream;
mod send_stream;

pub use bidi_stream::BidiStream;
pub use connection::{Connection, OpenStreams};
pub use datagrams::{RecvDatagramHandler, SendDatagramHandler};
pub use errors::NotReady;
pub use frames::FrameTooLong;
pub use recv_stream::RecvStream;
pub use send_stream::SendStream;

/// The application protocol, as ALPN names it (RFC 9114 §3.1).
pub const ALPN: &[u8] = b"h3";

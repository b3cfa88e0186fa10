//! QUIC on tokio.
//!
//! [`Endpoint`] is where everything begins; the rest is that of `driver`, with the names that users
//! of QUIC libraries in Rust know. Every endpoint is one task: no task per connection, no channel
//! per datagram.
#![forbid(unsafe_code)]

mod endpoint;
mod run;
mod runtime;
mod socket;

pub use driver::*;
pub use endpoint::Endpoint;

//! Writes what happens on quic-core's connections as qlog.
//!
//! qlog is how QUIC implementations tell tools of their connections: JSON text sequences
//! (RFC 7464) of the events that draft-ietf-quic-qlog-main-schema and
//! draft-ietf-quic-qlog-quic-events define. This crate is a [`Recorder`](quic_core::Recorder) that
//! writes them, and has no runtime.
//!
//! A connection never waits for its log and never fails because of it: a thread writes the files,
//! and what it cannot write in time, or at all, is left out. How much was lost stands at the end
//! of each file, and in the [`Summary`].
//!
//! No log has anything of what applications sent to each other, nor tokens, keys or stateless
//! reset tokens; it does have addresses and the reasons for closing.
//!
//! ```
//! use quic_core::EndpointConfig;
//! use quic_qlog::Directory;
//!
//! # fn main() -> std::io::Result<()> {
//! # let folder = std::env::temp_dir().join("quic-qlog-example");
//! let logs = Directory::create(&folder)?;
//! let mut config = EndpointConfig::default();
//! config.recorder = Some(logs.recorder());
//! // ... make an endpoint of it; each connection gets a file of its own, and at the end:
//! let summary = logs.finish();
//! assert_eq!(summary.lost, 0);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what can be told grows; what has no place in qlog is passed over"
)]

mod connection;
mod directory;
mod errors;
mod event;
mod frames;
mod header;
mod json;
mod memory;
mod packets;
mod time;

pub use directory::{Directory, Summary};
pub use memory::Memory;

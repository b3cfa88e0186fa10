//! Streams (RFC 9000 §2 to §4).

mod api;

pub use api::{
    Finished, OpenStreamError, ReadError, ReadOutcome, RecvStream, SendStream, WriteError,
};

/// All streams of a connection.
#[derive(Debug)]
pub(crate) struct Streams {}

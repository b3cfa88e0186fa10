//! Bytes of ordered streams: what was sent and not acknowledged, what was received and not read.
//!
//! Used for STREAM and CRYPTO data alike (RFC 9000 §2.2, §19.6).

mod block_pool;
mod reassembler;
mod send_buffer;

pub(crate) use block_pool::{BlockPool, MAX_BLOCK};
pub(crate) use reassembler::{BYTES_PER_GAP, Reassembler};
pub(crate) use send_buffer::SendBuffer;

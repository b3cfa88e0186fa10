//! Bytes ⇄ values: no state, no policy, no panic (RFC 8999, RFC 9000 §12, §16 to §19).

mod connection_id;
pub(crate) mod frame;
pub(crate) mod header;
mod packet_number;
mod range_set;
mod reader;
mod stream_id;
pub(crate) mod transport_parameters;
mod varint;
mod writer;

#[cfg(test)]
mod strategies;

pub use connection_id::{ConnectionId, StatelessResetToken};
pub use frame::PacketType;
pub use stream_id::{Direction, Side, StreamId};
pub use varint::{VarInt, VarIntBoundsExceeded};

pub(crate) use packet_number::{PacketNumberLength, SpaceId, expand_packet_number};
pub(crate) use range_set::RangeSet;
pub(crate) use reader::{Reader, Truncated};
pub(crate) use varint::varint_length;
pub(crate) use writer::{Full, Writer};

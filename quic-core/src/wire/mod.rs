//! Bytes ⇄ values: no state, no policy, no panic (RFC 8999, RFC 9000 §12, §16 to §19).
//!
//! Public under the feature `wire`, for tools that build packets by hand; no promise of stability
//! before 1.0. Keys for what is built here come from rustls or from
//! [`SessionFactory::initial_keys`](crate::crypto::SessionFactory::initial_keys); protection is put
//! on and taken off by [`crypto::packet_protection`](crate::crypto).
#![cfg_attr(feature = "arbitrary", doc = include_str!("arbitrary/example.md"))]

#[cfg(feature = "arbitrary")]
mod arbitrary;
mod connection_id;
pub mod frame;
pub mod header;
mod packet_number;
mod range_set;
mod reader;
mod stream_id;
pub mod transport_parameters;
mod varint;
mod writer;

#[cfg(test)]
mod strategies;

pub use connection_id::{ConnectionId, StatelessResetToken};
pub use frame::PacketType;
pub use stream_id::{Direction, Side, StreamId};
pub use varint::{VarInt, VarIntBoundsExceeded};

pub use packet_number::{PacketNumberLength, SpaceId, expand_packet_number};
pub use range_set::RangeSet;
pub use reader::{Reader, Truncated};
pub use varint::varint_length;
pub use writer::{Full, Writer};

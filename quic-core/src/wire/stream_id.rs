//! Stream IDs: who opened it, which way it goes, its place in the order (RFC 9000 §2.1).

use std::fmt;
use std::ops::Not;

use super::VarInt;

/// An end of a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Side {
    /// The end that sent the first packet.
    Client,
    /// The end that accepted it.
    Server,
}

impl Not for Side {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Which way data flows on a stream.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Direction {
    /// Both ways.
    Bidirectional,
    /// From the end that opened it only.
    Unidirectional,
}

/// Names a stream of a connection (RFC 9000 §2.1).
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StreamId(u64);

impl StreamId {
    /// The `index`th stream, counted from 0, that `initiator` opens in `direction`.
    ///
    /// An index of 2^60 or more, which no stream can have, is cut to 60 bits.
    pub const fn new(initiator: Side, direction: Direction, index: u64) -> Self {
        let kind = (initiator as u64) | ((direction as u64) << 1);
        Self(((index & ((1 << 60) - 1)) << 2) | kind)
    }

    pub(crate) const fn from_wire(value: u64) -> Self {
        Self(value)
    }

    /// The value on the wire.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Who opens it.
    pub const fn initiator(self) -> Side {
        if self.0 & 1 == 0 { Side::Client } else { Side::Server }
    }

    /// Which way data flows on it.
    pub const fn direction(self) -> Direction {
        if self.0 & 2 == 0 { Direction::Bidirectional } else { Direction::Unidirectional }
    }

    /// How many streams of its initiator and direction come before it.
    pub const fn index(self) -> u64 {
        self.0 >> 2
    }
}

impl From<StreamId> for VarInt {
    fn from(id: StreamId) -> Self {
        Self::saturating(id.0)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let initiator = match self.initiator() {
            Side::Client => "client",
            Side::Server => "server",
        };
        let direction = match self.direction() {
            Direction::Bidirectional => "bidirectional",
            Direction::Unidirectional => "unidirectional",
        };
        write!(f, "{initiator} {direction} stream {}", self.index())
    }
}

#[cfg(test)]
mod tests {
    use super::{Direction, Side, StreamId};

    #[test]
    fn the_low_bits_are_those_of_rfc_9000_table_1() {
        let kinds = [
            (Side::Client, Direction::Bidirectional),
            (Side::Server, Direction::Bidirectional),
            (Side::Client, Direction::Unidirectional),
            (Side::Server, Direction::Unidirectional),
        ];
        for (bits, (initiator, direction)) in (0..).zip(kinds) {
            for index in [0, 1, (1 << 60) - 1] {
                let id = StreamId::new(initiator, direction, index);
                assert_eq!(id.value(), (index << 2) | bits);
                let parts = (id.initiator(), id.direction(), id.index());
                assert_eq!(parts, (initiator, direction, index));
            }
        }
    }
}

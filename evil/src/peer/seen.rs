//! What came back.

use crate::packet::PacketKind;
use quic_core::wire::frame::{Frame, Frames};

/// What the target sent, in the order in which it came.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A packet that we could open.
    Packet(SeenPacket),
    /// A Retry packet.
    Retry {
        /// What to bring along.
        token: Vec<u8>,
        /// What to send to.
        source_id: Vec<u8>,
        /// Whether the integrity tag is that of an answer to our Initial.
        authentic: bool,
    },
    /// A Version Negotiation packet.
    VersionNegotiation {
        /// The versions in it.
        versions: Vec<u32>,
        /// Its destination connection ID.
        destination_id: Vec<u8>,
        /// Its source connection ID.
        source_id: Vec<u8>,
    },
    /// A datagram that ends in a stateless reset token of the target.
    StatelessReset {
        /// Bytes of the datagram.
        length: usize,
    },
    /// Something that we have no keys for.
    Unreadable {
        /// Bytes of it.
        length: usize,
        /// It has a short header, as a stateless reset has.
        short: bool,
    },
}

/// A packet that we could open.
#[derive(Clone, Debug)]
pub struct SeenPacket {
    /// Its type.
    pub kind: PacketKind,
    /// Which of our sockets it came to.
    pub socket: usize,
    /// Its number.
    pub number: u64,
    /// The connection ID that it was sent to.
    pub destination_id: Vec<u8>,
    /// Bytes of its whole datagram.
    pub datagram_length: usize,
    payload: Vec<u8>,
}

impl SeenPacket {
    pub(super) fn new(
        kind: PacketKind,
        (number, payload): (u64, Vec<u8>),
        destination_id: &[u8],
        (socket, datagram_length): (usize, usize),
    ) -> Self {
        let destination_id = destination_id.to_vec();
        Self { kind, socket, number, destination_id, datagram_length, payload }
    }

    /// Its frames, as far as they can be read.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        Frames::new(&self.payload).filter_map(Result::ok)
    }

    /// Whether one of its frames is as wanted.
    pub fn has(&self, wanted: impl FnMut(Frame<'_>) -> bool) -> bool {
        self.frames().any(wanted)
    }
}

/// A CONNECTION_CLOSE of the target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SeenClose {
    /// The error code.
    pub code: u64,
    /// The type of the frame that caused it; `None` if it is the application's close.
    pub frame_type: Option<u64>,
    /// For people.
    pub reason: String,
    /// What it came in.
    pub kind: PacketKind,
}

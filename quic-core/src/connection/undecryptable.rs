//! The few packets that came before their keys (RFC 9000 §12.2, RFC 9001 §5.7).

use crate::instant::Instant;
use crate::net::{EcnCodepoint, PathAddresses};
use crate::wire::SpaceId;

/// Most packets kept.
const MAXIMUM_PACKETS: usize = 8;
/// Most bytes kept.
const MAXIMUM_BYTES: usize = 12 * 1024;

/// Packets that are kept until their keys are there. Owns no memory while it is empty.
#[derive(Debug, Default)]
pub(super) struct Undecryptable {
    packets: Vec<EarlyPacket>,
    bytes: usize,
}

/// A packet that cannot be opened yet.
#[derive(Debug)]
pub(super) struct EarlyPacket {
    /// When it came.
    pub(super) at: Instant,
    pub(super) space: SpaceId,
    pub(super) path: PathAddresses,
    pub(super) ecn: Option<EcnCodepoint>,
    pub(super) bytes: Box<[u8]>,
}

impl Undecryptable {
    /// Whether there is room for a packet of `length` bytes.
    pub(super) fn has_room(&self, length: usize) -> bool {
        self.packets.len() < MAXIMUM_PACKETS && self.bytes.saturating_add(length) <= MAXIMUM_BYTES
    }

    /// Keeps the packet, for which there is room.
    pub(super) fn keep(&mut self, packet: EarlyPacket) {
        self.bytes = self.bytes.saturating_add(packet.bytes.len());
        self.packets.push(packet);
    }

    /// Takes out the packets of `space`, in the order in which they came.
    pub(super) fn take(&mut self, space: SpaceId) -> Vec<EarlyPacket> {
        if self.packets.is_empty() {
            return Vec::new();
        }
        let (taken, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.packets).into_iter().partition(|packet| packet.space == space);
        self.bytes = kept.iter().map(|packet| packet.bytes.len()).sum();
        self.packets = kept;
        taken
    }

    /// Drops the packets of `space`: its keys are gone.
    pub(super) fn discard(&mut self, space: SpaceId) {
        drop(self.take(space));
    }
}

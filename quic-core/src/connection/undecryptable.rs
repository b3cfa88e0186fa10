//! The few packets that came before their keys (RFC 9000 §12.2, RFC 9001 §5.7).

use super::Connection;
use super::receive::{Arrival, Protected};
use crate::error::DiscardReason;
use crate::instant::Instant;
use crate::memory;
use crate::net::{EcnCodepoint, PathAddresses};
use crate::recorder::Record;
use crate::wire::{PacketType, StatelessResetToken};

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
    pub(super) packet_type: PacketType,
    pub(super) path: PathAddresses,
    pub(super) ecn: Option<EcnCodepoint>,
    pub(super) bytes: Box<[u8]>,
}

impl Undecryptable {
    /// Heap in use at the most, in bytes.
    pub(super) const fn worst_case_bytes() -> u64 {
        MAXIMUM_BYTES as u64 + memory::list::<EarlyPacket>(MAXIMUM_PACKETS as u64)
    }

    /// Whether there is room for a packet of `length` bytes.
    pub(super) fn has_room(&self, length: usize) -> bool {
        self.packets.len() < MAXIMUM_PACKETS && self.bytes.saturating_add(length) <= MAXIMUM_BYTES
    }

    /// Keeps the packet, for which there is room.
    pub(super) fn keep(&mut self, packet: EarlyPacket) {
        self.bytes = self.bytes.saturating_add(packet.bytes.len());
        self.packets.push(packet);
    }

    /// Takes out the packets of this type, in the order in which they came.
    pub(super) fn take(&mut self, packet_type: PacketType) -> Vec<EarlyPacket> {
        if self.packets.is_empty() {
            return Vec::new();
        }
        let (taken, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.packets)
            .into_iter()
            .partition(|packet| packet.packet_type == packet_type);
        self.bytes = kept.iter().map(|packet| packet.bytes.len()).sum();
        self.packets = kept;
        taken
    }
}

impl Connection {
    /// Whether packets of this type can be opened now.
    pub(super) fn can_open(&self, packet_type: PacketType) -> bool {
        match packet_type {
            PacketType::Initial => self.keys.initial.is_some(),
            PacketType::Handshake => self.keys.handshake.is_some(),
            PacketType::ZeroRtt => self.opens_early(),
            //= https://www.rfc-editor.org/rfc/rfc9001#section-5.7
            //# Even if it has 1-RTT secrets, a client MUST NOT
            //# process incoming 1-RTT protected packets before the TLS handshake is
            //# complete.
            //= https://www.rfc-editor.org/rfc/rfc9001#section-5.7
            //# Endpoints in either role MUST NOT decrypt 1-RTT packets from their peer
            //# prior to completing the handshake.
            //= https://www.rfc-editor.org/rfc/rfc9001#section-5.7
            //# A server MUST NOT process incoming 1-RTT protected packets before the
            //# TLS handshake is complete.
            PacketType::OneRtt => self.keys.one_rtt.is_some() && self.handshake.is_complete(),
        }
    }

    /// Keeps a packet whose keys may still come.
    pub(super) fn keep_for_later(&mut self, arrival: Arrival, packet: &Protected<'_>) {
        let packet_type = packet.packet_type;
        let may_come = match packet_type {
            PacketType::Handshake => !self.handshake.is_complete(),
            PacketType::OneRtt => !self.handshake.is_complete(),
            PacketType::ZeroRtt => self.may_open_early(),
            PacketType::Initial => false,
        };
        if !may_come {
            self.discard_unreadable(&arrival, DiscardReason::KeysUnavailable);
        //= https://www.rfc-editor.org/rfc/rfc9001#section-4.1.4
        //# While waiting for TLS processing to complete, an endpoint SHOULD buffer received
        //# packets if they might be processed using keys that are not yet available.
        } else if self.undecryptable.has_room(packet.bytes.len()) {
            let Arrival { at, path, ecn, .. } = arrival;
            let (packet_type, length) = (packet.packet_type, packet.bytes.len());
            self.record(arrival.now, &Record::PacketBuffered { packet_type, length });
            let bytes = Box::from(&*packet.bytes);
            self.undecryptable.keep(EarlyPacket { at, packet_type, path, ecn, bytes });
        } else {
            self.discard(arrival.now, DiscardReason::BufferFull);
        }
    }

    /// Handles the packets of this type that came before their keys.
    pub(super) fn replay_undecryptable(&mut self, now: Instant, packet_type: PacketType) {
        for EarlyPacket { at, path, ecn, mut bytes, .. } in self.undecryptable.take(packet_type) {
            if !self.lifecycle.is_alive() {
                return;
            }
            let reset_token = StatelessResetToken::at_end_of(&bytes);
            let (datagram_bytes, is_early) = (0, false);
            let arrival = Arrival { now, at, path, ecn, datagram_bytes, reset_token, is_early };
            let _length: Option<usize> = self.handle_next_packet(arrival, &mut bytes, &mut None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::SocketId;

    /// How many packets of this length are kept.
    fn kept(packets: &mut Undecryptable, length: usize) -> usize {
        let remote = ([192, 0, 2, 1], 443).into();
        let path = PathAddresses { socket: SocketId(0), local_ip: None, remote };
        let mut count = 0;
        while packets.has_room(length) {
            let (at, bytes) = (Instant::EPOCH, vec![0; length].into());
            packets.keep(EarlyPacket {
                at,
                packet_type: PacketType::Handshake,
                path,
                ecn: None,
                bytes,
            });
            count += 1;
            assert!(count < 1000, "there is always room");
        }
        count
    }

    #[test]
    fn few_packets_are_kept_and_few_bytes_and_those_taken_make_room() {
        let mut packets = Undecryptable::default();
        assert_eq!(kept(&mut packets, 40), MAXIMUM_PACKETS);
        assert_eq!(packets.take(PacketType::OneRtt).len(), 0);
        assert_eq!(kept(&mut packets, 40), 0);
        for _ in 0..2 {
            assert!(!packets.take(PacketType::Handshake).is_empty());
            assert_eq!(kept(&mut packets, MAXIMUM_BYTES / 2), 2);
        }
    }
}

//! Packets to send: what a case wants, and what an honest end would.

use quic_core::crypto::packet_protection::{TAG_LENGTH, seal};
use quic_core::wire::frame::write_ack;
use quic_core::wire::header::VERSION_2;
use quic_core::wire::{Side, SpaceId, Writer};

use super::Peer;
use crate::obstacle::Obstacle;
use crate::packet::{Packet, PacketKind};
use crate::payload::{Payload, varint};

/// Handshake bytes in one packet.
const CRYPTO_PER_PACKET: usize = 1000;
/// Room for an ACK frame.
const LONGEST_ACK: usize = 200;
/// Bytes of a datagram with an Initial (RFC 9000 §14.1).
const FULL: usize = 1200;

/// A header and where its packet number is.
struct Head {
    bytes: Vec<u8>,
    number_offset: usize,
}

impl Peer {
    /// Seals a packet.
    ///
    /// # Errors
    /// If there are no keys for it, or it is too short to be protected.
    pub fn seal(&mut self, mut packet: Packet) -> Result<Vec<u8>, Obstacle> {
        let space = packet.kind.space();
        let number = packet.number.unwrap_or_else(|| {
            let next = &mut self.space_mut(space).next_number;
            *next += 1;
            *next - 1
        });
        let number_length = usize::from(packet.number_length.clamp(1, 4));
        let head = self.head(&packet, number_length, 0);
        let bare = head.bytes.len() + number_length + packet.payload.len() + TAG_LENGTH;
        let padding = packet.pad_to.saturating_sub(bare);
        packet.payload.resize(packet.payload.len() + padding, 0);
        let sealed_length = number_length + packet.payload.len() + TAG_LENGTH;
        let Head { mut bytes, number_offset } = self.head(&packet, number_length, sealed_length);
        let number_bytes = number.to_be_bytes();
        bytes.extend_from_slice(number_bytes.get(8 - number_length..).unwrap_or_default());
        bytes.extend_from_slice(&packet.payload);
        bytes.extend_from_slice(&[0; TAG_LENGTH]);
        let place = (number_offset, number_length);
        if !self.protect(&packet, &mut bytes, place, number) {
            let text = format!("no keys to seal a packet of type {:?}", packet.kind);
            return Err(Obstacle::not_set_up(text));
        }
        if packet.spoil
            && let Some(last) = bytes.last_mut()
        {
            *last ^= 1;
        }
        Ok(bytes)
    }

    fn protect(
        &mut self,
        packet: &Packet,
        bytes: &mut [u8],
        place: (usize, usize),
        number: u64,
    ) -> bool {
        let keys = match packet.kind {
            PacketKind::Initial => self.initial.as_ref().map(|keys| &keys.local),
            PacketKind::Handshake => self.handshake.as_ref().map(|keys| &keys.local),
            PacketKind::ZeroRtt => self.early.as_ref(),
            PacketKind::OneRtt => {
                let Some(keys) = &mut self.one_rtt else { return false };
                let generation = packet.generation.unwrap_or(keys.generation);
                return keys.seal(generation, bytes, place, number);
            }
        };
        keys.is_some_and(|keys| seal(keys, bytes, place.0, place.1, number).is_ok())
    }

    fn head(&self, packet: &Packet, number_length: usize, sealed_length: usize) -> Head {
        let length_bits = u8::try_from(number_length - 1).unwrap_or(0);
        let destination = packet.destination.as_deref().unwrap_or(&self.target_id);
        let version = packet.version.unwrap_or(self.version);
        let shift = u8::from(version == VERSION_2);
        let long_type = match packet.kind {
            PacketKind::Initial => 0,
            PacketKind::ZeroRtt => 1,
            PacketKind::Handshake => 2,
            PacketKind::OneRtt => return self.short_head(packet, length_bits, destination),
        };
        let first = 0xc0 | (((long_type + shift) & 3) << 4) | length_bits;
        let mut bytes = vec![(first | packet.set_bits) & !packet.clear_bits];
        bytes.extend_from_slice(&version.to_be_bytes());
        for id in [destination, packet.source.as_deref().unwrap_or(&self.local_id)] {
            bytes.push(u8::try_from(id.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(id);
        }
        if packet.kind == PacketKind::Initial {
            let token = packet.token.as_deref().unwrap_or(&self.token);
            bytes.extend_from_slice(&varint(token.len() as u64));
            bytes.extend_from_slice(token);
        }
        let length = (sealed_length as u64).saturating_add_signed(packet.length_lie);
        // Always two bytes, so that the length of the header does not depend on that of the packet.
        let length = u16::try_from(length).unwrap_or(u16::MAX) & 0x3fff | 0x4000;
        bytes.extend_from_slice(&length.to_be_bytes());
        Head { number_offset: bytes.len(), bytes }
    }

    fn short_head(&self, packet: &Packet, length_bits: u8, destination: &[u8]) -> Head {
        let current = self.one_rtt.as_ref().map_or(0, |keys| keys.generation);
        let phase = if packet.generation.unwrap_or(current) % 2 == 1 { 0x04 } else { 0 };
        let first = 0x40 | phase | length_bits;
        let mut bytes = vec![(first | packet.set_bits) & !packet.clear_bits];
        bytes.extend_from_slice(destination);
        Head { number_offset: bytes.len(), bytes }
    }

    /// What an honest end would send now: acknowledgments, handshake bytes, answers to path
    /// challenges. Each with the socket to send it from.
    ///
    /// # Errors
    /// If a packet cannot be sealed.
    pub fn flush(&mut self) -> Result<Vec<(usize, Vec<u8>)>, Obstacle> {
        let mut datagrams = Vec::new();
        for kind in [PacketKind::Initial, PacketKind::Handshake, PacketKind::OneRtt] {
            while let Some(payload) = self.honest_payload(kind) {
                let pad_to = if kind == PacketKind::Initial { FULL } else { 0 };
                let packet = Packet { pad_to, ..Packet::new(kind, payload) };
                datagrams.push((0, self.seal(packet)?));
            }
        }
        for (socket, data) in std::mem::take(&mut self.challenges) {
            let payload = Payload::new().numbers(&[0x1b]).raw(&data);
            let packet = Packet { pad_to: FULL, ..Packet::one_rtt(payload) };
            datagrams.push((socket, self.seal(packet)?));
        }
        Ok(datagrams)
    }

    fn can_seal(&self, kind: PacketKind) -> bool {
        match kind {
            PacketKind::Initial => self.initial.is_some(),
            PacketKind::Handshake => self.handshake.is_some(),
            PacketKind::ZeroRtt => self.early.is_some(),
            // A client has to finish first; it is polite of a server, too.
            PacketKind::OneRtt => self.one_rtt.is_some() && !self.tls.is_handshaking(),
        }
    }

    fn honest_payload(&mut self, kind: PacketKind) -> Option<Payload> {
        if !self.can_seal(kind) {
            return None;
        }
        let acks = self.acks;
        let server = self.side == Side::Server;
        let space = self.space_mut(kind.space());
        let mut payload = Payload::new();
        if space.ack_due && acks {
            let mut memory = [0; LONGEST_ACK];
            let mut writer = Writer::new(&mut memory);
            if write_ack(&mut writer, &space.received, 0, None).is_ok() {
                payload = payload.raw(writer.written());
            }
            space.ack_due = false;
        }
        let rest = space.crypto.get(space.crypto_sent..).unwrap_or_default();
        if let Some(chunk) = rest.get(..rest.len().min(CRYPTO_PER_PACKET))
            && !chunk.is_empty()
        {
            payload = payload.crypto(space.crypto_sent as u64, chunk);
            space.crypto_sent += chunk.len();
        }
        let tells_done = server && self.confirmed && !self.done_told;
        if kind == PacketKind::OneRtt && tells_done {
            self.done_told = true;
            payload = payload.numbers(&[0x1e]);
        }
        (payload.length() > 0).then_some(payload)
    }

    /// Sends all handshake bytes again that may have been lost.
    pub fn resend(&mut self) {
        for space in &mut self.spaces {
            space.crypto_sent = 0;
        }
        if self.confirmed || self.handshake.is_some() {
            self.space_mut(SpaceId::Initial).crypto_sent = usize::MAX;
        }
    }
}

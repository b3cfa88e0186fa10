//! A packet's way into a datagram: header, frames, padding, protection, memory of it.

use std::mem;

use super::space::MAXIMUM_ACKS_IN_A_ROW;
use super::{Connection, Role};
use crate::crypto::{SAMPLE_OFFSET, SealError, TAG_LENGTH};
use crate::instant::Instant;
use crate::net::{EcnCodepoint, MINIMUM_MTU};
use crate::packet::{PacketWriter, SentFrame};
use crate::recovery::NewPacket;
use crate::wire::frame::FrameType;
use crate::wire::header::{
    LengthField, LongHeaderParts, LongType, ShortHeaderParts, patch_length, write_long_header,
    write_short_header,
};
use crate::wire::{ConnectionId, Full, PacketNumberLength, SpaceId, VarInt, Writer};

/// Datagrams with Initial packets, and those that validate a path, are at least this long
/// (RFC 9000 §8.2.1, §14.1).
pub(super) const MINIMUM_DATAGRAM: usize = MINIMUM_MTU as usize;

/// How much longer every packet is than the connection IDs that the peer puts on its own: stateless
/// resets that provoke each other are shorter than any packet (RFC 9000 §10.3).
const LONGER_THAN_ID: usize = 22;

/// No packet has this number or a larger one (RFC 9000 §12.3).
const NUMBER_LIMIT: u64 = VarInt::MAX.into_inner();

/// Bytes that an AEAD encrypts at a time.
const AEAD_BLOCK: usize = 16;
/// Bytes of a full datagram that it may cost to have no part of a block: three thousandths.
const WORTH_SPARING: usize = 4;

/// Which packet is to be written, and what may be in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    pub(super) now: Instant,
    pub(super) space: SpaceId,
    pub(super) acks_only: bool,
    /// The mark of its datagram.
    pub(super) ecn: Option<EcnCodepoint>,
}

/// A packet's place in its datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Bytes of the datagram before this packet.
    pub(super) before: usize,
    /// A packet before this one needs a full-sized datagram.
    pub(super) must_pad: bool,
    /// If at least this many bytes are left, another packet follows and does the padding.
    pub(super) worth_another: usize,
}

/// A packet that was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) length: usize,
    /// The datagram still has to be padded.
    pub(super) must_pad: bool,
}

/// A header that was written, and what sealing needs to know of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeaderWritten {
    space: SpaceId,
    number: u64,
    number_offset: usize,
    number_length: usize,
    length_field: Option<LengthField>,
}

impl HeaderWritten {
    pub(super) fn length(&self) -> usize {
        self.number_offset + self.number_length
    }

    /// Bytes of the shortest packet that has a sample for header protection (RFC 9001 §5.4.2).
    fn shortest_packet(&self) -> usize {
        self.number_offset + SAMPLE_OFFSET + TAG_LENGTH
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn is_long(&self) -> bool {
        self.length_field.is_some()
    }

    /// The connection ID in a short header, at the start of `packet`.
    pub(super) fn short_destination(&self, packet: &[u8]) -> Option<ConnectionId> {
        let id = packet.get(1..self.number_offset).filter(|_| !self.is_long());
        id.and_then(ConnectionId::new)
    }
}

/// What the components wrote into a packet.
#[derive(Clone, Copy, Debug)]
struct Payload {
    length: usize,
    frame_count: u16,
    ack_eliciting: bool,
    /// It acknowledges what was received.
    acknowledges: bool,
}

impl Connection {
    /// Writes, seals and remembers one packet; `None` if there was nothing to write.
    pub(super) fn write_packet(
        &mut self,
        scope: Scope,
        memory: &mut [u8],
        place: Place,
    ) -> Option<Written> {
        let Scope { now, space, acks_only, ecn } = scope;
        self.skip_a_number_sometimes(space);
        // A probe says something useful rather than PING (RFC 9002 §6.2.4): any of them may be
        // the first packet that the peer receives.
        if !acks_only && self.space(space).probes > 0 && !self.has_frames(space) {
            self.requeue_oldest(space, 1);
        }
        self.record_probe(space, acks_only);
        let header = self.write_header(space, memory).ok()?;
        if memory.len() < header.shortest_packet() {
            return None;
        }
        let validates = space == SpaceId::Application
            && !acks_only
            && self.paths.active().validation.wants_padding()
            && place.before + memory.len() >= MINIMUM_DATAGRAM;
        let payload = self.write_payload(scope, validates, memory, &header)?;
        let unpadded = header.length() + payload.length + TAG_LENGTH;
        let full =
            place.must_pad || validates || self.needs_full_datagram(space, payload.ack_eliciting);
        let pads = full && memory.len().saturating_sub(unpadded) < place.worth_another;
        let target = if pads { MINIMUM_DATAGRAM.saturating_sub(place.before) } else { 0 };
        let Some(length) = self.finish_packet(memory, &header, payload.length, target) else {
            self.space_mut(space).sent.rollback_frames(payload.frame_count);
            return None;
        };
        self.remember(
            space,
            NewPacket {
                time_sent: now,
                size: u16::try_from(length).unwrap_or(u16::MAX),
                ack_eliciting: payload.ack_eliciting,
                in_flight: payload.ack_eliciting || pads,
                mtu_probe: false,
                ect: ecn.is_some(),
                path: self.paths.active().generation,
                frame_count: payload.frame_count,
            },
        );
        if payload.acknowledges {
            self.on_ack_sent(space);
        }
        Some(Written { length, must_pad: full && !pads })
    }

    /// Lets the components write into the payload; `None`, and no trace, if they had nothing.
    fn write_payload(
        &mut self,
        scope: Scope,
        padded: bool,
        memory: &mut [u8],
        header: &HeaderWritten,
    ) -> Option<Payload> {
        let space = scope.space;
        let end = memory.len().checked_sub(TAG_LENGTH)?;
        let room = memory.get_mut(header.length()..end)?;
        let mut ring = mem::take(self.space_mut(space).sent.frames_mut());
        let mut packet = PacketWriter::new(room, &mut ring);
        let acknowledges = self.space(space).received.has_unacked();
        // Full is how most packets end.
        let _full: Result<(), Full> = self.write_frames(scope, padded, &mut packet);
        let state = self.space_mut(space);
        // So that the peer's packets need not be acknowledged for ever (RFC 9000 §13.2.4).
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
        //# In that case, an endpoint MUST NOT send an ack-eliciting frame in all
        //# packets that would otherwise be non-ack-eliciting, to avoid an
        //# infinite feedback loop of acknowledgments.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.7
        //# To avoid a deadlock, a sender SHOULD ensure that other frames are sent
        //# periodically in addition to PADDING frames to elicit acknowledgments
        //# from the receiver.
        let is_one_sided = state.acks_in_a_row >= MAXIMUM_ACKS_IN_A_ROW;
        //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.4
        //# When a PTO timer expires, a sender MUST send at least one
        //# ack-eliciting packet in the packet number space as a probe.
        //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.4
        //# All probe packets sent on a PTO MUST be ack-eliciting.
        //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.4
        //# When there is no data to send, the sender SHOULD send a PING or other
        //# ack-eliciting frame in a single packet, rearming the PTO timer.
        let must_elicit = state.probes > 0 || is_one_sided;
        // One that was asked for is sent beside what validates a path, too: that alone tells nobody
        // that this end has moved (RFC 9000 §9.1).
        let owes_a_ping = state.ping || (must_elicit && !packet.is_ack_eliciting());
        if owes_a_ping && !scope.acks_only {
            let _full: Result<(), Full> =
                packet.write(SentFrame::Ping, |writer| writer.varint(FrameType::PING.0));
        }
        let payload = Payload {
            length: packet.length(),
            frame_count: packet.frame_count(),
            ack_eliciting: packet.is_ack_eliciting(),
            acknowledges,
        };
        *state.sent.frames_mut() = ring;
        if payload.ack_eliciting {
            state.probes = state.probes.saturating_sub(1);
            state.ping = false;
            state.acks_in_a_row = 0;
        } else if payload.length > 0 {
            state.acks_in_a_row = state.acks_in_a_row.saturating_add(1);
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-12.4
        //# The payload of a packet that contains frames MUST contain at least one
        //# frame, and MAY contain multiple frames and multiple frame types.
        (payload.length > 0).then_some(payload)
    }

    /// Pads the packet to `target` bytes, and so that it has a sample, and seals it.
    pub(super) fn finish_packet(
        &mut self,
        memory: &mut [u8],
        header: &HeaderWritten,
        payload: usize,
        target: usize,
    ) -> Option<usize> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
        //# To achieve that end, the endpoint SHOULD ensure that all packets it
        //# sends are at least 22 bytes longer than the minimum connection ID
        //# length that it requests the peer to include in its packets, adding
        //# PADDING frames as necessary.
        let minimum =
            header.shortest_packet().max(self.endpoint.connection_id_length + LONGER_THAN_ID);
        let unpadded = header.length() + payload + TAG_LENGTH;
        let length = unpadded.max(minimum).max(target).min(memory.len());
        let packet = memory.get_mut(..length)?;
        packet.get_mut(header.length() + payload..length.checked_sub(TAG_LENGTH)?)?.fill(0);
        if let Some(field) = header.length_field {
            patch_length(packet, field, length.checked_sub(header.number_offset)?);
        }
        self.record_sent(packet, header);
        let HeaderWritten { space, number, number_offset, number_length, .. } = *header;
        let sealed = if space == SpaceId::Application && self.sends_early() {
            self.seal_early(packet, number_offset, number_length, number)
        } else {
            self.keys.seal(space, packet, number_offset, number_length, number)
        };
        match sealed {
            Ok(()) => Some(length),
            Err(error) => {
                self.ending.seal_failed.get_or_insert(error);
                None
            }
        }
    }

    pub(super) fn remember(&mut self, space: SpaceId, packet: NewPacket) {
        let now = packet.time_sent;
        self.counters.packets_sent += 1;
        let number = self.space_mut(space).sent.push(packet);
        if packet.ect {
            self.paths.on_marked_sent(packet.path);
        }
        if let Some(path) = self.paths.by_generation(packet.path) {
            path.on_sent(now, packet.size.into(), packet.in_flight);
            if packet.in_flight {
                path.on_numbered(now, (space, number), packet.size);
            }
        }
        if packet.ack_eliciting && self.idle_timeout.restarts_on_send() {
            let pto = self.pto();
            self.idle_timeout.on_ack_eliciting_sent(now, pto);
        }
    }

    /// The peer may update its keys once packets of the current ones are acknowledged
    /// (RFC 9001 §6.1).
    pub(super) fn on_ack_sent(&mut self, space: SpaceId) {
        let [_, _, application] = &self.spaces;
        if space == SpaceId::Application
            && let Some(keys) = &mut self.keys.one_rtt
            && let Some(largest) = application.received.largest()
        {
            keys.on_ack_sent(largest);
        }
    }

    /// How long full datagrams of at most `most` bytes are. Once all is in 1-RTT packets, they are
    /// a few bytes shorter if an AEAD then has whole blocks alone to work on: what is left over
    /// costs a tenth of its time. Never so short that nothing could be expanded to 1,200 bytes
    /// (RFC 9000 §8.2.1).
    pub(super) fn full_datagram(&self, most: usize) -> usize {
        if self.keys.initial.is_some() || self.keys.handshake.is_some() || self.sends_early() {
            return most;
        }
        let sent = &self.space(SpaceId::Application).sent;
        let number_length =
            PacketNumberLength::for_number(sent.next_number(), sent.largest_acked());
        let header = 1 + self.remote_ids.active().length() + number_length.bytes();
        let left_over = most.saturating_sub(header + TAG_LENGTH) % AEAD_BLOCK;
        let spared = most - left_over;
        if left_over <= WORTH_SPARING && spared >= MINIMUM_DATAGRAM { spared } else { most }
    }

    #[inline]
    pub(super) fn write_header(
        &mut self,
        space: SpaceId,
        memory: &mut [u8],
    ) -> Result<HeaderWritten, Full> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-12.2
        //# Senders MUST NOT coalesce QUIC packets with different connection IDs
        //# into a single UDP datagram.
        self.write_header_to(*self.remote_ids.active(), space, memory)
    }

    #[inline]
    pub(super) fn write_header_to(
        &mut self,
        destination_id: ConnectionId,
        space: SpaceId,
        memory: &mut [u8],
    ) -> Result<HeaderWritten, Full> {
        let sent = &self.space(space).sent;
        let number = sent.next_number();
        //= https://www.rfc-editor.org/rfc/rfc9000#section-12.3
        //# If the packet number for sending reaches 2^62-1, the sender MUST close
        //# the connection without sending a CONNECTION_CLOSE frame or any further
        //# packets; an endpoint MAY send a Stateless Reset (Section 10.3) in
        //# response to further packets that it receives.
        if number >= NUMBER_LIMIT {
            self.ending.seal_failed.get_or_insert(SealError::LimitReached);
            return Err(Full);
        }
        let number_length = PacketNumberLength::for_number(number, sent.largest_acked());
        let mut writer = Writer::new(memory);
        let sends_early = self.sends_early();
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.6
        //# Packets that a client sends with 0-RTT packet protection MUST be acknowledged by
        //# the server in packets protected by 1-RTT keys.
        let length_field = if space == SpaceId::Application && !sends_early {
            let key_phase = self.keys.one_rtt.as_ref().is_some_and(|keys| keys.key_phase());
            //= https://www.rfc-editor.org/rfc/rfc9000#section-17.4
            //# When the spin bit is disabled, endpoints MAY set the spin bit to any value and
            //# MUST ignore any incoming value.
            let parts = ShortHeaderParts { destination_id, spin: self.peer.spin, key_phase };
            write_short_header(&mut writer, &parts, number, number_length)?;
            None
        } else {
            let (ty, token) = match &self.role {
                _ if space == SpaceId::Handshake => (LongType::Handshake, &[][..]),
                _ if space == SpaceId::Application => (LongType::ZeroRtt, &[][..]),
                Role::Client(client) => (LongType::Initial, &*client.token),
                Role::Server(_) => (LongType::Initial, &[][..]),
            };
            let early = ty == LongType::ZeroRtt;
            //= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
            //# Both endpoints MUST send Handshake and 1-RTT packets using the negotiated
            //# version.
            let version = if early { self.early_version() } else { self.version };
            let source_id = self.ids_seen.local_source;
            let parts = LongHeaderParts { ty, version, destination_id, source_id, token };
            Some(write_long_header(&mut writer, &parts, number, number_length)?)
        };
        let number_length = number_length.bytes();
        let number_offset = writer.length().saturating_sub(number_length);
        self.set_quic_bit(memory);
        Ok(HeaderWritten { space, number, number_offset, number_length, length_field })
    }

    /// An acknowledgment of a number that was never sent unmasks its sender (RFC 9000 §21.4).
    pub(super) fn skip_a_number_sometimes(&mut self, space: SpaceId) {
        if space == SpaceId::Application {
            let [_, _, application] = &mut self.spaces;
            self.skipped_numbers.skip_if_due(&mut application.sent, &mut self.random);
        }
    }
}

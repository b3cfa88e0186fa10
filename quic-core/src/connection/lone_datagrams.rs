//! Datagrams that are no part of the ordinary flow: MTU probes, path validation off the active
//! path, and the last one (RFC 9000 §8.2, §10.2, §14.4).

use super::close::CloseReason;
use super::parameters::ACK_DELAY_EXPONENT;
use super::seal::MINIMUM_DATAGRAM;
use super::space::PacketNumberSpace;
use super::{Connection, Role};
use crate::crypto::TAG_LENGTH;
use crate::error::{TransportError, TransportErrorCode};
use crate::instant::Instant;
use crate::net::SocketId;
use crate::packet::{PacketWriter, SentFrame};
use crate::recovery::NewPacket;
use crate::transmit::{Transmit, TransmitBuffer};
use crate::wire::frame::FrameType;
use crate::wire::{Full, SpaceId, Writer};

/// Probe timeouts in a row, nothing acknowledged, before which an interface that refuses the
/// smallest datagrams is not believed, however long it does.
const BELIEVED_AFTER: u32 = 3;

impl Connection {
    /// A datagram that finds out whether the path carries its length (RFC 9000 §14.4).
    pub(super) fn transmit_mtu_probe(
        &mut self,
        now: Instant,
        socket: SocketId,
        buffer: &mut TransmitBuffer<'_>,
    ) -> Option<Transmit> {
        let path = self.paths.active_mut();
        let may_probe = path.addresses.socket == socket
            && path.amplification.is_validated()
            && !path.is_window_limited();
        if !may_probe {
            return None;
        }
        let room = path.window_available();
        let mut size = path.mtu.poll_probe(now, room)?;
        let generation = path.generation;
        let memory = buffer.memory();
        if memory.len() < size.into() {
            path.mtu.on_limit(u16::try_from(memory.len()).unwrap_or(u16::MAX));
            size = path.mtu.poll_probe(now, room)?;
        }
        let memory = memory.get_mut(..size.into())?;
        let (space, ecn) = (SpaceId::Application, self.ecn_mark());
        self.skip_a_number_sometimes(space);
        let header = self.write_header(space, memory).ok()?;
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# Probe loss recovery: It is RECOMMENDED to use probe packets that do
        //# not carry any user data that would require retransmission if lost.
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# Flow control SHOULD NOT apply to DPLPMTU when probe packets use a
        //# design that does not carry user data to the remote application.
        *memory.get_mut(header.length())? = u8::try_from(FrameType::PING.0).ok()?;
        let length = self.finish_packet(memory, &header, 1, size.into())?;
        self.space_mut(space).sent.frames_mut().push_back(SentFrame::Ping);
        self.remember(
            space,
            NewPacket {
                time_sent: now,
                size,
                ack_eliciting: true,
                in_flight: true,
                mtu_probe: true,
                ect: ecn.is_some(),
                path: generation,
                frame_count: 1,
            },
        );
        self.on_datagram_sent(length);
        self.transmit(length, None, ecn)
    }

    /// What left last did not leave at all: the interface carries no datagrams of `length` bytes.
    pub(crate) fn handle_too_large(&mut self, now: Instant, length: usize) {
        let now = self.clock.advance(now);
        let Ok(size) = u16::try_from(length) else { return };
        if !self.lifecycle.is_alive() {
            return;
        }
        let generation = self.paths.active().generation;
        // A probe takes no room in the window any more. Whatever else it was is found to be lost
        // like anything else.
        let space = SpaceId::Application;
        let withdrawn = self.space_mut(space).sent.withdraw_mtu_probe(size, generation);
        let path = self.paths.active_mut();
        if let Some(number) = withdrawn {
            path.on_discarded(size.into());
            path.on_packet_lost(now, (space, number), true);
        }
        path.on_size_refused(size);
        // What went another way says nothing of this one.
        let is_of_active = self.space(space).sent.newest_path().is_none_or(|it| it == generation);
        let is_too_narrow = length <= MINIMUM_DATAGRAM
            && is_of_active
            && self.paths.active_mut().mtu.on_minimum_refused(now);
        if is_too_narrow && self.recovery.pto_count() >= BELIEVED_AFTER {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-14.2
            //# If a QUIC endpoint determines that the PMTU between any pair of local
            //# and remote IP addresses cannot support the smallest allowed maximum
            //# datagram size of 1200 bytes, it MUST immediately cease sending QUIC
            //# packets, except for those in PMTU probes or those containing
            //# CONNECTION_CLOSE frames, on the affected path.
            let reason = "the interface does not carry datagrams of 1,200 bytes";
            self.fail(now, TransportError::new(TransportErrorCode::NO_VIABLE_PATH, reason));
        }
        self.after_input(now);
    }

    /// A challenge or an answer on a path other than the active one (RFC 9000 §8.2).
    pub(super) fn transmit_off_path(
        &mut self,
        now: Instant,
        socket: SocketId,
        buffer: &mut TransmitBuffer<'_>,
    ) -> Option<Transmit> {
        let path = self.paths.off_path(socket)?;
        let (addresses, id, generation) = (path.addresses, path.id, path.generation);
        let allowance = usize::try_from(path.amplification.allowance()).unwrap_or(usize::MAX);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.1
        //# An endpoint MUST expand datagrams that contain a PATH_CHALLENGE frame
        //# to at least the smallest allowed maximum datagram size of 1200 bytes,
        //# unless the anti-amplification limit for the path does not permit
        //# sending a datagram of this size.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.2
        //# An endpoint MUST expand datagrams that contain a PATH_RESPONSE frame
        //# to at least the smallest allowed maximum datagram size of 1200 bytes.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.2
        //# However, an endpoint MUST NOT expand the datagram
        //# containing the PATH_RESPONSE if the resulting data exceeds the anti-
        //# amplification limit.
        let room = allowance.min(MINIMUM_DATAGRAM);
        let memory = buffer.memory().get_mut(..room)?;
        let space = SpaceId::Application;
        self.skip_a_number_sometimes(space);
        let destination_id = self.remote_ids.of_path(id).copied();
        let destination_id = destination_id.unwrap_or(*self.remote_ids.active());
        let header = self.write_header_to(destination_id, space, memory).ok()?;
        let end = memory.len().checked_sub(TAG_LENGTH)?;
        let payload = memory.get_mut(header.length()..end)?;
        let Self { paths, spaces: [_, _, application], .. } = self;
        let application: &mut PacketNumberSpace = application;
        let path = paths.by_generation(generation)?;
        let mut packet = PacketWriter::new(payload, application.sent.frames_mut());
        let padded = room >= MINIMUM_DATAGRAM;
        let _full: Result<(), Full> = path.validation.write_frames(&mut packet, padded);
        // Of a client that moved, nothing else may arrive but what it is asked here, and what it has
        // in flight may keep it from answering.
        let acknowledges = matches!(self.role, Role::Server(_))
            && application
                .received
                .write_copy(now, &mut packet, ACK_DELAY_EXPONENT)
                .is_ok_and(|largest| largest.is_some());
        let (written, frame_count) = (packet.length(), packet.frame_count());
        let target = if padded { MINIMUM_DATAGRAM } else { 0 };
        let length = self.finish_packet(memory, &header, written, target)?;
        self.remember(
            space,
            NewPacket {
                time_sent: now,
                size: u16::try_from(length).unwrap_or(u16::MAX),
                ack_eliciting: true,
                // No window limits what the peer provokes here, and nothing in it is sent again:
                // no more of it is remembered than of ACKs.
                in_flight: false,
                mtu_probe: false,
                ect: false,
                path: generation,
                frame_count,
            },
        );
        if acknowledges {
            self.on_ack_sent(space);
        }
        self.counters.datagrams_sent += 1;
        self.counters.bytes_sent += length as u64;
        self.counters.ledger().on_sent(id, length as u64);
        if let Some(path) = self.paths.by_generation(generation) {
            path.on_datagram_sent(length as u64);
        }
        Some(Transmit { path: addresses, ecn: None, length, segment_length: None })
    }

    /// The last datagram: CONNECTION_CLOSE in every kind of packet that the peer may be able to
    /// open (RFC 9000 §10.2.3). It is kept, to be repeated when provoked.
    pub(super) fn transmit_close(
        &mut self,
        now: Instant,
        socket: SocketId,
        buffer: &mut TransmitBuffer<'_>,
    ) -> Option<Transmit> {
        if self.paths.active().addresses.socket != socket {
            return None;
        }
        let permitted = self.budget(now, socket).map_or(0, |budget| budget.datagram());
        let reason = self.ending.close.take()?;
        let memory = buffer.memory();
        let room = permitted.min(memory.len());
        let mut length = self.write_close(&reason, memory.get_mut(..room).unwrap_or_default());
        let sends = length > 0;
        if !sends {
            // Under the amplification limit it has to wait until the peer sends more: it is kept.
            let room = MINIMUM_DATAGRAM.min(memory.len());
            length = self.write_close(&reason, memory.get_mut(..room).unwrap_or_default());
        }
        let datagram = memory.get(..length).filter(|datagram| !datagram.is_empty());
        self.leave(datagram.map(Box::from));
        if !sends {
            return None;
        }
        self.on_datagram_sent(length);
        self.transmit(length, None, None)
    }

    /// Writes CONNECTION_CLOSE for every space that has keys; returns the datagram's length.
    fn write_close(&mut self, reason: &CloseReason, memory: &mut [u8]) -> usize {
        // A datagram with an Initial packet has to be a full one.
        let room = memory.len();
        let usable = |space: &SpaceId| *space != SpaceId::Initial || room >= MINIMUM_DATAGRAM;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.3
        //# After the handshake is confirmed (see Section 4.1.2 of [QUIC-TLS]), an
        //# endpoint MUST send any CONNECTION_CLOSE frames in a 1-RTT packet.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.3
        //# Under these circumstances, a server SHOULD send a CONNECTION_CLOSE
        //# frame in both Handshake and Initial packets to ensure that at least
        //# one of them is processable by the client.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.3
        //# Prior to confirming the handshake, a peer might be unable to process
        //# 1-RTT packets, so an endpoint SHOULD send a CONNECTION_CLOSE frame in
        //# both Handshake and 1-RTT packets.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.3
        //# A server SHOULD also send a CONNECTION_CLOSE frame in an Initial
        //# packet.
        let spaces = SpaceId::ALL.map(|space| self.can_seal(space) && usable(&space));
        let last = spaces.iter().rposition(|usable| *usable);
        let [has_initial, ..] = spaces;
        let mut length = 0;
        for (index, space) in SpaceId::ALL.into_iter().enumerate() {
            let Some(rest) = memory.get_mut(length..).filter(|_| spaces.get(index) == Some(&true))
            else {
                continue;
            };
            // A packet that does not fit, as one with a long token, leaves the room to others.
            let Ok(header) = self.write_header(space, rest) else { continue };
            let end = rest.len().saturating_sub(TAG_LENGTH);
            let Some(payload) = rest.get_mut(header.length()..end) else { break };
            let mut writer = Writer::new(payload);
            if reason.frame(space).encode(&mut writer).is_err() {
                break;
            }
            let written = writer.length();
            let pads = has_initial && last == Some(index);
            let target = if pads { MINIMUM_DATAGRAM.saturating_sub(length) } else { 0 };
            let Some(sealed) = self.finish_packet(rest, &header, written, target) else {
                break;
            };
            self.space_mut(space).sent.skip_number();
            length += sealed;
        }
        length
    }
}

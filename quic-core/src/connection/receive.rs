//! UDP datagrams → packets → authentic packets (RFC 9000 §5.2, §12.2, RFC 9001 §5).

use super::Connection;
use super::frames::Received;
use super::migration::Judged;
use super::seal::MINIMUM_DATAGRAM;
use super::work_account::COSTLY;
use crate::crypto::{OpenError, Opened};
use crate::error::{ConnectionError, DiscardReason, TransportError};
use crate::instant::Instant;
use crate::net::{EcnCodepoint, PathAddresses, UdpDatagram};
use crate::paths::PathVerdict;
use crate::recorder::{Datagrams, Record};
use crate::wire::header::{Header, LongHeader, LongType, parse};
use crate::wire::{ConnectionId, PacketType, Side, SpaceId, StatelessResetToken};

/// Reserved bits of the first byte, by header form (RFC 9000 §17.2, §17.3.1).
const RESERVED_BITS_LONG: u8 = 0x0c;
const RESERVED_BITS_SHORT: u8 = 0x18;

/// How a packet arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) now: Instant,
    /// When it came: earlier than `now` if its keys came later.
    pub(super) at: Instant,
    pub(super) path: PathAddresses,
    pub(super) ecn: Option<EcnCodepoint>,
    /// Bytes of its datagram.
    pub(super) datagram_bytes: u64,
    /// What the datagram ends in, if it is long enough for a stateless reset and this is its first
    /// packet.
    pub(super) reset_token: Option<StatelessResetToken>,
    /// It came from elsewhere while the handshake goes on.
    pub(super) is_early: bool,
}

/// A protected packet, cut out of its datagram.
pub(super) struct Protected<'a> {
    pub(super) packet_type: PacketType,
    destination_id: ConnectionId,
    /// Of a long header.
    source_id: Option<ConnectionId>,
    /// Of a long header, if it is not the one that the connection is in.
    other_version: Option<u32>,
    number_offset: usize,
    pub(super) bytes: &'a mut [u8],
}

impl Connection {
    /// Takes a UDP datagram, or a train of them, of this connection.
    ///
    /// What cannot be processed is dropped and counted; what breaks the protocol closes the
    /// connection.
    pub fn handle_datagram(&mut self, now: Instant, datagram: UdpDatagram<'_>) {
        let now = self.clock.advance(now);
        if self.idle_timeout.is_over(now) && self.lifecycle.is_alive() {
            // Too late, although nobody came to see it: the peer has forgotten the connection too.
            return self.handle_timeout(now);
        }
        let UdpDatagram { path, ecn, payload, segment_length } = datagram;
        let datagrams = Datagrams::new(payload.len(), segment_length, ecn);
        self.record(now, &Record::DatagramsReceived(datagrams));
        self.counters.batches_received += 1;
        let segment_length = segment_length.unwrap_or(payload.len()).max(1);
        for segment in payload.chunks_mut(segment_length) {
            if !self.lifecycle.is_alive() {
                break;
            }
            let datagram_bytes = segment.len() as u64;
            // Opening a packet destroys it.
            let reset_token = StatelessResetToken::at_end_of(segment);
            let is_early = false;
            let arrival =
                Arrival { now, at: now, path, ecn, datagram_bytes, reset_token, is_early };
            self.handle_segment(arrival, segment);
        }
        self.after_input(now);
    }

    fn handle_segment(&mut self, mut arrival: Arrival, datagram: &mut [u8]) {
        self.counters.datagrams_received += 1;
        self.counters.bytes_received += datagram.len() as u64;
        match self.paths.on_datagram(&arrival.path, datagram.len() as u64) {
            PathVerdict::Active => {}
            verdict @ (PathVerdict::Known | PathVerdict::Unknown | PathVerdict::Early) => {
                self.count_received_elsewhere(&arrival.path, datagram.len() as u64);
                arrival.is_early = verdict == PathVerdict::Early;
            }
            PathVerdict::Ignored => {
                self.discard(arrival.now, DiscardReason::UnknownPath);
                return;
            }
        }
        let mut rest = datagram;
        let mut first_destination = None;
        while !rest.is_empty() && self.lifecycle.is_alive() {
            let Some(length) = self.handle_next_packet(arrival, rest, &mut first_destination)
            else {
                return;
            };
            //= https://www.rfc-editor.org/rfc/rfc9000#section-12.2
            //# Receivers MUST be able to process coalesced packets.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-12.2
            //# The receiver of coalesced QUIC packets MUST individually process each
            //# QUIC packet and separately acknowledge them, as if they were received as
            //# the payload of different UDP datagrams.
            rest = rest.get_mut(length..).unwrap_or_default();
            arrival.reset_token = None;
        }
    }

    fn is_reset(&self, arrival: &Arrival) -> bool {
        arrival.reset_token.is_some_and(|token| self.remote_ids.is_reset_token(&token))
    }

    /// Drops what cannot be read, unless it is the peer's way to say that it knows nothing of the
    /// connection any more.
    pub(super) fn discard_unreadable(&mut self, arrival: &Arrival, reason: DiscardReason) {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
        //# However, endpoints MUST treat any packet ending in a valid
        //# stateless reset token as a Stateless Reset, as other QUIC versions
        //# might allow the use of a long header.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.1
        //# However, the comparison MUST be performed when the first packet in an
        //# incoming datagram either cannot be associated with a connection or
        //# cannot be decrypted.
        if self.is_reset(arrival) {
            self.handle_stateless_reset(arrival.now);
        } else {
            self.discard(arrival.now, reason);
        }
    }

    /// Handles the first packet of `datagram`; returns its length, or `None` if the rest of the
    /// datagram cannot be used.
    pub(super) fn handle_next_packet(
        &mut self,
        arrival: Arrival,
        datagram: &mut [u8],
        first_destination: &mut Option<ConnectionId>,
    ) -> Option<usize> {
        let Ok(header) = parse(datagram, self.endpoint.connection_id_length) else {
            self.discard_unreadable(&arrival, DiscardReason::Malformed);
            return None;
        };
        if !self.accepts_quic_bit(&header, datagram) {
            self.discard_unreadable(&arrival, DiscardReason::Malformed);
            return None;
        }
        let (mut source_id, mut other_version) = (None, None);
        let (packet_type, destination_id, number_offset, length) = match header {
            Header::Long(long) => {
                other_version = (long.version != self.version).then_some(long.version);
                //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2.1
                //# If a client receives a packet that uses a different version than it
                //# initially selected, it MUST discard that packet.
                //= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
                //# An endpoint MUST drop packets using any other version.
                if other_version.is_some() && !self.takes_other_version(&long) {
                    self.discard_unreadable(&arrival, DiscardReason::UnsupportedVersion);
                    return Some(long.packet_length);
                }
                let reason = self.reason_to_discard_source(&long);
                let reason = reason.or_else(|| self.reason_to_discard_initial(&arrival, &long));
                //= https://www.rfc-editor.org/rfc/rfc9000#section-12.2
                //# For example, if decryption fails
                //# (because the keys are not available or for any other reason), the
                //# receiver MAY either discard or buffer the packet for later processing
                //# and MUST attempt to process the remaining packets.
                if let Some(reason) = reason {
                    self.discard_unreadable(&arrival, reason);
                    return Some(long.packet_length);
                }
                source_id = Some(long.source_id);
                (packet_type(long.ty), long.destination_id, long.number_offset, long.packet_length)
            }
            Header::Short(short) => {
                (PacketType::OneRtt, short.destination_id, short.number_offset, datagram.len())
            }
            Header::Retry(retry) => {
                self.handle_retry(arrival.now, &retry, datagram);
                return None;
            }
            Header::VersionNegotiation(header) => {
                self.handle_version_negotiation(arrival.now, &header, datagram.len());
                return None;
            }
            Header::UnknownVersion(_) => {
                self.discard_unreadable(&arrival, DiscardReason::UnsupportedVersion);
                return None;
            }
        };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-12.2
        //# Receivers SHOULD ignore any subsequent packets with a different
        //# Destination Connection ID than the first packet in the datagram.
        if *first_destination.get_or_insert(destination_id) != destination_id {
            self.discard(arrival.now, DiscardReason::UnknownConnection);
            return Some(length);
        }
        let bytes = datagram.get_mut(..length)?;
        let mut packet = Protected {
            packet_type,
            destination_id,
            source_id,
            other_version,
            number_offset,
            bytes,
        };
        self.handle_protected(arrival, &mut packet);
        Some(length)
    }

    /// Why a packet with a long header is not of the peer that began.
    fn reason_to_discard_source(&self, header: &LongHeader<'_>) -> Option<DiscardReason> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-7.2
        //# Once a client has received a valid Initial packet from the server, it MUST
        //# discard any subsequent packet it receives on that connection with a
        //# different Source Connection ID.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-7.2
        //# Any further changes to the Destination Connection ID are only permitted if the
        //# values are taken from NEW_CONNECTION_ID frames; if subsequent Initial packets
        //# include a different Source Connection ID, they MUST be discarded.
        let first = self.ids_seen.peer_initial_source;
        first.is_some_and(|source| source != header.source_id).then_some(DiscardReason::Unexpected)
    }

    /// Why an Initial packet cannot be one of an honest peer.
    fn reason_to_discard_initial(
        &self,
        arrival: &Arrival,
        header: &LongHeader<'_>,
    ) -> Option<DiscardReason> {
        if header.ty != LongType::Initial {
            return None;
        }
        match self.side() {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.2
            //# Initial packets sent by the server MUST set
            //# the Token Length field to 0; clients that receive an Initial
            //# packet with a non-zero Token Length field MUST either discard the
            //# packet or generate a connection error of type PROTOCOL_VIOLATION.
            Side::Client => (!header.token.is_empty()).then_some(DiscardReason::Unexpected),
            //= https://www.rfc-editor.org/rfc/rfc9000#section-14.1
            //# A server MUST discard an Initial packet that is carried in a UDP
            //# datagram with a payload that is smaller than the smallest allowed
            //# maximum datagram size of 1200 bytes.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-14
            //# Therefore, an endpoint MUST NOT close a connection when it receives a
            //# datagram that does not meet size constraints; the endpoint MAY discard
            //# such datagrams.
            Side::Server => (arrival.datagram_bytes < MINIMUM_DATAGRAM as u64)
                .then_some(DiscardReason::TooSmall),
        }
    }

    /// Opens a packet, and does what its frames say.
    fn handle_protected(&mut self, arrival: Arrival, packet: &mut Protected<'_>) {
        let packet_type = packet.packet_type;
        let received = Received {
            now: arrival.now,
            at: arrival.at,
            packet_type,
            destination_id: packet.destination_id,
            source_id: packet.source_id,
            other_version: packet.other_version,
            length: packet.bytes.len(),
        };
        let space = received.space();
        let is_handshake = packet_type == PacketType::Handshake;
        if arrival.is_early && !self.proves_its_sender(packet_type) {
            self.discard(arrival.now, DiscardReason::UnknownPath);
            return;
        }
        if !self.can_open(packet_type) || (is_handshake && packet.other_version.is_some()) {
            self.keep_for_later(arrival, packet);
            return;
        }
        if packet.other_version.is_some() {
            self.handle_other_initial(arrival, &received, packet);
            return;
        }
        let largest = self.space(space).received.largest();
        let opened = if packet_type == PacketType::ZeroRtt {
            self.open_early(packet.bytes, packet.number_offset)
        } else {
            self.keys.open(arrival.now, space, packet.bytes, packet.number_offset, largest)
        };
        let Some(opened) = opened else { return };
        if self.keys.one_rtt.as_ref().is_some_and(|keys| keys.wants_next()) {
            //= https://www.rfc-editor.org/rfc/rfc9001#section-9.5
            //# After receiving a key update, an endpoint SHOULD generate and save the next
            //# set of receive packet protection keys, as described in Section 6.3.
            self.work.charge(arrival.now, COSTLY);
            self.provide_next_keys();
        }
        match opened {
            Ok(opened) => self.handle_opened(arrival, &received, &opened),
            Err(error) => self.handle_not_opened(&arrival, error),
        }
    }

    /// Whether a packet of this type can only be of the peer, and can be opened now. Answers go to
    /// where the handshake began, until the peer is followed.
    fn proves_its_sender(&self, packet_type: PacketType) -> bool {
        matches!(packet_type, PacketType::Handshake | PacketType::OneRtt)
            && self.can_open(packet_type)
    }

    /// Opens an Initial packet of a version that the connection was in, or may move to.
    fn handle_other_initial(
        &mut self,
        arrival: Arrival,
        received: &Received,
        packet: &mut Protected<'_>,
    ) {
        let Some(version) = packet.other_version else { return };
        self.prepare_other_initial(version);
        let largest = self.space(SpaceId::Initial).received.largest();
        let Some(other) = &self.keys.other_initial else { return };
        match other.open(packet.bytes, packet.number_offset, largest) {
            Ok(opened) => match self.on_initial_of(version) {
                Ok(()) => self.handle_opened(arrival, received, &opened),
                Err(error) => self.fail(arrival.now, error),
            },
            Err(error) => self.handle_not_opened(&arrival, error),
        }
    }

    fn handle_opened(&mut self, arrival: Arrival, received: &Received, opened: &Opened<'_>) {
        let space = received.space();
        //= https://www.rfc-editor.org/rfc/rfc9000#section-12.3
        //# A receiver MUST discard a newly unprotected packet unless it is certain
        //# that it has not processed another packet with the same packet number
        //# from the same packet number space.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-12.3
        //# Duplicate suppression MUST happen after removing packet protection for
        //# the reasons described in Section 9.5 of [QUIC-TLS].
        if self.space(space).received.is_duplicate(opened.number) {
            self.discard(arrival.now, DiscardReason::Duplicate);
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.2
        //# The server SHOULD drop newer packets for
        //# this connection that are received on the old IP address.
        if self.paths.is_left_behind(&arrival.path)
            && self.space(space).received.largest().is_none_or(|largest| opened.number > largest)
        {
            self.discard(arrival.now, DiscardReason::UnknownPath);
            return;
        }
        if let Err(error) = self.handle_authentic(arrival, received, opened) {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2
            //# An endpoint MUST generate a connection error if processing the contents
            //# of these packets prior to discovering an error, or fully revert any
            //# changes made during that processing.
            self.fail(arrival.now, error);
        }
    }

    fn handle_authentic(
        &mut self,
        arrival: Arrival,
        received: &Received,
        opened: &Opened<'_>,
    ) -> Result<(), TransportError> {
        let (now, space) = (arrival.now, received.space());
        self.counters.packets_received += 1;
        self.record_received(received, opened);
        let reserved = if received.packet_type == PacketType::OneRtt {
            RESERVED_BITS_SHORT
        } else {
            RESERVED_BITS_LONG
        };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2
        //# An endpoint MUST treat receipt of a packet that has a non-zero
        //# value for these bits after removing both packet and header protection
        //# as a connection error of type PROTOCOL_VIOLATION.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.3.1
        //# An endpoint MUST treat receipt of a packet that has a non-zero value for these bits,
        //# after removing both packet and header protection, as a connection error of type
        //# PROTOCOL_VIOLATION.
        if opened.first_byte & reserved != 0 {
            return Err(TransportError::protocol_violation("reserved bits are set"));
        }
        self.on_authentic(received);
        let contents = self.handle_frames(received, opened.payload)?;
        if !self.lifecycle.is_alive() {
            return Ok(());
        }
        // Initial packets can be anyone's, and the time for them is short.
        if received.packet_type != PacketType::Initial {
            self.work.on_packet(now, contents.work)?;
        }
        let received_packets = &mut self.space_mut(space).received;
        let is_newest = received_packets.largest().is_none_or(|largest| opened.number > largest);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.5
        //# However, endpoints SHOULD include buffering
        //# delays caused by unavailability of decryption keys, since these
        //# delays can be large and are likely to be non-repeating.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.1
        //# A packet MUST NOT be acknowledged until packet protection has been
        //# successfully removed and all frames contained in the packet have been
        //# processed.
        received_packets.on_packet(arrival.at, opened.number, contents.ack_eliciting, arrival.ecn);
        if received.packet_type == PacketType::OneRtt {
            let Arrival { now, path, datagram_bytes, .. } = arrival;
            let (to, is_probing) = (received.destination_id, !contents.non_probing);
            self.judge_path(&Judged { now, path, datagram_bytes, to, is_newest, is_probing })?;
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.2
        //# A PATH_RESPONSE frame MUST be sent on the network path where the
        //# PATH_CHALLENGE frame was received.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.1
        //# Unlike other cases where datagrams are expanded, endpoints MUST NOT
        //# discard datagrams that appear to be too small when they contain
        //# PATH_CHALLENGE or PATH_RESPONSE.
        for challenge in contents.challenges {
            if let Some(path) = self.paths.by_addresses(&arrival.path) {
                path.validation.handle_challenge(challenge);
            }
        }
        if contents.crypto {
            self.settle_version();
            self.drive_handshake(now)?;
        }
        Ok(())
    }

    /// What any authentic packet shows, whatever it carries.
    fn on_authentic(&mut self, received: &Received) {
        if self.idle_timeout.restarts_on_receipt(received.now) {
            let pto = self.pto();
            self.idle_timeout.on_packet_received(received.now, pto);
        }
        match received.packet_type {
            PacketType::Initial => {
                // The peer's connection ID is authentic now (RFC 9000 §7.2).
                if let (None, Some(source)) =
                    (self.ids_seen.peer_initial_source, received.source_id)
                {
                    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.2
                    //# A client MUST change the Destination Connection ID it uses for sending
                    //# packets in response to only the first received Initial or Retry
                    //# packet.
                    self.ids_seen.peer_initial_source = Some(source);
                    self.remote_ids.set_first(source);
                }
            }
            PacketType::Handshake if self.side() == Side::Server => {
                // Only the client could have made it: its address is proved (RFC 9000 §8.1).
                self.paths.on_address_validated();
                //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9.1
                //# a server MUST discard Initial keys when it first
                //# successfully processes a Handshake packet.
                if self.keys.initial.is_some() {
                    self.discard_space(SpaceId::Initial);
                }
            }
            PacketType::OneRtt if self.early_data.is_some() => self.on_one_rtt_packet(received.now),
            PacketType::Handshake | PacketType::ZeroRtt | PacketType::OneRtt => {}
        }
    }

    fn handle_not_opened(&mut self, arrival: &Arrival, error: OpenError) {
        match error.transport_error().filter(|_| !self.is_reset(arrival)) {
            Some(error) => self.fail(arrival.now, error),
            None => self.discard_unreadable(arrival, DiscardReason::Authentication),
        }
    }

    /// The peer does not know the connection any more (RFC 9000 §10.3.1).
    pub(crate) fn handle_stateless_reset(&mut self, now: Instant) {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.1
        //# If the last 16 bytes of the datagram are identical in value to a
        //# stateless reset token, the endpoint MUST enter the draining period and
        //# not send any further packets on this connection.
        self.drain(now, ConnectionError::Reset);
    }
}

pub(super) fn packet_type(ty: LongType) -> PacketType {
    match ty {
        LongType::Initial => PacketType::Initial,
        LongType::ZeroRtt => PacketType::ZeroRtt,
        LongType::Handshake => PacketType::Handshake,
    }
}

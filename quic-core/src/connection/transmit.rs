//! Table 2: what goes out, and in which datagram (RFC 9000 §12.2, §13, §14.1).

use super::Connection;
use super::datagrams::transport;
use super::parameters::ACK_DELAY_EXPONENT;
use super::seal::{MINIMUM_DATAGRAM, Place, Scope};
use crate::instant::Instant;
use crate::net::{EcnCodepoint, SocketId};
use crate::packet::PacketWriter;
use crate::paths::{Permit, Wish};
use crate::recovery::most_remembered;
use crate::streams::Streams;
use crate::transmit::{Transmit, TransmitBuffer};
use crate::wire::{Full, Side, SpaceId};

/// Another packet is started in a datagram only if this many bytes are left.
const WORTH_A_PACKET: usize = 128;
/// Ends of streams after which a batch goes.
const ENDS: u32 = 16;
/// Probe timeouts in a row from which on datagrams are small.
const SMALL_PROBES_FROM: u32 = 2;

/// What may be sent in this batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Whether only ACKs may be sent: the window or the pacer forbids more.
    acks_only: bool,
    /// Bytes of UDP payload left.
    bytes: u64,
    /// Length of a full datagram.
    datagram_length: usize,
}

impl Budget {
    /// The longest datagram that may be sent now.
    pub(super) fn datagram(&self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX).min(self.datagram_length)
    }
}

impl Connection {
    /// Fills `buffer` with the next datagrams to send on `socket`, all to one destination.
    ///
    /// `None`: there is nothing to send now, or nothing may be sent. Call it until then after every
    /// other call.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        socket: SocketId,
        buffer: &mut TransmitBuffer<'_>,
    ) -> Option<Transmit> {
        let now = self.clock.advance(now);
        self.record_output_begins(now);
        let transmit = self.next_transmit(now, socket, buffer);
        self.counters.batches_sent += u64::from(transmit.is_some());
        self.record_output(now, transmit.as_ref());
        transmit
    }

    fn next_transmit(
        &mut self,
        now: Instant,
        socket: SocketId,
        buffer: &mut TransmitBuffer<'_>,
    ) -> Option<Transmit> {
        if self.ending.close.is_some() {
            return self.transmit_close(now, socket, buffer);
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.2
        //# While otherwise identical to the closing state, an endpoint in the
        //# draining state MUST NOT send any packets.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2.2
        //# An endpoint MUST NOT send further packets.
        if !self.lifecycle.is_alive() {
            return None;
        }
        self.keep_keys_fresh(now);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.2
        //# An endpoint MUST NOT delay transmission of a
        //# packet containing a PATH_RESPONSE frame unless constrained by
        //# congestion control.
        let transmit = self
            .transmit_off_path(now, socket, buffer)
            .or_else(|| self.transmit_mtu_probe(now, socket, buffer))
            .or_else(|| self.transmit_batch(now, socket, buffer));
        self.after_output(now, transmit.is_some());
        transmit
    }

    /// What every output ends with.
    fn after_output(&mut self, now: Instant, sent: bool) {
        if let Some(error) = self.ending.seal_failed.take() {
            self.fail(now, error.into());
            return;
        }
        if !sent {
            return;
        }
        self.update_recovery_timer(now);
    }

    /// The socket that the next datagrams leave from, if there may be any.
    pub(crate) fn transmit_socket(&self) -> Option<SocketId> {
        if self.ending.close.is_none() && !self.lifecycle.is_alive() {
            return None;
        }
        let active = self.paths.active().addresses.socket;
        // The last datagram goes where the peer is; nothing else is sent any more.
        let elsewhere = self.paths.off_path_socket().filter(|_| self.ending.close.is_none());
        Some(elsewhere.unwrap_or(active))
    }

    fn transmit_batch(
        &mut self,
        now: Instant,
        socket: SocketId,
        buffer: &mut TransmitBuffer<'_>,
    ) -> Option<Transmit> {
        if !SpaceId::ALL.iter().any(|space| self.wants(*space, false)) {
            self.paths.active_mut().on_nothing_to_send();
            return None;
        }
        let mut budget = self.budget(now, socket)?;
        let ecn = self.ecn_mark().filter(|_| !budget.acks_only && self.elicits());
        let maximum_segments = buffer.maximum_segments();
        let memory = buffer.memory();
        let mut length = 0;
        let segment_length = self.full_datagram(budget.datagram_length);
        let mut segments = 0;
        let ends_before = self.ends_sent();
        while segments < maximum_segments {
            let room = segment_length.min(budget.datagram());
            // What is left over makes no short datagram, but part of a later full one.
            if segments > 0
                && (room < segment_length || self.remembers_too_much(SpaceId::Application))
            {
                break;
            }
            let Some(datagram) = memory.get_mut(length..).and_then(|rest| {
                let room = room.min(rest.len());
                rest.get_mut(..room)
            }) else {
                break;
            };
            let written = self.write_datagram(now, datagram, budget.acks_only, ecn);
            if written == 0 {
                break;
            }
            self.on_datagram_sent(written);
            self.discard_initial_keys_if_used_up();
            budget.bytes = budget.bytes.saturating_sub(written as u64);
            length += written;
            segments += 1;
            // All datagrams of a batch have one length; only the last may be shorter. What is whole
            // goes early: the peer works on it while the rest is written.
            if written < segment_length || self.ends_sent().wrapping_sub(ends_before) >= ENDS {
                break;
            }
        }
        if length >= segment_length && self.keys.handshake.is_none() {
            self.paths.active_mut().mtu.want();
        }
        self.transmit(length, (segments > 1).then_some(segment_length), ecn)
    }

    fn ends_sent(&self) -> u32 {
        self.streams.used().map_or(0, Streams::ends_sent)
    }

    pub(super) fn transmit(
        &self,
        length: usize,
        segment_length: Option<usize>,
        ecn: Option<EcnCodepoint>,
    ) -> Option<Transmit> {
        let path = self.paths.active().addresses;
        (length > 0).then_some(Transmit { path, ecn, length, segment_length })
    }

    pub(super) fn on_datagram_sent(&mut self, length: usize) {
        self.counters.datagrams_sent += 1;
        self.counters.bytes_sent += length as u64;
        self.paths.active_mut().on_datagram_sent(length as u64);
    }

    /// After each datagram, so that none of the same batch has an Initial packet any more.
    fn discard_initial_keys_if_used_up(&mut self) {
        //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9.1
        //# Thus, a client MUST discard Initial keys when it first sends a
        //# Handshake packet and a server MUST discard Initial keys when it first
        //# successfully processes a Handshake packet.  Endpoints MUST NOT send
        //# Initial packets after this point.
        if self.keys.initial.is_some()
            && self.side() == Side::Client
            && self.space(SpaceId::Handshake).sent.next_number() > 0
        {
            self.discard_space(SpaceId::Initial);
        }
    }

    /// Asks the path what may be sent.
    pub(super) fn budget(&mut self, now: Instant, socket: SocketId) -> Option<Budget> {
        // A path whose window is full of what was lost with the last one has to be validated, too.
        // Answers wait: a peer that asks often must not get ever more past the window.
        // A peer that never acknowledges must not have any number of them remembered.
        let has_room = self.makes_room();
        let validates = self.paths.active().validation.is_challenge_due()
            && has_room
            && !self.space(SpaceId::Application).sent.is_crowded();
        let wish = Wish {
            probe: validates || self.spaces.iter().any(|space| space.probes > 0),
            close: self.ending.close.is_some(),
        };
        let mtu = self.paths.active().mtu.current().into();
        match self.paths.permit(now, socket, wish) {
            Permit::None(_) => None,
            Permit::AcksOnly { bytes, .. } => {
                Some(Budget { acks_only: true, bytes, datagram_length: mtu })
            }
            Permit::Any { bytes, datagram_length } => Some(Budget {
                acks_only: !has_room && wish == Wish::default(),
                bytes,
                datagram_length: self.probed(datagram_length),
            }),
        }
    }

    /// Whether there is room to remember more packets, after room was made. A peer that does not
    /// acknowledge, or not all, must not have any number of them remembered, however large it made
    /// the congestion window before.
    fn makes_room(&mut self) -> bool {
        let config = transport(&self.role);
        let mut spaces = SpaceId::ALL.into_iter().zip(&mut self.spaces);
        spaces.all(|(id, space)| {
            let used = space.used_mut();
            used.is_none_or(|used| used.sent.make_room(most_remembered(config, id)))
        })
    }

    /// Whether there is no room to remember another packet of this space; then probes say nothing
    /// but that they are there.
    fn remembers_too_much(&self, space: SpaceId) -> bool {
        let most = most_remembered(transport(&self.role), space);
        self.space(space).sent.is_full(most)
    }

    /// Probes that follow unanswered ones are of a length that the path is sure to carry: their
    /// length may be why nothing arrives (RFC 8899 §4.3).
    fn probed(&self, datagram_length: usize) -> usize {
        let floor = self.paths.active().mtu.floor().into();
        if self.recovery.pto_count() >= SMALL_PROBES_FROM { floor } else { datagram_length }
    }

    /// Writes one datagram: a packet of each space that has something to say, as far as they fit.
    /// Returns its length; 0 if there is nothing to say.
    fn write_datagram(
        &mut self,
        now: Instant,
        memory: &mut [u8],
        acks_only: bool,
        ecn: Option<EcnCodepoint>,
    ) -> usize {
        let [initial, handshake, application] =
            SpaceId::ALL.map(|space| self.wants(space, acks_only));
        //= https://www.rfc-editor.org/rfc/rfc9001#section-4
        //# When packets of different types need to be sent, endpoints SHOULD use coalesced
        //# packets to send them in the same UDP datagram.
        let initial = initial && memory.len() >= MINIMUM_DATAGRAM;
        let spaces = [
            (SpaceId::Initial, initial, handshake || application),
            (SpaceId::Handshake, handshake, application),
            (SpaceId::Application, application, false),
        ];
        let mut length = 0;
        let mut must_pad = false;
        for &(space, _, more_follows) in spaces.iter().filter(|(_, wanted, _)| *wanted) {
            let Some(rest) = memory.get_mut(length..) else { break };
            if length > 0 && rest.len() < WORTH_A_PACKET {
                break;
            }
            let place = Place {
                before: length,
                must_pad,
                worth_another: if more_follows { WORTH_A_PACKET } else { usize::MAX },
            };
            let scope = Scope { now, space, acks_only, ecn };
            let Some(written) = self.write_packet(scope, rest, place) else { continue };
            length += written.length;
            must_pad = written.must_pad;
        }
        // The packet that was to do the padding came to nothing: an invalid one does
        // (RFC 9000 §14.1).
        if must_pad && let Some(rest) = memory.get_mut(length..MINIMUM_DATAGRAM) {
            rest.fill(0);
            length = MINIMUM_DATAGRAM;
        }
        length
    }

    /// The one table of outgoing frames, most urgent first.
    pub(super) fn write_frames(
        &mut self,
        scope: Scope,
        padded: bool,
        packet: &mut PacketWriter<'_>,
    ) -> Result<(), Full> {
        let Scope { now, space, acks_only, .. } = scope;
        if space == SpaceId::Application && self.sends_early() {
            return if acks_only { Ok(()) } else { self.write_application_data(now, packet) };
        }
        let received = &mut self.space_mut(space).received;
        // So a packet with an answer on the active path is no probing one.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3.3
        //# An endpoint that receives a PATH_CHALLENGE
        //# on an active path SHOULD send a non-probing packet in response.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2
        //# When sending a packet for any reason, an endpoint SHOULD attempt to
        //# include an ACK frame if one has not been sent recently.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.1
        //# An endpoint SHOULD send an ACK frame with other frames when there are
        //# new ack-eliciting packets to acknowledge.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.6
        //# ACK frames MUST only be carried in a packet that has the same packet
        //# number space as the packet being acknowledged; see Section 12.1.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.6
        //# For instance, packets that are protected with 1-RTT keys MUST be
        //# acknowledged in packets that are also protected with 1-RTT keys.
        if received.has_unacked() {
            received.write(now, packet, ACK_DELAY_EXPONENT)?;
        }
        //= https://www.rfc-editor.org/rfc/rfc9221#section-5.4
        //# The sender MUST either delay sending the frame until the controller
        //# allows it or drop the frame without sending it (at which point it MAY
        //# notify the application).
        if acks_only || self.remembers_too_much(space) {
            return Ok(());
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-12.2
        //# An endpoint SHOULD include multiple frames in a single packet if they
        //# are to be sent at the same encryption level, instead of coalescing
        //# multiple packets at the same encryption level.
        self.handshake.write_frames(space, packet)?;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-12.5
        //# All other frame types MUST only be sent in the application data packet
        //# number space.
        //= https://www.rfc-editor.org/rfc/rfc9221#section-5
        //# Like STREAM frames, DATAGRAM frames contain application data and MUST be
        //# protected with either 0-RTT or 1-RTT keys.
        //= https://www.rfc-editor.org/rfc/rfc9221#section-6
        //# All application data transmitted with the DATAGRAM frame, like the
        //# STREAM frame, MUST be protected either by 0-RTT or 1-RTT keys.
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-4
        //# RESET_STREAM_AT frames are ack-eliciting, and MUST only be sent in the
        //# application data packet number space.
        if space != SpaceId::Application {
            return Ok(());
        }
        self.paths.active_mut().validation.write_frames(packet, padded)?;
        if self.ack_frequency.is_some() {
            self.write_ack_frequency(now, packet)?;
        }
        self.local_ids.write_frames(packet)?;
        self.remote_ids.write_frames(packet)?;
        self.write_application_data(now, packet)
    }

    /// Whether a packet of `space` is to be sent.
    pub(super) fn wants(&self, space: SpaceId, acks_only: bool) -> bool {
        if !self.can_seal(space) {
            return false;
        }
        let state = self.space(space);
        if state.received.should_ack_now() {
            return true;
        }
        !acks_only && (state.probes > 0 || state.ping || self.has_frames(space))
    }

    /// Whether any component has a frame for `space`.
    pub(super) fn has_frames(&self, space: SpaceId) -> bool {
        if space == SpaceId::Application && self.sends_early() {
            return self.has_application_data();
        }
        self.handshake.has_frames(space)
            || (space == SpaceId::Application && self.has_application_frames())
    }

    fn has_application_data(&self) -> bool {
        self.streams.used().is_some_and(Streams::has_frames)
            || self.datagrams.as_ref().is_some_and(|datagrams| datagrams.has_frames())
    }

    fn has_application_frames(&self) -> bool {
        self.has_application_data()
            || self.ack_frequency.as_ref().is_some_and(|it| it.has_frames())
            || self.paths.active().validation.wants_padding()
            || self.local_ids.has_frames()
            || self.remote_ids.has_frames()
    }

    /// A client's Initial packets, and a server's that elicit acknowledgments, travel in full
    /// datagrams (RFC 9000 §14.1).
    //= https://www.rfc-editor.org/rfc/rfc9001#section-9.3
    //# First, the packet containing a ClientHello MUST be padded to a minimum size.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1
    //# Clients MUST ensure that UDP datagrams containing Initial packets have
    //# UDP payloads of at least 1200 bytes, adding PADDING frames as necessary.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-14.1
    //# A client MUST expand the payload of all UDP datagrams carrying Initial
    //# packets to at least the smallest allowed maximum datagram size of 1200
    //# bytes by adding PADDING frames to the Initial packet or by coalescing
    //# the Initial packet; see Section 12.2.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-14.1
    //# Similarly, a server MUST expand the payload of all UDP datagrams
    //# carrying ack-eliciting Initial packets to at least the smallest
    //# allowed maximum datagram size of 1200 bytes.
    pub(super) fn needs_full_datagram(&self, space: SpaceId, ack_eliciting: bool) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-6
        //# Clients that support multiple QUIC versions SHOULD ensure that the first UDP
        //# datagram they send is sized to the largest of the minimum datagram sizes from all
        //# versions they support, using PADDING frames (Section 19.1) as necessary.
        space == SpaceId::Initial && (self.side() == Side::Client || ack_eliciting)
    }
}

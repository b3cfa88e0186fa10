//! 0-RTT: its keys, the limits it goes by, and what becomes of it (RFC 9001 §4.6, RFC 9000 §7.4.1).

use std::fmt;

use rustls::quic::DirectionalKeys;

use super::{Connection, Role};
use crate::crypto::{OpenError, Opened, SealError, open, seal};
use crate::deadline::Deadline;
use crate::error::TransportError;
use crate::event::Event;
use crate::instant::Instant;
use crate::wire::frame::Ack;
use crate::wire::transport_parameters::{EarlyLimits, TransportParameters, decode};
use crate::wire::{PacketType, Side, SpaceId};

/// How far early data (0-RTT) has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum EarlyDataStatus {
    /// The client may send it, and does not know yet whether the server takes it.
    Offered,
    /// The server takes it.
    Accepted,
    /// The server did not take it.
    Rejected,
}

/// What a connection knows that has 0-RTT.
pub(super) struct EarlyData {
    status: EarlyDataStatus,
    keys: Option<DirectionalKeys>,
    /// Client: what the server allowed when it gave the ticket.
    limits: EarlyLimits,
    /// Client: the server can have no reason to acknowledge packets below this number.
    rejected_below: u64,
    /// Server: when the keys go.
    discard_keys: Deadline,
}

impl EarlyData {
    pub(super) fn new(status: EarlyDataStatus, keys: DirectionalKeys, limits: EarlyLimits) -> Self {
        Self {
            status,
            keys: Some(keys),
            limits,
            rejected_below: 0,
            discard_keys: Deadline::default(),
        }
    }

    /// The server did not take it: packets from this number on are others.
    pub(super) fn reject(&mut self, next: u64) {
        self.status = EarlyDataStatus::Rejected;
        self.rejected_below = next;
    }
}

impl fmt::Debug for EarlyData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EarlyData")
            .field("status", &self.status)
            .field("keys", &self.keys.is_some())
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// How far early data (0-RTT) has come: on a client, whether it can be sent, and was taken; on
    /// a server, `Accepted` if it may come. `None` if there is none.
    pub fn early_data(&self) -> Option<EarlyDataStatus> {
        self.early_data.as_ref().map(|early| early.status)
    }

    /// After [`Event::EarlyDataRejected`]: sends what was written to streams in 0-RTT again, on
    /// the same streams. What is more than the limits that the server set this time allow waits
    /// for larger ones.
    ///
    /// Without this, or [`discard_early_data`](Self::discard_early_data), streams stand still.
    pub fn resend_early_data(&mut self) {
        if let Some(streams) = self.streams.used_mut() {
            streams.resend_early();
        }
    }

    /// After [`Event::EarlyDataRejected`]: forgets the streams that were opened in 0-RTT, and what
    /// was written to them. The streams that are opened next have the same IDs.
    pub fn discard_early_data(&mut self) {
        if let Some(streams) = self.streams.used_mut() {
            streams.discard_early();
        }
    }

    /// A client that resumes a session may send at once, by what it remembers of the server.
    pub(super) fn offer_early_data(&mut self, now: Instant) {
        let session = self.handshake.session_mut();
        let remembered = session.remembered_parameters();
        // What cannot be read was never taken from a server.
        let remembered = remembered.and_then(|bytes| decode(bytes, Side::Server).ok());
        let Some(remembered) = remembered else { return };
        let Some(keys) = session.early_keys() else { return };
        let limits = EarlyLimits::from(&remembered);
        self.early_data = Some(Box::new(EarlyData::new(EarlyDataStatus::Offered, keys, limits)));
        self.apply_remembered(now, &remembered);
    }

    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
    //# A client that attempts to send 0-RTT data MUST remember all other
    //# transport parameters used by the server that it is able to process.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
    //# A client MUST NOT use remembered values for the following parameters:
    //# ack_delay_exponent, max_ack_delay, initial_source_connection_id,
    //# original_destination_connection_id, preferred_address,
    //# retry_source_connection_id, and stateless_reset_token.
    pub(super) fn apply_remembered(&mut self, now: Instant, remembered: &TransportParameters) {
        self.streams.set_peer_limits(remembered.into());
        self.set_peer_datagram_size(remembered);
        self.set_peer_idle_timeout(now, remembered);
        self.paths.set_peer_maximum(remembered.max_udp_payload_size);
        self.peer.forbids_migration = remembered.disable_active_migration;
    }

    /// A server that took a ClientHello with early data opens the packets that come with it; one
    /// that did not take it throws them away.
    pub(super) fn accept_early_data(&mut self, now: Instant) {
        if self.side() == Side::Client || self.keys.handshake.is_none() {
            return;
        }
        if let Some(keys) = self.handshake.session_mut().early_keys() {
            let limits = EarlyLimits::from(&TransportParameters::default());
            self.early_data =
                Some(Box::new(EarlyData::new(EarlyDataStatus::Accepted, keys, limits)));
        }
        self.replay_undecryptable(now, PacketType::ZeroRtt);
    }

    /// The client knows what became of its early data, before it takes over the server's
    /// transport parameters, which are `new`.
    ///
    /// # Errors
    /// PROTOCOL_VIOLATION if the server took it and allows less than it did.
    pub(super) fn conclude_early_data(
        &mut self,
        now: Instant,
        new: &TransportParameters,
    ) -> Result<(), TransportError> {
        let accepted = self.handshake.session().early_data_accepted();
        let Some(early) = &mut self.early_data else { return Ok(()) };
        if early.status != EarlyDataStatus::Offered {
            return Ok(());
        }
        if accepted == Some(true) {
            early.status = EarlyDataStatus::Accepted;
            //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
            //# In particular, a server that accepts 0-RTT data
            //# MUST NOT set values for the following parameters (Section 18.2) that
            //# are smaller than the remembered values of the parameters.
            //= https://www.rfc-editor.org/rfc/rfc9221#section-3
            //# If a client stores the value of the max_datagram_frame_size transport
            //# parameter with their 0-RTT state, they MUST validate that the new value
            //# of the max_datagram_frame_size transport parameter sent by the server in
            //# the handshake is greater than or equal to the stored value; if not, the
            //# client MUST terminate the connection with error PROTOCOL_VIOLATION.
            if !EarlyLimits::from(new).covers(&early.limits) {
                return Err(TransportError::protocol_violation("limits below those for 0-RTT"));
            }
            return Ok(());
        }
        self.reject_early_data(now);
        Ok(())
    }

    /// What was sent in 0-RTT did not arrive, and no more of it is.
    pub(super) fn reject_early_data(&mut self, now: Instant) {
        let next = SpaceId::Application.of(&self.spaces).sent.next_number();
        let Some(early) = &mut self.early_data else { return };
        if early.status != EarlyDataStatus::Offered {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc9001#section-5.6
        //# A client SHOULD stop sending 0-RTT data if it receives an
        //# indication that 0-RTT data has been rejected.
        early.keys = None;
        early.reject(next);
        self.resend_all(SpaceId::Application);
        self.streams.on_early_data_rejected();
        self.events.push_back(Event::EarlyDataRejected);
        self.update_recovery_timer(now);
    }

    /// Whether packets of `space` can be sealed.
    #[inline]
    pub(super) fn can_seal(&self, space: SpaceId) -> bool {
        self.keys.can_seal(space) || (space == SpaceId::Application && self.sends_early())
    }

    /// Whether Application packets are 0-RTT packets of a client now.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.6
    //# A server MUST NOT use 0-RTT keys to protect packets; it uses 1-RTT
    //# keys to protect acknowledgments of 0-RTT packets.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.6
    //# Once a client has installed 1-RTT keys, it MUST NOT send any more
    //# 0-RTT packets.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.3
    //# An acknowledgment for a 1-RTT packet MUST be carried in a 1-RTT packet.
    #[inline]
    pub(super) fn sends_early(&self) -> bool {
        self.keys.one_rtt.is_none() && self.has_early_keys() && self.side() == Side::Client
    }

    /// Whether there are keys for 0-RTT packets.
    pub(super) fn has_early_keys(&self) -> bool {
        self.early_data.as_ref().is_some_and(|early| early.keys.is_some())
    }

    /// Whether 0-RTT packets can be opened.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.6
    //# A client MUST NOT attempt to decrypt 0-RTT packets it receives and
    //# instead MUST discard them.
    pub(super) fn opens_early(&self) -> bool {
        self.side() == Side::Server && self.has_early_keys()
    }

    /// Whether a 0-RTT packet may turn out to be good: its ClientHello is not there yet.
    pub(super) fn may_open_early(&self) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9001#section-4.6.2
        //# When rejecting 0-RTT, a server MUST NOT process any 0-RTT packets,
        //# even if it could.
        self.side() == Side::Server
            && self.keys.handshake.is_none()
            && !self.handshake.is_complete()
    }

    /// Opens a 0-RTT packet. See [`open`].
    pub(super) fn open_early<'a>(
        &self,
        packet: &'a mut [u8],
        number_offset: usize,
    ) -> Option<Result<Opened<'a>, OpenError>> {
        let keys = self.early_data.as_ref()?.keys.as_ref()?;
        let largest = self.space(SpaceId::Application).received.largest();
        Some(open(keys, packet, number_offset, largest))
    }

    /// Protects a 0-RTT packet. See [`seal`].
    pub(super) fn seal_early(
        &self,
        packet: &mut [u8],
        number_offset: usize,
        number_length: usize,
        number: u64,
    ) -> Result<(), SealError> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.3
        //# A client MUST NOT send 0-RTT packets once it starts processing 1-RTT packets from
        //# the server.
        let keys = self.early_data.as_ref().and_then(|early| early.keys.as_ref());
        seal(keys.ok_or(SealError::Length)?, packet, number_offset, number_length, number)
    }

    /// There are 1-RTT keys.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9.3
    //# Therefore, a client SHOULD discard 0-RTT keys as soon as it installs
    //# 1-RTT keys as they have no use after that moment.
    pub(super) fn on_one_rtt_keys(&mut self) {
        if let (Role::Client(_), Some(early)) = (&self.role, &mut self.early_data) {
            early.keys = None;
        }
    }

    /// A 1-RTT packet came: a server keeps the 0-RTT keys for those that it overtook.
    pub(super) fn on_one_rtt_packet(&mut self, now: Instant) {
        let short = self.pto().saturating_mul(3);
        let Some(early) = &mut self.early_data else { return };
        //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9.3
        //# After receiving a 1-RTT packet,
        //# servers MUST discard 0-RTT keys within a short time; the RECOMMENDED
        //# time period is three times the Probe Timeout (PTO, see
        //# [QUIC-RECOVERY]).
        if early.keys.is_some() && early.discard_keys.get().is_none() {
            early.discard_keys.set(now + short);
        }
    }

    /// When 0-RTT keys are to be discarded.
    pub(super) fn early_data_deadline(&self) -> Option<Instant> {
        self.early_data.as_ref()?.discard_keys.get()
    }

    /// Discards the keys if it is time.
    pub(super) fn expire_early_data(&mut self, now: Instant) {
        if let Some(early) = &mut self.early_data
            && early.discard_keys.expire(now)
        {
            early.keys = None;
        }
    }

    /// Checks that the server does not acknowledge what it says it did not take.
    ///
    /// # Errors
    /// PROTOCOL_VIOLATION.
    pub(super) fn check_early_ack(&self, ack: &Ack<'_>) -> Result<(), TransportError> {
        let Some(early) = &self.early_data else { return Ok(()) };
        //= https://www.rfc-editor.org/rfc/rfc9001#section-4.6.2
        //# When 0-RTT was rejected, a client SHOULD treat receipt of an
        //# acknowledgment for a 0-RTT packet as a connection error of type
        //# PROTOCOL_VIOLATION, if it is able to detect the condition.
        if ack.ranges().any(|range| *range.start() < early.rejected_below) {
            return Err(TransportError::protocol_violation("ACK of rejected 0-RTT packets"));
        }
        Ok(())
    }
}

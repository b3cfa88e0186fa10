//! One path: where to, how fast, how much, how large.

#[cfg(test)]
mod tests;

use std::mem;
use std::time::Duration;

use super::amplification::Amplification;
use super::ecn::EcnValidation;
use super::mtu_discovery::MtuDiscovery;
use super::permit::USEFUL_BYTES;
use super::validation::Validation;
use crate::config::{CongestionAlgorithm, TransportConfig};
use crate::congestion::{
    Acked, Bbr, CongestionController, Cubic, DeliverySampler, NewReno, Pacer, Rtt, Sent,
};
use crate::instant::Instant;
use crate::memory;
use crate::net::PathAddresses;
use crate::wire::{Side, SpaceId};

/// A network path and all that is estimated of it.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) addresses: PathAddresses,
    /// Names the path. Never given again, but by a peer that moves 2^32 times.
    pub(crate) id: u32,
    /// Names the estimates: packets sent are accounted to the path with their generation.
    pub(crate) generation: u32,
    pub(crate) rtt: Rtt,
    pub(crate) congestion: Box<dyn CongestionController>,
    pub(crate) pacer: Pacer,
    pub(crate) mtu: MtuDiscovery,
    pub(crate) ecn: EcnValidation,
    pub(crate) amplification: Amplification,
    pub(crate) validation: Validation,
    /// Bytes of packets that count as in flight (RFC 9002 §2).
    in_flight: u64,
    /// When the window, or the pacer on its behalf, last was what limited sending.
    limited_at: Option<Instant>,
    /// Only where the controller asks for it.
    delivery: Option<Box<DeliverySampler>>,
    pub(super) role: Role,
    /// Which of the peer's IDs its packets carry, while it is not the active one.
    pub(super) peer_id: PeerId,
    /// Sequence number of this end's ID that the peer came there with.
    pub(crate) came_to: u64,
    /// This end made it and has yet to see that it works. The amplification limit does not tell:
    /// nothing is limited towards an address that this end chose.
    pub(super) is_unproved: bool,
    /// Something was acknowledged since it became the active path.
    pub(super) is_answered: bool,
    /// The peer's tokens are for another address.
    pub(super) owes_tokens: bool,
}

/// What becomes of a path once it is validated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// Nothing.
    Other,
    /// It is kept: the application asked for it and may move there.
    Probe,
    /// Its outcome is told, and no more: this client moved there, and on before it was known.
    Left,
    /// It becomes the active one.
    Candidate,
    /// It did not answer, but the newest packets come from there. So it keeps its ID, and is asked
    /// again when the next one comes: the peer may hear nothing that is sent elsewhere, and give no
    /// other ID therefore. Whatever needs the room takes it.
    Awaited,
}

impl Role {
    /// What it is once the validation failed. Clients know where their server is.
    pub(super) fn after_failure(self, side: Side) -> Self {
        let is_awaited = self == Self::Candidate && side == Side::Server;
        if is_awaited { Self::Awaited } else { Self::Other }
    }
}

/// Whether a path besides the active one has an ID of the peer's for its packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PeerId {
    /// One that is on no other path.
    Own,
    /// The active one: the peer changed its address, but not its ID, and has given no other
    /// (RFC 9000 §9.5).
    Shared,
    /// None: nothing can be sent.
    None,
}

impl Path {
    pub(crate) fn new(
        addresses: PathAddresses,
        generation: u32,
        config: &TransportConfig,
        amplification: Amplification,
    ) -> Self {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-14.2
        //# An endpoint SHOULD use DPLPMTUD (Section 14.3) or PMTUD (Section
        //# 14.2.1) to determine whether the path to a destination will support a
        //# desired maximum datagram size without fragmentation.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-14.2
        //# QUIC implementations that implement any kind of PMTU discovery
        //# therefore SHOULD maintain a maximum datagram size for each combination
        //# of local and remote IP addresses.
        let mtu = MtuDiscovery::new(config.initial_mtu, config.max_mtu);
        let size = mtu.current();
        let congestion: Box<dyn CongestionController> = match &config.congestion {
            CongestionAlgorithm::Cubic => Box::new(Cubic::new(size)),
            CongestionAlgorithm::NewReno => Box::new(NewReno::new(size)),
            CongestionAlgorithm::Bbr => Box::new(Bbr::new(size)),
            CongestionAlgorithm::Custom(make) => make(size),
        };
        let samples = congestion.samples_delivery_rate();
        Self {
            addresses,
            id: generation,
            generation,
            rtt: Rtt::new(config.initial_rtt),
            congestion,
            pacer: Pacer::new(size),
            mtu,
            ecn: EcnValidation::new(config.ecn),
            amplification,
            validation: Validation::default(),
            in_flight: 0,
            limited_at: None,
            delivery: samples.then(|| Box::new(DeliverySampler::new())),
            role: Role::Other,
            peer_id: PeerId::Own,
            came_to: 0,
            is_unproved: false,
            is_answered: true,
            owes_tokens: false,
        }
    }

    /// Heap of a path at the most, in bytes; see [`Paths::worst_case_bytes`](super::Paths).
    pub(super) fn worst_case_bytes(config: &TransportConfig, records: u64) -> u64 {
        let controller = match &config.congestion {
            CongestionAlgorithm::Cubic => size_of::<Cubic>(),
            CongestionAlgorithm::NewReno => size_of::<NewReno>(),
            CongestionAlgorithm::Bbr => size_of::<Bbr>(),
            CongestionAlgorithm::Custom(_) => 0,
        };
        let samples = match &config.congestion {
            CongestionAlgorithm::Cubic | CongestionAlgorithm::NewReno => 0,
            CongestionAlgorithm::Bbr | CongestionAlgorithm::Custom(_) => {
                DeliverySampler::worst_case_bytes(records)
            }
        };
        memory::sum([controller as u64, samples, Validation::worst_case_bytes()])
    }

    /// Whether the peer is known to be there.
    pub(crate) fn is_proved(&self) -> bool {
        self.amplification.is_validated() && !self.is_unproved
    }

    pub(crate) fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Whether its validation was asked for, and has its outcome told.
    pub(super) fn is_wanted(&self) -> bool {
        !matches!(self.role, Role::Other | Role::Awaited)
    }

    /// Whether nothing is known of it, nor about to be.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_proved() && !self.validation.is_running()
    }

    /// Whether it works, but is kept only for what may come late.
    pub(super) fn is_lingering(&self) -> bool {
        self.is_proved() && self.role == Role::Other && !self.validation.is_asking()
    }

    /// Whether something is to be sent on it, and may, while it is not the active path.
    pub(super) fn wants_datagram(&self) -> bool {
        self.validation.wants_padding()
            && self.peer_id != PeerId::None
            && self.amplification.allowance() >= USEFUL_BYTES
    }

    /// A packet of `bytes` bytes was sent. The datagrams are counted apart, by
    /// [`Self::on_datagram_sent`].
    pub(crate) fn on_sent(&mut self, now: Instant, bytes: u64, in_flight: bool) {
        if in_flight {
            //= https://www.rfc-editor.org/rfc/rfc9002#section-7.5
            //# A sender MUST however count these packets as being additionally in
            //# flight, since these packets add network load without establishing
            //# packet loss.
            self.in_flight = self.in_flight.saturating_add(bytes);
            let app_limited = self.delivery.as_ref().is_some_and(|rate| rate.is_app_limited());
            let sent = Sent { bytes, in_flight: self.in_flight, app_limited };
            self.congestion.on_sent(now, &sent);
            self.pacer.on_sent(now, bytes);
            if self.is_window_limited() {
                self.limited_at = Some(now);
            }
        }
    }

    /// A packet that counts as in flight was sent, and has this number. Call it after
    /// [`Self::on_sent`].
    pub(crate) fn on_numbered(&mut self, now: Instant, packet: (SpaceId, u64), size: u16) {
        if let Some(delivery) = &mut self.delivery {
            delivery.on_sent(now, packet, size, self.in_flight);
        }
    }

    /// A packet was acknowledged that was sent on this path; may be told more than once.
    pub(crate) fn on_packet_acked(&mut self, now: Instant, (space, number): (SpaceId, u64)) {
        if let Some(delivery) = &mut self.delivery {
            delivery.on_acked(now, space, number);
        }
    }

    /// All packets that one ACK frame acknowledged were told; `round_trip` is its sample.
    pub(crate) fn on_acked(
        &mut self,
        now: Instant,
        (bytes, newest_sent): (u64, Instant),
        round_trip: Option<Duration>,
    ) {
        self.is_answered = true;
        let minimum = self.rtt.minimum();
        let rate = self.delivery.as_mut().and_then(|rate| rate.take_sample(now, minimum));
        let window_limited = self.was_limited_since(newest_sent);
        let in_flight = self.in_flight;
        let acked = Acked { bytes, newest_sent, window_limited, in_flight, round_trip, rate };
        self.congestion.on_acked(now, &acked, &self.rtt);
        if let Some(delivery) = self.delivery.as_mut().filter(|_| self.congestion.holds_back()) {
            delivery.mark_app_limited(in_flight);
        }
    }

    /// A packet was lost that was sent on this path; may be told more than once.
    pub(crate) fn on_packet_lost(
        &mut self,
        now: Instant,
        (space, number): (SpaceId, u64),
        is_mtu_probe: bool,
    ) {
        if let Some(delivery) = &mut self.delivery
            && let Some(lost) = delivery.on_lost(space, number, is_mtu_probe)
        {
            self.congestion.on_packet_lost(now, &lost);
        }
    }

    /// There is nothing to send.
    pub(crate) fn on_nothing_to_send(&mut self) {
        if self.delivery.is_some() && !self.is_window_limited() {
            let in_flight = self.in_flight;
            self.delivery.iter_mut().for_each(|rate| rate.mark_app_limited(in_flight));
        }
    }

    /// The packets of a space were given up.
    pub(crate) fn on_space_discarded(&mut self, space: SpaceId) {
        if let Some(delivery) = &mut self.delivery {
            delivery.forget(space);
        }
    }

    /// Packets of which the delivery rate's sampler waits to hear.
    #[cfg(test)]
    pub(crate) fn sampled_packets(&self) -> usize {
        self.delivery.as_ref().map_or(0, |delivery| delivery.len())
    }

    /// The pacer held back what was to be sent.
    pub(super) fn on_paced(&mut self, now: Instant) {
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.8
        //# A sender SHOULD NOT consider itself application limited if it would
        //# have fully utilized the congestion window without pacing delay.
        // A burst that the pacer spreads uses up no window by that alone.
        if self.in_flight >= self.congestion.window() / 2 {
            self.limited_at = Some(now);
        }
    }

    /// Whether sending was limited by the window since a packet was sent, at `sent`: if it was
    /// not, the packet's acknowledgment is no reason for a larger one (RFC 9002 §7.8).
    pub(crate) fn was_limited_since(&self, sent: Instant) -> bool {
        self.limited_at.is_some_and(|at| at >= sent)
    }

    /// A datagram with a payload of `bytes` bytes was sent, padding included.
    pub(crate) fn on_datagram_sent(&mut self, bytes: u64) {
        self.amplification.sent(bytes);
    }

    /// Packets in flight are not any more: acknowledged, lost, or their keys are gone. The
    /// congestion controller hears of whole ACK frames, from whoever handles them.
    pub(crate) fn on_discarded(&mut self, bytes: u64) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
    }

    /// A packet that probed the MTU was acknowledged; whether the MTU changed.
    pub(crate) fn on_mtu_probe_acked(&mut self, size: u16) -> bool {
        let changed = self.mtu.on_probe_acked(size);
        self.propagate_mtu(changed)
    }

    /// The largest of the packets just lost had this size; whether the MTU changed.
    pub(crate) fn on_size_lost(&mut self, now: Instant, size: u16) -> bool {
        let changed = self.mtu.on_lost(size, now);
        self.propagate_mtu(changed)
    }

    /// The interface carries no datagrams of this size; whether the MTU changed.
    pub(crate) fn on_size_refused(&mut self, size: u16) -> bool {
        let changed = self.mtu.on_refused(size);
        self.propagate_mtu(changed)
    }

    /// Nothing was acknowledged for several PTOs; whether the MTU changed.
    pub(crate) fn on_persistent_loss(&mut self, now: Instant) -> bool {
        let changed = self.mtu.on_persistent_loss(now);
        self.propagate_mtu(changed)
    }

    /// Takes the peer's max_udp_payload_size.
    pub(crate) fn set_peer_maximum(&mut self, maximum: u64) {
        let changed = self.mtu.set_peer_maximum(maximum);
        self.propagate_mtu(changed);
    }

    /// What is known of the MTU is what a new path has.
    pub(super) fn forget_mtu(&mut self, config: &TransportConfig) {
        self.mtu = MtuDiscovery::new(config.initial_mtu, config.max_mtu);
        self.propagate_mtu(true);
    }

    fn propagate_mtu(&mut self, changed: bool) -> bool {
        if changed {
            self.congestion.on_mtu_changed(self.mtu.current());
            self.pacer.on_mtu_changed(self.mtu.current());
        }
        changed
    }

    /// Bytes in flight.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Counts anew: only the active path hears of what becomes of its packets.
    pub(crate) fn set_in_flight(&mut self, bytes: u64) {
        self.in_flight = bytes;
        // What was acknowledged meanwhile was not told.
        for space in SpaceId::ALL {
            self.on_space_discarded(space);
        }
    }

    /// Bytes that the congestion window has room for.
    pub(crate) fn window_available(&self) -> u64 {
        self.congestion.window().saturating_sub(self.in_flight)
    }

    /// Whether the congestion window has no room for a full datagram.
    pub(crate) fn is_window_limited(&self) -> bool {
        self.window_available() < u64::from(self.mtu.current())
    }

    /// How long path validation waits for an answer, at least: the probe timeout of application
    /// data. `ack_delay` is the peer's max_ack_delay.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.4
    //# This timer SHOULD be set as described in Section 6.2.1 of
    //# [QUIC-RECOVERY] and MUST NOT be more aggressive.
    pub(super) fn validation_interval(&self, ack_delay: Duration) -> Duration {
        self.rtt.pto_base().saturating_add(ack_delay)
    }

    /// The port changed, but not the path: what is estimated stays, and packets in flight are
    /// accounted to this path (RFC 9000 §9.4).
    pub(super) fn swap_estimates(&mut self, other: &mut Self) {
        mem::swap(&mut self.generation, &mut other.generation);
        mem::swap(&mut self.rtt, &mut other.rtt);
        mem::swap(&mut self.congestion, &mut other.congestion);
        mem::swap(&mut self.pacer, &mut other.pacer);
        mem::swap(&mut self.mtu, &mut other.mtu);
        mem::swap(&mut self.ecn, &mut other.ecn);
        mem::swap(&mut self.in_flight, &mut other.in_flight);
        mem::swap(&mut self.limited_at, &mut other.limited_at);
        mem::swap(&mut self.delivery, &mut other.delivery);
    }
}

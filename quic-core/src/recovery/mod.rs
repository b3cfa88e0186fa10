//! What was lost, what was received, and when to ask again (RFC 9002 §6, RFC 9000 §13).

mod ack_schedule;
mod received_packets;
mod sent_packets;

pub(crate) use received_packets::ReceivedPackets;
pub(crate) use sent_packets::{
    AckContext, AckOutcome, LargestAcked, LossOutcome, LossThresholds, NewPacket, SentPacket,
    SentPackets, SpuriousLoss,
};

use std::time::Duration;

use crate::congestion::Rtt;
use crate::deadline::Deadline;
use crate::instant::Instant;
use crate::wire::SpaceId;

/// What the connection knows that the timers depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimerState<'a> {
    pub(crate) rtt: &'a Rtt,
    /// The peer's max_ack_delay.
    pub(crate) max_ack_delay: Duration,
    pub(crate) handshake_confirmed: bool,
    pub(crate) has_handshake_keys: bool,
    /// Always true for a server (RFC 9002 §6.2.2.1).
    pub(crate) peer_completed_address_validation: bool,
    /// A server that may not send more until it hears from the client.
    pub(crate) amplification_blocked: bool,
}

/// What an expired timer asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TimeoutAction {
    None,
    DetectLoss(SpaceId),
    /// Send `count` ack-eliciting packets, whatever the congestion window says.
    Probe {
        space: SpaceId,
        count: u8,
    },
}

/// What losses mean to the congestion controller.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct LossVerdict {
    /// Report the losses with `on_congestion`.
    pub(crate) congestion: bool,
    /// Then report `on_persistent_congestion`.
    pub(crate) persistent: bool,
}

/// Loss and probe timers of all spaces; adaptive loss thresholds; which losses were spurious.
#[derive(Debug)]
pub(crate) struct Recovery {
    timer: Deadline,
}

impl Recovery {
    pub(crate) fn new(packet_threshold: u64) -> Self {
        Self { timer: Deadline::default() }
    }
    pub(crate) fn ack_context(&self, path: u32) -> AckContext {
        AckContext { path, congestion_event: None }
    }
    pub(crate) fn loss_thresholds(&self, rtt: &Rtt, path: u32) -> LossThresholds {
        LossThresholds {
            packet_threshold: 3,
            time_threshold: Duration::ZERO,
            first_rtt_sample: None,
            path,
        }
    }
    /// Returns whether the last congestion event has to be undone.
    pub(crate) fn on_ack_received(
        &mut self,
        outcome: &AckOutcome,
        peer_completed_address_validation: bool,
    ) -> bool {
        false
    }
    pub(crate) fn on_lost(
        &mut self,
        now: Instant,
        lost: &LossOutcome,
        rtt: &Rtt,
        max_ack_delay: Duration,
    ) -> LossVerdict {
        LossVerdict::default()
    }
    /// ECN-CE marks (RFC 9002 §7.1) start a congestion event that is never undone.
    pub(crate) fn on_ecn_congestion(&mut self, now: Instant, newest_sent: Instant) {}
    pub(crate) fn on_space_discarded(&mut self) {}
    pub(crate) fn on_path_changed(&mut self) {}
    pub(crate) fn set_timer(
        &mut self,
        now: Instant,
        spaces: [&SentPackets; 3],
        state: &TimerState<'_>,
    ) {
    }
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timer.get()
    }
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        spaces: [&SentPackets; 3],
        state: &TimerState<'_>,
    ) -> TimeoutAction {
        TimeoutAction::None
    }
    pub(crate) fn pto_count(&self) -> u32 {
        0
    }
    /// One probe timeout, without backoff (RFC 9002 §6.2.1).
    pub(crate) fn pto(rtt: &Rtt, max_ack_delay: Duration, space: SpaceId) -> Duration {
        Duration::ZERO
    }
}

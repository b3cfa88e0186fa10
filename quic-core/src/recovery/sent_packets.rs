//! Packets that were sent and may still be acknowledged (RFC 9002 §2, §6.1, Appendix A.1).

use std::collections::VecDeque;
use std::time::Duration;

use crate::error::TransportError;
use crate::instant::Instant;
use crate::packet::SentFrame;
use crate::wire::frame::Ack;

#[derive(Clone, Copy, Debug)]
pub(crate) struct NewPacket {
    pub(crate) time_sent: Instant,
    /// Bytes on the wire, UDP payload share.
    pub(crate) size: u16,
    pub(crate) ack_eliciting: bool,
    pub(crate) in_flight: bool,
    pub(crate) mtu_probe: bool,
    /// Generation of the path.
    pub(crate) path: u32,
    pub(crate) frame_count: u16,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct SentPacket {}
impl SentPacket {
    pub(crate) fn number(&self) -> u64 {
        0
    }
    pub(crate) fn time_sent(&self) -> Instant {
        Instant::EPOCH
    }
    pub(crate) fn size(&self) -> u16 {
        0
    }
    pub(crate) fn path(&self) -> u32 {
        0
    }
    pub(crate) fn is_ack_eliciting(&self) -> bool {
        false
    }
    pub(crate) fn is_in_flight(&self) -> bool {
        false
    }
    pub(crate) fn is_mtu_probe(&self) -> bool {
        false
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct AckContext {
    pub(crate) path: u32,
    pub(crate) congestion_event: Option<Instant>,
}
#[derive(Clone, Copy, Debug)]
pub(crate) struct LossThresholds {
    pub(crate) packet_threshold: u64,
    pub(crate) time_threshold: Duration,
    pub(crate) first_rtt_sample: Option<Instant>,
    pub(crate) path: u32,
}
#[derive(Clone, Copy, Debug)]
pub(crate) struct LargestAcked {
    pub(crate) number: u64,
    pub(crate) time_sent: Instant,
    pub(crate) ack_eliciting: bool,
    pub(crate) path: u32,
}
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SpuriousLoss {
    pub(crate) packets: u32,
    pub(crate) of_congestion_event: u32,
    pub(crate) reordering: u64,
    pub(crate) delay: Duration,
}
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AckOutcome {
    pub(crate) newly_acked: u32,
    /// In-flight bytes of the current path that were acknowledged.
    pub(crate) bytes: u64,
    pub(crate) largest_newly_acked: Option<LargestAcked>,
    pub(crate) any_ack_eliciting: bool,
    pub(crate) newest_sent: Option<Instant>,
    /// An RTT sample of the current path (RFC 9002 §5.1).
    pub(crate) rtt_sample: Option<Duration>,
    pub(crate) spurious: SpuriousLoss,
    pub(crate) mtu_probe_acked: Option<u16>,
}
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LossOutcome {
    pub(crate) packets: u32,
    /// In-flight bytes of the current path that were lost, MTU probes included.
    pub(crate) bytes: u64,
    pub(crate) congestion_packets: u32,
    pub(crate) newest_sent: Option<Instant>,
    pub(crate) newest_number: Option<u64>,
    pub(crate) mtu_probe_lost: Option<u16>,
    /// Times of the first and last of the ack-eliciting packets that were lost in a row.
    pub(crate) span: Option<(Instant, Instant)>,
}

#[derive(Debug, Default)]
pub(crate) struct SentPackets {
    frames: VecDeque<SentFrame>,
}
impl SentPackets {
    pub(crate) fn new() -> Self {
        Self::default()
    }
    pub(crate) fn frames_mut(&mut self) -> &mut VecDeque<SentFrame> {
        &mut self.frames
    }
    pub(crate) fn push(&mut self, packet: NewPacket) -> u64 {
        0
    }
    pub(crate) fn next_number(&self) -> u64 {
        0
    }
    pub(crate) fn skip_number(&mut self) {}
    pub(crate) fn rollback_frames(&mut self, count: u16) {}
    pub(crate) fn on_ack(
        &mut self,
        now: Instant,
        ack: &Ack<'_>,
        context: AckContext,
        acked: impl FnMut(&SentPacket, &SentFrame),
    ) -> Result<AckOutcome, TransportError> {
        Ok(AckOutcome::default())
    }
    pub(crate) fn detect_lost(
        &mut self,
        now: Instant,
        thresholds: &LossThresholds,
        lost: impl FnMut(&SentPacket, &SentFrame),
    ) -> LossOutcome {
        LossOutcome::default()
    }
    /// When the next packet is lost by the time threshold.
    pub(crate) fn loss_time(&self) -> Option<Instant> {
        None
    }
    /// Returns the bytes in flight that are given up, of path `path`.
    pub(crate) fn discard(&mut self, path: u32) -> u64 {
        0
    }
    pub(crate) fn in_flight(&self) -> u64 {
        0
    }
    pub(crate) fn has_ack_eliciting_in_flight(&self) -> bool {
        false
    }
    pub(crate) fn last_ack_eliciting_sent(&self) -> Option<Instant> {
        None
    }
    pub(crate) fn largest_acked(&self) -> Option<u64> {
        None
    }
    /// Frames of the oldest packets, to send again in probes.
    pub(crate) fn requeue_for_probe(&mut self, max_packets: usize, each: impl FnMut(&SentFrame)) {}
}

//! What goes into and comes out of [`SentPackets`](super::SentPackets), as values.

use std::time::Duration;

use crate::instant::Instant;

/// A packet that was just written.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with its own name")]
pub(crate) struct NewPacket {
    pub(crate) time_sent: Instant,
    /// Bytes of the UDP payload that the packet takes.
    pub(crate) size: u16,
    pub(crate) ack_eliciting: bool,
    /// Ack-eliciting, or padded (RFC 9002 §2).
    pub(crate) in_flight: bool,
    pub(crate) mtu_probe: bool,
    /// Its datagram was marked ECT(0).
    pub(crate) ect: bool,
    /// Generation of the path that it was sent on.
    pub(crate) path: u32,
    /// How many frames at the end of the ring are the packet's own.
    pub(crate) frame_count: u16,
}

/// What is remembered of a packet until its fate is known.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with its own name")]
pub(crate) struct SentPacket {
    pub(super) number: u64,
    pub(super) time_sent: Instant,
    /// Position of the packet's first frame, counted (wrapping) since the first frame ever.
    pub(super) first_frame: u32,
    pub(super) path: u32,
    pub(super) state: State,
    pub(super) size: u16,
    pub(super) frame_count: u16,
    pub(super) ack_eliciting: bool,
    pub(super) in_flight: bool,
    pub(super) mtu_probe: bool,
    pub(super) ect: bool,
}

const _: () = assert!(size_of::<SentPacket>() <= 40, "a record per packet in flight stays small");

/// The fate of a packet so far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    Outstanding,
    /// Declared lost so many microseconds (rounded up) after it was sent.
    Lost {
        after_micros: u32,
    },
    /// This one and the next `run - 1` records are acknowledged: a walk may jump over them.
    Acked {
        run: u32,
    },
}

impl SentPacket {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Bytes of the UDP payload that the packet took.
    pub(crate) fn size(&self) -> u16 {
        self.size
    }

    /// Generation of the path that it was sent on.
    pub(crate) fn path(&self) -> u32 {
        self.path
    }

    pub(crate) fn is_mtu_probe(&self) -> bool {
        self.mtu_probe
    }
}

/// What decides how an ACK frame counts; [`Recovery::ack_context`](super::super::Recovery) gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AckContext {
    /// Generation of the current path.
    pub(crate) path: u32,
    /// When the last congestion event began that may yet prove spurious.
    pub(crate) congestion_event: Option<Instant>,
}

/// When a packet is lost (RFC 9002 §6.1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct LossThresholds {
    /// Packets sent later that must have been acknowledged.
    pub(crate) packet_threshold: u64,
    /// How long a packet may be outstanding once a later one was acknowledged.
    pub(crate) time_threshold: Duration,
    /// Losses of packets sent before say nothing about persistent congestion (RFC 9002 §7.6.2).
    pub(crate) first_rtt_sample: Option<Instant>,
    /// Generation of the current path.
    pub(crate) path: u32,
}

/// The packet with the largest number among those that an ACK frame newly acknowledged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LargestAcked {
    pub(crate) number: u64,
    pub(crate) time_sent: Instant,
    pub(crate) ack_eliciting: bool,
    pub(crate) path: u32,
    pub(crate) ect: bool,
}

/// Packets of the current path that had been declared lost, wrongly.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct SpuriousLoss {
    pub(crate) packets: u32,
    /// Those of them that were lost in the congestion event of the [`AckContext`].
    pub(crate) of_congestion_event: u32,
    /// By how many packets the latest of them was overtaken.
    pub(crate) reordering: u64,
    /// How long the slowest of them took, there and back.
    pub(crate) delay: Duration,
}

/// What an ACK frame changed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AckOutcome {
    /// Packets acknowledged for the first time, on whatever path; those lost before included.
    pub(crate) newly_acked: u32,
    /// Bytes that left the flight on the current path.
    pub(crate) bytes: u64,
    pub(crate) largest_newly_acked: Option<LargestAcked>,
    /// Whether any of the newly acknowledged packets was ack-eliciting.
    pub(crate) any_ack_eliciting: bool,
    /// When the newest of the packets that `bytes` counts was sent.
    pub(crate) newest_sent: Option<Instant>,
    /// A sample of the current path's round-trip time, not adjusted (RFC 9002 §5.1).
    pub(crate) rtt_sample: Option<Duration>,
    pub(crate) spurious: SpuriousLoss,
    /// Size of the largest MTU probe of the current path that arrived.
    pub(crate) mtu_probe_acked: Option<u16>,
    /// Whether the frame acknowledges a larger number than any frame before.
    pub(crate) raises_largest: bool,
    /// Newly acknowledged packets that were marked ECT(0), on the current path and on others.
    pub(crate) ect: u32,
    pub(crate) ect_elsewhere: u32,
}

/// What was found to be lost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LossOutcome {
    /// Packets declared lost, of whatever kind and path.
    pub(crate) packets: u32,
    /// Bytes that left the flight on the current path, MTU probes included.
    pub(crate) bytes: u64,
    /// Packets of the current path whose loss is a sign of congestion: in flight, no MTU probes.
    pub(crate) congestion_packets: u32,
    /// Bytes of those packets.
    pub(crate) congestion_bytes: u64,
    /// When the newest of those packets was sent.
    pub(crate) newest_sent: Option<Instant>,
    /// Size of the smallest MTU probe of the current path that was lost; no sign of congestion
    /// (RFC 9000 §14.4).
    pub(crate) mtu_probe_lost: Option<u16>,
    /// Packets of the current path that were marked ECT(0), no MTU probes.
    pub(crate) ect: u32,
    /// When the first and the last of the ack-eliciting packets were sent that were lost in a row,
    /// with none acknowledged in between (RFC 9002 §7.6.2).
    pub(crate) span: Option<(Instant, Instant)>,
}

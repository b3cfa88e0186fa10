//! Limits and timings of a connection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::congestion::CongestionController;
use crate::net::MINIMUM_MTU;
use crate::wire::VarInt;

/// Limits and timings of a connection. Start from [`Default`] and change fields.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent choices of the application")]
#[non_exhaustive]
pub struct TransportConfig {
    /// How long a connection may be idle (RFC 9000 §10.1); the smaller value of both ends counts.
    /// `None` and zero mean forever. Default: 30 s.
    pub max_idle_timeout: Option<Duration>,
    /// Send a PING when the connection was idle for this long, so that it does not time out.
    /// `None` means never. Default: `None`.
    pub keep_alive_interval: Option<Duration>,
    /// How long a handshake may take. Default: 10 s.
    pub handshake_timeout: Duration,
    /// Bidirectional streams that the peer may have open at a time. Costs nothing until they are
    /// used. Default: 100.
    pub max_concurrent_bidi_streams: u64,
    /// Unidirectional streams that the peer may have open at a time. Default: 100.
    pub max_concurrent_uni_streams: u64,
    /// Bytes that the peer may send on a new stream before any are read. The window grows with the
    /// measured bandwidth-delay product, up to `max_stream_receive_window`. Default: 256 KiB.
    pub stream_receive_window: u64,
    /// Bound on the growth of a stream's window, in bytes. Default: 16 MiB.
    pub max_stream_receive_window: u64,
    /// Bytes that the peer may send on all streams together at first. Default: 512 KiB.
    pub receive_window: u64,
    /// Bound on the growth of `receive_window`, in bytes, and so on the memory of received data
    /// that the application has not read. Default: 24 MiB.
    pub max_receive_window: u64,
    /// Bytes that may wait to be sent or acknowledged, on all streams together. Also says how many
    /// packets may be in flight or lost a moment ago, those with datagrams included: four times as
    /// many as it takes to carry so many bytes, at least 1,024. Default: 16 MiB.
    pub send_window: u64,
    /// Longest DATAGRAM frame that is received, in bytes (RFC 9221 §3); 0: none are. 65,535 is any
    /// that fits into a packet. Default: 65,535.
    pub max_datagram_frame_size: u16,
    /// Bytes of received datagrams that may wait to be read; the oldest make room. Default:
    /// 256 KiB.
    pub datagram_receive_bytes: usize,
    /// Received datagrams that may wait to be read; the oldest make room. Default: 1,024.
    pub datagram_receive_count: usize,
    /// Bytes of datagrams that may wait to be sent, and so the longest one. Default: 256 KiB.
    pub datagram_send_bytes: usize,
    /// Datagrams that may wait to be sent. Default: 1,024.
    pub datagram_send_count: usize,
    /// The round-trip time assumed before any was measured (RFC 9002 §6.2.2). Default: 333 ms.
    pub initial_rtt: Duration,
    /// How long an acknowledgment may be delayed (RFC 9000 §13.2.1); at most 2^14 - 1 ms.
    /// Default: 25 ms.
    pub max_ack_delay: Duration,
    /// Whether, and how, the peer is asked to acknowledge less often, if it understands that
    /// (draft-ietf-quic-ack-frequency). What the peer asks for itself is always done. It saves
    /// packets and work at both ends where much is in flight, and makes the estimates of the path
    /// coarser. Default: `None`: peers of this implementation acknowledge whole batches of packets
    /// anyway, and the extension is a draft.
    pub ack_frequency: Option<AckFrequencyConfig>,
    /// Packets that may be newer than a lost one before it is declared so (RFC 9002 §6.1.1); at
    /// least 3. Default: 3.
    pub packet_threshold: u64,
    /// What decides how much may be in flight. Default: CUBIC.
    pub congestion: CongestionAlgorithm,
    /// UDP payload that every path is assumed to carry, in bytes; 1,200 to 65,527.
    /// Default: 1,200.
    pub initial_mtu: u16,
    /// Largest UDP payload that is searched for (DPLPMTUD, RFC 9000 §14.3); no search if it is not
    /// above `initial_mtu`. Default: 1,452, what Ethernet carries under IPv6.
    pub max_mtu: u16,
    /// Whether sending is spread over the round-trip time (RFC 9002 §7.7). It takes timers that are
    /// late by 2 ms at the most: turn it off where they are coarser, or throughput suffers. Without
    /// it, the congestion window is all that limits bursts, which the RFC forbids unless something
    /// below paces. Default: true.
    pub pacing: bool,
    /// Whether packets are marked as ECN-capable where the path and the peer prove to support it
    /// (RFC 9000 §13.4). Marks that arrive are reported in any case. Default: true.
    pub ecn: bool,
    /// Whether the QUIC Bit may have any value (RFC 9287): the peer is told that it may clear it,
    /// and it is cleared in every other packet to peers that say the same. Turn it off where
    /// something on the way, or on the same socket, tells QUIC from other protocols by that bit.
    /// Default: true.
    pub grease_quic_bit: bool,
    /// Whether transport parameters and lists of versions carry reserved values, which peers have
    /// to ignore (RFC 9000 §15, §18.1). Default: true.
    pub grease: bool,
    /// Ask the peer not to move on purpose (disable_active_migration, RFC 9000 §18.2), as behind a
    /// load balancer that routes by addresses. A peer that moves nevertheless, or whose NAT does,
    /// is validated and followed as any other. Default: false.
    pub disable_active_migration: bool,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            max_idle_timeout: Some(Duration::from_secs(30)),
            keep_alive_interval: None,
            handshake_timeout: Duration::from_secs(10),
            //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
            //# The applicable subset of transport parameters that permit the sending of
            //# application data SHOULD be set to non-zero values for 0-RTT.
            max_concurrent_bidi_streams: 100,
            max_concurrent_uni_streams: 100,
            stream_receive_window: 256 << 10,
            max_stream_receive_window: 16 << 20,
            receive_window: 512 << 10,
            max_receive_window: 24 << 20,
            send_window: 16 << 20,
            //= https://www.rfc-editor.org/rfc/rfc9221#section-3
            //# For most uses of DATAGRAM frames, it is RECOMMENDED to send a value
            //# of 65535 in the max_datagram_frame_size transport parameter to
            //# indicate that this endpoint will accept any DATAGRAM frame that fits
            //# inside a QUIC packet.
            max_datagram_frame_size: u16::MAX,
            datagram_receive_bytes: 256 << 10,
            datagram_receive_count: 1024,
            datagram_send_bytes: 256 << 10,
            datagram_send_count: 1024,
            //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.2
            //# When no previous RTT is available, the initial RTT SHOULD be set to
            //# 333 milliseconds.
            initial_rtt: Duration::from_millis(333),
            max_ack_delay: Duration::from_millis(25),
            ack_frequency: None,
            //= https://www.rfc-editor.org/rfc/rfc9002#section-6.1.1
            //# The RECOMMENDED initial value for the packet reordering threshold
            //# (kPacketThreshold) is 3, based on best practices for TCP loss
            //# detection [RFC5681] [RFC6675].
            packet_threshold: 3,
            congestion: CongestionAlgorithm::Cubic,
            //= https://www.rfc-editor.org/rfc/rfc8899#section-5.1.2
            //# When using IPv4, there is no currently equivalent size specified, and
            //# a default BASE_PLPMTU of 1200 bytes is RECOMMENDED.
            initial_mtu: MINIMUM_MTU,
            max_mtu: 1452,
            pacing: true,
            ecn: true,
            grease_quic_bit: true,
            grease: true,
            disable_active_migration: false,
        }
    }
}

/// How often the peer is asked to acknowledge (draft-ietf-quic-ack-frequency §8). It is never asked
/// for less than one acknowledgment in a quarter of the round-trip time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AckFrequencyConfig {
    /// Acknowledgments for each congestion window of packets, as long as that is fewer than one for
    /// every second packet. More make for smoother sending. At least 1. Default: 8.
    pub acks_per_window: u32,
    /// Ack-eliciting packets that the peer may receive without acknowledging any, at most.
    /// Default: 64.
    pub maximum_threshold: u64,
}

impl Default for AckFrequencyConfig {
    fn default() -> Self {
        Self { acks_per_window: 8, maximum_threshold: 64 }
    }
}

/// What decides how much may be in flight on a path.
#[derive(Clone)]
#[non_exhaustive]
pub enum CongestionAlgorithm {
    /// CUBIC (RFC 9438).
    Cubic,
    /// NewReno (RFC 9002 §7).
    NewReno,
    /// BBRv3 (draft-ietf-ccwg-bbr). Needs [`pacing`](TransportConfig::pacing).
    Bbr,
    /// Your own: called for each new path with its maximum datagram size, in bytes.
    Custom(Arc<dyn Fn(u16) -> Box<dyn CongestionController> + Send + Sync>),
}

impl fmt::Debug for CongestionAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cubic => "Cubic",
            Self::NewReno => "NewReno",
            Self::Bbr => "Bbr",
            Self::Custom(_) => "Custom",
        })
    }
}

/// A configuration that cannot work, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct ConfigError {
    /// The field to change.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub problem: &'static str,
}

impl TransportConfig {
    /// The defaults, but for what takes options of the socket that a plain one has not: with the
    /// Don't Fragment bit not set, no larger datagrams than 1,200 bytes are searched for (RFC 9000
    /// §14), and with ECN marks neither set nor read, packets are not marked.
    pub fn for_plain_sockets() -> Self {
        Self { max_mtu: MINIMUM_MTU, ecn: false, ..Self::default() }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        let maximum = VarInt::MAX.into_inner();
        let wrong = [
            (
                self.max_concurrent_bidi_streams > 1 << 60,
                "max_concurrent_bidi_streams",
                "must be at most 2^60",
            ),
            (
                self.max_concurrent_uni_streams > 1 << 60,
                "max_concurrent_uni_streams",
                "must be at most 2^60",
            ),
            (self.stream_receive_window > maximum, "stream_receive_window", "must be below 2^62"),
            (self.receive_window > maximum, "receive_window", "must be below 2^62"),
            (
                self.max_stream_receive_window > maximum,
                "max_stream_receive_window",
                "must be below 2^62",
            ),
            (self.max_receive_window > maximum, "max_receive_window", "must be below 2^62"),
            (self.send_window == 0, "send_window", "must not be zero"),
            (self.datagram_send_count == 0, "datagram_send_count", "must not be zero"),
            (self.initial_rtt.is_zero(), "initial_rtt", "must not be zero"),
            (
                self.max_ack_delay > Duration::from_millis((1 << 14) - 1),
                "max_ack_delay",
                "must be at most 2^14 - 1 ms",
            ),
            //= https://www.rfc-editor.org/rfc/rfc9002#section-6.1.1
            //# In order to remain similar to TCP, implementations SHOULD NOT use a
            //# packet threshold less than 3; see [RFC5681].
            (self.packet_threshold < 3, "packet_threshold", "must be at least 3 (RFC 9002 §6.1.1)"),
            //= https://www.rfc-editor.org/rfc/rfc9000#section-14
            //# QUIC MUST NOT be used if the network path cannot support a maximum
            //# datagram size of at least 1200 bytes.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-14.3
            //# Endpoints SHOULD set the initial value of BASE_PLPMTU (Section 5.1 of
            //# [DPLPMTUD]) to be consistent with QUIC's smallest allowed maximum
            //# datagram size.
            (self.initial_mtu < MINIMUM_MTU, "initial_mtu", "must be at least 1200 (RFC 9000 §14)"),
            (self.initial_mtu > 65_527, "initial_mtu", "must be at most 65527"),
            (self.max_mtu > 65_527, "max_mtu", "must be at most 65527"),
            (
                !self.pacing && matches!(self.congestion, CongestionAlgorithm::Bbr),
                "pacing",
                "must be on with BBR, which is nothing without",
            ),
        ];
        match wrong.into_iter().find(|(wrong, ..)| *wrong) {
            Some((_, field, problem)) => Err(ConfigError { field, problem }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;

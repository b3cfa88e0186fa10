//! Transport parameters: the values and their limits (RFC 9000 §18).

mod codec;
mod early_limits;
mod version_information;

use std::net::{SocketAddrV4, SocketAddrV6};

pub(crate) use codec::{decode, encode, encode_reserved, encode_version_information};
pub(crate) use early_limits::EarlyLimits;
pub(crate) use version_information::VersionInformation;

use super::{ConnectionId, StatelessResetToken};

/// What an endpoint tells its peer in the handshake. Defaults are what an absent parameter means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TransportParameters {
    /// Server only.
    pub(crate) original_destination_connection_id: Option<ConnectionId>,
    /// In milliseconds; 0 means no idle timeout.
    pub(crate) max_idle_timeout: u64,
    /// Server only.
    pub(crate) stateless_reset_token: Option<StatelessResetToken>,
    /// In bytes; at least 1,200.
    pub(crate) max_udp_payload_size: u64,
    pub(crate) initial_max_data: u64,
    pub(crate) initial_max_stream_data_bidi_local: u64,
    pub(crate) initial_max_stream_data_bidi_remote: u64,
    pub(crate) initial_max_stream_data_uni: u64,
    /// At most 2^60.
    pub(crate) initial_max_streams_bidi: u64,
    /// At most 2^60.
    pub(crate) initial_max_streams_uni: u64,
    /// At most 20.
    pub(crate) ack_delay_exponent: u8,
    /// In milliseconds; below 2^14.
    pub(crate) max_ack_delay: u64,
    pub(crate) disable_active_migration: bool,
    /// Server only.
    pub(crate) preferred_address: Option<PreferredAddress>,
    /// At least 2.
    pub(crate) active_connection_id_limit: u64,
    pub(crate) initial_source_connection_id: Option<ConnectionId>,
    /// Server only.
    pub(crate) retry_source_connection_id: Option<ConnectionId>,
    /// RFC 9221: longest DATAGRAM frame that is received, in bytes; 0: none are.
    pub(crate) max_datagram_frame_size: u64,
    /// draft-ietf-quic-ack-frequency: in microseconds, at most `max_ack_delay`; `None` where
    /// ACK_FREQUENCY is not understood.
    pub(crate) min_ack_delay: Option<u64>,
    /// draft-ietf-quic-reliable-stream-reset: whether RESET_STREAM_AT is understood.
    pub(crate) reset_stream_at: bool,
    /// RFC 9368 §3.
    pub(crate) version_information: Option<VersionInformation>,
    /// The QUIC Bit of packets to the sender may have any value (RFC 9287).
    pub(crate) grease_quic_bit: bool,
}

/// Where a server would rather be talked to (RFC 9000 §9.6, §18.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct PreferredAddress {
    pub(crate) ipv4: Option<SocketAddrV4>,
    pub(crate) ipv6: Option<SocketAddrV6>,
    pub(crate) id: ConnectionId,
    pub(crate) reset_token: StatelessResetToken,
}

impl Default for TransportParameters {
    fn default() -> Self {
        Self {
            original_destination_connection_id: None,
            max_idle_timeout: 0,
            stateless_reset_token: None,
            max_udp_payload_size: 65527,
            initial_max_data: 0,
            initial_max_stream_data_bidi_local: 0,
            initial_max_stream_data_bidi_remote: 0,
            initial_max_stream_data_uni: 0,
            initial_max_streams_bidi: 0,
            initial_max_streams_uni: 0,
            ack_delay_exponent: 3,
            max_ack_delay: 25,
            disable_active_migration: false,
            preferred_address: None,
            active_connection_id_limit: 2,
            initial_source_connection_id: None,
            retry_source_connection_id: None,
            max_datagram_frame_size: 0,
            min_ack_delay: None,
            reset_stream_at: false,
            version_information: None,
            grease_quic_bit: false,
        }
    }
}

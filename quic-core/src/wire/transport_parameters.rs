//! Transport parameters: the values and their limits (RFC 9000 §18).

mod codec;
mod early_limits;
mod version_information;

use std::net::{SocketAddrV4, SocketAddrV6};

#[cfg(feature = "wire")]
pub use codec::ParametersError;
pub use codec::{decode, encode, encode_reserved, encode_version_information};
pub use early_limits::EarlyLimits;
pub use version_information::VersionInformation;

use super::{ConnectionId, StatelessResetToken};

/// What an endpoint tells its peer in the handshake. Defaults are what an absent parameter means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TransportParameters {
    /// Server only.
    pub original_destination_connection_id: Option<ConnectionId>,
    /// In milliseconds; 0 means no idle timeout.
    pub max_idle_timeout: u64,
    /// Server only.
    pub stateless_reset_token: Option<StatelessResetToken>,
    /// In bytes; at least 1,200.
    pub max_udp_payload_size: u64,
    /// In bytes.
    pub initial_max_data: u64,
    /// In bytes; for bidirectional streams that the sender of the parameters opens.
    pub initial_max_stream_data_bidi_local: u64,
    /// In bytes; for bidirectional streams that the receiver of the parameters opens.
    pub initial_max_stream_data_bidi_remote: u64,
    /// In bytes; for unidirectional streams that the receiver of the parameters opens.
    pub initial_max_stream_data_uni: u64,
    /// At most 2^60.
    pub initial_max_streams_bidi: u64,
    /// At most 2^60.
    pub initial_max_streams_uni: u64,
    /// At most 20.
    pub ack_delay_exponent: u8,
    /// In milliseconds; below 2^14.
    pub max_ack_delay: u64,
    /// The address of the sender is not to be left, but for its preferred one.
    pub disable_active_migration: bool,
    /// Server only.
    pub preferred_address: Option<PreferredAddress>,
    /// At least 2.
    pub active_connection_id_limit: u64,
    /// The Source Connection ID of the sender's first Initial (RFC 9000 §7.3).
    pub initial_source_connection_id: Option<ConnectionId>,
    /// Server only.
    pub retry_source_connection_id: Option<ConnectionId>,
    /// RFC 9221: longest DATAGRAM frame that is received, in bytes; 0: none are.
    pub max_datagram_frame_size: u64,
    /// draft-ietf-quic-ack-frequency: in microseconds, at most `max_ack_delay`; `None` where
    /// ACK_FREQUENCY is not understood.
    pub min_ack_delay: Option<u64>,
    /// draft-ietf-quic-reliable-stream-reset: whether RESET_STREAM_AT is understood.
    pub reset_stream_at: bool,
    /// RFC 9368 §3.
    pub version_information: Option<VersionInformation>,
    /// The QUIC Bit of packets to the sender may have any value (RFC 9287).
    pub grease_quic_bit: bool,
}

/// Where a server would rather be talked to (RFC 9000 §9.6, §18.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PreferredAddress {
    /// `None` stands for all zeros.
    pub ipv4: Option<SocketAddrV4>,
    /// `None` stands for all zeros.
    pub ipv6: Option<SocketAddrV6>,
    /// The connection ID with sequence number 1; never empty.
    pub id: ConnectionId,
    /// For stateless resets of this ID (RFC 9000 §10.3).
    pub reset_token: StatelessResetToken,
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

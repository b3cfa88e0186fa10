//! Transport parameters.

use std::net::{SocketAddrV4, SocketAddrV6};

use arbitrary::{Arbitrary, Result, Unstructured};

use super::{at_most, number};
use crate::net::MINIMUM_MTU;
use crate::wire::ConnectionId;
use crate::wire::transport_parameters::{
    PreferredAddress, TransportParameters, VersionInformation,
};

/// The largest number of streams (RFC 9000 §4.6).
const MAXIMUM_STREAMS: u64 = 1 << 60;
/// Versions that an endpoint names, at the most.
const MAXIMUM_VERSIONS: usize = 8;

impl<'a> Arbitrary<'a> for TransportParameters {
    /// Values that a server may send. What only servers send is named first; a client's are
    /// without [these](TransportParameters::without_those_of_servers).
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let max_ack_delay = at_most(u, (1 << 14) - 1)?;
        let min_ack_delay = at_most(u, 1000 * max_ack_delay)?;
        Ok(Self {
            original_destination_connection_id: u.arbitrary()?,
            stateless_reset_token: u.arbitrary()?,
            preferred_address: u.arbitrary()?,
            retry_source_connection_id: u.arbitrary()?,
            max_idle_timeout: number(u)?,
            max_udp_payload_size: number(u)?.max(MINIMUM_MTU.into()),
            initial_max_data: number(u)?,
            initial_max_stream_data_bidi_local: number(u)?,
            initial_max_stream_data_bidi_remote: number(u)?,
            initial_max_stream_data_uni: number(u)?,
            initial_max_streams_bidi: at_most(u, MAXIMUM_STREAMS)?,
            initial_max_streams_uni: at_most(u, MAXIMUM_STREAMS)?,
            ack_delay_exponent: u.int_in_range(0..=20)?,
            max_ack_delay,
            disable_active_migration: u.arbitrary()?,
            active_connection_id_limit: number(u)?.max(2),
            initial_source_connection_id: u.arbitrary()?,
            max_datagram_frame_size: number(u)?,
            min_ack_delay: u.arbitrary::<bool>()?.then_some(min_ack_delay),
            reset_stream_at: u.arbitrary()?,
            version_information: u.arbitrary()?,
            grease_quic_bit: u.arbitrary()?,
        })
    }
}

impl TransportParameters {
    /// The same, without what only a server may send (RFC 9000 §18.2).
    #[must_use]
    pub fn without_those_of_servers(self) -> Self {
        Self {
            original_destination_connection_id: None,
            stateless_reset_token: None,
            preferred_address: None,
            retry_source_connection_id: None,
            ..self
        }
    }
}

impl<'a> Arbitrary<'a> for PreferredAddress {
    /// With an address of either kind or both, or none.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let ipv4: Option<SocketAddrV4> = u.arbitrary()?;
        let ipv6: Option<SocketAddrV6> = u.arbitrary()?;
        let length = u.int_in_range(1..=ConnectionId::MAXIMUM_LENGTH)?;
        // All zeros stand for no address, and flow labels and scopes do not travel.
        let ipv4 = ipv4.filter(|it| !it.ip().is_unspecified() && it.port() != 0);
        let ipv6 = ipv6.filter(|it| !it.ip().is_unspecified() && it.port() != 0);
        Ok(Self {
            ipv4,
            ipv6: ipv6.map(|it| SocketAddrV6::new(*it.ip(), it.port(), 0, 0)),
            id: ConnectionId::new(u.bytes(length)?).unwrap_or(ConnectionId::EMPTY),
            reset_token: u.arbitrary()?,
        })
    }
}

impl<'a> Arbitrary<'a> for VersionInformation {
    /// The chosen version is among those available, and none is 0.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let chosen = u32::arbitrary(u)?.max(1);
        let mut available = vec![chosen];
        for _ in 0..u.int_in_range(0..=MAXIMUM_VERSIONS - 1)? {
            available.push(u32::arbitrary(u)?.max(1));
        }
        Ok(Self { chosen, available })
    }
}

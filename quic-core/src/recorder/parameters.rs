//! What is told of transport parameters: everything but secrets.

use std::net::SocketAddr;

use crate::wire::ConnectionId;
use crate::wire::transport_parameters::TransportParameters;

/// The transport parameters of one end (RFC 9000 §18.2).
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a>(&'a TransportParameters);

/// The value of a transport parameter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ParameterValue {
    /// A number, in the unit of the parameter.
    Integer(u64),
    /// The parameter has no value: it is there or not.
    Flag(bool),
    /// A connection ID.
    Id(ConnectionId),
    /// Where a server would rather be talked to, and by which ID.
    PreferredAddress {
        /// Its IPv4 address.
        ipv4: Option<SocketAddr>,
        /// Its IPv6 address.
        ipv6: Option<SocketAddr>,
        /// The connection ID to use there.
        id: ConnectionId,
    },
}

impl<'a> Parameters<'a> {
    pub(crate) fn new(parameters: &'a TransportParameters) -> Self {
        Self(parameters)
    }

    /// The parameters with their names in the RFC that defines them; those that are absent with
    /// their default, if they have one.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, ParameterValue)> + use<'a> {
        use ParameterValue::{Flag, Id, Integer};
        let own = self.0;
        let preferred = own.preferred_address.map(|preferred| ParameterValue::PreferredAddress {
            ipv4: preferred.ipv4.map(Into::into),
            ipv6: preferred.ipv6.map(Into::into),
            id: preferred.id,
        });
        [
            ("original_destination_connection_id", own.original_destination_connection_id.map(Id)),
            ("initial_source_connection_id", own.initial_source_connection_id.map(Id)),
            ("retry_source_connection_id", own.retry_source_connection_id.map(Id)),
            ("disable_active_migration", Some(Flag(own.disable_active_migration))),
            ("max_idle_timeout", Some(Integer(own.max_idle_timeout))),
            ("max_udp_payload_size", Some(Integer(own.max_udp_payload_size))),
            ("ack_delay_exponent", Some(Integer(own.ack_delay_exponent.into()))),
            ("max_ack_delay", Some(Integer(own.max_ack_delay))),
            ("active_connection_id_limit", Some(Integer(own.active_connection_id_limit))),
            ("initial_max_data", Some(Integer(own.initial_max_data))),
            (
                "initial_max_stream_data_bidi_local",
                Some(Integer(own.initial_max_stream_data_bidi_local)),
            ),
            (
                "initial_max_stream_data_bidi_remote",
                Some(Integer(own.initial_max_stream_data_bidi_remote)),
            ),
            ("initial_max_stream_data_uni", Some(Integer(own.initial_max_stream_data_uni))),
            ("initial_max_streams_bidi", Some(Integer(own.initial_max_streams_bidi))),
            ("initial_max_streams_uni", Some(Integer(own.initial_max_streams_uni))),
            ("preferred_address", preferred),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}

//! The transport parameters that we send, the checks on those that we get, and who gets them
//! (RFC 9000 §7.3, §7.4, §18.2).

use std::time::Duration;

use super::Connection;
use super::datagrams::transport;
use crate::config::TransportConfig;
use crate::error::TransportError;
use crate::ids::ACTIVE_CONNECTION_ID_LIMIT;
use crate::instant::Instant;
use crate::recovery::MIN_ACK_DELAY;
use crate::wire::frame::NewConnectionId;
use crate::wire::transport_parameters::{PreferredAddress, TransportParameters, decode};
use crate::wire::{ConnectionId, Side};

/// How far this end shifts the delays in its ACK frames (RFC 9000 §18.2).
pub(super) const ACK_DELAY_EXPONENT: u8 = 3;
/// How late a timer may be, as a rule.
const TIMER_LATENESS: Duration = Duration::from_millis(1);
/// Longest max_ack_delay that there is, in milliseconds (RFC 9000 §18.2).
const LONGEST_ACK_DELAY: u64 = (1 << 14) - 1;
/// Largest UDP payload that we are willing to receive, in bytes.
const MAX_UDP_PAYLOAD_SIZE: u64 = 65_527;

/// The parameters that every endpoint sends; the roles add theirs.
pub(super) fn local_parameters(
    config: &TransportConfig,
    initial_source_id: ConnectionId,
) -> TransportParameters {
    TransportParameters {
        max_idle_timeout: config.max_idle_timeout.map_or(0, milliseconds),
        max_udp_payload_size: MAX_UDP_PAYLOAD_SIZE,
        initial_max_data: config.receive_window,
        initial_max_stream_data_bidi_local: config.stream_receive_window,
        initial_max_stream_data_bidi_remote: config.stream_receive_window,
        initial_max_stream_data_uni: config.stream_receive_window,
        initial_max_streams_bidi: config.max_concurrent_bidi_streams,
        initial_max_streams_uni: config.max_concurrent_uni_streams,
        //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
        //# This value SHOULD include the
        //# receiver's expected delays in alarms firing.
        max_ack_delay: milliseconds(config.max_ack_delay.saturating_add(TIMER_LATENESS))
            .min(LONGEST_ACK_DELAY),
        ack_delay_exponent: ACK_DELAY_EXPONENT,
        disable_active_migration: config.disable_active_migration,
        active_connection_id_limit: ACTIVE_CONNECTION_ID_LIMIT as u64,
        initial_source_connection_id: Some(initial_source_id),
        //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-3
        //# An endpoint's min_ack_delay MUST NOT be greater than its
        //# max_ack_delay.
        min_ack_delay: Some(u64::try_from(MIN_ACK_DELAY.as_micros()).unwrap_or(0)),
        reset_stream_at: true,
        max_datagram_frame_size: config.max_datagram_frame_size.into(),
        grease_quic_bit: config.grease_quic_bit,
        ..TransportParameters::default()
    }
}

/// Rounded up: no acknowledgment may be later than announced, and an idle timeout of zero would
/// be none.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// The connection IDs of the handshake as this endpoint saw them, for comparison with what the
/// peer says it saw (RFC 9000 §7.3).
#[derive(Clone, Copy, Debug)]
pub(super) struct HandshakeIds {
    /// Source Connection ID of our long headers.
    pub(super) local_source: ConnectionId,
    /// Destination Connection ID of the client's first Initial.
    pub(super) original_destination: ConnectionId,
    /// Source Connection ID of the first Initial from the peer.
    pub(super) peer_initial_source: Option<ConnectionId>,
    /// Source Connection ID of the Retry, if there was one.
    pub(super) retry_source: Option<ConnectionId>,
}

impl HandshakeIds {
    /// Destination Connection ID of the Initial that the server accepted: the client's first one,
    /// or that which a Retry asked for.
    pub(super) fn initial_destination(&self) -> ConnectionId {
        self.retry_source.unwrap_or(self.original_destination)
    }
}

/// Decodes the parameters that `peer` sent and checks them against the handshake.
///
/// # Errors
/// TRANSPORT_PARAMETER_ERROR, with what is wrong.
pub(super) fn check(
    bytes: &[u8],
    peer: Side,
    ids: &HandshakeIds,
) -> Result<TransportParameters, TransportError> {
    let parameters =
        //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4
        //# An endpoint MUST treat receipt of a transport parameter with an invalid value as a
        //# connection error of type TRANSPORT_PARAMETER_ERROR.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
        //# A client MUST treat a violation of these requirements as a connection
        //# error of type TRANSPORT_PARAMETER_ERROR.
        decode(bytes, peer).map_err(|error| TransportError::transport_parameter(error.0))?;
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.3
    //# An endpoint MUST treat the absence of the
    //# initial_source_connection_id transport parameter from either endpoint
    //# or the absence of the original_destination_connection_id transport
    //# parameter from the server as a connection error of type
    //# TRANSPORT_PARAMETER_ERROR.
    let source = parameters
        .initial_source_connection_id
        .ok_or(TransportError::transport_parameter("initial_source_connection_id is missing"))?;
    //= https://www.rfc-editor.org/rfc/rfc9001#section-7
    //# Implementations SHOULD use caution in relying on any data that is
    //# contained in Initial packets that is not otherwise authenticated.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.3
    //# The values provided by a peer for these transport parameters MUST match the values
    //# that an endpoint used in the Destination and Source Connection ID fields of Initial
    //# packets that it sent (and received, for servers).
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.3
    //# Endpoints MUST validate that received transport parameters match received connection
    //# ID values.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.3
    //# An endpoint MUST treat the following as a connection error of type
    //# TRANSPORT_PARAMETER_ERROR or PROTOCOL_VIOLATION:
    if ids.peer_initial_source != Some(source) {
        return Err(TransportError::transport_parameter("initial_source_connection_id is wrong"));
    }
    //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
    //# A server that chooses a zero-length
    //# connection ID MUST NOT provide a preferred address.
    if parameters.preferred_address.is_some() && source.is_empty() {
        return Err(TransportError::transport_parameter(
            "preferred_address of a server with an empty connection ID",
        ));
    }
    if peer == Side::Server {
        if parameters.original_destination_connection_id != Some(ids.original_destination) {
            return Err(TransportError::transport_parameter(
                "original_destination_connection_id is missing or wrong",
            ));
        }
        if parameters.retry_source_connection_id != ids.retry_source {
            return Err(TransportError::transport_parameter(
                "retry_source_connection_id is not that of the Retry",
            ));
        }
    }
    Ok(parameters)
}

impl Connection {
    /// Checks the peer's transport parameters and gives every component its own.
    pub(super) fn apply_peer_parameters(&mut self, now: Instant) -> Result<(), TransportError> {
        if self.peer.has_parameters {
            return Ok(());
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
        //# When sending frames in 0-RTT packets, a client MUST only use
        //# remembered transport parameters; importantly, it MUST NOT use updated
        //# values that it learns from the server's updated transport parameters
        //# or from frames received in 1-RTT packets.
        if self.sends_early() {
            return Ok(());
        }
        let Some(bytes) = self.handshake.session().peer_parameters() else { return Ok(()) };
        let parameters = check(bytes, !self.side(), &self.ids_seen)?;
        self.check_versions(&parameters)?;
        self.conclude_early_data(now, &parameters)?;
        self.take_peer_parameters(now, &parameters)
    }

    pub(super) fn take_peer_parameters(
        &mut self,
        now: Instant,
        parameters: &TransportParameters,
    ) -> Result<(), TransportError> {
        self.peer.has_parameters = true;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.1
        //# The client MUST use the server's new values in the handshake instead; if the
        //# server does not provide new values, the default values are used.
        self.peer.ack_delay_exponent = parameters.ack_delay_exponent;
        self.peer.max_ack_delay = Duration::from_millis(parameters.max_ack_delay).into();
        self.set_peer_datagram_size(parameters);
        self.set_peer_idle_timeout(now, parameters);
        self.paths.set_peer_ack_delay(self.peer.max_ack_delay.into());
        self.paths.set_peer_maximum(parameters.max_udp_payload_size);
        self.local_ids.set_peer_limit(parameters.active_connection_id_limit);
        if let Some(token) = parameters.stateless_reset_token {
            self.remote_ids.set_reset_token(token);
        }
        self.peer.forbids_migration = parameters.disable_active_migration;
        if let Some(preferred) = &parameters.preferred_address {
            self.take_preferred_address(preferred);
            // Whether the address is used or not, the ID is one of the peer's like all others: it
            // counts, and has to be given back.
            let PreferredAddress { id, reset_token, .. } = *preferred;
            //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
            //# If the preferred_address transport
            //# parameter is sent, the sequence number of the supplied connection ID
            //# is 1.
            let frame = NewConnectionId { sequence: 1, retire_prior_to: 0, id, reset_token };
            self.remote_ids.handle_new_connection_id(&frame)?;
        }
        if parameters.grease_quic_bit {
            self.on_grease_quic_bit();
        }
        self.streams.set_peer_limits(parameters.into());
        self.start_ack_frequency(parameters);
        Ok(())
    }

    /// Takes the peer's max_idle_timeout, in place of the one that was remembered.
    pub(super) fn set_peer_idle_timeout(&mut self, now: Instant, parameters: &TransportParameters) {
        let own = transport(&self.role).max_idle_timeout;
        let (peer, pto) = (Duration::from_millis(parameters.max_idle_timeout), self.pto());
        self.idle_timeout.set_peer_timeout(now, (own, peer), pto);
    }
}

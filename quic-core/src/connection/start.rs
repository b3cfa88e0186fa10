//! How connections begin (RFC 9000 §7).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::client_versions::ClientVersions;
use super::clock::Clock;
use super::handshake::Handshake;
use super::idle_timeout::IdleTimeout;
use super::lifecycle::Lifecycle;
use super::parameters::{HandshakeIds, local_parameters};
use super::preferred_address::{Preferred, offer_preferred_address};
use super::quic_bit::QuicBits;
use super::skipped_numbers::SkippedNumbers;
use super::space::{Keychain, SpaceSlot};
use super::statistics::Counters;
use super::undecryptable::Undecryptable;
use super::versions::{client_parameters, encode_parameters, wire_version};
use super::work_account::WorkAccount;
use super::{ClientState, Connection, Ending, Peer, Role, ServerState};
use crate::config::{ClientConfig, EndpointConfig, ServerConfig};
use crate::crypto::{InitialKeys, KeyedHash, SeededRandom, Session, StartSessionError};
use crate::ids::{LocalIds, Registration, Registrations, RemoteIds};
use crate::instant::Instant;
use crate::net::PathAddresses;
use crate::paths::Paths;
use crate::recovery::Recovery;
use crate::streams::StreamsSlot;
use crate::wire::transport_parameters::TransportParameters;
use crate::wire::{ConnectionId, Side, SpaceId};

/// Length of the Destination Connection ID that a client makes up; at least 8 (RFC 9000 §7.2).
pub(super) const FIRST_DESTINATION_LENGTH: usize = 8;

/// What a client's connection starts from.
#[derive(Debug)]
pub(crate) struct ClientStart<'a> {
    pub(crate) path: PathAddresses,
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) endpoint: Arc<EndpointConfig>,
    pub(crate) server_name: &'a str,
    pub(crate) random: SeededRandom,
    /// From an earlier connection's NEW_TOKEN; empty if there is none.
    pub(crate) token: Bytes,
}

/// What a server's connection starts from.
#[derive(Debug)]
pub(crate) struct ServerStart {
    pub(crate) path: PathAddresses,
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) endpoint: Arc<EndpointConfig>,
    pub(crate) random: SeededRandom,
    pub(crate) version: u32,
    /// Source Connection ID of the client's Initial.
    pub(crate) client_source_id: ConnectionId,
    /// Destination Connection ID of the Initial that is accepted.
    pub(crate) destination_id: ConnectionId,
    /// Destination Connection ID of the client's very first Initial; differs from
    /// `destination_id` after a Retry.
    pub(crate) original_destination_id: ConnectionId,
    /// Whether a token proved the client's address.
    pub(crate) validated: bool,
    /// Whether that token came from a Retry, whose Source Connection ID was `destination_id`.
    pub(crate) retried: bool,
    /// Those that opened that Initial.
    pub(crate) initial_keys: InitialKeys,
}

/// What both roles start from.
struct Parts {
    role: Role,
    version: u32,
    endpoint: Arc<EndpointConfig>,
    random: SeededRandom,
    path: PathAddresses,
    session: Box<dyn Session>,
    ids_seen: HandshakeIds,
    local_ids: LocalIds,
    remote_id: ConnectionId,
    address_validated: bool,
}

impl Connection {
    /// A connection that a client opens; its first flight is ready to be polled.
    pub(crate) fn client(now: Instant, start: ClientStart<'_>) -> Result<Self, StartSessionError> {
        let ClientStart { path, config, endpoint, server_name, mut random, token } = start;
        let transport = Arc::clone(&config.transport);
        let destination = first_destination_id(&mut random);
        let local_id = endpoint.new_connection_id(&mut random);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
        //# This transport parameter MUST NOT be sent by a client but MAY be sent by
        //# a server.
        let versions = ClientVersions::new(&config);
        let parameters = client_parameters(&transport, &versions, local_id, &mut random);
        let crypto = Arc::clone(&config.crypto);
        let session = crypto.start(wire_version(config.version), Some(server_name), parameters)?;
        let new_tokens = VecDeque::new();
        let server_name = server_name.into();
        let preferred = Preferred::new(config.use_preferred_address);
        let client =
            ClientState { server_name, crypto, transport, versions, token, new_tokens, preferred };
        let mut connection = Self::assemble(
            now,
            Parts {
                role: Role::Client(Box::new(client)),
                version: config.version,
                endpoint,
                random,
                path,
                session,
                ids_seen: HandshakeIds {
                    local_source: local_id,
                    original_destination: destination,
                    peer_initial_source: None,
                    retry_source: None,
                },
                local_ids: LocalIds::new(local_id, local_id.length()),
                //= https://www.rfc-editor.org/rfc/rfc9000#section-7.2
                //# Until a packet is received from the server, the client MUST use the same
                //# Destination Connection ID value on all packets in this connection.
                remote_id: destination,
                address_validated: true,
            },
        );
        connection.install_initial_keys(destination)?;
        connection.begin_recording(now);
        if let Err(error) = connection.drive_handshake(now) {
            return Err(StartSessionError::Tls(error.to_string()));
        }
        connection.offer_early_data(now);
        Ok(connection)
    }

    /// A connection that a server accepts; feed it the client's Initial next.
    pub(crate) fn server(now: Instant, start: ServerStart) -> Result<Self, StartSessionError> {
        let ServerStart { path, config, endpoint, mut random, version, destination_id, .. } = start;
        let local_id = endpoint.new_connection_id(&mut random);
        let retry_source = start.retried.then_some(destination_id);
        let mut parameters = local_parameters(&config.transport, local_id);
        parameters.original_destination_connection_id = Some(start.original_destination_id);
        //= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
        //# After switching to a negotiated version after a Retry, the server MUST include the
        //# relevant transport parameters to validate that the server sent the Retry and the
        //# connection IDs used in the exchange, as described in Section 7.3 of [QUIC].
        parameters.retry_source_connection_id = retry_source;
        parameters.stateless_reset_token = endpoint.reset_token(&local_id);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2.3
        //# A server in a deployment that does not implement a solution to maintain
        //# connection continuity when the client address changes SHOULD indicate
        //# that migration is not supported by using the disable_active_migration
        //# transport parameter.
        parameters.disable_active_migration |= !endpoint.permits_migration();
        let mut local_ids = LocalIds::new(local_id, endpoint.connection_id_length);
        parameters.preferred_address =
            offer_preferred_address(&config, &endpoint, &mut local_ids, &mut random);
        let encoded = encode_parameters(&parameters, &config.transport, &mut random);
        let session = config.crypto.start(version, None, encoded)?;
        let state = ServerState { config, keeps_initial_route: true };
        let mut connection = Self::assemble(
            now,
            Parts {
                role: Role::Server(state),
                version,
                endpoint,
                random,
                path,
                session,
                ids_seen: HandshakeIds {
                    local_source: local_id,
                    original_destination: start.original_destination_id,
                    peer_initial_source: Some(start.client_source_id),
                    retry_source,
                },
                local_ids,
                //= https://www.rfc-editor.org/rfc/rfc9000#section-7.2
                //# A server MUST set the Destination Connection ID it uses for sending
                //# packets based on the first received Initial packet.
                remote_id: start.client_source_id,
                address_validated: start.validated,
            },
        );
        connection.registrations.push(Registration::AddId(destination_id));
        connection.keys.initial = Some(start.initial_keys.0);
        connection.begin_recording(now);
        Ok(connection)
    }

    fn assemble(now: Instant, parts: Parts) -> Self {
        let Parts { role, endpoint, mut random, session, .. } = parts;
        let (side, transport) = match &role {
            Role::Client(client) => (Side::Client, Arc::clone(&client.transport)),
            Role::Server(server) => (Side::Server, Arc::clone(&server.config.transport)),
        };
        let hash = KeyedHash::new(&mut random);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-21.6
        //# QUIC deployments SHOULD provide mitigations for the Slowloris attacks,
        //# such as increasing the maximum number of clients the server will
        //# allow, limiting the number of connections a single IP address is
        //# allowed to make, imposing restrictions on the minimum transfer speed a
        //# connection is allowed to have, and restricting the length of time an
        //# endpoint is allowed to stay connected.
        let give_up_at = now + transport.handshake_timeout;
        let defaults = TransportParameters::default();
        Self {
            version: parts.version,
            clock: Clock::new(now),
            lifecycle: Lifecycle::new(),
            idle_timeout: IdleTimeout::new(
                transport.max_idle_timeout,
                transport.keep_alive_interval,
            ),
            handshake: Handshake::new(side, session, give_up_at),
            ids_seen: parts.ids_seen,
            keys: Keychain::default(),
            early_data: None,
            spaces: SpaceId::ALL.map(|space| SpaceSlot::new(space, transport.max_ack_delay)),
            skipped_numbers: SkippedNumbers::new(&mut random),
            undecryptable: Undecryptable::default(),
            paths: Paths::new(side, parts.path, Arc::clone(&transport), parts.address_validated),
            recovery: Recovery::new(transport.packet_threshold),
            local_ids: parts.local_ids,
            remote_ids: RemoteIds::new(parts.remote_id),
            streams: StreamsSlot::new(side, transport, hash),
            datagrams: None,
            ack_frequency: None,
            peer: Peer {
                has_parameters: false,
                ack_delay_exponent: defaults.ack_delay_exponent,
                max_ack_delay: Duration::from_millis(defaults.max_ack_delay).into(),
                max_datagram_frame_size: 0,
                completed_address_validation: side == Side::Server,
                //= https://www.rfc-editor.org/rfc/rfc9000#section-17.4
                //# An endpoint that does not support this feature MUST disable it, as defined
                //# below.
                //= https://www.rfc-editor.org/rfc/rfc9000#section-17.4
                //# Even when the spin bit is not disabled by the administrator, endpoints MUST
                //# disable their use of the spin bit for a random selection of at least one in
                //# every 16 network paths, or for one in every 16 connection IDs, in order to
                //# ensure that QUIC connections that disable the spin bit are commonly observed
                //# on the network.
                //= https://www.rfc-editor.org/rfc/rfc9000#section-17.4
                //# It is RECOMMENDED that endpoints set the spin bit to a random value either
                //# chosen independently for each packet or chosen independently for each
                //# connection ID.
                spin: random.u64() & 1 == 1,
                quic_bits: QuicBits::default(),
                forbids_migration: false,
            },
            ending: Ending::default(),
            events: VecDeque::new(),
            registrations: Registrations::default(),
            counters: Counters::default(),
            work: WorkAccount::default(),
            recording: None,
            role,
            endpoint,
            random,
        }
    }

    /// Makes the Initial keys that follow from the client's Destination Connection ID.
    pub(super) fn install_initial_keys(
        &mut self,
        destination_id: ConnectionId,
    ) -> Result<(), StartSessionError> {
        let version = wire_version(self.version);
        let keys = self.crypto().initial_keys(version, &destination_id, self.side());
        let keys = keys.ok_or(StartSessionError::UnsupportedVersion(version))?;
        self.keys.initial = Some(Box::new(keys));
        // They followed from the ID before.
        self.keys.other_initial = None;
        Ok(())
    }
}

/// It must be hard to guess (RFC 9000 §7.2), and is no ID of this endpoint.
//= https://www.rfc-editor.org/rfc/rfc9000#section-7.2
//# This Destination Connection ID MUST be at least 8 bytes in length.
pub(super) fn first_destination_id(random: &mut SeededRandom) -> ConnectionId {
    let bytes: [u8; FIRST_DESTINATION_LENGTH] = random.array();
    ConnectionId::new(&bytes).unwrap_or(ConnectionId::EMPTY)
}

//! Which version of QUIC the connection is in (RFC 9368, RFC 9369 §4).
//!
//! A client begins in one version. The server may go on in another one that it knows the first
//! flight to be compatible with, and the client follows when it sees an authentic packet of it. Or
//! the server does not know the version: then the client begins anew in one that it does know. In
//! the end both compare what they were told under the protection of the handshake.

use rustls::quic::Keys;

use super::client_versions::{ClientVersions, MAXIMUM_VERSIONS};
use super::parameters::local_parameters;
use super::start::first_destination_id;
use super::undecryptable::Undecryptable;
use super::{Connection, Role};
use crate::config::{QUIC_V1, TransportConfig};
use crate::crypto::{OpenError, Opened, SeededRandom, StartSessionError};
use crate::error::{ConnectionError, DiscardReason, TransportError};
use crate::instant::Instant;
use crate::recorder::{Record, VersionNegotiationRecord};
use crate::wire::header::{
    LongHeader, LongType, VersionNegotiationHeader, is_reserved_version, reserved_version,
};
use crate::wire::transport_parameters::{
    TransportParameters, VersionInformation, decode, encode, encode_reserved,
    encode_version_information,
};
use crate::wire::{ConnectionId, Side, SpaceId};

/// Longest value of a reserved transport parameter, in bytes. Both ends hold it as long as the
/// handshake takes.
const MAXIMUM_GREASE: usize = 3;

/// Initial keys of a version other than the one that is sent.
pub(super) struct OtherInitial {
    version: u32,
    keys: Keys,
}

impl OtherInitial {
    pub(super) fn open<'a>(
        &self,
        packet: &'a mut [u8],
        number_offset: usize,
        largest_received: Option<u64>,
    ) -> Result<Opened<'a>, OpenError> {
        crate::crypto::open(&self.keys.remote, packet, number_offset, largest_received)
    }
}

/// Inserts a reserved version somewhere (RFC 9368 §3).
fn grease(versions: &mut Vec<u32>, random: &mut SeededRandom) {
    let [a, b, c, d, place] = random.array();
    let place = usize::from(place).checked_rem(versions.len().saturating_add(1)).unwrap_or(0);
    versions.insert(place, reserved_version(u32::from_be_bytes([a, b, c, d])));
}

/// What TLS carries: the parameters, and one that nobody knows (RFC 9000 §18.1).
pub(super) fn encode_parameters(
    parameters: &TransportParameters,
    transport: &TransportConfig,
    random: &mut SeededRandom,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    encode(parameters, &mut out);
    if transport.grease {
        let value = random.array::<MAXIMUM_GREASE>();
        let [number, length] = random.array();
        let length = usize::from(length).checked_rem(MAXIMUM_GREASE + 1).unwrap_or(0);
        let value = value.get(..length).unwrap_or_default();
        encode_reserved(number, value, &mut out);
    }
    // TLS keeps it for the whole handshake.
    out.shrink_to_fit();
    out
}

/// The transport parameters of a client.
//= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
//# A client MUST NOT include any server-only transport parameter:
//# original_destination_connection_id, preferred_address,
//# retry_source_connection_id, or stateless_reset_token.
pub(super) fn client_parameters(
    transport: &TransportConfig,
    versions: &ClientVersions,
    local_id: ConnectionId,
    random: &mut SeededRandom,
) -> Vec<u8> {
    let mut available = versions.offered();
    if transport.grease {
        grease(&mut available, random);
    }
    //= https://www.rfc-editor.org/rfc/rfc9369#section-4
    //# Any QUIC endpoint that supports QUIC version 2 MUST send, process,
    //# and validate the version_information transport parameter specified in
    //# [QUIC-VN] to prevent version downgrade attacks.
    let information = VersionInformation { chosen: versions.chosen, available };
    let parameters = TransportParameters {
        version_information: Some(information),
        ..local_parameters(transport, local_id)
    };
    encode_parameters(&parameters, transport, random)
}

/// The version whose keys and packets are used: a client that starts with a version that nobody
/// knows, to be told what the server supports, dresses its packets as version 1.
pub(super) fn wire_version(version: u32) -> u32 {
    if is_reserved_version(version) { QUIC_V1 } else { version }
}

impl Connection {
    /// The version of QUIC that the connection is in: see [`QUIC_V1`](crate::QUIC_V1) and
    /// [`QUIC_V2`](crate::QUIC_V2). It may still change until the handshake is complete
    /// (RFC 9368).
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The version of 0-RTT packets.
    pub(super) fn early_version(&self) -> u32 {
        match &self.role {
            //= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
            //# The client MUST NOT send 0-RTT packets using the negotiated version, even after
            //# processing a packet of that version from the server.
            Role::Client(client) => client.versions.chosen,
            Role::Server(_) => self.version,
        }
    }

    /// Whether a packet of a version other than ours can be part of the connection now.
    pub(super) fn takes_other_version(&self, header: &LongHeader<'_>) -> bool {
        match &self.role {
            Role::Client(client) => {
                !client.versions.settled
                    && client.versions.offers(header.version)
                    && matches!(header.ty, LongType::Initial | LongType::Handshake)
            }
            Role::Server(_) => {
                header.ty == LongType::Initial
                    && self
                        .keys
                        .other_initial
                        .as_ref()
                        .is_some_and(|other| other.version == header.version)
            }
        }
    }

    /// Makes the keys for Initial packets of a version that the server may have gone on in.
    pub(super) fn prepare_other_initial(&mut self, version: u32) {
        if self.keys.other_initial.as_ref().is_some_and(|other| other.version == version) {
            return;
        }
        let id = self.ids_seen.initial_destination();
        let keys = self.crypto().initial_keys(version, &id, self.side());
        self.keys.other_initial = keys.map(|keys| Box::new(OtherInitial { version, keys }));
    }

    /// An authentic Initial packet of this version came.
    ///
    /// # Errors
    /// INTERNAL_ERROR if TLS does not know the version whose keys it made.
    pub(super) fn on_initial_of(&mut self, version: u32) -> Result<(), TransportError> {
        let Role::Client(client) = &mut self.role else { return Ok(()) };
        if version == self.version {
            return Ok(());
        }
        client.versions.settled = true;
        //= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
        //# Once the client has learned the negotiated version, it SHOULD send
        //# subsequent Initial packets using that version.
        self.version = version;
        if let Some(other) = self.keys.other_initial.take() {
            self.keys.initial = Some(Box::new(other.keys));
        }
        self.handshake.session_mut().choose_version(version, &[])
    }

    /// The server's handshake bytes came: it goes on in the version that their packet had.
    pub(super) fn settle_version(&mut self) {
        if let Role::Client(client) = &mut self.role {
            client.versions.settled = true;
            self.keys.other_initial = None;
        }
    }

    /// A server decides on the version once it knows what the client can do.
    ///
    /// # Errors
    /// TRANSPORT_PARAMETER_ERROR or VERSION_NEGOTIATION_ERROR, if the client's parameters are
    /// wrong; what TLS finds in its first message.
    pub(super) fn negotiate_version(&mut self) -> Result<(), TransportError> {
        let Some(offer) = self.handshake.session().client_offer() else { return Ok(()) };
        let Role::Server(server) = &self.role else { return Ok(()) };
        let resumes = offer.resumes;
        //= https://www.rfc-editor.org/rfc/rfc9368#section-2.3
        //# If the first flight is correctly formatted, then this conversion process cannot fail
        //# by definition of the first flight being compatible; if the server is unable to
        //# convert the first flight, it MUST abort the handshake.
        let parameters = decode(offer.parameters, Side::Client)
            .map_err(|error| TransportError::transport_parameter(error.0))?;
        let mut chosen = self.version;
        if let Some(information) = &parameters.version_information {
            //= https://www.rfc-editor.org/rfc/rfc9368#section-4
            //# When the server then processes the client's Version
            //# Information, the server MUST validate that the client's Chosen
            //# Version matches the version in use for the connection.  If the two
            //# differ, the server MUST close the connection with a version
            //# negotiation error.
            //= https://www.rfc-editor.org/rfc/rfc9368#section-4
            //# Subsequently,
            //# if the server receives the client's Version Information over QUIC
            //# version 1 (as indicated by the Version field of the Long Header
            //# packets that carried the transport parameters) and the client's
            //# Chosen Version is not set to 0x00000001, the server MUST close the
            //# connection with a version negotiation error.
            if information.chosen != self.version {
                return Err(TransportError::version_negotiation(
                    "the chosen version is not that of the packets",
                ));
            }
            // RFC 9369 §4.1 would let it move. But the tickets that it got then would be for
            // another version than it begins in (§5): its next connection could resume nothing.
            if !resumes {
                chosen = server.config.versions.choose(self.version, &information.available);
            }
        }
        //= https://www.rfc-editor.org/rfc/rfc9369#section-4
        //# Endpoints that support both versions SHOULD support compatible version negotiation
        //# to avoid a round trip.
        //= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
        //# The server MUST send all CRYPTO frames using the negotiated version.
        self.move_to(chosen);
        let parameters = self.late_parameters();
        self.handshake.session_mut().choose_version(self.version, &parameters)
    }

    /// The transport parameter that a server knows only once it decided on the version.
    fn late_parameters(&mut self) -> Vec<u8> {
        let mut parameters = Vec::with_capacity(64);
        let Role::Server(server) = &self.role else { return parameters };
        let transport = &server.config.transport;
        let mut available = server.config.versions.deployed.clone();
        available.truncate(MAXIMUM_VERSIONS);
        if transport.grease {
            grease(&mut available, &mut self.random);
        }
        let information = VersionInformation { chosen: self.version, available };
        encode_version_information(&information, &mut parameters);
        parameters
    }

    /// Sends in this version from now on; stays in the one it has if there are no keys for it.
    fn move_to(&mut self, version: u32) {
        if version == self.version {
            return;
        }
        let id = self.ids_seen.initial_destination();
        let Some(keys) = self.crypto().initial_keys(version, &id, self.side()) else { return };
        //= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
        //# The server MUST NOT
        //# discard its original version Initial receive keys until it
        //# successfully processes a Handshake packet with the negotiated
        //# version.
        let original = self.keys.initial.replace(Box::new(keys));
        self.keys.other_initial = original
            .map(|original| Box::new(OtherInitial { version: self.version, keys: *original }));
        self.version = version;
    }

    /// Compares the versions that a server names with what happened.
    pub(super) fn check_versions(
        &self,
        parameters: &TransportParameters,
    ) -> Result<(), TransportError> {
        match &self.role {
            Role::Client(client) => {
                client.versions.check(self.version, parameters.version_information.as_ref())
            }
            // It was checked before the version was decided on.
            Role::Server(_) => Ok(()),
        }
    }

    /// The server does not know our version (RFC 9000 §6.2, RFC 9368 §2.1).
    pub(super) fn handle_version_negotiation(
        &mut self,
        now: Instant,
        header: &VersionNegotiationHeader<'_>,
        length: usize,
    ) {
        let expected = self.awaits_first_answer()
            && header.source_id == self.ids_seen.original_destination.as_slice()
            && header.destination_id == self.ids_seen.local_source.as_slice();
        let Role::Client(client) = &self.role else {
            //= https://www.rfc-editor.org/rfc/rfc9368#section-2.1
            //# Clients
            //# MUST NOT send Version Negotiation packets and servers MUST ignore all
            //# received Version Negotiation packets.
            self.discard(now, DiscardReason::Unexpected);
            return;
        };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-6.2
        //# A client MUST discard a Version Negotiation packet that lists
        //# the QUIC version selected by the client.
        //= https://www.rfc-editor.org/rfc/rfc9368#section-4
        //# Clients MUST ignore any received Version Negotiation packets that
        //# contain the Original Version.  A client that makes a connection
        //# attempt based on information received from a Version Negotiation
        //# packet MUST ignore any Version Negotiation packets it receives in
        //# response to that connection attempt.
        if !expected
            || client.versions.reacted
            || header.versions.clone().any(|version| version == self.version)
        {
            self.discard(now, DiscardReason::Unexpected);
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc9368#section-2.1
        //# If it doesn't find one, it SHALL abort the connection attempt.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-6.2
        //# A client that supports only this version of QUIC MUST abandon the current connection
        //# attempt if it receives a Version Negotiation packet, with the following two
        //# exceptions.
        let is_known = |version| header.versions.clone().any(|known| known == version);
        let selected = client.versions.select(is_known);
        let told = VersionNegotiationRecord::new(header, length);
        self.record(now, &Record::VersionNegotiationReceived(told));
        let Some(version) = selected else {
            self.vanish(now, ConnectionError::VersionMismatch);
            return;
        };
        match self.begin_anew(now, version) {
            Ok(()) => {}
            Err(Anew::Impossible) => self.vanish(now, ConnectionError::VersionMismatch),
            Err(Anew::Transport(error)) => self.fail(now, error),
        }
    }

    /// Starts the connection once more, in this version: with another handshake, other keys and
    /// packet numbers, and to another made up connection ID.
    fn begin_anew(&mut self, now: Instant, version: u32) -> Result<(), Anew> {
        let Role::Client(client) = &mut self.role else { return Ok(()) };
        //= https://www.rfc-editor.org/rfc/rfc9368#section-2.1
        //# Otherwise, it SHALL select a mutually supported version and send a
        //# new first flight with that version -- this version is now the
        //# Negotiated Version.
        client.versions.chosen = version;
        client.versions.reacted = true;
        // It is of the other version (RFC 9369 §5).
        client.token = bytes::Bytes::new();
        let parameters = client_parameters(
            &client.transport,
            &client.versions,
            self.ids_seen.local_source,
            &mut self.random,
        );
        //= https://www.rfc-editor.org/rfc/rfc9368#section-6
        //# When incompatible version negotiation is in use, the second
        //# connection that is created in response to the received Version
        //# Negotiation packet MUST restart its application-layer protocol
        //# negotiation process without taking into account the Original Version.
        let session = client.crypto.start(version, Some(&client.server_name), parameters)?;
        let destination = first_destination_id(&mut self.random);
        self.version = version;
        self.discard_space(SpaceId::Initial);
        self.undecryptable = Undecryptable::default();
        // It is of a session of the other version.
        self.reject_early_data(now);
        self.handshake.restart(session);
        self.ids_seen.original_destination = destination;
        self.remote_ids.set_first(destination);
        self.install_initial_keys(destination)?;
        self.drive_handshake(now)?;
        Ok(())
    }
}

/// Why a connection cannot be started once more.
enum Anew {
    /// TLS cannot do the version.
    Impossible,
    Transport(TransportError),
}

impl From<StartSessionError> for Anew {
    fn from(_: StartSessionError) -> Self {
        Self::Impossible
    }
}

impl From<TransportError> for Anew {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

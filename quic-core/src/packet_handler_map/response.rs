//! Answers that need no connection, kept as small values and written when they are polled.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::config::{EndpointConfig, ServerConfig};
use crate::crypto::{
    BufferedRandom, RandomSource as _, TAG_LENGTH, Token, retry_tag, seal, seal_token,
};
use crate::error::TransportErrorCode;
use crate::event::ConnectionHandle;
use crate::instant::Instant;
use crate::memory;
use crate::net::PathAddresses;
use crate::server::{InitialFacts, MINIMUM_ID_LENGTH};
use crate::transmit::{Transmit, TransmitBuffer};
use crate::wire::frame::{ConnectionClose, FrameType};
use crate::wire::header::{
    InvariantHeader, LongHeaderParts, LongType, RetryParts, patch_length, reserved_version,
    write_long_header, write_retry_without_tag, write_version_negotiation,
};
use crate::wire::{ConnectionId, Full, PacketNumberLength, Side, StatelessResetToken, Writer};

/// Answers that wait in one queue; further ones are dropped.
pub(super) const MAXIMUM_RESPONSES: usize = 256;
/// Datagrams with fewer bytes provoke no stateless reset, which has to be shorter than they are.
pub(super) const MINIMUM_RESET_TRIGGER: usize = StatelessResetToken::MINIMUM_RESET_LENGTH + 1;
/// Lengths of stateless resets vary between these, where what provoked them permits it.
const SHORTEST_USUAL_RESET: usize = 42;
const LONGEST_RESET: usize = 96;

/// Bytes of a connection ID of any version. On the heap only where longer than any known version
/// has them.
type LongId = SmallVec<[u8; ConnectionId::MAXIMUM_LENGTH]>;

/// Longest connection ID of any version (RFC 8999 §5.1), in bytes.
const LONGEST_ID: u64 = 255;

/// An answer to one datagram.
#[derive(Clone, Debug)]
pub(super) enum Response {
    /// An Initial with CONNECTION_CLOSE.
    Close {
        facts: InitialFacts,
        config: Arc<ServerConfig>,
        code: TransportErrorCode,
    },
    /// The closed connection repeats its CONNECTION_CLOSE.
    CloseAgain(ConnectionHandle),
    Reset {
        path: PathAddresses,
        id: ConnectionId,
        trigger_length: usize,
    },
    Retry {
        facts: InitialFacts,
        config: Arc<ServerConfig>,
        issued: Instant,
    },
    VersionNegotiation {
        path: PathAddresses,
        destination_id: LongId,
        source_id: LongId,
        config: Arc<ServerConfig>,
    },
}

impl Response {
    /// Heap of a queue of so many at the most, in bytes.
    pub(super) fn worst_case_bytes(responses: u64) -> u64 {
        let ids = responses.saturating_mul(2 * LONGEST_ID);
        memory::list::<Self>(responses).saturating_add(ids)
    }

    /// Version Negotiation in answer to a packet with this header.
    pub(super) fn version_negotiation(
        path: PathAddresses,
        header: &InvariantHeader<'_>,
        config: Arc<ServerConfig>,
    ) -> Self {
        Self::VersionNegotiation {
            path,
            //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.1
            //# The server MUST include the value from the Source Connection ID field
            //# of the packet it receives in the Destination Connection ID field.
            //= https://www.rfc-editor.org/rfc/rfc8999#section-6
            //# An endpoint MUST include the value from the Source Connection ID field of the
            //# packet it receives in the Destination Connection ID field.
            destination_id: LongId::from_slice(header.source_id),
            //= https://www.rfc-editor.org/rfc/rfc8999#section-6
            //# The value for the Source Connection ID field MUST be copied from the Destination
            //# Connection ID field of the received packet, which is initially randomly selected
            //# by a client.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.1
            //# The value for Source Connection ID MUST be copied from the Destination
            //# Connection ID of the received packet, which is initially randomly selected by a
            //# client.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.1
            //# Version-specific rules for the connection ID therefore MUST NOT influence a
            //# decision about whether to send a Version Negotiation packet.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2
            //# In order to properly form a Version Negotiation packet, servers SHOULD be able
            //# to read longer connection IDs from other QUIC versions.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2
            //# In order to properly form a Version Negotiation packet, servers SHOULD be able
            //# to read longer connection IDs from other QUIC versions.
            source_id: LongId::from_slice(header.destination_id),
            config,
        }
    }

    fn path(&self) -> Option<PathAddresses> {
        match self {
            Self::Close { facts, .. } | Self::Retry { facts, .. } => Some(facts.path),
            Self::Reset { path, .. } | Self::VersionNegotiation { path, .. } => Some(*path),
            Self::CloseAgain(_) => None,
        }
    }

    /// Writes the answer; `None` if it cannot be, or is not for this function to write.
    pub(super) fn transmit(
        &self,
        endpoint: &EndpointConfig,
        random: &mut BufferedRandom,
        buffer: &mut TransmitBuffer<'_>,
    ) -> Option<Transmit> {
        let path = self.path()?;
        let memory = buffer.memory();
        if let Self::Close { facts, config, code } = self {
            let id = leads_nowhere(endpoint, random)?;
            let length = close(memory, facts, config, *code, id)?;
            return Some(Transmit { path, ecn: None, length, segment_length: None });
        }
        let writer = Writer::new(memory);
        let length = match self {
            Self::Retry { facts, config, issued } => {
                let id = leads_nowhere(endpoint, random)?;
                retry(writer, facts, config, (*issued, id), random)?
            }
            Self::Reset { id, trigger_length, .. } => {
                let token = endpoint.reset_token(id)?;
                reset(writer, token, *trigger_length, random)?
            }
            Self::VersionNegotiation { destination_id, source_id, config, .. } => {
                negotiate(writer, destination_id, source_id, config, random).ok()?
            }
            Self::Close { .. } | Self::CloseAgain(_) => return None,
        };
        Some(Transmit { path, ecn: None, length, segment_length: None })
    }
}

/// A connection ID of this endpoint that leads nowhere in it; of random bytes where it has none.
fn leads_nowhere(endpoint: &EndpointConfig, random: &mut BufferedRandom) -> Option<ConnectionId> {
    let id = endpoint.new_connection_id(random);
    if id.is_empty() { ConnectionId::new(&random.array::<MINIMUM_ID_LENGTH>()) } else { Some(id) }
}

fn close(
    memory: &mut [u8],
    facts: &InitialFacts,
    config: &ServerConfig,
    code: TransportErrorCode,
    source_id: ConnectionId,
) -> Option<usize> {
    let mut writer = Writer::new(memory);
    let id = &facts.destination_id;
    let keys = config.crypto.initial_keys(facts.version, id, Side::Server)?;
    let parts = LongHeaderParts {
        ty: LongType::Initial,
        version: facts.version,
        destination_id: facts.source_id,
        source_id,
        token: &[],
    };
    let number_length = PacketNumberLength::for_number(0, None);
    let field = write_long_header(&mut writer, &parts, 0, number_length).ok()?;
    let payload_offset = writer.length();
    let number_offset = payload_offset.checked_sub(number_length.bytes())?;
    let frame = ConnectionClose {
        error_code: code.value(),
        frame_type: Some(FrameType::PADDING),
        reason: &[],
    };
    frame.encode(&mut writer).ok()?;
    writer.reserve(TAG_LENGTH).ok()?.fill(0);
    let length = writer.length();
    let packet = memory.get_mut(..length)?;
    patch_length(packet, field, length.checked_sub(number_offset)?);
    seal(&keys.local, packet, number_offset, number_length.bytes(), 0).ok()?;
    Some(length)
}

fn retry(
    mut writer: Writer<'_>,
    facts: &InitialFacts,
    config: &ServerConfig,
    (issued, source_id): (Instant, ConnectionId),
    random: &mut BufferedRandom,
) -> Option<usize> {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.1
    //# This value MUST NOT be equal to the Destination Connection ID field of
    //# the packet sent by the client.
    if source_id == facts.destination_id {
        return None;
    }
    let token = Token::Retry {
        remote: facts.path.remote,
        original_destination_id: facts.destination_id,
        retry_source_id: source_id,
        issued,
        version: facts.version,
    };
    let token = seal_token(&config.keyring, &token, random);
    if token.is_empty() {
        return None;
    }
    //= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
    //# If the server sends a Retry packet, it MUST use the original version.
    let parts = RetryParts {
        version: facts.version,
        destination_id: facts.source_id,
        source_id,
        token: &token,
    };
    let [bits] = random.array();
    write_retry_without_tag(&mut writer, &parts, bits).ok()?;
    let tag = retry_tag(facts.version, &facts.destination_id, writer.written())?;
    writer.bytes(&tag).ok()?;
    Some(writer.length())
}

/// Shorter than what provoked it, so that two endpoints that do not know each other's packets
/// fall silent (RFC 9000 §10.3.3).
fn reset(
    mut writer: Writer<'_>,
    token: StatelessResetToken,
    trigger_length: usize,
    random: &mut BufferedRandom,
) -> Option<usize> {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
    //# An endpoint MUST NOT send a Stateless Reset that is three times or
    //# more larger than the packet it receives to avoid being used for
    //# amplification.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.3
    //# An endpoint MUST ensure that every Stateless Reset that it sends is
    //# smaller than the packet that triggered it, unless it maintains state
    //# sufficient to prevent looping.
    let longest = trigger_length.checked_sub(1)?.min(LONGEST_RESET);
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
    //# An endpoint that sends a Stateless Reset in response to a packet that
    //# is 43 bytes or shorter SHOULD send a Stateless Reset that is one byte
    //# shorter than the packet it responds to.
    let shortest = longest.min(SHORTEST_USUAL_RESET);
    let choices = longest.checked_sub(shortest)? as u64 + 1;
    let more = usize::try_from(random.u64().checked_rem(choices)?).ok()?;
    let unpredictable = (shortest + more).checked_sub(StatelessResetToken::LENGTH)?;
    let bytes = writer.reserve(unpredictable).ok()?;
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
    //# The remainder of the first byte and an arbitrary number of bytes
    //# following it are set to values that SHOULD be indistinguishable from
    //# random.
    random.fill(bytes);
    if let Some(first) = bytes.first_mut() {
        // Like a packet with a short header.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
        //# Endpoints MUST send Stateless Resets formatted as a packet with a
        //# short header.
        *first = *first & 0x3f | 0x40;
    }
    writer.bytes(token.as_bytes()).ok()?;
    Some(writer.length())
}

fn negotiate(
    mut writer: Writer<'_>,
    destination_id: &[u8],
    source_id: &[u8],
    config: &ServerConfig,
    random: &mut BufferedRandom,
) -> Result<usize, Full> {
    let [first, a, b, c, d] = random.array();
    //= https://www.rfc-editor.org/rfc/rfc9368#section-2.1
    //# This packet SHALL include each entry from the server's set of Offered Versions (see
    //# Section 5) in a Supported Version field.
    let mut versions = SmallVec::<[u32; 4]>::from_slice(&config.versions.offered);
    // A version that is reserved to exercise negotiation (RFC 9000 §15): no one may rely on lists
    // without unknown versions.
    if config.transport.grease {
        let place = usize::from(a).checked_rem(versions.len().saturating_add(1));
        versions.insert(place.unwrap_or(0), reserved_version(u32::from_be_bytes([a, b, c, d])));
    }
    write_version_negotiation(&mut writer, first, destination_id, source_id, &versions)?;
    Ok(writer.length())
}

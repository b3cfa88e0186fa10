//! What a packet that belongs to no connection means to a server (RFC 9000 §5.2.2).

mod address_token;
mod attempt;
mod held;
mod initial;
mod rush;

#[cfg(test)]
mod tests;

pub(crate) use attempt::{ATTEMPT_LIMIT, Attempt, InitialFacts};
pub(crate) use held::{HeldDatagrams, HoldLimit};
pub(crate) use initial::MINIMUM_ID_LENGTH;

use std::sync::Arc;

use crate::config::ServerConfig;
use crate::crypto::{InitialKeys, SingleUse};
use crate::error::TransportErrorCode;
use crate::instant::Instant;
use crate::net::{MINIMUM_MTU, PathAddresses};
use crate::wire::header::{
    Header, InvariantHeader, LongHeader, LongType, has_fixed_bit, invariant_header,
};

use rush::Rush;

/// Tokens remembered to have been used, about 32 bytes each.
const MAXIMUM_USED_TOKENS: usize = 16_384;

/// Longest packet that is decrypted here, in bytes.
const LONGEST_PACKET: u64 = 65_535;

/// Decides about packets that may open connections. Keeps no state for any client, but for the
/// tokens that were used; how many come is counted.
#[derive(Debug)]
pub(crate) struct Server {
    config: Arc<ServerConfig>,
    listening: bool,
    used_tokens: SingleUse,
    rush: Rush,
    /// Where an Initial is copied to and decrypted, since its datagram may be needed as it came.
    scratch: Vec<u8>,
}

/// What is to be done about a packet.
#[derive(Debug)]
pub(crate) enum Reaction<'a> {
    /// An attempt begins.
    Attempt(InitialFacts, InitialKeys),
    /// Answer with CONNECTION_CLOSE.
    Close(InitialFacts, TransportErrorCode),
    Drop,
    /// Answer with Version Negotiation.
    NegotiateVersion(InvariantHeader<'a>),
    /// Keep it: an Initial may follow.
    QueueZeroRtt,
    /// Answer with Retry.
    Retry(InitialFacts),
}

/// A datagram for which there is no connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unrouted<'a> {
    pub(crate) path: PathAddresses,
    pub(crate) datagram: &'a [u8],
}

/// How busy the owner of all connections is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Load {
    /// Attempts, and connections to the server whose handshake goes on.
    pub(crate) half_open: usize,
    /// Attempts.
    pub(crate) waiting: usize,
    /// Whether there is no room for one more connection.
    pub(crate) full: bool,
    /// Whether too many come that prove nothing of their address.
    pub(crate) rush: bool,
}

impl Server {
    pub(crate) fn new(config: Arc<ServerConfig>) -> Self {
        let used_tokens = SingleUse::new(MAXIMUM_USED_TOKENS);
        Self { config, listening: true, used_tokens, rush: Rush::default(), scratch: Vec::new() }
    }

    /// Heap at the most, in bytes.
    pub(crate) fn worst_case_bytes() -> u64 {
        SingleUse::worst_case_bytes(MAXIMUM_USED_TOKENS).saturating_add(LONGEST_PACKET)
    }

    /// Accepts connections from now on, with this configuration.
    pub(crate) fn listen(&mut self, config: Arc<ServerConfig>) {
        self.config = config;
        self.listening = true;
    }

    /// Refuses connections from now on.
    pub(crate) fn stop_listening(&mut self) {
        self.listening = false;
    }

    pub(crate) fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    /// Decides what to do about the long header packet at the start of a datagram.
    pub(crate) fn handle_packet<'a>(
        &mut self,
        now: Instant,
        packet: Unrouted<'a>,
        header: &Header<'a>,
        load: Load,
    ) -> Reaction<'a> {
        let large_enough = packet.datagram.len() >= MINIMUM_MTU.into();
        let accepts = |version| self.config.versions.accepts(version);
        match header {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2.2
            //# Servers MUST drop smaller packets that specify unsupported versions.
            Header::UnknownVersion(_) | Header::Long(LongHeader { ty: LongType::Initial, .. })
                if !large_enough =>
            {
                Reaction::Drop
            }
            //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2.2
            //# If a server receives a packet that indicates an unsupported version and
            //# if the packet is large enough to initiate a new connection for any
            //# supported version, the server SHOULD send a Version Negotiation packet
            //# as described in Section 6.1.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2.2
            //# Servers SHOULD respond with a Version Negotiation packet, provided that
            //# the datagram is sufficiently long.
            Header::UnknownVersion(invariant) => Reaction::NegotiateVersion(*invariant),
            Header::Long(header) if !accepts(header.version) => {
                match invariant_header(packet.datagram).filter(|_| large_enough) {
                    Some(invariant) => Reaction::NegotiateVersion(invariant),
                    None => Reaction::Drop,
                }
            }
            // A client may know from an earlier connection that the bit may be cleared
            // (RFC 9287 §3.1).
            Header::Long(_)
                if !has_fixed_bit(packet.datagram) && !self.config.transport.grease_quic_bit =>
            {
                Reaction::Drop
            }
            Header::Long(header) => match header.ty {
                LongType::Initial => self.handle_initial(now, packet, header, load),
                LongType::ZeroRtt if self.listening => Reaction::QueueZeroRtt,
                //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2.2
                //# Clients are not able to send Handshake packets prior to receiving a
                //# server response, so servers SHOULD ignore any such packets.
                LongType::ZeroRtt | LongType::Handshake => Reaction::Drop,
            },
            // None of these opens a connection, and an answer to Version Negotiation could be
            // answered in turn (RFC 9000 §6.1).
            //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2.2
            //# Servers MUST drop incoming packets under all other circumstances.
            Header::Short(_) | Header::Retry(_) | Header::VersionNegotiation(_) => Reaction::Drop,
        }
    }
}

//! The first packet of a possible connection: decide, then act.

use super::address_token::AddressToken;
use super::{InitialFacts, Load, Reaction, Server, Unrouted};
use crate::config::AddressValidation;
use crate::crypto::{InitialKeys, open};
use crate::error::{DiscardReason, TransportErrorCode};
use crate::instant::Instant;
use crate::wire::header::LongHeader;
use crate::wire::{ConnectionId, Side};

/// Shortest Destination Connection ID of a client's Initial, unless a Retry gave it
/// (RFC 9000 §7.2).
pub(crate) const MINIMUM_ID_LENGTH: usize = 8;

/// What is to become of an Initial.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Accept {
        original_destination_id: ConnectionId,
        validated: bool,
        retried: bool,
    },
    Retry,
    Refuse,
    /// The token is one of our Retry tokens, but not good (RFC 9000 §8.1.3).
    RejectToken,
    Drop(DiscardReason),
}

impl Server {
    pub(super) fn handle_initial<'a>(
        &mut self,
        now: Instant,
        packet: Unrouted<'a>,
        header: &LongHeader<'a>,
        load: Load,
    ) -> Reaction<'a> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
        //# When a server receives an Initial packet with an address validation
        //# token, it MUST attempt to validate the token, unless it has already
        //# completed address validation.
        let token = self.read_token(now, packet, header);
        let facts = InitialFacts {
            path: packet.path,
            version: header.version,
            destination_id: header.destination_id,
            source_id: header.source_id,
            original_destination_id: header.destination_id,
            validated: false,
            retried: false,
        };
        let rush = !token.is_proof() && self.rush.count(now, self.config.unvalidated_per_second);
        match self.verdict(&facts, token, Load { rush, ..load }) {
            Verdict::Accept { original_destination_id, validated, retried } => {
                // Garbage never reaches the application, nor does it use up a token.
                let Some(keys) = self.keys_that_open(packet, header) else {
                    return Reaction::Drop;
                };
                if let Some(issued) = token.new_token_issued() {
                    self.used_tokens.mark(header.token, issued);
                }
                let facts = InitialFacts { original_destination_id, validated, retried, ..facts };
                Reaction::Attempt(facts, keys)
            }
            Verdict::Retry => Reaction::Retry(facts),
            Verdict::Refuse => Reaction::Close(facts, TransportErrorCode::CONNECTION_REFUSED),
            //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.2
            //# Instead, the server SHOULD immediately close (Section 10.2) the
            //# connection with an INVALID_TOKEN error.
            Verdict::RejectToken => Reaction::Close(facts, TransportErrorCode::INVALID_TOKEN),
            Verdict::Drop(_) => Reaction::Drop,
        }
    }

    /// Decides; changes nothing. Costs no keys.
    pub(super) fn verdict(&self, facts: &InitialFacts, token: AddressToken, load: Load) -> Verdict {
        // Who answers a Retry uses the ID that it gave, however short that is.
        let from_retry = matches!(token, AddressToken::Retry { .. });
        if facts.destination_id.length() < MINIMUM_ID_LENGTH && !from_retry {
            return Verdict::Drop(DiscardReason::Malformed);
        }
        let (original_destination_id, validated, retried) = match token {
            AddressToken::Absent => (facts.destination_id, false, false),
            AddressToken::NewToken { valid, .. } => (facts.destination_id, valid, false),
            AddressToken::Retry { original_destination_id, valid: true } => {
                (original_destination_id, true, true)
            }
            AddressToken::Retry { valid: false, .. } => return Verdict::RejectToken,
        };
        if !self.listening {
            return Verdict::Refuse;
        }
        if !validated && self.requires_validation(load) {
            //= https://www.rfc-editor.org/rfc/rfc9001#section-4.7
            //# Although it is in principle possible to use this feature for address
            //# verification, QUIC implementations SHOULD instead use the Retry feature; see
            //# Section 8.1 of [QUIC-TRANSPORT].
            return Verdict::Retry;
        }
        // A server that is so busy has no time for answers, either.
        if load.half_open >= self.config.max_half_open {
            return Verdict::Drop(DiscardReason::BufferFull);
        }
        if load.full || load.waiting >= self.config.accept_backlog {
            return Verdict::Refuse;
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
        //# If the validation succeeds, the server SHOULD then allow the handshake
        //# to proceed.
        Verdict::Accept { original_destination_id, validated, retried }
    }

    fn requires_validation(&self, load: Load) -> bool {
        match self.config.validation {
            AddressValidation::Always => true,
            AddressValidation::Never => false,
            // Half of the accept queue is for those who proved their address: a flood does not
            // keep them out, however slow the application is.
            AddressValidation::AboveHalfOpen(limit) => {
                load.rush || load.half_open > limit || load.waiting > self.config.accept_backlog / 2
            }
        }
    }

    fn keys_that_open(
        &mut self,
        packet: Unrouted<'_>,
        header: &LongHeader<'_>,
    ) -> Option<InitialKeys> {
        let (version, id) = (header.version, &header.destination_id);
        let keys = self.config.crypto.initial_keys(version, id, Side::Server)?;
        let packet = packet.datagram.get(..header.packet_length)?;
        self.scratch.clear();
        self.scratch.extend_from_slice(packet);
        open(&keys.remote, &mut self.scratch, header.number_offset, None).ok()?;
        Some(InitialKeys(Box::new(keys)))
    }
}

//! What a server may answer instead of a handshake: Retry. Version Negotiation is in
//! [`versions`](super::versions).

use bytes::Bytes;

use super::{Connection, Role};
use crate::crypto::{TAG_LENGTH, is_retry_authentic};
use crate::error::{ConnectionError, DiscardReason, TransportError};
use crate::instant::Instant;
use crate::recorder::{Record, RetryRecord};
use crate::wire::header::RetryHeader;
use crate::wire::{Side, SpaceId, varint_length};

/// What an Initial packet takes besides connection IDs, token and frames, in bytes: first byte,
/// version, lengths of the IDs, Length, packet number and tag, each as long as it gets.
const INITIAL_OVERHEAD: usize = 1 + 4 + 2 + 2 + 4 + TAG_LENGTH;
/// Bytes of frames that a token has to leave room for in an Initial packet, so that a few dozen
/// packets are enough for any ClientHello.
const LEAST_ROOM: usize = 64;

impl Connection {
    /// A server wants the client to prove its address (RFC 9000 §17.2.5.2).
    pub(super) fn handle_retry(&mut self, now: Instant, retry: &RetryHeader<'_>, packet: &[u8]) {
        if !self.is_expected_retry(retry, packet) {
            self.discard(now, DiscardReason::Unexpected);
            return;
        }
        self.record(now, &Record::RetryReceived(RetryRecord::new(retry, packet.len())));
        if self.room_beside(retry) < LEAST_ROOM {
            // Nor is there room to say so.
            let error = TransportError::internal("the Retry token leaves no room in an Initial");
            self.vanish(now, ConnectionError::TransportError(error));
            return;
        }
        let Role::Client(client) = &mut self.role else { return };
        //= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
        //# The client MUST NOT use a different version in the subsequent Initial packet that
        //# contains the Retry token.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.2
        //# This token MUST be repeated by the client in all Initial packets it
        //# sends for that connection after it receives the Retry packet.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
        //# The client MUST NOT use the token provided in a Retry for future
        //# connections.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
        //# In comparison, a token obtained in a Retry packet MUST be used
        //# immediately during the connection attempt and cannot be used in
        //# subsequent connection attempts.
        client.token = Bytes::copy_from_slice(retry.token);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.2
        //# A client MUST accept and process at most one Retry packet for each connection
        //# attempt.
        self.ids_seen.retry_source = Some(retry.source_id);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.1
        //# The client MUST use the value from the Source Connection ID field of the Retry
        //# packet in the Destination Connection ID field of subsequent packets that it sends.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.2
        //# The client MUST NOT change the Source Connection ID because the server could include
        //# the connection ID as part of its token validation logic; see Section 8.1.4.
        self.remote_ids.set_first(retry.source_id);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.3
        //# A client MUST use the same cryptographic handshake message it included in this
        //# packet.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.3
        //# A client MUST NOT reset the packet number for any packet number space after
        //# processing a Retry packet.
        self.resend_all(SpaceId::Initial);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.3
        //# A client SHOULD attempt
        //# to resend data in 0-RTT packets after it sends a new Initial packet.
        if self.sends_early() {
            self.resend_all(SpaceId::Application);
        }
        // RFC 9002 §6.3: timers start anew, since the server is there and has kept no state.
        self.recovery.on_space_discarded();
        if self.install_initial_keys(retry.source_id).is_err() {
            self.fail(now, TransportError::internal("no keys for the version in use"));
        }
        let pto = self.pto();
        self.idle_timeout.on_packet_received(now, pto);
    }

    /// Bytes of frames that fit into an Initial packet with the token of a Retry.
    fn room_beside(&self, retry: &RetryHeader<'_>) -> usize {
        let token = retry.token.len();
        let ids = retry.source_id.length() + self.ids_seen.local_source.length();
        let overhead = INITIAL_OVERHEAD + ids + varint_length(token as u64) + token;
        usize::from(self.paths.active().mtu.current()).saturating_sub(overhead)
    }

    fn is_expected_retry(&self, retry: &RetryHeader<'_>, packet: &[u8]) -> bool {
        let ids = &self.ids_seen;
        self.awaits_first_answer()
            && retry.version == self.version
            && retry.destination_id == ids.local_source
            //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.1
            //# A client MUST discard a Retry packet that contains a Source
            //# Connection ID field that is identical to the Destination Connection
            //# ID field of its Initial packet.
            && retry.source_id != ids.original_destination
            //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.2
            //# Clients MUST discard Retry packets that have a
            //# Retry Integrity Tag that cannot be validated; see Section 5.8 of
            //# [QUIC-TLS].
            && is_retry_authentic(self.version, &ids.original_destination, packet)
    }

    /// Whether this is a client that has heard nothing of its server.
    pub(super) fn awaits_first_answer(&self) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.2
        //# After the client has received and processed an
        //# Initial or Retry packet from the server, it MUST discard any
        //# subsequent Retry packets that it receives.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-6.2
        //# A client MUST discard any Version Negotiation packet if
        //# it has received and successfully processed any other packet,
        //# including an earlier Version Negotiation packet.
        self.side() == Side::Client
            && self.ids_seen.peer_initial_source.is_none()
            && self.ids_seen.retry_source.is_none()
    }
}

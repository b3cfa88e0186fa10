//! What the token in a client's Initial proves (RFC 9000 §8.1).

use std::net::SocketAddr;
use std::time::Duration;

use super::{Server, Unrouted};
use crate::crypto::{Token, open_token};
use crate::instant::Instant;
use crate::wire::ConnectionId;
use crate::wire::header::LongHeader;

/// What the token in an Initial proves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum AddressToken {
    /// There is none, or none that this server can read.
    Absent,
    /// From a Retry, with the Destination Connection ID of the client's very first Initial.
    Retry { original_destination_id: ConnectionId, valid: bool },
    /// From a NEW_TOKEN frame; `issued` tells when.
    NewToken { issued: Instant, valid: bool },
}

impl AddressToken {
    /// Whether it proves that the client receives at its address.
    pub(super) fn is_proof(self) -> bool {
        matches!(self, Self::Retry { valid: true, .. } | Self::NewToken { valid: true, .. })
    }

    /// When a valid token from a NEW_TOKEN frame was issued.
    pub(super) fn new_token_issued(self) -> Option<Instant> {
        if let Self::NewToken { issued, valid: true } = self { Some(issued) } else { None }
    }
}

impl Server {
    /// Reads and checks; changes nothing.
    pub(super) fn read_token(
        &self,
        now: Instant,
        packet: Unrouted<'_>,
        header: &LongHeader<'_>,
    ) -> AddressToken {
        if header.token.is_empty() {
            return AddressToken::Absent;
        }
        let config = &self.config;
        let from = packet.path.remote;
        match open_token(&config.keyring, header.token) {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
            //# If the token is invalid, then the server SHOULD proceed as if the client
            //# did not have a validated address, including potentially sending a Retry
            //# packet.
            None => AddressToken::Absent,
            Some(Token::Retry {
                remote,
                original_destination_id,
                retry_source_id,
                issued,
                version,
            }) => {
                //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
                //# Tokens sent in Retry packets SHOULD include information that allows the
                //# server to verify that the source IP address and port in client packets
                //# remain constant.
                // RFC 9369 §4.1: a client does not change the version in answer to a Retry.
                let valid = version == header.version
                    && is_same_address(remote, from)
                    && retry_source_id == header.destination_id
                    && is_current(now, issued, config.retry_token_lifetime);
                AddressToken::Retry { original_destination_id, valid }
            }
            Some(Token::NewToken { ip, issued, version }) => {
                //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
                //# Tokens sent in NEW_TOKEN frames MUST include information that allows the
                //# server to verify that the client IP address has not changed from when
                //# the token was issued.
                //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
                //# If the client IP address has changed, the server MUST adhere to the
                //# anti-amplification limit; see Section 8.
                //= https://www.rfc-editor.org/rfc/rfc9369#section-5
                //# Servers MUST validate the originating version of any session ticket
                //# or token and not accept one issued from a different version.
                let valid = version == header.version
                    && ip.to_canonical() == from.ip().to_canonical()
                    && is_current(now, issued, config.new_token_lifetime)
                    // Replayed tokens must not make an amplifier of the server, nor cost it keys.
                    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
                    //# To protect against such attacks, servers MUST ensure that replay of
                    //# tokens is prevented or limited.
                    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
                    //# Tokens that are provided in NEW_TOKEN frames (Section 19.7) need to be
                    //# valid for longer but SHOULD NOT be accepted multiple times.
                    && !self.used_tokens.is_used(header.token, issued);
                AddressToken::NewToken { issued, valid }
            }
        }
    }
}

/// Flow labels and scopes are left out: tokens do not carry them.
fn is_same_address(a: SocketAddr, b: SocketAddr) -> bool {
    a.ip().to_canonical() == b.ip().to_canonical() && a.port() == b.port()
}

/// How far the clocks of servers that share a key may be apart: a client can bring the token of one
/// to another within less than a millisecond.
const MAXIMUM_CLOCK_SKEW: Duration = Duration::from_secs(2);

/// A token from further in the future is from a clock that nobody should go by.
fn is_current(now: Instant, issued: Instant, lifetime: Duration) -> bool {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
    //# Thus, a token SHOULD have an expiration time, which could be either an
    //# explicit expiration time or an issued timestamp that can be used to
    //# dynamically calculate the expiration time.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.4
    //# Servers SHOULD ensure that tokens sent in Retry packets are only
    //# accepted for a short time, as they are returned immediately by clients.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-21.3
    //# Servers SHOULD provide mitigations for this attack by limiting the
    //# usage and lifetime of address validation tokens; see Section 8.1.3.
    issued <= now + MAXIMUM_CLOCK_SKEW && now <= issued + lifetime
}

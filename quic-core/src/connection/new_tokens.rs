//! Tokens for a client's next connections (RFC 9000 §8.1.3, §19.7).

use bytes::Bytes;

use super::{Connection, Role};
use crate::crypto::{Token, seal_token};
use crate::error::TransportError;
use crate::instant::Instant;
use crate::memory;
use crate::wire::frame::NewToken;

/// Tokens kept for the manager at a time; further ones are dropped.
const MAXIMUM_TOKENS: usize = 8;
/// Longest token worth keeping, in bytes: it has to fit into an Initial beside a ClientHello.
pub(crate) const LONGEST_NEW_TOKEN: usize = 512;

/// Heap of the tokens for the manager at the most, in bytes.
pub(super) const fn worst_case_bytes() -> u64 {
    const MOST: u64 = MAXIMUM_TOKENS as u64;
    MOST * LONGEST_NEW_TOKEN as u64 + memory::list::<Bytes>(MOST)
}

impl Connection {
    /// Gives the client as many tokens as the configuration says.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-19.7
    //# Clients MUST NOT send NEW_TOKEN frames.
    pub(super) fn queue_new_tokens(&mut self, now: Instant) {
        let Role::Server(server) = &self.role else { return };
        let ip = self.paths.active().addresses.remote.ip();
        let token = Token::NewToken { ip, issued: now, version: self.version };
        // Those that the client does not have yet are for where it was.
        self.handshake.drop_tokens();
        for _ in 0..server.config.new_tokens {
            let sealed = seal_token(&server.config.keyring, &token, &mut self.random);
            self.handshake.queue_token(Box::from(&*sealed));
        }
    }

    pub(super) fn handle_new_token(&mut self, frame: NewToken<'_>) -> Result<(), TransportError> {
        let Role::Client(client) = &mut self.role else {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-19.7
            //# A server MUST treat receipt
            //# of a NEW_TOKEN frame as a connection error of type
            //# PROTOCOL_VIOLATION.
            return Err(TransportError::protocol_violation("NEW_TOKEN from a client"));
        };
        if frame.0.len() <= LONGEST_NEW_TOKEN && client.new_tokens.len() < MAXIMUM_TOKENS {
            client.new_tokens.push_back(Bytes::copy_from_slice(frame.0));
        }
        Ok(())
    }

    /// Gives away the tokens that came, with the name of the server and the version of QUIC that
    /// they are for.
    //= https://www.rfc-editor.org/rfc/rfc9369#section-5
    //# When a connection
    //# includes compatible version negotiation, any issued server tokens are
    //# considered to originate from the negotiated version, not the original
    //# one.
    pub(crate) fn take_new_tokens(&mut self, mut store: impl FnMut(&str, u32, Bytes)) {
        let version = self.version;
        if let Role::Client(client) = &mut self.role {
            let tokens = client.new_tokens.drain(..);
            tokens.for_each(|token| store(&client.server_name, version, token));
        }
    }
}

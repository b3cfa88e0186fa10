//! A TLS that encrypts nothing, for tests that look at packets and repeat bit by bit.
//!
//! Its messages have the kinds, levels and flights of TLS 1.3, and sizes to choose. Packets end
//! in a checksum in place of a tag, so that changed packets and wrong keys are noticed as usual.
//! It keeps out nobody who wants in.

mod keys;
mod messages;
mod session;
mod tickets;

#[cfg(test)]
mod tests;

use quic_core::crypto::{Session, SessionFactory, StartSessionError};
use quic_core::rustls::quic::Keys;
use quic_core::{ConnectionId, QUIC_V1, QUIC_V2, Side};

use self::keys::KeyMaker;
use self::session::NullSession;
pub use self::tickets::Sessions;

/// The versions whose keys are made, each others.
const KNOWN: [u32; 2] = [QUIC_V1, QUIC_V2];

/// How null sessions behave. One for both ends, or one for each.
#[derive(Clone, Debug)]
pub struct NullTls {
    /// Application protocols (ALPN), most wanted first. Empty: none is negotiated.
    pub protocols: Vec<Vec<u8>>,
    /// Length of the client's first message, in bytes, if it takes no more anyway.
    pub client_hello_length: usize,
    /// Length of the server's certificate message, in bytes.
    pub certificate_length: usize,
    /// Length of the message that a server sends after the handshake, in bytes; 0: it sends none.
    pub ticket_length: usize,
    /// Whether a client offers early data, and a server takes it.
    pub early_data: bool,
    /// Where sessions are kept; a server gives tickets only if its `ticket_length` is not 0.
    pub sessions: Sessions,
    /// Packets that one key may protect.
    pub confidentiality_limit: u64,
    /// Packets that are not authentic that a connection may get.
    pub integrity_limit: u64,
}

impl Default for NullTls {
    /// As a handshake with one small certificate, and no limit to keys.
    fn default() -> Self {
        Self {
            protocols: Vec::new(),
            client_hello_length: 280,
            certificate_length: 900,
            ticket_length: 0,
            early_data: false,
            sessions: Sessions::default(),
            confidentiality_limit: u64::MAX,
            integrity_limit: u64::MAX,
        }
    }
}

impl NullTls {
    fn key_maker(&self, secret: u64) -> KeyMaker {
        KeyMaker {
            secret,
            confidentiality_limit: self.confidentiality_limit,
            integrity_limit: self.integrity_limit,
        }
    }
}

impl SessionFactory for NullTls {
    /// A session of a client if there is a server name, of a server if there is none.
    fn start(
        &self,
        version: u32,
        server_name: Option<&str>,
        parameters: Vec<u8>,
    ) -> Result<Box<dyn Session>, StartSessionError> {
        if !KNOWN.contains(&version) {
            return Err(StartSessionError::UnsupportedVersion(version));
        }
        Ok(Box::new(match server_name {
            Some(name) => NullSession::client(self.clone(), version, name, parameters),
            None => NullSession::server(self.clone(), parameters),
        }))
    }

    fn initial_keys(
        &self,
        version: u32,
        destination_id: &ConnectionId,
        side: Side,
    ) -> Option<Keys> {
        let secret = keys::checksum(u64::from(version), &[destination_id.as_slice()]);
        KNOWN.contains(&version).then(|| self.key_maker(secret).keys(side, 0))
    }
}

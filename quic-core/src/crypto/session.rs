//! The seam to TLS: what the handshake needs of it, and nothing else (RFC 9001 §4).

use std::any::Any;
use std::fmt;

use rustls::quic::{DirectionalKeys, Keys, PacketKeySet};
use rustls::{CipherSuite, NamedGroup};

use crate::error::TransportError;
use crate::wire::{ConnectionId, Side};

/// An encryption level for handshake bytes (RFC 9001 §2.1). 0-RTT carries none.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Initial packets.
    Initial,
    /// Handshake packets.
    Handshake,
    /// 1-RTT packets.
    OneRtt,
}

/// New keys for both directions. Handshake bytes written after it belong to the next level.
pub enum KeyChange {
    /// Keys for Handshake packets.
    Handshake(Keys),
    /// The first keys for 1-RTT packets.
    OneRtt(Keys),
}

impl fmt::Debug for KeyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake(_) => "KeyChange::Handshake",
            Self::OneRtt(_) => "KeyChange::OneRtt",
        })
    }
}

/// What a handshake agreed on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct HandshakeData {
    /// The application protocol (ALPN), once chosen.
    pub protocol: Option<Vec<u8>>,
    /// The name that the client asked for; servers only.
    pub server_name: Option<String>,
    /// The cipher suite, once chosen.
    pub cipher_suite: Option<CipherSuite>,
    /// The key exchange, once chosen; such as [`NamedGroup::X25519MLKEM768`].
    pub key_exchange_group: Option<NamedGroup>,
}

/// What a client's first message offers, as far as the choice of a version depends on it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ClientOffer<'a> {
    /// The client's transport parameters; empty if there are none.
    pub parameters: &'a [u8],
    /// The client resumes a session: what it brings for that, and its 0-RTT packets, are of the
    /// version that it started with.
    pub resumes: bool,
}

impl<'a> ClientOffer<'a> {
    /// An offer with these fields.
    pub const fn new(parameters: &'a [u8], resumes: bool) -> Self {
        Self { parameters, resumes }
    }
}

/// One TLS handshake, at one end. Implemented over rustls, and by tests without encryption.
pub trait Session: Send + fmt::Debug {
    /// Takes handshake bytes from the peer, in order. Call
    /// [`write_handshake`](Self::write_handshake) after it: that makes the keys of the next level.
    ///
    /// # Errors
    /// The error to close the connection with: a TLS alert as a CRYPTO_ERROR code, or
    /// PROTOCOL_VIOLATION for bytes at another level than expected (RFC 9001 §4.1.3).
    fn read_handshake(&mut self, level: Level, data: &[u8]) -> Result<(), TransportError>;

    /// On a server, what the client offers, once its first message is whole, and until
    /// [`choose_version`](Self::choose_version) answers it (RFC 9368 §2.3). A session that knows
    /// of one version only never asks.
    fn client_offer(&self) -> Option<ClientOffer<'_>> {
        None
    }

    /// Goes on in this version of QUIC. `parameters` are encoded transport parameters that a
    /// server sends after those that it was started with.
    ///
    /// On a server it answers [`client_offer`](Self::client_offer). On a client, the server chose
    /// another version than the one that the client started with; it is called before any byte of
    /// the server was read.
    ///
    /// # Errors
    /// As of [`read_handshake`](Self::read_handshake). The version is always one of those that
    /// the factory makes Initial keys for.
    fn choose_version(&mut self, version: u32, parameters: &[u8]) -> Result<(), TransportError> {
        let _: (u32, &[u8]) = (version, parameters);
        Ok(())
    }

    /// Appends handshake bytes for the peer to `out`; stops where the keys change.
    ///
    /// Called again after each key change, until it appends nothing and changes nothing.
    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<KeyChange>;

    /// Whether the handshake is still to be completed (RFC 9001 §4.1.1).
    fn is_handshaking(&self) -> bool;

    /// The peer's transport parameters as they came, once they have.
    fn peer_parameters(&self) -> Option<&[u8]>;

    /// Keys for 0-RTT packets: to send on a client, to receive on a server; once, if there are any.
    fn early_keys(&mut self) -> Option<DirectionalKeys>;

    /// What a client remembers of the server's transport parameters, to send 0-RTT by
    /// (RFC 9000 §7.4.1). Asked for when the session was just started.
    fn remembered_parameters(&self) -> Option<&[u8]> {
        None
    }

    /// Whether the server took the early data; `None` until that is known, or on a server.
    fn early_data_accepted(&self) -> Option<bool>;

    /// The next generation of packet keys (RFC 9001 §6); `None` before the 1-RTT keys were made.
    fn next_keys(&mut self) -> Option<PacketKeySet>;

    /// What was agreed on so far; `None` until the ALPN and server name are known.
    fn handshake_data(&self) -> Option<HandshakeData>;

    /// The peer's certificates or other proof of identity, if it gave any: for the session over
    /// rustls a `Vec<CertificateDer<'static>>`, which for a raw public key (RFC 7250) holds the
    /// one SubjectPublicKeyInfo.
    fn peer_identity(&self) -> Option<Box<dyn Any + Send>>;

    /// Derives bytes that both ends share and no one else has (RFC 8446 §7.5).
    ///
    /// Returns whether it could: not before the handshake is complete, nor for too long an output.
    fn export_keying_material(&self, out: &mut [u8], label: &[u8], context: &[u8]) -> bool;

    /// The handshake is confirmed (RFC 9001 §4.1.2): what only the handshake needed can go, after
    /// [`write_handshake`](Self::write_handshake) has run dry.
    ///
    /// Afterwards [`peer_parameters`](Self::peer_parameters) and
    /// [`export_keying_material`](Self::export_keying_material) may give nothing any more, and
    /// handshake bytes from the peer may be an error.
    fn on_confirmed(&mut self) {}
}

/// Starts sessions, and makes the keys that need no session. Shared by many connections.
pub trait SessionFactory: Send + Sync + fmt::Debug {
    /// A session for a new connection; `server_name` is given on clients, and whom to expect.
    ///
    /// # Errors
    /// [`StartSessionError`] if the name is not valid, or the TLS configuration cannot do QUIC.
    fn start(
        &self,
        version: u32,
        server_name: Option<&str>,
        parameters: Vec<u8>,
    ) -> Result<Box<dyn Session>, StartSessionError>;

    /// Bytes of heap that a connection's session may hold at the most, with all its keys, what the
    /// peer said of itself, and what the session has to say; not what sessions share.
    ///
    /// What is assumed unless the factory knows better: 512 KiB on a client, which has to take
    /// certificates of up to 64 KiB, in several forms at a time; 192 KiB on a server, whose clients
    /// can say less. A server that asks for certificates, or has a chain longer than 32 KiB, needs
    /// more.
    fn worst_case_bytes(&self, side: Side) -> u64 {
        match side {
            Side::Client => 512 << 10,
            Side::Server => 192 << 10,
        }
    }

    /// Keys for Initial packets (RFC 9001 §5.2); `None` if the version is not known.
    fn initial_keys(&self, version: u32, destination_id: &ConnectionId, side: Side)
    -> Option<Keys>;
}

/// A session cannot be started.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StartSessionError {
    /// The server name is neither a DNS name nor an IP address.
    #[error("{0:?} is not a server name: give a DNS name or an IP address")]
    InvalidServerName(String),
    /// TLS cannot start with this configuration.
    #[error("TLS cannot start: {0}")]
    Tls(String),
    /// The QUIC version is not known.
    #[error("QUIC version 0x{0:08x} is not supported")]
    UnsupportedVersion(u32),
}

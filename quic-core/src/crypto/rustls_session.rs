//! TLS by rustls.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;

use rustls::pki_types::CertificateDer;
use rustls::quic::{Connection, DirectionalKeys, KeyChange as TlsKeyChange, PacketKeySet, Secrets};

use super::{HandshakeData, KeyChange, Level, Session};
use crate::error::{TransportError, TransportErrorCode};

/// `unexpected_message` (RFC 8446 §6).
const UNEXPECTED_MESSAGE: u8 = 10;
/// `internal_error` (RFC 8446 §6).
const INTERNAL_ERROR: u8 = 80;
/// Longest reason for closing, in bytes; the certificate errors of rustls can quote the peer.
const MAXIMUM_REASON: usize = 256;

/// A handshake over [`rustls::quic`].
pub(super) struct RustlsSession {
    tls: Tls,
    /// To derive the next keys from; `None` before there are 1-RTT keys.
    secrets: Option<Box<Secrets>>,
    handshake_keys_made: bool,
    /// Keep the TLS state after the handshake.
    keep: bool,
}

enum Tls {
    Live(Box<Connection>),
    Confirmed(Box<Confirmed>),
}

/// What is left of TLS when the handshake is confirmed.
struct Confirmed {
    data: HandshakeData,
    certificates: Option<Vec<CertificateDer<'static>>>,
}

impl RustlsSession {
    /// A session that drops the TLS state when the handshake is confirmed, unless it is to
    /// `keep` it: a client, to take tickets; a server, to export keying material.
    pub(super) fn new(connection: Connection, keep: bool) -> Self {
        Self {
            tls: Tls::Live(Box::new(connection)),
            secrets: None,
            handshake_keys_made: false,
            keep,
        }
    }
}

/// The level at which TLS expects the next bytes.
fn read_level(connection: &Connection, handshake_keys_made: bool) -> Level {
    if !handshake_keys_made {
        Level::Initial
    } else if connection.is_handshaking() {
        Level::Handshake
    } else {
        Level::OneRtt
    }
}

fn alert(code: u8, reason: impl Into<Cow<'static, str>>) -> TransportError {
    TransportError {
        code: TransportErrorCode::crypto(code),
        frame_type: None,
        reason: reason.into(),
    }
}

fn reason(error: &rustls::Error) -> String {
    let mut text = error.to_string();
    text.truncate(text.floor_char_boundary(MAXIMUM_REASON));
    text
}

fn certificates(connection: &Connection) -> Option<Vec<CertificateDer<'static>>> {
    let chain = connection.peer_certificates()?;
    Some(chain.iter().map(|certificate| certificate.clone().into_owned()).collect())
}

fn agreed(connection: &Connection) -> HandshakeData {
    HandshakeData {
        protocol: connection.alpn_protocol().map(<[u8]>::to_vec),
        server_name: match connection {
            Connection::Client(_) => None,
            Connection::Server(server) => server.server_name().map(str::to_owned),
        },
        cipher_suite: connection.negotiated_cipher_suite().map(|suite| suite.suite()),
        key_exchange_group: connection.negotiated_key_exchange_group().map(|group| group.name()),
    }
}

/// The peer's transport parameters. A client that resumes a session has those of the last
/// connection first, and cannot tell them from the new ones until the handshake is complete.
fn peer_parameters(connection: &Connection) -> Option<&[u8]> {
    let remembered = matches!(connection, Connection::Client(_)) && connection.is_handshaking();
    connection.quic_transport_parameters().filter(|_| !remembered)
}

impl Session for RustlsSession {
    fn read_handshake(&mut self, level: Level, data: &[u8]) -> Result<(), TransportError> {
        let Tls::Live(connection) = &mut self.tls else {
            return Err(alert(UNEXPECTED_MESSAGE, "no handshake message is expected any more"));
        };
        // Bytes of a level that TLS has left, or not come to, must not reach it
        // (RFC 9001 §4.1.3).
        if level != read_level(connection, self.handshake_keys_made) {
            return Err(TransportError::protocol_violation("handshake data at a wrong level"));
        }
        connection.read_hs(data).map_err(|error| {
            //= https://www.rfc-editor.org/rfc/rfc9001#section-6
            //# Endpoints MUST treat the receipt of a TLS KeyUpdate message as a
            //# connection error of type 0x010a, equivalent to a fatal TLS alert of
            //# unexpected_message; see Section 4.8.
            let code = connection.alert().map_or(INTERNAL_ERROR, u8::from);
            alert(code, reason(&error))
        })
    }

    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<KeyChange> {
        let Tls::Live(connection) = &mut self.tls else { return None };
        match connection.write_hs(out)? {
            TlsKeyChange::Handshake { keys } => {
                self.handshake_keys_made = true;
                Some(KeyChange::Handshake(keys))
            }
            TlsKeyChange::OneRtt { keys, next } => {
                self.secrets = Some(Box::new(next));
                Some(KeyChange::OneRtt(keys))
            }
        }
    }

    fn is_handshaking(&self) -> bool {
        match &self.tls {
            Tls::Live(connection) => connection.is_handshaking(),
            Tls::Confirmed(_) => false,
        }
    }

    fn peer_parameters(&self) -> Option<&[u8]> {
        match &self.tls {
            Tls::Live(connection) => peer_parameters(connection),
            Tls::Confirmed(_) => None,
        }
    }

    fn early_keys(&mut self) -> Option<DirectionalKeys> {
        None
    }

    fn early_data_accepted(&self) -> Option<bool> {
        None
    }

    fn next_keys(&mut self) -> Option<PacketKeySet> {
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6
        //# Endpoints MUST NOT send a TLS KeyUpdate message.
        self.secrets.as_mut().map(|secrets| secrets.next_packet_keys())
    }

    fn handshake_data(&self) -> Option<HandshakeData> {
        match &self.tls {
            // Both come in the message that carries the transport parameters.
            Tls::Live(connection) => peer_parameters(connection).map(|_| agreed(connection)),
            Tls::Confirmed(confirmed) => Some(confirmed.data.clone()),
        }
    }

    fn peer_identity(&self) -> Option<Box<dyn Any + Send>> {
        let certificates = match &self.tls {
            Tls::Live(connection) => certificates(connection),
            Tls::Confirmed(confirmed) => confirmed.certificates.clone(),
        };
        Some(Box::new(certificates?))
    }

    fn export_keying_material(&self, out: &mut [u8], label: &[u8], context: &[u8]) -> bool {
        match &self.tls {
            Tls::Live(connection) => {
                connection.export_keying_material(out, label, Some(context)).is_ok()
            }
            Tls::Confirmed(_) => false,
        }
    }

    fn on_confirmed(&mut self) {
        if let Tls::Live(connection) = &self.tls
            && !self.keep
            && !connection.is_handshaking()
        {
            self.tls = Tls::Confirmed(Box::new(Confirmed {
                data: agreed(connection),
                certificates: certificates(connection),
            }));
        }
    }
}

impl fmt::Debug for RustlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RustlsSession")
            .field("is_handshaking", &self.is_handshaking())
            .finish_non_exhaustive()
    }
}

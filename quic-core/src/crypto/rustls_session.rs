//! TLS by rustls.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use rustls::crypto::SupportedKxGroup;
use rustls::pki_types::CertificateDer;
use rustls::quic::{
    Connection, DirectionalKeys, KeyChange as TlsKeyChange, Keys, PacketKeySet, Secrets,
    ServerConnection, Version,
};

use super::client_hello::read_offer;
use super::compact_keys::VersionSecrets;
use super::initial::tls_version;
use super::secret_capture::{SecretCapture, SecretPair};
use super::tls_config::ServerConfigs;
use super::{ClientOffer, HandshakeData, KeyChange, Level, Session};
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
    secrets: Option<Box<NextSecrets>>,
    /// On a client, until there are 1-RTT keys.
    capture: Option<Arc<SecretCapture>>,
    /// The version that the server moved this client to.
    moved_to: Option<Version>,
    handshake_keys_made: bool,
    /// Keep the TLS state after the handshake.
    keep: bool,
}

enum Tls {
    /// A server that has not decided on the version.
    Waiting(Box<Waiting>),
    Live(Box<Connection>),
    Confirmed(Box<Confirmed>),
}

/// What a server's TLS is to be started with.
struct Waiting {
    configs: ServerConfigs,
    parameters: Vec<u8>,
    /// What came of the client's first message.
    input: Vec<u8>,
}

/// What the next keys are derived from.
enum NextSecrets {
    OfTls(Secrets),
    /// Of a client that was moved.
    Own(VersionSecrets),
}

/// What is left of TLS when the handshake is confirmed.
struct Confirmed {
    data: HandshakeData,
    certificates: Option<Vec<CertificateDer<'static>>>,
}

impl RustlsSession {
    /// A client's session. `capture` hears of its secrets, in case the server chooses another
    /// version.
    pub(super) fn client(connection: Connection, capture: Arc<SecretCapture>) -> Self {
        // Session tickets come after the handshake.
        let keep = true;
        Self { capture: Some(capture), ..Self::new(Tls::Live(Box::new(connection)), keep) }
    }

    /// A server's session, which starts with the client's offer. It drops the TLS state when the
    /// handshake is confirmed, unless it is to `keep` it to export keying material.
    pub(super) fn server(configs: ServerConfigs, parameters: Vec<u8>, keep: bool) -> Self {
        let waiting = Waiting { configs, parameters, input: Vec::new() };
        Self::new(Tls::Waiting(Box::new(waiting)), keep)
    }

    fn new(tls: Tls, keep: bool) -> Self {
        Self { tls, secrets: None, capture: None, moved_to: None, handshake_keys_made: false, keep }
    }

    /// The secrets that this client, which was moved, has to make its keys from.
    fn own_secrets(
        &self,
        pick: impl FnOnce(&SecretCapture) -> Option<SecretPair>,
    ) -> Option<VersionSecrets> {
        let (version, Tls::Live(connection)) = (self.moved_to?, &self.tls) else { return None };
        let suite = connection.negotiated_cipher_suite()?.suite();
        VersionSecrets::new(suite, version, rustls::Side::Client, pick(self.capture.as_ref()?)?)
    }

    fn one_rtt(&mut self, keys: Keys, next: Secrets) -> Keys {
        let own = self.own_secrets(SecretCapture::one_rtt);
        self.capture = None;
        let (keys, next) = match own.and_then(|own| Some((own.keys()?, own))) {
            Some((keys, own)) => (keys, NextSecrets::Own(own)),
            None => (keys, NextSecrets::OfTls(next)),
        };
        self.secrets = Some(Box::new(next));
        keys
    }
}

/// Starts a server's TLS with all that came.
fn start_server(waiting: Waiting, version: Version) -> Result<Connection, TransportError> {
    let Waiting { configs, parameters, input } = waiting;
    let server = ServerConnection::new(configs.of(version), version, parameters);
    let mut connection =
        Connection::Server(server.map_err(|error| alert(INTERNAL_ERROR, reason(&error)))?);
    read(&mut connection, &input)?;
    Ok(connection)
}

fn read(connection: &mut Connection, data: &[u8]) -> Result<(), TransportError> {
    connection.read_hs(data).map_err(|error| {
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6
        //# Endpoints MUST treat the receipt of a TLS KeyUpdate message as a
        //# connection error of type 0x010a, equivalent to a fatal TLS alert of
        //# unexpected_message; see Section 4.8.
        let code = connection.alert().map_or(INTERNAL_ERROR, u8::from);
        alert(code, reason(&error))
    })
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

fn wrong_level() -> TransportError {
    TransportError::protocol_violation("handshake data at a wrong level")
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
        key_exchange_group: connection.negotiated_key_exchange_group().map(SupportedKxGroup::name),
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
        let connection = match &mut self.tls {
            Tls::Live(connection) => connection,
            Tls::Waiting(waiting) if level == Level::Initial => {
                waiting.input.extend_from_slice(data);
                return Ok(());
            }
            Tls::Waiting(_) => return Err(wrong_level()),
            Tls::Confirmed(_) => {
                return Err(alert(UNEXPECTED_MESSAGE, "no handshake message is expected any more"));
            }
        };
        // Bytes of a level that TLS has left, or not come to, must not reach it
        // (RFC 9001 §4.1.3).
        if level != read_level(connection, self.handshake_keys_made) {
            return Err(wrong_level());
        }
        //= https://www.rfc-editor.org/rfc/rfc9369#section-5
        //# When a connection
        //# includes compatible version negotiation, any issued server tokens are
        //# considered to originate from the negotiated version, not the original
        //# one.
        if level == Level::OneRtt && self.moved_to.is_some() {
            // All that comes there are tickets, and TLS would keep them for the version that it
            // was started with.
            return Ok(());
        }
        read(connection, data)
    }

    fn client_offer(&self) -> Option<ClientOffer<'_>> {
        match &self.tls {
            Tls::Waiting(waiting) => read_offer(&waiting.input),
            Tls::Live(_) | Tls::Confirmed(_) => None,
        }
    }

    fn choose_version(&mut self, version: u32, parameters: &[u8]) -> Result<(), TransportError> {
        let version = tls_version(version)
            .ok_or(TransportError::internal("TLS does not know the version"))?;
        if let Tls::Waiting(waiting) = &mut self.tls {
            let mut waiting = Waiting {
                configs: waiting.configs.clone(),
                parameters: std::mem::take(&mut waiting.parameters),
                input: std::mem::take(&mut waiting.input),
            };
            waiting.parameters.extend_from_slice(parameters);
            self.tls = Tls::Live(Box::new(start_server(waiting, version)?));
        } else if let Some(capture) = &self.capture {
            capture.keep();
            self.moved_to = Some(version);
        }
        Ok(())
    }

    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<KeyChange> {
        let Tls::Live(connection) = &mut self.tls else { return None };
        match connection.write_hs(out)? {
            TlsKeyChange::Handshake { keys } => {
                self.handshake_keys_made = true;
                let own = self.own_secrets(SecretCapture::handshake).and_then(|own| own.keys());
                Some(KeyChange::Handshake(own.unwrap_or(keys)))
            }
            TlsKeyChange::OneRtt { keys, next } => {
                Some(KeyChange::OneRtt(self.one_rtt(keys, next)))
            }
        }
    }

    fn is_handshaking(&self) -> bool {
        match &self.tls {
            Tls::Waiting(_) => true,
            Tls::Live(connection) => connection.is_handshaking(),
            Tls::Confirmed(_) => false,
        }
    }

    fn peer_parameters(&self) -> Option<&[u8]> {
        match &self.tls {
            Tls::Live(connection) => peer_parameters(connection),
            Tls::Waiting(_) | Tls::Confirmed(_) => None,
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
        match &mut **self.secrets.as_mut()? {
            NextSecrets::OfTls(secrets) => Some(secrets.next_packet_keys()),
            NextSecrets::Own(secrets) => secrets.next_packet_keys(),
        }
    }

    fn handshake_data(&self) -> Option<HandshakeData> {
        match &self.tls {
            // Both come in the message that carries the transport parameters.
            Tls::Live(connection) => peer_parameters(connection).map(|_| agreed(connection)),
            Tls::Waiting(_) => None,
            Tls::Confirmed(confirmed) => Some(confirmed.data.clone()),
        }
    }

    fn peer_identity(&self) -> Option<Box<dyn Any + Send>> {
        let certificates = match &self.tls {
            Tls::Live(connection) => certificates(connection),
            Tls::Waiting(_) => None,
            Tls::Confirmed(confirmed) => confirmed.certificates.clone(),
        };
        Some(Box::new(certificates?))
    }

    fn export_keying_material(&self, out: &mut [u8], label: &[u8], context: &[u8]) -> bool {
        match &self.tls {
            Tls::Live(connection) => {
                connection.export_keying_material(out, label, Some(context)).is_ok()
            }
            Tls::Waiting(_) | Tls::Confirmed(_) => false,
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

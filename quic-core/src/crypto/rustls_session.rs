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
use rustls::{HandshakeType, PeerMisbehaved};

use super::client_hello::read_offer;
use super::compact_keys::VersionSecrets;
use super::initial::tls_version;
use super::post_handshake::{Forbidden, PassedOver};
use super::secret_capture::{SecretCapture, SecretPair};
use super::tls_config::ServerConfigs;
use super::{ClientOffer, HandshakeData, KeyChange, Level, Session};
use crate::error::{TransportError, TransportErrorCode};

/// `unexpected_message` (RFC 8446 §6).
const UNEXPECTED_MESSAGE: u8 = 10;
/// `missing_extension` (RFC 8446 §6).
const MISSING_EXTENSION: u8 = 109;
/// `internal_error` (RFC 8446 §6).
const INTERNAL_ERROR: u8 = 80;
/// `no_application_protocol` (RFC 7301 §3.2).
const NO_APPLICATION_PROTOCOL: u8 = 120;
/// Most bytes of a client's first flight of handshake messages that a server keeps, for whoever
/// sends them. They are ten times what post-quantum key exchange and a ticket take.
const MAXIMUM_CLIENT_HELLO: usize = 16 << 10;
/// Longest reason for closing, in bytes; the certificate errors of rustls can quote the peer.
const MAXIMUM_REASON: usize = 256;

/// A handshake over [`rustls::quic`].
pub(super) struct RustlsSession {
    tls: Tls,
    /// `None` on a server before there are 1-RTT keys.
    secrets: Option<Box<KeySource>>,
    handshake_keys_made: bool,
    early_keys_made: bool,
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

impl Waiting {
    /// Keeps what came, as long as it can be a ClientHello.
    fn read(&mut self, data: &[u8]) -> Result<(), TransportError> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-7.5
        //# If an endpoint does not expand its buffer, it MUST close
        //# the connection with a CRYPTO_BUFFER_EXCEEDED error code.
        if data.len() > MAXIMUM_CLIENT_HELLO.saturating_sub(self.input.len()) {
            return Err(TransportError::crypto_buffer_exceeded("the ClientHello is too long"));
        }
        self.input.extend_from_slice(data);
        Ok(())
    }
}

/// What keys are derived from, beside those that TLS makes itself.
enum KeySource {
    /// On a client before there are 1-RTT keys: what hears of the secrets, and the version that
    /// the server moved it to.
    Capture(Arc<SecretCapture>, Option<Version>),
    /// The next keys.
    OfTls(Secrets),
    /// The next keys of a client that was moved, and what comes after its handshake.
    Own(VersionSecrets, PassedOver),
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
        let secrets = Some(Box::new(KeySource::Capture(capture, None)));
        Self { secrets, ..Self::new(Tls::Live(Box::new(connection)), keep) }
    }

    /// A server's session, which starts with the client's offer. It drops the TLS state when the
    /// handshake is confirmed, unless it is to `keep` it to export keying material.
    pub(super) fn server(configs: ServerConfigs, parameters: Vec<u8>, keep: bool) -> Self {
        let waiting = Waiting { configs, parameters, input: Vec::new() };
        Self::new(Tls::Waiting(Box::new(waiting)), keep)
    }

    fn new(tls: Tls, keep: bool) -> Self {
        Self { tls, secrets: None, handshake_keys_made: false, early_keys_made: false, keep }
    }

    /// The secrets that this client, which was moved, has to make its keys from.
    fn own_secrets(
        &self,
        pick: impl FnOnce(&SecretCapture) -> Option<SecretPair>,
    ) -> Option<VersionSecrets> {
        let KeySource::Capture(capture, Some(version)) = self.secrets.as_deref()? else {
            return None;
        };
        let Tls::Live(connection) = &self.tls else { return None };
        let suite = connection.negotiated_cipher_suite()?.suite();
        VersionSecrets::new(suite, *version, rustls::Side::Client, pick(capture)?)
    }

    fn one_rtt(&mut self, keys: Keys, next: Secrets) -> Keys {
        let own = self.own_secrets(SecretCapture::one_rtt);
        let (keys, next) = match own.and_then(|own| Some((own.keys()?, own))) {
            Some((keys, own)) => (keys, KeySource::Own(own, PassedOver::default())),
            None => (keys, KeySource::OfTls(next)),
        };
        self.secrets = Some(Box::new(next));
        keys
    }
}

/// Starts a server's TLS with all that came.
fn start_server(waiting: Waiting, version: Version) -> Result<Connection, TransportError> {
    let Waiting { configs, parameters, input } = waiting;
    //= https://www.rfc-editor.org/rfc/rfc9001#section-8.4
    //# A server SHOULD treat the
    //# receipt of a TLS ClientHello with a non-empty legacy_session_id field
    //# as a connection error of type PROTOCOL_VIOLATION.
    if input.get(SESSION_ID_LENGTH_AT).is_some_and(|length| *length != 0) {
        return Err(TransportError::protocol_violation("legacy_session_id is not empty"));
    }
    let config = configs.of(version, &parameters);
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7
    //# The cryptographic handshake MUST provide the following properties:
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.4
    //# A server MUST NOT use post-handshake client authentication (as defined
    //# in Section 4.6.2 of [TLS13]) because the multiplexing offered by QUIC
    //# prevents clients from correlating the certificate request with the
    //# application-level event that triggered it (see [HTTP2-TLS13]).
    let server = ServerConnection::new(config, version, parameters);
    let mut connection =
        Connection::Server(server.map_err(|error| alert(INTERNAL_ERROR, reason(&error)))?);
    read(&mut connection, &input)?;
    // TLS takes the extension by its number in drafts, too.
    let offered = read_offer(&input).unwrap_or_default().parameters;
    if connection.quic_transport_parameters().is_some_and(|taken| taken != offered) {
        //= https://www.rfc-editor.org/rfc/rfc9001#section-8.2
        //# Endpoints MUST send the quic_transport_parameters extension;
        //# endpoints that receive ClientHello or EncryptedExtensions messages
        //# without the quic_transport_parameters extension MUST close the
        //# connection with an error of type 0x016d (equivalent to a fatal TLS
        //# missing_extension alert, see Section 4.8).
        return Err(alert(MISSING_EXTENSION, "no transport parameters but those of drafts"));
    }
    Ok(connection)
}

fn read(connection: &mut Connection, data: &[u8]) -> Result<(), TransportError> {
    connection.read_hs(data).map_err(|error| match violation(&error) {
        Some(reason) => TransportError::protocol_violation(reason),
        //= https://www.rfc-editor.org/rfc/rfc9001#section-8.1
        //# While [ALPN] only specifies that servers use this alert, QUIC clients MUST use
        //# error 0x0178 to terminate a connection when ALPN negotiation fails.
        None if is_unoffered_protocol(&error) => alert(NO_APPLICATION_PROTOCOL, reason(&error)),
        //= https://www.rfc-editor.org/rfc/rfc9001#section-8.1
        //# The server MUST treat the inability to select a compatible
        //# application protocol as a connection error of type 0x0178
        //# (no_application_protocol).
        //= https://www.rfc-editor.org/rfc/rfc9001#section-4.8
        //# As QUIC provides alternative mechanisms for connection termination
        //# and the TLS connection is only closed if an error is encountered, a
        //# QUIC endpoint MUST treat any alert from TLS as if it were at the
        //# "fatal" level.
        //= https://www.rfc-editor.org/rfc/rfc9001#section-8.1
        //# When using ALPN, endpoints MUST immediately close a connection (see Section
        //# 10.2 of [QUIC-TRANSPORT]) with a no_application_protocol TLS alert (QUIC error
        //# code 0x0178; see Section 4.8) if an application protocol is not negotiated.
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6
        //# Endpoints MUST treat the receipt of a TLS KeyUpdate message as a
        //# connection error of type 0x010a, equivalent to a fatal TLS alert of
        //# unexpected_message; see Section 4.8.
        None => alert(connection.alert().map_or(INTERNAL_ERROR, u8::from), reason(&error)),
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

/// Whether the server selected a protocol that this end cannot use, since it was not offered for
/// the version in use. TLS has another alert for this.
//= https://www.rfc-editor.org/rfc/rfc9001#section-8.1
//# Similarly, a client MUST treat the selection of an incompatible
//# application protocol by a server as a connection error of type 0x0178.
fn is_unoffered_protocol(error: &rustls::Error) -> bool {
    let misbehaved = PeerMisbehaved::SelectedUnofferedApplicationProtocol;
    *error == rustls::Error::PeerMisbehaved(misbehaved)
}

/// How a server is answered that sends anything but tickets after the handshake.
fn forbidden(message: Forbidden) -> TransportError {
    match message {
        Forbidden::CertificateRequest => TransportError::protocol_violation(CERTIFICATE_REQUESTED),
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6
        //# Endpoints MUST treat the receipt of a TLS KeyUpdate message as a
        //# connection error of type 0x010a, equivalent to a fatal TLS alert of
        //# unexpected_message; see Section 4.8.
        Forbidden::Unexpected => alert(UNEXPECTED_MESSAGE, "not a ticket after the handshake"),
    }
}

/// Why a connection ends whose server asks for a certificate when it must not.
const CERTIFICATE_REQUESTED: &str = "a request for a certificate at a wrong time";

/// What QUIC forbids where TLS has another answer, or none.
fn violation(error: &rustls::Error) -> Option<&'static str> {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.4
    //# More specifically,
    //# servers MUST NOT send post-handshake TLS CertificateRequest messages,
    //# and clients MUST treat receipt of such messages as a connection error
    //# of type PROTOCOL_VIOLATION.
    if let rustls::Error::InappropriateHandshakeMessage { got_type, .. } = error
        && *got_type == HandshakeType::CertificateRequest
    {
        return Some(CERTIFICATE_REQUESTED);
    }
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.1.3
    //# When TLS provides keys for a higher encryption level, if there is data
    //# from a previous encryption level that TLS has not consumed, this MUST be
    //# treated as a connection error of type PROTOCOL_VIOLATION.
    let pending = PeerMisbehaved::KeyEpochWithPendingFragment;
    if *error == rustls::Error::PeerMisbehaved(pending) {
        return Some("handshake data goes on where the keys change");
    }
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.6.1
    //# A client MUST treat receipt of a NewSessionTicket that contains
    //# an early_data extension with any other value as a connection error of
    //# type PROTOCOL_VIOLATION.
    let misbehaved = PeerMisbehaved::InvalidMaxEarlyDataSize;
    (*error == rustls::Error::PeerMisbehaved(misbehaved))
        .then_some("max_early_data_size is neither nothing nor everything")
}

/// Where a ClientHello says how long its legacy_session_id is (RFC 8446 §4.1.2).
const SESSION_ID_LENGTH_AT: usize = 4 + 2 + 32;

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
            Tls::Waiting(waiting) if level == Level::Initial => return waiting.read(data),
            Tls::Waiting(_) => return Err(wrong_level()),
            Tls::Confirmed(_) => {
                return Err(alert(UNEXPECTED_MESSAGE, "no handshake message is expected any more"));
            }
        };
        // Bytes of a level that TLS has left, or not come to, must not reach it.
        //= https://www.rfc-editor.org/rfc/rfc9001#section-4.1.3
        //# If the packet is from a previously installed encryption level, it
        //# MUST NOT contain data that extends past the end of previously
        //# received data in that flow.  Implementations MUST treat any
        //# violations of this requirement as a connection error of type
        //# PROTOCOL_VIOLATION.
        if level != read_level(connection, self.handshake_keys_made) {
            return Err(wrong_level());
        }
        //= https://www.rfc-editor.org/rfc/rfc9369#section-5
        //# When a connection
        //# includes compatible version negotiation, any issued server tokens are
        //# considered to originate from the negotiated version, not the original
        //# one.
        if let Some(KeySource::Own(_, tickets)) = self.secrets.as_deref_mut()
            && level == Level::OneRtt
        {
            // TLS would keep tickets for the version that it was started with.
            return tickets.read(data).map_err(forbidden);
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
            // As long as the session, and no longer than it has to be.
            waiting.parameters.reserve_exact(parameters.len());
            waiting.parameters.extend_from_slice(parameters);
            self.tls = Tls::Live(Box::new(start_server(waiting, version)?));
        } else if let Some(KeySource::Capture(capture, moved_to)) = self.secrets.as_deref_mut() {
            capture.keep();
            *moved_to = Some(version);
        }
        Ok(())
    }

    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<KeyChange> {
        let Tls::Live(connection) = &mut self.tls else { return None };
        //= https://www.rfc-editor.org/rfc/rfc9001#section-8.3
        //# Clients MUST NOT send the EndOfEarlyData message.
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
        let Tls::Live(connection) = &self.tls else { return None };
        if self.early_keys_made || !connection.is_handshaking() {
            return None;
        }
        let keys = connection.zero_rtt_keys()?;
        self.early_keys_made = true;
        Some(keys)
    }

    fn remembered_parameters(&self) -> Option<&[u8]> {
        match &self.tls {
            Tls::Live(connection) => {
                let is_client = matches!(**connection, Connection::Client(_));
                connection
                    .quic_transport_parameters()
                    .filter(|_| is_client && connection.is_handshaking())
            }
            Tls::Waiting(_) | Tls::Confirmed(_) => None,
        }
    }

    fn early_data_accepted(&self) -> Option<bool> {
        match &self.tls {
            Tls::Live(connection) => match &**connection {
                Connection::Client(client) if !client.is_handshaking() => {
                    Some(client.is_early_data_accepted())
                }
                Connection::Client(_) | Connection::Server(_) => None,
            },
            Tls::Waiting(_) | Tls::Confirmed(_) => None,
        }
    }

    fn next_keys(&mut self) -> Option<PacketKeySet> {
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6
        //# Endpoints MUST NOT send a TLS KeyUpdate message.
        match &mut **self.secrets.as_mut()? {
            KeySource::OfTls(secrets) => Some(secrets.next_packet_keys()),
            KeySource::Own(secrets, _) => secrets.next_packet_keys(),
            KeySource::Capture(..) => None,
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

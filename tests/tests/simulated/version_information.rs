//! What each end says of versions has to fit what it does (RFC 9368 §3, §4).

use std::sync::Arc;

use quic_core::crypto::{Session, SessionFactory, StartSessionError};
use quic_core::rustls::quic::Keys;
use quic_core::{ConnectionId, QUIC_V1, QUIC_V2, Side, TransportErrorCode};
use quic_sim::null_tls::NullTls;
use quic_sim::pair::{Pair, Setup};

use super::seconds;
use super::versions::{BOTH, OTHER, RESERVED, failure, with_versions};

/// TLS of an end that says of versions what it likes.
#[derive(Clone, Debug)]
struct Liar {
    tls: NullTls,
    says: Says,
}

/// What is sent in place of version_information.
#[derive(Clone, Debug)]
enum Says {
    Nothing,
    Value(Vec<u8>),
}

/// The versions as a value of version_information.
fn value(versions: &[u32]) -> Says {
    Says::Value(versions.iter().flat_map(|version| version.to_be_bytes()).collect())
}

impl Liar {
    /// `parameters` with other version_information.
    fn change(&self, parameters: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = parameters;
        while !rest.is_empty() {
            let before = rest;
            let id = take_varint(&mut rest);
            let length = take_varint(&mut rest) as usize;
            rest = &rest[length..];
            if id != 0x11 {
                out.extend_from_slice(&before[..before.len() - rest.len()]);
            } else if let Says::Value(value) = &self.says {
                out.extend([0x11, value.len() as u8]);
                out.extend_from_slice(value);
            }
        }
        out
    }
}

fn take_varint(bytes: &mut &[u8]) -> u64 {
    let length = 1 << (bytes[0] >> 6);
    let (varint, rest) = bytes.split_at(length);
    *bytes = rest;
    varint[1..].iter().fold(u64::from(varint[0] & 0x3f), |sum, byte| sum << 8 | u64::from(*byte))
}

#[derive(Debug)]
struct LyingSession {
    liar: Liar,
    session: Box<dyn Session>,
}

impl SessionFactory for Liar {
    fn start(
        &self,
        version: u32,
        server_name: Option<&str>,
        parameters: Vec<u8>,
    ) -> Result<Box<dyn Session>, StartSessionError> {
        let session = self.tls.start(version, server_name, self.change(&parameters))?;
        Ok(Box::new(LyingSession { liar: self.clone(), session }))
    }

    fn initial_keys(&self, version: u32, id: &ConnectionId, side: Side) -> Option<Keys> {
        self.tls.initial_keys(version, id, side)
    }
}

mod lying_session {
    use std::any::Any;

    use quic_core::TransportError;
    use quic_core::crypto::{ClientOffer, HandshakeData, KeyChange, Level, Session};
    use quic_core::rustls::quic::{DirectionalKeys, PacketKeySet};

    impl Session for super::LyingSession {
        fn read_handshake(&mut self, level: Level, data: &[u8]) -> Result<(), TransportError> {
            self.session.read_handshake(level, data)
        }
        fn client_offer(&self) -> Option<ClientOffer<'_>> {
            self.session.client_offer()
        }
        fn choose_version(&mut self, version: u32, more: &[u8]) -> Result<(), TransportError> {
            self.session.choose_version(version, &self.liar.change(more))
        }
        fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<KeyChange> {
            self.session.write_handshake(out)
        }
        fn is_handshaking(&self) -> bool {
            self.session.is_handshaking()
        }
        fn peer_parameters(&self) -> Option<&[u8]> {
            self.session.peer_parameters()
        }
        fn early_keys(&mut self) -> Option<DirectionalKeys> {
            self.session.early_keys()
        }
        fn early_data_accepted(&self) -> Option<bool> {
            self.session.early_data_accepted()
        }
        fn next_keys(&mut self) -> Option<PacketKeySet> {
            self.session.next_keys()
        }
        fn handshake_data(&self) -> Option<HandshakeData> {
            self.session.handshake_data()
        }
        fn peer_identity(&self) -> Option<Box<dyn Any + Send>> {
            self.session.peer_identity()
        }
        fn export_keying_material(&self, out: &mut [u8], label: &[u8], context: &[u8]) -> bool {
            self.session.export_keying_material(out, label, context)
        }
    }
}

/// The version that a client gets from a server that lies, or the error that it closes with.
fn with_lying_server(
    says: Says,
    version: u32,
    wanted: &[u32],
    spoken: &[u32],
) -> Result<u32, TransportErrorCode> {
    let liar = Liar { tls: NullTls::default(), says };
    let mut setup = Setup::with_tls(1, Arc::new(NullTls::default()), Arc::new(liar));
    with_versions(&mut setup, version, wanted, spoken);
    outcome(setup.build())
}

fn outcome(mut pair: Pair) -> Result<u32, TransportErrorCode> {
    let client = pair.start();
    pair.run_for(seconds(1));
    if pair.client.connected.contains(&client) && pair.client.lost.is_empty() {
        return Ok(pair.client.with(client, |c| c.version()));
    }
    Err(failure(&mut pair, client))
}

const VERSIONS: Result<u32, TransportErrorCode> =
    Err(TransportErrorCode::VERSION_NEGOTIATION_ERROR);
const PARAMETERS: Result<u32, TransportErrorCode> =
    Err(TransportErrorCode::TRANSPORT_PARAMETER_ERROR);

#[test]
fn what_a_server_says_of_versions_has_to_fit_what_it_does() {
    //= https://www.rfc-editor.org/rfc/rfc9369#section-4
    //= type=test
    //# Any QUIC endpoint that supports QUIC version 2 MUST send, process, and validate the
    //# version_information transport parameter specified in [QUIC-VN] to prevent version
    //# downgrade attacks.
    let (one, two, both) = (QUIC_V1, QUIC_V2, &BOTH[..]);
    for (says, expected) in [
        (value(&[one]), Ok(one)),
        (value(&[one, two, RESERVED, OTHER]), Ok(one)),
        (Says::Nothing, Ok(one)),
        (value(&[two, two, one]), VERSIONS),
        (value(&[OTHER, OTHER, one]), VERSIONS),
        (value(&[RESERVED, RESERVED]), VERSIONS),
        (value(&[0, one]), PARAMETERS),
        (value(&[one, 0]), PARAMETERS),
        (Says::Value(vec![]), PARAMETERS),
        (Says::Value(vec![0, 0, 0, 1, 0, 0, 0]), PARAMETERS),
    ] {
        let done = with_lying_server(says.clone(), one, both, &[one]);
        assert_eq!(done, expected, "{says:?}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc9368#section-4
//= type=test
//# If a client receives Version Information where the server's Chosen
//# Version was not sent by the client as part of its Available Versions,
//# the client MUST close the connection with a version negotiation
//# error.
//= https://www.rfc-editor.org/rfc/rfc9368#section-4
//= type=test
//# In
//# particular, since the client can be made aware of the
//# Negotiated Version by the QUIC long header version during compatible
//# version negotiation (see Section 2.3), clients MUST validate that the
//# server's Chosen Version is equal to the Negotiated Version; if they
//# do not match, the client MUST close the connection with a version
//# negotiation error.
#[test]
fn a_client_that_was_moved_hears_so_from_the_server() {
    let (one, two) = (QUIC_V1, QUIC_V2);
    for (says, expected) in [
        (value(&[two, one, two]), Ok(two)),
        (value(&[two]), Ok(two)),
        (value(&[one, one, two]), VERSIONS),
        (value(&[OTHER, OTHER]), VERSIONS),
        (Says::Nothing, VERSIONS),
    ] {
        let done = with_lying_server(says.clone(), one, &[two, one], &BOTH);
        assert_eq!(done, expected, "{says:?}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc9368#section-4
//= type=test
//# Clients MUST NOT complete the handshake if they are
//# reacting to a Version Negotiation packet and the Version Information
//# is missing, but MAY do so otherwise.
//= https://www.rfc-editor.org/rfc/rfc9368#section-4
//= type=test
//# If a client has reacted to a Version Negotiation packet and
//# the server's Version Information was missing, the client MUST close
//# the connection with a version negotiation error.
//= https://www.rfc-editor.org/rfc/rfc9368#section-4
//= type=test
//# If the client received and acted on a Version Negotiation packet, the
//# client MUST validate the server's Available Versions field.
//= https://www.rfc-editor.org/rfc/rfc9368#section-4
//= type=test
//# If the client would have selected a different
//# version, the client MUST close the connection with a version
//# negotiation error.  In particular, if the client reacted to a Version
//# Negotiation packet and the server's Available Versions field is
//# empty, the client MUST close the connection with a version
//# negotiation error.
//= https://www.rfc-editor.org/rfc/rfc9368#section-8
//= type=test
//# Because QUIC version 1 was the only QUIC version that was published
//# on the IETF Standards Track before this document, it is handled
//# specially as follows: if a client is starting a QUIC version 1
//# connection in response to a received Version Negotiation packet and
//# the version_information transport parameter is missing from the
//# server's transport parameters, then the client SHALL proceed as if
//# the server's transport parameters contained a version_information
//# transport parameter with a Chosen Version set to 0x00000001 and an
//# Available Version list containing exactly one version set to
//# 0x00000001.
#[test]
fn after_version_negotiation_the_servers_versions_are_compared() {
    let (one, two) = (QUIC_V1, QUIC_V2);
    for (says, version, wanted, spoken, expected) in [
        (value(&[two, two]), one, [two, one], two, Ok(two)),
        (value(&[two, two, one]), one, [two, one], two, Ok(two)),
        (value(&[two, two, one]), one, [one, two], two, VERSIONS),
        (value(&[two]), one, [two, one], two, VERSIONS),
        (value(&[two, OTHER]), one, [two, one], two, Ok(two)),
        (Says::Nothing, one, [two, one], two, VERSIONS),
        (value(&[one, one]), two, [two, one], one, Ok(one)),
        (value(&[one, one, two]), two, [two, one], one, VERSIONS),
        (value(&[one]), two, [two, one], one, VERSIONS),
        (Says::Nothing, two, [two, one], one, Ok(one)),
        (Says::Nothing, RESERVED, [two, one], one, Ok(one)),
        (Says::Nothing, RESERVED, [one, two], two, VERSIONS),
    ] {
        let done = with_lying_server(says.clone(), version, &wanted, &[spoken]);
        assert_eq!(done, expected, "{says:?} {version:x} {wanted:x?} {spoken:x}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc9368#section-4
//= type=test
//# When the server then processes the client's Version
//# Information, the server MUST validate that the client's Chosen
//# Version matches the version in use for the connection.  If the two
//# differ, the server MUST close the connection with a version
//# negotiation error.
//= https://www.rfc-editor.org/rfc/rfc9368#section-4
//= type=test
//# Subsequently,
//# if the server receives the client's Version Information over QUIC
//# version 1 (as indicated by the Version field of the Long Header
//# packets that carried the transport parameters) and the client's
//# Chosen Version is not set to 0x00000001, the server MUST close the
//# connection with a version negotiation error.
#[test]
fn what_a_client_says_of_versions_has_to_fit_what_it_does() {
    //= https://www.rfc-editor.org/rfc/rfc9369#section-4
    //= type=test
    //# Any QUIC endpoint that supports QUIC version 2 MUST send, process, and validate the
    //# version_information transport parameter specified in [QUIC-VN] to prevent version
    //# downgrade attacks.
    //= https://www.rfc-editor.org/rfc/rfc9368#section-2.3
    //= type=test
    //# If the first flight is correctly formatted, then this conversion process cannot fail by
    //# definition of the first flight being compatible; if the server is unable to convert the
    //# first flight, it MUST abort the handshake.
    let (one, two) = (QUIC_V1, QUIC_V2);
    for (says, version, expected) in [
        (value(&[one, one]), one, Ok(one)),
        (value(&[one, OTHER, RESERVED, one]), one, Ok(one)),
        (Says::Nothing, one, Ok(one)),
        (Says::Nothing, two, Ok(two)),
        (value(&[two, two, one]), one, VERSIONS),
        (value(&[one, one, two]), two, VERSIONS),
        (value(&[OTHER, OTHER]), one, VERSIONS),
        (value(&[one]), one, PARAMETERS),
        (value(&[one, two]), one, PARAMETERS),
        (value(&[0, one, 0]), one, PARAMETERS),
        (value(&[one, one, 0]), one, PARAMETERS),
        (Says::Value(vec![0; 3]), one, PARAMETERS),
        (Says::Value(vec![]), one, PARAMETERS),
    ] {
        let liar = Liar { tls: NullTls::default(), says: says.clone() };
        let mut setup = Setup::with_tls(1, Arc::new(liar), Arc::new(NullTls::default()));
        with_versions(&mut setup, version, &BOTH, &BOTH);
        assert_eq!(outcome(setup.build()), expected, "{says:?} {version:x}");
    }
}

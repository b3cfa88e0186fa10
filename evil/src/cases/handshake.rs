//! TLS in CRYPTO frames (RFC 9000 §7.5, RFC 9001 §4, §6, §8).

use super::prelude::*;
use crate::tls::client_tls;

/// TLS alerts (RFC 8446 §6).
const UNEXPECTED_MESSAGE: Reaction = Reaction::alert(10);
const DECRYPT_ERROR: Reaction = Reaction::alert(51);
const PROTOCOL_VERSION: Reaction = Reaction::alert(70);
const NO_APPLICATION_PROTOCOL: Reaction = Reaction::alert(120);

/// TLS messages: KeyUpdate, EndOfEarlyData.
const KEY_UPDATE: &[u8] = &[24, 0, 0, 1, 0];
const END_OF_EARLY_DATA: &[u8] = &[5, 0, 0, 0];
/// CertificateRequest with an empty context and the extension signature_algorithms.
const CERTIFICATE_REQUEST: &[u8] = &[13, 0, 0, 11, 0, 0, 8, 0, 13, 0, 4, 0, 2, 8, 4];
/// NewSessionTicket with early_data of 1 byte.
const TICKET_FOR_ONE_BYTE: &[u8] =
    &[4, 0, 0, 24, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 2, 7, 7, 0, 8, 0, 42, 0, 4, 0, 0, 0, 1];

const BUFFER: Reaction = Reaction::close_in(Code::CRYPTO_BUFFER_EXCEEDED, 0x06);
const BUFFER_AFTERWARDS: Reaction = Reaction::OneOf(
    &[BUFFER, Ignored],
    Permission(
        "Once the handshake completes, if an endpoint is unable to buffer all data in a CRYPTO \
         frame, it MAY discard that CRYPTO frame and all CRYPTO frames received in the future, or \
         it MAY close the connection with a CRYPTO_BUFFER_EXCEEDED error code.",
    ),
);

pub(super) const CASES: &[Case] = &[
    server(
        "handshake/KeyUpdate in 1-RTT",
        "RFC 9001 §6",
        Steps(|s| after(s, KEY_UPDATE)),
        UNEXPECTED_MESSAGE,
    ),
    server(
        "handshake/KeyUpdate in Handshake",
        "RFC 9001 §6",
        Steps(|s| in_handshake(s, KEY_UPDATE)),
        UNEXPECTED_MESSAGE,
    ),
    server(
        "handshake/EndOfEarlyData in Handshake",
        "RFC 9001 §8.3",
        Steps(|s| in_handshake(s, END_OF_EARLY_DATA)),
        UNEXPECTED_MESSAGE,
    ),
    server(
        "handshake/EndOfEarlyData in 1-RTT",
        "RFC 9001 §8.3",
        Steps(|s| after(s, END_OF_EARLY_DATA)),
        UNEXPECTED_MESSAGE,
    ),
    server(
        "handshake/CertificateRequest from a client",
        "RFC 8446 §4.6",
        Steps(|s| after(s, CERTIFICATE_REQUEST)),
        UNEXPECTED_MESSAGE,
    ),
    server(
        "handshake/other application protocol",
        "RFC 9001 §8.1",
        Parameters(|b| offer(b, &[b"no such protocol"])),
        NO_APPLICATION_PROTOCOL,
    ),
    server(
        "handshake/no application protocol",
        "RFC 9001 §8.1",
        Parameters(|b| offer(b, &[])),
        NO_APPLICATION_PROTOCOL,
    ),
    server(
        "handshake/legacy_session_id",
        "RFC 9001 §8.4",
        Parameters(|b| b.edit = Some((SpaceId::Initial, add_session_id))),
        VIOLATION,
    ),
    server(
        "handshake/TLS 1.2 alone",
        "RFC 9001 §4.2",
        Parameters(|b| b.edit = Some((SpaceId::Initial, |hello| offer_tls_1_2(hello)))),
        PROTOCOL_VERSION,
    ),
    server(
        "handshake/not a ClientHello",
        "RFC 8446 §4",
        Parameters(|b| b.edit = Some((SpaceId::Initial, other_message))),
        UNEXPECTED_MESSAGE,
    ),
    server(
        "handshake/Finished that is not right",
        "RFC 8446 §4.4.4",
        Parameters(|b| b.edit = Some((SpaceId::Handshake, |bytes| spoil_last(bytes)))),
        DECRYPT_ERROR,
    ),
    server(
        "handshake/more in Initial than the ClientHello",
        "RFC 9001 §4.1.3",
        Parameters(|b| b.edit = Some((SpaceId::Initial, add_message))),
        VIOLATION,
    ),
    server(
        "handshake/CRYPTO far ahead in Initial",
        "RFC 9000 §7.5",
        FramesIn(PacketKind::Initial, b"\x06\x80\x10\x00\x00\x01x"),
        BUFFER,
    ),
    server(
        "handshake/CRYPTO far ahead in Handshake",
        "RFC 9000 §7.5",
        FramesIn(PacketKind::Handshake, b"\x06\x80\x10\x00\x00\x01x"),
        BUFFER,
    ),
    server(
        "handshake/CRYPTO far ahead in 1-RTT",
        "RFC 9000 §7.5",
        Frames(b"\x06\x80\x10\x00\x00\x01x"),
        BUFFER_AFTERWARDS,
    ),
    server(
        "handshake/ClientHello byte by byte, last one first",
        "RFC 9000 §19.6",
        Steps(hello_in_pieces),
        Ignored,
    ),
    server(
        "handshake/ClientHello in pieces that overlap",
        "RFC 9000 §19.6",
        Steps(hello_that_overlaps),
        Ignored,
    ),
    server("handshake/CRYPTO without data", "RFC 9000 §19.6", Steps(empty_crypto), Ignored),
    server("handshake/ClientHello again and again", "RFC 9000 §13.3", Steps(hello_again), Ignored),
    server("handshake/Initial of another source", "RFC 9000 §7.2", Steps(other_source), Ignored),
    server(
        "handshake/1-RTT before the handshake is complete",
        "RFC 9001 §5.7",
        Steps(early_one_rtt),
        Ignored,
    ),
    server("handshake/Initial after Handshake", "RFC 9001 §4.9.1", Steps(late_initial), Ignored),
    server(
        "handshake/closed by the client in Initial",
        "RFC 9000 §10.2.3",
        Steps(closed_in_initial),
        Bounded { bytes: 1500 },
    ),
    client(
        "handshake/KeyUpdate in 1-RTT, to a client",
        "RFC 9001 §6",
        Steps(|s| after(s, KEY_UPDATE)),
        UNEXPECTED_MESSAGE,
    ),
    client(
        "handshake/CertificateRequest after the handshake",
        "RFC 9001 §4.4",
        Steps(|s| after(s, CERTIFICATE_REQUEST)),
        VIOLATION,
    ),
    client(
        "handshake/ticket for one byte of early data",
        "RFC 9001 §4.6.1",
        Steps(|s| after(s, TICKET_FOR_ONE_BYTE)),
        VIOLATION,
    ),
    client(
        "handshake/no application protocol, to a client",
        "RFC 9001 §8.1",
        Parameters(|b| b.edit = Some((SpaceId::Handshake, select_nothing))),
        NO_APPLICATION_PROTOCOL,
    ),
    client(
        "handshake/server's Finished that is not right",
        "RFC 8446 §4.4.4",
        Parameters(|b| b.edit = Some((SpaceId::Handshake, |bytes| spoil_last(bytes)))),
        DECRYPT_ERROR,
    ),
    client(
        "handshake/not a ServerHello",
        "RFC 8446 §4",
        Parameters(|b| b.edit = Some((SpaceId::Initial, other_message))),
        UNEXPECTED_MESSAGE,
    ),
    client(
        "handshake/more in Initial than the ServerHello",
        "RFC 9001 §4.1.3",
        Parameters(|b| b.edit = Some((SpaceId::Initial, add_message))),
        VIOLATION,
    ),
    client(
        "handshake/CRYPTO far ahead, to a client",
        "RFC 9000 §7.5",
        FramesIn(PacketKind::Handshake, b"\x06\x80\x10\x00\x00\x01x"),
        BUFFER,
    ),
    client(
        "handshake/Initial of another source, to a client",
        "RFC 9000 §7.2",
        Steps(other_source_to_client),
        Ignored,
    ),
    client(
        "handshake/Initial with a token, to a client",
        "RFC 9000 §17.2.2",
        Steps(token_to_client),
        Reaction::OneOf(
            &[VIOLATION, Ignored],
            Permission(
                "clients that receive an Initial packet with a non-zero Token Length field MUST either discard the packet or generate a connection error of type PROTOCOL_VIOLATION.",
            ),
        ),
    ),
    client(
        "handshake/closed by the server in Initial",
        "RFC 9000 §10.2.3",
        Steps(closed_in_initial_to_client),
        Silence,
    ),
];

/// Sends a TLS message when the handshake is confirmed, behind what TLS wrote there.
fn after(script: &mut Script<'_>, message: &[u8]) -> Step {
    script.connect()?;
    let offset = script.peer()?.crypto(SpaceId::Application).len() as u64;
    script.send(Payload::new().crypto(offset, message)).map(|_| ())
}

/// Sends a TLS message in place of the client's Finished.
fn in_handshake(script: &mut Script<'_>, message: &[u8]) -> Step {
    let beginning = script.beginning();
    script.until(beginning, Stage::OneRtt)?;
    script.peer()?.take_crypto(SpaceId::Handshake);
    script.send_packet(Packet::handshake(Payload::new().crypto(0, message))).map(|_| ())
}

fn offer(beginning: &mut Beginning, protocols: &[&[u8]]) {
    if let (Role::Client(config, _), Ok(other)) = (&mut beginning.role, client_tls(protocols)) {
        *config = other;
    }
}

/// Takes the application protocol out of EncryptedExtensions, which come first.
fn select_nothing(flight: &mut Vec<u8>) {
    const PROTOCOL: [u8; 2] = [0x00, 0x10];
    let Some(at) = flight.windows(2).position(|bytes| bytes == PROTOCOL) else { return };
    let Some(length) = flight.get(at + 3).map(|length| usize::from(*length)) else { return };
    let removed = 4 + length;
    flight.drain(at..at + removed);
    // The lengths of the message and of all extensions, which are short.
    for at in [2, 4] {
        if let Some(bytes) = flight.get_mut(at..at + 2)
            && let Ok(pair) = <[u8; 2]>::try_from(&*bytes)
        {
            let less = usize::from(u16::from_be_bytes(pair)).saturating_sub(removed);
            bytes.copy_from_slice(&u16::try_from(less).unwrap_or(0).to_be_bytes());
        }
    }
}

/// A message that never comes first.
fn other_message(message: &mut Vec<u8>) {
    message.clear();
    message.extend_from_slice(KEY_UPDATE);
}

fn spoil_last(message: &mut [u8]) {
    if let Some(last) = message.last_mut() {
        *last ^= 1;
    }
}

/// Another message behind the whole of it.
fn add_message(message: &mut Vec<u8>) {
    message.extend_from_slice(&[20, 0, 0, 4, 1, 2, 3, 4]);
}

/// Gives the ClientHello a session ID of 32 bytes.
fn add_session_id(hello: &mut Vec<u8>) {
    const AT: usize = 4 + 2 + 32;
    if hello.get(AT) == Some(&0) {
        let id = [32].into_iter().chain([7; 32]);
        hello.splice(AT..=AT, id);
        let length = hello.len() - 4;
        if let (Some(bytes), Ok(length)) = (hello.get_mut(2..4), u16::try_from(length)) {
            bytes.copy_from_slice(&length.to_be_bytes());
        }
    }
}

/// Offers TLS 1.2 in place of 1.3 in supported_versions.
fn offer_tls_1_2(hello: &mut [u8]) {
    const SUPPORTED: [u8; 7] = [0x00, 0x2b, 0x00, 0x03, 0x02, 0x03, 0x04];
    let at = hello.windows(SUPPORTED.len()).position(|bytes| bytes == SUPPORTED);
    if let Some(last) = at.and_then(|at| hello.get_mut(at + SUPPORTED.len() - 1)) {
        *last = 0x03;
    }
}

fn hello_in_pieces(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    let hello = script.peer()?.take_crypto(SpaceId::Initial);
    let pieces: Vec<(u64, u8)> = (0..).zip(hello).collect();
    for some in pieces.rchunks(200) {
        let mut payload = Payload::new();
        for (offset, byte) in some.iter().rev() {
            payload = payload.crypto(*offset, &[*byte]);
        }
        script.send_packet(Packet::initial(payload))?;
    }
    Ok(())
}

fn hello_that_overlaps(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    let hello = script.peer()?.take_crypto(SpaceId::Initial);
    let mut payload = Payload::new();
    for (at, piece) in hello.windows(80).enumerate().step_by(50) {
        payload = payload.crypto(at as u64, piece);
    }
    let tail = hello.len().saturating_sub(100);
    payload = payload.crypto(tail as u64, hello.get(tail..).unwrap_or_default());
    script.send_packet(Packet::initial(payload)).map(|_| ())
}

fn empty_crypto(script: &mut Script<'_>) -> Step {
    script.connect()?;
    script.send(Payload::new().crypto(0, &[]).crypto(5, &[])).map(|_| ())
}

fn hello_again(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    let hello = script.peer()?.take_crypto(SpaceId::Initial);
    for _ in 0..5 {
        script.send_packet(Packet::initial(Payload::new().crypto(0, &hello)))?;
    }
    Ok(())
}

fn other_source(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.until(beginning, Stage::Handshake)?;
    let source = Some(script.random(8));
    let number = script.send_packet(Packet { source, ..Packet::initial(Payload::ping()) })?;
    script
        .wait_until(Duration::from_millis(300), |peer| peer.is_acked(SpaceId::Initial, number))?;
    let acked = script.peer()?.is_acked(SpaceId::Initial, number);
    script.demand(!acked, "an Initial of another source connection ID was acknowledged")
}

fn other_source_to_client(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    script.send_packet(Packet::initial(Payload::ping()))?;
    script.take(Duration::from_millis(300));
    let source = Some(script.random(8));
    let number = script.send_packet(Packet { source, ..Packet::initial(Payload::ping()) })?;
    while script.take(Duration::from_millis(300)) {}
    let acked = script.peer()?.is_acked(SpaceId::Initial, number);
    script.demand(!acked, "an Initial of another source connection ID was acknowledged")
}

fn early_one_rtt(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.until(beginning, Stage::OneRtt)?;
    let number = script.send(Payload::ping())?;
    while script.take(Duration::from_millis(100)) {}
    let acked = script.peer()?.is_acked(SpaceId::Application, number);
    script.demand(!acked, "a 1-RTT packet was processed before the handshake was complete")
}

fn late_initial(script: &mut Script<'_>) -> Step {
    script.connect()?;
    // What was legal in Initial packets and what never was.
    for payload in
        [Payload::ping(), Payload::new().raw(&[0x1c, 0, 0, 0]), Payload::new().raw(&[0x2f])]
    {
        script.send_packet(Packet::initial(payload))?;
    }
    Ok(())
}

fn closed_in_initial(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.until(beginning, Stage::Handshake)?;
    while script.take(Duration::from_millis(20)) {}
    script.mark();
    script.send_packet(Packet::initial(Payload::new().raw(&[0x1c, 0, 0, 0]))).map(|_| ())
}

fn closed_in_initial_to_client(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    script.send_packet(Packet::initial(Payload::new().raw(&[0x1c, 2, 0, 0])))?;
    // One answer is permitted (RFC 9000 §10.2.2).
    script.take(Duration::from_millis(100));
    script.mark();
    Ok(())
}

fn token_to_client(script: &mut Script<'_>) -> Step {
    let beginning = script.beginning();
    script.begin(beginning)?;
    let token = Some(b"token".to_vec());
    script.send_packet(Packet { token, ..Packet::initial(Payload::ping()) }).map(|_| ())
}

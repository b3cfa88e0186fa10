//! Our decoders next to those of `s2n-quic-core`: what one takes, the other takes, and reads as the
//! same.
//!
//! Where they differ, and may:
//!
//! - Frame types that only one of them knows: IMMEDIATE_ACK (0x1f), RESET_STREAM_AT (0x24) and
//!   ACK_FREQUENCY (0xaf) are known here; types from 0xdc0000 on there.
//! - Values that RFC 9000 calls an error of the frame are errors of the decoder here; there, some
//!   are found later: CRYPTO and STREAM data that ends at 2^62 or beyond, an empty token in
//!   NEW_TOKEN.
//! - Packets: there, only version 1 is read, whatever the version field says, and only with the
//!   QUIC Bit, which RFC 9287 permits to be 0. Connection IDs of more than 20 bytes are an error
//!   of the parser here, and found later there; but in Version Negotiation packets, which may have
//!   them (RFC 8999 §5.1), it is the other way round. What is protected by a short header has to
//!   be long enough for a sample there; here that is checked when protection is taken off.
//! - Transport parameters that only one of them knows are ignored by the other; so they are left
//!   out. A preferred address of which one half is zero is none here. There, a
//!   max_udp_payload_size above that of any datagram is an error, and so are connection IDs that
//!   are shorter than any of its own.
#![expect(clippy::wildcard_enum_match_arm, reason = "test code")]

use quic_core::wire::frame::{Frame, Frames};
use quic_core::wire::header::{Header, HeaderError, LongType, VERSION_1, parse};
use quic_core::wire::transport_parameters::{TransportParameters, decode};
use quic_core::wire::{Reader, Side};
use s2n_codec::{DecoderBuffer, DecoderBufferMut, EncoderBuffer, EncoderValue};
use s2n_quic_core::connection::id::ConnectionInfo;
use s2n_quic_core::frame::FrameMut;
use s2n_quic_core::inet::SocketAddress;
use s2n_quic_core::packet::ProtectedPacket;
use s2n_quic_core::transport::parameters::{ClientTransportParameters, ServerTransportParameters};

use crate::input::Input;

const QUIC_BIT: u8 = 0x40;
/// Length of the shortest connection ID of theirs, in bytes.
const THEIR_SHORTEST_ID: usize = 8;
/// Bytes behind the start of the packet number that a packet needs to be unprotected.
const SAMPLE_END: usize = 20;

/// Any bytes as frames, as a datagram, or as transport parameters.
pub(crate) fn differential(input: &[u8]) {
    let mut input = Input::new(input);
    let kind = input.byte();
    let bytes = input.bytes(usize::MAX);
    match kind % 4 {
        0 => frames(bytes),
        1 => packets(bytes),
        2 => parameters(bytes, Side::Client),
        _ => parameters(bytes, Side::Server),
    }
}

/// The frames of a payload, one after the other, as long as both take them.
fn frames(mut payload: &[u8]) {
    while !payload.is_empty() {
        let mut ours = Frames::new(payload);
        let our_frame = ours.next();
        let mut copy = payload.to_vec();
        let theirs = DecoderBufferMut::new(&mut copy).decode::<FrameMut<'_>>();
        let ty = Reader::new(payload).varint().unwrap_or(u64::MAX);
        match (our_frame, theirs) {
            (Some(Ok(our_frame)), Ok((their_frame, rest))) => {
                assert_eq!(rest.len(), ours.remaining(), "{our_frame:?} takes as many bytes");
                is_the_same(&our_frame, &their_frame, payload.len());
            }
            (Some(Err(_)), Err(_)) => return,
            (Some(Ok(frame)), Err(error)) => {
                assert!(matches!(ty, 0x1f | 0x24 | 0xaf), "{frame:?} is taken here: {error:?}");
                return;
            }
            (Some(Err(error)), Ok(_)) => {
                let later = matches!(ty, 0x06..=0x0f);
                assert!(later || ty >= 0x00dc_0000, "{ty:#x} is taken there: {error:?}");
                return;
            }
            (None, _) => unreachable!("there are bytes left"),
        }
        payload = payload.get(payload.len() - ours.remaining()..).unwrap_or_default();
    }
}

/// Theirs, written by them and read by us, is ours.
fn is_the_same(ours: &Frame<'_>, theirs: &FrameMut<'_>, length: usize) {
    let written = written(theirs, length);
    let read: Vec<_> = Frames::new(&written).collect();
    assert_eq!(read, [Ok(ours.clone())], "as they read it");
}

fn written(value: &impl EncoderValue, length: usize) -> Vec<u8> {
    let mut memory = vec![0; length + 64];
    let mut buffer = EncoderBuffer::new(&mut memory);
    value.encode(&mut buffer);
    let end = s2n_codec::Encoder::len(&buffer);
    memory.truncate(end);
    memory
}

/// The packets of a datagram, one after the other. The first byte says how long our IDs are.
fn packets(bytes: &[u8]) {
    let Some((selector, mut datagram)) = bytes.split_first() else { return };
    let id_length = usize::from(*selector % 21);
    let remote = SocketAddress::default();
    let connection = ConnectionInfo::new(&remote);
    while !datagram.is_empty() {
        let mut copy = datagram.to_vec();
        let theirs =
            ProtectedPacket::decode(DecoderBufferMut::new(&mut copy), &connection, &id_length);
        let ours = parse(datagram, id_length);
        let has_bit = datagram.first().is_some_and(|first| first & QUIC_BIT != 0);
        let header = match (ours, theirs) {
            (Ok(Header::UnknownVersion(_)), _) | (Err(_), Err(_)) => return,
            (Ok(header), Ok((packet, rest))) => {
                is_the_same_packet(&header, &packet);
                // Types are numbered differently in version 2, which they do not know.
                if is_of_another_version(&header) {
                    return;
                }
                let left = datagram.len() - length_of(&header, datagram);
                assert_eq!(left, rest.len(), "{header:?} takes as many bytes");
                header
            }
            (Ok(header), Err(error)) => {
                let short = body_of(&header, datagram) < SAMPLE_END;
                let other = is_of_another_version(&header);
                let long = matches!(&header, Header::VersionNegotiation(it)
                    if it.destination_id.len() > 20 || it.source_id.len() > 20);
                assert!(!has_bit || short || other || long, "{header:?} is taken here: {error:?}");
                return;
            }
            // There, it is found when the ID is used.
            (Err(HeaderError::ConnectionIdTooLong), Ok(_)) => return,
            (Err(error), Ok((packet, _))) => {
                let other = packet.version().is_some_and(|version| version != VERSION_1);
                assert!(other, "{packet:?} is taken there: {error:?}");
                return;
            }
        };
        datagram = datagram.get(length_of(&header, datagram)..).unwrap_or_default();
    }
}

fn is_of_another_version(header: &Header<'_>) -> bool {
    matches!(header, Header::Long(it) if it.version != VERSION_1)
        || matches!(header, Header::Retry(it) if it.version != VERSION_1)
}

fn length_of(header: &Header<'_>, datagram: &[u8]) -> usize {
    if let Header::Long(header) = header { header.packet_length } else { datagram.len() }
}

/// Bytes from the packet number on; as many as there can be where there is none.
fn body_of(header: &Header<'_>, datagram: &[u8]) -> usize {
    match header {
        Header::Long(header) => header.packet_length - header.number_offset,
        Header::Short(header) => datagram.len() - header.number_offset,
        _ => usize::MAX,
    }
}

fn is_the_same_packet(ours: &Header<'_>, theirs: &ProtectedPacket<'_>) {
    let (destination, source): (&[u8], &[u8]) = match ours {
        Header::Long(header) => (header.destination_id.as_slice(), header.source_id.as_slice()),
        Header::Short(header) => (header.destination_id.as_slice(), &[]),
        Header::Retry(header) => (header.destination_id.as_slice(), header.source_id.as_slice()),
        Header::VersionNegotiation(header) => (header.destination_id, header.source_id),
        Header::UnknownVersion(_) => return,
    };
    assert_eq!(destination, theirs.destination_connection_id(), "{ours:?}");
    assert_eq!(source, theirs.source_connection_id().unwrap_or_default(), "{ours:?}");
    if is_of_another_version(ours) {
        return;
    }
    let same = match theirs {
        ProtectedPacket::Initial(packet) => {
            matches!(ours, Header::Long(it) if it.ty == LongType::Initial && it.token == packet.token())
        }
        ProtectedPacket::ZeroRtt(_) => {
            matches!(ours, Header::Long(it) if it.ty == LongType::ZeroRtt)
        }
        ProtectedPacket::Handshake(_) => {
            matches!(ours, Header::Long(it) if it.ty == LongType::Handshake)
        }
        ProtectedPacket::Retry(_) => matches!(ours, Header::Retry(_)),
        ProtectedPacket::VersionNegotiation(_) => matches!(ours, Header::VersionNegotiation(_)),
        ProtectedPacket::Short(_) => matches!(ours, Header::Short(_)),
    };
    assert!(same, "{ours:?} is {theirs:?} there");
}

fn parameters(bytes: &[u8], sender: Side) {
    let ours = decode(bytes, sender);
    let buffer = DecoderBuffer::new(bytes);
    let theirs = match sender {
        Side::Client => buffer
            .decode::<ClientTransportParameters>()
            .map(|(it, _)| written(&it, bytes.len() + 300)),
        Side::Server => buffer
            .decode::<ServerTransportParameters>()
            .map(|(it, _)| written(&it, bytes.len() + 300)),
    };
    let names = identifiers(bytes);
    match (ours, theirs) {
        (Err(_), Err(_)) => {}
        (Ok(ours), Ok(theirs)) => {
            let theirs = decode(&theirs, sender);
            let theirs = theirs.map(|theirs| without_extensions(theirs, &ours));
            assert_eq!(theirs, Ok(without_extensions(ours.clone(), &ours)), "as they read them");
        }
        (Ok(ours), Err(error)) => {
            let theirs_only = names.iter().any(|id| *id >= 0x00dc_0000);
            let large = ours.max_udp_payload_size > 65_527;
            let short = has_short_ids(&ours);
            assert!(theirs_only || large || short, "{ours:?} are taken here: {error:?}");
        }
        (Err(error), Ok(_)) => {
            let ours_only = |id: &u64| {
                matches!(*id, 0x11 | 0x1d | 0x2ab2 | 0xff04_de1b | 0x0017_f758_6d2c_b571)
            };
            // A client MUST refuse that (RFC 9000 §18.2); they take it.
            let empty = error.0 == "preferred_address has an empty connection ID";
            assert!(
                empty || names.iter().any(ours_only),
                "{bytes:02x?} are taken there: {error:?}"
            );
        }
    }
}

/// Whether a connection ID is shorter than theirs are.
fn has_short_ids(parameters: &TransportParameters) -> bool {
    let ids = [
        parameters.original_destination_connection_id,
        parameters.initial_source_connection_id,
        parameters.retry_source_connection_id,
        parameters.preferred_address.map(|it| it.id),
    ];
    ids.iter().flatten().any(|id| id.length() < THEIR_SHORTEST_ID)
}

/// The identifiers of the parameters, as far as they can be read.
fn identifiers(bytes: &[u8]) -> Vec<u64> {
    let mut reader = Reader::new(bytes);
    let mut identifiers = Vec::new();
    while let Ok(id) = reader.varint() {
        identifiers.push(id);
        if reader.prefixed_bytes().is_err() {
            break;
        }
    }
    identifiers
}

/// Without what they do not know, or say in another way.
fn without_extensions(
    mut parameters: TransportParameters,
    ours: &TransportParameters,
) -> TransportParameters {
    parameters.min_ack_delay = None;
    parameters.reset_stream_at = false;
    parameters.version_information = None;
    parameters.grease_quic_bit = false;
    if ours.preferred_address.is_some_and(|it| it.ipv4.is_none() || it.ipv6.is_none()) {
        parameters.preferred_address = None;
    }
    parameters
}

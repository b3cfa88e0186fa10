use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{
    Header, HeaderError, InvariantHeader, LongHeader, LongHeaderParts, LongType, RetryHeader,
    RetryParts, ShortHeader, ShortHeaderParts, VERSION_1, destination_id, parse, patch_length,
    read_truncated_number, write_invariant, write_long_header, write_retry_without_tag,
    write_short_header, write_version_negotiation,
};
use crate::wire::header::{
    VERSION_2, has_fixed_bit, invariant_header, is_reserved_version, reserved_version,
};
use crate::wire::strategies::{connection_id, integer};
use crate::wire::{ConnectionId, Full, PacketNumberLength, Writer};

fn long_type() -> impl Strategy<Value = LongType> {
    prop_oneof![Just(LongType::Initial), Just(LongType::ZeroRtt), Just(LongType::Handshake)]
}

fn number_length() -> impl Strategy<Value = PacketNumberLength> {
    any::<u8>().prop_map(PacketNumberLength::from_first_byte)
}

fn version() -> impl Strategy<Value = u32> {
    prop_oneof![Just(VERSION_1), Just(VERSION_2)]
}

/// A packet with this header and `payload` bytes after the packet number.
fn long_packet(
    parts: &LongHeaderParts<'_>,
    number: u64,
    number_length: PacketNumberLength,
    payload: usize,
) -> Vec<u8> {
    let mut memory = vec![0; 2048];
    let mut writer = Writer::new(&mut memory);
    let field = write_long_header(&mut writer, parts, number, number_length).unwrap();
    writer.padding(payload).unwrap();
    let end = writer.length();
    memory.truncate(end);
    patch_length(&mut memory, field, number_length.bytes() + payload);
    memory
}

fn handshake() -> Vec<u8> {
    let parts = LongHeaderParts {
        ty: LongType::Handshake,
        version: VERSION_1,
        destination_id: ConnectionId::new(b"to").unwrap(),
        source_id: ConnectionId::new(b"from").unwrap(),
        token: &[],
    };
    long_packet(&parts, 7, PacketNumberLength::from_first_byte(0), 20)
}

/// The low bytes of `number` that travel.
fn truncated(number: u64, length: PacketNumberLength) -> u32 {
    u32::try_from(number & ((1 << (8 * length.bytes())) - 1)).unwrap()
}

proptest! {
    #[test]
    fn long_headers_survive_their_encoding(
        (ty, version) in (long_type(), version()),
        destination in connection_id(),
        source_id in connection_id(),
        token in vec(any::<u8>(), 0..100),
        (number, number_length) in (integer(), number_length()),
        payload in 0_usize..200,
    ) {
        let parts = LongHeaderParts {
            ty, version, destination_id: destination, source_id, token: &token,
        };
        let mut datagram = long_packet(&parts, number, number_length, payload);
        let packet_length = datagram.len();
        datagram.extend_from_slice(b"the next packet");

        let Header::Long(header) = parse(&datagram, 8).unwrap() else { panic!("not long") };
        let number_offset = packet_length - payload - number_length.bytes();
        let token: &[u8] = if ty == LongType::Initial { &token } else { &[] };
        let expected = LongHeader {
            ty, version, destination_id: destination, source_id, token, number_offset,
            packet_length,
        };
        prop_assert_eq!(header, expected);
        let field = &datagram[number_offset..][..number_length.bytes()];
        prop_assert_eq!(read_truncated_number(field), truncated(number, number_length));
        prop_assert_eq!(PacketNumberLength::from_first_byte(datagram[0]), number_length);
        prop_assert_eq!(destination_id(&datagram, 8), Some(destination));
        for end in 0..packet_length {
            prop_assert_eq!(parse(&datagram[..end], 8), Err(HeaderError::Truncated));
        }
    }

    #[test]
    fn short_headers_survive_their_encoding(
        destination in connection_id(),
        (number, number_length) in (integer(), number_length()),
        (spin, key_phase) in any::<(bool, bool)>(),
    ) {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.3.1
        //= type=test
        //# The value included prior to protection MUST be set to 0.
        let parts = ShortHeaderParts { destination_id: destination, spin, key_phase };
        let mut memory = [0; 25];
        let mut writer = Writer::new(&mut memory);
        write_short_header(&mut writer, &parts, number, number_length).unwrap();
        let packet = writer.written();

        let number_offset = 1 + destination.length();
        let expected = ShortHeader { destination_id: destination, number_offset, spin };
        prop_assert_eq!(parse(packet, destination.length()), Ok(Header::Short(expected)));
        prop_assert_eq!(read_truncated_number(&packet[number_offset..]), truncated(number, number_length));
        prop_assert_eq!(packet[0] & 0x04 != 0, key_phase);
        prop_assert_eq!(packet[0] & 0x18, 0, "the reserved bits");
        prop_assert_eq!(destination_id(packet, destination.length()), Some(destination));
        for end in 0..number_offset {
            let cut = &packet[..end];
            prop_assert_eq!(parse(cut, destination.length()), Err(HeaderError::Truncated));
            prop_assert_eq!(destination_id(cut, destination.length()), None);
        }
    }

    #[test]
    fn retry_packets_survive_their_encoding(
        version in version(),
        destination in connection_id(),
        source_id in connection_id(),
        token in vec(any::<u8>(), 1..200),
        tag in any::<[u8; 16]>(),
        random in any::<u8>(),
    ) {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5
        //= type=test
        //# The value in the Unused field is set to an arbitrary value by the server; a client
        //# MUST ignore these bits.
        let parts = RetryParts {
            version, destination_id: destination, source_id, token: &token,
        };
        let mut memory = [0; 400];
        let mut writer = Writer::new(&mut memory);
        write_retry_without_tag(&mut writer, &parts, random).unwrap();
        writer.bytes(&tag).unwrap();
        let expected = RetryHeader {
            version, destination_id: destination, source_id, token: &token, tag,
        };
        prop_assert_eq!(parse(writer.written(), 8), Ok(Header::Retry(expected)));
        let first = if version == VERSION_1 { 0xf0 } else { 0xc0 };
        prop_assert_eq!(writer.written()[0], first | (random & 0x0f));
    }

    #[test]
    fn version_negotiation_survives_its_encoding(
        destination in vec(any::<u8>(), 0..=255),
        source in vec(any::<u8>(), 0..=255),
        versions in vec(any::<u32>(), 1..10),
        random in any::<u8>(),
    ) {
        //= https://www.rfc-editor.org/rfc/rfc8999#section-6
        //= type=test
        //# The remaining 7 bits, labeled "Unused", can be set to any value when sending and
        //# MUST be ignored on receipt.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.1
        //= type=test
        //# Clients MUST ignore the value of this field.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.1
        //= type=test
        //# Where QUIC might be multiplexed with other protocols (see [RFC7983]), servers SHOULD
        //# set the most significant bit of this field (0x40) to 1 so that Version Negotiation
        //# packets appear to have the Fixed Bit field.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.1
        //= type=test
        //# The Version field of a Version Negotiation packet MUST be set to 0x00000000.
        let mut memory = [0; 1200];
        let mut writer = Writer::new(&mut memory);
        write_version_negotiation(&mut writer, random, &destination, &source, &versions).unwrap();
        let Header::VersionNegotiation(header) = parse(writer.written(), 8).unwrap() else {
            panic!("no version negotiation")
        };
        prop_assert_eq!(writer.written()[0] & 0xc0, 0xc0);
        prop_assert!(writer.written()[1..5] == [0; 4]);
        prop_assert_eq!(header.destination_id, &destination[..]);
        prop_assert_eq!(header.source_id, &source[..]);
        prop_assert_eq!(header.versions.collect::<Vec<_>>(), versions);
        let half = &writer.written()[..writer.length() - 2];
        prop_assert_eq!(parse(half, 8), Err(HeaderError::NoVersions));
    }

    #[test]
    fn no_bytes_upset_the_parsers(
        datagram in vec(any::<u8>(), 0..80),
        long_form_of in prop_oneof![Just(None), any::<u8>().prop_map(Some)],
        local_id_length in 0_usize..=20,
    ) {
        let mut datagram = datagram;
        if let Some(first) = long_form_of {
            datagram.splice(0..0, [0xc0 | first, 0, 0, 0, 1]);
        }
        let id = destination_id(&datagram, local_id_length);
        match parse(&datagram, local_id_length) {
            Ok(Header::Long(header)) => {
                prop_assert_eq!(id, Some(header.destination_id));
                prop_assert!(header.number_offset <= header.packet_length);
                prop_assert!(header.packet_length <= datagram.len());
            }
            Ok(Header::Short(header)) => {
                prop_assert_eq!(id, Some(header.destination_id));
                prop_assert!(header.number_offset <= datagram.len());
            }
            Ok(Header::Retry(header)) => prop_assert_eq!(id, Some(header.destination_id)),
            Ok(Header::VersionNegotiation(header)) => {
                prop_assert_eq!(id, ConnectionId::new(header.destination_id));
            }
            Ok(Header::UnknownVersion(header)) => {
                prop_assert_eq!(id, ConnectionId::new(header.destination_id));
            }
            Err(_) => {}
        }
    }

    #[test]
    fn headers_are_written_whole_or_not_at_all(room in 0_usize..60) {
        let id = ConnectionId::new(&[7; 8]).unwrap();
        let parts = LongHeaderParts {
            ty: LongType::Initial, version: VERSION_1, destination_id: id, source_id: id,
            token: b"token",
        };
        let length = PacketNumberLength::from_first_byte(1);
        let needed = 1 + 4 + 9 + 9 + 6 + 2 + 2;
        let mut memory = [0; 60];
        let mut writer = Writer::new(&mut memory[..room]);
        let written = write_long_header(&mut writer, &parts, 1, length);
        prop_assert_eq!(written.is_ok(), room >= needed);
        prop_assert_eq!(writer.length(), if room >= needed { needed } else { 0 });
    }
}

#[test]
fn the_quic_bit_can_be_read_and_is_no_part_of_anything_else() {
    for mut packet in [handshake(), vec![0x40; 30]] {
        let header = format!("{:?}", parse(&packet, 8));
        assert!(has_fixed_bit(&packet));
        packet[0] &= !0x40;
        assert!(!has_fixed_bit(&packet));
        assert_eq!(format!("{:?}", parse(&packet, 8)), header);
    }
    assert!(!has_fixed_bit(&[]));
}

#[test]
fn each_version_has_its_own_long_header_types() {
    //= https://www.rfc-editor.org/rfc/rfc9369#section-3
    //= type=test
    //# Except for a few differences, QUIC version 2 endpoints MUST implement the QUIC version 1
    //# specification as described in [QUIC], [QUIC-TLS], and [QUIC-RECOVERY].
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2
    //= type=test
    //# The value included prior to protection MUST be set to 0.
    for (ty, first_1, first_2) in [
        (LongType::Initial, 0xc3, 0xd3),
        (LongType::ZeroRtt, 0xd3, 0xe3),
        (LongType::Handshake, 0xe3, 0xf3),
    ] {
        for (version, first) in [(VERSION_1, first_1), (VERSION_2, first_2)] {
            let id = ConnectionId::EMPTY;
            let parts =
                LongHeaderParts { ty, version, destination_id: id, source_id: id, token: &[] };
            let packet = long_packet(&parts, 2, PacketNumberLength::from_first_byte(3), 30);
            assert_eq!(packet[0], first, "{ty:?} {version:x}");
        }
    }
}

#[test]
fn reserved_versions_are_those_of_the_pattern() {
    for bits in [0, u32::MAX, 0x1234_5678] {
        assert!(is_reserved_version(reserved_version(bits)));
    }
    assert!(is_reserved_version(0x1a2a_3a4a));
    for version in [VERSION_1, VERSION_2, 0, 0x1a2a_3a4b] {
        assert!(!is_reserved_version(version));
    }
}

#[test]
fn the_invariants_of_a_long_header_can_be_read_alone() {
    let expected = InvariantHeader { version: 1, destination_id: b"to", source_id: b"from" };
    assert_eq!(invariant_header(&handshake()), Some(expected));
    assert_eq!(invariant_header(&[0x40; 30]), None, "a short header");
    assert_eq!(invariant_header(&handshake()[..10]), None, "cut off");
}

#[test]
fn long_connection_ids_are_for_other_versions_only() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2
    //= type=test
    //# In QUIC version 1, this value MUST NOT exceed 20 bytes.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2
    //= type=test
    //# Endpoints that receive a version 1 long header with a value larger than 20 MUST drop the
    //# packet.
    for (to, from, fits) in [(20, 0, true), (0, 20, true), (21, 0, false), (0, 21, false)] {
        for version in [VERSION_1, VERSION_2] {
            let (to, from) = (vec![9; to], vec![9; from]);
            let parts = InvariantHeader { version, destination_id: &to, source_id: &from };
            let mut packet = vec![0; 100];
            let mut writer = Writer::new(&mut packet);
            write_invariant(&mut writer, 0xe0, &parts).unwrap();
            writer.varint(40).unwrap();
            let length = writer.length() + 40;
            let header = parse(&packet[..length], 8);
            if fits {
                assert!(matches!(header, Ok(Header::Long(_))), "{header:?}");
            } else {
                assert_eq!(header, Err(HeaderError::ConnectionIdTooLong));
            }
        }
    }
    let id = [9; 21];
    for (version, expected) in [
        (VERSION_1, Err(HeaderError::ConnectionIdTooLong)),
        (
            0xface_b00c,
            Ok(Header::UnknownVersion(InvariantHeader {
                version: 0xface_b00c,
                destination_id: &id,
                source_id: b"me",
            })),
        ),
    ] {
        let version: u32 = version;
        let version = version.to_be_bytes();
        let packet = [&[0xc0], &version[..], &[21], &id, &[2], b"me", &[0; 40]].concat();
        assert_eq!(parse(&packet, 8), expected);
        assert_eq!(destination_id(&packet, 8), None);
    }
}

#[test]
fn the_fixed_bit_of_other_versions_is_not_looked_at() {
    let packet = [0x80, 1, 2, 3, 4, 0, 0];
    assert!(matches!(parse(&packet, 8), Ok(Header::UnknownVersion(_))));
}

#[test]
fn a_length_beyond_the_datagram_is_truncated() {
    let mut packet = handshake();
    packet.truncate(packet.len() - 1);
    assert_eq!(parse(&packet, 8), Err(HeaderError::Truncated));
}

#[test]
fn a_retry_without_token_is_refused() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.2
    //= type=test
    //# A client MUST discard a Retry packet with a zero-length Retry Token field.
    let packet = [&[0xf0, 0, 0, 0, 1, 0, 0], &[5; 16][..]].concat();
    assert_eq!(parse(&packet, 8), Err(HeaderError::EmptyToken));
}

#[test]
fn version_negotiation_without_versions_is_refused() {
    //= https://www.rfc-editor.org/rfc/rfc8999#section-6
    //= type=test
    //# An endpoint MUST ignore a packet that contains no Supported Version fields or contains a
    //# truncated Supported Version value.
    for versions in [&[][..], &[1], &[0, 0, 0, 1, 9], &[0, 0, 0, 1, 0, 0, 1]] {
        let packet = [&[0x80, 0, 0, 0, 0, 0, 0], versions].concat();
        assert_eq!(parse(&packet, 8), Err(HeaderError::NoVersions));
    }
}

#[test]
fn ids_that_have_no_encoding_are_not_written() {
    let mut memory = [0; 1200];
    let mut writer = Writer::new(&mut memory);
    let written = write_version_negotiation(&mut writer, 0, &[0; 256], &[], &[1]);
    assert_eq!((written, writer.length()), (Err(Full), 0));
}

/// RFC 9001 Appendix A.2 and A.3: the unprotected headers of the sample Initials.
#[test]
fn initials_are_written_as_in_rfc_9001_appendix_a() {
    let client = ConnectionId::new(&[0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08]).unwrap();
    let parts = LongHeaderParts {
        ty: LongType::Initial,
        version: VERSION_1,
        destination_id: client,
        source_id: ConnectionId::EMPTY,
        token: &[],
    };
    let packet = long_packet(&parts, 2, PacketNumberLength::from_first_byte(3), 1178);
    assert_eq!(
        packet[..22],
        *b"\xc3\0\0\0\x01\x08\x83\x94\xc8\xf0\x3e\x51\x57\x08\0\0\x44\x9e\0\0\0\x02"
    );
}

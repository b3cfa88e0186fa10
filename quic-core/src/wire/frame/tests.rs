use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{
    AckFrequency, ConnectionClose, Crypto, Datagram, EcnCounts, Frame, FrameError, FrameType,
    Frames, MaxStreamData, MaxStreams, NewConnectionId, NewToken, PacketType, PathChallenge,
    PathResponse, ResetStream, ResetStreamAt, RetireConnectionId, StopSending, Stream,
    StreamDataBlocked, StreamHeader, StreamLength, StreamsBlocked, stream_overhead, write_ack,
};
use crate::wire::strategies::{connection_id, integer, packet_numbers};
use crate::wire::{
    ConnectionId, Direction, RangeSet, StatelessResetToken, StreamId, VarInt, Writer,
};

const MAXIMUM: u64 = (1 << 62) - 1;

fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut memory = vec![0; 4096];
    let mut writer = Writer::new(&mut memory);
    frame.encode(&mut writer).unwrap();
    writer.written().to_vec()
}

fn decoded(bytes: &[u8]) -> Vec<Result<Frame<'_>, FrameError>> {
    Frames::new(bytes).collect()
}

/// One frame of every type but ACK, made of the given values.
fn frames_of(numbers: [u64; 3], data: &[u8], eight: [u8; 8], id: ConnectionId) -> Vec<Frame<'_>> {
    let [first, second, third] = numbers;
    let stream_id = StreamId::from_wire(first);
    let error_code = VarInt::saturating(second);
    let offset = second.min(MAXIMUM - data.len() as u64);
    let direction =
        if third & 1 == 0 { Direction::Bidirectional } else { Direction::Unidirectional };
    let streams = third >> 2;
    let close = |frame_type| {
        Frame::ConnectionClose(ConnectionClose { error_code: first, frame_type, reason: data })
    };
    let mut frames = vec![
        Frame::Padding,
        Frame::Ping,
        Frame::ResetStream(ResetStream { stream_id, error_code, final_size: third }),
        Frame::StopSending(StopSending { stream_id, error_code }),
        Frame::Crypto(Crypto { offset, data }),
        Frame::Stream(Stream { stream_id, offset, fin: third & 1 == 0, data }),
        Frame::MaxData(first),
        Frame::MaxStreamData(MaxStreamData { stream_id, maximum: second }),
        Frame::MaxStreams(MaxStreams { direction, maximum: streams }),
        Frame::DataBlocked(first),
        Frame::StreamDataBlocked(StreamDataBlocked { stream_id, limit: second }),
        Frame::StreamsBlocked(StreamsBlocked { direction, limit: streams }),
        Frame::RetireConnectionId(RetireConnectionId { sequence: first }),
        Frame::PathChallenge(PathChallenge(eight)),
        Frame::PathResponse(PathResponse(eight)),
        close(Some(FrameType(second))),
        close(None),
        Frame::HandshakeDone,
        Frame::ImmediateAck,
        Frame::ResetStreamAt(ResetStreamAt {
            stream_id,
            error_code,
            final_size: second.max(third),
            reliable_size: second.min(third),
        }),
        Frame::Datagram(Datagram { data, length_bytes: 1 + usize::from(data.len() >= 64) }),
        Frame::AckFrequency(AckFrequency {
            sequence: first,
            threshold: second,
            max_ack_delay: third,
            reordering_threshold: offset,
        }),
    ];
    if !data.is_empty() {
        frames.push(Frame::NewToken(NewToken(data)));
    }
    if !id.is_empty() {
        frames.push(Frame::NewConnectionId(NewConnectionId {
            sequence: first.max(second),
            retire_prior_to: first.min(second),
            id,
            reset_token: StatelessResetToken::new([eight[0]; 16]),
        }));
    }
    frames
}

proptest! {
    #[test]
    fn every_frame_survives_its_encoding_and_is_told_apart_from_its_pieces(
        numbers in [integer(), integer(), integer()],
        data in vec(any::<u8>(), 0..80),
        eight in any::<[u8; 8]>(),
        id in connection_id(),
    ) {
        for frame in frames_of(numbers, &data, eight, id) {
            let bytes = encoded(&frame);
            prop_assert_eq!(decoded(&bytes), vec![Ok(frame.clone())]);
            for end in 1..bytes.len() {
                let is_malformed =
                    matches!(decoded(&bytes[..end])[..], [Err(FrameError::Malformed { .. })]);
                prop_assert!(is_malformed, "{:?} cut off after {} bytes", frame, end);
            }
        }
    }

    #[test]
    fn a_packet_of_all_frames_is_read_in_order(
        numbers in [integer(), integer(), integer()],
        data in vec(any::<u8>(), 0..80),
        eight in any::<[u8; 8]>(),
        id in connection_id(),
    ) {
        let frames = frames_of(numbers, &data, eight, id);
        let bytes: Vec<u8> = frames.iter().flat_map(encoded).collect();
        let expected: Vec<_> = frames.into_iter().map(Ok).collect();
        prop_assert_eq!(decoded(&bytes), expected);
    }

    //= https://www.rfc-editor.org/rfc/rfc9000#section-19.3
    //= type=test
    //# QUIC implementations MUST properly handle both types, and, if they have
    //# enabled ECN for packets they send, they SHOULD use the information in
    //# the ECN section to manage their congestion state.
    #[test]
    fn acknowledgments_survive_their_encoding(
        numbers in packet_numbers(),
        delay in integer(),
        counts in any::<Option<[u32; 3]>>(),
    ) {
        let ecn = counts.map(|[ect0, ect1, ce]| {
            EcnCounts { ect0: ect0.into(), ect1: ect1.into(), ce: ce.into() }
        });
        let mut memory = [0; 4096];
        let mut writer = Writer::new(&mut memory);
        write_ack(&mut writer, &numbers, delay, ecn).unwrap();
        let frames = decoded(writer.written());
        let [Ok(Frame::Ack(ack))] = &frames[..] else { panic!("{frames:?}") };
        prop_assert_eq!((ack.encoded_delay, ack.ecn), (delay, ecn));
        let ranges: Vec<_> = ack.ranges().map(|range| *range.start()..range.end() + 1).collect();
        prop_assert_eq!(ranges, numbers.iter().rev().collect::<Vec<_>>());
        for end in 1..writer.length() {
            let is_malformed = matches!(
                decoded(&writer.written()[..end])[..],
                [Err(FrameError::Malformed { .. })]
            );
            prop_assert!(is_malformed, "cut off after {} bytes", end);
        }
    }

    #[test]
    fn an_acknowledgment_takes_the_newest_ranges_that_fit(
        numbers in packet_numbers(),
        delay in integer(),
        room in 0_usize..400,
    ) {
        let mut memory = [0; 400];
        let mut writer = Writer::new(&mut memory[..room]);
        if write_ack(&mut writer, &numbers, delay, None).is_err() {
                prop_assert_eq!(writer.length(), 0);
                let mut newest = RangeSet::default();
                newest.insert(numbers.iter().next_back().unwrap());
                let mut enough = [0; 400];
                let mut alone = Writer::new(&mut enough);
                write_ack(&mut alone, &newest, delay, None).unwrap();
                prop_assert!(alone.length() > room, "the newest range alone would have fit");
        } else {
                let frames = decoded(writer.written());
                let [Ok(Frame::Ack(ack))] = &frames[..] else { panic!("{frames:?}") };
                let count = ack.ranges().count();
                let ranges = ack.ranges().map(|range| *range.start()..range.end() + 1);
                prop_assert!(ranges.eq(numbers.iter().rev().take(count)));
                // Gap and length of these numbers take at most two bytes each, the count one more.
                let is_full = count == numbers.len() || writer.remaining() < 2 + 2 + 1;
                prop_assert!(is_full, "{} ranges, {} bytes left", count, writer.remaining());
        }
    }

    #[test]
    fn random_bytes_are_read_to_the_end_or_the_first_error(payload in vec(any::<u8>(), 0..300)) {
        let mut frames = Frames::new(&payload);
        let mut remaining = payload.len();
        while let Some(frame) = frames.next() {
            if frame.is_err() {
                prop_assert!(frames.next().is_none());
                return Ok(());
            }
            prop_assert!(frames.reader.remaining() < remaining, "a frame takes at least a byte");
            remaining = frames.reader.remaining();
        }
        prop_assert_eq!(remaining, 0);
    }

    #[test]
    fn the_overhead_of_stream_data_is_what_its_header_takes(
        id in integer(),
        offset in integer(),
        data_length in integer(),
        has_length in any::<bool>(),
    ) {
        let length = if has_length { StreamLength::Explicit } else { StreamLength::ToTheEnd };
        let stream_id = StreamId::from_wire(id);
        let header = StreamHeader { stream_id, offset, data_length, fin: false, length };
        let mut memory = [0; 40];
        let mut writer = Writer::new(&mut memory);
        header.encode(&mut writer).unwrap();
        prop_assert_eq!(writer.length(), stream_overhead(stream_id, offset, data_length, length));
    }
}

#[track_caller]
fn check_malformed(bytes: &[u8], expected: &'static str) {
    match decoded(bytes)[..] {
        [Err(FrameError::Malformed { frame_type, reason })] => {
            assert_eq!(reason, expected);
            assert_eq!(frame_type, FrameType(bytes[0].into()));
        }
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_stream_frame_without_length_runs_to_the_end() {
    let expected = Stream { stream_id: StreamId::from_wire(4), offset: 5, fin: true, data: b"end" };
    assert_eq!(decoded(b"\x0d\x04\x05end"), [Ok(Frame::Stream(expected))]);
}

#[test]
fn a_datagram_without_length_runs_to_the_end() {
    let expected = Datagram { data: b"end", length_bytes: 0 };
    assert_eq!(decoded(b"\x30end"), [Ok(Frame::Datagram(expected))]);
    assert_eq!(expected.size(), 4);
    let overlong = Datagram { data: b"end", length_bytes: 4 };
    assert_eq!(decoded(b"\x31\x80\x00\x00\x03end"), [Ok(Frame::Datagram(overlong))]);
    assert_eq!(overlong.size(), 8);
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-4.1
//= type=test
//# A receiver is REQUIRED to be able to
//# distinguish an in-band data block from any added padding.
#[test]
fn a_run_of_padding_is_one_frame() {
    for length in [1, 15, 16, 17, 32, 1000] {
        let mut payload = vec![0; length];
        payload.push(1);
        assert_eq!(decoded(&payload), [Ok(Frame::Padding), Ok(Frame::Ping)], "{length}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-4.6
//= type=test
//# If either is received, the connection MUST be closed immediately with a
//# connection error of type TRANSPORT_PARAMETER_ERROR if the offending
//# value was received in a transport parameter or of type
//# FRAME_ENCODING_ERROR if it was received in a frame; see Section 10.2.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.3.1
//= type=test
//# If any computed packet number is negative, an endpoint MUST generate a
//# connection error of type FRAME_ENCODING_ERROR.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.7
//= type=test
//# A client MUST treat receipt of a NEW_TOKEN frame with an empty Token
//# field as a connection error of type FRAME_ENCODING_ERROR.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.8
//= type=test
//# Receipt of a frame that exceeds this limit MUST be treated as a
//# connection error of type FRAME_ENCODING_ERROR or FLOW_CONTROL_ERROR.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.6
//= type=test
//# Receipt of a frame that exceeds this limit MUST be treated as a
//# connection error of type FRAME_ENCODING_ERROR or CRYPTO_BUFFER_EXCEEDED.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.11
//= type=test
//# Receipt of a frame that permits opening of a stream larger than this
//# limit MUST be treated as a connection error of type
//# FRAME_ENCODING_ERROR.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.14
//= type=test
//# Receipt of a frame that encodes a larger stream ID MUST be treated as a
//# connection error of type STREAM_LIMIT_ERROR or FRAME_ENCODING_ERROR.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.15
//= type=test
//# Values less than 1 and greater than 20 are invalid and MUST be treated
//# as a connection error of type FRAME_ENCODING_ERROR.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.15
//= type=test
//# Receiving a value in the Retire Prior To field that is greater than that
//# in the Sequence Number field MUST be treated as a connection error of
//# type FRAME_ENCODING_ERROR.
//= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-4
//= type=test
//# If the Reliable Size is larger than the Final Size, the receiver MUST
//# close the connection with a connection error of type
//# FRAME_ENCODING_ERROR.
#[test]
fn values_that_a_frame_may_not_have_are_malformed() {
    let below_zero = "ACK range below packet 0";
    check_malformed(&[0x02, 3, 0, 0, 4], below_zero);
    check_malformed(&[0x02, 9, 0, 1, 2, 6, 0], below_zero);
    check_malformed(&[0x02, 9, 0, 1, 2, 3, 3], below_zero);
    check_malformed(&[0x07, 0], "token is empty");
    check_malformed(&[0x18, 1, 2, 1, 0], "Retire Prior To is above Sequence Number");
    check_malformed(&[0x18, 2, 1, 0, 0], "connection ID is empty");
    check_malformed(&[[0x18, 2, 1, 21].as_slice(), &[0; 60]].concat(), {
        "connection ID is longer than 20 bytes"
    });
    let beyond_2_to_the_60 = 0xd000_0000_0000_0001_u64.to_be_bytes();
    for ty in [0x12, 0x13, 0x16, 0x17] {
        check_malformed(&[&[ty], &beyond_2_to_the_60[..]].concat(), "more than 2^60 streams");
    }
    check_malformed(&[0x24, 0, 0, 1, 2], "Reliable Size is above Final Size");
    let last = u64::MAX.to_be_bytes();
    check_malformed(&[&[0x0e, 0], &last[..], &[1, 7]].concat(), {
        "stream data ends at 2^62 or beyond"
    });
    check_malformed(&[&[0x06], &last[..], &[1, 7]].concat(), "CRYPTO data ends at 2^62 or beyond");
}

#[test]
fn data_may_end_at_the_very_last_offset() {
    let last = u64::MAX.to_be_bytes();
    assert!(decoded(&[&[0x0e, 0], &last[..], &[0]].concat())[0].is_ok());
    assert!(decoded(&[&[0x06], &last[..], &[0]].concat())[0].is_ok());
}

#[test]
fn an_absurd_number_of_acknowledged_ranges_is_cut_off() {
    let absurd = u64::MAX.to_be_bytes();
    let frame = [&[0x02, 63, 0], &absurd[..], &[0], &[0; 60]].concat();
    check_malformed(&frame, "frame is cut off");
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-12.4
//= type=test
//# To ensure simple and efficient implementations of frame parsing, a frame
//# type MUST use the shortest possible encoding.
#[test]
fn a_type_that_is_unknown_or_longer_than_needed_is_named() {
    assert_eq!(decoded(&[0x3f]), [Err(FrameError::UnknownType(FrameType(0x3f)))]);
    assert_eq!(decoded(&[0x40, 0x42]), [Err(FrameError::UnknownType(FrameType(0x42)))]);
    assert_eq!(decoded(&[0x40, 0x01]), [Err(FrameError::OverlongType(FrameType::PING))]);
    assert_eq!(decoded(&[0x80, 0, 0, 0]), [Err(FrameError::OverlongType(FrameType::PADDING))]);
    assert!(matches!(decoded(&[0x40])[..], [Err(FrameError::Malformed { .. })]));
}

#[test]
fn a_reason_that_does_not_fit_is_shortened() {
    let reason = [b'x'; 100];
    let close = ConnectionClose { error_code: 1, frame_type: None, reason: &reason };
    let mut memory = [0; 50];
    let mut writer = Writer::new(&mut memory);
    close.encode(&mut writer).unwrap();
    let frames = decoded(writer.written());
    let [Ok(Frame::ConnectionClose(read))] = &frames[..] else { panic!("{frames:?}") };
    assert!(read.reason.len() >= 45 && reason.starts_with(read.reason));
}

/// RFC 9000 §12.4, Table 3, by type: in which of Initial, 0-RTT, Handshake and 1-RTT packets.
/// Types 0x19 and 0x1b are as in §12.5, which forbids in 0-RTT packets what none can have reason
/// to contain.
const TABLE_3: [&str; 0x1f] = [
    "I0H1", // PADDING
    "I0H1", // PING
    "I_H1", // ACK
    "I_H1", // ACK with ECN counts
    "_0_1", // RESET_STREAM
    "_0_1", // STOP_SENDING
    "I_H1", // CRYPTO
    "___1", // NEW_TOKEN
    "_0_1", "_0_1", "_0_1", "_0_1", "_0_1", "_0_1", "_0_1", "_0_1", // STREAM
    "_0_1", // MAX_DATA
    "_0_1", // MAX_STREAM_DATA
    "_0_1", "_0_1", // MAX_STREAMS
    "_0_1", // DATA_BLOCKED
    "_0_1", // STREAM_DATA_BLOCKED
    "_0_1", "_0_1", // STREAMS_BLOCKED
    "_0_1", // NEW_CONNECTION_ID
    "___1", // RETIRE_CONNECTION_ID
    "_0_1", // PATH_CHALLENGE
    "___1", // PATH_RESPONSE
    "I0H1", // CONNECTION_CLOSE of the transport
    "_0_1", // CONNECTION_CLOSE of the application
    "___1", // HANDSHAKE_DONE
];

/// The same for frames of extensions.
const EXTENSIONS: [(u64, &str); 5] = [
    (0x1f, "___1"), // IMMEDIATE_ACK
    (0x24, "_0_1"), // RESET_STREAM_AT
    (0x30, "_0_1"), // DATAGRAM
    (0x31, "_0_1"), // DATAGRAM with length
    (0xaf, "___1"), // ACK_FREQUENCY
];

#[test]
fn frames_are_permitted_where_table_3_says() {
    let packets =
        [PacketType::Initial, PacketType::ZeroRtt, PacketType::Handshake, PacketType::OneRtt];
    for (ty, row) in (0..).zip(TABLE_3) {
        for (packet, mark) in packets.into_iter().zip(row.chars()) {
            let permitted = FrameType(ty).is_permitted_in(packet);
            assert_eq!(permitted, mark != '_', "type {ty:#x} in {packet:?}");
        }
    }
    for (ty, row) in EXTENSIONS {
        for (packet, mark) in packets.into_iter().zip(row.chars()) {
            let permitted = FrameType(ty).is_permitted_in(packet);
            assert_eq!(permitted, mark != '_', "type {ty:#x} in {packet:?}");
        }
    }
    for packet in packets {
        assert!(!FrameType(0x3f).is_permitted_in(packet));
    }
}

#[test]
fn stream_frames_are_read_by_themselves_as_among_all_others() {
    let payload = [0x01, 0x0b, 0x04, 0x02, 7, 8, 0x0c, 0x08, 0x09, 9, 9];
    let mut frames = Frames::new(&payload);
    assert_eq!(frames.next_stream(), None, "it is a PING");
    assert_eq!(frames.next(), Some(Ok(Frame::Ping)));
    let mut all = Frames::new(&payload[1..]);
    for _ in 0..2 {
        let Some(Ok(Frame::Stream(expected))) = all.next() else { panic!("it is a STREAM frame") };
        assert_eq!(frames.next_stream(), Some(Ok(expected)));
    }
    assert_eq!((frames.next_stream(), frames.next()), (None, None));
    let mut cut = Frames::new(&[0x0a, 0x04, 0x09, 7]);
    let mut same = cut.clone();
    assert_eq!(cut.next_stream().map(|it| it.map(Frame::Stream)), same.next());
    assert_eq!((cut.next_stream(), cut.remaining()), (None, 0));
}

//! Entry points for fuzzers: any bytes go in, and a broken promise panics.

mod buffers;
mod congestion;
mod flow_control;
mod input;
mod loss;
mod parameters;
mod received_packets;
mod stateless_reset;
mod streams;
mod timers;
mod tokens;

use std::collections::BTreeSet;

use arbitrary::{Arbitrary as _, Unstructured};

pub use buffers::{reassembler, send_buffer};
pub use congestion::congestion;
pub use flow_control::flow_control;
pub use loss::loss_detection;
pub use parameters::{client_parameters, server_parameters};
pub use received_packets::received_packets;
pub use stateless_reset::stateless_reset;
pub use streams::streams_frames;
pub use timers::timers;
pub use tokens::{new_token, retry_token};

use crate::recorder::Payload;
use crate::wire::frame::{Frame, FrameError, Frames};
use crate::wire::header::{
    Header, LongHeader, LongHeaderParts, LongType, destination_id, parse, patch_length,
    read_truncated_number, write_long_header,
};
use crate::wire::{
    ConnectionId, PacketNumberLength, RangeSet, Reader, Writer, expand_packet_number, varint_length,
};

/// Reads the headers of all packets of a datagram. The first byte selects how long the connection
/// IDs of short headers are.
///
/// # Panics
/// If routing and parsing disagree, a packet lies outside of its datagram, or what was read is not
/// read again after it was written.
pub fn packet_header(input: &[u8]) {
    let Some((selector, mut rest)) = input.split_first() else { return };
    let id_length = usize::from(*selector) % (ConnectionId::MAXIMUM_LENGTH + 1);
    loop {
        let id = destination_id(rest, id_length);
        let header = match parse(rest, id_length) {
            Ok(Header::Long(header)) => header,
            Ok(Header::Short(header)) => {
                assert_eq!(id, Some(header.destination_id), "routed as parsed");
                assert!(header.number_offset <= rest.len(), "number within the datagram");
                return;
            }
            Ok(Header::Retry(header)) => {
                assert_eq!(id, Some(header.destination_id), "routed as parsed");
                assert!(!header.token.is_empty(), "a Retry has a token");
                return;
            }
            Ok(Header::VersionNegotiation(header)) => {
                assert_eq!(id, ConnectionId::new(header.destination_id), "routed as parsed");
                assert!(header.versions.count() > 0, "versions are listed");
                return;
            }
            Ok(Header::UnknownVersion(header)) => {
                assert_eq!(id, ConnectionId::new(header.destination_id), "routed as parsed");
                return;
            }
            Err(_) => return,
        };
        assert_eq!(id, Some(header.destination_id), "routed as parsed");
        assert!(header.number_offset <= header.packet_length, "number within the packet");
        long_header_is_written_as_read(&header);
        let Some(next) = rest.get(header.packet_length..) else {
            unreachable!("the packet is longer than its datagram")
        };
        rest = next;
    }
}

fn long_header_is_written_as_read(header: &LongHeader<'_>) {
    let parts = LongHeaderParts {
        ty: header.ty,
        version: header.version,
        destination_id: header.destination_id,
        source_id: header.source_id,
        token: header.token,
    };
    let mut memory = vec![0; header.token.len() + 100];
    let mut writer = Writer::new(&mut memory);
    let length = PacketNumberLength::from_first_byte(1);
    let Ok(field) = write_long_header(&mut writer, &parts, 0x1234, length) else {
        unreachable!("there is room for the header")
    };
    let end = writer.length();
    memory.truncate(end);
    patch_length(&mut memory, field, length.bytes());
    let Ok(Header::Long(again)) = parse(&memory, 0) else {
        unreachable!("what was written is a long header")
    };
    assert_eq!((again.ty, again.token), (header.ty, header.token), "type and token are kept");
    assert!(again.ty == LongType::Initial || again.token.is_empty(), "tokens are for Initials");
    assert_eq!(again.destination_id, header.destination_id, "destination is kept");
    assert_eq!(again.source_id, header.source_id, "source is kept");
    assert_eq!(again.packet_length, end, "the length is patched in");
    let number = memory.get(again.number_offset..).unwrap_or_default();
    assert_eq!(read_truncated_number(number), 0x1234, "the number is kept");
}

/// Reads the frames of a packet's payload.
///
/// # Panics
/// If a frame is read differently after it was written again, reading does not end, or what is
/// told of a frame cannot be shown.
pub fn frames(payload: &[u8]) {
    // The shortest encoding is never longer, but for a STREAM frame that had no length.
    let mut memory = vec![0; payload.len() + 16];
    let told = Payload::new(payload, 20).frames().map(|record| format!("{record:?}")).count();
    let read = Frames::new(payload).take_while(Result::is_ok).count();
    assert_eq!(told, read, "a recorder is told of each frame that can be read");
    let mut frames = Frames::new(payload);
    loop {
        let before = frames.remaining();
        let ty = frames.next_type();
        let Some(frame) = frames.next() else {
            assert_eq!(before, 0, "all of it is read");
            return;
        };
        let Ok(frame) = frame else {
            assert_eq!(frames.remaining(), 0, "nothing is read behind what is no frame");
            return;
        };
        let taken = before - frames.remaining();
        assert!(taken > 0, "a frame takes at least a byte");
        is_of_type(&frame, ty.0);
        assert!(!format!("{frame:?}").is_empty(), "any frame can be shown");
        let mut writer = Writer::new(&mut memory);
        assert_eq!(frame.encode(&mut writer), Ok(()), "{frame:?} fits where it came from");
        is_read_again(&frame, writer.written());
    }
}

fn is_of_type(frame: &Frame<'_>, ty: u64) {
    let is_stream = (0x08..0x10).contains(&ty);
    assert_eq!(frame.frame_type().0, if is_stream { 0x08 } else { ty }, "as its type says");
}

fn is_read_again(frame: &Frame<'_>, bytes: &[u8]) {
    let again: Vec<Result<Frame<'_>, FrameError>> = Frames::new(bytes).collect();
    assert_eq!(again, [Ok(frame.clone())], "what was written is read");
}

/// Writes frames of all types, one after the other.
///
/// # Panics
/// If they are not read as they were written, or are cut off and read all the same.
pub fn frame_sequence(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let mut memory = vec![0; 1 << 16];
    let mut writer = Writer::new(&mut memory);
    let mut frames = Vec::new();
    let mut ends = Vec::new();
    while !input.is_empty() {
        let Ok(frame) = Frame::arbitrary(&mut input) else { break };
        // Two runs of PADDING are one.
        if frame == Frame::Padding && frames.last() == Some(&Frame::Padding) {
            continue;
        }
        if frame.encode(&mut writer).is_err() {
            break;
        }
        ends.push(writer.length());
        frames.push(frame);
    }
    let end = ends.last().copied().unwrap_or(0);
    let written = writer.written().get(..end).unwrap_or_default();
    let again: Result<Vec<Frame<'_>>, FrameError> = Frames::new(written).collect();
    assert_eq!(again.as_ref(), Ok(&frames), "what was written is read");
    let before = ends.iter().rev().nth(1).copied().unwrap_or(0);
    for cut in before + 1..end {
        let cut_off = Frames::new(written.get(before..cut).unwrap_or_default()).last();
        assert!(matches!(cut_off, Some(Err(_))), "{cut_off:?} was cut off at {cut}");
    }
}

/// Reads a variable-length integer.
///
/// # Panics
/// If it is read differently after it was written again, or not written in its shortest form.
pub fn varint(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let Ok(value) = reader.varint() else {
        assert_eq!(reader.remaining(), bytes.len(), "a failed read takes nothing");
        return;
    };
    let taken = bytes.len() - reader.remaining();
    let mut memory = [0; 8];
    let mut writer = Writer::new(&mut memory);
    assert_eq!(writer.varint(value), Ok(()), "eight bytes hold any integer");
    assert_eq!(writer.length(), varint_length(value), "as long as foretold");
    assert!(writer.length() <= taken, "the shortest encoding");
    assert_eq!(Reader::new(writer.written()).varint(), Ok(value), "what was written is read");
}

/// Expands a truncated packet number: one byte of length, eight of the largest number so far, four
/// of the truncated number.
///
/// # Panics
/// If the number is beyond the largest possible, does not end in the given bytes, or is not the
/// nearest such number to the one expected.
pub fn packet_number(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let (Ok(length), Ok(largest), Ok(truncated)) =
        (reader.u8(), reader.array().map(u64::from_be_bytes), reader.u32())
    else {
        return;
    };
    let length = PacketNumberLength::from_first_byte(length);
    let largest = largest >> 2;
    let window = 1_u64 << (8 * length.bytes());
    let number = expand_packet_number(Some(largest), truncated, length);
    assert!(number < 1 << 62, "packet numbers are below 2^62");
    assert_eq!(number % window, u64::from(truncated) % window, "the low bytes are kept");
    let distance = number.abs_diff(largest + 1);
    let at_an_end = number < window || number + window >= 1 << 62;
    assert!(distance <= window / 2 || at_an_end, "no other number is nearer");
}

/// Adds and takes ranges, each given by three bytes: what to do, where from, how many.
///
/// # Panics
/// If the set does not hold what a set of single numbers holds.
pub fn range_set(operations: &[u8]) {
    let mut set = RangeSet::default();
    let mut model = BTreeSet::new();
    let (operations, _) = operations.as_chunks::<3>();
    for [operation, start, length] in operations {
        let start = u64::from(*start);
        let range = start..start + u64::from(length % 32);
        match operation % 4 {
            0..2 => {
                let added = range.clone().filter(|number| model.insert(*number)).count();
                assert_eq!(set.insert(range), added as u64, "new numbers are counted");
            }
            2 => {
                model.retain(|number| !range.contains(number));
                set.remove(range);
            }
            _ => {
                let first = set.pop_first().unwrap_or_default();
                assert_eq!(model.first().copied().unwrap_or(0), first.start, "the lowest range");
                model.retain(|number| !first.contains(number));
            }
        }
        assert!(set.iter().flatten().eq(model.iter().copied()), "the same numbers");
        let apart = set.iter().zip(set.iter().skip(1)).all(|(low, high)| low.end < high.start);
        assert!(apart, "ranges that touch are one");
        assert_eq!(set.contains(start), model.contains(&start), "one number");
    }
}

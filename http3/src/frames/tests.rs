use bytes::Bytes;

use super::{FrameTooLong, Frames, MAX_FRAME, integer};

/// What is given out of chunks, piece by piece.
fn pieces(mut frames: Frames, chunks: &[&[u8]]) -> Result<Vec<Vec<u8>>, FrameTooLong> {
    let mut pieces = Vec::new();
    for chunk in chunks {
        let mut chunk = Bytes::copy_from_slice(chunk);
        while !chunk.is_empty() {
            pieces.push(frames.next(&mut chunk)?.to_vec());
        }
    }
    Ok(pieces)
}

#[track_caller]
fn check(frames: Frames, chunks: &[&[u8]], expected: &[&[u8]]) {
    assert_eq!(pieces(frames, chunks).unwrap(), expected);
}

/// The beginning of a frame whose length takes eight bytes.
fn long(kind: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend((length | 0b11 << 62).to_be_bytes());
    bytes
}

#[test]
fn frames_are_cut_at_their_borders() {
    let stream = [1, 2, 7, 8, 0, 1, 9, 0, 0, 0x21, 1, 5];
    check(
        Frames::both_ways(),
        &[&stream],
        &[&[1, 2], &[7, 8], &[0, 1], &[9], &[0, 0], &[0x21, 1], &[5]],
    );
}

#[test]
fn borders_are_found_wherever_chunks_end() {
    let header = [0x40, 0x01, 0x40, 0x03];
    let stream = [&header[..], &[7, 8, 9], &header, &[7, 8, 9]].concat();
    for first in 0..stream.len() {
        for second in first..stream.len() {
            let chunks = [&stream[..first], &stream[first..second], &stream[second..]];
            let pieces = pieces(Frames::both_ways(), &chunks).unwrap();
            assert_eq!(pieces.concat(), stream);
            // No piece reaches over a border.
            let mut at = 0;
            for piece in pieces {
                let end = at + piece.len();
                assert!(![4, 7, 11].iter().any(|border| at < *border && *border < end), "{at}");
                at = end;
            }
        }
    }
}

#[test]
fn only_data_may_be_longer_than_what_is_held() {
    for kind in [0x01, 0x04, 0x21] {
        let longest = long(kind, MAX_FRAME);
        check(Frames::both_ways(), &[&longest], &[&longest]);
        let longer = pieces(Frames::both_ways(), &[&long(kind, MAX_FRAME + 1)]);
        assert_eq!(longer, Err(FrameTooLong(MAX_FRAME + 1)));
    }
    let data = long(0, u64::MAX >> 2);
    check(Frames::both_ways(), &[&data, b"abc"], &[&data, b"abc"]);
}

#[test]
fn only_control_streams_have_frames_one_way() {
    check(Frames::one_way(), &[&[0, 4, 0, 7, 1, 9]], &[&[0], &[4, 0], &[7, 1], &[9]]);
    let too_long = [&[0][..], &long(4, 1 << 40)].concat();
    assert_eq!(pieces(Frames::one_way(), &[&too_long]), Err(FrameTooLong(1 << 40)));
    for kind in [0x01, 0x02, 0x03, 0x21, 0x34] {
        let rest = [&[4][..], &long(4, 1 << 40)].concat();
        let stream = [&[kind][..], &rest].concat();
        check(Frames::one_way(), &[&stream], &[&[kind], &rest]);
    }
}

#[test]
fn webtransport_has_no_frames() {
    let stream = [&[0x40, 0x41, 0][..], &long(1, 1 << 40)].concat();
    assert_eq!(pieces(Frames::both_ways(), &[&stream]).unwrap().concat(), stream);
    check(Frames::none(), &[&long(1, 1 << 40)], &[&long(1, 1 << 40)]);
}

#[test]
fn integers_have_the_lengths_of_their_first_two_bits() {
    assert_eq!(integer(&[0x25, 1]), Some((37, &[1][..])));
    assert_eq!(integer(&[0x7b, 0xbd]), Some((15_293, &[][..])));
    assert_eq!(integer(&[0x9d, 0x7f, 0x3e, 0x7d]), Some((494_878_333, &[][..])));
    let longest = [0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c];
    assert_eq!(integer(&longest), Some((151_288_809_941_952_652, &[][..])));
    assert_eq!(integer(&longest[..7]), None);
    assert_eq!(integer(&[]), None);
}

use quic_core::wire::frame::{Frame, Frames};

use super::{Payload, made_id, made_token, varint};

fn frames(payload: &[u8]) -> Vec<Frame<'_>> {
    Frames::new(payload).map(|frame| frame.ok()).collect::<Option<_>>().unwrap_or_default()
}

#[test]
fn honest_frames_are_read_as_they_were_meant() {
    let payload = Payload::ping()
        .stream(4, 7, b"data", true)
        .crypto(9, b"hello")
        .new_connection_id(3, 1)
        .ack(20, 5);
    let bytes = Vec::from(payload);
    let frames = frames(&bytes);
    let [
        Frame::Ping,
        Frame::Stream(stream),
        Frame::Crypto(crypto),
        Frame::NewConnectionId(id),
        Frame::Ack(ack),
    ] = &frames[..]
    else {
        panic!("{frames:?}")
    };
    assert_eq!((stream.stream_id.value(), stream.offset, stream.fin), (4, 7, true));
    assert_eq!((stream.data, crypto.offset, crypto.data), (&b"data"[..], 9, &b"hello"[..]));
    assert_eq!((id.sequence, id.retire_prior_to, id.id.as_slice()), (3, 1, &made_id(3)[..]));
    assert_eq!(id.reset_token.as_bytes(), &made_token(3));
    assert_eq!(ack.ranges().collect::<Vec<_>>(), [15..=20]);
}

#[test]
fn a_frame_that_was_read_is_written_again() {
    let bytes = Vec::from(Payload::new().stream(4, 7, b"data", true));
    let again = frames(&bytes).iter().fold(Payload::new(), |payload, frame| payload.frame(frame));
    assert_eq!(Vec::from(again), bytes);
}

#[test]
fn numbers_take_as_few_bytes_as_they_can_or_eight() {
    assert_eq!(varint(63), [63]);
    assert_eq!(varint(64), [0x40, 64]);
    assert_eq!(varint(1 << 30), [0xc0, 0, 0, 0, 0x40, 0, 0, 0]);
    assert_eq!(Vec::from(Payload::new().long_number(1)), [0xc0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(Payload::new().prefixed(b"abc").length(), 4);
}

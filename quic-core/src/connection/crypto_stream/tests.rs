use proptest::prelude::*;

use super::*;

fn frame(offset: u64, data: &[u8]) -> Crypto<'_> {
    Crypto { offset, data }
}

/// What the frames make of the stream, in order.
fn read_all(stream: &mut CryptoStream, frames: &[Crypto<'_>]) -> Vec<u8> {
    let mut read = Vec::new();
    for frame in frames {
        let append = |data: &[u8]| {
            read.extend_from_slice(data);
            Ok(())
        };
        stream.handle_crypto(*frame, 1 << 14, append).unwrap();
    }
    read
}

#[test]
fn bytes_in_order_need_no_buffer() {
    let mut stream = CryptoStream::default();
    let frames = [frame(0, b"client"), frame(3, b"ent "), frame(7, b"hello"), frame(0, b"cl")];
    assert_eq!(read_all(&mut stream, &frames), b"client hello");
    assert!(stream.received.early.is_none());
}

#[test]
fn the_buffer_is_gone_once_the_gap_is_filled() {
    let mut stream = CryptoStream::default();
    assert_eq!(read_all(&mut stream, &[frame(0, b"ab"), frame(4, b"ef")]), b"ab");
    assert!(stream.received.early.is_some());
    assert_eq!(read_all(&mut stream, &[frame(1, b"bcd")]), b"cdef");
    assert!(stream.received.early.is_none());
    assert_eq!(read_all(&mut stream, &[frame(6, b"g")]), b"g");
}

#[test]
fn what_is_too_far_ahead_closes_the_connection() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-7.5
    //= type=test
    //# If an endpoint does not expand its buffer, it MUST close the connection with a
    //# CRYPTO_BUFFER_EXCEEDED error code.
    let mut stream = CryptoStream::default();
    assert_eq!(read_all(&mut stream, &[frame(0, b"ab")]), b"ab");
    assert!(stream.handle_crypto(frame(9, b"c"), 8, |_| Ok(())).is_ok());
    let error = stream.handle_crypto(frame(10, b"d"), 8, |_| Ok(())).unwrap_err();
    assert_eq!(error.code, crate::error::TransportErrorCode::CRYPTO_BUFFER_EXCEEDED);
}

proptest! {
    #[test]
    fn frames_in_any_order_give_the_stream(
        mut cuts in prop::collection::vec((0usize..500, 1usize..200), 0..40),
        in_order in any::<bool>(),
    ) {
        let data: Vec<u8> = (0..=u8::MAX).cycle().take(500).collect();
        if in_order {
            cuts.sort_unstable();
        }
        cuts.extend([(0, 250), (250, 250)]);
        let frames: Vec<_> = cuts
            .iter()
            .map(|&(start, length)| frame(start as u64, &data[start..(start + length).min(500)]))
            .collect();
        let mut stream = CryptoStream::default();
        prop_assert_eq!(read_all(&mut stream, &frames), data);
        prop_assert!(stream.received.early.is_none());
    }
}

//! The receiving part of a stream.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use driver::{ClosedStream, Direction, Side};
use h3::error::Code;
use h3::quic::{self, StreamErrorIncoming, StreamId};

use crate::errors::{code, read_error, unknown};
use crate::frames::Frames;

/// The receiving part of a stream.
///
/// Dropped before everything was read, it is stopped: the response to a request of this end with
/// H3_REQUEST_CANCELLED, everything else with H3_NO_ERROR (RFC 9114 §4.1, §4.1.1).
#[derive(Debug)]
pub struct RecvStream {
    stream: driver::RecvStream,
    id: StreamId,
    /// What it is stopped with when it is dropped.
    unwanted: Code,
    frames: Frames,
    /// What was received and is not given out yet.
    received: Bytes,
}

impl RecvStream {
    pub(crate) fn new(stream: driver::RecvStream, id: StreamId, side: Side) -> Self {
        let opened = stream.id();
        let is_request =
            opened.direction() == Direction::Bidirectional && opened.initiator() == Side::Client;
        let is_response = is_request && side == Side::Client;
        let unwanted = if is_response { Code::H3_REQUEST_CANCELLED } else { Code::H3_NO_ERROR };
        // What this end opened as a server is WebTransport's, and comes back without frames.
        let frames = match opened.direction() {
            Direction::Unidirectional => Frames::one_way(),
            Direction::Bidirectional if opened.initiator() == side && side == Side::Server => {
                Frames::none()
            }
            Direction::Bidirectional => Frames::both_ways(),
        };
        Self { stream, id, unwanted, frames, received: Bytes::new() }
    }

    /// The stream is used without HTTP/3's frames.
    pub(crate) fn unframe(&mut self) {
        self.frames = Frames::none();
    }

    /// Whether any of the stream's data came in 0-RTT; see [`driver::RecvStream::is_0rtt`].
    pub fn is_0rtt(&self) -> bool {
        self.stream.is_0rtt()
    }
}

impl quic::RecvStream for RecvStream {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        if self.received.is_empty() {
            match ready!(self.stream.poll_read_chunk(cx, usize::MAX)) {
                Ok(Some(chunk)) => self.received = chunk,
                Ok(None) => return Poll::Ready(Ok(None)),
                Err(error) => return Poll::Ready(Err(read_error(error))),
            }
        }
        match self.frames.next(&mut self.received) {
            Ok(piece) => Poll::Ready(Ok(Some(piece))),
            Err(error) => {
                self.stop_sending(Code::H3_EXCESSIVE_LOAD.value());
                Poll::Ready(Err(unknown(error)))
            }
        }
    }

    fn stop_sending(&mut self, error_code: u64) {
        self.received.clear();
        // A stream that is over needs no stop.
        let _: Result<(), ClosedStream> = self.stream.stop(code(error_code));
    }

    fn recv_id(&self) -> StreamId {
        self.id
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        let _: Result<(), ClosedStream> = self.stream.stop(code(self.unwanted.value()));
    }
}

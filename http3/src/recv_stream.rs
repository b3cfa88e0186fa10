//! The receiving part of a stream.

use std::task::{Context, Poll};

use bytes::Bytes;
use driver::{ClosedStream, Direction, Side};
use h3::error::Code;
use h3::quic::{self, StreamErrorIncoming, StreamId};

use crate::errors::{code, read_error};

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
}

impl RecvStream {
    pub(crate) fn new(stream: driver::RecvStream, id: StreamId, side: Side) -> Self {
        let opened = stream.id();
        let is_request =
            opened.direction() == Direction::Bidirectional && opened.initiator() == Side::Client;
        let is_response = is_request && side == Side::Client;
        let unwanted = if is_response { Code::H3_REQUEST_CANCELLED } else { Code::H3_NO_ERROR };
        Self { stream, id, unwanted }
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
        self.stream.poll_read_chunk(cx, usize::MAX).map_err(read_error)
    }

    fn stop_sending(&mut self, error_code: u64) {
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

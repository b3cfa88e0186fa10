//! The connection, and how streams come of it.

use std::task::{Context, Poll, ready};

use bytes::Buf;
use driver::{PolledConnection, Side};
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId};

use crate::bidi_stream::BidiStream;
use crate::errors::{code, connection_error, lost};
use crate::recv_stream::RecvStream;
use crate::send_stream::SendStream;

/// A QUIC connection for `h3` to speak HTTP/3 on.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) opener: OpenStreams,
}

/// Opens streams of a connection.
#[derive(Clone, Debug)]
pub struct OpenStreams {
    pub(crate) connection: PolledConnection,
    side: Side,
}

impl Connection {
    /// The connection's streams and datagrams are all HTTP/3's from now on.
    pub fn new(connection: driver::Connection) -> Self {
        let side = connection.side();
        Self { opener: OpenStreams { connection: PolledConnection::new(connection), side } }
    }

    /// The handle beneath, which tells of addresses and statistics.
    pub fn handle(&self) -> &driver::Connection {
        self.opener.connection.connection()
    }
}

impl From<driver::Connection> for Connection {
    fn from(connection: driver::Connection) -> Self {
        Self::new(connection)
    }
}

impl OpenStreams {
    fn both<B>(
        &self,
        (send, recv): (driver::SendStream, driver::RecvStream),
    ) -> Result<BidiStream<B>, ConnectionErrorIncoming> {
        let id = stream_id(send.id())?;
        Ok(BidiStream::new(SendStream::new(send, id), RecvStream::new(recv, id, self.side)))
    }

    fn close(&self, error_code: Code, reason: &[u8]) {
        self.connection.connection().close(code(error_code.value()), reason);
    }
}

/// The ID as `h3` has it. There is one for every stream.
fn stream_id(id: driver::StreamId) -> Result<StreamId, ConnectionErrorIncoming> {
    let error = |_| ConnectionErrorIncoming::InternalError(format!("no ID for the stream {id}"));
    StreamId::try_from(id.value()).map_err(error)
}

impl<B: Buf> quic::Connection<B> for Connection {
    type RecvStream = RecvStream;
    type OpenStreams = OpenStreams;

    fn poll_accept_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RecvStream, ConnectionErrorIncoming>> {
        let accepted = ready!(self.opener.connection.poll_accept_uni(cx));
        let recv = accepted.map_err(connection_error)?;
        let id = stream_id(recv.id())?;
        Poll::Ready(Ok(RecvStream::new(recv, id, self.opener.side)))
    }

    fn poll_accept_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<BidiStream<B>, ConnectionErrorIncoming>> {
        let accepted = ready!(self.opener.connection.poll_accept_bi(cx));
        Poll::Ready(self.opener.both(accepted.map_err(connection_error)?))
    }

    fn opener(&self) -> OpenStreams {
        self.opener.clone()
    }
}

impl<B: Buf> quic::OpenStreams<B> for Connection {
    type BidiStream = BidiStream<B>;
    type SendStream = SendStream<B>;

    fn poll_open_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<BidiStream<B>, StreamErrorIncoming>> {
        self.opener.poll_open_bidi(cx)
    }

    fn poll_open_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<SendStream<B>, StreamErrorIncoming>> {
        self.opener.poll_open_send(cx)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        OpenStreams::close(&self.opener, code, reason);
    }
}

impl<B: Buf> quic::OpenStreams<B> for OpenStreams {
    type BidiStream = BidiStream<B>;
    type SendStream = SendStream<B>;

    fn poll_open_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<BidiStream<B>, StreamErrorIncoming>> {
        let streams = ready!(self.connection.poll_open_bi(cx)).map_err(lost)?;
        Poll::Ready(self.both(streams).map_err(|connection_error| {
            StreamErrorIncoming::ConnectionErrorIncoming { connection_error }
        }))
    }

    fn poll_open_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<SendStream<B>, StreamErrorIncoming>> {
        let send = ready!(self.connection.poll_open_uni(cx)).map_err(lost)?;
        let id = stream_id(send.id()).map_err(|connection_error| {
            StreamErrorIncoming::ConnectionErrorIncoming { connection_error }
        })?;
        Poll::Ready(Ok(SendStream::new(send, id)))
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        Self::close(self, code, reason);
    }
}

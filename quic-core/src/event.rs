//! What the application hears of. Events carry no data: they say where to look.

use crate::error::ConnectionError;
use crate::net::PathAddresses;
use crate::wire::{Direction, StreamId};

/// Names a connection, or an attempt at one, among all managers of a multiplexer.
///
/// Handles are never used again: one that is over stays over.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnectionHandle {
    pub(crate) manager: u16,
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// Something happened on a connection. Every event is edge-triggered.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The handshake is complete: the peer is who it claims to be (RFC 9001 §4.1.1).
    Connected,
    /// The handshake's results so far can be asked for (ALPN, server name).
    HandshakeDataReady,
    /// A client wants to connect; accept, refuse, retry or ignore it. After 10 s without an answer
    /// the attempt is dropped, and nothing more is heard of it.
    Incoming,
    /// The server did not take the early data (0-RTT). Nothing was lost: streams stand still until
    /// [`resend_early_data`](crate::Connection::resend_early_data) or
    /// [`discard_early_data`](crate::Connection::discard_early_data) says what becomes of what was
    /// written to them. The application protocol, and what it remembers of its last connection,
    /// may be another one now. [`Connected`](Self::Connected) follows.
    EarlyDataRejected,
    /// The connection is over. No further events follow. What had arrived before can still be
    /// accepted and read, unless this end closed, until `poll_event` returns `None`.
    Lost(ConnectionError),
    /// Something happened to datagrams.
    Datagram(DatagramEvent),
    /// Something happened to a path (RFC 9000 §9).
    Path(PathEvent),
    /// Something happened on a stream.
    Stream(StreamEvent),
}

/// Something happened to the datagrams of a connection (RFC 9221).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DatagramEvent {
    /// Datagrams arrived: call [`receive`](crate::DatagramChannel::receive) until it returns `None`.
    Readable,
    /// There are reports: call [`next_report`](crate::DatagramChannel::next_report) until it returns
    /// `None`.
    Reported,
    /// There is room again, after [`try_send`](crate::DatagramChannel::try_send) found none.
    Writable,
}

/// Something happened to a path of the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PathEvent {
    /// Another path is in use: this end moved, or the peer did, or it turned out that it had not.
    /// Of several in a row, only the last is told.
    Active(PathAddresses),
    /// The path works (RFC 9000 §8.2): the one in use after a move, or one that was probed.
    Validated(PathAddresses),
    /// The path does not work, or had to make room for others. If it was in use, the last one that
    /// worked is again.
    Failed(PathAddresses),
}

/// Something happened on a stream, or to the number of streams.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StreamEvent {
    /// The peer opened streams in this direction: call
    /// [`accept_stream`](crate::Connection::accept_stream) until it returns `None`.
    Opened(Direction),
    /// The peer allows more streams in this direction: [`streams_left`] says how many can be
    /// opened. Told each time, once [`open_stream`] was [`Blocked`].
    ///
    /// [`streams_left`]: crate::Connection::streams_left
    /// [`open_stream`]: crate::Connection::open_stream
    /// [`Blocked`]: crate::OpenStreamError::Blocked
    Available(Direction),
    /// There is data to read, the stream's end, or its reset.
    Readable(StreamId),
    /// A write that was blocked can go on.
    Writable(StreamId),
    /// Everything written was acknowledged, and so was the end; or the stream's reset was, unless
    /// the peer had [`Stopped`](Self::Stopped) it.
    Finished(StreamId),
    /// Everything written to all streams was acknowledged, and every end and reset, after
    /// [`notify_when_flushed`](crate::Connection::notify_when_flushed) asked for this.
    Flushed,
    /// The peer asked to stop sending (RFC 9000 §3.5); writes fail from now on.
    Stopped(StreamId),
}

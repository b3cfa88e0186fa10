//! Datagrams (RFC 9297), for `h3-datagram`.

use std::task::{Context, Poll};

use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use driver::{PolledConnection, SendDatagramError};
use h3::quic::{ConnectionErrorIncoming, StreamId};
use h3_datagram::datagram::EncodedDatagram;
use h3_datagram::quic_traits::{
    DatagramConnectionExt, RecvDatagram, SendDatagram, SendDatagramErrorIncoming,
};

use crate::connection::Connection;
use crate::errors::connection_error;

/// Sends datagrams of a connection.
#[derive(Clone, Debug)]
pub struct SendDatagramHandler {
    connection: driver::Connection,
}

/// Receives the datagrams of a connection. Several share them: each datagram reaches one.
#[derive(Clone, Debug)]
pub struct RecvDatagramHandler {
    connection: PolledConnection,
}

impl<B: Buf> DatagramConnectionExt<B> for Connection {
    type SendDatagramHandler = SendDatagramHandler;
    type RecvDatagramHandler = RecvDatagramHandler;

    fn send_datagram_handler(&self) -> SendDatagramHandler {
        SendDatagramHandler { connection: self.handle().clone() }
    }

    fn recv_datagram_handler(&self) -> RecvDatagramHandler {
        RecvDatagramHandler { connection: self.opener.connection.clone() }
    }
}

impl SendDatagramHandler {
    /// Sends a datagram that belongs to the request on `stream`, of those that clients open and that
    /// go both ways (RFC 9297 §2.1): for connections with datagrams of several streams, as the
    /// release 0.0.2 of `h3-datagram` writes the number of the first one into all of them.
    ///
    /// # Errors
    /// See [`SendDatagramError`].
    pub fn send(&self, stream: StreamId, payload: &[u8]) -> Result<(), SendDatagramError> {
        let mut data = BytesMut::with_capacity(8 + payload.len());
        put_integer(&mut data, stream.into_inner() / 4);
        data.extend_from_slice(payload);
        self.connection.send_datagram(data.freeze())
    }
}

/// Writes an integer of variable length (RFC 9000 §16), below 2^62.
fn put_integer(data: &mut BytesMut, value: u64) {
    match value {
        0..0x40 => data.put_uint(value, 1),
        0x40..0x4000 => data.put_uint(value | 0b01 << 14, 2),
        0x4000..0x4000_0000 => data.put_uint(value | 0b10 << 30, 4),
        _ => data.put_u64(value | 0b11 << 62),
    }
}

impl<B: Buf> SendDatagram<B> for SendDatagramHandler {
    fn send_datagram<T: Into<EncodedDatagram<B>>>(
        &mut self,
        data: T,
    ) -> Result<(), SendDatagramErrorIncoming> {
        let mut data = data.into();
        let length = data.remaining();
        let sent = self.connection.send_datagram(data.copy_to_bytes(length));
        sent.map_err(|error| match error {
            SendDatagramError::TooLarge(_) => SendDatagramErrorIncoming::TooLarge,
            SendDatagramError::ConnectionLost(error) => {
                SendDatagramErrorIncoming::ConnectionError(connection_error(error))
            }
            SendDatagramError::Unsupported | _ => SendDatagramErrorIncoming::NotAvailable,
        })
    }
}

impl RecvDatagram for RecvDatagramHandler {
    type Buffer = Bytes;

    fn poll_incoming_datagram(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, ConnectionErrorIncoming>> {
        self.connection.poll_read_datagram(cx).map_err(connection_error)
    }
}

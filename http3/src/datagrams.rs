//! Datagrams (RFC 9297), for `h3-datagram`.

use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use driver::{PolledConnection, SendDatagramError};
use h3::quic::ConnectionErrorIncoming;
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

//! The socket, and when it is ready.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::task::{Context, Poll};

use driver::{Arrivals, AsyncSocket, Outgoing, Socket, UdpOffload, Warning, enlarge_buffers};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// A UDP socket on tokio.
#[derive(Debug)]
pub struct TokioSocket {
    socket: UdpSocket,
    offload: UdpOffload,
}

impl TokioSocket {
    /// A socket of the runtime that this is called in, and what is not as good about it as it
    /// could be.
    pub(crate) fn new(socket: std::net::UdpSocket) -> io::Result<(Self, Vec<Warning>)> {
        let offload = UdpOffload::new(&socket)?;
        let warnings = enlarge_buffers(&socket, &offload);
        Ok((Self { socket: UdpSocket::from_std(socket)?, offload }, warnings))
    }
}

impl AsyncSocket for TokioSocket {
    fn poll_receivable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_recv_ready(cx).map(|_| ())
    }

    fn poll_sendable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_send_ready(cx).map(|_| ())
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl Socket for TokioSocket {
    fn receive(&self, arrivals: &mut Arrivals) -> io::Result<()> {
        let mut received = None;
        let receive = || {
            let outcome = self.offload.receive((&self.socket).into(), arrivals);
            // Who exhausted the socket need not ask it again: what comes later is a new event.
            let exhausted = outcome.is_ok() && arrivals.exhausted_the_socket();
            let blocked = outcome.as_ref().is_err_and(would_block);
            received = Some(outcome);
            if exhausted || blocked { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        };
        // All that its result says is in `received` too, but that tokio knows of nothing: it may
        // not have looked.
        let _: io::Result<()> = self.socket.try_io(Interest::READABLE, receive);
        received.unwrap_or_else(|| self.offload.receive((&self.socket).into(), arrivals))
    }

    fn send(&self, outgoing: &Outgoing<'_>) -> io::Result<()> {
        let send = || self.offload.send((&self.socket).into(), outgoing);
        self.socket.try_io(Interest::WRITABLE, send)
    }

    fn maximum_segments(&self) -> NonZeroUsize {
        self.offload.maximum_segments()
    }
}

fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

#[cfg(test)]
mod tests;

//! The socket, and when it is ready.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use driver::{Arrivals, Outgoing, Socket, SocketId, UdpOffload};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// A UDP socket on tokio.
#[derive(Debug)]
pub(crate) struct TokioSocket {
    socket: UdpSocket,
    offload: UdpOffload,
}

/// Sockets that the application brought and the loop has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct NewSockets(Mutex<Vec<(SocketId, TokioSocket)>>);

impl NewSockets {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<(SocketId, TokioSocket)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, id: SocketId, socket: TokioSocket) {
        self.lock().push((id, socket));
    }
}

impl TokioSocket {
    pub(crate) fn new(socket: std::net::UdpSocket, offload: UdpOffload) -> io::Result<Self> {
        Ok(Self { socket: UdpSocket::from_std(socket)?, offload })
    }

    /// Ready when there may be something to receive; then, asking again does not wait.
    pub(crate) fn poll_receivable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_recv_ready(cx).map(|_| ())
    }

    /// Ready when there may be room to send. Asked only after there was none.
    pub(crate) fn poll_sendable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_send_ready(cx).map(|_| ())
    }
}

impl Socket for TokioSocket {
    fn receive(&self, arrivals: &mut Arrivals) -> io::Result<()> {
        let mut received = Err(io::ErrorKind::WouldBlock.into());
        let receive = || {
            received = self.offload.receive((&self.socket).into(), arrivals);
            // Who exhausted the socket need not ask it again: what comes later is a new event.
            let exhausted = received.is_ok() && arrivals.exhausted_the_socket();
            let blocked = received.as_ref().is_err_and(would_block);
            if exhausted || blocked { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        };
        // All that its result says is in `received` too.
        let _: io::Result<()> = self.socket.try_io(Interest::READABLE, receive);
        received
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

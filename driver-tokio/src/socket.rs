//! The socket, and when it is ready.

use std::io;
use std::net::UdpSocket;
use std::num::NonZeroUsize;
use std::task::{Context, Poll};

use driver::{Arrivals, Outgoing, Socket, UdpOffload};

/// A UDP socket on tokio.
#[derive(Debug)]
pub(crate) struct TokioSocket {
    readiness: Readiness,
    offload: UdpOffload,
}

impl TokioSocket {
    pub(crate) fn new(socket: UdpSocket, offload: UdpOffload) -> io::Result<Self> {
        Ok(Self { readiness: Readiness::new(socket)?, offload })
    }

    /// Ready when there may be something to receive; then, asking again does not wait.
    pub(crate) fn poll_receivable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.readiness.poll_receivable(cx)
    }

    /// Ready when there may be room to send. Asked only after there was none.
    pub(crate) fn poll_sendable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.readiness.poll_sendable(cx)
    }

    /// Nobody waits for room any more.
    pub(crate) fn forget_sendable(&mut self) {
        self.readiness.forget_sendable();
    }
}

impl Socket for TokioSocket {
    fn receive(&self, arrivals: &mut Arrivals) -> io::Result<()> {
        let mut received = Err(io::ErrorKind::WouldBlock.into());
        let receive = || {
            received = self.offload.receive(self.readiness.socket().into(), arrivals);
            // Who exhausted the socket need not ask it again: what comes later is a new event.
            let exhausted = received.is_ok() && arrivals.exhausted_the_socket();
            let blocked = received.as_ref().is_err_and(would_block);
            if exhausted || blocked { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        };
        // All that its result says is in `received` too.
        let _: io::Result<()> = self.readiness.try_receive(receive);
        received
    }

    fn send(&self, outgoing: &Outgoing<'_>) -> io::Result<()> {
        self.readiness.try_send(|| self.offload.send(self.readiness.socket().into(), outgoing))
    }

    fn maximum_segments(&self) -> NonZeroUsize {
        self.offload.maximum_segments()
    }
}

fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

#[cfg(unix)]
use unix::Readiness;

#[cfg(unix)]
mod unix {
    use std::io;
    use std::net::UdpSocket;
    use std::task::{Context, Poll};

    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// Waits for room to send only where there was none: the system reports room after every
    /// datagram that left, and each report would wake the thread for nothing.
    #[derive(Debug)]
    pub(super) struct Readiness {
        pub(super) receiving: AsyncFd<UdpSocket>,
        /// A duplicate, since a socket is registered once; made when there is no room.
        sending: Option<AsyncFd<UdpSocket>>,
    }

    impl Readiness {
        pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
            Ok(Self { receiving: register(socket, Interest::READABLE)?, sending: None })
        }

        pub(super) fn socket(&self) -> &UdpSocket {
            self.receiving.get_ref()
        }

        pub(super) fn poll_receivable(&self, cx: &mut Context<'_>) -> Poll<()> {
            self.receiving.poll_read_ready(cx).map(|_| ())
        }

        pub(super) fn poll_sendable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            if self.sending.is_none() {
                let duplicate = self.socket().try_clone();
                self.sending =
                    duplicate.and_then(|socket| register(socket, Interest::WRITABLE)).ok();
            }
            // Who cannot wait tries again.
            let Some(sending) = &self.sending else { return Poll::Ready(()) };
            sending.poll_write_ready(cx).map(|_| ())
        }

        pub(super) fn forget_sendable(&mut self) {
            self.sending = None;
        }

        pub(super) fn try_receive(
            &self,
            receive: impl FnOnce() -> io::Result<()>,
        ) -> io::Result<()> {
            self.receiving.try_io(Interest::READABLE, |_| receive())
        }

        pub(super) fn try_send(&self, send: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
            match &self.sending {
                Some(sending) => sending.try_io(Interest::WRITABLE, |_| send()),
                None => send(),
            }
        }
    }

    #[expect(
        deprecated,
        reason = "unsound only for owners that close or change their descriptor; its successor, \
                  which asks for a promise not to, is unsafe"
    )]
    fn register(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
        AsyncFd::with_interest(socket, interest)
    }
}

#[cfg(not(unix))]
use elsewhere::Readiness;

#[cfg(not(unix))]
mod elsewhere {
    use std::io;
    use std::task::{Context, Poll};

    use tokio::io::Interest;
    use tokio::net::UdpSocket;

    #[derive(Debug)]
    pub(super) struct Readiness(UdpSocket);

    impl Readiness {
        pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
            UdpSocket::from_std(socket).map(Self)
        }

        pub(super) fn socket(&self) -> &UdpSocket {
            &self.0
        }

        pub(super) fn poll_receivable(&self, cx: &mut Context<'_>) -> Poll<()> {
            self.0.poll_recv_ready(cx).map(|_| ())
        }

        pub(super) fn poll_sendable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            self.0.poll_send_ready(cx).map(|_| ())
        }

        pub(super) fn forget_sendable(&mut self) {}

        pub(super) fn try_receive(
            &self,
            receive: impl FnOnce() -> io::Result<()>,
        ) -> io::Result<()> {
            self.0.try_io(Interest::READABLE, receive)
        }

        pub(super) fn try_send(&self, send: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
            self.0.try_io(Interest::WRITABLE, send)
        }
    }
}

#[cfg(test)]
mod tests;

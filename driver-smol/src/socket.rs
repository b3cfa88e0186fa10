//! The socket, and when it is ready.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::task::{Context, Poll};
use std::thread;

use async_io::Async;
use driver::{Arrivals, AsyncSocket, Outgoing, Socket, UdpOffload, Warning, enlarge_buffers};

/// A UDP socket on async-io.
#[derive(Debug)]
pub struct AsyncIoSocket {
    socket: Async<UdpSocket>,
    offload: UdpOffload,
    /// Whether there may be something to receive. async-io tells that as an event, and forgets it.
    receivable: Cell<bool>,
    /// How often it became receivable, of late.
    events: Cell<u8>,
}

impl AsyncIoSocket {
    /// A socket of async-io, and what is not as good about it as it could be.
    pub(crate) fn new(socket: UdpSocket) -> io::Result<(Self, Vec<Warning>)> {
        let offload = UdpOffload::new(&socket)?;
        let warnings = enlarge_buffers(&socket, &offload);
        let socket = Async::new(socket)?;
        Ok((Self { socket, offload, receivable: Cell::new(false), events: Cell::new(0) }, warnings))
    }
}

impl AsyncIoSocket {
    /// Lets async-io's own thread run now and then.
    ///
    /// After some time in which nothing happened, that thread waits for the lock that the thread of
    /// the loop holds while it sleeps. It is then woken with each event, and finds the lock taken
    /// again. Once it got it, it leaves the events to the loop until nothing happens again.
    fn let_the_helper_in(&self) {
        let events = self.events.get().wrapping_add(1);
        self.events.set(events);
        if events.is_multiple_of(EVENTS_UNTIL_YIELD) {
            thread::yield_now();
        }
    }
}

/// One call of the system in so many events costs nothing that could be measured.
const EVENTS_UNTIL_YIELD: u8 = 64;

impl AsyncSocket for AsyncIoSocket {
    fn poll_receivable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.receivable.get() {
            // Whatever is wrong, the next call on the socket says it.
            if self.socket.poll_readable(cx).is_pending() {
                return Poll::Pending;
            }
            self.receivable.set(true);
            self.let_the_helper_in();
        }
        Poll::Ready(())
    }

    fn poll_sendable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_writable(cx).map(|_| ())
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get_ref().local_addr()
    }
}

impl Socket for AsyncIoSocket {
    fn receive(&self, arrivals: &mut Arrivals) -> io::Result<()> {
        let received = self.offload.receive(self.socket.get_ref().into(), arrivals);
        let blocked =
            received.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        // Who exhausted the socket need not ask it again: what comes later is a new event.
        let exhausted = received.is_ok() && arrivals.exhausted_the_socket();
        self.receivable.set(!blocked && !exhausted);
        received
    }

    fn send(&self, outgoing: &Outgoing<'_>) -> io::Result<()> {
        self.offload.send(self.socket.get_ref().into(), outgoing)
    }

    fn maximum_segments(&self) -> NonZeroUsize {
        self.offload.maximum_segments()
    }
}

#[cfg(test)]
mod tests;

//! What a runtime brings to the loop.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use quic_core::Instant;

use crate::socket::Socket;

/// A socket that tells when it is ready.
///
/// Errors are not told here: who waits is let on, and the call on the socket says what is wrong.
pub trait AsyncSocket: Socket {
    /// Ready when there may be something to receive. Pending only if the task is woken once there
    /// is.
    ///
    /// Asked before each [`receive`](Socket::receive). A socket whose readiness is told as an event
    /// has to remember it until `receive` found nothing more
    /// ([`exhausted_the_socket`](crate::Arrivals::exhausted_the_socket)).
    fn poll_receivable(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Ready when there may be room to send. Pending only if the task is woken once there is.
    ///
    /// Asked only after [`send`](Socket::send) found no room.
    fn poll_sendable(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// The address that it is bound to.
    ///
    /// # Errors
    /// Those of the system.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// What wakes the loop at a point in time, on the clock of the endpoint: see
/// [`EndpointOptions::clock`](crate::EndpointOptions::clock).
pub trait Timer {
    /// Fires at `at` and at no other time. Whether it has fired before does not matter.
    fn reset(&mut self, at: Instant);

    /// Ready once the time has come. Pending only if the task is woken then.
    ///
    /// Asked only between a [`reset`](Self::reset) and the first answer that it is ready.
    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

//! What a runtime brings to the loop.

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU16;
use std::task::{Context, Poll};

use quic_core::Instant;

use crate::clock::Clock;
use crate::socket::{Socket, Warning};

/// What runs endpoints on sockets of the system: its sockets, its timers and its tasks. Clones are
/// handles of the same runtime.
pub trait Runtime: Clone + fmt::Debug + Send + Sync + 'static {
    /// A socket of the runtime.
    type Socket: AsyncSocket + Send + 'static;

    /// A timer of the runtime.
    type Timer: Timer + Send + 'static;

    /// Makes a socket that is bound one of the runtime; also tells what is not as good about it as
    /// it could be.
    ///
    /// # Errors
    /// If the socket does not take the options that QUIC needs, or the runtime has no sockets.
    fn socket(&self, socket: UdpSocket) -> io::Result<(Self::Socket, Vec<Warning>)>;

    /// A timer that fires on `clock`, which is the system's.
    ///
    /// # Errors
    /// If the runtime has no timers.
    fn timer(&self, clock: Clock) -> io::Result<Self::Timer>;

    /// How many tasks it runs at the same time: so many shards a server has by default. One, unless
    /// a runtime knows better.
    fn parallelism(&self) -> NonZeroU16 {
        NonZeroU16::MIN
    }

    /// Runs the loop of an endpoint, which nobody waits for.
    fn spawn(&self, run: impl Future<Output = ()> + Send + 'static);
}

/// A runtime that can be found without being told.
pub trait CurrentRuntime: Runtime {
    /// The runtime that this is called in.
    ///
    /// # Errors
    /// If there is none.
    fn current() -> io::Result<Self>;
}

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

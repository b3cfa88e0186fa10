//! What an endpoint needs: sockets and timers of async-io, and an executor.

use std::io;
use std::net::UdpSocket;
use std::num::NonZeroU16;

use driver::{Clock, CurrentRuntime, Runtime, Warning};

use crate::executor::Executor;
use crate::socket::AsyncIoSocket;
use crate::timer::AsyncIoTimer;

/// async-io, whose sockets and timers work everywhere, and an executor, which runs the tasks of
/// endpoints.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncIo<E> {
    executor: E,
}

impl<E: Executor> AsyncIo<E> {
    /// With this executor.
    pub fn on(executor: E) -> Self {
        Self { executor }
    }
}

impl<E: Executor> Runtime for AsyncIo<E> {
    type Socket = AsyncIoSocket;
    type Timer = AsyncIoTimer;

    fn socket(&self, socket: UdpSocket) -> io::Result<(AsyncIoSocket, Vec<Warning>)> {
        AsyncIoSocket::new(socket)
    }

    fn timer(&self, clock: Clock) -> io::Result<AsyncIoTimer> {
        Ok(AsyncIoTimer::new(clock))
    }

    fn parallelism(&self) -> NonZeroU16 {
        self.executor.threads()
    }

    fn spawn(&self, run: impl Future<Output = ()> + Send + 'static) {
        self.executor.spawn(run);
    }
}

impl<E: Executor + Default> CurrentRuntime for AsyncIo<E> {
    fn current() -> io::Result<Self> {
        Ok(Self::default())
    }
}

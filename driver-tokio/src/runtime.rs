//! What an endpoint needs of tokio.

use std::io;
use std::net::UdpSocket;
use std::num::NonZeroU16;
use std::panic::{AssertUnwindSafe, catch_unwind};

use driver::{Clock, CurrentRuntime, Runtime, Warning};
use tokio::runtime::Handle;
use tokio::task::unconstrained;

use crate::socket::TokioSocket;
use crate::timer::TokioTimer;

/// A tokio runtime.
#[derive(Clone, Debug)]
pub struct Tokio(Handle);

impl From<Handle> for Tokio {
    fn from(handle: Handle) -> Self {
        Self(handle)
    }
}

impl Tokio {
    /// Makes what belongs to a part of the runtime, which the builder of the runtime enables by
    /// `method`. Tokio has no way to ask for that part, and panics without it.
    fn with<T>(&self, method: &'static str, make: impl FnOnce() -> T) -> io::Result<T> {
        let _entered = self.0.enter();
        // What `make` owns is gone after a panic, and it changes nothing else.
        catch_unwind(AssertUnwindSafe(make)).map_err(|_| {
            io::Error::other(format!(
                "the tokio runtime lacks a part: call `{method}` or `enable_all` on its builder"
            ))
        })
    }
}

impl Runtime for Tokio {
    type Socket = TokioSocket;
    type Timer = TokioTimer;

    fn socket(&self, socket: UdpSocket) -> io::Result<(TokioSocket, Vec<Warning>)> {
        self.with("enable_io", || TokioSocket::new(socket))?
    }

    fn timer(&self, clock: Clock) -> io::Result<TokioTimer> {
        self.with("enable_time", || TokioTimer::new(clock))
    }

    fn parallelism(&self) -> NonZeroU16 {
        let workers = u16::try_from(self.0.metrics().num_workers()).unwrap_or(u16::MAX);
        NonZeroU16::new(workers).unwrap_or(NonZeroU16::MIN)
    }

    fn spawn(&self, run: impl Future<Output = ()> + Send + 'static) {
        // Tokio's budget would report a socket or timer that is ready as not ready.
        self.0.spawn(unconstrained(run));
    }
}

impl CurrentRuntime for Tokio {
    fn current() -> io::Result<Self> {
        Handle::try_current().map(Self).map_err(|_| {
            io::Error::other(
                "there is no tokio runtime here: make the endpoint inside of one, in a task or \
                 under `Runtime::enter`",
            )
        })
    }
}

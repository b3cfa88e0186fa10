//! What runs the tasks of endpoints.

use std::fmt;
use std::future::Future;
use std::num::NonZeroU16;
#[cfg(feature = "smol")]
use std::sync::Arc;
#[cfg(feature = "async-std")]
use std::thread;

/// Runs tasks. Clones are handles of the same executor.
///
/// For an executor of your own, with [`AsyncIo::on`](crate::AsyncIo::on) and
/// [`EndpointOn::new_on`](crate::EndpointOn::new_on). One of smol's, which runs where it is told to:
///
/// ```
/// use std::sync::Arc;
///
/// use driver_smol::{AsyncIo, EndpointConfig, EndpointOn};
///
/// let executor = Arc::new(smol::Executor::new());
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// let runtime = AsyncIo::on(Arc::clone(&executor));
/// let endpoint = EndpointOn::new_on(runtime, EndpointConfig::default(), None, socket)?;
/// smol::block_on(executor.run(endpoint.wait_idle()));
/// # Ok::<_, std::io::Error>(())
/// ```
pub trait Executor: Clone + fmt::Debug + Send + Sync + 'static {
    /// How many tasks it runs at the same time. One, unless an executor knows better.
    fn threads(&self) -> NonZeroU16 {
        NonZeroU16::MIN
    }

    /// Runs a task, which nobody waits for.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
}

/// smol's own executor: that of `smol::spawn`.
#[cfg(feature = "smol")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

#[cfg(feature = "smol")]
impl Executor for Smol {
    /// What the environment says by `SMOL_THREADS`, else one.
    fn threads(&self) -> NonZeroU16 {
        told_by("SMOL_THREADS").unwrap_or(NonZeroU16::MIN)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }
}

/// An executor of smol's kind that the application runs, on threads of its choice.
#[cfg(feature = "smol")]
impl Executor for Arc<smol::Executor<'static>> {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        smol::Executor::spawn(self, task).detach();
    }
}

/// async-std's executor: that of `async_std::task::spawn`.
#[cfg(feature = "async-std")]
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

#[cfg(feature = "async-std")]
impl Executor for AsyncStd {
    /// What the environment says by `ASYNC_STD_THREAD_COUNT`, else one for each core.
    fn threads(&self) -> NonZeroU16 {
        let cores = || u16::try_from(thread::available_parallelism().ok()?.get()).ok();
        let cores = || cores().and_then(NonZeroU16::new).unwrap_or(NonZeroU16::MIN);
        told_by("ASYNC_STD_THREAD_COUNT").unwrap_or_else(cores)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // A task of async-std goes on when its handle is dropped.
        drop(async_std::task::spawn(task));
    }
}

/// The number that a variable of the environment has.
#[cfg(any(feature = "smol", feature = "async-std"))]
fn told_by(variable: &str) -> Option<NonZeroU16> {
    std::env::var(variable).ok()?.parse().ok()
}

//! What runs the tasks of endpoints.

use std::fmt;
use std::future::Future;

/// Runs tasks. Clones are handles of the same executor.
///
/// For an executor of your own, with [`AsyncIo::on`](crate::AsyncIo::on) and
/// [`EndpointOn::new_on`](crate::EndpointOn::new_on):
///
/// ```
/// use std::sync::Arc;
///
/// use driver_smol::{AsyncIo, EndpointConfig, EndpointOn, Executor};
///
/// #[derive(Clone, Debug)]
/// struct Mine(Arc<smol::Executor<'static>>);
///
/// impl Executor for Mine {
///     fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
///         self.0.spawn(task).detach();
///     }
/// }
///
/// let executor = Mine(Arc::default());
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// let runtime = AsyncIo::on(executor.clone());
/// let endpoint = EndpointOn::new_on(runtime, EndpointConfig::default(), None, socket)?;
/// smol::block_on(executor.0.run(endpoint.wait_idle()));
/// # Ok::<_, std::io::Error>(())
/// ```
pub trait Executor: Clone + fmt::Debug + Send + Sync + 'static {
    /// Runs a task, which nobody waits for.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
}

/// smol's own executor: that of `smol::spawn`.
#[cfg(feature = "smol")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

#[cfg(feature = "smol")]
impl Executor for Smol {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }
}

/// async-std's executor: that of `async_std::task::spawn`.
#[cfg(feature = "async-std")]
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

#[cfg(feature = "async-std")]
impl Executor for AsyncStd {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // A task of async-std goes on when its handle is dropped.
        drop(async_std::task::spawn(task));
    }
}

//! The drivers, as far as they differ.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use driver::{CurrentRuntime, EndpointOn, ServerConfig};
use futures::channel::oneshot;
use futures::future::{Either, select};

/// A task that nobody waits for.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What runs tasks, and waits.
pub(crate) trait Driver {
    type Runtime: CurrentRuntime;

    fn block_on<F: Future<Output = ()>>(future: F);

    fn spawn_task(task: Task);

    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send;

    /// Runs a task beside the calling one; what it gives can be waited for, or not.
    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        let (sender, receiver) = oneshot::channel();
        Self::spawn_task(Box::pin(async move {
            // Nobody may be waiting.
            let _: Result<(), T> = sender.send(task.await);
        }));
        async { receiver.await.expect("the task came to its end") }
    }

    fn server(config: ServerConfig) -> EndpointOn<Self::Runtime> {
        EndpointOn::server(config, any_port()).unwrap()
    }

    fn client() -> EndpointOn<Self::Runtime> {
        EndpointOn::client(any_port()).unwrap()
    }
}

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// How long a promise may take.
const LIMIT: Duration = Duration::from_mins(1);

/// Runs a promise to its end. Fails if that is not soon.
pub(crate) fn run<D: Driver, F: Future<Output = ()>>(promise: F) {
    D::block_on(async {
        let (promise, limit) = (Box::pin(promise), Box::pin(D::sleep(LIMIT)));
        if let Either::Right(_) = select(promise, limit).await {
            panic!("not kept within {LIMIT:?}");
        }
    });
}

pub(crate) struct Tokio;

impl Driver for Tokio {
    type Runtime = driver_tokio::Tokio;

    fn block_on<F: Future<Output = ()>>(future: F) {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap().block_on(future);
    }

    fn spawn_task(task: Task) {
        tokio::spawn(task);
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(duration)
    }
}

pub(crate) struct Smol;

impl Driver for Smol {
    type Runtime = driver_smol::AsyncIo<driver_smol::Smol>;

    fn block_on<F: Future<Output = ()>>(future: F) {
        smol::block_on(future);
    }

    fn spawn_task(task: Task) {
        smol::spawn(task).detach();
    }

    async fn sleep(duration: Duration) {
        smol::Timer::after(duration).await;
    }
}

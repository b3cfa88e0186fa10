//! The drivers, as far as they differ.

mod loopback;
mod simulated;

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::pin::Pin;
use std::time::Duration;

use driver::{EndpointConfig, EndpointOptions, ServerConfig, Side};
use futures::channel::oneshot;

pub(crate) use loopback::{AsyncStd, Smol, TokioCurrentThread, TokioMultiThread};
pub(crate) use simulated::Simulated;

/// A task that nobody waits for.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A driver, and two places to be: one for a client and one for a server.
pub(crate) trait Driver: Clone {
    type Endpoint: Deref<Target = driver::Endpoint>;
    type Socket;

    /// Runs a promise to its end. Fails if that is not soon.
    fn run<F: Future<Output = ()>>(promise: impl FnOnce(Self) -> F);

    /// A socket where the clients or the servers are; without an address, on any.
    fn socket(&self, side: Side, address: Option<SocketAddr>) -> io::Result<Self::Socket>;

    fn address(&self, socket: &Self::Socket) -> SocketAddr;

    /// Two sockets of one address, of which each has its peers.
    fn sharing(&self, side: Side) -> [Self::Socket; 2];

    /// Sends a datagram that is not QUIC.
    fn send(&self, socket: &Self::Socket, to: SocketAddr, datagram: &[u8]) -> io::Result<()>;

    /// An endpoint where the servers are if it accepts connections, else where the clients are.
    fn open(&self, options: EndpointOptions, socket: Self::Socket) -> Self::Endpoint;

    /// The same with one shard.
    fn endpoint(
        &self,
        config: EndpointConfig,
        server: Option<ServerConfig>,
        socket: Self::Socket,
    ) -> Self::Endpoint {
        self.open(EndpointOptions::new(config).with_server(server), socket)
    }

    /// The same on a socket of its own, of which so many of a hundred calls fail.
    fn faulty(&self, server: Option<ServerConfig>, percent: u32) -> driver::Endpoint;

    fn rebind(&self, endpoint: &Self::Endpoint, socket: Self::Socket) -> io::Result<()>;

    fn add_socket(&self, endpoint: &Self::Endpoint, socket: Self::Socket) -> io::Result<()>;

    fn spawn_task(&self, task: Task);

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()>;

    /// Runs a task beside the calling one; what it gives can be waited for, or not.
    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> + 'static {
        let (sender, receiver) = oneshot::channel();
        self.spawn_task(Box::pin(async move {
            // Nobody may be waiting.
            let _: Result<(), T> = sender.send(task.await);
        }));
        async { receiver.await.expect("the task came to its end") }
    }

    fn server(&self, config: ServerConfig) -> Self::Endpoint {
        let socket = self.socket(Side::Server, None).unwrap();
        self.endpoint(EndpointConfig::default(), Some(config), socket)
    }

    fn client(&self) -> Self::Endpoint {
        let socket = self.socket(Side::Client, None).unwrap();
        self.endpoint(EndpointConfig::default(), None, socket)
    }

    /// Waits until something holds.
    async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        for _ in 0..2000 {
            if condition() {
                return;
            }
            self.sleep(Duration::from_millis(5)).await;
        }
        panic!("not {what} within 10 s");
    }
}

//! Two hosts, and an endpoint on each.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::time::Duration;

use driver::{ClientConfig, Connection, RecvStream, SendStream, ServerConfig, TransportConfig};
use quic_sim::network::Network;
use quic_sim::tasks::{Endpoint, Host, Simulation, null_configs};

/// A client and a server on hosts of their own, with links of 10 ms.
pub(crate) struct Stage {
    pub(crate) simulation: Simulation,
    pub(crate) hosts: Hosts,
}

/// What a program needs to know of the stage.
#[derive(Clone)]
pub(crate) struct Hosts {
    pub(crate) client: Host,
    pub(crate) server: Host,
    pub(crate) client_config: ClientConfig,
    pub(crate) server_config: ServerConfig,
}

impl Stage {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, TransportConfig::default())
    }

    /// Both ends with these limits.
    pub(crate) fn with(seed: u64, transport: TransportConfig) -> Self {
        let simulation = Simulation::new(seed);
        let (client, server) = (simulation.host(), simulation.host());
        let (client_config, server_config) = null_configs(transport);
        Self { simulation, hosts: Hosts { client, server, client_config, server_config } }
    }

    /// Changes the links of both directions.
    pub(crate) fn links(&self, change: impl Fn(&mut quic_sim::network::Link)) {
        let (client, server) = (self.hosts.client.id(), self.hosts.server.id());
        self.simulation.with_network(|network: &mut Network| {
            network.links(client, server).into_iter().for_each(change);
        });
    }

    /// Runs `program`, and then whatever is left to be done, until nothing is.
    #[track_caller]
    pub(crate) fn run<T, F: Future<Output = T>>(&mut self, program: impl FnOnce(Hosts) -> F) -> T {
        let result = self.simulation.block_on(program(self.hosts.clone()));
        self.simulation.run();
        assert_eq!(self.simulation.living_tasks(), 0, "a task is left");
        assert_eq!(self.simulation.timers(), 0, "a timer is left");
        result
    }
}

impl Hosts {
    pub(crate) fn start_server(&self) -> Endpoint {
        Endpoint::server(&self.server, self.server_config.clone(), any(4433)).unwrap()
    }

    pub(crate) fn start_client(&self) -> Endpoint {
        let endpoint = Endpoint::client(&self.client, any(0)).unwrap();
        endpoint.set_default_client_config(self.client_config.clone());
        endpoint
    }

    /// An endpoint on each host.
    pub(crate) fn start(&self) -> Pair {
        Pair { client: self.start_client(), server: self.start_server() }
    }
}

pub(crate) struct Pair {
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
}

impl Pair {
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addr().unwrap()
    }

    pub(crate) fn connecting(&self) -> driver::Connecting {
        self.client.connect(self.address(), "server").unwrap()
    }

    /// A connection: the client's end and the server's.
    pub(crate) async fn connect(&self) -> (Connection, Connection) {
        let accept = async { self.server.accept().await.unwrap().await.unwrap() };
        let (client, server) = both(self.connecting(), accept).await;
        (client.unwrap(), server)
    }

    /// Closes both endpoints and waits until their peers could hear of it.
    pub(crate) async fn close(self) {
        self.client.close(0_u32.into(), b"");
        self.client.wait_idle().await;
        self.server.close(0_u32.into(), b"");
        self.server.wait_idle().await;
    }
}

/// Any address of the host, and this port; 0: any.
pub(crate) fn any(port: u16) -> SocketAddr {
    (Ipv4Addr::UNSPECIFIED, port).into()
}

/// Sends back what it receives on every stream that goes both ways, until the connection ends.
pub(crate) async fn echo(connection: Connection) {
    while let Ok((send, recv)) = connection.accept_bi().await {
        drop(quic_sim::tasks::spawn(echo_stream(send, recv)));
    }
}

async fn echo_stream(mut send: SendStream, mut recv: RecvStream) {
    while let Ok(Some(chunk)) = recv.read_chunk(usize::MAX).await {
        if send.write_chunk(chunk).await.is_err() {
            return;
        }
    }
}

/// A server of [`echo`] for everybody, until the endpoint is closed.
pub(crate) async fn echo_server(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        drop(quic_sim::tasks::spawn(async {
            if let Ok(connection) = incoming.await {
                echo(connection).await;
            }
        }));
    }
}

/// Sends `data` on a new stream and returns what comes back.
pub(crate) async fn ask(connection: &Connection, data: &[u8]) -> Vec<u8> {
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    let write = async {
        send.write_all(data).await.unwrap();
        send.finish().unwrap();
    };
    let (answer, ()) = both(recv.read_to_end(usize::MAX), write).await;
    answer.unwrap()
}

/// Waits for two futures at the same time.
pub(crate) async fn both<A: Future, B: Future>(one: A, other: B) -> (A::Output, B::Output) {
    let (mut one, mut other) = (std::pin::pin!(one), std::pin::pin!(other));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|cx| {
        if first.is_none() {
            first = ready(one.as_mut().poll(cx));
        }
        if second.is_none() {
            second = ready(other.as_mut().poll(cx));
        }
        if first.is_some() && second.is_some() {
            return std::task::Poll::Ready(());
        }
        std::task::Poll::Pending
    })
    .await;
    (first.unwrap(), second.unwrap())
}

fn ready<T>(poll: std::task::Poll<T>) -> Option<T> {
    match poll {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

/// Bytes that differ enough to show a gap or a repetition.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| ((index % 251) ^ ((index >> 12) % 256)).to_le_bytes()[0]).collect()
}

pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A task of which only the wake-ups are counted.
#[derive(Debug, Default)]
pub(crate) struct Wakeups(AtomicUsize);

impl Wakeups {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakeups {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

//! A client, a server and a link each way between them: a [`World`](crate::world::World) of two.
//!
//! Time stands still while anything happens, and jumps to the earliest deadline or arrival. When a
//! test fails, the command that plays it again is printed.

mod setup;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quic_core::{ClientConfig, CongestionAlgorithm, ConnectionHandle, Instant, Side};

use crate::network::{HostId, Link, LinkStatistics, Network, Random, START};
use crate::seeds::Replay;
#[cfg(feature = "qlog")]
use crate::world::Logs;
use crate::world::{Endpoint, Ends, Engine, runs};

pub use self::setup::{CLIENT, SERVER, SERVER_NAME, Setup, certificate};

/// A client, a server and the link between them.
#[derive(Debug)]
pub struct Pair {
    /// The client.
    pub client: Endpoint,
    /// The server.
    pub server: Endpoint,
    /// What is between them. Its hosts are [`Endpoint::host`], and a [`Side`] is a [`HostId`], too.
    pub network: Network,
    /// How the client connects.
    pub client_config: Arc<ClientConfig>,
    /// What it was built from.
    pub setup: Setup,
    engine: Engine,
    random: Random,
    /// After the ends, whose last words it waits for.
    #[cfg(feature = "qlog")]
    #[expect(dead_code, reason = "it acts when it is dropped")]
    logs: Logs,
    #[expect(dead_code, reason = "it acts when it is dropped")]
    replay: Replay,
}

/// The ends of a pair.
struct Both<'a> {
    client: &'a mut Endpoint,
    server: &'a mut Endpoint,
}

impl Ends for Both<'_> {
    fn end(&mut self, host: HostId) -> Option<&mut Endpoint> {
        [&mut *self.client, &mut *self.server].into_iter().find(|end| end.host == host)
    }
}

impl From<Side> for HostId {
    /// The host of this end of a [`Pair`].
    fn from(side: Side) -> Self {
        Self(u32::from(side == Side::Server))
    }
}

impl PartialEq<Side> for HostId {
    fn eq(&self, side: &Side) -> bool {
        *self == Self::from(*side)
    }
}

impl Pair {
    /// Two ends with default configurations and null TLS.
    pub fn new(seed: u64) -> Self {
        Setup::new(seed).build()
    }

    /// Two ends with default configurations and rustls.
    pub fn with_rustls(seed: u64) -> Self {
        Setup::with_rustls(seed).build()
    }

    fn from_setup(setup: Setup) -> Self {
        #[cfg(feature = "qlog")]
        let (setup, logs) = {
            let (mut setup, logs) = (setup, Logs::new());
            logs.watch(&mut setup.client_endpoint);
            logs.watch(&mut setup.server_endpoint);
            (setup, logs)
        };
        let mut random = Random::new(setup.seed, 0);
        let mut network = Network::new(setup.seed);
        network.trace.keep = true;
        let mut end = |address, config| {
            let host = network.add_host();
            Endpoint::new(host, address, config, random.seed(), START)
        };
        let client = end(CLIENT, setup.client_endpoint.clone());
        let mut server = end(SERVER, setup.server_endpoint.clone());
        server.listen(setup.server_config());
        network.link(client.host, server.host).clone_from(&setup.to_server);
        network.link(server.host, client.host).clone_from(&setup.to_client);
        let mut pair = Self {
            client,
            server,
            network,
            client_config: setup.client_config(),
            engine: Engine::default(),
            random,
            #[cfg(feature = "qlog")]
            logs,
            replay: Replay::new(setup.seed),
            setup,
        };
        pair.settle();
        pair
    }

    /// The time in the network.
    pub fn now(&self) -> Instant {
        self.network.now()
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.now() - START
    }

    /// One of the ends.
    pub fn end(&mut self, side: Side) -> &mut Endpoint {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn look(&self, side: Side) -> &Endpoint {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    /// The link to the server.
    pub fn to_server(&mut self) -> &mut Link {
        self.network.link(self.client.host, self.server.host)
    }

    /// The link to the client.
    pub fn to_client(&mut self) -> &mut Link {
        self.network.link(self.server.host, self.client.host)
    }

    /// The links to the server and to the client.
    pub fn links(&mut self) -> [&mut Link; 2] {
        self.network.links(self.client.host, self.server.host)
    }

    /// Lets a NAT before the client change its mind: the client's first socket appears as `outer`
    /// from now on.
    pub fn rebind(&mut self, outer: SocketAddr) {
        let (now, inner) = (self.now(), self.client.address());
        self.network.nat(self.client.host).rebind_to(now, inner, outer);
    }

    /// Lets the client's first socket appear with this port from now on.
    pub fn rebind_port(&mut self, port: u16) {
        let mut outer = self.seen_client();
        outer.set_port(port);
        self.rebind(outer);
    }

    /// The address that the client's first socket has for others.
    pub fn seen_client(&self) -> SocketAddr {
        self.network.seen_as(self.client.host, self.client.address())
    }

    /// A new server in place of the old one, of which nothing is left but its configuration.
    pub fn restart_server(&mut self) {
        let config = self.setup.server_endpoint.clone();
        let (host, address) = (self.server.host, self.server.address());
        self.server.detach(&mut self.network);
        let now = self.network.shown_by(host);
        self.server = Endpoint::new(host, address, config, self.random.seed(), now);
        self.server.listen(self.setup.server_config());
        self.engine.replace(host);
        self.settle();
    }

    /// Opens a connection, and leaves it there.
    pub fn start(&mut self) -> ConnectionHandle {
        // The clock may have been set since anything happened.
        self.tell_time();
        let (server, config) = (self.server.address(), Arc::clone(&self.client_config));
        self.client.connect(server, SERVER_NAME, config).expect("a connection can be opened")
    }

    /// Opens a connection, and returns it once both ends are connected.
    pub fn connect(&mut self) -> (ConnectionHandle, ConnectionHandle) {
        let before = self.server.connected.len();
        let client = self.start();
        self.wait("connected", Duration::from_secs(10), |pair| {
            pair.client.connected.contains(&client) && pair.server.connected.len() > before
        });
        (client, *self.server.connected.last().expect("a connection"))
    }

    /// Runs until `condition` holds; returns whether it did within this time.
    #[must_use]
    pub fn run_until(
        &mut self,
        within: Duration,
        condition: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        runs::run_until(self, within, condition)
    }

    /// Runs until `condition` holds, and fails the test if it does not within this time.
    #[track_caller]
    pub fn wait(&mut self, what: &str, within: Duration, condition: impl FnMut(&mut Self) -> bool) {
        runs::wait(self, what, within, condition);
    }

    /// Runs for some time.
    pub fn run_for(&mut self, duration: Duration) {
        self.settle();
        let end = self.now() + duration;
        let mut both = Both { client: &mut self.client, server: &mut self.server };
        while self.engine.step_until(&mut self.network, &mut both, end) {}
        self.tell_time();
    }

    /// Runs until nothing is left to happen, for at most an hour.
    pub fn run_to_end(&mut self) {
        self.run_for(Duration::from_hours(1));
        assert!(self.engine.next(&self.network).is_none(), "something is still due");
    }

    /// What has to happen now does, then what comes next, if that is not after `end`. Returns
    /// whether there was anything; if not, it is `end` now.
    pub fn step_until(&mut self, end: Instant) -> bool {
        self.touch();
        let mut both = Both { client: &mut self.client, server: &mut self.server };
        let any = self.engine.step_until(&mut self.network, &mut both, end);
        self.tell_time();
        any
    }

    /// Lets both ends do and send what they have to now.
    pub fn settle(&mut self) {
        self.touch();
        let mut both = Both { client: &mut self.client, server: &mut self.server };
        self.engine.settle(&mut self.network, &mut both);
        self.tell_time();
    }

    /// What the ends are asked to do by others, they do now.
    fn tell_time(&mut self) {
        for end in [&mut self.client, &mut self.server] {
            end.now = self.network.shown_by(end.host);
        }
    }

    /// The ends lie open, so that anything may have been done with them.
    fn touch(&mut self) {
        self.engine.touch(self.client.host);
        self.engine.touch(self.server.host);
    }

    /// What the link did so far to what `side` sent.
    pub fn link_statistics(&self, side: Side) -> LinkStatistics {
        self.network.link_statistics(side.into(), (!side).into())
    }

    /// Lets connections that the client opens from now on use this controller.
    pub fn use_congestion(&mut self, congestion: CongestionAlgorithm) {
        self.setup.client_transport.congestion = congestion;
        self.client_config = self.setup.client_config();
    }

    /// Retry packets that the server sent (RFC 9000 §17.2.5).
    pub fn retries_sent(&self) -> usize {
        self.network.trace.by(Side::Server).filter(|sent| sent.is_retry()).count()
    }

    /// The first datagram with a long header that an end sent.
    pub fn first_from(&self, side: Side) -> Vec<u8> {
        self.look(side).first_long()
    }

    /// The last datagram with a long header that an end sent.
    pub fn last_from(&self, side: Side) -> Vec<u8> {
        self.look(side).last_long()
    }

    /// Takes the datagrams from the client's first address out of [`Network::wire`], and stops it.
    pub fn take_wire_of_client(&mut self) -> Vec<Vec<u8>> {
        let wire = self.network.wire.take().unwrap_or_default();
        wire.into_iter().filter(|sent| sent.0 == CLIENT).map(|sent| sent.2).collect()
    }

    /// Lets a datagram arrive at once at the first socket of an end, that nobody sent.
    pub fn inject(&mut self, at: Side, from: SocketAddr, payload: &[u8]) {
        let mut payload = payload.to_vec();
        let end = self.end(at);
        let to = end.address();
        end.handle_datagram((from, to), None, &mut payload, None);
        self.settle();
    }
}

impl runs::Run for Pair {
    fn time(&self) -> Instant {
        self.now()
    }

    fn settle_all(&mut self) {
        self.settle();
    }

    fn step(&mut self, end: Instant) -> bool {
        self.step_until(end)
    }

    fn losses(&mut self) -> String {
        format!("client {:?}, server {:?}", self.client.lost, self.server.lost)
    }
}

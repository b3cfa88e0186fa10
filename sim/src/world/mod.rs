//! Hosts with endpoints of `quic-core` and applications, on a network.
//!
//! Time stands still while anything happens, and jumps to what comes next. A client, a server and
//! the links between them are more easily had as a [`Pair`](crate::pair::Pair).

mod application;
mod endpoint;
mod engine;
#[cfg(feature = "qlog")]
mod logs;
mod long_headers;
mod outbox;
pub(crate) mod runs;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use quic_core::{EndpointConfig, Instant};

use crate::network::{HostId, Network, Random, START};
use crate::seeds::Replay;

pub use self::application::{Application, Received};
pub use self::endpoint::{Endpoint, Incoming};

pub(crate) use self::engine::{Ends, Engine};
#[cfg(feature = "qlog")]
pub(crate) use self::logs::Logs;

/// Hosts with endpoints, on a network.
#[derive(Debug)]
pub struct World {
    /// What is between them.
    pub network: Network,
    ends: Hosted,
    engine: Engine,
    random: Random,
    #[cfg(feature = "qlog")]
    logs: Logs,
    #[expect(dead_code, reason = "it acts when it is dropped")]
    replay: Replay,
}

/// Endpoints by host.
#[derive(Debug, Default)]
struct Hosted(Vec<Option<Endpoint>>);

impl Ends for Hosted {
    fn end(&mut self, host: HostId) -> Option<&mut Endpoint> {
        self.0.get_mut(host.index())?.as_mut()
    }
}

impl World {
    /// A world without hosts, in which all that is random follows from `seed`.
    pub fn new(seed: u64) -> Self {
        let mut network = Network::new(seed);
        network.trace.keep = true;
        Self {
            network,
            ends: Hosted::default(),
            engine: Engine::default(),
            random: Random::new(seed, 0),
            #[cfg(feature = "qlog")]
            logs: Logs::new(),
            replay: Replay::new(seed),
        }
    }

    /// Adds a host with an endpoint, whose first socket has this address.
    pub fn add(&mut self, address: SocketAddr, config: EndpointConfig) -> HostId {
        let host = self.network.add_host();
        self.place(host, address, config);
        host
    }

    /// Lets the endpoint of a host be another one, of which nothing is left but the address of its
    /// first socket. What lay in its sockets is lost.
    pub fn restart(&mut self, host: HostId, config: EndpointConfig) {
        let end = self.end(host);
        let address = end.address();
        if let Some(mut end) = self.ends.0[host.index()].take() {
            end.detach(&mut self.network);
        }
        self.place(host, address, config);
    }

    fn place(
        &mut self,
        host: HostId,
        address: SocketAddr,
        #[cfg_attr(not(feature = "qlog"), expect(unused_mut, reason = "watched for qlog"))]
        mut config: EndpointConfig,
    ) {
        #[cfg(feature = "qlog")]
        self.logs.watch(&mut config);
        let now = self.network.host(host).now();
        let end = Endpoint::new(host, address, config, self.random.seed(), now);
        let places = &mut self.ends.0;
        places.resize_with(places.len().max(host.index() + 1), || None);
        places[host.index()] = Some(end);
        self.engine.replace(host);
    }

    /// The endpoint on a host.
    pub fn end(&mut self, host: HostId) -> &mut Endpoint {
        self.engine.touch(host);
        let now = self.network.shown_by(host);
        let end = self.ends.end(host).expect("the host has an endpoint");
        end.now = now;
        end
    }

    /// The time in the network.
    pub fn now(&self) -> Instant {
        self.network.now()
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.now() - START
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
        runs::run_for(self, duration);
    }

    /// Runs until nothing is left to happen, for at most an hour.
    pub fn run_to_end(&mut self) {
        self.run_for(Duration::from_hours(1));
        assert!(self.engine.next(&self.network).is_none(), "something is still due");
    }

    /// What has to happen now does, then what comes next, if that is not after `end`. Returns
    /// whether there was anything; if not, it is `end` now.
    pub fn step_until(&mut self, end: Instant) -> bool {
        self.engine.step_until(&mut self.network, &mut self.ends, end)
    }

    /// Lets all endpoints do and send what they have to now.
    pub fn settle(&mut self) {
        self.engine.settle(&mut self.network, &mut self.ends);
    }
}

impl runs::Run for World {
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
        let ends = self.ends.0.iter().flatten().filter(|end| !end.lost.is_empty());
        format!("{:?}", ends.map(|end| (end.host, &end.lost)).collect::<Vec<_>>())
    }
}

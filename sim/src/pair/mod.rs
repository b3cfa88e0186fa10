//! A network of two ends in virtual time, in which everything follows from one seed.
//!
//! Time stands still while anything happens, and jumps to the earliest deadline or arrival. When a
//! test fails, the seed is printed; `QUIC_SEED=… cargo test …` plays that one again. `QUIC_SEEDS=…`
//! plays more than the usual ones.
#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "test code, which panics where something is wrong"
)]

mod application;
mod endpoint;
#[cfg(feature = "qlog")]
mod failure_logs;
mod link;
mod marks;
mod random;
mod setup;
mod trace;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quic_core::{
    ClientConfig, CongestionAlgorithm, ConnectionHandle, EcnCodepoint, Instant, Multiplexer as _,
    Side,
};

pub use application::{Application, Received};
pub use endpoint::{Endpoint, Incoming};
pub use link::{Bursts, Link, LinkStatistics};
pub use marks::Marks;
pub use random::{Random, hash};
pub use setup::{CLIENT, SERVER, SERVER_NAME, Setup, certificate};
pub use trace::{Sent, Trace};

use endpoint::Outgoing;
#[cfg(feature = "qlog")]
use failure_logs::FailureLogs;
use link::LinkState;
use setup::START;

/// Steps within one millisecond, beyond which an end is taken to poll without end.
const STEPS_PER_MILLISECOND: u32 = 20_000;
/// Timeouts that an end may have without time passing.
const TIMEOUTS_AT_ONCE: u32 = 4;
/// Batches that an end may send without time passing.
const BATCHES_AT_ONCE: u32 = 20_000;

/// The seeds to run: as many as the environment variable `QUIC_SEEDS` says, or else `number`; or
/// only the one in the environment variable `QUIC_SEED`.
pub fn seeds(number: u64) -> std::ops::Range<u64> {
    let variable = |name| {
        let value = std::env::var(name).ok()?;
        Some(value.parse::<u64>().expect("QUIC_SEED and QUIC_SEEDS are numbers"))
    };
    match variable("QUIC_SEED") {
        Some(seed) => seed..seed.saturating_add(1),
        None => 0..variable("QUIC_SEEDS").unwrap_or(number),
    }
}

/// A client, a server and the link between them.
#[derive(Debug)]
pub struct Pair {
    /// The client.
    pub client: Endpoint,
    /// The server.
    pub server: Endpoint,
    /// The link to the server.
    pub to_server: Link,
    /// The link to the client.
    pub to_client: Link,
    /// How the client connects.
    pub client_config: Arc<ClientConfig>,
    /// What it was built from.
    pub setup: Setup,
    /// Everything that was sent.
    pub trace: Trace,
    /// What the client sends from now on, if that is wanted.
    pub captured: Option<Vec<Vec<u8>>>,
    /// Every datagram that was sent, from where to where, if they are kept.
    pub wire: Option<Vec<(SocketAddr, SocketAddr, Vec<u8>)>>,
    /// Addresses that nothing comes from or gets to.
    pub dead: Vec<SocketAddr>,
    /// Probability that a datagram joins the one before it in a train, if it can.
    pub coalesce: f64,
    now: Instant,
    random: Random,
    links: [LinkState; 2],
    on_the_way: BTreeMap<(Instant, u64), Datagram>,
    datagrams: u64,
    outgoing: Vec<Outgoing>,
    /// The first and the last datagram with a long header that the client, and the server, sent.
    long: [Option<[Vec<u8>; 2]>; 2],
    millisecond: u64,
    steps: u32,
    /// After the ends, whose last words it waits for.
    #[cfg(feature = "qlog")]
    #[expect(dead_code, reason = "it acts when it is dropped")]
    logs: FailureLogs,
}

/// A datagram on its way.
#[derive(Debug)]
struct Datagram {
    by: Side,
    from: SocketAddr,
    to: SocketAddr,
    ecn: Option<EcnCodepoint>,
    payload: Vec<u8>,
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
        let (setup, logs) = FailureLogs::of(setup);
        let mut random = Random::new(setup.seed, 0);
        let client = Endpoint::new(CLIENT, setup.client_endpoint.clone(), random.seed(), START);
        let mut server = Endpoint::new(SERVER, setup.server_endpoint.clone(), random.seed(), START);
        server.listen(setup.server_config());
        Self {
            client,
            server,
            to_server: setup.to_server.clone(),
            to_client: setup.to_client.clone(),
            client_config: setup.client_config(),
            trace: Trace::default(),
            captured: None,
            wire: None,
            dead: Vec::new(),
            coalesce: 0.5,
            now: START,
            random,
            links: [1, 2].map(|stream| LinkState::new(Random::new(setup.seed, stream))),
            on_the_way: BTreeMap::new(),
            datagrams: 0,
            outgoing: Vec::new(),
            long: [None, None],
            millisecond: 0,
            steps: 0,
            #[cfg(feature = "qlog")]
            logs,
            setup,
        }
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.now - START
    }

    /// One of the ends.
    pub fn end(&mut self, side: Side) -> &mut Endpoint {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// A new server in place of the old one, of which nothing is left but its configuration.
    pub fn restart_server(&mut self) {
        let config = self.setup.server_endpoint.clone();
        self.server = Endpoint::new(self.server.address, config, self.random.seed(), self.now);
        self.server.listen(self.setup.server_config());
    }

    /// Opens a connection, and leaves it there.
    pub fn start(&mut self) -> ConnectionHandle {
        let (server, config) = (self.server.address, Arc::clone(&self.client_config));
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
        mut condition: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let end = self.now + within;
        self.settle();
        while !condition(self) {
            if !self.step_until(end) {
                return condition(self);
            }
        }
        true
    }

    /// Runs until `condition` holds, and fails the test if it does not within this time.
    #[track_caller]
    pub fn wait(&mut self, what: &str, within: Duration, condition: impl FnMut(&mut Self) -> bool) {
        let start = self.now;
        let done = self.run_until(within, condition);
        assert!(
            done,
            "not {what} within {within:?} from {:?} on; lost: client {:?}, server {:?}",
            start - START,
            self.client.lost,
            self.server.lost,
        );
    }

    /// Runs for some time.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step_until(end) {}
    }

    /// Runs until nothing is left to happen, for at most an hour.
    pub fn run_to_end(&mut self) {
        self.run_for(Duration::from_hours(1));
        assert!(self.next().is_none(), "something is still due");
    }

    /// What has to happen now does, then what comes next, if that is not after `end`. Returns
    /// whether there was anything; if not, it is `end` now.
    pub fn step_until(&mut self, end: Instant) -> bool {
        self.settle();
        let next = self.next().filter(|next| *next <= end);
        self.pass_time(next.unwrap_or(end));
        if next.is_none() {
            return false;
        }
        self.handle_timeout(Side::Client);
        self.handle_timeout(Side::Server);
        self.deliver();
        self.settle();
        true
    }

    /// Does what is due at one end. One timer may make another one due, but not without end.
    fn handle_timeout(&mut self, side: Side) {
        let now = self.now;
        let is_due =
            |pair: &mut Self| pair.end(side).sockets.poll_timeout().is_some_and(|at| at <= now);
        for turn in 0.. {
            if !is_due(self) {
                return;
            }
            assert!(
                turn < TIMEOUTS_AT_ONCE,
                "{side:?} is still due after {turn} timeouts were handled at {:?}",
                self.elapsed(),
            );
            self.end(side).sockets.handle_timeout(now);
            self.settle_end(side);
        }
    }

    fn next(&self) -> Option<Instant> {
        let arrival = self.on_the_way.keys().next().map(|key| key.0);
        let deadlines = [self.client.sockets.poll_timeout(), self.server.sockets.poll_timeout()];
        arrival.into_iter().chain(deadlines.into_iter().flatten()).min()
    }

    fn pass_time(&mut self, to: Instant) {
        self.now = self.now.max(to);
        (self.client.now, self.server.now) = (self.now, self.now);
        let millisecond = self.now.as_nanos() / 1_000_000;
        self.steps = if millisecond == self.millisecond { self.steps + 1 } else { 0 };
        self.millisecond = millisecond;
        assert!(
            self.steps < STEPS_PER_MILLISECOND,
            "polled without end at {:?}; due: client {:?}, server {:?}",
            self.elapsed(),
            self.client.sockets.poll_timeout(),
            self.server.sockets.poll_timeout(),
        );
    }

    /// Hands over what arrives now, neighbours of a kind sometimes as a train.
    fn deliver(&mut self) {
        while let Some(mut first) = self.pop_arrival(|_| true) {
            let length = first.payload.len();
            let mut last = length;
            while last == length && self.random.chance(self.coalesce) {
                let joins = |next: &Datagram| {
                    (next.by, next.from, next.to, next.ecn)
                        == (first.by, first.from, first.to, first.ecn)
                        && (1..=length).contains(&next.payload.len())
                };
                let Some(next) = self.pop_arrival(joins) else { break };
                last = next.payload.len();
                first.payload.extend_from_slice(&next.payload);
            }
            let train = (first.payload.len() > length).then_some(length);
            let to = self.end(!first.by);
            to.handle_datagram((first.from, first.to), first.ecn, &mut first.payload, train);
        }
    }

    fn pop_arrival(&mut self, accept: impl FnOnce(&Datagram) -> bool) -> Option<Datagram> {
        let entry = self.on_the_way.first_entry()?;
        (entry.key().0 <= self.now && accept(entry.get())).then(|| entry.remove())
    }

    /// Lets both ends do and send what they have to now.
    pub fn settle(&mut self) {
        self.settle_end(Side::Client);
        self.settle_end(Side::Server);
    }

    fn settle_end(&mut self, side: Side) {
        for batch in 0.. {
            assert!(batch < BATCHES_AT_ONCE, "{side:?} sends without end at {:?}", self.elapsed());
            let mut outgoing = std::mem::take(&mut self.outgoing);
            let end = self.end(side);
            let any = end.handle_events() | end.poll_transmit(&mut outgoing);
            outgoing.drain(..).for_each(|datagram| self.send(side, datagram));
            self.outgoing = outgoing;
            if !any {
                return;
            }
        }
    }

    fn send(&mut self, by: Side, datagram: Outgoing) {
        let Outgoing { from, to, mut ecn, mut payload } = datagram;
        if let (Side::Client, Some(captured)) = (by, &mut self.captured) {
            captured.push(payload.clone());
        }
        let [to_server, to_client] = &mut self.links;
        let (link, state) = match by {
            Side::Client => (&self.to_server, to_server),
            Side::Server => (&self.to_client, to_client),
        };
        let (length, hash) = (payload.len(), hash(&payload));
        let first_byte = payload.first().copied().unwrap_or_default();
        let mut head = [0; 26];
        head.iter_mut().zip(&payload).for_each(|(to, from)| *to = *from);
        let version = payload
            .get(1..5)
            .filter(|_| first_byte & 0x80 != 0)
            .and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)));
        if version.is_some() {
            let [client, server] = &mut self.long;
            let long = if by == Side::Client { client } else { server };
            let [_, last] = long.get_or_insert_with(|| [payload.clone(), Vec::new()]);
            last.clone_from(&payload);
        }
        let mark = ecn;
        let arrivals = state.send(link, self.now, &mut payload, &mut ecn);
        let is_dead = self.dead.contains(&from) || self.dead.contains(&to);
        let arrivals = if is_dead { [None; 2] } else { arrivals };
        let arrives = arrivals[0].is_some();
        let at = self.now;
        let sent = Sent { at, by, length, hash, arrives, first_byte, head, ecn: mark, version };
        self.trace.sent.push(sent);
        if let Some(wire) = &mut self.wire {
            wire.push((from, to, payload.clone()));
        }
        for at in arrivals.into_iter().flatten() {
            self.datagrams += 1;
            let datagram = Datagram { by, from, to, ecn, payload: payload.clone() };
            self.on_the_way.insert((at, self.datagrams), datagram);
        }
    }

    /// What the link did so far to what `side` sent.
    pub fn link_statistics(&self, side: Side) -> LinkStatistics {
        let [to_server, to_client] = &self.links;
        match side {
            Side::Client => to_server.statistics,
            Side::Server => to_client.statistics,
        }
    }

    /// Lets connections that the client opens from now on use this controller.
    pub fn use_congestion(&mut self, congestion: CongestionAlgorithm) {
        self.setup.client_transport.congestion = congestion;
        self.client_config = self.setup.client_config();
    }

    /// Retry packets that the server sent (RFC 9000 §17.2.5).
    pub fn retries_sent(&self) -> usize {
        self.trace.by(Side::Server).filter(|sent| sent.is_retry()).count()
    }

    /// The first datagram with a long header that an end sent.
    pub fn first_from(&self, side: Side) -> Vec<u8> {
        let [first, _] = self.long_from(side);
        first
    }

    /// The last datagram with a long header that an end sent.
    pub fn last_from(&self, side: Side) -> Vec<u8> {
        let [_, last] = self.long_from(side);
        last
    }

    fn long_from(&self, side: Side) -> [Vec<u8>; 2] {
        let [client, server] = &self.long;
        let long = if side == Side::Client { client } else { server };
        long.clone().expect("a datagram was sent")
    }

    /// Lets a datagram arrive at one end, at this address of it, after the time that the link takes.
    pub fn send_from_elsewhere(
        &mut self,
        to_end: Side,
        (from, to): (SocketAddr, SocketAddr),
        payload: &[u8],
        delay: Duration,
    ) {
        self.datagrams += 1;
        let (at, payload) = (self.now + delay, payload.to_vec());
        let datagram = Datagram { by: !to_end, from, to, ecn: None, payload };
        self.on_the_way.insert((at, self.datagrams), datagram);
    }

    /// Lets a datagram arrive at one end that nobody sent.
    pub fn inject(&mut self, at: Side, from: SocketAddr, payload: &[u8]) {
        let mut payload = payload.to_vec();
        let end = self.end(at);
        let to = end.address;
        end.handle_datagram((from, to), None, &mut payload, None);
        self.settle();
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to play this again: QUIC_SEED={}", self.setup.seed);
        }
    }
}

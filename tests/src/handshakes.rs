//! Handshakes over links that lose, duplicate, reorder, delay, corrupt and cut: each is completed, or
//! ends with an error that says why, and nothing is left of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use quic_core::{
    AddressValidation, ConnectionError, ConnectionHandle, Direction, Multiplexer as _,
    PacketHandlerManager as _, QUIC_V2, Side, StreamId, TransportErrorCode,
};
use quic_sim::network::{Bursts, Link, Random};
use quic_sim::null_tls::NullTls;
use quic_sim::pair::{Pair, Setup};

/// One of so many handshakes has TLS as it is used outside of tests.
const RUSTLS: u64 = 64;
/// How long links are bad in cases that are patient; then they pass everything.
const BAD: Duration = Duration::from_mins(1);
/// Timeouts in cases that are patient.
const PATIENCE: Duration = Duration::from_mins(30);
/// How long the usual timeouts leave both ends, at most.
const USUAL: Duration = Duration::from_mins(2);

/// How a handshake ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Both ends were connected after this time.
    Connected(Duration),
    /// The client gave up, or was told to.
    Lost,
}

/// What is drawn for a handshake.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "drawn independently of each other")]
struct Case {
    seed: u64,
    rustls: bool,
    /// Has timeouts that are longer than links are bad, so that it has to be completed.
    patient: bool,
    validates: bool,
    early_version_2: bool,
    ids: [usize; 2],
    client_hello: usize,
    certificate: usize,
    /// Bytes that the client sends.
    bytes: usize,
    closed_by: Side,
    links: [Link; 2],
}

impl Case {
    fn new(seed: u64) -> Self {
        let random = &mut Random::new(seed, 42);
        let up = link(random);
        let down = if random.chance(0.5) { up.clone() } else { link(random) };
        let (most_hello, most_certificate) = (
            if random.chance(0.2) { 4000 } else { 900 },
            if random.chance(0.3) { 9000 } else { 2000 },
        );
        Self {
            seed,
            rustls: seed % RUSTLS == RUSTLS - 1,
            patient: random.chance(0.5),
            validates: random.chance(0.25),
            early_version_2: random.chance(0.25),
            ids: [if random.chance(0.2) { 0 } else { 8 }, 4 + below(random, 17)],
            client_hello: 200 + below(random, most_hello),
            certificate: 300 + below(random, most_certificate),
            bytes: below(random, 5000),
            closed_by: if random.chance(0.7) { Side::Client } else { Side::Server },
            links: [up, down],
        }
    }

    fn setup(&self) -> Setup {
        let mut setup = if self.rustls {
            Setup::with_rustls(self.seed)
        } else {
            let tls = Arc::new(NullTls {
                client_hello_length: self.client_hello,
                certificate_length: self.certificate,
                ..NullTls::default()
            });
            Setup::with_tls(self.seed, tls.clone(), tls)
        };
        [setup.to_server, setup.to_client] = self.links.clone();
        [setup.client_endpoint.connection_id_length, setup.server_endpoint.connection_id_length] =
            self.ids;
        if self.validates {
            setup.validation = AddressValidation::Always;
        }
        if self.early_version_2 {
            setup.version = QUIC_V2;
        }
        if self.patient {
            setup = setup.transport(|transport| {
                transport.handshake_timeout = PATIENCE;
                transport.max_idle_timeout = Some(PATIENCE);
            });
        }
        setup
    }
}

fn below(random: &mut Random, limit: u64) -> usize {
    usize::try_from(random.below(limit)).expect("a small number")
}

fn millis(random: &mut Random, limit: u64) -> Duration {
    Duration::from_millis(random.below(limit))
}

/// A probability of so many parts of a hundred, at most, in half of the cases; otherwise 0.
fn rarely(random: &mut Random, percent: u64) -> f64 {
    let most = if random.chance(0.5) { percent } else { 0 };
    random.below(most + 1) as f64 / 100.0
}

fn link(random: &mut Random) -> Link {
    let mut link = Link {
        delay: millis(random, 100),
        jitter: millis(random, 20),
        loss: (1 + random.below(30)) as f64 / 100.0,
        duplicate: rarely(random, 20),
        reorder: rarely(random, 20),
        corrupt: rarely(random, 5),
        truncate: rarely(random, 2),
        ..Link::default()
    };
    if random.chance(0.4) {
        // The same loss on average, and much more at times.
        let (loss, end) = (0.5 + random.below(51) as f64 / 100.0, 0.1 + rarely(random, 60));
        link.bursts = Some(Bursts { begin: end * link.loss, end, loss });
        link.loss = 0.0;
    }
    if random.chance(0.3) {
        link.rate_bytes_per_second = Some(5_000 + random.below(200_000));
        link.queue_bytes = 3_000 + random.below(60_000);
    }
    link
}

/// A handshake while it is played.
struct Run {
    case: Case,
    pair: Pair,
    client: ConnectionHandle,
}

/// Plays the handshake that follows from `seed`.
///
/// # Errors
/// What it should not have done.
pub fn play(seed: u64) -> Result<Outcome, String> {
    let case = Case::new(seed);
    let mut pair = case.setup().build();
    pair.network.trace.keep = false;
    let client = pair.start();
    let mut run = Run { case, pair, client };
    let outcome = run.shake_hands().and_then(|outcome| {
        if outcome != Outcome::Lost {
            run.transfer()?;
        }
        run.end()?;
        Ok(outcome)
    });
    outcome.map_err(|why| format!("seed {seed}: {why}; {run:?}"))
}

impl Run {
    /// The client's error, if it has one by now.
    fn error(&self) -> Option<&ConnectionError> {
        self.pair.client.lost.get(&self.client)
    }

    fn shake_hands(&mut self) -> Result<Outcome, String> {
        let is_done = |pair: &mut Pair| {
            let connected = [&pair.client, &pair.server].map(|end| !end.connected.is_empty());
            connected == [true, true] || !pair.client.lost.is_empty()
        };
        let done = self.wait(is_done);
        match self.error() {
            None if done => Ok(Outcome::Connected(self.pair.elapsed())),
            None => Err("it neither succeeds nor fails".to_owned()),
            Some(error) if self.is_to_be_expected(error) => Ok(Outcome::Lost),
            Some(error) => Err(format!("the client says: {error}")),
        }
    }

    /// Runs until something holds: for as long as links are bad, then as they should be.
    fn wait(&mut self, mut condition: impl FnMut(&mut Pair) -> bool) -> bool {
        if !self.case.patient {
            return self.pair.run_until(USUAL, condition);
        }
        if self.pair.run_until(BAD, &mut condition) {
            return true;
        }
        for link in self.pair.links() {
            *link = Link { delay: link.delay, ..Link::default() };
        }
        // The wait for an answer that was lost doubles each time (RFC 9002 §6.2).
        self.pair.run_until(4 * BAD, condition)
    }

    /// Whether links like these can make the client end so.
    fn is_to_be_expected(&self, error: &ConnectionError) -> bool {
        match error {
            ConnectionError::HandshakeTimedOut | ConnectionError::TimedOut => !self.case.patient,
            // The server had given up already.
            ConnectionError::Reset => !self.case.patient,
            // The token of its Retry came too late.
            ConnectionError::ConnectionClosed(close) => {
                self.case.validates && close.code == TransportErrorCode::INVALID_TOKEN
            }
            _ => false,
        }
    }

    fn transfer(&mut self) -> Result<(), String> {
        let bytes = vec![7; self.case.bytes];
        let id = self.pair.client.send_all(self.client, Direction::Unidirectional, bytes);
        let server = *self.pair.server.connected.last().expect("it is connected");
        let has_come = |pair: &mut Pair| pair.server.is_finished(server, id);
        let done = self.wait(|pair| has_come(pair) || !pair.client.lost.is_empty());
        match self.error() {
            None if done => self.compare(server, id),
            None => Err("what the client sent does not come".to_owned()),
            Some(error) if self.is_to_be_expected(error) => Ok(()),
            Some(error) => Err(format!("the client says after the handshake: {error}")),
        }
    }

    fn compare(&self, server: ConnectionHandle, id: StreamId) -> Result<(), String> {
        let received = self.pair.server.received(server, id);
        let is_whole = received.len() == self.case.bytes && received.iter().all(|byte| *byte == 7);
        if is_whole { Ok(()) } else { Err(format!("other {} bytes came", received.len())) }
    }

    /// Closes what is left, and sees that nothing remains.
    fn end(&mut self) -> Result<(), String> {
        let pair = &mut self.pair;
        let end = pair.end(self.case.closed_by);
        for handle in end.connected.clone() {
            if !end.lost.contains_key(&handle) {
                end.close(handle, 0, b"done");
            }
        }
        pair.run_to_end();
        let lost = pair.client.lost.values().chain(pair.server.lost.values());
        for error in lost {
            let is_clear = matches!(
                error,
                ConnectionError::LocallyClosed
                    | ConnectionError::ApplicationClosed(_)
                    | ConnectionError::ConnectionClosed(_)
                    | ConnectionError::HandshakeTimedOut
                    | ConnectionError::TimedOut
                    | ConnectionError::Reset
            );
            if !is_clear {
                return Err(format!("somebody says: {error}"));
            }
        }
        let client = self.client;
        for end in [&mut pair.client, &mut pair.server] {
            let handles: Vec<_> = end.attempts.iter().copied().chain([client]).collect();
            if handles.iter().any(|handle| end.manager().cell(*handle).is_some()) {
                return Err(format!("a connection of {:?} is left", end.host));
            }
            if let Some(at) = end.sockets.poll_timeout() {
                return Err(format!("{:?} waits until {at:?}", end.host));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pair { client, server, .. } = &self.pair;
        f.debug_struct("Run")
            .field("case", &self.case)
            .field("elapsed", &self.pair.elapsed())
            .field("connected", &[client.connected.len(), server.connected.len()])
            .field("lost", &[&client.lost, &server.lost])
            .finish_non_exhaustive()
    }
}

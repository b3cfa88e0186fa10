//! What congestion controllers make of links, as a table and as promises.
//!
//! `cargo test -p tests --test links -- --nocapture` prints the tables; with `QUIC_WRITE_DOCS=1`
//! in the environment, it writes them into `docs/congestion.md`, too.
#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code, which panics where something is wrong"
)]

mod alone;
mod document;
mod shared;

use std::time::Duration;

use quic_core::CongestionAlgorithm;
use quic_sim::network::{Bursts, Link};
use quic_sim::pair::Setup;

/// A controller by its name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Controller {
    Cubic,
    NewReno,
    Bbr,
}

const CONTROLLERS: [Controller; 3] = [Controller::Cubic, Controller::NewReno, Controller::Bbr];

impl Controller {
    fn algorithm(self) -> CongestionAlgorithm {
        match self {
            Self::Cubic => CongestionAlgorithm::Cubic,
            Self::NewReno => CongestionAlgorithm::NewReno,
            Self::Bbr => CongestionAlgorithm::Bbr,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Cubic => "CUBIC",
            Self::NewReno => "NewReno",
            Self::Bbr => "BBRv3",
        }
    }
}

/// A link from the client to the server that is a bottleneck.
#[derive(Clone, Copy, Debug)]
struct Bottleneck {
    name: &'static str,
    megabits: u64,
    round_trip: Duration,
    /// Its queue, in percent of what the link holds in a round trip.
    queue_percent: u64,
    loss: f64,
    bursts: Option<Bursts>,
}

const CLEAN: Bottleneck = Bottleneck {
    name: "clean: 20 Mbit/s, 40 ms",
    megabits: 20,
    round_trip: Duration::from_millis(40),
    queue_percent: 100,
    loss: 0.0,
    bursts: None,
};

const LOSSY: Bottleneck = Bottleneck { name: "1 % random loss", loss: 0.01, ..CLEAN };

/// 0.6 % in all, in bursts of 5 datagrams or so.
const BURSTY: Bottleneck = Bottleneck {
    name: "bursts of loss",
    bursts: Some(Bursts { begin: 0.0012, end: 0.1, loss: 0.5 }),
    ..CLEAN
};

const SHALLOW: Bottleneck =
    Bottleneck { name: "shallow queue: 50 % BDP", queue_percent: 50, ..CLEAN };

/// Shorter than what a controller that halves its window leaves of it: such a link runs empty.
const TINY: Bottleneck = Bottleneck { name: "tiny queue: 20 % BDP", queue_percent: 20, ..CLEAN };

const LONG: Bottleneck =
    Bottleneck { name: "200 ms", round_trip: Duration::from_millis(200), ..CLEAN };

const LINKS: [Bottleneck; 6] = [CLEAN, LOSSY, BURSTY, SHALLOW, TINY, LONG];

impl Bottleneck {
    /// Whether nothing is lost but what the queue has no room for.
    fn loses_nothing(&self) -> bool {
        self.loss == 0.0 && self.bursts.is_none()
    }

    /// What a controller can make of the link that halves its window whenever the queue is full,
    /// and adds the same to it each round trip: a queue shorter than half of the window runs empty
    /// meanwhile. A share of what the link carries, headers and all.
    fn ceiling_of_halving(&self) -> f64 {
        let queue = (self.queue_percent.min(100) as f64) / 100.0;
        let time_below_rate = (1.0 - queue) / (1.0 + queue);
        1.0 - time_below_rate * (1.0 - queue) / 4.0
    }

    fn bytes_per_second(&self) -> u64 {
        self.megabits * 1_000_000 / 8
    }

    fn setup(&self, seed: u64) -> Setup {
        let mut setup = Setup::new(seed);
        let rate = self.bytes_per_second();
        let nanos = u128::from(rate) * self.round_trip.as_nanos();
        let product = u64::try_from(nanos / 1_000_000_000).unwrap();
        let delay = self.round_trip / 2;
        setup.to_client = Link { delay, ..Link::default() };
        setup.to_server = Link {
            delay,
            rate_bytes_per_second: Some(rate),
            queue_bytes: product * self.queue_percent / 100,
            loss: self.loss,
            bursts: self.bursts,
            ..Link::default()
        };
        setup
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

//! What is sent is spread (RFC 9002 §7.7), as seen from the network.

use std::collections::VecDeque;
use std::time::Duration;

use quic_core::{CongestionAlgorithm, ConnectionHandle, Direction, Instant, Side};
use quic_sim::network::Random;
use quic_sim::pair::{Pair, Setup};
use quic_sim::seeds::seeds;

use super::{millis, noise, seconds};

/// Whatever may be sent at once, however slow the path is: the initial window, and what needs no
/// permission, as acknowledgments.
const BURST: u64 = 10 * 1452 + 3000;

/// The largest window and the smallest round-trip time of a run.
#[derive(Clone, Copy, Debug)]
struct Extremes {
    window: u64,
    rtt: Duration,
}

impl Extremes {
    /// The most bytes that may be sent in this time: a burst, and twice the window in each
    /// round-trip time, as in slow start. BBR starts faster, with 2.77 times the window.
    fn most(self, time: Duration) -> u64 {
        let allowed = |time: Duration| {
            let times_a_thousand = 2800 * u128::from(self.window) * time.as_nanos();
            (times_a_thousand / 1000 / self.rtt.as_nanos()) as u64
        };
        // A burst may be of two milliseconds.
        BURST.max(allowed(millis(2)) + 3000) + allowed(time)
    }
}

/// A client that sends by fits and starts, so that its window opens while it has nothing to send.
fn by_fits_and_starts(
    seed: u64,
    congestion: CongestionAlgorithm,
    pacing: bool,
) -> (Pair, Extremes) {
    let random = &mut Random::new(seed, 28);
    let mut setup = Setup::new(seed).link(|link| link.delay = millis(10 + seed % 8 * 10));
    setup.client_transport.congestion = congestion;
    setup.client_transport.pacing = pacing;
    let mut pair = setup.build();
    let (client, _) = pair.connect();
    pair.run_for(seconds(1));
    pair.network.trace.sent.clear();
    let mut extremes = Extremes { window: 0, rtt: Duration::MAX };
    for _ in 0..12 {
        let bytes = noise(20_000 + random.below(200_000) as usize, seed);
        pair.client.send_all(client, Direction::Unidirectional, bytes);
        let end = pair.now() + millis(300 + random.below(500));
        while pair.step_until(end) {
            extremes.see(&mut pair, client);
        }
    }
    (pair, extremes)
}

impl Extremes {
    fn see(&mut self, pair: &mut Pair, client: ConnectionHandle) {
        let told = pair.client.with(client, |c| c.statistics());
        self.window = self.window.max(told.congestion_window);
        self.rtt = self.rtt.min(told.rtt);
    }
}

/// The most bytes that the client sent in any window of this length.
fn most_sent(pair: &Pair, window: Duration) -> u64 {
    let (mut inside, mut bytes, mut most) = (VecDeque::<(Instant, u64)>::new(), 0, 0);
    for sent in pair.network.trace.by(Side::Client) {
        inside.push_back((sent.at, sent.length as u64));
        bytes += sent.length as u64;
        while inside.front().is_some_and(|(at, _)| sent.at - *at > window) {
            bytes -= inside.pop_front().map_or(0, |(_, length)| length);
        }
        most = most.max(bytes);
    }
    most
}

const WINDOWS: [Duration; 4] = [Duration::ZERO, millis(1), millis(5), millis(20)];

#[test]
fn no_window_of_time_holds_more_than_a_burst_and_what_the_rate_allows() {
    for congestion in
        [CongestionAlgorithm::Cubic, CongestionAlgorithm::NewReno, CongestionAlgorithm::Bbr]
    {
        for seed in seeds(8) {
            let (pair, extremes) = by_fits_and_starts(seed, congestion.clone(), true);
            for window in WINDOWS {
                let (sent, most) = (most_sent(&pair, window), extremes.most(window));
                assert!(sent <= most, "{congestion:?}, seed {seed}: {sent} > {most} in {window:?}");
            }
        }
    }
}

#[test]
fn without_pacing_whole_windows_leave_at_once() {
    let (pair, extremes) = by_fits_and_starts(1, CongestionAlgorithm::Cubic, false);
    assert!(most_sent(&pair, Duration::ZERO) > extremes.most(Duration::ZERO));
}

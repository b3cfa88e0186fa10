use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::TransportConfig;
use crate::crypto::{KeyedHash, SeededRandom};
use crate::instant::Instant;
use crate::wire::Side;

const INITIAL: u64 = 1000;
const RTT: Duration = Duration::from_millis(50);

/// Streams whose application reads as fast as the peer sends.
struct Reader {
    streams: Streams,
    now: Instant,
}

impl Reader {
    fn new() -> Self {
        let config = TransportConfig {
            receive_window: INITIAL,
            max_receive_window: 1 << 20,
            ..TransportConfig::default()
        };
        let hash = KeyedHash::new(&mut SeededRandom::from_seed([1; 32]));
        let streams = Streams::new(Side::Server, &Arc::new(config), hash);
        Self { streams, now: Instant::EPOCH + RTT }
    }

    fn window(&self) -> u64 {
        self.streams.window.window()
    }

    /// Reads all that the peer may send, within a round trip, and settles.
    fn read(&mut self, budget: &mut ReceiveBudget) {
        let streams = &mut self.streams;
        let bytes = streams.window.promised();
        streams.window.consume(bytes);
        let wanted = streams.window.wanted(self.now, RTT).min(streams.config.max_receive_window);
        let permitted = streams.allowance.permit(wanted, INITIAL);
        streams.window.raise(self.now, RTT, permitted);
        streams.share_receive_budget(budget);
        streams.window.raise(self.now, RTT, permitted);
        self.now += RTT;
    }
}

#[test]
fn one_connection_may_use_all_of_it_and_gives_all_back() {
    let mut budget = ReceiveBudget::new(64_000);
    let mut reader = Reader::new();
    (0..20).for_each(|_| reader.read(&mut budget));
    assert_eq!(reader.window(), INITIAL + 64_000);
    assert_eq!(budget.left, 0);
    reader.streams.return_receive_budget(&mut budget);
    assert_eq!((budget.left, budget.sharers), (64_000, 0));
}

#[test]
fn no_more_is_promised_than_the_budget_and_the_initial_windows() {
    let mut budget = ReceiveBudget::new(64_000);
    let mut readers: Vec<_> = (0..5).map(|_| Reader::new()).collect();
    for round in 0..200 {
        // They start one after the other.
        for reader in readers.iter_mut().take(1 + round / 20) {
            reader.read(&mut budget);
        }
        let promised: u64 = readers.iter().map(|reader| reader.streams.window.promised()).sum();
        assert!(promised <= 64_000 + 5 * INITIAL, "{promised} in round {round}");
        assert!(readers.iter().all(|reader| reader.window() >= INITIAL));
    }
}

#[test]
fn who_comes_late_gets_an_equal_share() {
    let mut budget = ReceiveBudget::new(64_000);
    let mut early = Reader::new();
    (0..20).for_each(|_| early.read(&mut budget));
    let mut late = Reader::new();
    for _ in 0..30 {
        early.read(&mut budget);
        late.read(&mut budget);
    }
    assert_eq!(early.window(), INITIAL + 32_000);
    assert_eq!(late.window(), INITIAL + 32_000);
}

#[test]
fn an_unlimited_budget_bounds_nothing() {
    let mut budget = ReceiveBudget::new(u64::MAX);
    let mut reader = Reader::new();
    (0..20).for_each(|_| reader.read(&mut budget));
    assert_eq!(reader.window(), 1 << 20);
}

#[test]
fn those_who_rest_do_not_keep_the_others_small() {
    let mut budget = ReceiveBudget::new(640_000);
    let mut resting: Vec<_> = (0..63).map(|_| Reader::new()).collect();
    for reader in &mut resting {
        (0..3).for_each(|_| reader.read(&mut budget));
        assert!(reader.window() > INITIAL);
    }
    let before = budget.left;
    let mut busy = Reader::new();
    (0..20).for_each(|_| busy.read(&mut budget));
    assert_eq!(busy.window() - INITIAL, before - 640_000 / RESERVED_DIVISOR);
    // As soon as the others want more, it gives back.
    for _ in 0..40 {
        for reader in &mut resting {
            reader.read(&mut budget);
        }
        busy.read(&mut budget);
    }
    let share = 640_000 / 64;
    let least = resting.iter().map(Reader::window).min().unwrap();
    assert!(busy.window() <= INITIAL + 2 * share && least >= INITIAL + share / 2, "{least}");
}

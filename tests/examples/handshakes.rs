//! Handshakes over bad links, as many as it is told to: `cargo run --release -p tests --example
//! handshakes -- 1000000`. `QUIC_SEED` plays one of them again.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that reports")]

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use quic_sim::seeds::seeds;
use quic_tests::handshakes::{Outcome, play};

/// Handshakes that are played if nobody says how many.
const HANDSHAKES: u64 = 10_000;
/// Threads that play them.
const THREADS: usize = 2;
/// Seeds that a thread takes at a time.
const BATCH: u64 = 250;
/// How often it is said how far it has come, in seeds.
const PROGRESS: u64 = 50_000;

/// What became of handshakes.
#[derive(Debug, Default)]
struct Tally {
    connected: u64,
    lost: u64,
    failed: u64,
    slowest: Duration,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.connected += other.connected;
        self.lost += other.lost;
        self.failed += other.failed;
        self.slowest = self.slowest.max(other.slowest);
    }

    fn count(&mut self, seed: u64) {
        match panic::catch_unwind(AssertUnwindSafe(|| play(seed))) {
            Ok(Ok(Outcome::Connected(after))) => {
                self.connected += 1;
                self.slowest = self.slowest.max(after);
            }
            Ok(Ok(Outcome::Lost)) => self.lost += 1,
            Ok(Err(why)) => {
                self.failed += 1;
                println!("{why}");
            }
            // The panic has said why, and which seed.
            Err(_) => self.failed += 1,
        }
    }
}

fn main() {
    let wanted = env::args().nth(1).map(|number| number.parse().unwrap());
    let range = seeds(wanted.unwrap_or(HANDSHAKES));
    let (start, next) = (Instant::now(), AtomicU64::new(range.start));
    let work = || {
        let mut tally = Tally::default();
        loop {
            let first = next.fetch_add(BATCH, Ordering::Relaxed);
            if first >= range.end {
                return tally;
            }
            if first.is_multiple_of(PROGRESS) && first > range.start {
                println!("at seed {first} after {:.0?}", start.elapsed());
            }
            (first..range.end.min(first + BATCH)).for_each(|seed| tally.count(seed));
        }
    };
    let mut all = Tally::default();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            all.add(&thread.join().unwrap());
        }
    });
    println!(
        "seeds {range:?} in {:.0?}: {} connected, the last after {:.1?}; {} gave up, {} failed",
        start.elapsed(),
        all.connected,
        all.slowest,
        all.lost,
        all.failed,
    );
    process::exit(i32::from(all.failed > 0));
}

//! Seeds, and how to play a run again.
//!
//! `QUIC_SEED=… cargo test …` plays one seed, `QUIC_SEEDS=…` more than the usual ones.

use std::cell::Cell;
use std::{env, thread};

/// The seeds to run: as many as the environment variable `QUIC_SEEDS` says, or else `number`; or
/// only the one in the environment variable `QUIC_SEED`.
pub fn seeds(number: u64) -> std::ops::Range<u64> {
    let variable = |name| {
        let value = env::var(name).ok()?;
        Some(value.parse::<u64>().expect("QUIC_SEED and QUIC_SEEDS are numbers"))
    };
    match variable("QUIC_SEED") {
        Some(seed) => seed..seed.saturating_add(1),
        None => 0..variable("QUIC_SEEDS").unwrap_or(number),
    }
}

thread_local! {
    /// Whether the failure that this thread unwinds from was reported.
    static REPORTED: Cell<bool> = const { Cell::new(false) };
}

/// Prints how to play a run again if it is dropped because a test fails: one line, however many of
/// them there are.
#[derive(Debug)]
pub struct Replay {
    seed: u64,
}

impl Replay {
    /// Of a run with this seed.
    pub fn new(seed: u64) -> Self {
        if !thread::panicking() {
            REPORTED.set(false);
        }
        Self { seed }
    }

    /// The command that plays the run again.
    pub fn command(&self) -> String {
        let package = env::var("CARGO_PKG_NAME");
        let package = package.map(|name| format!(" -p {name}")).unwrap_or_default();
        // Threads of tests have their names; one that is not of a test is the main one.
        let thread = thread::current();
        let test = thread.name().filter(|name| *name != "main");
        let test = test.map(|name| format!(" {name}")).unwrap_or_default();
        format!("QUIC_SEED={} cargo test{package}{test}", self.seed)
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        if thread::panicking() && !REPORTED.replace(true) {
            eprintln!("to play this again: {}", self.command());
        }
    }
}

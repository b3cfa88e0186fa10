//! Running until something has happened.

use std::time::Duration;

use quic_core::Instant;

use crate::network::START;

/// Something that runs step by step.
pub(crate) trait Run {
    fn time(&self) -> Instant;
    fn settle_all(&mut self);
    fn step(&mut self, end: Instant) -> bool;
    /// Which connections were lost, and why.
    fn losses(&mut self) -> String;
}

pub(crate) fn run_until<R: Run>(
    run: &mut R,
    within: Duration,
    mut condition: impl FnMut(&mut R) -> bool,
) -> bool {
    let end = run.time() + within;
    run.settle_all();
    while !condition(run) {
        if !run.step(end) {
            return condition(run);
        }
    }
    true
}

#[track_caller]
pub(crate) fn wait<R: Run>(
    run: &mut R,
    what: &str,
    within: Duration,
    condition: impl FnMut(&mut R) -> bool,
) {
    let start = run.time();
    let done = run_until(run, within, condition);
    assert!(
        done,
        "not {what} within {within:?} from {:?} on; lost: {}",
        start - START,
        run.losses(),
    );
}

pub(crate) fn run_for(run: &mut impl Run, duration: Duration) {
    let end = run.time() + duration;
    while run.step(end) {}
}

//! What counts: the parts of a scenario that run inside of [`counted`].

use std::hint::black_box;

use quic_core::Side;

/// Callgrind collects inside of functions whose name matches this: [`counted`], and no other.
pub(crate) const COUNTED: &str = "*meter*counted*";

/// What an end of a connection does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verb {
    /// `connect`, which begins a connection.
    Connect,
    /// `handle_timeout`, and `poll_timeout` before it.
    Timeout,
    /// `handle_datagram`.
    Datagram,
    /// `poll_event`, and what the application does.
    Application,
    /// `poll_transmit`.
    Transmit,
}

/// Counts some parts of a scenario, by the units of work that they do.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    counts: Option<fn(Side, Verb) -> bool>,
    units: u64,
}

impl Meter {
    /// From now on, what `counts` says is counted.
    pub(crate) fn start(&mut self, counts: fn(Side, Verb) -> bool) {
        self.counts = Some(counts);
    }

    /// From now on, nothing is counted. Between [`start`](Self::start) and this, `units` were done.
    pub(crate) fn stop(&mut self, units: u64) {
        self.counts = None;
        self.units += units;
    }

    /// Units that were counted in all.
    pub(crate) fn units(&self) -> u64 {
        self.units
    }

    /// Acts, and counts that if it is to be counted.
    pub(crate) fn part<R>(&self, side: Side, verb: Verb, act: impl FnOnce() -> R) -> R {
        let (mut act, mut result) = (Some(act), None);
        let mut call = || result = act.take().map(|act| act());
        if self.counts.is_some_and(|counts| counts(side, verb)) {
            counted(&mut call);
        } else {
            call();
        }
        result.expect("it was called")
    }
}

/// All that is counted happens in here: a function of its own, not inlined and left by a return.
#[inline(never)]
fn counted(call: &mut dyn FnMut()) {
    call();
    black_box(());
}

//! The timer.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use driver::{Clock, Instant, Timer};

/// Fires when the clock of the system shows a time.
#[derive(Debug)]
pub struct AsyncIoTimer {
    clock: Clock,
    timer: async_io::Timer,
}

impl AsyncIoTimer {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, timer: async_io::Timer::never() }
    }
}

impl Timer for AsyncIoTimer {
    fn reset(&mut self, at: Instant) {
        match self.clock.to_std(at) {
            Some(at) => self.timer.set_at(at),
            // A time that the system cannot tell never comes.
            None => self.timer = async_io::Timer::never(),
        }
    }

    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.timer).poll(cx).map(|_| ())
    }
}

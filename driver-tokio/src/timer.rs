//! The timer.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use driver::{Clock, Instant, Timer};
use tokio::time::{Sleep, sleep_until};

/// Fires when the clock of the system shows a time.
#[derive(Debug)]
pub struct TokioTimer {
    clock: Clock,
    sleep: Pin<Box<Sleep>>,
    /// Whether it was set to a time that tokio cannot tell, which never comes.
    never: bool,
}

impl TokioTimer {
    /// A timer of the runtime that this is called in.
    pub(crate) fn new(clock: Clock) -> Self {
        let sleep = Box::pin(sleep_until(tokio::time::Instant::now()));
        Self { clock, sleep, never: false }
    }
}

impl Timer for TokioTimer {
    fn reset(&mut self, at: Instant) {
        let at = self.clock.to_std(at);
        self.never = at.is_none();
        if let Some(at) = at {
            self.sleep.as_mut().reset(at.into());
        }
    }

    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.never {
            return Poll::Pending;
        }
        self.sleep.as_mut().poll(cx)
    }
}

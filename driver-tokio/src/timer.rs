//! The timer.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system;

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use driver::{Clock, Instant, Timer};
use tokio::time::{Sleep, sleep_until};

#[cfg(any(target_os = "linux", target_os = "android"))]
use self::system::SystemTimer;

/// Fires when the clock of the system shows a time.
///
/// It is one of the system where there are such that a runtime can wait for (Linux): those of tokio
/// know whole milliseconds, and are up to two of them late.
#[derive(Debug)]
pub struct TokioTimer {
    clock: Clock,
    source: Source,
    /// Whether it was set to a time that cannot be told, which never comes.
    never: bool,
}

#[derive(Debug)]
enum Source {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    System(SystemTimer),
    Runtime(Pin<Box<Sleep>>),
}

impl Source {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn new() -> Self {
        // A process may have used up its file descriptors.
        SystemTimer::new().map_or_else(|_| Self::of_runtime(), Self::System)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn new() -> Self {
        Self::of_runtime()
    }

    fn of_runtime() -> Self {
        Self::Runtime(Box::pin(sleep_until(tokio::time::Instant::now())))
    }
}

impl TokioTimer {
    /// A timer of the runtime that this is called in.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, source: Source::new(), never: false }
    }
}

impl Timer for TokioTimer {
    fn reset(&mut self, at: Instant) {
        let at = self.clock.to_std(at);
        self.never = at.is_none();
        let Some(at) = at else { return };
        match &mut self.source {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Source::System(timer) => timer.set(at),
            Source::Runtime(sleep) => sleep.as_mut().reset(at.into()),
        }
    }

    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.never {
            return Poll::Pending;
        }
        match &mut self.source {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Source::System(timer) => timer.poll_fired(cx),
            Source::Runtime(sleep) => sleep.as_mut().poll(cx),
        }
    }
}

#[cfg(test)]
mod tests;

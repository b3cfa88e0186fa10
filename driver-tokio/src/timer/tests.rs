use std::future::poll_fn;
use std::time::Duration;

use super::*;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Both kinds.
fn timers(clock: &Clock) -> [TokioTimer; 2] {
    let of_runtime =
        TokioTimer { clock: clock.clone(), source: Source::of_runtime(), never: false };
    [TokioTimer::new(clock.clone()), of_runtime]
}

async fn fired(timer: &mut TokioTimer) {
    poll_fn(|cx| timer.poll_fired(cx)).await;
}

#[test]
fn a_timer_fires_at_its_time_and_not_before() {
    runtime().block_on(async {
        let clock = Clock::system();
        for mut timer in timers(&clock) {
            for wait in [Duration::from_millis(5), Duration::ZERO, Duration::from_micros(300)] {
                let at = clock.now() + wait;
                timer.reset(at);
                fired(&mut timer).await;
                assert!(clock.now() >= at, "{wait:?}");
            }
        }
    });
}

#[test]
fn a_time_that_is_past_has_come() {
    runtime().block_on(async {
        let clock = Clock::system();
        for mut timer in timers(&clock) {
            timer.reset(clock.now());
            fired(&mut timer).await;
        }
    });
}

#[test]
fn what_a_timer_was_set_to_before_does_not_count() {
    runtime().block_on(async {
        let clock = Clock::system();
        for mut timer in timers(&clock) {
            let begun = clock.now();
            timer.reset(begun);
            // It is ready by now, though nobody asked.
            tokio::task::yield_now().await;
            let at = begun + Duration::from_millis(20);
            timer.reset(at);
            fired(&mut timer).await;
            assert!(clock.now() >= at);
            timer.reset(at + Duration::from_hours(1));
            let pending = poll_fn(|cx| Poll::Ready(timer.poll_fired(cx).is_pending()));
            assert!(pending.await);
        }
    });
}

#[test]
fn a_time_that_no_clock_shows_never_comes() {
    runtime().block_on(async {
        for mut timer in timers(&Clock::system()) {
            timer.reset(Instant::EPOCH + Duration::MAX);
            let pending = poll_fn(|cx| Poll::Ready(timer.poll_fired(cx).is_pending()));
            assert!(pending.await);
        }
    });
}

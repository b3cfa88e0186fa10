use std::future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::{Driver, Elapsed, Tasks, block_on, sleep, spawn, timeout, unblock};

const DRIVERS: [Driver; 2] = [Driver::Tokio, Driver::Smol];

/// Longer than any test takes.
const LONG: Duration = Duration::from_mins(10);

/// Runs it on either driver, on one thread and on three.
fn everywhere<F: Future>(test: impl Fn() -> F) {
    for driver in DRIVERS {
        for threads in [1, 3] {
            block_on(driver, threads, test()).unwrap();
        }
    }
}

#[test]
fn tasks_tell_their_results_as_they_come() {
    everywhere(|| async {
        let mut tasks = Tasks::new();
        for number in [2_u64, 0, 1] {
            tasks.spawn(async move {
                sleep(Duration::from_millis(20 * number)).await;
                number
            });
        }
        let mut results = Vec::new();
        while let Some(result) = tasks.next().await {
            results.push(result.unwrap());
        }
        assert_eq!(results, [0, 1, 2]);
    });
}

/// Counts how many of it live.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn tasks_end_with_those_who_wanted_their_results() {
    everywhere(|| async {
        let living = Arc::default();
        let mut tasks = Tasks::<()>::new();
        for _ in 0..3 {
            let counted = Counted::new(&living);
            tasks.spawn(async move {
                let _counted = counted;
                future::pending::<()>().await;
            });
        }
        drop(tasks);
        while living.load(Ordering::SeqCst) > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn nothing_outlives_the_command() {
    for driver in DRIVERS {
        for threads in [1, 3] {
            let living = Arc::default();
            let counted = Counted::new(&living);
            let command = async {
                spawn(async move {
                    let _counted = counted;
                    future::pending::<()>().await;
                });
                sleep(Duration::from_millis(1)).await;
            };
            block_on(driver, threads, command).unwrap();
            assert_eq!(living.load(Ordering::SeqCst), 0, "{driver:?}, {threads} threads");
        }
    }
}

#[test]
fn one_core_is_one_thread() {
    for driver in DRIVERS {
        let command = async {
            let mut tasks = Tasks::new();
            tasks.spawn(async { thread::current().id() });
            tasks.next().await
        };
        let thread = block_on(driver, 1, command).unwrap();
        assert_eq!(thread, Some(Ok(thread::current().id())), "{driver:?}");
    }
}

#[test]
fn waits_end_in_time() {
    everywhere(|| async {
        assert_eq!(timeout(LONG, async { 1 }).await, Ok(1));
        assert_eq!(timeout(Duration::ZERO, async { 1 }).await, Ok(1));
        let never = future::pending::<()>();
        assert_eq!(timeout(Duration::from_millis(1), never).await, Err(Elapsed));
        let slow = unblock(|| thread::sleep(Duration::from_millis(5)));
        assert_eq!(timeout(LONG, slow).await, Ok(()));
    });
}

#[test]
fn a_command_is_left_alone_while_its_tasks_work() {
    everywhere(|| async {
        let mut tasks = Tasks::new();
        tasks.spawn(async {
            for _ in 0..10_000 {
                smol::future::yield_now().await;
            }
        });
        let mut waiting = pin!(tasks.next());
        let mut polls = 0;
        let done = future::poll_fn(|cx| {
            polls += 1;
            waiting.as_mut().poll(cx)
        });
        assert_eq!(done.await, Some(Ok(())));
        assert!(polls < 5, "{polls} polls");
    });
}

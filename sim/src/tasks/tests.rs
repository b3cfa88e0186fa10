use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use super::*;
use crate::network;

const SECOND: Duration = Duration::from_secs(1);

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<u32>>>);

impl Log {
    fn note(&self, what: u32) {
        self.0.borrow_mut().push(what);
    }

    fn take(&self) -> Vec<u32> {
        self.0.take()
    }
}

/// Counts how many of it there are.
struct Counted(Rc<Cell<usize>>);

impl Counted {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[test]
fn time_stands_still_while_anything_runs_and_then_goes_to_what_is_next() {
    let mut simulation = Simulation::new(1);
    let start = simulation.now();
    let at = simulation.block_on(async {
        let before = now();
        for _ in 0..100 {
            yield_now().await;
        }
        assert_eq!(now(), before);
        sleep(90 * SECOND).await;
        now()
    });
    assert_eq!(at - start, 90 * SECOND);
    assert_eq!(simulation.now(), at);
}

#[test]
fn sleeps_end_in_the_order_of_their_times_and_equal_ones_in_that_of_their_beginnings() {
    let mut simulation = Simulation::new(1);
    let host = simulation.host();
    let log = Log::default();
    for (name, seconds) in [(1, 3), (2, 1), (3, 3), (4, 2), (5, 1)] {
        let log = log.clone();
        host.spawn(async move {
            sleep(seconds * SECOND).await;
            log.note(name);
        });
    }
    simulation.run();
    assert_eq!(log.take(), [2, 5, 4, 1, 3]);
    assert_eq!((simulation.living_tasks(), simulation.timers()), (0, 0));
}

#[test]
fn tasks_run_in_the_order_in_which_they_were_woken_or_in_one_of_the_seeds_own() {
    let run = |seed, shuffled| {
        let mut simulation = Simulation::new(seed);
        if shuffled {
            simulation.shuffle();
        }
        let host = simulation.host();
        let log = Log::default();
        for name in 0..20 {
            let log = log.clone();
            host.spawn(async move { log.note(name) });
        }
        simulation.run();
        (log.take(), simulation.digest())
    };
    let in_order: Vec<u32> = (0..20).collect();
    assert_eq!(run(1, false).0, in_order);
    assert_eq!(run(2, false).0, in_order);
    assert_ne!(run(1, true).0, in_order);
    assert_ne!(run(1, true).0, run(2, true).0);
    assert_eq!(run(1, true), run(1, true));
    assert_ne!(run(1, true).1, run(1, false).1);
}

#[test]
#[should_panic(expected = "nothing is due. QUIC_SEED=7 plays it again")]
fn who_waits_for_nothing_is_told_so_with_the_seed() {
    Simulation::new(7).block_on(pending::<()>());
}

#[test]
#[should_panic(expected = "one on host 0, spawned at sim/src/tasks/tests.rs")]
fn who_is_stuck_is_named() {
    let mut simulation = Simulation::new(7);
    let host = simulation.host();
    host.spawn(pending::<()>());
    simulation.block_on(pending::<()>());
}

#[test]
#[should_panic(expected = "tasks are polled without end")]
fn tasks_that_wake_each_other_without_end_are_found() {
    let mut simulation = Simulation::new(7);
    simulation.block_on(async {
        loop {
            yield_now().await;
        }
    });
}

#[test]
#[should_panic(expected = "it takes too long")]
fn what_takes_too_long_is_found_even_if_something_is_always_due() {
    let mut simulation = Simulation::new(7);
    simulation.set_limit(10 * SECOND);
    simulation.host().spawn(async {
        loop {
            sleep(SECOND).await;
        }
    });
    simulation.block_on(pending::<()>());
}

#[test]
fn a_timeout_drops_what_took_too_long_and_leaves_no_timer() {
    let mut simulation = Simulation::new(1);
    let count = Rc::new(Cell::new(0));
    simulation.block_on(async {
        let start = now();
        let counted = Counted::new(&count);
        let slow = async {
            let _counted = counted;
            pending::<()>().await;
        };
        assert_eq!(timeout(SECOND, slow).await, Err(Elapsed));
        assert_eq!(now() - start, SECOND);
        assert_eq!(count.get(), 0);
        assert_eq!(timeout(SECOND, async { 5 }).await, Ok(5));
    });
    assert_eq!(simulation.timers(), 0);
}

#[test]
fn a_task_gives_its_result_to_who_waits_and_ends_when_it_is_aborted() {
    let mut simulation = Simulation::new(1);
    let host = simulation.host();
    let count = Rc::new(Cell::new(0));
    let counted = Counted::new(&count);
    simulation.block_on(async {
        let five = host.spawn(async {
            sleep(SECOND).await;
            let six = spawn(async { 6 });
            six.await.unwrap() - 1
        });
        assert!(!five.is_finished());
        assert_eq!(five.await, Ok(5));
        let endless = host.spawn(async move {
            let _counted = counted;
            pending::<()>().await;
        });
        yield_now().await;
        endless.abort();
        assert_eq!(endless.await, Err(Aborted));
        assert_eq!(count.get(), 0);
        let never_polled = host.spawn(async {});
        never_polled.abort();
        assert_eq!(never_polled.await, Err(Aborted));
    });
}

#[test]
fn a_task_goes_on_without_its_handle_and_ends_with_the_simulation() {
    let mut simulation = Simulation::new(1);
    let host = simulation.host();
    let (log, count) = (Log::default(), Rc::new(Cell::new(0)));
    let (noted, counted) = (log.clone(), Counted::new(&count));
    drop(host.spawn(async move {
        noted.note(1);
        let _counted = counted;
        pending::<()>().await;
    }));
    let counted = Counted::new(&count);
    simulation.run();
    host.spawn(async { drop(counted) });
    assert_eq!((log.take(), count.get()), (vec![1], 2));
    drop(simulation);
    drop(host);
    assert_eq!(count.get(), 0, "neither what runs nor what has not begun is left");
}

#[test]
fn a_crash_drops_the_tasks_of_a_host_and_no_others() {
    let mut simulation = Simulation::new(1);
    let (first, second) = (simulation.host(), simulation.host());
    let count = Rc::new(Cell::new(0));
    let run = |host: &Host| {
        let counted = Counted::new(&count);
        host.spawn(async move {
            let _counted = counted;
            pending::<()>().await;
        })
    };
    let (dropped, kept) = (run(&first), run(&second));
    simulation.block_on(async {
        sleep(SECOND).await;
        let never_began = run(&first);
        first.crash().await;
        assert_eq!(count.get(), 1);
        assert_eq!(dropped.await, Err(Aborted));
        assert_eq!(never_began.await, Err(Aborted));
        assert!(!kept.is_finished());
        let on_its_own = first.clone();
        let late = first.spawn(async move {
            on_its_own.crash().await;
            unreachable!("it is gone");
        });
        assert_eq!(late.await, Err(Aborted));
        assert_eq!(first.spawn(async { 1 }).await, Ok(1));
    });
}

#[test]
fn the_time_of_a_task_is_that_of_its_hosts_clock() {
    let mut simulation = Simulation::new(1);
    let (fast, jumping, frozen) = (simulation.host(), simulation.host(), simulation.host());
    let start = simulation.now();
    fast.with(|host| host.set_clock_rate(2_000_000));
    let slept = |host: &Host| {
        host.spawn(async {
            let before = now();
            sleep(10 * SECOND).await;
            now() - before
        })
    };
    let (on_fast, on_jumping, on_frozen) = (slept(&fast), slept(&jumping), slept(&frozen));
    simulation.block_on(async {
        assert_eq!(on_fast.await, Ok(10 * SECOND));
        assert_eq!(now() - start, 5 * SECOND);
        frozen.with(network::Host::freeze_clock);
        jumping.with(|host| host.jump(5 * SECOND));
        assert_eq!(on_jumping.await, Ok(10 * SECOND));
        assert_eq!(now() - start, 5 * SECOND);
        sleep(1000 * SECOND).await;
        assert!(!on_frozen.is_finished());
        frozen.with(|host| host.set_clock_rate(1_000_000));
        assert_eq!(on_frozen.await, Ok(10 * SECOND));
        assert_eq!(now() - start, 1010 * SECOND);
    });
}

#[test]
fn nothing_runs_on_a_suspended_host_and_nothing_is_forgotten() {
    let mut simulation = Simulation::new(1);
    let host = simulation.host();
    simulation.block_on(async {
        let task = host.spawn(async {
            sleep(SECOND).await;
            now()
        });
        let start = now();
        yield_now().await;
        host.with(|host| host.suspended = true);
        sleep(60 * SECOND).await;
        assert!(!task.is_finished());
        host.with(|host| host.suspended = false);
        assert_eq!(task.await.map(|at| at - start), Ok(60 * SECOND));
    });
}

#[test]
fn a_task_that_was_woken_many_times_runs_once() {
    let mut simulation = Simulation::new(1);
    simulation.block_on(async {
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            (0..10).for_each(|_| cx.waker().wake_by_ref());
            if polls < 3 { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    });
    assert_eq!(simulation.polls(), 3);
}

#[test]
#[should_panic(expected = "called by what was given to `with_network`")]
fn a_call_from_inside_of_the_network_is_told_and_does_not_hang() {
    let simulation = Simulation::new(1);
    simulation.with_network(|_| simulation.now());
}

#[test]
#[should_panic(expected = "this is called by a task of a simulation")]
fn there_is_no_time_outside_of_tasks() {
    let _: quic_core::Instant = now();
}

//! Runs tasks in virtual time.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use quic_core::Instant;

use super::context::Context;
use super::executor::{TaskId, TaskWaker, Tasks};
use super::host::Host;
use super::join::JoinHandle;
use super::surroundings::Surroundings;
use crate::network::{HostId, Network, Random};
use crate::seeds::Replay;

/// A network with hosts and tasks on them, which run in virtual time on the thread that calls
/// [`block_on`](Self::block_on).
///
/// Time stands still while any task can run, and then goes on to the next arrival or timer. All
/// follows from the seed: with the same seed, the same tasks are polled in the same order at the
/// same times, and send the same datagrams. What the tasks themselves bring in is the exception,
/// like the random numbers of a real TLS, or the order of a `HashMap`.
pub struct Simulation {
    seed: u64,
    tasks: Tasks,
    surroundings: Arc<Surroundings>,
    /// Draws which task is next, if that is wanted.
    shuffle: Option<Random>,
    limit: Duration,
    polls: u64,
    /// Of those, since time passed.
    polls_at_once: u64,
    digest: u64,
    #[expect(dead_code, reason = "it acts when it is dropped")]
    replay: Replay,
}

/// What remains to be done when no task can run.
enum Step {
    /// This happens next.
    Next(Instant),
    /// Nothing will ever happen.
    Nothing,
}

impl Simulation {
    /// A network without hosts, in which everything follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            tasks: Tasks::new(),
            surroundings: Arc::new(Surroundings::new(seed)),
            shuffle: None,
            limit: LIMIT,
            polls: 0,
            polls_at_once: 0,
            digest: seed,
            replay: Replay::new(seed),
        }
    }

    /// Lets tasks that can run at the same time do so in an order that follows from the seed,
    /// instead of the order in which they were woken: who relies on that order fails then.
    pub fn shuffle(&mut self) {
        self.shuffle = Some(Random::new(self.seed, ORDER));
    }

    /// How long something may take, in virtual time, before it is taken for stuck. At first, an
    /// hour.
    pub fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Adds a host to the network. It has a [link](Network::link) to and from every other one, which
    /// passes everything until it is changed.
    pub fn host(&self) -> Host {
        let id = self.with_network(Network::add_host);
        Host::new(id, Arc::clone(&self.surroundings), self.tasks.spawner.clone())
    }

    /// Lets a task run on a host as soon as [`block_on`](Self::block_on) or [`run`](Self::run) is
    /// called.
    #[track_caller]
    pub fn spawn_on<F: Future + 'static>(&self, host: &Host, future: F) -> JoinHandle<F::Output> {
        host.spawn(future)
    }

    /// Lets `act` look at the network and change it. It must not call anything else of the
    /// simulation.
    pub fn with_network<R>(&self, act: impl FnOnce(&mut Network) -> R) -> R {
        self.surroundings.with_network(act)
    }

    /// The time in the network.
    pub fn now(&self) -> Instant {
        self.surroundings.now(None)
    }

    /// Runs everything until `future` comes to its end, which runs on no host but has the time of
    /// the network. Tasks that have not come to theirs wait for the next call.
    ///
    /// # Panics
    /// If nothing is due, so that `future` would wait for ever; if it takes more than the
    /// [limit](Self::set_limit); if tasks are polled without end while no time passes; or if one of
    /// the tasks panics.
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        let main = TaskWaker::new(TaskId::MAIN, &self.tasks.ready);
        let waker = Waker::from(Arc::clone(&main));
        waker.wake_by_ref();
        let end = self.now() + self.limit;
        loop {
            while let Some(id) = self.tasks.ready.pop(self.shuffle.as_mut()) {
                if id != TaskId::MAIN {
                    self.poll_task(id);
                    continue;
                }
                self.count(id);
                main.begin();
                let mut cx = TaskContext::from_waker(&waker);
                let polled = self.context(None).enter(|| future.as_mut().poll(&mut cx));
                if let Poll::Ready(value) = polled {
                    self.crash();
                    return value;
                }
                self.crash();
            }
            match self.step() {
                Step::Next(at) if at <= end => self.pass_time(at),
                Step::Next(_) => self.stuck("it takes too long"),
                Step::Nothing => self.stuck("nothing is due"),
            }
        }
    }

    /// Runs all tasks until nothing is due any more: whatever waits then, waits for ever.
    ///
    /// # Panics
    /// If that takes more than the [limit](Self::set_limit), and as [`block_on`](Self::block_on).
    pub fn run(&mut self) {
        let end = self.now() + self.limit;
        loop {
            while let Some(id) = self.tasks.ready.pop(self.shuffle.as_mut()) {
                self.poll_task(id);
            }
            match self.step() {
                Step::Next(at) if at <= end => self.pass_time(at),
                Step::Next(_) => self.stuck("it takes too long"),
                Step::Nothing => return,
            }
        }
    }

    /// Tasks that have not come to their end, among them the loops of endpoints that are in use.
    pub fn living_tasks(&mut self) -> usize {
        self.tasks.living().count()
    }

    /// Timers that were set and have neither fired nor been dropped.
    pub fn timers(&self) -> usize {
        self.surroundings.timers()
    }

    /// How often tasks were polled.
    pub fn polls(&self) -> u64 {
        self.polls
    }

    /// A number that follows from all that happened: which task was polled when, what was sent and
    /// what arrived, byte by byte and nanosecond by nanosecond.
    pub fn digest(&self) -> u64 {
        stir(self.digest, self.with_network(|network| network.trace.digest()))
    }

    fn poll_task(&mut self, id: TaskId) {
        let Some(mut task) = self.tasks.take(id) else { return };
        if self.with_network(|network| network.is_suspended(task.host)) {
            return self.tasks.park(id, task);
        }
        self.count(id);
        let context = self.context(Some(task.host));
        // What a task does when it is dropped is its own, too.
        context.enter(|| {
            if task.poll().is_pending() {
                self.tasks.give_back(id, task);
            }
        });
        self.crash();
    }

    fn context(&self, host: Option<HostId>) -> Context {
        let spawner = self.tasks.spawner.clone();
        Context { surroundings: Arc::clone(&self.surroundings), spawner, host }
    }

    fn crash(&mut self) {
        for host in self.surroundings.take_crashed() {
            self.context(Some(host)).enter(|| self.tasks.crash(host));
        }
    }

    fn count(&mut self, id: TaskId) {
        self.polls += 1;
        self.polls_at_once += 1;
        self.digest = stir(stir(self.digest, id.0), self.now().as_nanos());
        if self.polls_at_once > POLLS_AT_ONCE {
            self.stuck("tasks are polled without end");
        }
    }

    fn step(&mut self) -> Step {
        self.tasks.unpark(|host| self.surroundings.with_network(|it| it.is_suspended(host)));
        if self.tasks.ready.is_empty() {
            return self.surroundings.next().map_or(Step::Nothing, Step::Next);
        }
        Step::Next(self.now())
    }

    fn pass_time(&mut self, to: Instant) {
        if to > self.now() {
            self.polls_at_once = 0;
        }
        self.surroundings.advance(to);
    }

    /// Says who waits for what, and which run it was.
    fn stuck(&mut self, why: &str) -> ! {
        let now = self.now() - crate::network::START;
        let (seed, polls) = (self.seed, self.polls);
        let waiting: Vec<String> = self.tasks.living().map(|task| format!("\n  {task}")).collect();
        panic!(
            "stuck at {now:?} after {polls} polls: {why}. QUIC_SEED={seed} plays it again. \
             Tasks that have not come to their end:{}",
            waiting.concat(),
        );
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("seed", &self.seed)
            .field("now", &self.now())
            .field("polls", &self.polls)
            .finish_non_exhaustive()
    }
}

fn stir(digest: u64, word: u64) -> u64 {
    (digest ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// The stream of random numbers that say which task is next.
const ORDER: u64 = 5 << 40;
/// How long something may take at first.
const LIMIT: Duration = Duration::from_hours(1);
/// Polls while no time passes, beyond which tasks are taken to wake each other without end.
const POLLS_AT_ONCE: u64 = 1_000_000;

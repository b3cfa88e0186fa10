//! Which tasks there are, and which of them run next.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::network::{HostId, Random};

/// Names a task. They are counted as they are spawned; 0 is the future that is waited for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct TaskId(pub(super) u64);

impl TaskId {
    pub(super) const MAIN: Self = Self(0);
}

/// The tasks that were woken, each once, in order.
#[derive(Debug, Default)]
pub(super) struct Ready(Mutex<VecDeque<TaskId>>);

impl Ready {
    fn push(&self, task: TaskId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(task);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The next one, or with `random` any one of them.
    pub(super) fn pop(&self, random: Option<&mut Random>) -> Option<TaskId> {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(random) = random else { return tasks.pop_front() };
        let place = random.below(tasks.len() as u64);
        tasks.remove(usize::try_from(place).ok()?)
    }
}

/// Wakes a task.
#[derive(Debug)]
pub(super) struct TaskWaker {
    task: TaskId,
    is_ready: AtomicBool,
    ready: Arc<Ready>,
}

impl TaskWaker {
    pub(super) fn new(task: TaskId, ready: &Arc<Ready>) -> Arc<Self> {
        Arc::new(Self { task, is_ready: AtomicBool::new(false), ready: Arc::clone(ready) })
    }

    /// The task runs: what wakes it from now on lets it run again.
    pub(super) fn begin(&self) {
        self.is_ready.store(false, Ordering::Relaxed);
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_ready.swap(true, Ordering::Relaxed) {
            self.ready.push(self.task);
        }
    }
}

type TaskFuture = Pin<Box<dyn Future<Output = ()>>>;

/// A task that has not come to its end.
pub(super) struct Task {
    /// The host that it runs on.
    pub(super) host: HostId,
    /// Where it was spawned.
    spawned: &'static Location<'static>,
    future: TaskFuture,
    waker: Arc<TaskWaker>,
}

impl Task {
    pub(super) fn poll(&mut self) -> Poll<()> {
        self.waker.begin();
        let waker = Waker::from(Arc::clone(&self.waker));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one on host {}, spawned at {}", self.host.index(), self.spawned)
    }
}

/// Where tasks spawn others.
#[derive(Default)]
pub(super) struct Spawner {
    spawned: RefCell<Vec<(TaskId, Task)>>,
    ready: Arc<Ready>,
    count: Cell<u64>,
}

impl Spawner {
    #[track_caller]
    pub(super) fn spawn(&self, host: HostId, future: TaskFuture) {
        let id = TaskId(self.count.get() + 1);
        self.count.set(id.0);
        let waker = TaskWaker::new(id, &self.ready);
        waker.wake_by_ref();
        let task = Task { host, spawned: Location::caller(), future, waker };
        self.spawned.borrow_mut().push((id, task));
    }
}

/// All tasks.
pub(super) struct Tasks {
    pub(super) ready: Arc<Ready>,
    pub(super) spawner: Rc<Spawner>,
    all: BTreeMap<TaskId, Task>,
    /// Those that were woken while their host was suspended.
    parked: Vec<TaskId>,
}

impl Tasks {
    pub(super) fn new() -> Self {
        let ready = Arc::new(Ready::default());
        let spawner = Spawner { ready: Arc::clone(&ready), ..Spawner::default() };
        let spawner = Rc::new(spawner);
        Self { ready, spawner, all: BTreeMap::new(), parked: Vec::new() }
    }

    /// A task, so that it can be run; it is to be [given back](Self::give_back) unless it is done.
    pub(super) fn take(&mut self, id: TaskId) -> Option<Task> {
        self.all.extend(self.spawner.spawned.take());
        self.all.remove(&id)
    }

    pub(super) fn give_back(&mut self, id: TaskId, task: Task) {
        self.all.insert(id, task);
    }

    pub(super) fn park(&mut self, id: TaskId, task: Task) {
        self.parked.push(id);
        self.all.insert(id, task);
    }

    /// Lets those run again whose hosts are suspended no more.
    pub(super) fn unpark(&mut self, is_suspended: impl Fn(HostId) -> bool) {
        let all = &self.all;
        let goes_on = |id: &mut TaskId| all.get(id).is_none_or(|task| !is_suspended(task.host));
        let resumed: Vec<TaskId> = self.parked.extract_if(.., goes_on).collect();
        for id in resumed {
            self.ready.push(id);
        }
    }

    /// Drops the tasks of a host.
    pub(super) fn crash(&mut self, host: HostId) {
        self.all.extend(self.spawner.spawned.take());
        let crashed: Vec<Task> =
            self.all.extract_if(.., |_, task| task.host == host).map(|(_, task)| task).collect();
        drop(crashed);
    }

    /// Those that have not come to their end, in the order in which they were spawned.
    pub(super) fn living(&mut self) -> impl Iterator<Item = &Task> {
        self.all.extend(self.spawner.spawned.take());
        self.all.values()
    }
}

impl Drop for Tasks {
    /// What tasks do when they are dropped may spawn others.
    fn drop(&mut self) {
        for _ in 0..GENERATIONS {
            self.all.extend(self.spawner.spawned.take());
            let tasks = std::mem::take(&mut self.all);
            if tasks.is_empty() {
                return;
            }
            drop(tasks);
        }
    }
}

/// Tasks that spawn others when they are dropped, which do so, too, and so on, are given up.
const GENERATIONS: usize = 8;

//! Which task runs now.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::executor::Spawner;
use super::surroundings::Surroundings;
use crate::network::HostId;

/// What free functions know of the task that calls them.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) surroundings: Arc<Surroundings>,
    pub(super) spawner: Rc<Spawner>,
    /// The host that the task runs on; `None` for the future that is waited for.
    pub(super) host: Option<HostId>,
}

thread_local! {
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// Puts back what was before, also after a panic.
struct Restore(Option<Context>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

impl Context {
    /// That of the task that calls.
    #[track_caller]
    pub(super) fn current() -> Self {
        CURRENT.with_borrow(Clone::clone).expect("this is called by a task of a simulation")
    }

    /// Calls `act` as a task.
    pub(super) fn enter<R>(self, act: impl FnOnce() -> R) -> R {
        let _restore = Restore(CURRENT.replace(Some(self)));
        act()
    }
}

//! A host that tasks run on.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use quic_core::Instant;

use super::executor::Spawner;
use super::join::{JoinHandle, joined};
use super::surroundings::Surroundings;
use super::time::Sleep;
use crate::network::{self, HostId, Network};

/// A host that tasks run on. Clones are handles of the same one.
#[derive(Clone)]
pub struct Host {
    id: HostId,
    pub(super) surroundings: Arc<Surroundings>,
    pub(super) spawner: Rc<Spawner>,
}

impl Host {
    pub(super) fn new(id: HostId, surroundings: Arc<Surroundings>, spawner: Rc<Spawner>) -> Self {
        Self { id, surroundings, spawner }
    }

    /// What the network knows it by.
    pub fn id(&self) -> HostId {
        self.id
    }

    /// Lets a task run on the host, beside all others.
    #[track_caller]
    pub fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        let (task, handle) = joined(future);
        self.spawner.spawn(self.id, Box::pin(task));
        handle
    }

    /// What its clock shows.
    pub fn now(&self) -> Instant {
        self.surroundings.now(Some(self.id))
    }

    /// Waits for some time to pass on its clock.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(Arc::clone(&self.surroundings), Some(self.id), duration)
    }

    /// Drops all its tasks, as if the power was cut: endpoints say nothing more, and their sockets
    /// are closed. When this returns they are gone; it does not if the caller is one of them. Their
    /// handles fail. What is spawned later begins on an empty host.
    pub async fn crash(&self) {
        self.surroundings.crash(self.id);
        super::time::yield_now().await;
    }

    /// Lets `act` look at the host and change it: its clock, its timers, its interface, whether it
    /// is suspended.
    pub fn with<R>(&self, act: impl FnOnce(&mut network::Host) -> R) -> R {
        self.with_network(|network| act(network.host(self.id)))
    }

    /// Lets `act` look at the network and change it. It must not call anything else of the
    /// simulation.
    pub fn with_network<R>(&self, act: impl FnOnce(&mut Network) -> R) -> R {
        self.surroundings.with_network(act)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Host").field(&self.id.index()).finish()
    }
}

//! What all tasks of a simulation share: the network, the time, and who waits for either.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::task::{Context, Poll, Waker};

use quic_core::Instant;

use super::timers::{TimerKey, Timers};
use crate::network::{HostId, Network, PortId, Random};

/// What all tasks of a simulation share. Only its lock is taken while it is in use, and nothing
/// else is called meanwhile.
#[derive(Debug)]
pub(super) struct Surroundings(Mutex<State>);

#[derive(Debug)]
struct State {
    network: Network,
    timers: Timers,
    receivers: BTreeMap<PortId, Waker>,
    senders: BTreeMap<PortId, Waker>,
    /// Hosts that are to crash as soon as no task runs.
    crashed: Vec<HostId>,
    seeds: Random,
}

impl Surroundings {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(State {
            network: Network::new(seed),
            timers: Timers::default(),
            receivers: BTreeMap::new(),
            senders: BTreeMap::new(),
            crashed: Vec::new(),
            seeds: Random::new(seed, ENDPOINTS),
        }))
    }

    /// All tasks are of one thread, so that who cannot have it would wait for himself.
    fn lock(&self) -> MutexGuard<'_, State> {
        match self.0.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            Err(TryLockError::WouldBlock) => {
                panic!("the simulation was called by what was given to `with_network`")
            }
        }
    }

    pub(super) fn with_network<R>(&self, act: impl FnOnce(&mut Network) -> R) -> R {
        act(&mut self.lock().network)
    }

    /// What a clock shows: a host's, or that of the network.
    pub(super) fn now(&self, host: Option<HostId>) -> Instant {
        self.with_network(|network| match host {
            Some(host) => network.host(host).now(),
            None => network.now(),
        })
    }

    /// A seed for an endpoint, another one each time.
    pub(super) fn seed(&self) -> [u8; 32] {
        self.lock().seeds.seed()
    }

    pub(super) fn set_timer(&self, host: Option<HostId>, deadline: Instant) -> TimerKey {
        let State { network, timers, .. } = &mut *self.lock();
        timers.set(network, host, deadline)
    }

    pub(super) fn cancel_timer(&self, key: TimerKey) {
        self.lock().timers.cancel(key);
    }

    pub(super) fn poll_timer(&self, key: TimerKey, cx: &Context<'_>) -> Poll<()> {
        self.lock().timers.poll(key, cx)
    }

    /// Timers that were set and have not fired.
    pub(super) fn timers(&self) -> usize {
        self.lock().timers.len()
    }

    pub(super) fn poll_receivable(&self, port: PortId, cx: &Context<'_>) -> Poll<()> {
        let State { network, receivers, .. } = &mut *self.lock();
        if network.socket(port).waiting() > 0 {
            return Poll::Ready(());
        }
        receivers.insert(port, cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn poll_sendable(&self, port: PortId, cx: &Context<'_>) -> Poll<()> {
        let State { network, senders, .. } = &mut *self.lock();
        if network.is_writable(port) {
            return Poll::Ready(());
        }
        senders.insert(port, cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn close(&self, port: PortId) {
        let State { network, receivers, senders, .. } = &mut *self.lock();
        receivers.remove(&port);
        senders.remove(&port);
        network.close(port);
    }

    pub(super) fn crash(&self, host: HostId) {
        self.lock().crashed.push(host);
    }

    pub(super) fn take_crashed(&self) -> Vec<HostId> {
        mem::take(&mut self.lock().crashed)
    }

    /// When something happens next by itself, in the time of the network.
    pub(super) fn next(&self) -> Option<Instant> {
        let State { network, timers, .. } = &mut *self.lock();
        timers.follow_clocks(network);
        network.next().into_iter().chain(timers.next()).min()
    }

    /// Lets time pass, and wakes those whose time has come.
    pub(super) fn advance(&self, to: Instant) {
        let mut woken = Vec::new();
        let mut state = self.lock();
        let State { network, timers, receivers, senders, .. } = &mut *state;
        network.advance(to);
        while let Some(port) = network.take_ready() {
            woken.extend(receivers.remove(&port));
            if network.is_writable(port) {
                woken.extend(senders.remove(&port));
            }
        }
        timers.fire(network.now(), &mut woken);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }
}

/// The stream of random numbers that endpoints are seeded from.
const ENDPOINTS: u64 = 4 << 40;

//! Who is woken when.

use std::collections::{BTreeMap, BTreeSet};
use std::task::{Context, Poll, Waker};

use quic_core::Instant;

use crate::network::{HostId, Network};

/// Names a timer that was set.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct TimerKey(u64);

/// Timers that were set and have not fired. Those for the same time fire in the order in which they
/// were set.
#[derive(Debug, Default)]
pub(super) struct Timers {
    entries: BTreeMap<TimerKey, Entry>,
    due: BTreeSet<(Instant, TimerKey)>,
    /// How often each host's clock was changed when its timers were last looked at.
    changes: BTreeMap<HostId, u64>,
    set: u64,
}

#[derive(Debug)]
struct Entry {
    /// Whose clock it follows; `None`: that of the network.
    host: Option<HostId>,
    /// When it is to fire, on that clock.
    deadline: Instant,
    /// When it fires, in the time of the network; `None` while the clock stands still.
    fires: Option<Instant>,
    waker: Option<Waker>,
}

/// When a timer fires, in the time of the network.
fn fires(network: &mut Network, host: Option<HostId>, deadline: Instant) -> Option<Instant> {
    match host {
        Some(host) => network.host(host).timer(deadline),
        None => Some(deadline),
    }
}

impl Timers {
    pub(super) fn set(
        &mut self,
        network: &mut Network,
        host: Option<HostId>,
        deadline: Instant,
    ) -> TimerKey {
        let key = TimerKey(self.set);
        self.set += 1;
        let fires = fires(network, host, deadline);
        self.due.extend(fires.map(|at| (at, key)));
        self.entries.insert(key, Entry { host, deadline, fires, waker: None });
        key
    }

    pub(super) fn cancel(&mut self, key: TimerKey) {
        if let Some(Entry { fires: Some(at), .. }) = self.entries.remove(&key) {
            self.due.remove(&(at, key));
        }
    }

    /// Ready if it has fired.
    pub(super) fn poll(&mut self, key: TimerKey, cx: &Context<'_>) -> Poll<()> {
        let Some(entry) = self.entries.get_mut(&key) else { return Poll::Ready(()) };
        match &mut entry.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => entry.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Fires what is due, and moves those who wait for it to `woken`.
    pub(super) fn fire(&mut self, now: Instant, woken: &mut Vec<Waker>) {
        while let Some((_, key)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.pop_first();
            woken.extend(self.entries.remove(&key).and_then(|entry| entry.waker));
        }
    }

    /// Follows the clocks that were changed.
    pub(super) fn follow_clocks(&mut self, network: &mut Network) {
        let hosts: BTreeSet<HostId> = self.entries.values().filter_map(|it| it.host).collect();
        for host in hosts {
            let changes = network.host(host).clock_changes();
            if self.changes.insert(host, changes).unwrap_or(0) != changes {
                self.follow(network, host);
            }
        }
    }

    fn follow(&mut self, network: &mut Network, host: HostId) {
        for (key, entry) in self.entries.iter_mut().filter(|(_, entry)| entry.host == Some(host)) {
            if let Some(at) = entry.fires {
                self.due.remove(&(at, *key));
            }
            entry.fires = fires(network, entry.host, entry.deadline);
            self.due.extend(entry.fires.map(|at| (at, *key)));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

//! A host: its clock, its timers, its interface.

use std::time::Duration;

use quic_core::Instant;

use super::clock::Clock;
use super::random::Random;

/// Names a host of a [`Network`](super::Network). They are counted from 0 as they are added.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HostId(pub(crate) u32);

impl HostId {
    /// Its number, counted from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A host. Whoever runs something on it asks it for the time and for when its timers fire.
#[derive(Debug)]
pub struct Host {
    /// Largest UDP payload that its interface carries, in bytes.
    pub interface_mtu: usize,
    /// Nothing runs on it. What arrives waits in the buffers of its sockets; the clock goes on.
    pub suspended: bool,
    /// Timers fire at multiples of this time, as its clock shows them.
    pub timer_granularity: Duration,
    /// Most time that timers fire too late, at random.
    pub timer_lateness: Duration,
    clock: Clock,
    /// How often the clock was changed.
    changes: u64,
    random: Random,
    /// The time in the network, as far as the host was told.
    network_now: Instant,
}

impl Host {
    pub(super) fn new(random: Random, now: Instant) -> Self {
        Self {
            interface_mtu: 65_527,
            suspended: false,
            timer_granularity: Duration::ZERO,
            timer_lateness: Duration::ZERO,
            clock: Clock::right(),
            changes: 0,
            random,
            network_now: now,
        }
    }

    pub(super) fn tell(&mut self, now: Instant) -> &mut Self {
        self.network_now = now;
        self
    }

    pub(super) fn shows(&self, now: Instant) -> Instant {
        self.clock.shows(now)
    }

    /// What its clock shows.
    pub fn now(&self) -> Instant {
        self.clock.shows(self.network_now)
    }

    /// Sets its clock forward.
    pub fn jump(&mut self, by: Duration) {
        self.set_clock(self.now() + by);
    }

    /// Sets its clock back.
    pub fn jump_back(&mut self, by: Duration) {
        self.set_clock(self.now() - by);
    }

    /// Lets its clock show this.
    pub fn set_clock(&mut self, shown: Instant) {
        self.changes += 1;
        self.clock.set(self.network_now, shown);
    }

    /// Lets its clock run at another rate from now on, in parts of a million: 1,000,000 is right,
    /// 0 stands still, so that no timer fires until it is changed again.
    pub fn set_clock_rate(&mut self, parts_per_million: u64) {
        self.changes += 1;
        self.clock.set_rate(self.network_now, parts_per_million);
    }

    /// Stops its clock: [`set_clock_rate`](Self::set_clock_rate) with 0.
    pub fn freeze_clock(&mut self) {
        self.set_clock_rate(0);
    }

    /// When, in the time of the network, a timer fires that is set to `deadline` in the time of the
    /// host; `None` if it never does as things are. Draws how late it is, so ask once for each
    /// timer, and again when [`clock_changes`](Self::clock_changes) is another number.
    pub fn timer(&mut self, deadline: Instant) -> Option<Instant> {
        let late = Duration::from_nanos(self.random.below(nanos(self.timer_lateness) + 1));
        let granularity = nanos(self.timer_granularity).max(1);
        let ticks = deadline.as_nanos().div_ceil(granularity);
        let tick = Instant::from_nanos(ticks.saturating_mul(granularity));
        Some(self.clock.when(tick)?.max(self.network_now) + late)
    }

    /// How often the clock was changed.
    pub fn clock_changes(&self) -> u64 {
        self.changes
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX - 1)
}

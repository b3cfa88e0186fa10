//! Time, and who does something when.

use std::collections::{BTreeMap, BTreeSet};

use quic_core::{Instant, Multiplexer as _};

use super::endpoint::Endpoint;
use crate::network::{HostId, Network, PortId, START};

/// Steps within one millisecond and for each host, beyond which an end is taken to poll without end.
const STEPS_PER_MILLISECOND: usize = 10_000;
/// Timeouts that an end may have without time passing.
const TIMEOUTS_AT_ONCE: u32 = 4;
/// Batches that an end may send without time passing.
const BATCHES_AT_ONCE: u32 = 20_000;

/// The endpoints by host, wherever they are kept.
pub(crate) trait Ends {
    /// The endpoint on a host, if there is one.
    fn end(&mut self, host: HostId) -> Option<&mut Endpoint>;
}

/// When the timer of an endpoint fires.
#[derive(Clone, Copy, Debug)]
struct Alarm {
    /// In the time of the host.
    deadline: Instant,
    /// What this follows from, besides.
    clock_changes: u64,
    /// In the time of the network; `None`: never, as things are.
    at: Option<Instant>,
}

/// Lets endpoints on a network do what they have to when it is time.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    /// Hosts whose endpoint may have something to do now.
    touched: BTreeSet<HostId>,
    alarms: BTreeMap<HostId, Alarm>,
    by_time: BTreeSet<(Instant, HostId)>,
    /// Sockets of suspended hosts that were ready.
    waiting: Vec<PortId>,
    millisecond: u64,
    steps: usize,
}

impl Engine {
    /// The endpoint on a host may have something to do now.
    pub(crate) fn touch(&mut self, host: HostId) {
        self.touched.insert(host);
    }

    /// The endpoint on a host is another one.
    pub(crate) fn replace(&mut self, host: HostId) {
        self.forget_alarm(host);
        self.touch(host);
    }

    /// Lets all do and send what they have to now.
    pub(crate) fn settle(&mut self, network: &mut Network, ends: &mut impl Ends) {
        self.touched.extend(network.take_touched());
        let mut later = Vec::new();
        while let Some(host) = self.touched.pop_first() {
            if network.is_suspended(host) {
                later.push(host);
            } else if let Some(end) = ends.end(host) {
                self.settle_end(network, end);
            }
        }
        self.touched.extend(later);
    }

    fn settle_end(&mut self, network: &mut Network, end: &mut Endpoint) {
        end.attach(network);
        end.now = network.shown_by(end.host);
        for batch in 0.. {
            assert!(
                batch < BATCHES_AT_ONCE,
                "{:?} sends without end at {:?}",
                end.host,
                network.now() - START,
            );
            if !(end.handle_events() | end.transmit(network)) {
                break;
            }
        }
        self.set_alarm(network, end);
    }

    fn set_alarm(&mut self, network: &mut Network, end: &Endpoint) {
        let host = end.host;
        let clock_changes = network.clock_changes(host);
        let deadline = end.sockets.poll_timeout();
        let stands = self.alarms.get(&host).is_some_and(|alarm| {
            Some(alarm.deadline) == deadline && alarm.clock_changes == clock_changes
        });
        if stands {
            return;
        }
        self.forget_alarm(host);
        let Some(deadline) = deadline else { return };
        let at = network.timer(host, deadline);
        self.alarms.insert(host, Alarm { deadline, clock_changes, at });
        self.by_time.extend(at.map(|at| (at, host)));
    }

    fn forget_alarm(&mut self, host: HostId) {
        if let Some(at) = self.alarms.remove(&host).and_then(|alarm| alarm.at) {
            self.by_time.remove(&(at, host));
        }
    }

    /// When something happens next.
    pub(crate) fn next(&self, network: &Network) -> Option<Instant> {
        let is_awake = |port: &PortId| !network.is_suspended(network.host_of(*port));
        let overdue = self.waiting.iter().any(is_awake).then(|| network.now());
        let alarm = self.by_time.iter().find(|(_, host)| !network.is_suspended(*host));
        let alarm = alarm.map(|(at, _)| (*at).max(network.now()));
        [network.next(), alarm, overdue].into_iter().flatten().min()
    }

    /// What has to happen now does, then what comes next, if that is not after `end`. Returns
    /// whether there was anything; if not, it is `end` now.
    pub(crate) fn step_until(
        &mut self,
        network: &mut Network,
        ends: &mut impl Ends,
        end: Instant,
    ) -> bool {
        self.settle(network, ends);
        self.waiting.retain(|port| network.is_bound(*port));
        let next = self.next(network).filter(|next| *next <= end);
        network.advance(next.unwrap_or(end));
        self.count(network);
        if next.is_none() {
            return false;
        }
        self.handle_timeouts(network, ends);
        self.deliver(network, ends);
        self.settle(network, ends);
        true
    }

    fn count(&mut self, network: &Network) {
        let millisecond = network.now().as_nanos() / 1_000_000;
        self.steps = if millisecond == self.millisecond { self.steps + 1 } else { 0 };
        self.millisecond = millisecond;
        assert!(
            self.steps < STEPS_PER_MILLISECOND * network.hosts().max(2),
            "polled without end at {:?}; timers: {:?}",
            network.now() - START,
            self.by_time,
        );
    }

    fn handle_timeouts(&mut self, network: &mut Network, ends: &mut impl Ends) {
        let now = network.now();
        let due = self.by_time.iter().take_while(|(at, _)| *at <= now).map(|(_, host)| *host);
        let due: Vec<_> = due.filter(|host| !network.is_suspended(*host)).collect();
        for host in due {
            self.forget_alarm(host);
            if let Some(end) = ends.end(host) {
                self.handle_timeout(network, end);
            }
        }
    }

    /// Does what is due at one end. One timer may make another one due, but not without end.
    fn handle_timeout(&mut self, network: &mut Network, end: &mut Endpoint) {
        end.now = network.shown_by(end.host);
        for turn in 0.. {
            if end.sockets.poll_timeout().is_none_or(|at| at > end.now) {
                break;
            }
            assert!(
                turn < TIMEOUTS_AT_ONCE,
                "{:?} is still due after {turn} timeouts were handled at {:?}",
                end.host,
                network.now() - START,
            );
            end.sockets.handle_timeout(end.now);
            self.settle_end(network, end);
        }
        self.set_alarm(network, end);
    }

    fn deliver(&mut self, network: &mut Network, ends: &mut impl Ends) {
        let waited = std::mem::take(&mut self.waiting);
        for port in waited {
            self.deliver_at(network, ends, port);
        }
        while let Some(port) = network.take_ready() {
            self.deliver_at(network, ends, port);
        }
    }

    fn deliver_at(&mut self, network: &mut Network, ends: &mut impl Ends, port: PortId) {
        let host = network.host_of(port);
        if network.is_suspended(host) {
            self.waiting.push(port);
        } else if let Some(end) = ends.end(host) {
            end.now = network.shown_by(host);
            end.receive(network, port);
            self.touch(host);
        }
    }
}

//! The congestion controllers, the pacer and the sampler of rates, at any numbers.
#![expect(clippy::excessive_nesting, reason = "test code")]

use std::collections::VecDeque;
use std::time::Duration;

use super::input::Input;
use crate::congestion::{
    Acked, Bbr, Congestion, CongestionController, Cubic, DeliverySampler, NewReno, Pace, Pacer,
    RateSample, Rtt, Sent,
};
use crate::instant::Instant;
use crate::net::MINIMUM_MTU;
use crate::wire::SpaceId;

/// The bounds of the window: two datagrams (RFC 9002 §7.2), and what no path needs more than.
const MINIMUM_DATAGRAMS: u64 = 2;
const MAXIMUM_WINDOW: u64 = 1 << 32;
/// Bytes that may leave at once after a pause.
const MAXIMUM_BURST: u64 = 256 << 10;

struct Run {
    controller: Box<dyn CongestionController>,
    pacer: Pacer,
    sampler: DeliverySampler,
    rtt: Rtt,
    mtu: u16,
    now: Instant,
    /// Numbers, times and sizes of what is in flight.
    flight: VecDeque<(u64, Instant, u16)>,
    in_flight: u64,
    next_number: u64,
    window_before_loss: u64,
}

/// Tells each controller what happens to packets that are sent as the window permits, and now and
/// then numbers that no path has.
///
/// # Panics
/// If the window leaves its bounds, congestion makes it larger, or the pacer lets more go at once
/// than it should, or nothing at all.
pub fn congestion(input: &[u8]) {
    for which in 0..3 {
        let mut input = Input::new(input);
        let mtu = MINIMUM_MTU.saturating_add(input.u16() % 4096);
        let controller: Box<dyn CongestionController> = match which {
            0 => Box::new(NewReno::new(mtu)),
            1 => Box::new(Cubic::new(mtu)),
            _ => Box::new(Bbr::new(mtu)),
        };
        let mut run = Run {
            controller,
            pacer: Pacer::new(mtu),
            sampler: DeliverySampler::new(),
            rtt: Rtt::new(Duration::from_millis(333)),
            mtu,
            now: Instant::from_nanos(1_000_000_000),
            flight: VecDeque::new(),
            in_flight: 0,
            next_number: 0,
            window_before_loss: 0,
        };
        // Later than the end of time there is nothing.
        while !input.is_empty() && run.now < Instant::FAR_FUTURE {
            run.step(&mut input);
            run.check();
        }
    }
}

impl Run {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 16 {
            0..5 => self.send(input),
            5..9 => self.acknowledge(input),
            9 => self.lose(input),
            10 => {
                let event = self.congestion(0, true);
                self.controller.on_congestion(self.now, &event);
            }
            11 => {
                let before = self.controller.window();
                self.controller.on_spurious_congestion(self.now);
                let after = self.controller.window();
                assert!(after >= before.min(self.minimum()), "{after} after {before}");
            }
            12 => self.now += input.duration(),
            13 => {
                self.mtu = MINIMUM_MTU.saturating_add(input.u16() % 8192);
                self.controller.on_mtu_changed(self.mtu);
                self.pacer.on_mtu_changed(self.mtu);
            }
            14 => {
                self.controller.on_persistent_congestion(self.now);
                self.rtt.on_persistent_congestion();
                let minimum = self.minimum();
                assert_eq!(
                    self.controller.window(),
                    minimum,
                    "the window is the smallest there is"
                );
            }
            _ => self.lie(input),
        }
    }

    fn minimum(&self) -> u64 {
        MINIMUM_DATAGRAMS * u64::from(self.mtu)
    }

    fn send(&mut self, input: &mut Input<'_>) {
        let count = input.byte() % 16;
        for _ in 0..count {
            if self.in_flight >= self.controller.window() {
                return;
            }
            let pace = Pace::of(&*self.controller, &self.rtt);
            if self.pacer.budget(self.now, pace) == 0 {
                self.now = self.now.max(self.pacer.next_send_time(pace));
                if self.now == Instant::FAR_FUTURE {
                    return;
                }
                let budget = self.pacer.budget(self.now, pace);
                assert!(budget > 0, "{:?} keeps its word at {pace:?}", self.pacer);
            }
            let size = self.mtu.saturating_sub(u16::from(input.byte() & 1) * 1000);
            self.in_flight += u64::from(size);
            let packet = (SpaceId::Application, self.next_number);
            self.sampler.on_sent(self.now, packet, size, self.in_flight);
            let app_limited = self.sampler.is_app_limited();
            let sent = Sent { bytes: size.into(), in_flight: self.in_flight, app_limited };
            self.controller.on_sent(self.now, &sent);
            self.pacer.on_sent(self.now, size.into());
            self.flight.push_back((self.next_number, self.now, size));
            self.next_number += 1;
        }
        if input.byte() == 0 {
            self.sampler.mark_app_limited(self.in_flight);
        }
    }

    fn take(&mut self, at: usize) -> Option<(u64, Instant, u16)> {
        let packet = self.flight.remove(at)?;
        self.in_flight -= u64::from(packet.2);
        Some(packet)
    }

    fn acknowledge(&mut self, input: &mut Input<'_>) {
        self.now += input.duration();
        let window_limited = self.in_flight + u64::from(self.mtu) > self.controller.window();
        let mut newest: Option<Instant> = None;
        let mut bytes = 0;
        for _ in 0..input.byte() % 16 {
            let at = if input.byte() == 0xff { self.flight.len().saturating_sub(1) } else { 0 };
            let Some((number, sent_at, size)) = self.take(at) else { break };
            self.sampler.on_acked(self.now, SpaceId::Application, number);
            newest = newest.max(Some(sent_at));
            bytes += u64::from(size);
        }
        let Some(newest_sent) = newest else { return };
        let sample = self.now - newest_sent;
        self.rtt.update(self.now, sample, Duration::ZERO);
        let rate = self.sampler.take_sample(self.now, self.rtt.minimum());
        let in_flight = self.in_flight;
        let acked =
            Acked { bytes, newest_sent, window_limited, in_flight, round_trip: Some(sample), rate };
        self.controller.on_acked(self.now, &acked, &self.rtt);
        if self.controller.holds_back() {
            self.sampler.mark_app_limited(self.in_flight);
        }
    }

    fn congestion(&self, lost_bytes: u64, ecn: bool) -> Congestion {
        let newest_sent = self.flight.back().map_or(self.now, |(_, sent_at, _)| *sent_at);
        Congestion { newest_sent, lost_bytes, in_flight: self.in_flight, ecn }
    }

    fn lose(&mut self, input: &mut Input<'_>) {
        self.window_before_loss = self.controller.window();
        let event = self.congestion(0, false);
        let mut lost_bytes = 0;
        for _ in 0..=input.byte() % 8 {
            let Some((number, _, size)) = self.take(0) else { break };
            lost_bytes += u64::from(size);
            let lost = self.sampler.on_lost(SpaceId::Application, number, false);
            if let Some(lost) = lost.filter(|_| self.controller.samples_delivery_rate()) {
                assert!(lost.lost >= u64::from(size), "its own bytes count");
                self.controller.on_packet_lost(self.now, &lost);
            }
        }
        if lost_bytes > 0 {
            let event = Congestion { lost_bytes, in_flight: self.in_flight, ..event };
            self.controller.on_congestion(self.now, &event);
            let window = self.controller.window();
            assert!(window <= self.window_before_loss, "loss lets the window grow to {window}");
        }
    }

    /// Numbers that no packet gives.
    fn lie(&mut self, input: &mut Input<'_>) {
        let newest_sent = Instant::from_nanos(input.number());
        let rate = RateSample {
            total_delivered: input.number(),
            prior_delivered: input.number(),
            delivered: input.number(),
            delivery_rate: Some(input.number()).filter(|rate| rate & 1 == 0),
            app_limited: input.byte() & 1 == 0,
            round_trip: input.duration(),
            in_flight_when_sent: input.number(),
            lost: input.number(),
        };
        let acked = Acked {
            bytes: input.number(),
            newest_sent,
            window_limited: input.byte() & 1 == 0,
            in_flight: input.number(),
            round_trip: Some(input.duration()),
            rate: Some(rate),
        };
        self.rtt.update(self.now, input.duration(), input.duration());
        self.controller.on_acked(self.now, &acked, &self.rtt);
        let event = Congestion {
            newest_sent,
            lost_bytes: input.number(),
            in_flight: input.number(),
            ecn: input.byte() & 1 == 0,
        };
        self.controller.on_congestion(self.now, &event);
    }

    fn check(&mut self) {
        if self.now == Instant::FAR_FUTURE {
            return;
        }
        let window = self.controller.window();
        let bounds = self.minimum()..=MAXIMUM_WINDOW;
        assert!(bounds.contains(&window), "the window is {window}: {:?}", self.controller);
        assert_ne!(self.controller.pacing_rate(), Some(0), "{:?}", self.controller);
        let pace = Pace::of(&*self.controller, &self.rtt);
        let budget = self.pacer.budget(self.now, pace);
        let next = self.pacer.next_send_time(pace);
        assert!(budget > 0 || next > self.now, "a wait is for something");
        assert!(budget <= MAXIMUM_BURST, "{budget} bytes at once at {pace:?}");
    }
}

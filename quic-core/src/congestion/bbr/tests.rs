use proptest::prelude::*;

use super::*;
use crate::congestion::delivery::DeliverySampler;
use crate::wire::SpaceId;

const MTU: u16 = 1200;
const PACKET: u64 = MTU as u64;
const SPACE: SpaceId = SpaceId::Application;

/// A sender with a path that delivers `rate` bytes per second after `delay`, and a queue.
struct Path {
    bbr: Bbr,
    sampler: DeliverySampler,
    rtt: Rtt,
    rate: u64,
    delay: Duration,
    queue: u64,
    /// Every so many packets, one is lost.
    loses_every: Option<u64>,
    now: Instant,
    free_at: Instant,
    next_send: Instant,
    in_flight: u64,
    /// Number, when it was sent, when its acknowledgment arrives; `None` if it is lost.
    sent: std::collections::VecDeque<(u64, Instant, Option<Instant>)>,
    number: u64,
    /// Bytes that the application has left; `None` is no end.
    left: Option<u64>,
    states: Vec<State>,
}

impl Path {
    fn new(rate: u64, delay: u64, queue: u64) -> Self {
        Self {
            bbr: Bbr::new(MTU),
            sampler: DeliverySampler::new(),
            rtt: Rtt::new(Duration::from_millis(333)),
            rate,
            delay: Duration::from_millis(delay),
            queue,
            loses_every: None,
            now: Instant::EPOCH + Duration::from_secs(1),
            free_at: Instant::EPOCH,
            next_send: Instant::EPOCH,
            in_flight: 0,
            sent: std::collections::VecDeque::new(),
            number: 0,
            left: None,
            states: vec![State::Startup],
        }
    }

    fn bdp(&self) -> u64 {
        self.rate * u64::try_from(self.delay.as_millis()).unwrap() / 1000
    }

    fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while self.now < end {
            self.send();
            self.receive();
            self.now += Duration::from_micros(200);
        }
    }

    fn send(&mut self) {
        while self.in_flight + PACKET <= self.bbr.window()
            && self.next_send <= self.now
            && self.left != Some(0)
        {
            self.left = self.left.map(|left| left.saturating_sub(PACKET));
            self.in_flight += PACKET;
            let app_limited = self.sampler.is_app_limited();
            let sent = Sent { bytes: PACKET, in_flight: self.in_flight, app_limited };
            self.bbr.on_sent(self.now, &sent);
            self.sampler.on_sent(self.now, (SPACE, self.number), MTU, self.in_flight);
            let arrival = self.transmit();
            self.sent.push_back((self.number, self.now, arrival));
            self.number += 1;
            if let Some(rate) = self.bbr.pacing_rate() {
                let nanos = PACKET * 1_000_000_000 / rate.max(1);
                let credit_since =
                    Instant::from_nanos(self.now.as_nanos().saturating_sub(1_000_000));
                self.next_send = self.next_send.max(credit_since) + Duration::from_nanos(nanos);
            }
        }
        if self.left == Some(0) && self.in_flight + PACKET <= self.bbr.window() {
            self.sampler.mark_app_limited(self.in_flight);
        }
    }

    fn transmit(&mut self) -> Option<Instant> {
        let waits = self.free_at - self.now;
        let queued = self.rate * u64::try_from(waits.as_nanos()).unwrap() / 1_000_000_000;
        let is_lost = self.loses_every.is_some_and(|every| self.number % every == every - 1);
        if is_lost || queued > self.queue {
            return None;
        }
        let time = Duration::from_nanos(PACKET * 1_000_000_000 / self.rate);
        self.free_at = self.free_at.max(self.now) + time;
        Some(self.free_at + self.delay)
    }

    fn receive(&mut self) {
        while let Some(at) = self.sent.iter().position(|(_, _, arrival)| arrival.is_some()) {
            let (number, sent_at, arrival) = self.sent[at];
            if arrival.is_none_or(|arrival| arrival > self.now) {
                break;
            }
            self.rtt.update(self.now, self.now - sent_at, Duration::ZERO);
            self.sampler.on_acked(self.now, SPACE, number);
            self.in_flight -= PACKET;
            let rate = self.sampler.take_sample(self.now, self.rtt.minimum());
            let acked = Acked {
                bytes: PACKET,
                newest_sent: sent_at,
                window_limited: true,
                in_flight: self.in_flight,
                round_trip: Some(self.now - sent_at),
                rate,
            };
            self.bbr.on_acked(self.now, &acked, &self.rtt);
            if self.bbr.holds_back() {
                self.sampler.mark_app_limited(self.in_flight);
            }
            self.sent.remove(at);
            self.lose(at);
            if self.states.last() != Some(&self.bbr.state) {
                self.states.push(self.bbr.state);
            }
        }
    }

    /// The first `count` packets were overtaken.
    fn lose(&mut self, count: usize) {
        for _ in 0..count {
            let (number, newest_sent, _) = self.sent.pop_front().unwrap();
            self.in_flight -= PACKET;
            let lost = self.sampler.on_lost(SPACE, number, false).unwrap();
            self.bbr.on_packet_lost(self.now, &lost);
            let in_flight = self.in_flight;
            let event = Congestion { newest_sent, lost_bytes: PACKET, in_flight, ecn: false };
            self.bbr.on_congestion(self.now, &event);
        }
    }
}

fn assert_near(value: u64, expected: u64, percent: u64) {
    let difference = value.abs_diff(expected);
    assert!(difference * 100 <= expected * percent, "{value} instead of {expected}");
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn startup_finds_the_bandwidth_and_drain_empties_the_queue() {
    // 10 Mbit/s, 50 ms.
    let mut path = Path::new(1_250_000, 50, 1 << 20);
    path.run(2);
    // The queue is empty when Drain ends, so ProbeBW begins by cruising.
    assert_eq!(path.states[..3], [State::Startup, State::Drain, State::ProbeBwCruise]);
    assert_near(path.bbr.bw, path.rate, 3);
    assert_near(path.bbr.bdp(), path.bdp(), 6);
    assert!(path.in_flight <= path.bdp() + 3 * PACKET);
    assert_near(path.bbr.pacing_rate, path.rate * 99 / 100, 3);
    assert_near(path.bbr.cwnd, 2 * path.bdp(), 20);
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn the_cycle_probes_for_bandwidth_every_few_seconds_and_finds_more() {
    let mut path = Path::new(1_250_000, 50, 1 << 20);
    path.run(4);
    path.states.clear();
    path.rate *= 4;
    path.run(14);
    let cycle = [State::ProbeBwCruise, State::ProbeBwRefill, State::ProbeBwUp, State::ProbeBwDown];
    assert!(path.states.windows(4).any(|states| states == cycle), "{:?}", path.states);
    assert_near(path.bbr.bw, path.rate, 5);
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn less_bandwidth_is_noticed_within_two_cycles() {
    let mut path = Path::new(5_000_000, 50, 1 << 16);
    path.run(4);
    path.rate /= 4;
    path.run(14);
    assert_near(path.bbr.bw, path.rate, 10);
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn little_is_in_flight_for_200_ms_every_5_seconds_to_find_the_shortest_round_trip() {
    let mut path = Path::new(1_250_000, 50, 1 << 20);
    path.run(5);
    assert!(!path.states.contains(&State::ProbeRtt));
    path.run(2);
    assert!(path.states.contains(&State::ProbeRtt));
    let bdp = path.bdp();
    path.states = vec![path.bbr.state];
    // Step through the next one.
    while path.bbr.state != State::ProbeRtt {
        path.run_for_a_moment();
    }
    let start = path.now;
    let mut least = u64::MAX;
    while path.bbr.state == State::ProbeRtt {
        least = least.min(path.in_flight);
        path.run_for_a_moment();
    }
    assert!(path.now - start >= Duration::from_millis(200));
    assert!(path.now - start <= Duration::from_millis(400));
    assert!(least <= bdp * 6 / 10, "{least} of {bdp}");
    assert_eq!(path.bbr.state, State::ProbeBwCruise);
    assert!(path.bbr.cwnd > bdp);
}

impl Path {
    fn run_for_a_moment(&mut self) {
        self.send();
        self.receive();
        self.now += Duration::from_micros(200);
    }
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn heavy_loss_ends_startup_and_bounds_what_is_in_flight() {
    // The queue is a tenth of what the path holds.
    let mut path = Path::new(5_000_000, 50, 25_000);
    path.run(2);
    assert!(path.bbr.full_pipe.was_reached);
    assert!(path.bbr.inflight_longterm < 2 * path.bdp(), "{}", path.bbr.inflight_longterm);
    path.run(20);
    assert!(path.bbr.inflight_longterm <= path.bdp() + 2 * 25_000);
    assert_near(path.bbr.bw, path.rate, 20);
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn one_percent_of_loss_slows_down_little() {
    let mut path = Path::new(5_000_000, 50, 1 << 20);
    path.loses_every = Some(100);
    path.run(4);
    let before = path.sampler.on_nothing();
    path.run(20);
    let rate = (path.sampler.on_nothing() - before) / 20;
    assert!(rate > path.rate * 8 / 10, "{rate} of {}", path.rate);
}

impl DeliverySampler {
    /// What was delivered so far.
    fn on_nothing(&mut self) -> u64 {
        let now = Instant::EPOCH;
        let number = u64::MAX;
        self.on_sent(now, (SpaceId::Initial, number), 0, u64::MAX);
        self.on_acked(now, SpaceId::Initial, number);
        self.take_sample(now, Duration::ZERO).unwrap().total_delivered
    }
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn what_the_application_limits_is_not_taken_for_the_bandwidth() {
    let mut path = Path::new(5_000_000, 50, 1 << 20);
    path.run(4);
    let bw = path.bbr.bw;
    // 20 kB now and then.
    for _ in 0..100 {
        path.left = Some(20_000);
        for _ in 0..1000 {
            path.run_for_a_moment();
        }
    }
    assert_eq!(path.bbr.bw, bw);
    // And it starts where it was.
    path.left = None;
    path.run_for_a_moment();
    assert!(path.bbr.idle_restart);
    assert_near(path.bbr.pacing_rate, bw * 99 / 100, 1);
}

#[test]
fn startup_goes_on_when_the_losses_that_ended_it_were_none() {
    let mut path = Path::new(5_000_000, 50, 1 << 20);
    path.loses_every = Some(20);
    while path.bbr.state == State::Startup {
        path.run_for_a_moment();
    }
    assert_eq!(path.bbr.undo.state, Some(State::Startup));
    assert!(path.bbr.inflight_longterm != INFINITE);
    path.bbr.on_spurious_congestion(path.now);
    assert_eq!(path.bbr.state, State::Startup);
    assert!(!path.bbr.full_pipe.was_reached);
    assert_eq!(path.bbr.inflight_longterm, INFINITE);
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn rounds_with_loss_cost_30_percent_at_the_most() {
    let mut path = Path::new(1_250_000, 50, 1 << 20);
    path.run(3);
    assert_eq!(path.bbr.state, State::ProbeBwCruise);
    let (bw, cwnd) = (path.bbr.bw, path.bbr.cwnd);
    let bbr = &mut path.bbr;
    bbr.note_loss();
    bbr.bw_latest = bw / 2;
    bbr.inflight_latest = cwnd / 2;
    bbr.adapt_lower_bounds();
    assert_eq!(bbr.bw_shortterm, bw * 70 / 100);
    assert_eq!(bbr.inflight_shortterm, cwnd * 70 / 100);
    bbr.note_loss();
    bbr.bw_latest = bw * 9 / 10;
    bbr.adapt_lower_bounds();
    assert_eq!(bbr.bw_shortterm, bw * 9 / 10);
    // Before it probes again, that is forgotten.
    bbr.start_probe_bw_refill();
    assert_eq!((bbr.bw_shortterm, bbr.inflight_shortterm), (INFINITE, INFINITE));
}

#[test]
fn ecn_marks_count_as_loss_in_the_round() {
    let mut bbr = Bbr::new(MTU);
    let event = Congestion { newest_sent: Instant::EPOCH, lost_bytes: 0, in_flight: 0, ecn: true };
    bbr.on_congestion(Instant::EPOCH, &event);
    assert!(bbr.is_loss_in_round);
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn persistent_congestion_leaves_two_datagrams() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.6.2
    //= type=test
    //# When persistent congestion is declared, the sender's congestion
    //# window MUST be reduced to the minimum congestion window
    //# (kMinimumWindow), similar to a TCP sender's response on an RTO
    //# [RFC5681].
    let mut path = Path::new(1_250_000, 50, 1 << 20);
    path.run(3);
    path.bbr.on_persistent_congestion(path.now);
    assert_eq!(path.bbr.window(), 2 * PACKET);
}

#[test]
fn the_largest_of_the_last_rounds_is_remembered_and_then_the_next() {
    let mut filter = WindowedMax::default();
    for (round, value) in [(1, 100), (2, 50), (5, 70), (8, 20), (11, 10)] {
        filter.update(value, round, 10);
        assert_eq!(filter.get(), 100);
    }
    filter.update(5, 12, 10);
    assert_eq!(filter.get(), 70);
    filter.update(5, 40, 10);
    assert_eq!(filter.get(), 5);
}

fn extreme() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), 0..1_000_000_u64]
}

proptest! {
    #[test]
    fn the_window_stays_within_its_bounds_whatever_happens(
        steps in prop::collection::vec(
            (0..8_u8, extreme(), extreme(), extreme(), extreme(), any::<bool>()), 0..80),
    ) {
        let mut bbr = Bbr::new(MTU);
        let mut rtt = Rtt::new(Duration::from_millis(333));
        for (step, now, a, b, c, flag) in steps {
            let now = Instant::from_nanos(now);
            match step {
                0 => bbr.on_sent(now, &Sent { bytes: a, in_flight: b, app_limited: flag }),
                1 => bbr.on_packet_lost(now, &LostPacket {
                    bytes: a,
                    in_flight_when_sent: b,
                    lost: c,
                    total_delivered: a,
                    prior_delivered: b,
                    app_limited: flag,
                    continues_run: flag,
                }),
                2 => bbr.on_congestion(now, &Congestion {
                    newest_sent: Instant::from_nanos(a),
                    lost_bytes: b,
                    in_flight: c,
                    ecn: flag,
                }),
                3 => bbr.on_spurious_congestion(now),
                4 => bbr.on_persistent_congestion(now),
                5 => bbr.on_mtu_changed(u16::try_from(a % 65_536).unwrap()),
                _ => {
                    rtt.update(now, Duration::from_nanos(c), Duration::ZERO);
                    bbr.on_acked(now, &Acked {
                        bytes: a,
                        newest_sent: Instant::from_nanos(b),
                        window_limited: flag,
                        in_flight: c,
                        round_trip: None,
                        rate: Some(RateSample {
                            total_delivered: a,
                            prior_delivered: b,
                            delivered: c,
                            delivery_rate: flag.then_some(a),
                            app_limited: !flag,
                            round_trip: Duration::from_nanos(b),
                            in_flight_when_sent: c,
                            lost: a,
                        }),
                    }, &rtt);
                }
            }
            prop_assert!(bbr.window() >= 2 * u64::from(MINIMUM_MTU));
            prop_assert!(bbr.window() <= MAX_WINDOW);
        }
    }
}

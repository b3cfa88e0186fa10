use super::*;

const SPACE: SpaceId = SpaceId::Application;
const SIZE: u16 = 1000;

fn at(millis: u64) -> Instant {
    Instant::EPOCH + Duration::from_millis(1000 + millis)
}

/// Sends packet `number` at `millis`, with `in_flight` packets in flight before.
fn send(sampler: &mut DeliverySampler, millis: u64, number: u64, in_flight: u64) {
    sampler.on_sent(at(millis), (SPACE, number), SIZE, (in_flight + 1) * u64::from(SIZE));
}

fn ack(sampler: &mut DeliverySampler, millis: u64, numbers: &[u64]) -> Option<RateSample> {
    for number in numbers {
        sampler.on_acked(at(millis), SPACE, *number);
        // Each frame of a packet tells of it.
        sampler.on_acked(at(millis), SPACE, *number);
    }
    sampler.take_sample(at(millis), Duration::from_millis(100))
}

#[test]
fn a_steady_flow_gives_the_rate_at_which_it_is_acknowledged() {
    let mut sampler = DeliverySampler::new();
    // A packet each 10 ms, acknowledged 100 ms later.
    for number in 0..10 {
        send(&mut sampler, 10 * number, number, number);
    }
    let mut rate = None;
    for number in 10..40 {
        let now = 10 * number;
        rate = ack(&mut sampler, now, &[number - 10]).and_then(|sample| sample.delivery_rate);
        send(&mut sampler, now, number, 9);
    }
    assert_eq!(rate, Some(100_000));
}

#[test]
fn acknowledgments_that_come_all_at_once_give_the_rate_of_sending() {
    let mut sampler = DeliverySampler::new();
    for number in 0..20 {
        send(&mut sampler, 10 * number, number, number);
    }
    // The first came alone, all others were held back.
    ack(&mut sampler, 195, &[0]);
    let all: Vec<_> = (1..20).collect();
    let sample = ack(&mut sampler, 300, &all).unwrap();
    assert_eq!(sample.delivered, 20_000);
    assert_eq!(sample.prior_delivered, 0);
    // 20,000 bytes, from the first one's sending to the last acknowledgment.
    assert_eq!(sample.delivery_rate, Some(66_666));
    assert_eq!(sample.round_trip, Duration::from_millis(110));
    assert_eq!(sample.in_flight_when_sent, 20_000);
}

#[test]
fn intervals_shorter_than_a_round_trip_give_no_rate() {
    let mut sampler = DeliverySampler::new();
    send(&mut sampler, 0, 0, 0);
    let sample = ack(&mut sampler, 99, &[0]).unwrap();
    assert_eq!((sample.delivered, sample.delivery_rate), (1000, None));
}

#[test]
fn what_is_sent_after_a_pause_is_limited_by_the_application_for_a_round_trip() {
    let mut sampler = DeliverySampler::new();
    send(&mut sampler, 0, 0, 0);
    sampler.mark_app_limited(1000);
    send(&mut sampler, 50, 1, 1);
    assert!(sampler.is_app_limited());
    assert!(!ack(&mut sampler, 100, &[0]).unwrap().app_limited);
    assert!(ack(&mut sampler, 150, &[1]).unwrap().app_limited);
    assert!(!sampler.is_app_limited());
    send(&mut sampler, 200, 2, 0);
    assert!(!ack(&mut sampler, 300, &[2]).unwrap().app_limited);
}

#[test]
fn a_lost_packet_tells_what_was_lost_since_it_was_sent() {
    let mut sampler = DeliverySampler::new();
    for number in 0..6 {
        send(&mut sampler, number, number, number);
    }
    let lost = |sampler: &mut DeliverySampler, number| {
        let lost = sampler.on_lost(SPACE, number, false).unwrap();
        (lost.lost, lost.in_flight_when_sent, lost.continues_run)
    };
    assert_eq!(lost(&mut sampler, 1), (1000, 2000, false));
    assert_eq!(lost(&mut sampler, 2), (2000, 3000, true));
    assert!(sampler.on_lost(SPACE, 2, false).is_none());
    // An MTU probe is no loss.
    assert!(sampler.on_lost(SPACE, 3, true).is_none());
    assert_eq!(lost(&mut sampler, 4), (3000, 5000, false));
    let sample = ack(&mut sampler, 200, &[5]).unwrap();
    assert_eq!((sample.lost, sample.total_delivered), (3000, 1000));
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn nothing_is_kept_of_packets_whose_fate_is_known() {
    let mut sampler = DeliverySampler::new();
    for number in 0..10_000 {
        // Every third number is skipped.
        send(&mut sampler, number, number * 3 / 2, 0);
    }
    for number in (0..10_000).rev() {
        sampler.on_acked(at(20_000), SPACE, number * 3 / 2);
    }
    let [_, _, records] = &sampler.records;
    assert!(records.is_empty() && records.capacity() == 0);
    sampler.forget(SPACE);
    assert!(sampler.on_lost(SPACE, 1, false).is_none());
}

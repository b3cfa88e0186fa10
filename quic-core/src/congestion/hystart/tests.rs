use super::*;

fn at(millis: u64) -> Instant {
    Instant::EPOCH + Duration::from_millis(millis)
}

/// An ACK of 1,000 bytes sent at `sent`, that took `round_trip` milliseconds.
fn ack(hystart: &mut HyStart, sent: u64, round_trip: u64) -> Growth {
    let acked = Acked {
        bytes: 1000,
        newest_sent: at(sent),
        window_limited: true,
        in_flight: 0,
        round_trip: Some(Duration::from_millis(round_trip)),
        rate: None,
    };
    hystart.on_acked(at(sent + round_trip), &acked)
}

/// Rounds of `acks` packets each, which all take `round_trip`; returns the last answer.
fn rounds(
    hystart: &mut HyStart,
    sent: &mut u64,
    number: u64,
    acks: u64,
    round_trip: u64,
) -> Growth {
    let mut growth = Growth::By(0);
    for _ in 0..number {
        for packet in 0..acks {
            growth = ack(hystart, *sent + packet, round_trip);
        }
        *sent += round_trip + acks;
    }
    growth
}

#[test]
fn it_is_slow_start_while_the_round_trip_time_stays() {
    let mut hystart = HyStart::new(at(0));
    assert_eq!(rounds(&mut hystart, &mut 1, 100, 10, 100), Growth::By(1000));
}

#[test]
fn a_rise_by_an_eighth_makes_it_conservative_for_five_rounds() {
    let mut hystart = HyStart::new(at(0));
    let mut sent = 1;
    rounds(&mut hystart, &mut sent, 2, 10, 100);
    // The round in which it is noticed counts.
    assert_eq!(rounds(&mut hystart, &mut sent, 5, 10, 113), Growth::By(250));
    assert_eq!(ack(&mut hystart, sent, 113), Growth::Over);
}

#[test]
fn smaller_rises_and_few_samples_are_no_reason() {
    let mut hystart = HyStart::new(at(0));
    let mut sent = 1;
    rounds(&mut hystart, &mut sent, 2, 10, 100);
    assert_eq!(rounds(&mut hystart, &mut sent, 1, 10, 112), Growth::By(1000));
    assert_eq!(rounds(&mut hystart, &mut sent, 1, 7, 200), Growth::By(1000));
}

#[test]
fn the_rise_is_at_least_4_ms_and_at_most_16() {
    assert_eq!(threshold(Duration::from_millis(1)), Duration::from_millis(4));
    assert_eq!(threshold(Duration::from_millis(80)), Duration::from_millis(10));
    assert_eq!(threshold(Duration::from_secs(1)), Duration::from_millis(16));
}

#[test]
fn a_fall_below_the_rise_resumes_slow_start() {
    let mut hystart = HyStart::new(at(0));
    let mut sent = 1;
    rounds(&mut hystart, &mut sent, 2, 10, 100);
    assert_eq!(rounds(&mut hystart, &mut sent, 2, 10, 120), Growth::By(250));
    assert_eq!(rounds(&mut hystart, &mut sent, 1, 10, 110), Growth::By(1000));
    // And again from the beginning: against the minimum of the last round.
    assert_eq!(rounds(&mut hystart, &mut sent, 4, 10, 130), Growth::By(250));
}

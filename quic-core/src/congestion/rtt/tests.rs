use super::*;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-5.2
//= type=test
//# min_rtt MUST be set to the latest_rtt on the first RTT sample.
#[test]
fn the_first_sample_replaces_the_guess_and_ignores_the_delay() {
    let mut rtt = Rtt::new(millis(333));
    assert_eq!(rtt.pto_base(), millis(333) + millis(333) * 2);
    let now = Instant::EPOCH + millis(5);
    rtt.update(now, millis(100), millis(50));
    assert_eq!(rtt.smoothed(), millis(100));
    assert_eq!(rtt.variation(), millis(50));
    assert_eq!(rtt.minimum(), millis(100));
    assert_eq!(rtt.first_sample(), Some(now));
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-5.3
//= type=test
//# MUST NOT subtract the acknowledgment delay from the RTT sample if the
//# resulting value is smaller than the min_rtt.
#[test]
fn the_delay_is_taken_off_unless_the_sample_would_fall_below_the_minimum() {
    let mut rtt = Rtt::new(millis(333));
    rtt.update(Instant::EPOCH, millis(100), Duration::ZERO);
    rtt.update(Instant::EPOCH, millis(200), millis(20));
    assert_eq!(rtt.smoothed(), (millis(100) * 7 + millis(180)) / 8);
    assert_eq!(rtt.variation(), (millis(50) * 3 + millis(80)) / 4);
    let mut rtt = Rtt::new(millis(333));
    rtt.update(Instant::EPOCH, millis(100), Duration::ZERO);
    rtt.update(Instant::EPOCH, millis(110), millis(20));
    assert_eq!(rtt.smoothed(), (millis(100) * 7 + millis(110)) / 8);
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-5.2
//= type=test
//# min_rtt MUST be set to the lesser of min_rtt and latest_rtt (Section
//# 5.1) on all other samples.
#[test]
fn the_minimum_ignores_the_delay() {
    let mut rtt = Rtt::new(millis(333));
    rtt.update(Instant::EPOCH, millis(100), Duration::ZERO);
    rtt.update(Instant::EPOCH, millis(90), millis(80));
    assert_eq!(rtt.minimum(), millis(90));
    assert_eq!(rtt.latest(), millis(90));
}

#[test]
fn extreme_samples_saturate() {
    let mut rtt = Rtt::new(Duration::MAX);
    for sample in [Duration::MAX, Duration::ZERO, Duration::MAX, Duration::from_nanos(1)] {
        rtt.update(Instant::FAR_FUTURE, sample, Duration::MAX);
        assert!(rtt.pto_base() >= rtt.smoothed());
    }
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-5.2
//= type=test
//# Implementations SHOULD NOT refresh the min_rtt value too often since
//# the actual minimum RTT of the path is not frequently observable.
#[test]
fn after_persistent_congestion_the_last_sample_is_the_minimum() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-5.2
    //= type=test
    //# Endpoints SHOULD set the min_rtt to the newest RTT sample after
    //# persistent congestion is established.
    let mut rtt = Rtt::new(millis(333));
    rtt.update(Instant::EPOCH, millis(10), Duration::ZERO);
    rtt.update(Instant::EPOCH, millis(400), Duration::ZERO);
    assert_eq!(rtt.minimum(), millis(10));
    rtt.on_persistent_congestion();
    assert_eq!(rtt.minimum(), millis(400));
    rtt.update(Instant::EPOCH, millis(300), Duration::ZERO);
    assert_eq!(rtt.minimum(), millis(300));
}

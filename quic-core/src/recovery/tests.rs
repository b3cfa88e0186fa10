use proptest::prelude::*;

use super::*;
use crate::config::TransportConfig;
use crate::wire::frame::{Frame, Frames, write_ack};
use crate::wire::{RangeSet, Writer};

const RTT: Duration = Duration::from_millis(100);

fn at(millis: u64) -> Instant {
    Instant::EPOCH + Duration::from_millis(millis)
}

fn rtt() -> Rtt {
    let mut rtt = Rtt::new(Duration::from_millis(333));
    (0..100).for_each(|_| rtt.update(Instant::EPOCH, RTT, Duration::ZERO));
    rtt
}

fn state(rtt: &Rtt) -> TimerState<'_> {
    TimerState {
        rtt,
        max_ack_delay: Duration::from_millis(25),
        handshake_confirmed: true,
        has_handshake_keys: true,
        peer_completed_address_validation: true,
        amplification_blocked: false,
        handshake_waits: None,
    }
}

fn with_packet(time_sent: Instant) -> SentPackets {
    let mut sent = SentPackets::new();
    sent.push(NewPacket { time_sent, ..packet() });
    sent
}

fn packet() -> NewPacket {
    NewPacket {
        time_sent: at(0),
        size: 1200,
        ack_eliciting: true,
        in_flight: true,
        mtu_probe: false,
        ect: false,
        path: 0,
        frame_count: 0,
    }
}

fn lost(newest_sent: u64, packets: u32) -> LossOutcome {
    LossOutcome {
        packets,
        congestion_packets: packets,
        newest_sent: Some(at(newest_sent)),
        ..LossOutcome::default()
    }
}

fn spurious(packets: u32) -> AckOutcome {
    let spurious = SpuriousLoss {
        packets,
        of_congestion_event: packets,
        reordering: 10,
        delay: Duration::from_millis(150),
    };
    AckOutcome { newly_acked: packets, spurious, ..AckOutcome::default() }
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.1
//= type=test
//# A sender SHOULD restart its PTO timer every time an ack-eliciting
//# packet is sent or acknowledged, or when Initial or Handshake keys are
//# discarded (Section 4.9 of [QUIC-TLS]).
#[test]
fn probes_are_sent_after_twice_as_long_each_time_until_an_acknowledgment() {
    let rtt = rtt();
    let state = state(&rtt);
    let none = SentPackets::new();
    let mut recovery = Recovery::new(3);
    let period = Recovery::pto(&rtt, state.max_ack_delay, SpaceId::Application);
    assert_eq!(period, rtt.pto_base() + Duration::from_millis(25));
    let mut now = at(0);
    for count in 0..5 {
        let sent = with_packet(now);
        recovery.set_timer(now, [&none, &none, &sent], &state);
        let deadline = recovery.deadline().unwrap();
        assert_eq!(deadline - now, period * (1 << count));
        now = deadline;
        let action = recovery.handle_timeout(now, [&none, &none, &sent], &state);
        assert_eq!(action, TimeoutAction::Probe { space: SpaceId::Application, count: 2 });
        assert_eq!(recovery.pto_count(), count + 1);
    }
    let acked = AckOutcome { newly_acked: 1, ..AckOutcome::default() };
    // A client whose address the server may not have validated keeps its backoff.
    recovery.on_ack_received(&acked, &rtt, false);
    assert_eq!(recovery.pto_count(), 5);
    recovery.on_ack_received(&AckOutcome::default(), &rtt, true);
    assert_eq!(recovery.pto_count(), 5);
    recovery.on_ack_received(&acked, &rtt, true);
    assert_eq!(recovery.pto_count(), 0);
}

#[test]
fn the_backoff_doubles_however_long_a_connection_may_be_silent() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.1
    //= type=test
    //# When a PTO timer expires, the PTO backoff MUST be increased,
    //# resulting in the PTO period being set to twice its current value.
    let rtt = rtt();
    let none = SentPackets::new();
    let mut recovery = Recovery::new(3);
    let mut now = at(0);
    let mut period = Recovery::pto(&rtt, state(&rtt).max_ack_delay, SpaceId::Application);
    for _ in 0..100 {
        let sent = with_packet(now);
        recovery.set_timer(now, [&none, &none, &sent], &state(&rtt));
        let deadline = recovery.deadline().unwrap();
        assert_eq!(deadline - now, period);
        now = deadline;
        recovery.handle_timeout(now, [&none, &none, &sent], &state(&rtt));
        if recovery.pto_count() <= MAX_BACKOFF_EXPONENT {
            period *= 2;
        }
    }
    assert!(period > Duration::from_hours(1));
}

#[test]
fn after_a_timeout_the_deadline_is_later_than_now_even_if_nothing_could_be_sent() {
    let rtt = rtt();
    let none = SentPackets::new();
    let sent = with_packet(at(0));
    let mut recovery = Recovery::new(3);
    let now = at(1 << 40);
    recovery.set_timer(now, [&none, &none, &sent], &state(&rtt));
    assert!(recovery.deadline().unwrap() < now);
    for _ in 0..30 {
        recovery.handle_timeout(now, [&none, &none, &sent], &state(&rtt));
        recovery.set_timer(now, [&none, &none, &sent], &state(&rtt));
        assert!(recovery.deadline().unwrap() > now);
    }
    assert_eq!(recovery.pto_count(), 1);
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.1
//= type=test
//# An endpoint MUST NOT set its PTO timer for the Application Data packet
//# number space until the handshake is confirmed.
#[test]
fn application_data_is_probed_for_only_once_the_handshake_is_confirmed() {
    let rtt = rtt();
    let none = SentPackets::new();
    let sent = with_packet(at(0));
    let mut recovery = Recovery::new(3);
    let unconfirmed = TimerState { handshake_confirmed: false, ..state(&rtt) };
    recovery.set_timer(at(0), [&none, &none, &sent], &unconfirmed);
    assert_eq!(recovery.deadline(), None);
    recovery.set_timer(at(0), [&none, &sent, &sent], &unconfirmed);
    assert_eq!(recovery.deadline(), Some(at(0) + rtt.pto_base()));
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.2.1
//= type=test
//# That is, the client MUST set the PTO timer if the client has not
//# received an acknowledgment for any of its Handshake packets and the
//# handshake is not confirmed (see Section 4.1.2 of [QUIC-TLS]), even if
//# there are no packets in flight.
#[test]
fn a_client_keeps_probing_a_server_that_may_be_blocked() {
    let rtt = rtt();
    let none = SentPackets::new();
    let mut recovery = Recovery::new(3);
    let mut unvalidated = TimerState { peer_completed_address_validation: false, ..state(&rtt) };
    unvalidated.has_handshake_keys = false;
    let spaces = [&none; 3];
    recovery.set_timer(at(0), spaces, &unvalidated);
    let deadline = at(0) + rtt.pto_base();
    // Setting it again does not put it off.
    recovery.set_timer(at(50), spaces, &unvalidated);
    assert_eq!(recovery.deadline(), Some(deadline));
    assert_eq!(
        recovery.handle_timeout(deadline, spaces, &unvalidated),
        TimeoutAction::Probe { space: SpaceId::Initial, count: 1 }
    );
    assert!(recovery.deadline().unwrap() > deadline);
    unvalidated.has_handshake_keys = true;
    let deadline = recovery.deadline().unwrap();
    assert_eq!(recovery.handle_timeout(deadline - RTT, spaces, &unvalidated), TimeoutAction::None);
    recovery.set_timer(deadline, spaces, &unvalidated);
    let deadline = recovery.deadline().unwrap();
    assert_eq!(
        recovery.handle_timeout(deadline, spaces, &unvalidated),
        TimeoutAction::Probe { space: SpaceId::Handshake, count: 1 }
    );
    recovery.set_timer(deadline, spaces, &state(&rtt));
    assert_eq!(recovery.deadline(), None);
}

#[test]
fn a_handshake_that_finds_the_window_full_goes_on_by_probes() {
    let rtt = rtt();
    let (none, data) = (SentPackets::new(), with_packet(at(0)));
    let mut recovery = Recovery::new(3);
    let waits = TimerState {
        handshake_confirmed: false,
        handshake_waits: Some(SpaceId::Handshake),
        ..state(&rtt)
    };
    let spaces = [&none, &none, &data];
    recovery.set_timer(at(10), spaces, &waits);
    let deadline = at(10) + rtt.pto_base();
    assert_eq!(recovery.deadline(), Some(deadline));
    assert_eq!(
        recovery.handle_timeout(deadline, spaces, &waits),
        TimeoutAction::Probe { space: SpaceId::Handshake, count: 1 }
    );
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.2.1
//= type=test
//# If no additional data can be sent, the server's PTO timer MUST NOT be
//# armed until datagrams have been received from the client because
//# packets sent on PTO count against the anti-amplification limit.
#[test]
fn a_server_that_may_not_send_sets_no_probe_timer() {
    let rtt = rtt();
    let none = SentPackets::new();
    let sent = with_packet(at(0));
    let mut recovery = Recovery::new(3);
    let blocked = TimerState { amplification_blocked: true, ..state(&rtt) };
    recovery.set_timer(at(0), [&sent, &none, &none], &blocked);
    assert_eq!(recovery.deadline(), None);
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.1.2
//= type=test
//# To avoid declaring packets as lost too early, this time threshold MUST
//# be set to at least the local timer granularity, as indicated by the
//# kGranularity constant.
//= https://www.rfc-editor.org/rfc/rfc9002#section-6.1.2
//= type=test
//# The RECOMMENDED time threshold (kTimeThreshold), expressed as an RTT
//# multiplier, is 9/8.
#[test]
fn the_time_threshold_is_nine_eighths_of_the_round_trip_and_at_least_a_millisecond() {
    let recovery = Recovery::new(3);
    let thresholds = recovery.loss_thresholds(&rtt(), 0);
    assert_eq!(thresholds.time_threshold, RTT * 9 / 8);
    let tiny = Rtt::new(Duration::from_nanos(1));
    assert_eq!(recovery.loss_thresholds(&tiny, 0).time_threshold, GRANULARITY);
}

#[test]
fn spurious_losses_raise_the_thresholds_within_bounds() {
    let mut recovery = Recovery::new(3);
    recovery.on_ack_received(&spurious(1), &rtt(), true);
    let thresholds = recovery.loss_thresholds(&rtt(), 0);
    assert_eq!(thresholds.packet_threshold, 11);
    assert!(thresholds.time_threshold > Duration::from_millis(150));
    let mut extreme = spurious(1);
    extreme.spurious.reordering = u64::MAX;
    extreme.spurious.delay = Duration::MAX;
    recovery.on_ack_received(&extreme, &rtt(), true);
    let thresholds = recovery.loss_thresholds(&rtt(), 0);
    assert_eq!(thresholds.packet_threshold, MAX_PACKET_THRESHOLD);
    assert_eq!(thresholds.time_threshold, 2 * RTT);
    recovery.on_path_changed();
    assert_eq!(recovery.loss_thresholds(&rtt(), 0).packet_threshold, 3);
}

#[test]
fn an_event_is_undone_when_every_packet_lost_in_it_arrived() {
    let mut recovery = Recovery::new(3);
    let rtt = rtt();
    recovery.on_lost(at(100), &lost(50, 2), &rtt, Duration::ZERO);
    assert_eq!(recovery.ack_context(0).congestion_event, Some(at(100)));
    // Sent before the event: a part of it.
    recovery.on_lost(at(110), &lost(90, 1), &rtt, Duration::ZERO);
    assert!(!recovery.on_ack_received(&spurious(2), &rtt, true));
    assert!(recovery.on_ack_received(&spurious(1), &rtt, true));
    assert_eq!(recovery.ack_context(0).congestion_event, None);
    assert!(!recovery.on_ack_received(&spurious(1), &rtt, true));
}

#[test]
fn persistent_congestion_takes_longer_than_three_probe_timeouts() {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.6.1
    //= type=test
    //# The RECOMMENDED value for kPersistentCongestionThreshold is 3, which
    //# results in behavior that is approximately equivalent to a TCP sender
    //# declaring an RTO after two TLPs.
    let mut recovery = Recovery::new(3);
    let rtt = rtt();
    let delay = Duration::from_millis(25);
    let limit = (rtt.pto_base() + delay) * 3;
    let mut outcome = lost(5000, 10);
    outcome.span = Some((at(1000), at(1000) + limit));
    assert!(!recovery.on_lost(at(6000), &outcome, &rtt, delay));
    outcome.span = Some((at(1000), at(1000) + limit + Duration::from_nanos(1)));
    assert!(recovery.on_lost(at(6001), &outcome, &rtt, delay));
}

#[test]
fn lost_mtu_probes_and_pure_acks_are_no_congestion() {
    let mut recovery = Recovery::new(3);
    let outcome = LossOutcome { packets: 3, bytes: 1400, ..LossOutcome::default() };
    assert!(!recovery.on_lost(at(1), &outcome, &rtt(), Duration::ZERO));
    assert_eq!(recovery.ack_context(0).congestion_event, None);
}

proptest! {
    #[test]
    fn no_time_makes_the_timer_panic_or_stand_still(
        sent_at: u64,
        now: u64,
        sample: u64,
        delay: u64,
        expirations in 0..if cfg!(miri) { 8 } else { 80 },
    ) {
        let mut rtt = Rtt::new(Duration::from_nanos(sample));
        rtt.update(Instant::EPOCH, Duration::from_nanos(sample), Duration::ZERO);
        let state =
            TimerState { max_ack_delay: Duration::from_nanos(delay), ..state(&rtt) };
        let none = SentPackets::new();
        let mut sent = with_packet(Instant::from_nanos(sent_at));
        let mut recovery = Recovery::new(3);
        let now = Instant::from_nanos(now);
        recovery.set_timer(now, [&none, &none, &sent], &state);
        let mut at = now;
        for _ in 0..expirations {
            at = at.max(recovery.deadline().unwrap());
            recovery.handle_timeout(at, [&none, &none, &sent], &state);
            let next = recovery.deadline().unwrap();
            prop_assert!(next > at || next == Instant::FAR_FUTURE);
        }
        sent.detect_lost(at, &recovery.loss_thresholds(&rtt, 0), |_, _| {});
    }
}

#[test]
fn a_packet_sent_at_the_very_start_of_an_event_belongs_to_it() {
    let mut epoch = CongestionEpoch::default();
    epoch.on_lost(at(10), at(5), 1);
    epoch.on_lost(at(20), at(10), 1);
    assert!(!epoch.on_spurious(1) && epoch.on_spurious(1));
}

#[test]
fn persistent_congestion_is_never_undone() {
    let rtt = rtt();
    let mut recovery = Recovery::new(3);
    let all = LossOutcome { span: Some((at(0), at(10_000))), ..lost(10_000, 2) };
    assert!(recovery.on_lost(at(10_001), &all, &rtt, Duration::ZERO));
    assert!(!recovery.on_ack_received(&spurious(2), &rtt, true));
}

#[test]
fn the_time_threshold_follows_the_latest_round_trip_time_if_that_is_longer() {
    let mut rtt = rtt();
    rtt.update(at(0), RTT * 4, Duration::ZERO);
    let threshold = Recovery::new(3).loss_thresholds(&rtt, 0).time_threshold;
    assert_eq!(threshold, RTT * 4 * 9 / 8);
    rtt.update(at(0), RTT / 4, Duration::ZERO);
    let threshold = Recovery::new(3).loss_thresholds(&rtt, 0).time_threshold;
    assert_eq!(threshold, rtt.smoothed() / 8 * 9);
}

#[test]
fn what_was_learned_of_reordering_is_forgotten_on_another_path() {
    let rtt = rtt();
    let mut recovery = Recovery::new(3);
    let before = recovery.loss_thresholds(&rtt, 0);
    recovery.on_ack_received(&spurious(1), &rtt, true);
    let learned = recovery.loss_thresholds(&rtt, 0);
    assert!(learned.packet_threshold > before.packet_threshold);
    assert!(learned.time_threshold > before.time_threshold);
    recovery.on_path_changed();
    let after = recovery.loss_thresholds(&rtt, 0);
    assert_eq!(after.packet_threshold, before.packet_threshold);
    assert_eq!(after.time_threshold, before.time_threshold);
}

#[test]
fn congestion_of_another_path_is_not_undone() {
    let rtt = rtt();
    let mut recovery = Recovery::new(3);
    recovery.on_lost(at(10), &lost(5, 1), &rtt, Duration::ZERO);
    recovery.on_path_changed();
    assert!(!recovery.on_ack_received(&spurious(1), &rtt, true));
}

#[test]
fn a_new_path_and_the_end_of_a_space_let_probes_begin_anew() {
    let rtt = rtt();
    let state = state(&rtt);
    let (none, sent) = (SentPackets::new(), with_packet(at(0)));
    let spaces = [&none, &none, &sent];
    for begin_anew in [Recovery::on_path_changed, Recovery::on_space_discarded] {
        let mut recovery = Recovery::new(3);
        recovery.set_timer(at(0), spaces, &state);
        let first = recovery.deadline().unwrap();
        for _ in 0..3 {
            let due = recovery.deadline().unwrap();
            recovery.handle_timeout(due, spaces, &state);
        }
        assert!(recovery.deadline().unwrap() > first);
        begin_anew(&mut recovery);
        recovery.set_timer(first, spaces, &state);
        assert_eq!((recovery.deadline(), recovery.pto_count()), (Some(first), 0));
    }
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.1.1
//= type=test
//# The RECOMMENDED initial value for the packet reordering threshold
//# (kPacketThreshold) is 3, based on best practices for TCP loss
//# detection [RFC5681] [RFC6675].
//= https://www.rfc-editor.org/rfc/rfc9002#section-6.1.1
//= type=test
//# In order to remain similar to TCP, implementations SHOULD NOT use a
//# packet threshold less than 3; see [RFC5681].
//= https://www.rfc-editor.org/rfc/rfc9002#section-6.1.2
//= type=test
//# The RECOMMENDED value of the timer granularity (kGranularity) is 1
//# millisecond.
//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.2
//= type=test
//# When no previous RTT is available, the initial RTT SHOULD be set to
//# 333 milliseconds.
#[test]
fn the_defaults_are_those_that_the_rfc_recommends() {
    let mut config = TransportConfig::default();
    assert_eq!(config.packet_threshold, 3);
    assert_eq!(config.initial_rtt, Duration::from_millis(333));
    assert_eq!(GRANULARITY, Duration::from_millis(1));
    config.packet_threshold = 2;
    assert_eq!(config.check().unwrap_err().field, "packet_threshold");
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.1
//= type=test
//# The PTO period MUST be at least kGranularity to avoid the timer
//# expiring immediately.
#[test]
fn no_probe_timeout_is_shorter_than_the_granularity() {
    let mut rtt = Rtt::new(Duration::from_nanos(1));
    rtt.update(at(0), Duration::ZERO, Duration::ZERO);
    let none = SentPackets::new();
    let sent = with_packet(at(0));
    let mut recovery = Recovery::new(3);
    recovery.set_timer(at(0), [&sent, &none, &none], &state(&rtt));
    assert!(recovery.deadline() >= Some(at(1)));
    assert_eq!(recovery.backed_off(Duration::ZERO), GRANULARITY);
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.1
//= type=test
//# When ack-eliciting packets in multiple packet number spaces are in
//# flight, the timer MUST be set to the earlier value of the Initial and
//# Handshake packet number spaces.
#[test]
fn the_earlier_of_the_handshake_spaces_is_probed() {
    let rtt = rtt();
    let none = SentPackets::new();
    let (early, late) = (with_packet(at(0)), with_packet(at(10)));
    for (spaces, space) in
        [([&early, &late, &none], SpaceId::Initial), ([&late, &early, &none], SpaceId::Handshake)]
    {
        let mut recovery = Recovery::new(3);
        recovery.set_timer(at(10), spaces, &state(&rtt));
        let due = recovery.deadline().unwrap();
        assert_eq!(due, at(0) + rtt.pto_base());
        let action = recovery.handle_timeout(due, spaces, &state(&rtt));
        assert_eq!(action, TimeoutAction::Probe { space, count: 2 });
    }
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-6.2.1
//= type=test
//# The PTO timer MUST NOT be set if a timer is set for time threshold
//# loss detection; see Section 6.1.2.
#[test]
fn no_probe_is_waited_for_while_a_loss_is() {
    let rtt = rtt();
    let none = SentPackets::new();
    let mut sent = with_packet(at(0));
    sent.push(NewPacket { time_sent: at(1), ..packet() });
    let mut numbers = RangeSet::default();
    numbers.insert(1..2);
    let mut memory = [0; 20];
    let mut writer = Writer::new(&mut memory);
    write_ack(&mut writer, &numbers, 0, None).unwrap();
    let Some(Ok(Frame::Ack(ack))) = Frames::new(writer.written()).next() else { panic!() };
    let mut recovery = Recovery::new(3);
    sent.on_ack(at(50), &ack, recovery.ack_context(0), |_, _| {}).unwrap();
    sent.detect_lost(at(50), &recovery.loss_thresholds(&rtt, 0), |_, _| {});
    let early = with_packet(at(0));
    // However much earlier a probe would be due.
    let spaces = [&early, &none, &sent];
    recovery.set_timer(at(1000), spaces, &state(&rtt));
    assert_eq!((recovery.deadline(), sent.loss_time().is_some()), (sent.loss_time(), true));
    let action = recovery.handle_timeout(at(1000), spaces, &state(&rtt));
    assert_eq!(action, TimeoutAction::DetectLoss(SpaceId::Application));
}

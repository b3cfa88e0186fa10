use std::sync::Arc;

use super::*;
use crate::config::TransportConfig;
use crate::crypto::SeededRandom;
use crate::instant::Instant;
use crate::net::{PathAddresses, SocketId};
use crate::wire::Side;

fn paths() -> Paths {
    let addresses = PathAddresses {
        socket: SocketId(0),
        local_ip: None,
        remote: ([192, 0, 2, 1], 1000).into(),
    };
    Paths::new(Side::Client, addresses, Arc::new(TransportConfig::default()), true)
}

fn sends(paths: &mut Paths, number: u64) {
    (0..number).for_each(|_| paths.on_marked_sent(0));
}

fn counts(ect0: u64, ect1: u64, ce: u64) -> AckedMarks {
    let counts = EcnCounts { ect0, ect1, ce };
    AckedMarks {
        counts: Some(counts),
        raises_largest: true,
        newest_is_marked: Some(true),
        ..AckedMarks::default()
    }
}

fn newly(marked: u32, acked: AckedMarks) -> AckedMarks {
    AckedMarks { marked, ..acked }
}

fn state(paths: &Paths) -> EcnState {
    paths.active().ecn.state()
}

/// Five marked packets, of which the peer saw one marked CE.
fn capable() -> Paths {
    let mut paths = paths();
    sends(&mut paths, 5);
    assert!(paths.on_marks_acked(&newly(5, counts(4, 0, 1))));
    assert_eq!(state(&paths), EcnState::Capable);
    paths
}

#[test]
fn ten_packets_are_marked_to_see_what_becomes_of_them() {
    let mut paths = paths();
    for _ in 0..10 {
        assert!(paths.active().ecn.marks());
        sends(&mut paths, 1);
    }
    assert!(!paths.active().ecn.marks());
    assert_eq!(state(&paths), EcnState::Unknown);
    paths.on_marks_acked(&newly(1, counts(1, 0, 0)));
    assert_eq!(state(&paths), EcnState::Capable);
    assert!(paths.active().ecn.marks());
}

#[test]
fn a_test_whose_outcome_another_path_was_told_is_made_again() {
    let mut paths = paths();
    let mut random = SeededRandom::from_seed([1; 32]);
    let home = paths.active().addresses;
    let elsewhere = PathAddresses { local_ip: Some([192, 0, 2, 9].into()), ..home };
    sends(&mut paths, 10);
    assert_eq!(state(&paths), EcnState::Unknown);
    paths.migrate(Instant::EPOCH, elsewhere, &mut random);
    let elsewhere = AckedMarks { marked_elsewhere: 10, newest_is_marked: None, ..counts(10, 0, 0) };
    paths.on_marks_acked(&elsewhere);
    paths.migrate(Instant::EPOCH, home, &mut random);
    assert_eq!(state(&paths), EcnState::Testing);
    paths.on_marked_sent(0);
    paths.on_marks_acked(&newly(1, counts(11, 0, 0)));
    assert_eq!(state(&paths), EcnState::Capable);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.4.2.2
//= type=test
//# If validation fails, then the endpoint MUST disable ECN.
//= https://www.rfc-editor.org/rfc/rfc9000#section-13.4.2.2
//= type=test
//# Network routing and path elements can change mid-connection; an
//# endpoint MUST disable ECN if validation later fails.
#[test]
fn marks_end_when_the_counts_are_not_as_they_should_be() {
    let wrong = [
        ("no counts", newly(1, AckedMarks { counts: None, ..counts(0, 0, 0) })),
        ("too few of either", newly(2, counts(5, 0, 1))),
        ("fewer ECT(0) than before", newly(1, counts(3, 0, 3))),
        ("fewer CE than before", newly(1, counts(6, 0, 0))),
        ("ECT(1), which was never sent", newly(1, counts(5, 1, 1))),
        ("more than were sent", newly(1, counts(7, 0, 1))),
        ("more than were sent, as CE", newly(1, counts(4, 0, 4))),
    ];
    for (what, acked) in wrong {
        let mut paths = capable();
        sends(&mut paths, 2);
        assert!(!paths.on_marks_acked(&acked), "{what}");
        assert_eq!(state(&paths), EcnState::Failed, "{what}");
        assert!(!paths.active().ecn.marks(), "{what}");
        paths.on_marks_acked(&newly(1, counts(6, 0, 1)));
        assert_eq!(state(&paths), EcnState::Failed, "{what}, and nothing brings it back");
    }
}

#[test]
fn counts_of_what_was_never_marked_fail_a_path() {
    let mut paths = paths();
    paths.on_marks_acked(&counts(0, 0, 1));
    assert_eq!(state(&paths), EcnState::Failed);
}

#[test]
fn counts_may_tell_of_more_than_is_acknowledged() {
    let mut paths = capable();
    sends(&mut paths, 3);
    assert!(!paths.on_marks_acked(&newly(1, counts(7, 0, 1))));
    // The rest of them is acknowledged after all.
    assert!(!paths.on_marks_acked(&AckedMarks { marked: 2, ..counts(7, 0, 1) }.late()));
    assert_eq!(state(&paths), EcnState::Capable);
}

impl AckedMarks {
    /// Of a frame that was overtaken.
    fn late(self) -> Self {
        Self { raises_largest: false, ..self }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.4.2.1
//= type=test
//# An endpoint MUST NOT fail ECN validation as a
//# result of processing an ACK frame that does not increase the largest
//# acknowledged packet number.
#[test]
fn frames_that_were_overtaken_fail_nothing() {
    let mut paths = capable();
    sends(&mut paths, 5);
    paths.on_marks_acked(&newly(3, counts(7, 0, 1)));
    for acked in [
        newly(1, counts(5, 0, 1)),
        newly(1, counts(5, 0, 0)),
        newly(1, counts(0, 9, 0)),
        newly(1, AckedMarks { counts: None, ..counts(0, 0, 0) }),
    ] {
        assert!(!paths.on_marks_acked(&acked.late()));
        assert_eq!(state(&paths), EcnState::Capable);
    }
    // What they said is not compared with either.
    paths.on_marks_acked(&newly(1, counts(8, 0, 1)));
    assert_eq!(state(&paths), EcnState::Capable);
}

#[test]
fn each_rise_of_the_count_of_congestion_is_told_once() {
    let mut paths = capable();
    sends(&mut paths, 5);
    assert!(!paths.on_marks_acked(&newly(1, counts(5, 0, 1))));
    assert!(paths.on_marks_acked(&newly(1, counts(5, 0, 2))));
    assert!(!paths.on_marks_acked(&newly(1, counts(6, 0, 2))));
    assert_eq!(paths.marks_sent(), (10, 2));
}

//= https://www.rfc-editor.org/rfc/rfc9002#section-7.1
//= type=test
//# If a path has been validated to support Explicit Congestion
//# Notification (ECN) [RFC3168] [RFC8311], QUIC treats a Congestion
//# Experienced (CE) codepoint in the IP header as a signal of
//# congestion.
#[test]
fn congestion_that_an_overtaken_frame_told_of_first_counts_with_the_next_frame_whatever_that_is() {
    let mut paths = capable();
    sends(&mut paths, 2);
    assert!(!paths.on_marks_acked(&newly(1, counts(5, 0, 1))));
    assert!(!paths.on_marks_acked(&newly(1, counts(5, 0, 2)).late()));
    // It acknowledges nothing that was marked.
    let unmarked = AckedMarks { newest_is_marked: Some(false), ..counts(5, 0, 2) };
    let elsewhere = AckedMarks { marked_elsewhere: 1, ..unmarked };
    for (acked, is_congested) in [(unmarked, true), (unmarked, false), (elsewhere, false)] {
        assert_eq!(paths.on_marks_acked(&acked), is_congested);
    }
    assert_eq!(state(&paths), EcnState::Capable);
    // Where nothing is validated, nothing is said.
    let mut paths = self::paths();
    sends(&mut paths, 2);
    assert!(!paths.on_marks_acked(&newly(1, counts(0, 0, 1)).late()));
    assert!(
        !paths.on_marks_acked(&AckedMarks { newest_is_marked: Some(false), ..counts(0, 0, 1) })
    );
    assert_eq!(state(&paths), EcnState::Testing);
}

#[test]
fn marks_missing_on_another_path_say_nothing_of_this_one() {
    let mut paths = capable();
    sends(&mut paths, 5);
    paths.on_marks_acked(&AckedMarks { marked_elsewhere: 3, ..newly(1, counts(5, 0, 1)) });
    assert_eq!(state(&paths), EcnState::Capable);
    let none = AckedMarks { counts: None, marked_elsewhere: 1, ..counts(0, 0, 0) };
    paths.on_marks_acked(&none);
    assert_eq!(state(&paths), EcnState::Capable);
    paths.on_marks_acked(&newly(1, none));
    assert_eq!(state(&paths), EcnState::Failed);
}

#[test]
fn a_path_on_which_all_that_is_marked_is_lost_has_no_more_marks() {
    let mut paths = paths();
    sends(&mut paths, 10);
    let unmarked = AckedMarks { newest_is_marked: Some(false), ..counts(0, 0, 0) };
    paths.on_marks_acked(&AckedMarks { counts: None, ..unmarked });
    paths.active_mut().ecn.on_lost(3);
    assert_eq!(state(&paths), EcnState::Unknown);
    paths.active_mut().ecn.on_lost(1);
    assert_eq!(state(&paths), EcnState::Failed);
}

#[test]
fn marks_that_passed_before_are_tested_once_more_before_they_end() {
    let mut paths = capable();
    let unmarked = AckedMarks { newest_is_marked: Some(false), ..counts(4, 0, 1) };
    paths.on_marks_acked(&unmarked);
    paths.active_mut().ecn.on_lost(10);
    assert_eq!(state(&paths), EcnState::Testing);
    paths.active_mut().ecn.on_lost(10);
    assert_eq!(state(&paths), EcnState::Failed);
}

#[test]
fn loss_that_marked_packets_survive_is_no_reason_to_stop() {
    let mut paths = capable();
    sends(&mut paths, 200);
    paths.on_marks_acked(&newly(1, counts(5, 0, 1)));
    paths.active_mut().ecn.on_lost(100);
    assert_eq!(state(&paths), EcnState::Capable);
}

#[test]
fn nothing_is_marked_where_the_configuration_says_so() {
    let mut ecn = EcnValidation::new(false);
    assert!(!ecn.marks());
    ecn.fail();
    ecn.on_lost(100);
    assert_eq!(ecn.state(), EcnState::Off);
}

use super::*;

const PING: Work = Work { frames: 1, costly: 0, gained: 0 };

fn at(seconds: u64) -> Instant {
    Instant::EPOCH + Duration::from_secs(seconds)
}

/// How many such packets in a row are taken before the account is overdrawn.
fn taken(account: &mut WorkAccount, work: Work) -> u32 {
    (0..1_000_000).take_while(|_| account.on_packet(at(1), work).is_ok()).map(|_| 1).sum()
}

#[test]
fn packets_that_achieve_nothing_end_the_connection_after_many() {
    assert_eq!(taken(&mut WorkAccount::default(), PING), PATIENCE);
    let error = {
        let mut account = WorkAccount::default();
        taken(&mut account, PING);
        account.on_packet(at(1), PING).unwrap_err()
    };
    assert_eq!(error, TransportError::protocol_violation("too many packets achieve nothing"));
}

#[test]
fn frames_count_where_a_packet_is_full_of_them() {
    let many = Work { frames: 640, ..PING };
    assert_eq!(taken(&mut WorkAccount::default(), many), PATIENCE / 11);
    let costly = Work { costly: 1, ..PING };
    assert_eq!(taken(&mut WorkAccount::default(), costly), PATIENCE / (1 + COSTLY));
    let one_byte_of_data = Work { frames: 1280, gained: 1, ..PING };
    assert!(taken(&mut WorkAccount::default(), one_byte_of_data) < PATIENCE / 10);
}

#[test]
fn a_frame_that_asks_for_an_answer_costs_more_than_the_answer_pays_back() {
    let mut account = WorkAccount::default();
    let ends = (0..100_000).any(|_| {
        account.earn();
        account.on_packet(at(1), Work { costly: 1, ..PING }).is_err()
    });
    assert!(ends);
}

#[test]
fn every_packet_with_progress_pays_for_three_without() {
    let mut account = WorkAccount::default();
    for round in 0..PATIENCE {
        for packet in 0..4 {
            let gained = u64::from(packet == 0);
            account.on_packet(at(1), Work { gained, ..PING }).unwrap();
        }
        assert!(account.owed(at(1)) <= 4, "round {round}");
    }
    for _ in 0..2 * PATIENCE {
        account.on_packet(at(1), PING).unwrap();
        account.earn();
    }
}

#[test]
fn streams_full_of_small_frames_are_progress() {
    let mut account = WorkAccount::default();
    for _ in 0..2 * PATIENCE {
        account.on_packet(at(1), Work { frames: 10_000, costly: 0, gained: 10_000 }).unwrap();
    }
    assert_eq!(account.owed(at(1)), 0);
}

#[test]
fn a_hundred_packets_a_second_without_progress_can_go_on_for_weeks() {
    let mut account = WorkAccount::default();
    for second in 0..14 * 24 * 3600 {
        for _ in 0..100 {
            account.on_packet(at(second), PING).unwrap();
        }
    }
    assert!(account.owed(at(14 * 24 * 3600)) <= 100);
}

#[test]
fn progress_is_no_credit_for_later() {
    let mut account = WorkAccount::default();
    for _ in 0..1000 {
        account.on_packet(at(1), Work { gained: 1, ..PING }).unwrap();
    }
    assert!(taken(&mut account, PING) <= PATIENCE + EARNED);
}

#[test]
fn the_end_of_time_does_no_harm() {
    let mut account = WorkAccount::default();
    account.on_packet(Instant::FAR_FUTURE, Work { frames: u64::MAX, ..PING }).unwrap();
    account.earn();
    let huge = Work { frames: u64::MAX, costly: u32::MAX, gained: 0 };
    assert!(account.on_packet(Instant::FAR_FUTURE, huge).is_ok());
    assert!(WorkAccount::default().on_packet(at(1), huge).is_err());
}

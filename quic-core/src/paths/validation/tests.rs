use super::*;

const PTO: Duration = Duration::from_millis(100);

fn at(millis: u64) -> Instant {
    Instant::EPOCH + Duration::from_millis(millis)
}

fn started() -> Validation {
    let mut validation = Validation::default();
    validation.start(at(0), PTO, &mut SeededRandom::from_seed([5; 32]));
    validation
}

/// The payload that is written.
fn write(validation: &mut Validation, padded: bool) -> Vec<u8> {
    let mut memory = [0; 100];
    let mut frames = VecDeque::new();
    let mut packet = PacketWriter::new(&mut memory, &mut frames);
    validation.write_frames(&mut packet, padded).unwrap();
    let length = packet.length();
    memory[..length].to_vec()
}

fn challenge(payload: &[u8]) -> [u8; 8] {
    assert_eq!((payload.len(), payload[0]), (9, 0x1a));
    payload[1..].try_into().unwrap()
}

#[test]
fn the_newest_four_challenges_are_answered_once() {
    let mut validation = Validation::default();
    assert!(!validation.wants_padding());
    (0..100).for_each(|byte| validation.handle_challenge(PathChallenge([byte; 8])));
    assert!(validation.wants_padding());
    let payload = write(&mut validation, true);
    let answers: Vec<u8> = payload.chunks(9).map(|frame| frame[1]).collect();
    assert_eq!(answers, [96, 97, 98, 99]);
    assert!(payload.chunks(9).all(|frame| frame[0] == 0x1b));
    assert!(!validation.wants_padding());
}

#[test]
fn an_answer_to_any_challenge_that_was_sent_validates() {
    for answered in 0..3 {
        let mut validation = started();
        let mut sent = Vec::new();
        for millis in [0, 100, 100] {
            assert!(!validation.handle_timeout(at(millis)));
            sent.push(challenge(&write(&mut validation, true)));
        }
        assert_eq!(validation.handle_response(PathResponse([0; 8])), Answer::Unknown);
        assert_eq!(validation.handle_response(PathResponse(sent[answered])), Answer::Validated);
        assert!(!validation.is_running());
        assert_eq!(validation.deadline(), None);
        assert_eq!(validation.handle_response(PathResponse(sent[answered])), Answer::Unknown);
    }
}

#[test]
fn an_answer_that_was_never_asked_for_does_not_count() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.1
    //= type=test
    //# The endpoint MUST use unpredictable data in every PATH_CHALLENGE
    //# frame so that it can associate the peer's response with the
    //# corresponding PATH_CHALLENGE.
    let mut validation = started();
    let challenges = &validation.attempt.as_ref().unwrap().challenges;
    let [data, other, third] = [0, 1, 2].map(|index: usize| challenges[index].data);
    assert!(data != other && other != third && third != data && ![data, other].contains(&[0; 8]));
    assert_eq!(validation.handle_response(PathResponse(data)), Answer::Unknown);
    // Nor is it what another attempt asked.
    validation.start(at(0), PTO, &mut SeededRandom::from_seed([6; 32]));
    let again = challenge(&write(&mut validation, true));
    assert!(![data, other, third].contains(&again));
}

#[test]
fn a_short_datagram_validates_the_address_only() {
    let mut validation = started();
    let data = challenge(&write(&mut validation, false));
    assert_eq!(validation.handle_response(PathResponse(data)), Answer::AddressOnly);
}

#[test]
fn an_attempt_sends_one_challenge_then_two_and_fails_after_three_ptos() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.1
    //= type=test
    //# An endpoint SHOULD NOT probe a new path with packets containing a
    //# PATH_CHALLENGE frame more frequently than it would send an Initial
    //# packet.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.4
    //= type=test
    //# Endpoints SHOULD abandon path validation based on a timer.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.4
    //= type=test
    //# This timer SHOULD be set as described in Section 6.2.1 of
    //# [QUIC-RECOVERY] and MUST NOT be more aggressive.
    let mut validation = started();
    let mut sent = Vec::new();
    let mut failed = None;
    let mut now = at(0);
    while let Some(deadline) = validation.deadline() {
        while validation.is_challenge_due() {
            sent.push((now, challenge(&write(&mut validation, true))));
        }
        now = deadline;
        if validation.handle_timeout(now) {
            failed = Some(now);
        }
    }
    let times: Vec<Instant> = sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [at(0), at(100), at(100)]);
    let mut sent: Vec<[u8; 8]> = sent.into_iter().map(|(_, data)| data).collect();
    sent.sort_unstable();
    sent.dedup();
    assert_eq!(sent.len(), 3);
    assert_eq!(failed, Some(at(300)));
    assert!(!validation.wants_padding());
}

#[test]
fn a_challenge_that_is_held_back_does_not_share_its_packet() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.1
    //= type=test
    //# However, an endpoint SHOULD NOT send multiple
    //# PATH_CHALLENGE frames in a single packet.
    let mut validation = started();
    assert!(!validation.handle_timeout(at(100)));
    assert!(!validation.handle_timeout(at(200)));
    challenge(&write(&mut validation, true));
    assert!(!validation.is_challenge_due(), "the others wait for their time");
    let mut validation = started();
    challenge(&write(&mut validation, true));
    assert!(!validation.handle_timeout(at(100)));
    for _ in 0..2 {
        challenge(&write(&mut validation, true));
    }
    assert!(!validation.is_challenge_due());
}

#[test]
fn who_lingers_asks_nothing_and_ends() {
    let mut validation = Validation::default();
    validation.linger(at(0), PTO);
    assert!(validation.is_running() && !validation.wants_padding());
    assert_eq!(validation.handle_response(PathResponse([0; 8])), Answer::Unknown);
    assert_eq!(validation.deadline(), Some(at(300)));
    assert!(!validation.handle_timeout(at(299)));
    assert!(validation.handle_timeout(at(300)));
    assert!(!validation.is_running());
}

#[test]
fn frames_that_do_not_fit_stay_due() {
    let mut validation = started();
    validation.handle_challenge(PathChallenge([1; 8]));
    let (mut memory, mut frames) = ([0; 9], VecDeque::new());
    let mut packet = PacketWriter::new(&mut memory, &mut frames);
    assert_eq!(validation.write_frames(&mut packet, true), Err(Full));
    assert_eq!(memory[0], 0x1b);
    challenge(&write(&mut validation, true));
}

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
        for step in 0..3 {
            assert!(!validation.handle_timeout(at(100 * step)));
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
    let mut validation = started();
    let data = validation.attempt.as_ref().unwrap().challenges[0].data;
    assert_eq!(validation.handle_response(PathResponse(data)), Answer::Unknown);
}

#[test]
fn a_short_datagram_validates_the_address_only() {
    let mut validation = started();
    let data = challenge(&write(&mut validation, false));
    assert_eq!(validation.handle_response(PathResponse(data)), Answer::AddressOnly);
}

#[test]
fn an_attempt_sends_three_challenges_and_fails_after_three_ptos() {
    let mut validation = started();
    let mut sent = Vec::new();
    let mut failed = None;
    while let Some(deadline) = validation.deadline() {
        sent.extend(write(&mut validation, true).chunks(9).map(challenge));
        if validation.handle_timeout(deadline) {
            failed = Some(deadline);
        }
    }
    sent.sort_unstable();
    sent.dedup();
    assert_eq!(sent.len(), 3);
    assert_eq!(failed, Some(at(300)));
    assert!(!validation.wants_padding());
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

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use rustls::Error;
use rustls::quic::{DirectionalKeys, HeaderProtectionKey, PacketKey, Tag};

use super::super::SeededRandom;
use super::super::packet_protection::TAG_LENGTH;
use super::*;

const RETENTION: Duration = Duration::from_millis(60);
const START: Instant = Instant::EPOCH;

/// Hides nothing; the tag tells key and packet number. As with real keys, a failure destroys the
/// payload.
struct FakeKey {
    name: u64,
    limit: u64,
    tries: Arc<AtomicU64>,
}

impl FakeKey {
    fn tag(&self, number: u64, payload: &[u8]) -> [u8; TAG_LENGTH] {
        let sum = payload.iter().fold(self.name, |sum, byte| sum * 31 % 65_521 + u64::from(*byte));
        (u128::from(number) << 64 | u128::from(sum)).to_be_bytes()
    }
}

impl PacketKey for FakeKey {
    fn encrypt_in_place(&self, number: u64, _: &[u8], payload: &mut [u8]) -> Result<Tag, Error> {
        Ok(Tag::from(self.tag(number, payload).as_slice()))
    }

    fn decrypt_in_place<'a>(
        &self,
        number: u64,
        _: &[u8],
        payload: &'a mut [u8],
    ) -> Result<&'a [u8], Error> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        let (contents, tag) = payload.split_last_chunk::<TAG_LENGTH>().unwrap();
        if self.tag(number, contents) != *tag {
            payload.fill(0);
            return Err(Error::DecryptError);
        }
        let length = contents.len();
        Ok(&payload[..length])
    }

    fn tag_len(&self) -> usize {
        TAG_LENGTH
    }

    fn confidentiality_limit(&self) -> u64 {
        self.limit
    }

    fn integrity_limit(&self) -> u64 {
        self.limit
    }
}

struct NoHeaderKey;

impl HeaderProtectionKey for NoHeaderKey {
    fn encrypt_in_place(&self, _: &[u8], _: &mut u8, _: &mut [u8]) -> Result<(), Error> {
        Ok(())
    }

    fn decrypt_in_place(&self, _: &[u8], _: &mut u8, _: &mut [u8]) -> Result<(), Error> {
        Ok(())
    }

    fn sample_len(&self) -> usize {
        16
    }
}

/// One end, and what its session and its packet number space would do for it.
struct End {
    keys: OneRttKeys,
    side: u64,
    generation: u64,
    limit: u64,
    tries: Arc<AtomicU64>,
    sent: u64,
    largest: Option<u64>,
}

type Packet = Vec<u8>;

impl End {
    fn new(side: u64, limit: u64) -> Self {
        let tries = Arc::new(AtomicU64::new(0));
        let first = key_set(side, 0, limit, &tries);
        let keys = Keys {
            local: DirectionalKeys { header: Box::new(NoHeaderKey), packet: first.local },
            remote: DirectionalKeys { header: Box::new(NoHeaderKey), packet: first.remote },
        };
        let mut keys = OneRttKeys::new(keys);
        keys.provide_next(key_set(side, 1, limit, &tries));
        keys.set_retention(RETENTION);
        Self { keys, side, generation: 1, limit, tries, sent: 0, largest: None }
    }

    fn send(&mut self) -> Packet {
        let number = self.sent;
        self.sent += 1;
        let packet = self.try_send(number).unwrap();
        self.provide();
        packet
    }

    fn try_send(&mut self, number: u64) -> Result<Packet, SealError> {
        let mut packet = unsealed(self.keys.key_phase(), number);
        self.keys.seal(&mut packet, 1, 4, number).map(|()| packet)
    }

    fn receive(&mut self, now: Instant, packet: &[u8]) -> Result<u64, OpenError> {
        let mut packet = packet.to_vec();
        let number = self.keys.open(now, &mut packet, 1, self.largest)?.number;
        self.largest = self.largest.max(Some(number));
        self.provide();
        Ok(number)
    }

    fn provide(&mut self) {
        if self.keys.wants_next() {
            self.generation += 1;
            let next = key_set(self.side, self.generation, self.limit, &self.tries);
            self.keys.provide_next(next);
        }
    }

    fn update(&mut self, now: Instant) -> bool {
        let updated = self.keys.initiate_update(now);
        self.provide();
        updated
    }
}

fn key_set(side: u64, generation: u64, limit: u64, tries: &Arc<AtomicU64>) -> PacketKeySet {
    let key = |sender| -> Box<dyn PacketKey> {
        Box::new(FakeKey { name: generation * 2 + sender, limit, tries: Arc::clone(tries) })
    };
    PacketKeySet { local: key(side), remote: key(1 - side) }
}

fn unsealed(phase: bool, number: u64) -> Packet {
    let mut packet = vec![if phase { 0x47 } else { 0x43 }];
    packet.extend_from_slice(&u32::try_from(number).unwrap().to_be_bytes());
    packet.extend_from_slice(b"frames");
    packet.extend_from_slice(&[0; TAG_LENGTH]);
    packet
}

/// A packet as a peer makes it that heeds no rules.
fn crafted(sender: u64, generation: u64, number: u64) -> Packet {
    let mut packet = unsealed(generation % 2 == 1, number);
    let key = FakeKey { name: generation * 2 + sender, limit: 0, tries: Arc::default() };
    let (payload, tag) = packet[5..].split_last_chunk_mut::<TAG_LENGTH>().unwrap();
    *tag = key.tag(number, payload);
    packet
}

/// Two ends with confirmed handshakes that have heard from each other.
fn pair() -> (End, End) {
    pair_with_limit(u64::MAX)
}

fn pair_with_limit(limit: u64) -> (End, End) {
    let (mut a, mut b) = (End::new(0, limit), End::new(1, limit));
    for end in [&mut a, &mut b] {
        end.keys.on_confirmed();
    }
    exchange(START, &mut a, &mut b);
    (a, b)
}

/// A packet each way, each of which acknowledges the one before.
fn exchange(now: Instant, a: &mut End, b: &mut End) {
    for _ in 0..2 {
        let number = b.receive(now, &a.send()).unwrap();
        b.keys.on_ack_sent(number);
        let acknowledgment = a.receive(now, &b.send()).unwrap();
        a.keys.on_acked(number);
        a.keys.on_ack_sent(acknowledgment);
        b.keys.on_acked(acknowledgment);
    }
}

#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct InFlight {
    /// First, so that the earliest is the greatest.
    arrives: std::cmp::Reverse<u64>,
    packet: Packet,
}

#[test]
fn every_authentic_packet_opens_in_any_order_within_50_over_1000_updates() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.4
    //= type=test
    //# Packets with higher packet numbers MUST be protected with either the
    //# same or newer packet protection keys than packets with lower packet
    //# numbers.
    let mut random = SeededRandom::from_seed([3; 32]);
    let (mut a, mut b) = pair();
    let mut network = BinaryHeap::new();
    for step in 0_u64.. {
        let now = START + Duration::from_millis(step);
        if step % 170 == 0 {
            assert!(a.update(now), "step {step}");
        }
        if a.keys.updates() > 1000 {
            break;
        }
        let packet = a.send();
        for _ in 0..=random.u64() % 2 {
            let arrives = std::cmp::Reverse(step + random.u64() % 50);
            network.push(InFlight { arrives, packet: packet.clone() });
        }
        while network.peek().is_some_and(|next| next.arrives.0 <= step) {
            let number = b.receive(now, &network.pop().unwrap().packet).unwrap();
            b.keys.on_ack_sent(b.largest.unwrap());
            let acknowledgment = a.receive(now, &b.send()).unwrap();
            a.keys.on_acked(number);
            a.keys.on_ack_sent(acknowledgment);
        }
        assert!(a.keys.updates() - b.keys.updates() <= 1);
    }
}

#[test]
fn the_peer_follows_an_update_and_answers_with_the_new_keys() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.2
    //= type=test
    //# The endpoint MUST update its send keys to the corresponding key phase in
    //# response, as described in Section 6.1.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.2
    //= type=test
    //# Sending keys MUST be updated before sending an acknowledgment for the
    //# packet that was received with updated keys.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.3
    //= type=test
    //# For this reason, endpoints MUST be able to retain two sets of packet
    //# protection keys for receiving packets: the current and the next.
    let (mut a, mut b) = pair();
    assert!(a.update(START));
    assert!(a.keys.key_phase() && !b.keys.key_phase());
    b.receive(START, &a.send()).unwrap();
    assert!(b.keys.key_phase());
    a.receive(START, &b.send()).unwrap();
    assert_eq!((a.keys.updates(), b.keys.updates()), (1, 1));
}

#[test]
fn ends_that_update_at_the_same_time_meet_in_the_same_phase() {
    let (mut a, mut b) = pair();
    assert!(a.update(START) && b.update(START));
    exchange(START, &mut a, &mut b);
    assert_eq!((a.keys.updates(), b.keys.updates()), (1, 1));
}

#[test]
fn the_initiator_reads_old_packets_until_the_peer_follows_and_a_while_longer() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.1
    //= type=test
    //# An endpoint MUST retain old keys until it has successfully unprotected a
    //# packet sent using the new keys.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.1
    //= type=test
    //# An endpoint SHOULD retain old keys for some time after unprotecting a
    //# packet sent using the new keys.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.5
    //= type=test
    //# An endpoint SHOULD retain old read keys for no more than three times the
    //# PTO after having received a packet protected using the new keys.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.5
    //= type=test
    //# After this period, old read keys and their corresponding secrets SHOULD
    //# be discarded.
    let (mut a, mut b) = pair();
    let (during, late, too_late) = (b.send(), b.send(), b.send());
    assert!(a.update(START));
    let much_later = START + Duration::from_hours(1);
    a.receive(much_later, &during).unwrap();
    b.receive(much_later, &a.send()).unwrap();
    a.receive(much_later, &b.send()).unwrap();
    let end = much_later + RETENTION;
    a.receive(end - Duration::from_nanos(1), &late).unwrap();
    assert_eq!(a.receive(end, &too_late), Err(OpenError::NotAuthentic));
}

#[test]
fn no_update_starts_before_the_handshake_is_confirmed() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.1
    //= type=test
    //# An endpoint MUST NOT initiate a key update prior to having confirmed the
    //# handshake (Section 4.1.2).
    let (mut a, mut b) = (End::new(0, u64::MAX), End::new(1, u64::MAX));
    exchange(START, &mut a, &mut b);
    assert!(!a.update(START));
    a.keys.on_confirmed();
    assert!(a.update(START));
}

#[test]
fn no_update_starts_before_a_packet_of_the_phase_is_acknowledged() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.1
    //= type=test
    //# An endpoint MUST NOT initiate a subsequent key update unless it has
    //# received an acknowledgment for a packet that was sent protected with
    //# keys from the current key phase.
    let (mut a, mut b) = (End::new(0, u64::MAX), End::new(1, u64::MAX));
    a.keys.on_confirmed();
    a.keys.on_acked(0);
    assert!(!a.update(START), "nothing was sent that could be acknowledged");
    exchange(START, &mut a, &mut b);
    assert!(a.update(START));
    b.receive(START, &a.send()).unwrap();
    a.receive(START, &b.send()).unwrap();
    let later = START + RETENTION;
    a.keys.on_acked(a.sent - 2);
    assert!(!a.update(later), "an acknowledgment of the last phase does not count");
    a.keys.on_acked(a.sent - 1);
    assert!(a.update(later));
}

#[test]
fn no_update_starts_while_old_keys_are_kept_or_the_next_are_missing() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.5
    //= type=test
    //# Endpoints SHOULD wait three times the PTO before initiating a key update
    //# after receiving an acknowledgment that confirms that the previous key
    //# update was received.
    let (mut a, mut b) = pair();
    assert!(a.keys.initiate_update(START));
    assert!(a.keys.wants_next());
    exchange_without_next(&mut a, &mut b);
    let later = START + RETENTION;
    assert!(!a.keys.initiate_update(later - Duration::from_nanos(1)));
    assert!(a.keys.wants_next());
    a.provide();
    assert!(!a.keys.initiate_update(later - Duration::from_nanos(1)));
    assert!(a.keys.initiate_update(later));
    assert!(!a.keys.initiate_update(later + RETENTION));
}

fn exchange_without_next(a: &mut End, b: &mut End) {
    let packet = a.try_send(a.sent).unwrap();
    b.receive(START, &packet).unwrap();
    let mut answer = b.send();
    a.keys.open(START, &mut answer, 1, a.largest).unwrap();
    a.keys.on_acked(a.sent);
    a.sent += 1;
}

#[test]
fn a_second_update_before_our_acknowledgment_is_a_key_update_error() {
    let (mut a, _) = pair();
    a.receive(START, &crafted(1, 1, 10)).unwrap();
    let error = a.receive(START, &crafted(1, 2, 11)).unwrap_err();
    let code = error.transport_error().unwrap().code;
    assert_eq!(code, crate::error::TransportErrorCode::KEY_UPDATE_ERROR);
}

#[test]
fn a_second_update_after_our_acknowledgment_is_fine() {
    let (mut a, _) = pair();
    a.receive(START, &crafted(1, 1, 10)).unwrap();
    a.keys.on_ack_sent(9);
    a.keys.on_ack_sent(10);
    a.receive(START, &crafted(1, 2, 11)).unwrap();
    assert_eq!(a.keys.updates(), 2);
    a.receive(START, &crafted(1, 1, 9)).unwrap();
}

#[test]
fn an_acknowledgment_of_older_packets_does_not_permit_another_update() {
    let (mut a, _) = pair();
    a.receive(START, &crafted(1, 1, 10)).unwrap();
    a.keys.on_ack_sent(9);
    let error = a.receive(START, &crafted(1, 2, 11)).unwrap_err();
    assert!(matches!(error, OpenError::KeyUpdate(_)));
}

#[test]
fn old_keys_between_newer_packets_are_a_key_update_error() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.4
    //= type=test
    //# An endpoint that successfully removes protection with old keys when
    //# newer keys were used for packets with lower packet numbers MUST treat
    //# this as a connection error of type KEY_UPDATE_ERROR.
    let (mut a, _) = pair();
    a.receive(START, &crafted(1, 1, 10)).unwrap();
    a.receive(START, &crafted(1, 1, 20)).unwrap();
    let error = a.receive(START, &crafted(1, 0, 15)).unwrap_err();
    assert!(matches!(error, OpenError::KeyUpdate(_)));
}

#[test]
fn newer_keys_before_older_packets_are_a_key_update_error() {
    let (mut a, _) = pair();
    a.receive(START, &crafted(1, 0, 20)).unwrap();
    let error = a.receive(START, &crafted(1, 1, 15)).unwrap_err();
    assert!(matches!(error, OpenError::KeyUpdate(_)));
}

#[test]
fn reordering_within_old_and_new_packets_is_fine() {
    let (mut a, _) = pair();
    for (generation, number) in [(1, 20), (0, 10), (1, 15), (0, 14), (1, 30), (0, 5)] {
        a.receive(START, &crafted(1, generation, number)).unwrap();
    }
}

#[test]
fn keys_are_due_for_an_update_at_a_quarter_of_their_limit() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.3
    //= type=test
    //# An endpoint MUST initiate a key update (Section 6) prior to exceeding
    //# any limit set for the AEAD that is in use.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.6
    //= type=test
    //# Endpoints MUST initiate a key update before sending more protected
    //# packets than the confidentiality limit for the selected AEAD permits.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.6
    //= type=test
    //# Endpoints MUST count the number of encrypted packets for each set of
    //# keys.
    let (mut a, mut b) = pair_with_limit(100);
    while a.sent < 25 {
        assert!(!a.keys.update_if_due(START));
        b.receive(START, &a.send()).unwrap();
    }
    assert!(a.keys.update_if_due(START));
    a.provide();
    assert!(!a.keys.update_if_due(START + RETENTION));
}

#[test]
fn keys_without_a_limit_are_updated_too() {
    let mut end = End::new(0, u64::MAX);
    let mut packet = unsealed(false, 0);
    for number in 0..1 << 22 {
        assert!(!end.keys.write.is_due());
        end.keys.seal(&mut packet, 1, 4, number).unwrap();
    }
    assert!(end.keys.write.is_due());
}

#[test]
fn keys_that_cannot_be_updated_are_used_up_to_their_limit_and_no_further() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.6
    //= type=test
    //# If the total number of encrypted packets with the same key exceeds the
    //# confidentiality limit for the selected AEAD, the endpoint MUST stop
    //# using those keys.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.6
    //= type=test
    //# If a key update is not possible or integrity limits are reached, the
    //# endpoint MUST stop using the connection and only send stateless resets
    //# in response to receiving packets.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.6
    //= type=test
    //# It is RECOMMENDED that endpoints immediately close the connection with a
    //# connection error of type AEAD_LIMIT_REACHED before reaching a state
    //# where key updates are not possible.
    let mut a = End::new(0, 100);
    for number in 0..100 {
        assert!(a.try_send(number).is_ok());
        assert!(!a.keys.update_if_due(START));
    }
    assert_eq!(a.try_send(100), Err(SealError::LimitReached));
    let code = crate::error::TransportError::from(SealError::LimitReached).code;
    assert_eq!(code, crate::error::TransportErrorCode::AEAD_LIMIT_REACHED);
}

#[test]
fn forgeries_are_counted_over_all_keys_and_end_the_connection_at_the_limit() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.6
    //= type=test
    //# In addition to counting packets sent, endpoints MUST count the number of
    //# received packets that fail authentication during the lifetime of a
    //# connection.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-6.6
    //= type=test
    //# If the total number of received packets that fail authentication within
    //# the connection, across all keys, exceeds the integrity limit for the
    //# selected AEAD, the endpoint MUST immediately close the connection with a
    //# connection error of type AEAD_LIMIT_REACHED and not process any more
    //# packets.
    let (mut a, mut b) = pair_with_limit(100);
    let forged = unsealed(false, 50);
    for _ in 0..50 {
        assert_eq!(a.receive(START, &forged), Err(OpenError::NotAuthentic));
    }
    assert!(a.update(START));
    exchange(START, &mut a, &mut b);
    for _ in 0..49 {
        assert_eq!(a.receive(START, &forged), Err(OpenError::NotAuthentic));
    }
    assert_eq!(a.receive(START, &forged), Err(OpenError::LimitReached));
    assert_eq!(a.receive(START, &b.send()), Err(OpenError::LimitReached));
    let code = OpenError::LimitReached.transport_error().unwrap().code;
    assert_eq!(code, crate::error::TransportErrorCode::AEAD_LIMIT_REACHED);
}

#[test]
fn short_packets_are_refused_and_not_counted_as_forged() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.4.2
    //= type=test
    //# An endpoint MUST discard packets that are not long enough to contain a
    //# complete sample.
    let (mut a, mut b) = pair_with_limit(10);
    let packet = b.send();
    for length in 0..21 {
        assert_eq!(a.receive(START, &packet[..length]), Err(OpenError::TooShort));
    }
    a.receive(START, &packet).unwrap();
}

proptest! {
    /// So neither the time that it takes nor what follows tells a forger the key phase.
    #[test]
    fn any_forgery_takes_one_key_and_changes_nothing(
        phase: bool,
        number in 0..40_u64,
        followed: bool,
        late: bool,
    ) {
        //= https://www.rfc-editor.org/rfc/rfc9001#section-5.5
        //= type=test
        //# Once an endpoint successfully receives a packet with a given packet
        //# number, it MUST discard all packets in the same packet number space with
        //# higher packet numbers if they cannot be successfully unprotected with
        //# either the same key, or -- if there is a key update -- a subsequent
        //# packet protection key; see Section 6.
        //= https://www.rfc-editor.org/rfc/rfc9001#section-5.5
        //= type=test
        //# Similarly, a packet that appears to trigger a key update but cannot be
        //# unprotected successfully MUST be discarded.
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6.3
        //= type=test
        //# Endpoints responding to an apparent key update MUST NOT generate a
        //# timing side-channel signal that might indicate that the Key Phase bit
        //# was invalid (see Section 9.5).
        //= https://www.rfc-editor.org/rfc/rfc9001#section-6.3
        //= type=test
        //# Once generated, the next set of packet protection keys SHOULD be
        //# retained, even if the packet that was received was subsequently
        //# discarded.
        let (mut a, _) = pair();
        if followed {
            a.receive(START, &crafted(1, 1, 10)).unwrap();
            a.receive(START, &crafted(1, 1, 20)).unwrap();
        }
        let now = if late { START + RETENTION } else { START };
        let before = (a.keys.updates(), a.keys.key_phase());
        let tries = a.tries.load(Ordering::Relaxed);
        prop_assert_eq!(a.receive(now, &unsealed(phase, number)), Err(OpenError::NotAuthentic));
        prop_assert_eq!(a.tries.load(Ordering::Relaxed) - tries, 1);
        prop_assert_eq!((a.keys.updates(), a.keys.key_phase()), before);
        a.receive(now, &crafted(1, u64::from(followed), 30)).unwrap();
    }
}

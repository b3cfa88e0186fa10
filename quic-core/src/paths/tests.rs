mod awaited;
mod forgery;
mod outcomes;
mod silence;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proptest::prelude::*;

use super::permit::Blocked;
use super::*;
use crate::config::CongestionAlgorithm;
use crate::congestion::{Acked, Congestion, CongestionController, Sent};
use crate::packet::PacketWriter;
use crate::wire::frame::PathChallenge;

const WINDOW: u64 = 10_000;
const MTU: u64 = 1200;
const SOCKET: SocketId = SocketId(0);
const NORMAL: Wish = Wish { probe: false, close: false };
const PROBE: Wish = Wish { probe: true, close: false };
const CLOSE: Wish = Wish { probe: false, close: true };

/// A window that never changes.
#[derive(Debug)]
struct Fixed;

impl CongestionController for Fixed {
    fn on_sent(&mut self, _: Instant, _: &Sent) {}
    fn on_acked(&mut self, _: Instant, _: &Acked, _: &Rtt) {}
    fn on_congestion(&mut self, _: Instant, _: &Congestion) {}
    fn on_spurious_congestion(&mut self, _: Instant) {}
    fn on_persistent_congestion(&mut self, _: Instant) {}
    fn on_mtu_changed(&mut self, _: u16) {}
    fn window(&self) -> u64 {
        WINDOW
    }
    fn slow_start_threshold(&self) -> Option<u64> {
        None
    }
}

fn at(millis: u64) -> Instant {
    Instant::EPOCH + Duration::from_millis(millis)
}

fn from(remote: &str) -> PathAddresses {
    PathAddresses { socket: SOCKET, local_ip: None, remote: remote.parse().unwrap() }
}

const HOME: &str = "192.0.2.1:1000";
const OTHER_PORT: &str = "192.0.2.1:2000";
const OTHER_HOST: &str = "198.51.100.1:1000";

fn random() -> SeededRandom {
    SeededRandom::from_seed([3; 32])
}

fn new(side: Side, is_validated: bool) -> Paths {
    let fixed = |_| -> Box<dyn CongestionController> { Box::new(Fixed) };
    let config = TransportConfig {
        congestion: CongestionAlgorithm::Custom(Arc::new(fixed)),
        ..TransportConfig::default()
    };
    Paths::new(side, from(HOME), Arc::new(config), is_validated)
}

fn confirmed_server() -> Paths {
    let mut paths = new(Side::Server, true);
    paths.on_handshake_confirmed();
    paths
}

fn arrival(remote: &str) -> Arrival {
    Arrival {
        path: from(remote),
        datagram_bytes: 100,
        is_newest: true,
        is_probing: false,
        may_answer: true,
        came_to: None,
    }
}

/// What an authentic packet did to the active path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum PathChange {
    Unchanged,
    Moved,
}

/// What a timeout did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum PathTimeout {
    Nothing,
    Reverted,
    NoPath,
}

fn news(paths: &mut Paths) -> Vec<PathNews> {
    std::iter::from_fn(|| paths.poll_news()).collect()
}

fn time_out(paths: &mut Paths, now: Instant) -> PathTimeout {
    paths.handle_timeout(now);
    let news = news(paths);
    if news.contains(&PathNews::NoPath) {
        PathTimeout::NoPath
    } else if news.iter().any(|news| matches!(news, PathNews::Moved { .. })) {
        PathTimeout::Reverted
    } else {
        PathTimeout::Nothing
    }
}

/// A datagram with one authentic packet.
fn receive(paths: &mut Paths, now: Instant, arrival: &Arrival, seed: u8) -> PathChange {
    if paths.on_datagram(&arrival.path, arrival.datagram_bytes) == PathVerdict::Ignored {
        return PathChange::Unchanged;
    }
    let mut random = SeededRandom::from_seed([seed; 32]);
    paths.on_authenticated(now, arrival, &mut random);
    let moved = news(paths).iter().any(|news| matches!(news, PathNews::Moved { .. }));
    if moved { PathChange::Moved } else { PathChange::Unchanged }
}

/// The challenge that is due on the path.
fn challenge(path: &mut Path, padded: bool) -> PathResponse {
    let (mut memory, mut frames) = ([0; 100], VecDeque::new());
    let mut packet = PacketWriter::new(&mut memory, &mut frames);
    path.validation.write_frames(&mut packet, padded).unwrap();
    assert_eq!(memory[0], 0x1a);
    PathResponse(memory[1..9].try_into().unwrap())
}

fn remote(paths: &Paths) -> SocketAddr {
    paths.active().addresses.remote
}

/// The remote addresses of the paths besides the active one.
fn others(paths: &Paths) -> Vec<SocketAddr> {
    paths.others().map(|path| path.addresses.remote).collect()
}

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn permits_follow_window_amplification_and_socket() {
    let any = |bytes| Permit::Any { bytes, datagram_length: 1200 };
    let whole = WINDOW / MTU * MTU;
    let acks = |bytes| Permit::AcksOnly { bytes, blocked: Blocked::Congestion };
    let blocked = Permit::None(Blocked::Amplification);
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7
    //= type=test
    //# An endpoint MUST NOT send a packet if it would cause bytes_in_flight
    //# (see Appendix B.2) to be larger than the congestion window, unless the
    //# packet is sent on a PTO timer expiration (see Section 6.2) or when
    //# entering recovery (see Section 7.3.2).
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.5
    //= type=test
    //# Probe packets MUST NOT be blocked by the congestion controller.
    // in flight, received, and what a normal packet, a probe and a close may.
    let table = [
        (0, None, any(whole), any(whole), any(whole)),
        (0, Some(1200), any(3600), any(3600), any(3600)),
        (0, Some(0), blocked, blocked, blocked),
        (0, Some(21), blocked, blocked, blocked),
        (0, Some(22), any(66), any(66), any(66)),
        (WINDOW - MTU, None, any(MTU), any(2 * MTU), any(2 * MTU)),
        (WINDOW - MTU + 1, None, acks(u64::MAX), any(2 * MTU), any(2 * MTU)),
        (3 * WINDOW, None, acks(u64::MAX), any(2 * MTU), any(2 * MTU)),
        (WINDOW, Some(500), acks(1500), any(1500), any(1500)),
        (WINDOW, Some(0), blocked, blocked, blocked),
    ];
    for (in_flight, received, normal, probe, close) in table {
        let mut paths = new(Side::Server, received.is_none());
        assert_eq!(paths.on_datagram(&from(HOME), received.unwrap_or(0)), PathVerdict::Active);
        paths.active_mut().on_sent(at(0), in_flight, true);
        for (wish, expected) in [(NORMAL, normal), (PROBE, probe), (CLOSE, close)] {
            let context = (in_flight, received, wish);
            assert_eq!(paths.permit(at(0), SOCKET, wish), expected, "{context:?}");
            let elsewhere = paths.permit(at(0), SocketId(1), wish);
            assert_eq!(elsewhere, Permit::None(Blocked::OtherSocket), "{context:?}");
        }
    }
}

#[test]
fn who_is_paced_may_acknowledge_and_waits_for_a_deadline() {
    let mut paths = new(Side::Client, true);
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.7
    //= type=test
    //# To avoid delaying their delivery to the peer, packets containing only
    //# ACK frames SHOULD therefore not be paced.
    let blocked = Blocked::Pacing(at(5));
    let permit = paths.grant(Err(blocked), u64::MAX, NORMAL);
    assert_eq!(permit, Permit::AcksOnly { bytes: u64::MAX, blocked });
    assert_eq!(paths.deadline(), Some(at(5)));
    for wish in [PROBE, CLOSE] {
        let permit = paths.grant(Err(blocked), 2000, wish);
        assert_eq!(permit, Permit::Any { bytes: 2000, datagram_length: 1200 });
        assert_eq!(paths.deadline(), None);
    }
    let _blocked: Permit = paths.grant(Err(blocked), u64::MAX, NORMAL);
    assert_eq!(time_out(&mut paths, at(5)), PathTimeout::Nothing);
    assert_eq!(paths.deadline(), None);
}

#[test]
fn pacing_begins_with_the_first_round_trip_time_and_sets_a_deadline() {
    let mut paths = new(Side::Client, true);
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.7
    //= type=test
    //# A sender SHOULD pace sending of all in-flight packets based on input
    //# from the congestion controller.
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.7
    //= type=test
    //# Senders MUST either use pacing or limit such bursts.
    let burst = |paths: &mut Paths| {
        for _ in 0..1000 {
            match paths.permit(at(0), SOCKET, NORMAL) {
                Permit::Any { bytes, .. } => {
                    assert!(bytes >= MTU);
                    paths.active_mut().on_sent(at(0), MTU, true);
                    paths.active_mut().on_discarded(MTU);
                }
                Permit::AcksOnly { blocked, .. } => return Some(blocked),
                Permit::None(blocked) => return Some(blocked),
            }
        }
        None
    };
    assert_eq!(burst(&mut paths), None, "before there is a sample");
    paths.active_mut().rtt.update(at(0), Duration::from_millis(100), Duration::ZERO);
    let Some(Blocked::Pacing(until)) = burst(&mut paths) else { panic!("not paced") };
    assert!(until > at(0));
    assert_eq!(paths.deadline(), Some(until));
    assert!(matches!(paths.permit(at(0), SOCKET, PROBE), Permit::Any { bytes: 2400, .. }));
    paths.handle_timeout(until);
    assert_eq!(paths.deadline(), None);
    assert!(matches!(paths.permit(until, SOCKET, NORMAL), Permit::Any { .. }));
}

proptest! {
    #[test]
    fn no_sequence_of_permits_exceeds_three_times_the_received_bytes(
        steps in prop::collection::vec((0u64..3000, 0u8..3, 1u64..5000), 1..60),
    ) {
        let mut paths = new(Side::Server, false);
        let (mut received, mut sent) = (0, 0);
        for (bytes, wish, wanted) in steps {
            paths.on_datagram(&from(HOME), bytes);
            received += bytes;
            let wish = Wish { probe: wish == 1, close: wish == 2 };
            let permitted = match paths.permit(at(0), SOCKET, wish) {
                Permit::None(_) => 0,
                Permit::AcksOnly { bytes, .. } | Permit::Any { bytes, .. } => bytes,
            };
            let now = wanted.min(permitted);
            paths.active_mut().on_datagram_sent(now);
            sent += now;
            prop_assert!(sent <= 3 * received);
            prop_assert_eq!(paths.active().amplification.allowance(), 3 * received - sent);
        }
    }
}

#[test]
fn before_confirmation_other_addresses_have_to_prove_themselves_and_at_a_client_are_ignored() {
    let mut server = new(Side::Server, true);
    assert_eq!(server.on_datagram(&from(OTHER_PORT), 100), PathVerdict::Early);
    let mut client = new(Side::Client, true);
    client.on_handshake_confirmed();
    assert_eq!(client.on_datagram(&from(OTHER_PORT), 100), PathVerdict::Ignored);
    assert_eq!(receive(&mut client, at(0), &arrival(OTHER_PORT), 1), PathChange::Unchanged);
    assert_eq!(remote(&client), HOME.parse().unwrap());
}

#[test]
fn a_server_learns_the_local_address_and_keeps_to_it() {
    let mut paths = confirmed_server();
    let local: IpAddr = [10, 0, 0, 1].into();
    let known = PathAddresses { local_ip: Some(local), ..from(HOME) };
    assert_eq!(paths.on_datagram(&known, 1), PathVerdict::Active);
    assert_eq!(paths.active().addresses, known);
    let other = PathAddresses { local_ip: Some([10, 0, 0, 2].into()), ..from(HOME) };
    assert_eq!(paths.on_datagram(&other, 1), PathVerdict::Unknown);
}

#[test]
fn a_datagram_that_is_not_authentic_adds_no_path() {
    let mut paths = confirmed_server();
    for port in 2000..2999 {
        let address = from(&format!("198.51.100.1:{port}"));
        assert_eq!(paths.on_datagram(&address, 1200), PathVerdict::Unknown);
    }
    assert!(paths.others.is_empty());
}

#[test]
fn only_the_newest_packet_that_does_not_probe_moves_the_peer() {
    for (is_newest, is_probing) in [(false, false), (true, true), (false, true)] {
        let mut paths = confirmed_server();
        let arrival = Arrival { is_newest, is_probing, ..arrival(OTHER_HOST) };
        assert_eq!(receive(&mut paths, at(0), &arrival, 1), PathChange::Unchanged);
        assert_eq!(remote(&paths), HOME.parse().unwrap());
        // It can be answered there nevertheless.
        let path = paths.by_addresses(&arrival.path).unwrap();
        path.validation.handle_challenge(PathChallenge([1; 8]));
        assert_eq!(paths.off_path_socket(), Some(SOCKET));
        let path = paths.off_path(SOCKET).unwrap();
        assert_eq!(path.addresses, from(OTHER_HOST));
        assert_eq!(path.amplification.allowance(), 300);
        assert!(paths.off_path(SocketId(1)).is_none());
    }
}

#[test]
fn another_host_starts_from_nothing_and_is_validated() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9
    //= type=test
    //# An endpoint MUST
    //# perform path validation (Section 8.2) if it detects any change to a
    //# peer's address, unless it has previously validated that address.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.4
    //= type=test
    //# On confirming a peer's ownership of its new address, an endpoint MUST
    //# immediately reset the congestion controller and round-trip time
    //# estimator for the new path to initial values (see Appendices A.3 and
    //# B.3 of [QUIC-RECOVERY]) unless the only change in the peer's address
    //# is its port number.
    let mut paths = confirmed_server();
    paths.active_mut().rtt.update(at(0), Duration::from_millis(10), Duration::ZERO);
    paths.active_mut().on_sent(at(0), 5000, true);
    assert_eq!(receive(&mut paths, at(0), &arrival(OTHER_HOST), 1), PathChange::Moved);
    assert_eq!(remote(&paths), OTHER_HOST.parse().unwrap());
    let active = paths.active_mut();
    assert_eq!((active.in_flight(), active.amplification.allowance()), (0, 300));
    assert!(active.rtt.first_sample().is_none());
    assert_eq!(active.generation, 1);
    let answer = challenge(paths.active_mut(), true);
    // Packets of the old path are accounted to it.
    assert_eq!(paths.by_generation(0).unwrap().in_flight(), 5000);
    paths.handle_response(at(1), answer, &mut random());
    assert!(paths.active().amplification.is_validated());
    assert_eq!(paths.others.len(), 1, "the old path is being validated, too");
    let old = paths.off_path(SOCKET).unwrap();
    let answer = challenge(old, true);
    paths.handle_response(at(1), answer, &mut random());
    // What is on its way there still finds it for a while.
    assert_eq!(paths.by_generation(0).unwrap().in_flight(), 5000);
    assert!(paths.off_path(SOCKET).is_none());
    let deadline = paths.deadline().unwrap();
    assert_eq!(time_out(&mut paths, deadline), PathTimeout::Nothing);
    assert!(paths.others.is_empty());
    assert!(paths.by_generation(0).is_none());
}

#[test]
fn each_path_has_an_mtu_of_its_own() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-14.2
    //= type=test
    //# QUIC implementations that implement any kind of PMTU discovery
    //# therefore SHOULD maintain a maximum datagram size for each combination
    //# of local and remote IP addresses.
    let mut paths = confirmed_server();
    assert!(paths.active_mut().on_mtu_probe_acked(1300));
    assert_eq!(receive(&mut paths, at(0), &arrival(OTHER_HOST), 1), PathChange::Moved);
    assert_eq!(paths.active().mtu.current(), 1200);
    assert_eq!(paths.by_generation(0).unwrap().mtu.current(), 1300);
}

#[test]
fn another_port_keeps_what_is_estimated() {
    let mut paths = confirmed_server();
    paths.active_mut().rtt.update(at(0), Duration::from_millis(10), Duration::ZERO);
    paths.active_mut().on_sent(at(0), 5000, true);
    assert_eq!(receive(&mut paths, at(0), &arrival(OTHER_PORT), 1), PathChange::Moved);
    let active = paths.active();
    assert_eq!(active.addresses, from(OTHER_PORT));
    assert_eq!((active.generation, active.in_flight()), (0, 5000));
    assert_eq!(active.rtt.smoothed(), Duration::from_millis(10));
    assert_eq!(active.amplification.allowance(), 300, "the address is to be proved anyway");
}

#[test]
fn a_path_is_validated_no_faster_than_it_is_probed() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.4
    //= type=test
    //# This timer SHOULD be set as described in Section 6.2.1 of [QUIC-RECOVERY] and MUST NOT
    //# be more aggressive.
    let mut paths = confirmed_server();
    let active = paths.active_mut();
    active.rtt.update(at(0), Duration::from_millis(40), Duration::ZERO);
    let delay = Duration::from_millis(25);
    assert_eq!(active.validation_interval(delay), active.rtt.pto_base() + delay);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-9.3.2
//= type=test
//# To protect the connection from failing due to such a spurious
//# migration, an endpoint MUST revert to using the last validated peer
//# address when validation of a new peer address fails.
#[test]
fn a_move_that_fails_is_undone() {
    for other in [OTHER_HOST, OTHER_PORT] {
        let mut paths = confirmed_server();
        paths.active_mut().on_sent(at(0), 5000, true);
        receive(&mut paths, at(0), &arrival(other), 1);
        let mut outcome = PathTimeout::Nothing;
        while outcome == PathTimeout::Nothing {
            let deadline = paths.deadline().expect("the move fails at last");
            outcome = time_out(&mut paths, deadline);
        }
        assert_eq!(outcome, PathTimeout::Reverted);
        let active = paths.active();
        assert_eq!(active.addresses, from(HOME));
        assert_eq!((active.generation, active.in_flight()), (0, 5000));
        assert!(active.amplification.is_validated());
    }
}

#[test]
fn without_a_validated_path_a_failed_move_ends_the_connection() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3.2
    //= type=test
    //# If an endpoint has no state about the last validated peer address, it
    //# MUST close the connection silently by discarding all connection
    //# state.
    let mut paths = new(Side::Server, false);
    paths.on_handshake_confirmed();
    receive(&mut paths, at(0), &arrival(OTHER_HOST), 1);
    let mut outcome = PathTimeout::Nothing;
    while outcome == PathTimeout::Nothing {
        let deadline = paths.deadline().unwrap();
        outcome = time_out(&mut paths, deadline);
    }
    assert_eq!(outcome, PathTimeout::NoPath);
}

#[test]
fn a_peer_that_comes_back_needs_no_new_proof() {
    let mut paths = confirmed_server();
    paths.active_mut().on_sent(at(0), 5000, true);
    receive(&mut paths, at(0), &arrival(OTHER_PORT), 1);
    assert_eq!(receive(&mut paths, at(1), &arrival(HOME), 2), PathChange::Moved);
    assert_eq!(paths.active().addresses, from(HOME));
    assert_eq!(paths.active().in_flight(), 5000);
    assert!(!paths.active().validation.is_running());
    assert!(matches!(paths.permit(at(1), SOCKET, NORMAL), Permit::Any { .. }));
}

#[test]
fn an_answer_to_a_short_datagram_lifts_the_limit_and_asks_again() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.1
    //= type=test
    //# To ensure that the path MTU is
    //# large enough, the endpoint MUST perform a second path validation by
    //# sending a PATH_CHALLENGE frame in a datagram of at least 1200 bytes.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.3
    //= type=test
    //# However, the endpoint MUST initiate another
    //# path validation with an expanded datagram to verify that the path
    //# supports the required MTU.
    let mut paths = confirmed_server();
    receive(&mut paths, at(0), &arrival(OTHER_PORT), 1);
    let answer = challenge(paths.active_mut(), false);
    paths.handle_response(at(1), answer, &mut random());
    let active = paths.active_mut();
    assert!(active.amplification.is_validated());
    let answer = challenge(active, true);
    paths.handle_response(at(2), answer, &mut random());
    assert!(!paths.active().validation.is_running());
}

#[test]
fn however_often_the_peer_moves_few_paths_are_tracked_and_the_proved_one_is_kept() {
    let mut paths = confirmed_server();
    for port in 1..if cfg!(miri) { 12 } else { 200_u8 } {
        let arrival = arrival(&format!("198.51.100.{port}:{}", 3000 + u16::from(port)));
        assert_eq!(receive(&mut paths, at(0), &arrival, port), PathChange::Moved);
        assert!(paths.others.len() <= MAXIMUM_OTHERS);
        assert!(paths.by_addresses(&from(HOME)).is_some());
    }
}

#[test]
fn a_challenge_has_as_long_as_the_slower_of_both_paths_may_take() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.4
    //= type=test
    //# A value of
    //# three times the larger of the current PTO or the PTO for the new path
    //# (using kInitialRtt, as defined in [QUIC-RECOVERY]) is RECOMMENDED.
    for slow in [Duration::from_millis(10), Duration::from_secs(10)] {
        let mut paths = confirmed_server();
        paths.active_mut().rtt.update(at(0), slow, Duration::ZERO);
        let pto = paths.active().rtt.pto_base();
        assert_eq!(receive(&mut paths, at(0), &arrival(OTHER_HOST), 1), PathChange::Moved);
        let pto = pto.max(paths.active().rtt.pto_base()) + Duration::from_millis(25);
        let _written = challenge(paths.active_mut(), true);
        let last = Instant::EPOCH + pto * 3;
        assert_eq!(time_out(&mut paths, last - Duration::from_nanos(1)), PathTimeout::Nothing);
        assert_eq!(time_out(&mut paths, last), PathTimeout::Reverted);
    }
}

#[test]
fn a_path_without_allowance_does_not_stand_in_the_way_of_others() {
    let mut paths = confirmed_server();
    for (remote, bytes) in [(OTHER_HOST, 20), (OTHER_PORT, 100)] {
        let probe = Arrival { is_probing: true, datagram_bytes: bytes, ..arrival(remote) };
        receive(&mut paths, at(0), &probe, 1);
        let path = paths.by_addresses(&probe.path).unwrap();
        path.validation.handle_challenge(PathChallenge([1; 8]));
    }
    assert_eq!(paths.off_path(SOCKET).unwrap().addresses, from(OTHER_PORT));
}

#[test]
fn every_datagram_counts_for_the_path_that_it_came_on() {
    let mut paths = confirmed_server();
    let probe = Arrival { is_probing: true, ..arrival(OTHER_HOST) };
    for received in 1..4 {
        receive(&mut paths, at(0), &probe, 1);
        let path = paths.by_addresses(&probe.path).unwrap();
        assert_eq!(path.amplification.allowance(), 300 * received);
    }
}

#[test]
fn another_port_does_not_hide_that_the_window_was_the_limit() {
    let mut paths = confirmed_server();
    paths.active_mut().on_sent(at(5), WINDOW, true);
    assert_eq!(receive(&mut paths, at(6), &arrival(OTHER_PORT), 1), PathChange::Moved);
    assert!(paths.active().was_limited_since(at(5)));
}

#[test]
fn an_answer_counts_whichever_path_it_comes_on() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.2
    //= type=test
    //# This requirement MUST NOT be enforced by the endpoint
    //# that initiates path validation, as that would enable an attack on
    //# migration; see Section 9.3.3.
    let mut paths = confirmed_server();
    receive(&mut paths, at(0), &arrival(OTHER_HOST), 1);
    let old = paths.off_path(SOCKET).unwrap();
    let answer = challenge(old, true);
    // Nothing says where it came from, and the path asked is found nevertheless.
    paths.handle_response(at(1), answer, &mut random());
    assert!(!paths.active().is_proved());
    assert!(paths.off_path(SOCKET).is_none());
    let answer = challenge(paths.active_mut(), true);
    paths.handle_response(at(1), answer, &mut random());
    assert!(paths.active().is_proved());
}

#[test]
fn a_probe_from_elsewhere_is_validated_before_anybody_moves() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.3
    //= type=test
    //# Servers SHOULD initiate path validation to the client's new address
    //# upon receiving a probe packet from a different address; see
    //# Section 8.
    let mut paths = confirmed_server();
    let probe = Arrival { is_probing: true, datagram_bytes: 1200, ..arrival(OTHER_HOST) };
    assert_eq!(receive(&mut paths, at(0), &probe, 1), PathChange::Unchanged);
    let path = paths.off_path(SOCKET).unwrap();
    let answer = challenge(path, true);
    paths.handle_response(at(1), answer, &mut random());
    // Known to work, it is moved to without another proof, as long as it is remembered.
    assert_eq!(receive(&mut paths, at(2), &arrival(OTHER_HOST), 2), PathChange::Moved);
    assert!(paths.active().is_proved() && !paths.active().validation.is_running());
}

#[test]
fn probes_of_a_path_that_works_do_not_make_it_be_asked_again() {
    let mut paths = confirmed_server();
    let probe = Arrival { is_probing: true, datagram_bytes: 1200, ..arrival(OTHER_HOST) };
    receive(&mut paths, at(0), &probe, 1);
    let path = paths.off_path(SOCKET).unwrap();
    let answer = challenge(path, true);
    paths.handle_response(at(1), answer, &mut random());
    receive(&mut paths, at(1), &probe, 2);
    assert!(paths.off_path(SOCKET).is_none());
}

#[test]
fn a_peer_that_came_with_a_new_id_is_not_followed_without_one_for_it() {
    let mut paths = confirmed_server();
    let without = Arrival { may_answer: false, ..arrival(OTHER_HOST) };
    assert_eq!(receive(&mut paths, at(0), &without, 1), PathChange::Unchanged);
    assert!(paths.others.is_empty());
    assert_eq!(receive(&mut paths, at(0), &arrival(OTHER_HOST), 1), PathChange::Moved);
}

#[test]
fn a_path_without_an_id_is_silent() {
    let mut paths = confirmed_server();
    let probe = Arrival { is_probing: true, datagram_bytes: 1200, ..arrival(OTHER_HOST) };
    receive(&mut paths, at(0), &probe, 1);
    let id = paths.others().next().unwrap().id;
    paths.set_peer_id(id, PeerId::None);
    assert!(paths.off_path_socket().is_none());
    assert_eq!(receive(&mut paths, at(1), &arrival(OTHER_HOST), 1), PathChange::Unchanged);
    paths.set_peer_id(id, PeerId::Own);
    assert_eq!(paths.off_path_socket(), Some(SOCKET));
}

#[test]
fn the_search_for_the_mtu_goes_on_after_a_return_whatever_became_of_the_last_probe() {
    let mut paths = confirmed_server();
    paths.active_mut().mtu.want();
    let probe = paths.active_mut().mtu.poll_probe(at(0), u64::MAX);
    assert!(probe.is_some());
    // The path is the same one: the probe's fate will be told.
    assert_eq!(receive(&mut paths, at(0), &arrival(OTHER_PORT), 1), PathChange::Moved);
    assert_eq!(paths.active_mut().mtu.poll_probe(at(0), u64::MAX), None);
    assert_eq!(receive(&mut paths, at(0), &arrival(OTHER_HOST), 2), PathChange::Moved);
    // Its fate is no news to another path, and this one hears of nothing.
    assert_eq!(receive(&mut paths, at(0), &arrival(OTHER_PORT), 3), PathChange::Moved);
    paths.active_mut().mtu.want();
    assert_eq!(paths.active_mut().mtu.poll_probe(at(0), u64::MAX), probe);
}

#[test]
fn a_move_at_the_preferred_address_that_fails_does_not_lead_back_to_the_other_one() {
    let (old, preferred) = ("198.51.100.1", "198.51.100.77");
    let to = |local: &str, remote| {
        let path = PathAddresses { local_ip: Some(local.parse().unwrap()), ..from(remote) };
        Arrival { path, datagram_bytes: 1200, ..arrival(remote) }
    };
    let mut paths = confirmed_server();
    receive(&mut paths, at(0), &to(old, HOME), 1);
    assert_eq!(receive(&mut paths, at(0), &to(preferred, HOME), 1), PathChange::Unchanged);
    let answer = challenge(paths.off_path(SOCKET).unwrap(), true);
    paths.handle_response(at(1), answer, &mut random());
    assert!(paths.is_left_behind(&to(old, HOME).path));
    assert_eq!(receive(&mut paths, at(1), &to(preferred, OTHER_PORT), 2), PathChange::Moved);
    let mut outcome = PathTimeout::Nothing;
    while outcome == PathTimeout::Nothing {
        let deadline = paths.deadline().expect("the move fails at last");
        outcome = time_out(&mut paths, deadline);
    }
    assert_eq!(paths.active().addresses, to(preferred, HOME).path);
    assert!(paths.is_left_behind(&to(old, HOME).path));
}

#[test]
fn paths_of_a_socket_that_is_gone_are_forgotten() {
    let mut client = new(Side::Client, true);
    client.on_handshake_confirmed();
    let elsewhere = PathAddresses { socket: SocketId(1), ..from(HOME) };
    client.probe(at(0), elsewhere, false, &mut random());
    assert_eq!(client.off_path_socket(), Some(SocketId(1)));
    news(&mut client);
    client.forget_socket(SocketId(1));
    assert_eq!(client.off_path_socket(), None);
    let told = news(&mut client);
    assert!(matches!(told[..], [PathNews::Failed { .. }, PathNews::Forgotten { path: 1 }]));
}

#[test]
fn a_client_that_moves_starts_from_nothing_and_asks_at_once() {
    let mut client = new(Side::Client, true);
    client.on_handshake_confirmed();
    client.active_mut().rtt.update(at(0), Duration::from_millis(10), Duration::ZERO);
    let elsewhere = PathAddresses { socket: SocketId(1), ..from(HOME) };
    client.migrate(at(0), elsewhere, &mut random());
    assert_eq!(client.active().addresses, elsewhere);
    assert!(client.active().rtt.first_sample().is_none());
    assert!(client.active().validation.is_challenge_due() && !client.active().is_proved());
    assert!(matches!(client.permit(at(0), SocketId(1), NORMAL), Permit::Any { .. }));
    // Asked for again, nothing happens.
    news(&mut client);
    client.migrate(at(0), elsewhere, &mut random());
    assert_eq!(news(&mut client), []);
}

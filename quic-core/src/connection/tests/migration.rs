//! The rules of paths and of IDs on them, datagram by datagram (RFC 9000 §8.2, §9).

use std::sync::mpsc::{Sender, channel};

use super::pair::*;
use crate::connection::{MigrationError, Role};
use crate::instant::Instant;
use crate::net::{PathAddresses, SocketId};
use crate::recorder::{ConnectionRecorder, Record};
use crate::transmit::TransmitBuffer;
use crate::wire::frame::{Frame, Frames};
use crate::wire::transport_parameters::PreferredAddress;
use crate::wire::{ConnectionId, Side, SpaceId, StatelessResetToken};

const ELSEWHERE: &str = "203.0.113.9:4000";

fn challenge(byte: u8) -> Vec<u8> {
    [vec![0x1a], vec![byte; 8]].concat()
}

/// The next datagram of the server, and where it goes.
fn next_of_server(pair: &mut Pair) -> Option<(PathAddresses, Vec<u8>)> {
    let mut memory = [0; 1500];
    let mut buffer = TransmitBuffer::new(&mut memory, 1);
    let transmit = pair.server.poll_transmit(pair.now, SocketId(0), &mut buffer)?;
    Some((transmit.path, memory[..transmit.length].to_vec()))
}

/// The answers in a datagram of the server, as the client would read them.
fn answers(pair: &mut Pair, datagram: &[u8]) -> Vec<[u8; 8]> {
    read(pair, datagram, |frame| {
        if let Frame::PathResponse(response) = frame { Some(response.0) } else { None }
    })
}

/// What `find` finds in the frames of a datagram of the server.
fn read<T>(pair: &mut Pair, datagram: &[u8], find: impl Fn(Frame<'_>) -> Option<T>) -> Vec<T> {
    let mut datagram = datagram.to_vec();
    let largest = pair.client.space(SpaceId::Application).received.largest();
    let keys = pair.client.keys.one_rtt.as_mut().unwrap();
    let opened = keys.open(pair.now, &mut datagram, 9, largest).unwrap();
    Frames::new(opened.payload).map(Result::unwrap).filter_map(find).collect()
}

#[test]
fn whoever_seems_to_move_is_looked_for_here_and_there() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3.3
    //= type=test
    //# In response to an apparent migration, endpoints MUST validate the
    //# previously active path using a PATH_CHALLENGE frame.
    let mut pair = Pair::confirmed();
    let datagram = pair.client.forge_with(SpaceId::Application, &[0x01], 1200, |_| {});
    deliver_from(&mut pair.server, pair.now, path(ELSEWHERE), &datagram);
    let mut challenged = Vec::new();
    while let Some((to, datagram)) = next_of_server(&mut pair) {
        challenged.extend(read(&mut pair, &datagram, |frame| {
            matches!(frame, Frame::PathChallenge(_)).then_some(to.remote)
        }));
    }
    challenged.sort_unstable();
    assert_eq!(challenged, [client_path().remote, path(ELSEWHERE).remote]);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-19.17
//= type=test
//# The recipient of this frame MUST generate a PATH_RESPONSE frame (Section
//# 19.18) containing the same Data value.
#[test]
fn challenges_are_answered_once_at_once_on_their_path_and_in_full_datagrams() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.2
    //= type=test
    //# On receiving a PATH_CHALLENGE frame, an endpoint MUST respond by
    //# echoing the data contained in the PATH_CHALLENGE frame in a
    //# PATH_RESPONSE frame.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.2
    //= type=test
    //# An endpoint MUST NOT delay transmission of a
    //# packet containing a PATH_RESPONSE frame unless constrained by
    //# congestion control.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.2
    //= type=test
    //# A PATH_RESPONSE frame MUST be sent on the network path where the
    //# PATH_CHALLENGE frame was received.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.2
    //= type=test
    //# An endpoint MUST expand datagrams that contain a PATH_RESPONSE frame
    //# to at least the smallest allowed maximum datagram size of 1200 bytes.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.2
    //= type=test
    //# However, an endpoint MUST NOT expand the datagram
    //# containing the PATH_RESPONSE if the resulting data exceeds the anti-
    //# amplification limit.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.2
    //= type=test
    //# An endpoint MUST NOT send more than one PATH_RESPONSE frame in
    //# response to one PATH_CHALLENGE frame; see Section 13.3.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.1
    //= type=test
    //# An endpoint MUST expand datagrams that contain a PATH_CHALLENGE frame
    //# to at least the smallest allowed maximum datagram size of 1200 bytes,
    //# unless the anti-amplification limit for the path does not permit
    //# sending a datagram of this size.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.1
    //= type=test
    //# Unlike other cases where datagrams are expanded, endpoints MUST NOT
    //# discard datagrams that appear to be too small when they contain
    //# PATH_CHALLENGE or PATH_RESPONSE.
    for (from, length) in [(ELSEWHERE, 60), (ELSEWHERE, 399), (ELSEWHERE, 400), (ELSEWHERE, 1200)] {
        let mut pair = Pair::confirmed();
        let frames = challenge(7);
        let datagram = pair.client.forge_with(SpaceId::Application, &frames, length, |_| {});
        deliver_from(&mut pair.server, pair.now, path(from), &datagram);
        let (to, first) = next_of_server(&mut pair).expect("an answer at once");
        assert_eq!(to.remote, path(from).remote);
        assert!(first.len() <= 3 * length, "{} bytes for {length}", first.len());
        assert_eq!(first.len() == 1200, 3 * length >= 1200);
        assert_eq!(answers(&mut pair, &first), [[7; 8]]);
        while let Some((to, datagram)) = next_of_server(&mut pair) {
            assert!(to.remote != path(from).remote || length >= 800, "more than the limit");
            assert!(answers(&mut pair, &datagram).is_empty());
        }
        // Lost or not, it is not said again.
        pair.server.requeue_oldest(SpaceId::Application, 4);
        while let Some((_, datagram)) = next_of_server(&mut pair) {
            assert!(answers(&mut pair, &datagram).is_empty());
        }
    }
}

#[test]
fn packets_of_the_path_before_say_nothing_of_the_new_one() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.4
    //= type=test
    //# Packets sent on the old path MUST NOT contribute to congestion
    //# control or RTT estimation for the new path.
    let mut pair = Pair::confirmed();
    pair.server.ping();
    let late = sent_by(&mut pair.server, pair.now);
    assert_eq!(late.len(), 1);
    let datagram = pair.client.forge_with(SpaceId::Application, &[0x01], 1200, |_| {});
    deliver_from(&mut pair.server, pair.now, path(ELSEWHERE), &datagram);
    assert_eq!(pair.server.path().remote, path(ELSEWHERE).remote);
    let window = pair.server.paths.active().congestion.window();
    let challenges = sent_by(&mut pair.server, pair.now);
    assert!(!challenges.is_empty());
    pair.now += 30 * DELAY;
    // The client has the old packet only.
    deliver(&mut pair.client, pair.now, &late[0]);
    pair.client.ping();
    for datagram in sent_by(&mut pair.client, pair.now) {
        deliver_from(&mut pair.server, pair.now, path(ELSEWHERE), &datagram);
    }
    let active = pair.server.paths.active();
    assert!(active.rtt.first_sample().is_none());
    assert_eq!(active.congestion.window(), window);
}

/// Lets the client's datagrams come from elsewhere, and the server's get there, for a while.
fn talk_from(pair: &mut Pair, from: &str) {
    for _ in 0..20 {
        for datagram in sent_by(&mut pair.client, pair.now) {
            deliver_from(&mut pair.server, pair.now, path(from), &datagram);
        }
        pair.now += DELAY;
        while let Some((to, datagram)) = next_of_server(pair) {
            if to.remote == path(from).remote {
                deliver(&mut pair.client, pair.now, &datagram);
            }
        }
        pair.now += DELAY;
    }
}

#[test]
fn tokens_for_a_new_address_follow_its_validation() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3
    //= type=test
    //# After verifying a new client address, the server SHOULD send new
    //# address validation tokens (Section 8) to the client.
    for (from, expected) in [(ELSEWHERE, 1), ("192.0.2.1:7777", 0)] {
        let mut pair = Pair::confirmed();
        pair.client.take_new_tokens(|_, _, _| ());
        pair.client.ping();
        talk_from(&mut pair, from);
        assert_eq!(pair.server.path().remote, path(from).remote);
        assert!(pair.server.paths.active().is_proved());
        let mut tokens = 0;
        pair.client.take_new_tokens(|_, _, _| tokens += 1);
        // Another port is no other address to a token.
        assert_eq!(tokens, expected, "{from}");
    }
}

#[test]
fn whoever_changes_the_address_without_the_id_is_followed_even_without_another_id() {
    let mut pair = Pair::confirmed();
    while pair.server.remote_ids.switch().unwrap_or(false) {}
    assert!(!pair.server.remote_ids.has_spare());
    let before = *pair.server.remote_ids.active();
    let datagram = pair.client.forge_with(SpaceId::Application, &[0x01], 1200, |_| {});
    deliver_from(&mut pair.server, pair.now, path(ELSEWHERE), &datagram);
    assert_eq!(pair.server.path().remote, path(ELSEWHERE).remote);
    assert_eq!(*pair.server.remote_ids.active(), before);
    // With another ID, it is another matter.
    let mut pair = Pair::confirmed();
    while pair.server.remote_ids.switch().unwrap_or(false) {}
    assert!(pair.client.remote_ids.switch().unwrap());
    let datagram = pair.client.forge_with(SpaceId::Application, &[0x01], 1200, |_| {});
    deliver_from(&mut pair.server, pair.now, path(ELSEWHERE), &datagram);
    assert_eq!(pair.server.path().remote, client_path().remote);
}

/// Ports of reflectors, whose owners are followed only once they answered.
const REFLECTOR: &str = "203.0.113.9:53";

/// A client that came to a reflector's port with another ID, and a server that has no ID of the
/// client's for one more path.
fn candidate() -> Pair {
    let mut pair = Pair::confirmed();
    assert!(pair.client.remote_ids.switch().unwrap());
    come_from(&mut pair, REFLECTOR);
    while pair.server.remote_ids.switch().unwrap_or(false) {}
    assert!(!pair.server.remote_ids.has_spare());
    assert_eq!(pair.server.path().remote, client_path().remote);
    pair
}

/// A new packet of the client's comes from there.
fn come_from(pair: &mut Pair, remote: &str) {
    let datagram = pair.client.forge_with(SpaceId::Application, &[0x01], 1200, |_| {});
    deliver_from(&mut pair.server, pair.now, path(remote), &datagram);
}

/// The challenges in what the server sends now, by where they go.
fn challenges(pair: &mut Pair) -> Vec<(PathAddresses, [u8; 8])> {
    let mut challenges = Vec::new();
    while let Some((to, datagram)) = next_of_server(pair) {
        challenges.extend(read(pair, &datagram, |frame| {
            if let Frame::PathChallenge(challenge) = frame { Some((to, challenge.0)) } else { None }
        }));
    }
    challenges
}

#[test]
fn a_client_whose_address_changes_while_it_is_looked_for_is_followed_without_another_id() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.5
    //= type=test
    //# Due to network changes outside
    //# the control of its peer, an endpoint might receive packets from a new
    //# source address with the same Destination Connection ID field value, in
    //# which case it MAY continue to use the current connection ID with the
    //# new remote address while still sending from the same local address.
    let mut pair = candidate();
    let id = pair.server.paths.others().next().unwrap().id;
    let bound = *pair.server.remote_ids.of_path(id).unwrap();
    come_from(&mut pair, ELSEWHERE);
    assert_eq!(pair.server.path().remote, path(ELSEWHERE).remote);
    assert_eq!(*pair.server.remote_ids.active(), bound);
    // Both are asked, and the ID is kept when the first one is given up.
    let asked = challenges(&mut pair);
    assert!(asked.iter().any(|(to, _)| to.remote == path(REFLECTOR).remote), "{asked:?}");
    let (_, data) = asked.iter().find(|(to, _)| to.remote == path(ELSEWHERE).remote).unwrap();
    let answer = pair.client.forge(SpaceId::Application, &[&[0x1b][..], data].concat());
    deliver_from(&mut pair.server, pair.now, path(ELSEWHERE), &answer);
    while pair.server.paths.others().any(|path| path.validation.is_running()) {
        while next_of_server(&mut pair).is_some() {}
        pair.now = pair.server.poll_timeout().unwrap();
        pair.server.handle_timeout(pair.now);
    }
    come_from(&mut pair, ELSEWHERE);
    let mut others = pair.server.paths.others();
    assert!(others.all(|other| other.addresses.remote == client_path().remote));
    assert_eq!(pair.server.path().remote, path(ELSEWHERE).remote);
    assert_eq!(*pair.server.remote_ids.active(), bound);
    assert_eq!(pair.server.close_reason(), None);
}

#[test]
fn copies_of_packets_from_elsewhere_displace_no_path_that_is_looked_for() {
    let mut pair = candidate();
    let asked = challenges(&mut pair);
    let (_, data) = asked.iter().find(|(to, _)| to.remote == path(REFLECTOR).remote).unwrap();
    for place in 10..30 {
        come_from(&mut pair, &format!("198.51.100.{place}:53"));
        assert!(pair.server.paths.others().count() <= 3);
        while next_of_server(&mut pair).is_some() {}
    }
    assert_eq!(pair.server.path().remote, client_path().remote);
    let answer = pair.client.forge(SpaceId::Application, &[&[0x1b][..], data].concat());
    deliver_from(&mut pair.server, pair.now, path(REFLECTOR), &answer);
    assert_eq!(pair.server.path().remote, path(REFLECTOR).remote);
    assert_eq!(pair.server.close_reason(), None);
}

#[test]
fn a_client_of_which_several_moves_failed_is_known_by_the_id_of_where_it_is_again() {
    let mut pair = Pair::confirmed();
    let first = *pair.client.remote_ids.active();
    for from in ["203.0.113.9:4000", "203.0.113.10:4000"] {
        assert!(pair.client.remote_ids.switch().unwrap());
        let datagram = pair.client.forge_with(SpaceId::Application, &[0x01], 1200, |_| {});
        deliver_from(&mut pair.server, pair.now, path(from), &datagram);
        assert_eq!(pair.server.path().remote, path(from).remote);
    }
    while pair.server.path().remote != client_path().remote {
        while next_of_server(&mut pair).is_some() {}
        pair.now = pair.server.poll_timeout().unwrap();
        pair.server.handle_timeout(pair.now);
    }
    while pair.server.remote_ids.switch().unwrap_or(false) {}
    assert!(!pair.server.remote_ids.has_spare());
    // A NAT changes the address that nothing else has.
    let mut datagram = vec![0; 1200];
    let space = SpaceId::Application;
    let header = pair.client.write_header_to(first, space, &mut datagram).unwrap();
    datagram[header.length()] = 0x01;
    pair.client.finish_packet(&mut datagram, &header, 1, 1200).unwrap();
    deliver_from(&mut pair.server, pair.now, path(ELSEWHERE), &datagram);
    assert_eq!(pair.server.path().remote, path(ELSEWHERE).remote);
}

#[test]
fn an_id_that_is_taken_back_is_replaced_on_its_path() {
    let mut pair = Pair::confirmed();
    let datagram = pair.client.forge_with(SpaceId::Application, &challenge(1), 1200, |_| {});
    deliver_from(&mut pair.server, pair.now, path(ELSEWHERE), &datagram);
    let id = pair.server.paths.others().next().unwrap().id;
    let before = *pair.server.remote_ids.of_path(id).unwrap();
    let frame = [&[0x18, 9, 9, 8][..], &[0xab; 8], &[0xcd; 16]].concat();
    pair.attack(Side::Server, SpaceId::Application, &frame);
    // The one that is left is the active path's; this one has to be silent.
    assert_eq!(pair.server.close_reason(), None);
    assert_eq!(pair.server.remote_ids.of_path(id), None);
    assert!(pair.server.paths.off_path_socket().is_none());
    let frame = [&[0x18, 10, 0, 8][..], &[0xac; 8], &[0xce; 16]].concat();
    pair.attack(Side::Server, SpaceId::Application, &frame);
    assert_ne!(*pair.server.remote_ids.of_path(id).unwrap(), before);
    assert!(pair.server.paths.off_path_socket().is_some());
}

#[test]
fn the_path_before_is_asked_though_the_peer_has_given_no_id_for_it() {
    let mut pair = Pair::confirmed();
    while pair.server.remote_ids.switch().unwrap_or(false) {}
    let datagram = pair.client.forge_with(SpaceId::Application, &[0x01], 1200, |_| {});
    deliver_from(&mut pair.server, pair.now, path(ELSEWHERE), &datagram);
    assert_eq!(pair.server.path().remote, path(ELSEWHERE).remote);
    assert!(pair.server.paths.off_path_socket().is_some());
    // The frame with the ID in use comes once more, and gives nothing.
    let ids = &pair.server.remote_ids;
    let (id, token) = (*ids.active(), *ids.reset_token().unwrap());
    let frame = [&[0x18, 3, 0, 8][..], id.as_slice(), token.as_bytes()].concat();
    let again = pair.client.forge(SpaceId::Application, &frame);
    deliver_from(&mut pair.server, pair.now, path(ELSEWHERE), &again);
    assert_eq!(pair.server.close_reason(), None);
    assert!(pair.server.paths.off_path_socket().is_some());
}

#[test]
fn nobody_moves_to_a_path_whose_id_was_taken_back() {
    let mut pair = Pair::confirmed();
    let elsewhere = PathAddresses { socket: SocketId(1), ..pair.client.path() };
    pair.client.probe_path(pair.now, elsewhere).unwrap();
    let frame = [&[0x18, 9, 9, 8][..], &[0xab; 8], &[0xcd; 16]].concat();
    pair.attack(Side::Client, SpaceId::Application, &frame);
    assert_eq!(pair.client.close_reason(), None);
    let refused = pair.client.migrate(pair.now, elsewhere);
    assert_eq!(refused, Err(MigrationError::NoConnectionId));
    let frame = [&[0x18, 10, 9, 8][..], &[0xac; 8], &[0xce; 16]].concat();
    pair.attack(Side::Client, SpaceId::Application, &frame);
    assert_eq!(pair.client.migrate(pair.now, elsewhere), Ok(()));
}

#[test]
fn the_preferred_address_is_probed_as_soon_as_there_is_an_id_for_it() {
    let mut pair = Pair::confirmed();
    while pair.client.remote_ids.switch().unwrap_or(false) {}
    pair.settle();
    while pair.client.remote_ids.switch().unwrap_or(false) {}
    assert!(!pair.client.remote_ids.has_spare());
    pair.client.take_preferred_address(&PreferredAddress {
        ipv4: Some("198.51.100.77:443".parse().unwrap()),
        ipv6: None,
        id: ConnectionId::new(&[1; 8]).unwrap(),
        reset_token: StatelessResetToken::new([2; 16]),
    });
    pair.client.seek_preferred_address(pair.now);
    assert!(pair.client.paths.off_path_socket().is_none());
    pair.settle();
    assert_eq!(pair.client.path().remote, "198.51.100.77:443".parse().unwrap());
}

#[test]
fn recorders_are_told_the_id_that_a_packet_off_the_active_path_carries() {
    let mut pair = Pair::confirmed();
    let (recorder, told) = channel();
    pair.server.set_recorder(pair.now, Some(Box::new(SentIds(recorder))));
    let datagram = pair.client.forge_with(SpaceId::Application, &challenge(1), 1200, |_| {});
    deliver_from(&mut pair.server, pair.now, path(ELSEWHERE), &datagram);
    let id = pair.server.paths.others().next().unwrap().id;
    let id = *pair.server.remote_ids.of_path(id).unwrap();
    let (to, _) = next_of_server(&mut pair).unwrap();
    assert_eq!(to.remote, path(ELSEWHERE).remote);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [id]);
}

/// Notes the connection IDs of packets that are sent.
#[derive(Debug)]
struct SentIds(Sender<ConnectionId>);

impl ConnectionRecorder for SentIds {
    fn record(&mut self, _: Instant, record: &Record<'_>) {
        if let Record::PacketSent(packet) = record {
            self.0.send(packet.header.destination_id).unwrap();
        }
    }
}

#[test]
fn preferred_addresses_are_kept_for_one_connection_only() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.2
    //= type=test
    //# A client
    //# MUST NOT use these for other connections, including connections that
    //# are resumed from the current connection.
    // What one connection heard is part of it, and of nothing that connections share.
    let pair = Pair::confirmed();
    let Role::Client(client) = &pair.client.role else { panic!("a client") };
    let other = super::pair::client(pair.now, crate::config::TransportConfig::default());
    let Role::Client(second) = &other.role else { panic!("a client") };
    assert!(!client.preferred.is_used());
    assert_eq!(client.preferred, second.preferred);
    assert_eq!(other.paths.others().count(), 0);
}

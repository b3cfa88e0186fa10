use std::num::NonZeroU16;

use super::*;
use crate::config::Shards;
use crate::net::{EcnCodepoint, Misdirected, ShardId};
use crate::wire::StatelessResetToken;

const OWN: ShardId = ShardId(0);
const OTHER: ShardId = ShardId(2);

fn shards() -> Shards {
    Shards::new([4; 16], NonZeroU16::new(3).unwrap())
}

/// The first shard, which sends stateless resets and listens.
fn first_shard() -> World {
    let mut world = World::new(EndpointConfig {
        keyring: Some(Keyring::new(RESET_SECRET)),
        connection_ids: Some(shards().connection_ids(OWN, 8)),
        ..EndpointConfig::default()
    });
    world.map.listen(Arc::new(server_config()));
    world
}

/// An ID that a shard made.
fn id_of(shard: ShardId) -> ConnectionId {
    let config = EndpointConfig {
        connection_ids: Some(shards().connection_ids(shard, 8)),
        ..EndpointConfig::default()
    };
    config.new_connection_id(&mut SeededRandom::from_seed([8; 32]))
}

/// A packet with a short header.
fn short(to: ConnectionId) -> Vec<u8> {
    let mut packet = vec![0x55; 100];
    packet[1..9].copy_from_slice(to.as_slice());
    packet
}

/// What is handed over when a datagram arrives that is not answered.
fn handed_over(world: &mut World, datagram: &[u8]) -> Option<Misdirected> {
    assert_eq!(world.answer(path(1), datagram), None);
    let first = world.map.poll_misdirected();
    assert_eq!(world.map.poll_misdirected(), None);
    first
}

#[test]
fn packets_of_another_shards_connection_are_handed_over_as_they_came() {
    let mut world = first_shard();
    let handshake = Packet { ty: LongType::Handshake, ..Packet::initial(id_of(OTHER)) }.build();
    for datagram in [short(id_of(OTHER)), handshake] {
        let mut copy = datagram.clone();
        let train =
            UdpDatagram { ecn: Some(EcnCodepoint::Ce), ..UdpDatagram::new(path(1), &mut copy) };
        world.map.handle_datagram(world.now, train);
        let mut found = world.map.poll_misdirected().unwrap();
        assert_eq!((found.shard, found.path), (OTHER, path(1)));
        let there = found.datagram(SocketId(7));
        assert_eq!((there.path.socket, there.path.remote), (SocketId(7), path(1).remote));
        assert_eq!((there.ecn, &*there.payload), (Some(EcnCodepoint::Ce), &*datagram));
        assert_eq!(world.sent(), None, "it is not for this one to reset");
    }
}

#[test]
fn a_train_is_handed_over_as_one() {
    let mut world = first_shard();
    let mut train = [short(id_of(OTHER)), short(id_of(OTHER)), short(id_of(OTHER))].concat();
    train.truncate(250);
    let datagram =
        UdpDatagram { segment_length: Some(100), ..UdpDatagram::new(path(1), &mut train) };
    world.map.handle_datagram(world.now, datagram);
    let found = world.map.poll_misdirected().unwrap();
    assert_eq!((found.payload.len(), found.segment_length), (250, Some(100)));
    assert_eq!(world.map.poll_misdirected(), None);
}

#[test]
fn a_packet_with_an_id_of_its_own_that_is_gone_is_reset_by_the_shard_itself() {
    let mut world = first_shard();
    assert!(world.answer(path(1), &short(id_of(OWN))).is_some());
    assert_eq!(world.map.poll_misdirected(), None);
}

#[test]
fn a_stateless_reset_ends_the_connection_here_whatever_its_id_looks_like() {
    let mut world = first_shard();
    let handle = ConnectionHandle { manager: 1, slot: 0, generation: 0 };
    world.map.book.routes.add_token(StatelessResetToken::new([0x55; 16]), handle);
    assert_eq!(handed_over(&mut world, &short(id_of(OTHER))), None);
}

#[test]
fn whoever_begins_a_connection_chooses_ids_as_he_likes_and_is_served_where_he_arrives() {
    let mut world = first_shard();
    let early = Packet { ty: LongType::ZeroRtt, ..Packet::initial(id_of(OTHER)) }.build();
    assert_eq!(handed_over(&mut world, &early), None);
    assert_eq!(world.map.book.zero_rtt_queues, 1);
    assert_eq!(handed_over(&mut world, &initial(id_of(OTHER))), None);
    assert!(world.attempt().is_some());
}

#[test]
fn an_initial_that_goes_on_with_a_handshake_elsewhere_is_handed_over() {
    // Its keys are those of the first ID that the client chose.
    let first = initial(id(0xaa));
    let mut later = first;
    later[6..14].copy_from_slice(id_of(OTHER).as_slice());
    let found = handed_over(&mut first_shard(), &later).unwrap();
    assert_eq!((found.shard, found.payload), (OTHER, later));
}

#[test]
fn a_shard_that_does_not_listen_hands_answers_to_others_over() {
    let mut world = first_shard();
    world.map.server = None;
    let found = handed_over(&mut world, &initial(id_of(OTHER))).unwrap();
    assert_eq!(found.shard, OTHER);
    assert_eq!(handed_over(&mut world, &initial(id_of(OWN))), None);
}

#[test]
fn who_knows_of_no_shards_hands_nothing_over() {
    let mut world = World::with_reset_key();
    assert!(world.answer(path(1), &short(id_of(OTHER))).is_some());
    assert_eq!(world.map.poll_misdirected(), None);
}

/// Gives back what was handed over when a datagram arrived, and returns what is said to its sender.
fn answer_to_unclaimed(world: &mut World, datagram: &[u8]) -> Option<Vec<u8>> {
    let mut letter = handed_over(world, datagram).unwrap();
    world.map.handle_unclaimed(world.now, letter.datagram(SOCKET));
    assert_eq!(world.map.poll_misdirected(), None, "it would go round in circles");
    world.sent().map(|(_, answer)| answer)
}

#[test]
fn peers_of_a_shard_that_nobody_has_are_reset_as_those_of_its_connection_would_have_been() {
    let mut world = first_shard();
    let answer = answer_to_unclaimed(&mut world, &short(id_of(OTHER))).unwrap();
    let token = reset_token(&Keyring::new(RESET_SECRET), &id_of(OTHER)).unwrap();
    assert_eq!(StatelessResetToken::at_end_of(&answer), Some(token));
    assert_eq!(world.sent(), None);
}

#[test]
fn what_could_open_or_go_on_with_a_handshake_at_a_shard_that_nobody_has_is_not_answered() {
    let mut world = first_shard();
    let handshake = Packet { ty: LongType::Handshake, ..Packet::initial(id_of(OTHER)) }.build();
    assert_eq!(answer_to_unclaimed(&mut world, &handshake), None);
    let mut initial = initial(id(0xaa));
    initial[6..14].copy_from_slice(id_of(OTHER).as_slice());
    assert_eq!(answer_to_unclaimed(&mut world, &initial), None);
    assert!(world.is_empty());
}

#[test]
fn resets_for_a_shard_that_nobody_has_are_as_limited_as_all() {
    let mut world = first_shard();
    let answers = (0..100).filter_map(|_| answer_to_unclaimed(&mut world, &short(id_of(OTHER))));
    assert_eq!(answers.count(), 10, "for one source in a second");
    let too_short = &short(id_of(OTHER))[..response::MINIMUM_RESET_TRIGGER - 1];
    world.pass(Duration::from_secs(2));
    assert_eq!(answer_to_unclaimed(&mut world, too_short), None);
}

#[test]
fn each_datagram_of_an_unclaimed_train_counts() {
    let mut world = first_shard();
    let mut train = [short(id_of(OTHER)), short(id_of(OTHER))].concat();
    let datagram =
        UdpDatagram { segment_length: Some(100), ..UdpDatagram::new(path(1), &mut train) };
    world.map.handle_datagram(world.now, datagram);
    let mut letter = world.map.poll_misdirected().unwrap();
    world.map.handle_unclaimed(world.now, letter.datagram(SOCKET));
    assert_eq!(std::iter::from_fn(|| world.sent()).count(), 2);
}

use bytes::Bytes;

use super::*;
use crate::config::ClientConfig;
use crate::ids::Registration;
use crate::wire::{StatelessResetToken, VarInt};

fn numbered(number: u32) -> ConnectionId {
    let mut bytes = [1; 8];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    ConnectionId::new(&bytes).unwrap()
}

/// How a client proves its address.
#[derive(Clone, Copy, Debug)]
enum Proof {
    Retry,
    NewToken,
}

/// An Initial with a token that is good at `path(1)`.
fn proven(world: &World, to: ConnectionId, proof: Proof) -> Vec<u8> {
    let issued = world.now;
    let token = match proof {
        Proof::Retry => Token::Retry {
            remote: path(1).remote,
            original_destination_id: id(1),
            retry_source_id: to,
            issued,
            version: 1,
        },
        Proof::NewToken => Token::NewToken { ip: path(1).remote.ip(), issued, version: 1 },
    };
    let mut random = SeededRandom::from_seed([3; 32]);
    let token = seal_token(&Keyring::new(TOKEN_SECRET), &token, &mut random);
    Packet { token: &token, ..Packet::initial(to) }.build()
}

/// An Initial that took nobody any keys.
fn unprotected(to: ConnectionId) -> Vec<u8> {
    let mut packet = vec![0; 1200];
    let mut writer = Writer::new(&mut packet);
    let parts = LongHeaderParts {
        ty: LongType::Initial,
        version: 1,
        destination_id: to,
        source_id: id(0xcc),
        token: &[],
    };
    let number = PacketNumberLength::for_number(0, None);
    let field = write_long_header(&mut writer, &parts, 0, number).unwrap();
    let number_offset = writer.length() - number.bytes();
    patch_length(&mut packet, field, 1200 - number_offset);
    packet
}

#[test]
fn attempts_beyond_the_backlog_are_refused() {
    let mut config = server_config();
    (config.accept_backlog, config.validation) = (5, AddressValidation::Never);
    let mut world = World::server(config);
    for number in 0..5 {
        assert_eq!(world.answer(path(1), &initial(numbered(number))), None);
    }
    let answer = world.answer(path(1), &initial(numbered(5))).unwrap();
    assert_eq!(close_code(numbered(5), answer), 0x02);
    assert_eq!(world.map.slots.length(), 5);
    world.pass(Duration::from_secs(10));
    while world.attempt().is_some() {}
    assert!(world.is_empty(), "attempts that no one answers are given up");
    assert_eq!(world.answer(path(1), &initial(numbered(6))), None);
}

#[test]
fn nobody_connects_to_where_nobody_can_be() {
    let mut world = World::with_reset_key();
    let config = Arc::new(ClientConfig::new(crypto(), TransportConfig::default()).unwrap());
    for remote in ["192.0.2.1:0", "0.0.0.0:443", "[::]:443", "224.0.0.1:443", "[ff02::1]:443"] {
        let path = PathAddresses { remote: remote.parse().unwrap(), ..path(1) };
        let target = Connect { path, config: config.clone(), server_name: "server.example" };
        let refused = world.map.connect(world.now, target);
        assert!(matches!(refused, Err(ConnectError::InvalidRemoteAddress(_))), "{remote}");
    }
    assert!(world.is_empty());
}

#[test]
fn connections_beyond_the_limit_are_refused() {
    let endpoint = EndpointConfig { max_connections: 2, ..EndpointConfig::default() };
    let mut world = World::new(endpoint);
    world.map.listen(Arc::new(server_config()));
    assert_eq!(world.answer(path(1), &initial(id(1))), None);
    assert_eq!(world.answer(path(1), &initial(id(2))), None);
    let answer = world.answer(path(1), &initial(id(3))).unwrap();
    assert_eq!(close_code(id(3), answer), 0x02);
}

#[test]
fn initials_beyond_the_bound_on_handshakes_are_dropped_without_a_word() {
    let mut config = server_config();
    config.max_half_open = 3;
    let mut world = World::server(config);
    for number in 0..10 {
        assert_eq!(world.answer(path(1), &initial(numbered(number))), None);
    }
    assert_eq!(world.map.slots.length(), 3);
    world.pass(Duration::from_secs(10));
    while world.attempt().is_some() {}
    assert_eq!(world.answer(path(1), &initial(numbered(11))), None);
    assert!(world.attempt().is_some(), "there is room again");
}

#[test]
fn many_half_open_connections_make_addresses_be_validated() {
    let mut config = server_config();
    config.validation = AddressValidation::AboveHalfOpen(3);
    let mut world = World::server(config);
    for number in 0..4 {
        assert_eq!(world.answer(path(1), &initial(numbered(number))), None);
    }
    let answer = world.answer(path(1), &initial(numbered(4))).unwrap();
    assert!(is_retry_authentic(1, &numbered(4), &answer));
}

#[test]
fn an_attempt_holds_a_few_datagrams_of_one_client() {
    let mut world = World::server(server_config());
    let packet = initial(id(1));
    for _ in 0..10 {
        world.receive(path(2), &packet);
        world.receive(path(1), &packet);
    }
    let handle = world.attempt().unwrap();
    let [held, early] = world.map.take_attempt(handle).unwrap().into_datagrams();
    assert_eq!((held.size(), early.size()), ((4, 4800), (0, 0)));
}

#[test]
fn an_attempt_holds_nothing_of_anybody_else() {
    let mut world = World::server(server_config());
    for host in [2, 1, 1, 2] {
        world.receive(path(host), &initial(id(1)));
    }
    let handle = world.attempt().unwrap();
    let [held, _] = world.map.take_attempt(handle).unwrap().into_datagrams();
    assert_eq!(held.size(), (2, 2400));
}

#[test]
fn connection_ids_that_come_and_go_leave_nothing_in_the_notes() {
    let mut world = World::server(server_config());
    let handle = ConnectionHandle { manager: 0, slot: 0, generation: 0 };
    let mut notes = slots::Notes::default();
    let (book, now) = (&mut world.map.book, world.now);
    let token = StatelessResetToken::new([1; 16]);
    for registration in [
        Registration::AddId(id(1)),
        Registration::AddResetToken(token),
        Registration::RemoveId(id(1)),
        Registration::RemoveResetToken(token),
    ] {
        book.register(now, handle, &mut notes, registration);
    }
    assert_eq!((notes.ids.len(), notes.tokens.len()), (0, 0));
}

#[test]
fn a_connection_that_could_never_say_that_it_closed_is_forgotten() {
    let mut world = World::with_reset_key();
    let config = Arc::new(ClientConfig::new(crypto(), TransportConfig::default()).unwrap());
    let target = Connect { path: path(1), config, server_name: "server.example" };
    let handle = world.map.connect(world.now, target).unwrap();
    let (now, slot) = (world.now, world.map.slots.get_mut(handle).unwrap());
    let token = Registration::AddResetToken(StatelessResetToken::new([1; 16]));
    world.map.book.register(now, handle, &mut slot.notes, token);
    world.map.with_connection(now, handle, |c| c.close(now, VarInt::default(), Bytes::new()));
    for _ in 0..10 {
        let Some(next) = world.map.poll_timeout() else { break };
        world.now = world.now.max(next);
        world.map.handle_timeout(world.now);
    }
    assert!(world.is_empty());
}

#[test]
fn answers_that_wait_are_bounded() {
    let mut config = server_config();
    config.validation = AddressValidation::Always;
    let mut world = World::server(config);
    for number in 0..1000 {
        world.receive(path(1), &initial(numbered(number)));
    }
    assert_eq!(world.map.book.outboxes.length(SOCKET), (0, MAXIMUM_RESPONSES));
    assert_eq!(std::iter::from_fn(|| world.sent()).count(), MAXIMUM_RESPONSES);
    assert!(world.is_empty());
}

#[test]
fn a_flood_of_forged_initials_makes_addresses_be_validated_for_a_while() {
    let mut world = World::server(server_config());
    let mut forged = initial(id(1));
    forged[1199] ^= 1;
    for _ in 0..200 {
        assert_eq!(world.answer(path(1), &forged), None);
    }
    let answer = world.answer(path(1), &initial(id(2))).unwrap();
    assert!(is_retry_authentic(1, &id(2), &answer));
    let retries = (0..1000).filter(|_| world.answer(path(1), &forged).is_some()).count();
    assert_eq!(retries, 1000, "and no keys are made");
    world.pass(Duration::from_secs(1));
    assert_eq!(world.answer(path(1), &initial(id(3))), None);
    assert!(world.attempt().is_some());
}

#[test]
fn a_flood_begins_few_attempts_and_keeps_nobody_out_who_proves_an_address() {
    let mut world = World::server(server_config());
    for number in 0..100_000 {
        world.now += Duration::from_micros(10);
        if let Some(answer) = world.answer(path(1), &unprotected(numbered(number))) {
            assert!(is_retry_authentic(1, &numbered(number), &answer));
        }
    }
    assert_eq!(world.map.slots.length(), 0, "none was authentic");
    assert!(world.answer(path(2), &initial(id(7))).is_some(), "nobody is taken at his word");
    for proof in [Proof::Retry, Proof::NewToken] {
        let packet = proven(&world, id(8), proof);
        assert_eq!(world.answer(path(1), &packet), None, "{proof:?}");
        let handle = world.attempt().unwrap();
        assert!(world.map.incoming(handle).unwrap().validated);
        world.map.take_attempt(handle);
    }
}

#[test]
fn half_of_the_accept_queue_is_for_who_proved_an_address() {
    let mut config = server_config();
    config.accept_backlog = 10;
    let mut world = World::server(config);
    for number in 0..20 {
        let answer = world.answer(path(1), &initial(numbered(number)));
        assert_eq!(answer.is_some(), number > 5, "attempt {number}");
    }
    for number in 20..24 {
        let packet = proven(&world, numbered(number), Proof::Retry);
        assert_eq!(world.answer(path(1), &packet), None);
    }
    assert_eq!(world.map.slots.length(), 10);
    let answer = world.answer(path(1), &proven(&world, numbered(24), Proof::Retry)).unwrap();
    assert_eq!(close_code(numbered(24), answer), 0x02, "the queue is full");
}

#[test]
fn tokens_that_were_used_before_are_part_of_the_rush() {
    let mut world = World::server(server_config());
    let packet = proven(&world, id(1), Proof::NewToken);
    let attempts = (0..300).map_while(|_| {
        world.receive(path(1), &packet);
        let handle = world.attempt()?;
        let validated = world.map.incoming(handle)?.validated;
        world.map.take_attempt(handle);
        Some(validated)
    });
    let attempts: Vec<bool> = attempts.collect();
    assert_eq!(attempts.iter().position(|validated| !validated), Some(1), "a token is good once");
    assert_eq!(attempts.len(), 1 + 200);
}

#[test]
fn refusals_cost_keys_and_are_limited() {
    let mut world = World::server(server_config());
    world.map.stop_listening();
    let packet = initial(id(1));
    let refused = (0..2000).filter(|_| world.answer(path(1), &packet).is_some()).count();
    assert_eq!(refused, 1000);
}

#[test]
fn queues_of_zero_rtt_packets_are_bounded() {
    let mut world = World::server(server_config());
    for number in 0..100 {
        let to = numbered(number);
        let early = Packet { ty: LongType::ZeroRtt, ..Packet::initial(to) }.build();
        for _ in 0..20 {
            world.receive(path(1), &early);
        }
    }
    assert_eq!(world.map.book.zero_rtt_queues, MAXIMUM_QUEUES);
    assert_eq!(world.map.slots.length(), MAXIMUM_QUEUES);
    for handle in world.map.slots.handles() {
        let PacketHandler::ZeroRttQueue(queue) = &world.map.slots.get(handle).unwrap().handler
        else {
            panic!("not a queue")
        };
        assert_eq!(queue.size(), (8, 9600));
    }
}

#[test]
fn a_train_of_garbage_and_initials_begins_each_attempt_once() {
    let mut world = World::server(server_config());
    let mut train = Vec::new();
    for part in [initial(id(1)), initial(id(1)), vec![0xff; 1200], initial(id(2))] {
        train.extend_from_slice(&part);
    }
    train.extend_from_slice(&initial(id(1)));
    let mut datagram = UdpDatagram::new(path(1), &mut train);
    datagram.segment_length = Some(1200);
    world.map.handle_datagram(world.now, datagram);
    let attempts: Vec<_> = std::iter::from_fn(|| world.attempt()).collect();
    assert_eq!(attempts.len(), 2);
    let mut held = |handle| world.map.take_attempt(handle).unwrap().into_datagrams()[0].size().0;
    let held: Vec<usize> = attempts.into_iter().map(&mut held).collect();
    assert_eq!(held, [3, 1]);
}

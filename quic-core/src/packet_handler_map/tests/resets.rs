use bytes::Bytes;

use super::*;
use crate::config::ClientConfig;
use crate::ids::Registration;
use crate::wire::VarInt;

/// A packet with a short header that no one knows.
fn short(length: usize) -> Vec<u8> {
    let mut packet = vec![0x55; length];
    packet[1..9].copy_from_slice(id(0xab).as_slice());
    packet
}

#[test]
fn a_reset_is_shorter_than_what_provoked_it_and_ends_in_the_token() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
    //= type=test
    //# An endpoint MUST NOT send a Stateless Reset that is three times or
    //# more larger than the packet it receives to avoid being used for
    //# amplification.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
    //= type=test
    //# Endpoints MUST send Stateless Resets formatted as a packet with a
    //# short header.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.3
    //= type=test
    //# An endpoint MUST ensure that every Stateless Reset that it sends is
    //# smaller than the packet that triggered it, unless it maintains state
    //# sufficient to prevent looping.
    let token = reset_token(&Keyring::new(RESET_SECRET), &id(0xab)).unwrap();
    for length in 9..300 {
        let mut world = World::with_reset_key();
        let Some(reset) = world.answer(path(1), &short(length)) else {
            assert!(length < 22, "no answer to {length} bytes");
            continue;
        };
        assert!(reset.len() < length && reset.len() >= 21);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
        //= type=test
        //# An endpoint that sends a Stateless Reset in response to a packet that
        //# is 43 bytes or shorter SHOULD send a Stateless Reset that is one byte
        //# shorter than the packet it responds to.
        assert!(length > 43 || reset.len() == length - 1);
        assert!(reset.ends_with(token.as_bytes()));
        assert_eq!(reset[0] & 0xc0, 0x40, "it looks like a short header");
    }
}

#[test]
fn resets_to_one_packet_have_nothing_else_in_common() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
    //= type=test
    //# The remainder of the first byte and an arbitrary number of bytes
    //# following it are set to values that SHOULD be indistinguishable from
    //# random.
    let mut world = World::with_reset_key();
    let one = world.answer(path(1), &short(1000)).unwrap();
    let other = world.answer(path(1), &short(1000)).unwrap();
    assert_ne!(one[1..9], other[1..9]);
}

#[test]
fn without_a_key_there_are_no_resets() {
    let mut world = World::new(EndpointConfig::default());
    assert_eq!(world.answer(path(1), &short(1000)), None);
}

#[test]
fn a_known_reset_token_is_never_answered() {
    let mut world = World::with_reset_key();
    let handle = ConnectionHandle { manager: 1, slot: 0, generation: 0 };
    let token = crate::wire::StatelessResetToken::new([0x55; 16]);
    world.map.book.routes.add_token(token, handle);
    assert_eq!(world.answer(path(1), &short(1000)), None);
}

#[test]
fn late_packets_of_a_retired_id_are_not_answered() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-21.11
    //= type=test
    //# More generally, servers MUST NOT generate a stateless reset if a
    //# connection with the corresponding connection ID could be active on any
    //# endpoint using the same static key.
    let mut world = World::with_reset_key();
    let handle = ConnectionHandle { manager: 1, slot: 0, generation: 0 };
    world.map.book.retired.add(world.now, id(0xab), handle);
    assert_eq!(world.answer(path(1), &short(1000)), None);
    world.pass(Duration::from_mins(1));
    assert!(world.answer(path(1), &short(1000)).is_some());
}

#[test]
fn well_known_reflectors_are_never_answered() {
    for port in [0, 7, 19, 53, 123, 1900, 11211] {
        let mut world = World::server(server_config());
        let mut from = path(1);
        from.remote.set_port(port);
        let mut unknown = initial(id(1));
        unknown[1..5].copy_from_slice(&[0xff; 4]);
        for datagram in [short(1000), unknown, initial(id(2))] {
            assert_eq!(world.answer(from, &datagram), None);
        }
        assert!(world.is_empty());
    }
}

#[test]
fn two_endpoints_that_lost_their_state_fall_silent() {
    for length in (20..1500).step_by(7) {
        let mut worlds = [World::with_reset_key(), World::with_reset_key()];
        let mut datagram = short(length);
        for step in 0.. {
            assert!(step < 40, "the endpoints still talk");
            match worlds[step % 2].answer(path(1), &datagram) {
                Some(answer) => datagram = answer,
                None => break,
            }
        }
    }
}

#[test]
fn resets_are_limited_for_each_source() {
    let mut world = World::with_reset_key();
    let count = |world: &mut World| {
        (0..100).filter(|_| world.answer(path(1), &short(1000)).is_some()).count()
    };
    assert_eq!(count(&mut world), 10);
    world.pass(Duration::from_secs(1));
    assert_eq!(count(&mut world), 10);
}

#[test]
fn late_packets_of_a_retired_id_reach_their_connection_for_a_while() {
    let mut world = World::with_reset_key();
    let config = ClientConfig::new(crypto(), TransportConfig::default()).unwrap();
    let config = Arc::new(config);
    let target = Connect { path: path(1), config, server_name: "server.example" };
    let handle = world.map.connect(world.now, target).unwrap();
    let slot = world.map.slots.get_mut(handle).unwrap();
    let id = slot.notes.ids[0];
    let retired = Registration::RemoveId(id);
    world.map.book.register(world.now, handle, &mut slot.notes, retired);
    let mut late = short(1000);
    late[1..9].copy_from_slice(id.as_slice());
    let received = |world: &mut World| {
        world.receive(path(1), &late);
        let now = world.now;
        world.map.with_connection(now, handle, |c| c.statistics().datagrams_received).unwrap()
    };
    assert_eq!(received(&mut world), 1);
    world.now += Duration::from_secs(4);
    assert_eq!(received(&mut world), 2);
    world.now += Duration::from_secs(2);
    assert_eq!(received(&mut world), 2, "late enough to be forgotten");
}

#[test]
fn a_connection_that_is_there_is_never_reset() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-11
    //= type=test
    //# A stateless reset MUST NOT be used by an endpoint that has the state
    //# necessary to send a frame on the connection.
    let mut world = World::with_reset_key();
    let config = Arc::new(ClientConfig::new(crypto(), TransportConfig::default()).unwrap());
    let target = Connect { path: path(1), config, server_name: "server.example" };
    let handle = world.map.connect(world.now, target).unwrap();
    let ours = world.map.slots.get_mut(handle).unwrap().notes.ids[0];
    let mut packet = short(1000);
    packet[1..9].copy_from_slice(ours.as_slice());
    let token = reset_token(&Keyring::new(RESET_SECRET), &ours).unwrap();
    for closes in [false, true] {
        if closes {
            let now = world.now;
            world.map.with_connection(now, handle, |connection| {
                connection.close(now, VarInt::default(), Bytes::new());
            });
        }
        while world.sent().is_some() {}
        for _ in 0..10 {
            let answer = world.answer(path(1), &packet);
            assert!(answer.is_none_or(|answer| !answer.ends_with(token.as_bytes())));
        }
    }
}

#[test]
fn what_is_left_of_a_closed_connection_stays_to_the_end_of_its_period() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2
    //= type=test
    //# Servers that retain an open socket for accepting new connections
    //# SHOULD NOT end the closing or draining state early.
    let mut world = World::with_reset_key();
    let config = Arc::new(ClientConfig::new(crypto(), TransportConfig::default()).unwrap());
    let target = Connect { path: path(1), config, server_name: "server.example" };
    let handle = world.map.connect(world.now, target).unwrap();
    let ours = world.map.slots.get_mut(handle).unwrap().notes.ids[0];
    let now = world.now;
    world.map.with_connection(now, handle, |c| c.close(now, VarInt::default(), Bytes::new()));
    while world.sent().is_some() {}
    // Three PTOs before any sample of the round-trip time: 333 ms + 4 * 166.5 ms each.
    let mut packet = short(1000);
    packet[1..9].copy_from_slice(ours.as_slice());
    world.pass(Duration::from_millis(2900));
    assert!(world.answer(path(1), &packet).is_some(), "the close is repeated");
    world.pass(Duration::from_millis(200));
    assert!(world.is_empty());
}

#[test]
fn what_is_left_of_many_closed_connections_goes_at_few_moments() {
    let mut world = World::with_reset_key();
    let config = Arc::new(ClientConfig::new(crypto(), TransportConfig::default()).unwrap());
    for _ in 0..100 {
        let config = Arc::clone(&config);
        let target = Connect { path: path(1), config, server_name: "server.example" };
        let (now, handle) = (world.now, world.map.connect(world.now, target).unwrap());
        while world.sent().is_some() {}
        world.map.with_connection(now, handle, |c| c.close(now, VarInt::default(), Bytes::new()));
        while world.sent().is_some() {}
        world.pass(Duration::from_micros(320));
    }
    // They ended over 32 ms.
    let mut moments = 0;
    while let Some(next) = world.map.poll_timeout() {
        world.now = next;
        world.map.handle_timeout(next);
        moments += 1;
    }
    assert!(world.is_empty());
    assert!((2..=3).contains(&moments), "{moments}");
}

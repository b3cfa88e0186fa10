//! Rules of RFC 9000 to 9002 that only whole connections can keep or break.

use super::Pair;
use super::pair::{deliver, error_of};
use crate::error::TransportErrorCode;
use crate::wire::{Side, SpaceId};

const PING: &[u8] = &[0x01];

#[test]
fn a_server_discards_initials_in_small_datagrams() {
    let mut pair = Pair::started();
    let before = pair.server.statistics().packets_received;
    let small = pair.client.forge_with(SpaceId::Initial, PING, 1199, |_| {});
    deliver(&mut pair.server, pair.now, &small);
    assert_eq!(pair.server.statistics().packets_received, before);
    let large = pair.client.forge_with(SpaceId::Initial, PING, 1200, |_| {});
    deliver(&mut pair.server, pair.now, &large);
    assert_eq!(pair.server.statistics().packets_received, before + 1);
}

#[test]
fn a_client_discards_initials_with_a_token() {
    let mut pair = Pair::started();
    let with_token = pair.server.forge_long(SpaceId::Initial, &[1, 2, 3], PING);
    deliver(&mut pair.client, pair.now, &with_token);
    assert_eq!(pair.client.statistics().packets_received, 0);
    let without = pair.server.forge_long(SpaceId::Initial, &[], PING);
    deliver(&mut pair.client, pair.now, &without);
    assert_eq!(pair.client.statistics().packets_received, 1);
}

#[test]
fn reserved_bits_are_an_error_in_authentic_packets_only() {
    for (space, bit) in
        [(SpaceId::Initial, 0x08), (SpaceId::Handshake, 0x04), (SpaceId::Application, 0x10)]
    {
        for victim in [Side::Client, Side::Server] {
            let mut pair = match space {
                SpaceId::Initial => Pair::started(),
                SpaceId::Handshake => Pair::answered(),
                SpaceId::Application => Pair::confirmed(),
            };
            let mut datagram =
                pair.end(!victim).forge_with(space, &[0; 20], 1200, |first| *first |= bit);
            let now = pair.now;
            let end = datagram.len();
            datagram[end - 1] ^= 1;
            deliver(pair.end(victim), now, &datagram);
            assert_eq!(error_of(pair.end(victim)), None);
            datagram[end - 1] ^= 1;
            deliver(pair.end(victim), now, &datagram);
            let found = error_of(pair.end(victim));
            assert_eq!(found, Some(TransportErrorCode::PROTOCOL_VIOLATION), "{victim:?} {space:?}");
        }
    }
}

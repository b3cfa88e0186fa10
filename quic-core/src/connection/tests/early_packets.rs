//! Packets that come before they can be used, or are of another version.

use super::Pair;
use super::pair::{deliver, deliver_from, path, sent_by};
use crate::connection::Connection;
use crate::wire::SpaceId;

const PING: &[u8] = &[0x01];

#[test]
fn no_end_processes_1_rtt_packets_before_its_handshake_is_complete() {
    let received = |connection: &Connection| connection.statistics().packets_received;
    let mut pair = Pair::started();
    let before = received(&pair.client);
    let early = pair.server.forge(SpaceId::Application, PING);
    deliver(&mut pair.client, pair.now, &early);
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.7
    //= type=test
    //# Endpoints in either role MUST NOT decrypt 1-RTT packets from their peer
    //# prior to completing the handshake.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.7
    //= type=test
    //# Even if it has 1-RTT secrets, a client MUST NOT process incoming 1-RTT
    //# protected packets before the TLS handshake is complete.
    assert_eq!(received(&pair.client), before);
    pair.carry_to_client();
    assert!(pair.client.space(SpaceId::Application).received.is_duplicate(0), "it was kept");

    // The server has keys for 1-RTT packets before it has the client's Finished.
    let before = received(&pair.server);
    assert!(pair.server.keys.one_rtt.is_some() && !pair.server.handshake.is_complete());
    let early = pair.client.forge(SpaceId::Application, PING);
    deliver(&mut pair.server, pair.now, &early);
    //= https://www.rfc-editor.org/rfc/rfc9001#section-5.7
    //= type=test
    //# A server MUST NOT process incoming 1-RTT protected packets before the
    //# TLS handshake is complete.
    assert_eq!(received(&pair.server), before);
    assert_eq!(pair.server.space(SpaceId::Application).received.largest(), None);
    pair.carry_to_server();
    assert!(pair.server.handshake.is_complete());
    assert!(pair.server.space(SpaceId::Application).received.largest().is_some());
}

#[test]
fn a_client_discards_packets_of_another_version_than_its_own() {
    let mut pair = Pair::started();
    let flight = sent_by(&mut pair.server, pair.now);
    for version in [2_u32, 0x6b33_43cf, 0xff00_001d, 0x0a0a_0a0a] {
        let mut other = flight[0].clone();
        other[1..5].copy_from_slice(&version.to_be_bytes());
        deliver(&mut pair.client, pair.now, &other);
    }
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.2.1
    //= type=test
    //# If a client receives a packet that uses a different version than it
    //# initially selected, it MUST discard that packet.
    let statistics = pair.client.statistics();
    assert_eq!((statistics.packets_received, statistics.packets_discarded), (0, 4));
    deliver(&mut pair.client, pair.now, &flight[0]);
    assert!(pair.client.statistics().packets_received > 0);
}

#[test]
fn during_the_handshake_a_server_reads_from_elsewhere_what_only_its_client_can_have_made() {
    let received = |connection: &Connection| connection.statistics().packets_received;
    let elsewhere = path("203.0.113.9:4000");
    let mut pair = Pair::answered();
    let (before, home) = (received(&pair.server), pair.server.path());
    // Initial packets can be anybody's, and what cannot be opened yet as well.
    for space in [SpaceId::Initial, SpaceId::Application] {
        let packet = pair.client.forge(space, PING);
        deliver_from(&mut pair.server, pair.now, elsewhere, &packet);
    }
    let credit = pair.server.paths.active().amplification.allowance();
    assert_eq!(received(&pair.server), before);
    let packet = pair.client.forge(SpaceId::Handshake, PING);
    deliver_from(&mut pair.server, pair.now, elsewhere, &packet);
    assert_eq!(received(&pair.server), before + 1);
    assert!(pair.server.paths.active().amplification.allowance() > credit, "home is proved");
    pair.carry_to_server();
    assert!(pair.server.handshake.is_confirmed());
    // Nothing was kept of what came too early from elsewhere, and nobody is there.
    assert!(!pair.server.space(SpaceId::Application).received.is_duplicate(0));
    assert_eq!((pair.server.path(), pair.server.paths.others().count()), (home, 0));
    // The first 1-RTT packet from there moves it.
    let packet = pair.client.forge(SpaceId::Application, PING);
    deliver_from(&mut pair.server, pair.now, elsewhere, &packet);
    assert_eq!(pair.server.path(), elsewhere);
}

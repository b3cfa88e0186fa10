//! Packets of other versions, and with bits that may have any value.

use std::sync::Arc;

use super::Pair;
use super::pair::deliver;
use crate::config::{ClientConfig, QUIC_V1, QUIC_V2, TransportConfig};
use crate::connection::client_versions::ClientVersions;
use crate::crypto::TlsClientConfig;
use crate::wire::header::write_version_negotiation;
use crate::wire::{PacketType, Side, SpaceId, Writer};

const PINGS: &[u8] = &[0x01; 20];

/// Whether the end takes the datagram for one of its peer.
fn takes(pair: &mut Pair, end: Side, datagram: &[u8]) -> bool {
    let now = pair.now;
    let connection = pair.end(end);
    let before = connection.statistics().packets_received;
    deliver(connection, now, datagram);
    assert_eq!(connection.close_reason(), None);
    connection.statistics().packets_received > before
}

#[test]
fn a_server_reads_initials_of_the_original_version_until_the_first_handshake_packet() {
    //= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
    //= type=test
    //# The server MUST NOT discard its original version Initial receive keys until it
    //# successfully processes a Handshake packet with the negotiated version.
    let mut pair = Pair::moved();
    assert_eq!((pair.client.version(), pair.server.version()), (QUIC_V1, QUIC_V2));
    let original = pair.client.forge(SpaceId::Initial, PINGS);
    assert!(takes(&mut pair, Side::Server, &original));
    pair.carry_to_client();
    assert_eq!(pair.client.version(), QUIC_V2);
    let negotiated = pair.client.forge(SpaceId::Initial, PINGS);
    assert!(takes(&mut pair, Side::Server, &negotiated));
    assert!(pair.server.keys.other_initial.is_some());
    let handshake = pair.client.forge(SpaceId::Handshake, PINGS);
    assert!(takes(&mut pair, Side::Server, &handshake));
    assert!(pair.server.keys.other_initial.is_none());
    pair.settle();
    assert!(pair.client.handshake.is_confirmed() && pair.server.handshake.is_confirmed());
}

#[test]
fn early_data_stays_in_the_version_of_the_first_flight() {
    //= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
    //= type=test
    //# The client MUST NOT send 0-RTT packets using the negotiated version, even after
    //# processing a packet of that version from the server.
    let mut pair = Pair::moved();
    assert_eq!(pair.client.early_version(), QUIC_V1);
    pair.carry_to_client();
    assert_eq!((pair.client.version(), pair.client.early_version()), (QUIC_V2, QUIC_V1));
}

#[test]
fn packets_of_any_other_version_are_dropped() {
    //= https://www.rfc-editor.org/rfc/rfc9369#section-4.1
    //= type=test
    //# An endpoint MUST drop packets using any other version.
    for moved in [false, true] {
        for victim in [Side::Client, Side::Server] {
            let mut pair = if moved { Pair::moved() } else { Pair::started() };
            pair.carry_to_client();
            let (version, other) = if moved { (QUIC_V2, QUIC_V1) } else { (QUIC_V1, QUIC_V2) };
            for end in [Side::Client, Side::Server] {
                assert_eq!(pair.end(end).version(), version);
            }
            pair.end(!victim).version = other;
            let datagram = pair.end(!victim).forge(SpaceId::Handshake, PINGS);
            assert!(!takes(&mut pair, victim, &datagram), "{moved} {victim:?}");
            let kept = pair.end(victim).undecryptable.take(PacketType::Handshake);
            assert!(kept.is_empty(), "{moved} {victim:?} waits for keys of another version");
            pair.end(!victim).version = version;
            let datagram = pair.end(!victim).forge(SpaceId::Handshake, PINGS);
            assert!(takes(&mut pair, victim, &datagram), "{moved} {victim:?}");
        }
    }
}

#[test]
fn a_client_that_knows_the_version_makes_no_keys_for_another() {
    let mut pair = Pair::started();
    pair.carry_to_client();
    pair.server.version = QUIC_V2;
    let other = pair.server.crypto().initial_keys(
        QUIC_V2,
        &pair.server.ids_seen.original_destination,
        Side::Server,
    );
    pair.server.keys.initial = other.map(Box::new);
    let datagram = pair.server.forge(SpaceId::Initial, PINGS);
    assert!(!takes(&mut pair, Side::Client, &datagram));
    assert!(pair.client.keys.other_initial.is_none());
}

#[test]
fn a_server_ignores_version_negotiation() {
    //= https://www.rfc-editor.org/rfc/rfc9368#section-2.1
    //= type=test
    //# Clients MUST NOT send Version Negotiation packets and servers MUST ignore all received
    //# Version Negotiation packets.
    let mut pair = Pair::started();
    let mut memory = [0; 100];
    let mut writer = Writer::new(&mut memory);
    let (to, from) = (pair.server.ids_seen.local_source, pair.client.ids_seen.local_source);
    write_version_negotiation(&mut writer, 0, to.as_slice(), from.as_slice(), &[9]).unwrap();
    let negotiation = writer.written().to_vec();
    let discarded = pair.server.statistics().packets_discarded;
    assert!(!takes(&mut pair, Side::Server, &negotiation));
    assert_eq!(pair.server.statistics().packets_discarded, discarded + 1);
    pair.settle();
    assert!(pair.server.handshake.is_confirmed());
}

#[test]
fn the_version_of_the_first_flight_is_always_one_of_those_offered() {
    //= https://www.rfc-editor.org/rfc/rfc9368#section-3
    //= type=test
    //# Note that the version in the Chosen Version field MUST be included in this list to allow
    //# the client to communicate the Chosen Version's preference.
    const RESERVED: u32 = 0x1a2a_3a4a;
    for (version, wanted, offered) in [
        (QUIC_V1, &[][..], &[QUIC_V1][..]),
        (QUIC_V1, &[QUIC_V2], &[QUIC_V2, QUIC_V1]),
        (QUIC_V2, &[QUIC_V1, QUIC_V2], &[QUIC_V1, QUIC_V2]),
        (RESERVED, &[QUIC_V2, QUIC_V1], &[RESERVED]),
    ] {
        let tls = TlsClientConfig::dangerous_without_verification(&[]).unwrap();
        let mut config = ClientConfig::new(Arc::new(tls), TransportConfig::default()).unwrap();
        config.version = version;
        config.versions = wanted.to_vec();
        let versions = ClientVersions::new(&config);
        assert_eq!(versions.offered(), offered, "{version:#x} {wanted:x?}");
    }
}

/// A pair whose ends, of which `deaf` does not say that the QUIC Bit may be cleared, have keys for
/// `space`.
fn pair_with_keys(deaf: Option<Side>, space: SpaceId) -> Pair {
    let transport = |side| TransportConfig {
        grease_quic_bit: deaf != Some(side),
        ..TransportConfig::default()
    };
    let (client, server) = (transport(Side::Client), transport(Side::Server));
    match space {
        SpaceId::Initial => Pair::started_with(client, server),
        SpaceId::Handshake => {
            let mut pair = Pair::started_with(client, server);
            pair.carry_to_client();
            pair
        }
        SpaceId::Application => Pair::confirmed_with(client, server),
    }
}

#[test]
fn who_says_so_takes_packets_with_any_quic_bit_and_nobody_else_does() {
    //= https://www.rfc-editor.org/rfc/rfc9287#section-3
    //= type=test
    //# An endpoint that advertises the grease_quic_bit transport parameter MUST accept packets
    //# with the QUIC Bit set to a value of 0.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2
    //= type=test
    //# Packets containing a zero value for this bit are not valid packets in this version and
    //# MUST be discarded.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.3.1
    //= type=test
    //# Packets containing a zero value for this bit are not valid packets in this version and
    //# MUST be discarded.
    for space in SpaceId::ALL {
        for victim in [Side::Client, Side::Server] {
            for (is_deaf, bit) in [(false, 0), (false, 0x40), (true, 0), (true, 0x40)] {
                let mut pair = pair_with_keys(is_deaf.then_some(victim), space);
                let dress = |first: &mut u8| *first = *first & !0x40 | bit;
                let datagram = pair.end(!victim).forge_with(space, PINGS, 1200, dress);
                let taken = takes(&mut pair, victim, &datagram);
                let expected = !is_deaf || bit != 0;
                assert_eq!(taken, expected, "{space:?} {victim:?} {is_deaf} {bit}");
            }
        }
    }
}

#[test]
fn the_spin_bit_of_the_peer_changes_nothing() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.4
    //= type=test
    //# When the spin bit is disabled, endpoints MAY set the spin bit to any value and MUST
    //# ignore any incoming value.
    let mut pair = Pair::confirmed();
    for spin in [true, false, true] {
        let datagram = pair.client.forge_with(SpaceId::Application, PINGS, 100, |first| {
            *first = *first & !0x20 | if spin { 0x20 } else { 0 };
        });
        let own = pair.server.forge(SpaceId::Application, PINGS)[0] & 0x20;
        assert!(takes(&mut pair, Side::Server, &datagram));
        assert_eq!(pair.server.forge(SpaceId::Application, PINGS)[0] & 0x20, own);
    }
}

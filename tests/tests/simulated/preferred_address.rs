//! Servers that prefer another address (RFC 9000 §9.6).

use std::net::{SocketAddr, SocketAddrV4};

use quic_core::{Direction, PathAddresses, PathEvent, Side};
use quic_sim::pair::{CLIENT, Pair, SERVER, Setup};
use quic_sim::seeds::seeds;

use super::migration::{ELSEWHERE, active, address, migrate, paths_of_ids, second_path, told};
use super::{echo, millis, noise, seconds};

const PREFERRED: &str = "198.51.100.77:4433";

/// A server that prefers another address, with a socket there if it `listens`.
fn preferring(seed: u64, listens: bool) -> Pair {
    let mut setup = Setup::new(seed).link(|link| link.rate_bytes_per_second = Some(2_000_000));
    let SocketAddr::V4(preferred) = address(PREFERRED) else { panic!("an IPv4 address") };
    setup.preferred_address = Some(SocketAddrV4::clone(&preferred));
    let mut pair = setup.build();
    if listens {
        pair.server.add_socket(address(PREFERRED));
    }
    pair.network.wire = Some(Vec::new());
    pair
}

#[test]
fn a_client_moves_to_the_address_that_the_server_prefers_once_it_works() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.1
    //= type=test
    //# Once the handshake is confirmed, the client SHOULD select one of the
    //# two addresses provided by the server and initiate path validation
    //# (see Section 8.2).
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.1
    //= type=test
    //# As soon as path validation succeeds, the client
    //# SHOULD begin sending all future packets to the new server address
    //# using the new connection ID and discontinue use of the old server
    //# address.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.2
    //= type=test
    //# A client that migrates to a preferred address MUST validate the
    //# address it chooses before migrating; see Section 21.5.3.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.2
    //= type=test
    //# The server MUST send non-probing packets from its original address
    //# until it receives a non-probing packet from the client at its
    //# preferred address and until the server has validated the new path.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.2
    //= type=test
    //# The server MUST probe on the path toward the client from its
    //# preferred address.
    for seed in seeds(5) {
        let mut pair = preferring(seed, true);
        let (client, server) = pair.connect();
        echo(&mut pair, client, 1 << 20, seconds(20));
        let preferred = address(PREFERRED);
        assert_eq!(active(&mut pair, client).remote, preferred);
        let at_server = pair.server.with(server, |c| c.path());
        assert_eq!(at_server.socket, pair.server.more[0].0);
        let wire = pair.network.wire.clone().unwrap();
        // The first there are padded challenges and answers, and nothing else.
        let there: Vec<_> = wire.iter().filter(|sent| sent.1 == preferred).collect();
        let back: Vec<_> = wire.iter().filter(|sent| sent.0 == preferred).collect();
        assert_eq!((there[0].2.len(), back[0].2.len()), (1200, 1200));
        let first_there = wire.iter().position(|sent| sent.1 == preferred).unwrap();
        let answered = wire.iter().position(|sent| sent.0 == preferred).unwrap();
        let between = &wire[first_there..answered];
        assert!(between.iter().filter(|sent| sent.1 == preferred).count() <= 1);
        // Soon, nothing goes the old way any more, and nothing ever goes both with one ID.
        let last = wire.iter().rposition(|sent| sent.1 == SERVER || sent.0 == SERVER).unwrap();
        assert!(last < wire.len() / 2, "{last} of {}", wire.len());
        for (id, paths) in paths_of_ids(&pair) {
            assert_eq!(paths.len(), 1, "{id:02x?} went on {paths:?}");
        }
    }
}

#[test]
fn a_preferred_address_that_does_not_work_is_given_up() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-21.5.3
    //= type=test
    //# A client MUST NOT send non-probing frames to a preferred address
    //# prior to validating that address; see Section 8.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.1
    //= type=test
    //# If path validation fails, the client MUST continue sending all future
    //# packets to the server's original IP address.
    let mut pair = preferring(1, false);
    let (client, _) = pair.connect();
    echo(&mut pair, client, 1 << 20, seconds(20));
    pair.run_for(seconds(5));
    assert_eq!(active(&mut pair, client).remote, SERVER);
    let events = told(&mut pair, Side::Client);
    assert!(matches!(events[..], [PathEvent::Failed(path)] if path.remote == address(PREFERRED)));
    let wire = pair.network.wire.as_ref().unwrap();
    let tries = wire.iter().filter(|sent| sent.1 == address(PREFERRED)).count();
    assert!((1..=3).contains(&tries), "{tries}");
}

#[test]
fn a_client_that_wants_no_preferred_address_stays() {
    let mut pair = preferring(1, true);
    let mut config = quic_core::ClientConfig::clone(&pair.client_config);
    config.use_preferred_address = false;
    pair.client_config = std::sync::Arc::new(config);
    let (client, _) = pair.connect();
    echo(&mut pair, client, 100_000, seconds(20));
    pair.run_for(seconds(2));
    assert_eq!(active(&mut pair, client).remote, SERVER);
    let wire = pair.network.wire.as_ref().unwrap();
    assert!(wire.iter().all(|sent| sent.1 != address(PREFERRED)));
}

#[test]
fn a_client_that_moves_while_it_seeks_the_preferred_address_seeks_it_from_there() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.3
    //= type=test
    //# In this case, the client SHOULD perform path validation to both
    //# the original and preferred server address from the client's new
    //# address concurrently.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.3
    //= type=test
    //# If path validation of the server's preferred address succeeds, the
    //# client MUST abandon validation of the original address and migrate to
    //# using the server's preferred address.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.3
    //= type=test
    //# If packets received at the server's preferred address have a
    //# different source address than observed from the client during the
    //# handshake, the server MUST protect against potential attacks as
    //# described in Sections 9.3.1 and 9.3.2.
    let mut pair = preferring(1, true);
    let client = pair.start();
    let path = second_path(&mut pair);
    pair.wait("confirmed", seconds(1), |pair| pair.client.with(client, |c| c.paths().count()) == 2);
    pair.network.dead.push(CLIENT);
    migrate(&mut pair, client, path).unwrap();
    echo(&mut pair, client, 100_000, seconds(20));
    let expected = PathAddresses { remote: address(PREFERRED), ..path };
    assert_eq!(active(&mut pair, client), expected);
    for (id, paths) in paths_of_ids(&pair) {
        assert_eq!(paths.len(), 1, "{id:02x?} went on {paths:?}");
    }
}

#[test]
fn after_a_move_to_the_preferred_address_the_client_may_move_even_if_it_was_not_to() {
    let mut setup = Setup::new(1);
    let SocketAddr::V4(preferred) = address(PREFERRED) else { panic!("an IPv4 address") };
    setup.preferred_address = Some(preferred);
    setup.server_transport.disable_active_migration = true;
    let mut pair = setup.build();
    pair.server.add_socket(address(PREFERRED));
    let (client, _) = pair.connect();
    pair.run_for(seconds(2));
    let socket = pair.client.add_socket(address(ELSEWHERE));
    let path = pair.client.path(socket, address(PREFERRED));
    migrate(&mut pair, client, path).unwrap();
    echo(&mut pair, client, 10_000, seconds(5));
}

#[test]
fn newer_packets_to_the_address_that_the_server_left_are_dropped() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.2
    //= type=test
    //# The server SHOULD drop newer packets for
    //# this connection that are received on the old IP address.
    let mut pair = preferring(1, true);
    let (client, server) = pair.connect();
    echo(&mut pair, client, 10_000, seconds(5));
    pair.run_for(seconds(5));
    pair.network.wire = Some(Vec::new());
    pair.client.send_all(client, Direction::Unidirectional, noise(100, 2));
    pair.settle();
    let (.., payload) = pair.network.wire.as_ref().unwrap()[0].clone();
    // Somebody diverts it, faster than the original.
    pair.network.inject((CLIENT, SERVER), &payload, millis(1));
    pair.run_for(millis(5));
    assert_eq!(pair.server.with(server, |c| c.path()).socket, pair.server.more[0].0);
    let discarded = pair.server.with(server, |c| c.statistics().packets_discarded);
    assert!(discarded > 0);
    let (received, now) = pair.server.with(server, |c| (c.statistics().packets_received, c.path()));
    assert_eq!(now.socket, pair.server.more[0].0);
    pair.run_for(millis(100));
    let after = pair.server.with(server, |c| c.statistics().packets_received);
    assert!(after > received, "the original was taken for a duplicate");
}

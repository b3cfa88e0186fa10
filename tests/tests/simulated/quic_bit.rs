//! Bits of the first byte that may have any value (RFC 9287, RFC 9000 §17.4).

use std::collections::BTreeSet;

use quic_core::Side;
use quic_sim::network::Sent;
use quic_sim::pair::{Pair, Setup};

use super::{echo, seconds};

const QUIC_BIT: u8 = 0x40;
const SPIN_BIT: u8 = 0x20;

/// How many datagrams an end sent, and how many of them with a cleared QUIC Bit.
fn cleared(pair: &Pair, side: Side) -> (usize, usize) {
    let is_cleared = |sent: &&Sent| sent.first_byte & QUIC_BIT == 0;
    (pair.network.trace.by(side).count(), pair.network.trace.by(side).filter(is_cleared).count())
}

/// A connection that moves some data, between ends that say, or do not say, that they take any
/// QUIC Bit.
fn exchange(seed: u64, client_says: bool, server_says: bool) -> Pair {
    let mut setup = Setup::new(seed).link(|link| link.loss = 0.01);
    setup.client_transport.grease_quic_bit = client_says;
    setup.server_transport.grease_quic_bit = server_says;
    let mut pair = setup.build();
    let (client, _) = pair.connect();
    echo(&mut pair, client, 300_000, seconds(60));
    pair
}

#[test]
fn the_quic_bit_is_unpredictable_between_ends_that_say_so() {
    //= https://www.rfc-editor.org/rfc/rfc9287#section-3.1
    //= type=test
    //# Endpoints that receive the grease_quic_bit transport parameter from a peer SHOULD set
    //# the QUIC Bit to an unpredictable value unless another extension assigns specific meaning
    //# to the value of the bit.
    for seed in 0..5 {
        let pair = exchange(seed, true, true);
        for side in [Side::Client, Side::Server] {
            let (all, cleared) = cleared(&pair, side);
            let share = cleared * 100 / all;
            assert!((30..70).contains(&share), "{side:?}: {cleared} of {all}");
        }
    }
}

#[test]
fn the_quic_bit_is_set_unless_the_peer_says_otherwise() {
    //= https://www.rfc-editor.org/rfc/rfc9287#section-3.1
    //= type=test
    //# An endpoint MUST NOT set the QUIC Bit to 0 without knowing whether the peer supports the
    //# extension.
    //= https://www.rfc-editor.org/rfc/rfc9287#section-3.1
    //= type=test
    //# A server MUST set the QUIC Bit to 0 only after processing transport parameters from a
    //# client.
    for (client_says, server_says) in [(true, false), (false, true), (false, false)] {
        let pair = exchange(1, client_says, server_says);
        for side in [Side::Client, Side::Server] {
            assert_eq!(cleared(&pair, side).1, 0, "{side:?} {client_says} {server_says}");
        }
    }
    // Whatever the server would say: the client has not heard of it yet.
    for seed in 0..50 {
        let mut pair = Setup::new(seed).build();
        pair.to_client().cut = true;
        pair.start();
        pair.run_for(seconds(2));
        assert_eq!(cleared(&pair, Side::Client).1, 0);
    }
}

#[test]
fn nobody_remembers_that_the_quic_bit_could_be_cleared() {
    //= https://www.rfc-editor.org/rfc/rfc9287#section-3.1
    //= type=test
    //# A server MUST NOT remember that a client negotiated the extension in a previous
    //# connection and set the QUIC Bit to 0 based on that information.
    //= https://www.rfc-editor.org/rfc/rfc9287#section-3.1
    //= type=test
    //# However, a client MUST NOT set the QUIC Bit to 0 unless the Initial packets it sends
    //# include a token provided by the server in a NEW_TOKEN frame (Section 19.7 of [QUIC]),
    //# received less than 604800 seconds (7 days) prior on a connection where the server also
    //# included the grease_quic_bit transport parameter.
    for seed in 0..20 {
        let mut pair = Pair::new(seed);
        let (client, _) = pair.connect();
        echo(&mut pair, client, 10_000, seconds(5));
        pair.client.close(client, 0, b"");
        pair.run_for(seconds(5));
        pair.network.trace.sent.clear();
        // With a token of the first connection, but a client that does not say it any more.
        let mut config = (*pair.client_config).clone();
        let mut transport = (*config.transport).clone();
        transport.grease_quic_bit = false;
        config.transport = transport.into();
        pair.client_config = config.into();
        pair.connect();
        for side in [Side::Client, Side::Server] {
            assert_eq!(cleared(&pair, side).1, 0, "{side:?}");
        }
        // One that says it, but knows of nothing yet.
        pair.network.trace.sent.clear();
        let mut config = (*pair.client_config).clone();
        config.transport = pair.setup.client_transport.clone().into();
        pair.client_config = config.into();
        pair.to_client().cut = true;
        pair.start();
        pair.run_for(seconds(2));
        assert_eq!(cleared(&pair, Side::Client).1, 0);
    }
}

#[test]
fn a_stateless_reset_has_the_quic_bit_and_ends_connections_that_clear_it() {
    for seed in 0..10 {
        let mut pair = Pair::new(seed);
        let (client, _) = pair.connect();
        echo(&mut pair, client, 10_000, seconds(5));
        pair.restart_server();
        pair.network.trace.sent.clear();
        pair.client.send_all(client, quic_core::Direction::Unidirectional, vec![1; 50_000]);
        pair.wait("reset", seconds(20), |pair| pair.client.lost.contains_key(&client));
        assert_eq!(pair.client.lost[&client], quic_core::ConnectionError::Reset);
        assert_eq!(cleared(&pair, Side::Server).1, 0);
    }
}

#[test]
fn the_spin_bit_is_random_for_each_connection_and_does_not_spin() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.4
    //= type=test
    //# An endpoint that does not support this feature MUST disable it, as defined below.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.4
    //= type=test
    //# Even when the spin bit is not disabled by the administrator, endpoints MUST disable
    //# their use of the spin bit for a random selection of at least one in every 16 network
    //# paths, or for one in every 16 connection IDs, in order to ensure that QUIC connections
    //# that disable the spin bit are commonly observed on the network.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.4
    //= type=test
    //# It is RECOMMENDED that endpoints set the spin bit to a random value either chosen
    //# independently for each packet or chosen independently for each connection ID.
    let mut seen = BTreeSet::new();
    for seed in 0..20 {
        let pair = exchange(seed, true, true);
        for side in [Side::Client, Side::Server] {
            let short = pair.network.trace.by(side).filter(|sent| sent.version().is_none());
            let values: BTreeSet<u8> = short.map(|sent| sent.first_byte & SPIN_BIT).collect();
            assert_eq!(values.len(), 1, "{side:?}");
            seen.extend(values);
        }
    }
    assert_eq!(seen.len(), 2);
}

//! Clients prove their addresses (RFC 9000 §8.1).

use std::sync::Arc;

use quic_core::{AddressValidation, ServerConfig, Side, TransportErrorCode};
use quic_sim::pair::{Pair, Setup};
use quic_sim::world::Incoming;

use super::handshake::close_code;
use super::{echo, millis, seconds};

fn always(seed: u64) -> Pair {
    let mut setup = Setup::new(seed);
    setup.validation = AddressValidation::Always;
    setup.build()
}

/// The Retry packets that the server sent, told by their first byte (RFC 9000 §17.2.5).
fn retries(pair: &Pair) -> usize {
    pair.retries_sent()
}

#[test]
fn a_retry_costs_one_round_trip_and_nothing_else() {
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.7
    //= type=test
    //# Although it is in principle possible to use this feature for address verification,
    //# QUIC implementations SHOULD instead use the Retry feature; see Section 8.1 of
    //# [QUIC-TRANSPORT].
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.3
    //= type=test
    //# A client MUST use the same cryptographic handshake message it included in this packet.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.1
    //= type=test
    //# A server MUST NOT send more than one Retry packet in response to a single UDP datagram.
    let mut pair = always(1);
    let (client, _) = pair.connect();
    assert_eq!(retries(&pair), 1);
    assert_eq!(pair.server.attempts.len(), 1);
    assert_eq!(pair.elapsed(), millis(50));
    echo(&mut pair, client, 100_000, seconds(2));
}

#[test]
fn an_application_can_ask_for_a_retry() {
    let mut pair = Pair::new(1);
    pair.server.incoming = Incoming::Retry;
    let (client, _) = pair.connect();
    assert_eq!(retries(&pair), 1);
    assert_eq!(pair.server.attempts.len(), 2);
    echo(&mut pair, client, 10_000, seconds(2));
}

#[test]
fn a_retry_works_with_rustls() {
    let mut setup = Setup::with_rustls(1);
    setup.validation = AddressValidation::Always;
    let mut pair = setup.build();
    let (client, _) = pair.connect();
    assert_eq!(retries(&pair), 1);
    echo(&mut pair, client, 10_000, seconds(2));
}

#[test]
fn a_token_of_one_connection_spares_the_next_the_retry_and_works_once() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
    //= type=test
    //# The client MUST include the token in all Initial packets it sends,
    //# unless a Retry replaces the token with a newer one.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
    //= type=test
    //# When connecting to a server for which the client retains an applicable
    //# and unused token, it SHOULD include that token in the Token field of its
    //# Initial packet.
    let mut pair = always(1);
    pair.connect();
    pair.run_for(seconds(1));
    pair.connect();
    assert_eq!(retries(&pair), 1);
    pair.run_for(seconds(1));
    // The second connection brought a new token.
    pair.connect();
    assert_eq!(retries(&pair), 1);
    // Without time to fetch another one there is a Retry again.
    let (first, second) = (pair.start(), pair.start());
    pair.wait("connected", seconds(2), |pair| {
        pair.client.connected.contains(&first) && pair.client.connected.contains(&second)
    });
    assert!(retries(&pair) >= 2);
}

#[test]
fn a_token_that_moved_to_another_address_is_worth_a_retry() {
    let mut pair = always(1);
    pair.connect();
    pair.run_for(seconds(1));
    pair.rebind(([203, 0, 113, 9], 999).into());
    pair.connect();
    assert_eq!(retries(&pair), 2);
}

#[test]
fn a_token_is_worth_a_retry_after_it_expired() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-21.3
    //= type=test
    //# Servers SHOULD provide mitigations for this attack by limiting the
    //# usage and lifetime of address validation tokens; see Section 8.1.3.
    let mut pair = always(1);
    pair.connect();
    pair.run_for(seconds(15 * 24 * 3600));
    pair.connect();
    assert_eq!(retries(&pair), 2);
}

#[test]
fn a_retry_token_that_expired_is_refused() {
    let mut pair = Setup::new(1).transport(|t| t.handshake_timeout = seconds(100)).build();
    pair.setup.validation = AddressValidation::Always;
    pair.restart_server();
    // The Retry takes 20 s.
    pair.to_client().delay = seconds(20);
    let client = pair.start();
    pair.wait("lost", seconds(90), |pair| pair.client.lost.contains_key(&client));
    assert_eq!(close_code(&pair.client.lost[&client]), TransportErrorCode::INVALID_TOKEN);
}

#[test]
fn retries_survive_loss_of_any_one_datagram() {
    for lost in 0..12 {
        for server in [true, false] {
            let mut pair = always(lost);
            let link = if server { pair.to_client() } else { pair.to_server() };
            link.drops = [lost].into();
            let (client, _) = pair.connect();
            echo(&mut pair, client, 5000, seconds(5));
        }
    }
}

#[test]
fn the_token_of_a_retry_is_for_its_attempt_alone() {
    let mut pair = always(1);
    let mut config = ServerConfig::clone(&pair.setup.server_config());
    config.new_tokens = 0;
    pair.server.listen(Arc::new(config));
    pair.connect();
    pair.run_for(millis(100));
    let before = pair.network.trace.by(Side::Client).count();
    pair.connect();
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
    //= type=test
    //# The client MUST NOT use the token provided in a Retry for future
    //# connections.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-8.1.3
    //= type=test
    //# In comparison, a token obtained in a Retry packet MUST be used
    //# immediately during the connection attempt and cannot be used in
    //# subsequent connection attempts.
    let first = pair.network.trace.by(Side::Client).nth(before).unwrap();
    // After both connection IDs, of 8 bytes each, comes the length of the token.
    assert_eq!((first.head[5], first.head[14], first.head[23]), (8, 8, 0));
    assert_eq!(retries(&pair), 2);
}

/// A server that takes strangers at their word as long as few come.
fn trusting() -> Pair {
    let mut setup = Setup::new(1);
    setup.validation = AddressValidation::AboveHalfOpen(1000);
    setup.build()
}

/// Lets strangers send the server a valid Initial each, all at this time; checks that 200 of them
/// are taken at their word, and that the others are asked for a proof of their address.
fn flood(pair: &mut Pair, strangers: u8) {
    let (attempts, asked) = (pair.server.attempts.len(), retries(pair));
    for stranger in 0..strangers {
        let mut other = Pair::new(1000 + u64::from(stranger));
        other.start();
        other.settle();
        let initial = other.first_from(Side::Client);
        pair.inject(Side::Server, ([10, 0, 0, stranger], 4433).into(), &initial);
    }
    assert_eq!(pair.server.attempts.len() - attempts, 200);
    assert_eq!(retries(pair) - asked, usize::from(strangers) - 200);
}

#[test]
fn a_flood_of_initials_costs_a_new_client_one_round_trip_and_nothing_else() {
    let mut pair = trusting();
    flood(&mut pair, 250);
    let asked = retries(&pair);
    let (client, _) = pair.connect();
    assert_eq!((pair.elapsed(), retries(&pair)), (millis(50), asked + 1));
    echo(&mut pair, client, 100_000, seconds(2));
}

#[test]
fn a_flood_of_initials_costs_a_client_nothing_that_comes_back() {
    let mut pair = trusting();
    pair.connect();
    let calm = pair.elapsed();
    pair.run_for(millis(200));
    let start = pair.now();
    flood(&mut pair, 250);
    let asked = retries(&pair);
    pair.connect();
    assert_eq!((pair.now() - start, retries(&pair)), (calm, asked));
}

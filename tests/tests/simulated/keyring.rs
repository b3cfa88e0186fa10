//! Servers that share their secrets, and replace them.

use std::collections::BTreeSet;

use quic_core::{AddressValidation, ConnectionError, Direction, KeyId, Keyring, Side};
use quic_sim::pair::{Pair, Setup};

use super::{echo, millis, noise, seconds};

fn key(number: u8) -> KeyId {
    KeyId::new(number).unwrap()
}

/// A pair whose server has this keyring for everything.
fn pair_with(keyring: &Keyring, validation: AddressValidation) -> Pair {
    let mut setup = Setup::new(1);
    setup.validation = validation;
    setup.server_keyring = keyring.clone();
    setup.server_endpoint.keyring = Some(keyring.clone());
    setup.build()
}

/// Another server takes the place of the first, with this keyring.
fn another_server(pair: &mut Pair, keyring: &Keyring) {
    pair.setup.server_keyring = keyring.clone();
    pair.setup.server_endpoint.keyring = Some(keyring.clone());
    pair.restart_server();
}

/// The keyring after a rotation to key 1, and after the end of the first.
fn rotated() -> [Keyring; 3] {
    let first = Keyring::new([1; 32]);
    let mut second = first.clone();
    second.announce(key(1), [2; 32]).unwrap();
    second.activate(key(1)).unwrap();
    let mut third = second.clone();
    third.remove(KeyId::FIRST).unwrap();
    [first, second, third]
}

#[test]
fn a_retry_token_of_one_server_is_taken_by_another_with_the_same_keyring_or_the_next() {
    let [first, second, third] = rotated();
    for (next, taken) in [(&first, true), (&second, true), (&third, false)] {
        let mut pair = pair_with(&first, AddressValidation::Always);
        let client = pair.start();
        pair.wait("asked", seconds(1), |pair| pair.retries_sent() == 1);
        another_server(&mut pair, next);
        pair.run_for(seconds(5));
        assert_eq!(pair.client.connected.contains(&client), taken);
        // A server that cannot read the token asks for another, but clients believe one Retry.
        assert_eq!(pair.retries_sent() == 1, taken);
    }
}

#[test]
fn a_new_token_of_one_server_is_taken_by_another_until_its_key_is_removed() {
    let [first, second, third] = rotated();
    for (next, retries) in [(&first, 1), (&second, 1), (&third, 2)] {
        let mut pair = pair_with(&first, AddressValidation::Always);
        let (client, _) = pair.connect();
        echo(&mut pair, client, 1000, seconds(1));
        pair.client.close(client, 0, b"");
        pair.run_for(seconds(1));
        another_server(&mut pair, next);
        pair.connect();
        assert_eq!(pair.retries_sent(), retries);
    }
}

#[test]
fn a_connection_of_one_server_is_reset_by_another_until_its_key_is_removed() {
    let [first, second, third] = rotated();
    for (next, resets) in [(&first, true), (&second, true), (&third, false)] {
        let mut pair = pair_with(&first, AddressValidation::Never);
        let (client, _) = pair.connect();
        echo(&mut pair, client, 1000, seconds(1));
        another_server(&mut pair, next);
        pair.client.send_all(client, Direction::Unidirectional, noise(5000, 1));
        pair.run_for(seconds(1));
        let reset = pair.client.lost.get(&client) == Some(&ConnectionError::Reset);
        assert_eq!(reset, resets);
    }
}

#[test]
fn a_running_server_takes_a_new_key_and_connections_live_on() {
    let [first, second, _] = rotated();
    let mut pair = pair_with(&first, AddressValidation::Always);
    let (before, _) = pair.connect();
    echo(&mut pair, before, 1000, seconds(1));
    pair.setup.server_keyring = second.clone();
    pair.setup.server_endpoint.keyring = Some(second.clone());
    let listen = pair.setup.server_config();
    pair.server.listen(listen);
    let endpoint = pair.setup.server_endpoint.clone();
    pair.server.reconfigure(endpoint).unwrap();
    // The token of the first connection is still good.
    let (after, _) = pair.connect();
    assert_eq!(pair.retries_sent(), 1);
    echo(&mut pair, before, 1000, seconds(1));
    echo(&mut pair, after, 1000, seconds(1));
    // Another server, which has both keys, resets either connection.
    another_server(&mut pair, &second);
    for client in [before, after] {
        pair.client.send_all(client, Direction::Unidirectional, noise(5000, 1));
    }
    pair.run_for(seconds(1));
    for client in [before, after] {
        assert_eq!(pair.client.lost.get(&client), Some(&ConnectionError::Reset));
    }
}

#[test]
fn connection_ids_name_the_key_that_was_active_when_they_were_made() {
    let [first, second, _] = rotated();
    let mut pair = pair_with(&first, AddressValidation::Never);
    let names = |pair: &Pair| -> BTreeSet<u8> {
        let short = pair.network.trace.by(Side::Client).filter(|sent| sent.first_byte & 0x80 == 0);
        short.map(|sent| sent.head[1] >> 5).collect()
    };
    let (client, _) = pair.connect();
    echo(&mut pair, client, 1000, seconds(1));
    assert_eq!(names(&pair), [0].into());
    pair.setup.server_endpoint.keyring = Some(second);
    let endpoint = pair.setup.server_endpoint.clone();
    pair.server.reconfigure(endpoint).unwrap();
    let (client, _) = pair.connect();
    echo(&mut pair, client, 1000, seconds(1));
    pair.run_for(millis(100));
    assert_eq!(names(&pair), [0, 1].into());
}

//! Connection IDs that a load balancer reads, and other generators.

use std::collections::BTreeSet;
use std::sync::Arc;

use quic_core::crypto::{KeyId, RandomSource, SeededRandom};
use quic_core::quic_lb::{Config, Generator, LoadBalancer, Unroutable};
use quic_core::{
    AddressValidation, ConnectionId, ConnectionIdGenerator, Keyring, SharedConnectionIds, Side,
};
use quic_sim::pair::{Pair, Setup};

use super::{echo, millis, seconds};

const KEY: [u8; 16] = [0x4b; 16];
const SERVER_ID: &[u8] = b"srv";

fn config(id: u8) -> Config {
    Config::new(id, SERVER_ID.len(), 8).unwrap().encrypted(&KEY)
}

fn generator(config: Config) -> Generator {
    let mut random = SeededRandom::from_seed([7; 32]);
    Generator::new(config, SERVER_ID, &mut random).unwrap()
}

fn shared(generator: impl ConnectionIdGenerator + 'static) -> SharedConnectionIds {
    SharedConnectionIds::new(Arc::new(generator))
}

fn setup_with(generator: impl ConnectionIdGenerator + 'static) -> Setup {
    let mut setup = Setup::new(1);
    setup.server_endpoint.make_connection_ids_by(shared(generator));
    setup
}

/// What the balancer reads from each datagram that the client sent, from `first` on.
fn read(pair: &Pair, balancer: &LoadBalancer, first: usize) -> Vec<Option<Vec<u8>>> {
    let to_server = pair.network.trace.by(Side::Client).skip(first);
    let server_id = |head: &[u8]| Some(balancer.server_id_of_datagram(head)?.as_slice().to_vec());
    to_server.map(|sent| server_id(&sent.head)).collect()
}

#[test]
fn a_load_balancer_reads_every_packet_after_the_first_flight() {
    for validation in [AddressValidation::Never, AddressValidation::Always] {
        let mut setup = setup_with(generator(config(2)));
        setup.validation = validation;
        let mut pair = setup.build();
        let mut balancer = LoadBalancer::default();
        balancer.set(config(2));
        let (client, _) = pair.connect();
        echo(&mut pair, client, 100_000, seconds(2));
        // Only the very first Initial has an ID that the client made up; after a Retry, the
        // Initial that answers it is routed, too.
        let read = read(&pair, &balancer, 1);
        assert!(read.len() > 10);
        assert!(read.iter().all(|id| id.as_deref() == Some(SERVER_ID)), "{read:?}");
    }
}

#[test]
fn a_server_that_lost_its_state_resets_connections_with_ids_of_a_generator() {
    let mut setup = setup_with(generator(config(5)));
    setup.server_endpoint.keyring = Some(Keyring::new([9; 32]));
    let mut pair = setup.build();
    let (client, _) = pair.connect();
    echo(&mut pair, client, 1000, seconds(1));
    pair.restart_server();
    pair.client.send_all(client, quic_core::Direction::Unidirectional, vec![0; 5000]);
    pair.wait("reset", seconds(1), |pair| pair.client.lost.contains_key(&client));
    assert_eq!(pair.client.lost[&client], quic_core::ConnectionError::Reset);
}

#[test]
fn connections_move_to_ids_of_a_new_configuration_and_forget_the_old_ones() {
    let mut pair = setup_with(generator(config(2))).build();
    let (client, _) = pair.connect();
    echo(&mut pair, client, 10_000, seconds(1));
    let mut endpoint = pair.setup.server_endpoint.clone();
    endpoint.make_connection_ids_by(shared(generator(config(3))));
    pair.server.reconfigure(endpoint).unwrap();
    echo(&mut pair, client, 10_000, seconds(1));
    pair.run_for(millis(500));
    let before = pair.network.trace.by(Side::Client).count();
    let mut balancer = LoadBalancer::default();
    balancer.set(config(3));
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.1
    //= type=test
    //# Servers MUST NOT generate new connection IDs using an old
    //# configuration after receiving a new one from the configuration agent.
    //# Servers MUST use that QUIC version's methods to update the client
    //# with CIDs (e.g., NEW_CONNECTION_ID frames) using the new
    //# configuration and retire CIDs using the old configuration.
    echo(&mut pair, client, 10_000, seconds(1));
    pair.connect();
    let read = read(&pair, &balancer, before);
    let strange = read.iter().filter(|id| id.as_deref() != Some(SERVER_ID)).count();
    assert_eq!(strange, 1, "all but the first Initial of the second connection");
}

#[test]
fn configurations_change_under_loss_again_and_again() {
    let mut setup = setup_with(generator(config(0)));
    setup.to_server.loss = 0.05;
    setup.to_client.loss = 0.05;
    let mut pair = setup.build();
    let (client, _) = pair.connect();
    for round in 1..=20 {
        let mut endpoint = pair.setup.server_endpoint.clone();
        endpoint.make_connection_ids_by(shared(generator(config(round % 7))));
        pair.server.reconfigure(endpoint).unwrap();
        echo(&mut pair, client, 20_000, seconds(20));
    }
    assert!(pair.client.lost.is_empty());
}

/// The IDs that the client's short headers carry.
fn ids_in_use(pair: &Pair, length: usize) -> BTreeSet<Vec<u8>> {
    let short = pair.network.trace.by(Side::Client).filter(|sent| sent.first_byte & 0x80 == 0);
    short.map(|sent| sent.head[1..=length].to_vec()).collect()
}

#[test]
fn without_a_key_or_a_configuration_a_client_gets_one_id_and_is_asked_to_stay() {
    let plain = Config::new(1, SERVER_ID.len(), 8).unwrap();
    for setup in [setup_with(generator(plain)), setup_with(Unroutable::new(12).unwrap())] {
        let mut pair = setup.build();
        let (client, _) = pair.connect();
        echo(&mut pair, client, 10_000, seconds(1));
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.2
        //= type=test
        //# Servers with no active configuration SHOULD provide the client
        //# exactly one CID over the life of the connection.
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.2
        //= type=test
        //# In QUIC versions 1
        //# and 2, therefore, servers SHOULD NOT send any NEW_CONNECTION_ID
        //# frames, instead delivering a single CID via the Source Connection ID
        //# of long headers it sends.
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-9
        //= type=test
        //# Servers that are encoding their
        //# server ID without a key algorithm SHOULD only use it to generate new
        //# CIDs for the Server Initial Packet and SHOULD NOT send CIDs in QUIC
        //# NEW_CONNECTION_ID frames, except that it sends one new Connection ID
        //# in the event of config rotation Section 3.1.
        assert_eq!(ids_in_use(&pair, 12).len(), 1);
        // With a configuration at last, it gets one that can be routed, and more.
        let mut endpoint = pair.setup.server_endpoint.clone();
        endpoint.make_connection_ids_by(shared(generator(config(4))));
        pair.server.reconfigure(endpoint).unwrap();
        echo(&mut pair, client, 10_000, seconds(1));
        pair.run_for(millis(500));
        echo(&mut pair, client, 10_000, seconds(1));
        assert_eq!(ids_in_use(&pair, 12).len(), 2);
    }
}

/// Makes IDs of seven bytes, which are shorter than a client's own may be.
#[derive(Debug)]
struct Seven;

impl ConnectionIdGenerator for Seven {
    fn length(&self) -> usize {
        7
    }

    fn generate(&self, key: Option<KeyId>, random: &mut dyn RandomSource) -> ConnectionId {
        let mut bytes = [0; 7];
        random.fill(&mut bytes);
        bytes[0] = key.map_or(bytes[0], |key| key.mark(bytes[0]));
        bytes[6] = 0x77;
        ConnectionId::new(&bytes).unwrap()
    }
}

#[test]
fn a_retry_with_a_short_id_of_a_generator_is_answered() {
    let mut setup = setup_with(Seven);
    setup.validation = AddressValidation::Always;
    let mut pair = setup.build();
    let (client, _) = pair.connect();
    echo(&mut pair, client, 10_000, seconds(1));
    assert!(ids_in_use(&pair, 7).iter().all(|id| id[6] == 0x77));
    assert_eq!(pair.retries_sent(), 1);
}

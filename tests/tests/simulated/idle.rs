//! Both ends of a connection that falls silent time out together (RFC 9000 §10.1).

use std::time::Duration;

use quic_core::{ConnectionError, ConnectionHandle, Direction, Event, Instant};
use quic_sim::network::Random;
use quic_sim::pair::{Pair, Setup};
use quic_sim::seeds::seeds;
use quic_sim::world::Endpoint;

use super::{millis, noise, seconds};

/// When an end said that its connection timed out.
fn timed_out_at(end: &Endpoint, handle: ConnectionHandle) -> Instant {
    let timed_out = Event::Lost(ConnectionError::TimedOut);
    let found = end.events.iter().find(|event| event.1 == handle && event.2 == timed_out);
    found.map(|event| event.0).unwrap()
}

/// A connection with random timeouts over random links, on which both ends have sent something.
fn connected(random: &mut Random, seed: u64) -> (Pair, [ConnectionHandle; 2], Duration) {
    let [own, others] = [(); 2].map(|()| seconds(1 + random.below(100)));
    let mut setup = Setup::new(seed);
    setup.client_transport.max_idle_timeout = Some(own);
    setup.server_transport.max_idle_timeout = Some(others);
    let mut pair = setup.link(|link| link.jitter = millis(5)).build();
    for link in pair.links() {
        link.delay = millis(1 + random.below(150));
    }
    let (client, server) = pair.connect();
    (pair, [client, server], own.min(others))
}

#[test]
fn both_ends_time_out_within_three_probe_timeouts_of_each_other() {
    for seed in seeds(100) {
        let random = &mut Random::new(seed, 26);
        let (mut pair, [client, server], timeout) = connected(random, seed);
        for _ in 0..random.below(6) {
            pair.run_for(millis(random.below(500)));
            let bytes = noise(random.below(20_000) as usize, seed);
            if random.chance(0.5) {
                pair.client.send_all(client, Direction::Unidirectional, bytes);
            } else {
                pair.server.send_all(server, Direction::Unidirectional, bytes);
            }
        }
        pair.run_for(seconds(1));
        let (begin, rtt) = (pair.now(), pair.client.with(client, |c| c.statistics().rtt));
        // RFC 9002 §6.2.1, with the usual max_ack_delay.
        let pto = 3 * rtt + millis(25);
        pair.run_to_end();
        let ends = [timed_out_at(&pair.client, client), timed_out_at(&pair.server, server)];
        let apart = ends[0].max(ends[1]) - ends[0].min(ends[1]);
        assert!(apart <= 3 * pto, "seed {seed}: {apart:?} apart, a PTO is {pto:?}");
        // Neither much sooner than was agreed on, nor much later.
        let last = ends[0].max(ends[1]) - begin;
        let longest = timeout.max(3 * pto) + 3 * pto;
        assert!((timeout.saturating_sub(seconds(1))..longest).contains(&last), "seed {seed}");
    }
}

//! Both ends of a connection that falls silent time out together (RFC 9000 §10.1).

use std::time::Duration;

use quic_core::{Connection, ConnectionError, ConnectionHandle, Direction, Event, Instant};
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

/// Runs a pair to its end; returns how long after one end timed out the other did.
fn apart(pair: &mut Pair, [client, server]: [ConnectionHandle; 2]) -> Duration {
    pair.run_to_end();
    let ends = [timed_out_at(&pair.client, client), timed_out_at(&pair.server, server)];
    ends[0].max(ends[1]) - ends[0].min(ends[1])
}

#[test]
fn who_goes_on_talking_when_nothing_arrives_any_more_does_not_outlive_the_other() {
    for seed in seeds(20) {
        let random = &mut Random::new(seed, 26);
        let (mut pair, handles, timeout) = connected(random, seed);
        let rtt = pair.client.with(handles[0], |c| c.statistics().rtt);
        for said in 0.. {
            if said == 20 {
                pair.links().into_iter().for_each(|link| link.loss = 1.0);
            }
            if pair.client.lost.contains_key(&handles[0]) {
                break;
            }
            assert!(millis(50) * said < 2 * timeout + seconds(5), "seed {seed}: it goes on");
            pair.client.with(handles[0], Connection::ping);
            pair.run_for(millis(50));
        }
        let (apart, pto) = (apart(&mut pair, handles), 3 * rtt + millis(25));
        assert!(apart <= 3 * pto, "seed {seed}: {apart:?} apart, a PTO is {pto:?}");
    }
}

#[test]
fn who_speaks_at_the_last_moment_waits_for_the_answer() {
    for seed in seeds(50) {
        let random = &mut Random::new(seed, 26);
        let delay = millis(20 + random.below(100));
        let timeout = seconds(5 + random.below(20));
        let setup =
            Setup::new(seed).transport(|transport| transport.max_idle_timeout = Some(timeout));
        let mut pair = setup.link(|link| link.delay = delay).build();
        let (client, server) = pair.connect();
        pair.run_for(seconds(2));
        // It comes a delay later, and so does its acknowledgment.
        pair.server.with(server, Connection::ping);
        pair.run_for(timeout + delay / 2);
        pair.client.with(client, Connection::ping);
        pair.run_for(timeout.saturating_sub(millis(1)));
        assert!(pair.client.lost.is_empty() && pair.server.lost.is_empty(), "seed {seed}");
        let apart = apart(&mut pair, [client, server]);
        assert!(apart <= 2 * delay + millis(25), "seed {seed}: {apart:?} apart");
    }
}

#[test]
fn a_timeout_that_is_too_short_for_probes_is_that_of_three_of_them_at_both_ends() {
    for seed in seeds(50) {
        let random = &mut Random::new(seed, 26);
        let delay = millis(50 + random.below(100));
        let setup = Setup::new(seed)
            .transport(|transport| transport.max_idle_timeout = Some(millis(10)))
            .link(|link| link.delay = delay);
        let mut pair = setup.build();
        let (client, server) = pair.connect();
        let begin = pair.now();
        let apart = apart(&mut pair, [client, server]);
        assert!(apart <= 6 * delay, "seed {seed}: {apart:?} apart");
        let lived = timed_out_at(&pair.client, client) - begin;
        assert!(lived >= 3 * (2 * delay), "seed {seed}: {lived:?}");
    }
}

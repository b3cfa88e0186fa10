//! A protocol on top of QUIC, tested in the simulator: the client asks for lines by number, the
//! server answers each on the stream that it was asked on.
#![expect(clippy::unwrap_used, reason = "a test, which panics where something is wrong")]

use std::time::Duration;

use quic_core::{ConnectionHandle, Direction, StreamId};
use quic_sim::network::{CoDel, Filtering};
use quic_sim::pair::{Pair, Setup};
use quic_sim::seeds::seeds;

const LINES: [&str; 3] = ["the first line", "the second line", "the third line"];

/// The protocol, as far as the server has one: answers what was asked wholly, once.
fn serve(pair: &mut Pair, server: ConnectionHandle, answered: &mut Vec<StreamId>) {
    let received = pair.server.application.received.iter();
    let asked = received.filter(|((_, id), got)| got.finished && !answered.contains(id));
    let asked: Vec<_> = asked.map(|((_, id), got)| (*id, got.bytes.clone())).collect();
    for (id, question) in asked {
        let number: usize = String::from_utf8(question).unwrap().parse().unwrap();
        let line = LINES.get(number).copied().unwrap_or_default();
        pair.server.apply(server, |application, connection| {
            application.send(connection, (server, id), line.into(), true);
        });
        answered.push(id);
    }
}

/// Asks for all lines, while the network does its worst.
fn run(seed: u64) {
    let mut pair = Setup::new(seed)
        .link(|link| {
            link.delay = Duration::from_millis(30);
            link.jitter = Duration::from_millis(10);
            link.loss = 0.05;
            link.duplicate = 0.02;
            link.reorder = 0.02;
            link.rate_bytes_per_second = Some(200_000);
            link.queue_bytes = 20_000;
            link.codel = Some(CoDel::default());
        })
        .build();
    let host = pair.client.host;
    let nat = pair.network.nat(host);
    nat.filtering = Filtering::Ports;
    nat.rebind_at = [12].into();

    let (client, server) = pair.connect();
    let questions: Vec<_> = (0..LINES.len())
        .map(|number| pair.client.send_all(client, Direction::Bidirectional, number.to_string()))
        .collect();
    let mut answered = Vec::new();
    pair.wait("answered", Duration::from_secs(20), |pair| {
        serve(pair, server, &mut answered);
        questions.iter().all(|id| pair.client.is_finished(client, *id))
    });
    for (id, line) in questions.iter().zip(LINES) {
        assert_eq!(pair.client.received(client, *id), line.as_bytes());
    }
    pair.client.close(client, 0, b"thanks");
    pair.run_to_end();
}

fn main() {
    seeds(100).for_each(run);
}

//! Random interactions end well (whatever both applications do, and the network).

use bytes::Bytes;
use quic_core::{Connection, ConnectionHandle, Direction, Side, StreamId, VarInt};
use quic_sim::network::{Random, hash};
use quic_sim::pair::{Pair, Setup};
use quic_sim::seeds::seeds;

use super::{millis, noise, seconds};

/// A stream that was written to its end.
#[derive(Debug)]
struct Written {
    by: Side,
    id: StreamId,
    length: usize,
    hash: u64,
    /// Reset by the writer or stopped by the reader: it may not arrive whole.
    given_up: bool,
}

struct Run {
    pair: Pair,
    random: Random,
    handles: [ConnectionHandle; 2],
    written: Vec<Written>,
}

impl Run {
    fn handle(&self, side: Side) -> ConnectionHandle {
        self.handles[usize::from(side == Side::Server)]
    }

    fn act<R>(&mut self, side: Side, act: impl FnOnce(&mut Connection) -> R) -> R {
        let handle = self.handle(side);
        self.pair.end(side).with(handle, act)
    }

    fn operate(&mut self) {
        let side = if self.random.chance(0.5) { Side::Client } else { Side::Server };
        match self.random.below(12) {
            0..=4 => self.write(side),
            5 => self.reset(side),
            6 => self.stop(side),
            7 => self.act(side, Connection::ping),
            8 => {
                let now = self.pair.now();
                self.act(side, |c| c.update_keys(now));
            }
            9 => {
                let port = 1024 + self.random.below(60_000) as u16;
                if self.random.chance(0.3) {
                    self.pair.rebind_port(port);
                }
            }
            10 => self.pause(side),
            _ => self.change_link(),
        }
        let time = self.random.below(40);
        self.pair.run_for(millis(time));
    }

    fn write(&mut self, side: Side) {
        let length = self.random.below(60_000) as usize;
        let bytes = noise(length, self.random.u64());
        let both = self.random.chance(0.5);
        let direction = if both { Direction::Bidirectional } else { Direction::Unidirectional };
        let (handle, hash) = (self.handle(side), hash(&bytes));
        let id = self.pair.end(side).apply(handle, |application, connection| {
            let id = connection.open_stream(direction).ok()?;
            application.send(connection, (handle, id), Bytes::from(bytes), true);
            Some(id)
        });
        if let Some(id) = id.flatten() {
            self.written.push(Written { by: side, id, length, hash, given_up: false });
        }
    }

    fn pick(&mut self, side: Side) -> Option<&mut Written> {
        let count = self.written.iter().filter(|written| written.by == side).count() as u64;
        let index = self.random.below(count) as usize;
        self.written.iter_mut().filter(|written| written.by == side).nth(index)
    }

    fn reset(&mut self, side: Side) {
        let Some(written) = self.pick(side) else { return };
        written.given_up = true;
        let id = written.id;
        self.act(side, |c| {
            // It may be over already.
            let _: Result<(), _> = c.send_stream(id).reset(VarInt::from_u32(1));
        });
    }

    fn stop(&mut self, side: Side) {
        let Some(written) = self.pick(!side) else { return };
        let id = written.id;
        let stopped = self.act(side, |c| c.recv_stream(id).stop(VarInt::from_u32(2)).is_ok());
        if stopped && let Some(written) = self.written.iter_mut().find(|written| written.id == id) {
            written.given_up = true;
        }
    }

    fn pause(&mut self, side: Side) {
        let handle = self.handle(side);
        self.pair.end(side).application.read = false;
        let time = self.random.below(300);
        self.pair.run_for(millis(time));
        let end = self.pair.end(side);
        end.application.read = true;
        end.apply(handle, |application, connection| application.read_all(connection, handle));
    }

    fn change_link(&mut self) {
        let random = &mut self.random;
        for link in self.pair.links() {
            link.loss = random.below(15) as f64 / 100.0;
            link.reorder = random.below(30) as f64 / 100.0;
            link.duplicate = random.below(20) as f64 / 100.0;
            link.corrupt = random.below(5) as f64 / 100.0;
            link.delay = millis(1 + random.below(60));
            link.jitter = millis(random.below(10));
            link.mtu = 1200 + random.below(300) as usize;
            link.rate_bytes_per_second =
                random.chance(0.5).then(|| 200_000 + random.below(1 << 22));
            link.queue_bytes = 20_000 + random.below(100_000);
        }
    }

    /// Everything that was written and not given up has arrived.
    fn has_arrived(&self) -> bool {
        self.written.iter().filter(|written| !written.given_up).all(|written| {
            let end =
                if written.by == Side::Client { &self.pair.server } else { &self.pair.client };
            end.is_finished(self.handle(!written.by), written.id)
        })
    }

    fn check(&self) {
        for written in self.written.iter().filter(|written| !written.given_up) {
            let end =
                if written.by == Side::Client { &self.pair.server } else { &self.pair.client };
            let bytes = end.received(self.handle(!written.by), written.id);
            assert_eq!(bytes.len(), written.length, "{written:?}");
            assert_eq!(hash(bytes), written.hash, "{written:?}");
        }
    }
}

fn run(seed: u64) {
    let mut random = Random::new(seed, 50);
    let mut setup = Setup::new(seed).transport(|transport| {
        transport.max_idle_timeout = Some(seconds(2000));
        transport.handshake_timeout = seconds(1000);
    });
    for transport in [&mut setup.client_transport, &mut setup.server_transport] {
        transport.max_concurrent_bidi_streams = 1 + random.below(20);
        transport.max_concurrent_uni_streams = 1 + random.below(20);
        transport.stream_receive_window = 1000 + random.below(100_000);
        transport.receive_window = 1000 + random.below(200_000);
        transport.send_window = 1000 + random.below(200_000);
        transport.pacing = random.chance(0.8);
    }
    // Until it sends, nobody can know where the client is now.
    setup.client_transport.keep_alive_interval = Some(seconds(30));
    // None, or 4 to 20 bytes.
    let length = 3 + random.below(18) as usize;
    setup.client_endpoint.connection_id_length = if length == 3 { 0 } else { length };
    setup.server_endpoint.connection_id_length = 4 + random.below(17) as usize;
    let mut pair = setup.build();
    pair.network.coalesce = random.below(10) as f64 / 10.0;
    pair.client.maximum_segments = 1 + random.below(20) as usize;
    pair.server.maximum_segments = 1 + random.below(20) as usize;
    pair.client.reports_local_ip = random.chance(0.5);
    pair.server.reports_local_ip = random.chance(0.5);
    let (client, server) = pair.connect();
    let mut run = Run { pair, random, handles: [client, server], written: Vec::new() };
    for _ in 0..60 {
        run.operate();
    }
    for link in run.pair.links() {
        link.mtu = 1500;
        link.loss = 0.02;
        link.rate_bytes_per_second = None;
    }
    let done = run.pair.run_until(seconds(1000), |_| false);
    assert!(
        !done && run.pair.client.lost.is_empty() && run.pair.server.lost.is_empty(),
        "lost: {:?} {:?}",
        run.pair.client.lost,
        run.pair.server.lost
    );
    assert!(run.has_arrived(), "not everything arrived");
    run.check();
    for side in [Side::Client, Side::Server] {
        assert!(run.act(side, |c| c.is_flushed()), "{side:?} is not flushed");
        let handle = run.handle(side);
        run.pair.wait("nothing in flight", seconds(5), |pair| {
            pair.end(side).with(handle, |c| c.statistics()).bytes_in_flight == 0
        });
    }
    run.pair.client.close(client, 3, b"done");
    run.pair.run_to_end();
    assert_eq!(run.pair.server.lost.len(), 1);
}

#[test]
fn random_interactions_end_well() {
    seeds(30).for_each(run);
}

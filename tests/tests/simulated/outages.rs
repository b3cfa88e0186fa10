//! Paths that fall silent while their connections move (RFC 9000 §9, RFC 9002 §6.2).

use std::time::Duration;

use quic_core::{ConnectionHandle, Direction, MigrationError, PathAddresses};
use quic_sim::network::Random;
use quic_sim::pair::{Pair, SERVER, Setup};
use quic_sim::seeds::seeds;

use super::migration::{active, migrate, probe};
use super::{echo, millis, noise, seconds, slow};

/// Addresses of a client that a server keeps in mind at a time, each with an ID of its own.
const ADDRESSES: u64 = 4;

/// How a client moves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Move {
    /// A NAT gives the socket in use another port.
    Port,
    /// A NAT gives the socket in use another address.
    Address,
    /// The client moves to a path that it has probed, if there is any.
    Probed,
    /// The client moves to a socket that it has not used.
    Fresh,
}

/// What happens to a connection.
#[derive(Debug)]
struct Story {
    /// Paths that the client probed before: each has an ID of both ends, which have four.
    probed: u64,
    /// Whether nothing gets through to the server, and to the client.
    silent: [bool; 2],
    lasts: Duration,
    /// How the client moves meanwhile, after how long each.
    moves: Vec<(Duration, Move)>,
}

impl Story {
    fn of(seed: u64) -> Self {
        let mut random = Random::new(seed, 7);
        let mut pick = |count: usize| random.below(count as u64) as usize;
        let silent = [[true, true], [true, false], [false, true]][pick(3)];
        let lasts = millis([50, 300, 1200, 4000, 9000][pick(5)]);
        let (probed, count) = (pick(4) as u64, 1 + pick(4));
        let mut addresses = 1 + probed;
        let moves = (0..count).map(|_| {
            let by = [Move::Port, Move::Address, Move::Probed, Move::Fresh][pick(4)];
            addresses += u64::from(by != Move::Probed);
            // A server that hears of more, but is not heard, has none to answer the last one with.
            let is_one_too_many = silent == [false, true] && addresses > ADDRESSES;
            let before = lasts.mul_f64(pick(1000) as f64 / 1000.0 / count as f64);
            (before, if is_one_too_many { Move::Probed } else { by })
        });
        let moves = moves.collect();
        Self { probed, silent, lasts, moves }
    }
}

/// A client and a server with a connection.
struct Moving {
    pair: Pair,
    client: ConnectionHandle,
    server: ConnectionHandle,
    /// Addresses that the client was given so far.
    given: u8,
}

impl Moving {
    fn new(seed: u64, probed: u64) -> Self {
        let mut pair = Setup::new(seed).link(slow).build();
        let (client, server) = pair.connect();
        pair.run_for(millis(300));
        let mut moving = Self { pair, client, server, given: 0 };
        for _ in 0..probed {
            let path = moving.fresh_path();
            probe(&mut moving.pair, client, path).unwrap();
            moving.pair.run_for(millis(100));
        }
        let paths = moving.pair.client.with(client, |c| c.paths().count());
        assert_eq!(paths as u64, 1 + probed, "a path is not there");
        moving
    }

    fn fresh_path(&mut self) -> PathAddresses {
        self.given += 1;
        let socket = self.pair.client.add_socket(([203, 0, 113, self.given], 2000).into());
        self.pair.client.path(socket, SERVER)
    }

    /// A NAT gives the socket in use another address, or another port.
    fn translate(&mut self, by: Move) {
        let used = active(&mut self.pair, self.client).socket;
        let (_, inner) = self.pair.client.all_sockets().find(|it| it.0 == used).unwrap();
        let (now, host) = (self.pair.now(), self.pair.client.host);
        let mut outer = self.pair.network.seen_as(host, inner);
        self.given += 1;
        if by == Move::Port {
            outer.set_port(10_000 + u16::from(self.given));
        } else {
            outer.set_ip([198, 18, 0, self.given].into());
        }
        self.pair.network.nat(host).rebind_to(now, inner, outer);
    }

    /// A move for which there is no ID is none.
    fn go(&mut self, by: Move) {
        let path = match by {
            Move::Port | Move::Address => return self.translate(by),
            Move::Fresh => Some(self.fresh_path()),
            Move::Probed => self.pair.client.with(self.client, |c| {
                c.paths().find(|path| !path.is_active).map(|path| path.addresses)
            }),
        };
        let moved = path.map(|path| migrate(&mut self.pair, self.client, path));
        assert_ne!(moved, Some(Err(MigrationError::ConnectionOver)));
    }

    /// Nothing gets through, until the story has ended.
    fn suffer(&mut self, story: &Story) {
        let end = self.pair.now() + story.lasts;
        [self.pair.to_server().cut, self.pair.to_client().cut] = story.silent;
        for (before, by) in &story.moves {
            self.pair.run_for(*before);
            self.go(*by);
        }
        self.pair.run_for(end - self.pair.now());
        [self.pair.to_server().cut, self.pair.to_client().cut] = [false; 2];
    }
}

#[test]
fn what_is_on_its_way_while_clients_move_and_nothing_gets_through_arrives_soon_after() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.3.2
    //= type=test
    //# To protect the connection from failing due to such a spurious
    //# migration, an endpoint MUST revert to using the last validated peer
    //# address when validation of a new peer address fails.
    for seed in seeds(60) {
        let story = Story::of(seed);
        let mut moving = Moving::new(seed, story.probed);
        let (client, server) = (moving.client, moving.server);
        moving.pair.server.application.echo = true;
        let (there, back) = (noise(400_000, seed), noise(400_000, !seed));
        let echoed = moving.pair.client.send_all(client, Direction::Bidirectional, there.clone());
        let sent = moving.pair.server.send_all(server, Direction::Unidirectional, back.clone());
        moving.pair.run_for(millis(20 + seed % 300));
        moving.suffer(&story);
        // Probes are repeated after twice the time of the silence, and their answers may be.
        let within = story.lasts * 4 + seconds(10);
        moving.pair.wait(&format!("arrived: {story:?}"), within, |pair| {
            [echoed, sent].iter().all(|id| pair.client.is_finished(client, *id))
        });
        assert!(moving.pair.client.received(client, echoed) == there);
        assert!(moving.pair.client.received(client, sent) == back);
        moving.pair.run_for(seconds(10));
        echo(&mut moving.pair, client, 10_000, seconds(5));
    }
}

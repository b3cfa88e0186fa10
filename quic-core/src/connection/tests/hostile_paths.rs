//! Whatever a client does with addresses and connection IDs, a server keeps its bounds.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use proptest::prelude::*;

use super::Pair;
use super::pair::{DELAY, deliver_from, path};
use crate::net::{PathAddresses, SocketId};
use crate::paths::PeerId;
use crate::transmit::TransmitBuffer;
use crate::wire::frame::{Frame, Frames};
use crate::wire::{ConnectionId, SpaceId};

/// The client is at the first; only at the first three does it answer challenges.
const PLACES: [&str; 6] = [
    "192.0.2.1:1000",
    "192.0.2.1:2000",
    "203.0.113.9:4000",
    "203.0.113.9:53",
    "198.51.100.9:4000",
    "198.51.100.10:4000",
];
const ANSWERING: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    Ping,
    Challenge,
    NewId { retires: u8 },
    OldId { sequence: u8 },
    Retire { sequence: u8 },
    ChangeId,
    Answer,
    Wait,
}

fn any_step() -> impl Strategy<Value = (Step, usize, bool)> {
    let step = prop_oneof![
        4 => Just(Step::Ping),
        3 => Just(Step::Challenge),
        2 => (0..4u8).prop_map(|retires| Step::NewId { retires }),
        1 => (0..8u8).prop_map(|sequence| Step::OldId { sequence }),
        1 => (0..4u8).prop_map(|sequence| Step::Retire { sequence }),
        2 => Just(Step::ChangeId),
        4 => Just(Step::Answer),
        3 => Just(Step::Wait),
    ];
    (step, 0..PLACES.len(), any::<bool>())
}

struct Attack {
    pair: Pair,
    next_sequence: u8,
    /// Challenges that came to places that answer.
    challenges: Vec<[u8; 8]>,
    received: HashMap<SocketAddr, usize>,
    sent: HashMap<SocketAddr, usize>,
    /// IDs that the server's packets were sent to, and from where.
    used: HashMap<ConnectionId, HashSet<SocketAddr>>,
}

impl Attack {
    fn new() -> Self {
        let pair = Pair::confirmed();
        let (received, sent) = Default::default();
        let home = HashSet::from([path(PLACES[0]).remote]);
        let used = HashMap::from([(*pair.client.remote_ids.active(), home)]);
        Self { pair, next_sequence: 4, challenges: Vec::new(), received, sent, used }
    }

    fn send(&mut self, place: usize, frames: &[u8], is_full: bool) {
        let minimum = if is_full { 1200 } else { 0 };
        let datagram = self.pair.client.forge_with(SpaceId::Application, frames, minimum, |_| {});
        let from = path(PLACES[place]);
        *self.received.entry(from.remote).or_default() += datagram.len();
        let to = *self.pair.client.remote_ids.active();
        self.used.entry(to).or_default().insert(from.remote);
        deliver_from(&mut self.pair.server, self.pair.now, from, &datagram);
    }

    fn new_id(sequence: u8, retires: u8) -> Vec<u8> {
        let retires = retires.min(sequence);
        [&[0x18, sequence, retires, 8][..], &[0xc0 | sequence; 8], &[sequence; 16]].concat()
    }

    fn step(&mut self, (step, place, is_full): (Step, usize, bool)) {
        match step {
            Step::Ping => self.send(place, &[0x01], is_full),
            Step::Challenge => self.send(place, &[&[0x1a][..], &[7; 8]].concat(), is_full),
            Step::NewId { retires } => {
                let sequence = self.next_sequence;
                self.next_sequence = (sequence + 1).min(60);
                let retires = sequence.saturating_sub(retires);
                self.send(place, &Self::new_id(sequence, retires), is_full);
            }
            Step::OldId { sequence } => {
                let known = (self.next_sequence - 1).saturating_sub(sequence).max(4);
                self.send(place, &Self::new_id(known, 0), is_full);
            }
            Step::Retire { sequence } => self.send(place, &[0x19, sequence], is_full),
            Step::ChangeId => {
                let _changed = self.pair.client.remote_ids.switch();
            }
            Step::Answer => {
                if let Some(data) = self.challenges.pop() {
                    self.send(place, &[&[0x1b][..], &data].concat(), is_full);
                }
            }
            Step::Wait => {
                self.pair.now += DELAY;
                if let Some(at) = self.pair.server.poll_timeout().filter(|_| is_full) {
                    self.pair.now = self.pair.now.max(at);
                }
                self.pair.server.handle_timeout(self.pair.now);
            }
        }
        self.hear();
    }

    /// Takes what the server says, and reads it where it can be read.
    fn hear(&mut self) {
        let mut memory = [0; 1500];
        for count in 0.. {
            assert!(count < 1000, "the server does not stop sending");
            let mut buffer = TransmitBuffer::new(&mut memory, 1);
            let server = &mut self.pair.server;
            let Some(sent) = server.poll_transmit(self.pair.now, SocketId(0), &mut buffer) else {
                break;
            };
            let remote = sent.path.remote;
            *self.sent.entry(remote).or_default() += sent.length;
            let answers = PLACES[..ANSWERING].iter().any(|place| path(place).remote == remote);
            let largest = self.pair.client.space(SpaceId::Application).received.largest();
            let Some(keys) = self.pair.client.keys.one_rtt.as_mut() else { continue };
            let Ok(opened) = keys.open(self.pair.now, &mut memory[..sent.length], 9, largest)
            else {
                panic!("a packet of the server's that cannot be read");
            };
            let challenges = Frames::new(opened.payload).filter_map(|frame| match frame {
                Ok(Frame::PathChallenge(challenge)) => Some(challenge.0),
                _ => None,
            });
            self.challenges.extend(challenges.filter(|_| answers));
        }
    }

    /// Places that the client's own use of IDs has linked to this one already.
    fn linked(&self, place: SocketAddr) -> HashSet<SocketAddr> {
        let mut linked = HashSet::from([place]);
        for _ in PLACES {
            let near = self.used.values().filter(|places| !places.is_disjoint(&linked));
            let near: Vec<_> = near.flatten().copied().collect();
            linked.extend(near);
        }
        linked
    }

    fn check(&self) {
        let server = &self.pair.server;
        for place in &PLACES[ANSWERING..] {
            let remote = path(place).remote;
            let of = |map: &HashMap<SocketAddr, usize>| map.get(&remote).copied().unwrap_or(0);
            assert!(of(&self.sent) <= 3 * of(&self.received), "amplified to {place}");
        }
        if server.is_over() {
            return;
        }
        assert!(server.paths.others().count() <= 3);
        let mut ids = HashMap::new();
        ids.insert(*server.remote_ids.active(), server.path().remote);
        for other in server.paths.others() {
            let own = server.remote_ids.of_path(other.id);
            assert_eq!(own.is_some(), other.peer_id() == PeerId::Own, "{:?}", other.addresses);
            let remote = other.addresses.remote;
            let Some(first) = own.and_then(|own| ids.insert(*own, remote)) else { continue };
            assert!(self.linked(first).contains(&remote), "an ID on two paths");
        }
        let at: Vec<PathAddresses> = server.paths().map(|path| path.addresses).collect();
        assert!((1..at.len()).all(|index| !at[..index].contains(&at[index])), "{at:?}");
        assert!(server.poll_timeout().is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_a_client_does_with_addresses_and_ids_the_bounds_hold(
        steps in prop::collection::vec(any_step(), 1..80),
    ) {
        let mut attack = Attack::new();
        for step in steps {
            attack.step(step);
            attack.check();
            if attack.pair.server.is_over() {
                break;
            }
        }
    }
}

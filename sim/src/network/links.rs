//! The links between hosts.

use std::collections::BTreeMap;

use super::HostId;
use super::link::{Link, LinkState, LinkStatistics};
use super::random::Random;

/// All links, made when they are asked for.
#[derive(Debug)]
pub(super) struct Links {
    seed: u64,
    /// Where the numbers of their random streams begin.
    streams: u64,
    places: BTreeMap<(HostId, HostId), usize>,
    states: Vec<LinkState>,
    /// The last one that was asked for, which is the next one, mostly.
    last: Option<((HostId, HostId), usize)>,
}

impl Links {
    pub(super) fn new(seed: u64, streams: u64) -> Self {
        Self { seed, streams, places: BTreeMap::new(), states: Vec::new(), last: None }
    }

    pub(super) fn at(&mut self, place: usize) -> &mut LinkState {
        &mut self.states[place]
    }

    pub(super) fn between(&mut self, from: HostId, to: HostId) -> &mut LinkState {
        let place = self.place(from, to);
        &mut self.states[place]
    }

    pub(super) fn both(&mut self, one: HostId, other: HostId) -> [&mut Link; 2] {
        let places = [self.place(one, other), self.place(other, one)];
        let states = self.states.get_disjoint_mut(places).expect("two links");
        states.map(|state| &mut state.link)
    }

    pub(super) fn statistics(&self, from: HostId, to: HostId) -> LinkStatistics {
        let place = self.places.get(&(from, to));
        place.map(|place| self.states[*place].statistics).unwrap_or_default()
    }

    fn place(&mut self, from: HostId, to: HostId) -> usize {
        let pair = (from, to);
        if let Some((_, place)) = self.last.filter(|(last, _)| *last == pair) {
            return place;
        }
        let place = *self.places.entry(pair).or_insert_with(|| {
            // By their ends, not by when they were made.
            let stream = (u64::from(from.0) << 32 | u64::from(to.0)).rotate_left(20);
            let random = Random::new(self.seed, self.streams ^ stream);
            self.states.push(LinkState::new(self.states.len(), random));
            self.states.len() - 1
        });
        self.last = Some((pair, place));
        place
    }
}

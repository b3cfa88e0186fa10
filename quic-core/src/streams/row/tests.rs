use std::collections::VecDeque;

use super::*;
use crate::crypto::{KeyedHash, RandomSource as _, SeededRandom};
use crate::streams::recv::RecvPart;
use crate::streams::send::SendPart;
use crate::streams::store::{Queued, Stream};
use crate::wire::{Direction, Side, StreamId};

fn insert(store: &mut Store, index: u64) -> Key {
    store.insert(Stream {
        id: StreamId::new(Side::Client, Direction::Bidirectional, index),
        send: SendPart::new(0),
        recv: RecvPart::new(0),
        priority: 0,
        queued: Queued::default(),
        places: Places::default(),
    })
}

/// All in a row, from the front; and that the way back is the same.
fn contents(row: &Row, store: &mut Store) -> Vec<Key> {
    let (mut keys, mut slot, mut before) = (Vec::new(), row.first, END);
    while let Some(key) = store.key_of(slot) {
        keys.push(key);
        let place = store.get(key).unwrap().places.get(row.kind);
        assert_eq!(place.before, before);
        (before, slot) = (slot, place.after);
    }
    assert_eq!((slot, row.last), (END, before));
    keys
}

#[test]
fn rows_do_as_queues_do_and_do_not_mind_each_other() {
    let seed = [7; 32];
    let mut random = SeededRandom::from_seed(seed);
    let mut store = Store::new(KeyedHash::new(&mut random));
    let keys: Vec<Key> = (0..8).map(|index| insert(&mut store, index)).collect();
    let kinds = [Kind::Urgent, Kind::Credit, Kind::Data, Kind::Write];
    let mut rows = kinds.map(|kind| (Row::new(kind), VecDeque::<Key>::new()));
    for _ in 0..if cfg!(miri) { 60 } else { 20_000 } {
        let mut bytes = [0; 3];
        random.fill(&mut bytes);
        let [row, key, act] = bytes.map(usize::from);
        let ((row, queue), key) = (&mut rows[row % 4], keys[key % 8]);
        match act % 5 {
            0 | 1 => {
                row.push(&mut store, key);
                if !queue.contains(&key) {
                    queue.push_back(key);
                }
            }
            2 => {
                row.remove(&mut store, key);
                queue.retain(|other| *other != key);
            }
            3 => assert_eq!(row.pop(&mut store), queue.pop_front()),
            _ => {
                row.rotate(&mut store);
                queue.rotate_left(1.min(queue.len()));
            }
        }
        assert_eq!(*queue, contents(row, &mut store));
        assert_eq!(row.is_empty(), queue.is_empty());
        let is_in = store.get(key).unwrap().places.is_in(row.kind);
        assert_eq!(is_in, queue.contains(&key));
    }
    for (row, queue) in &mut rows {
        queue.clear();
        while row.pop(&mut store).is_some() {}
    }
    assert!(keys.iter().all(|key| store.get(*key).unwrap().places.are_none()));
}

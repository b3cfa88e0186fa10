use std::collections::HashMap;

use super::*;
use crate::crypto::SeededRandom;

fn shards(count: u16) -> Shards {
    Shards::new([3; 16], NonZeroU16::new(count).unwrap())
}

fn random() -> SeededRandom {
    SeededRandom::from_seed([5; 32])
}

/// A generator, as a configuration has it.
fn generator(count: u16, shard: u16, length: usize) -> SharedConnectionIds {
    shards(count).connection_ids(ShardId(shard), length)
}

#[test]
fn an_id_leads_to_the_shard_that_made_it() {
    let mut random = random();
    for count in [1, 2, 3, 64, 1000] {
        for (shard, length) in [(0, 4), (count / 2, 8), (count - 1, 20)] {
            let own = generator(count, shard, length);
            let id = own.generate(None, &mut random);
            assert_eq!((id.as_slice().len(), shards(count).of(&id)), (length, ShardId(shard)));
            assert_eq!(own.other_shard(&id), None);
            let others = (0..count).filter(|other| *other != shard);
            let mut others = others.map(|other| generator(count, other, length).other_shard(&id));
            assert!(others.all(|told| told == Some(ShardId(shard))));
        }
    }
}

#[test]
fn an_id_begins_with_the_name_of_its_key_whichever_shard_it_is_of() {
    let mut random = random();
    let key = KeyId::new(5).unwrap();
    for shard in 0..64 {
        let id = generator(64, shard, 4).generate(Some(key), &mut random);
        assert_eq!(id.as_slice()[0] >> 5, 5);
    }
}

#[test]
fn ids_of_one_shard_have_nothing_in_common_without_the_secret() {
    let mut random = random();
    let (own, count) = (generator(4, 2, 8), 4000);
    let ids: Vec<_> = (0..count).map(|_| own.generate(None, &mut random)).collect();
    // With another secret they are of every shard alike.
    let others = Shards::new([4; 16], NonZeroU16::new(4).unwrap());
    let mut found = HashMap::new();
    for id in &ids {
        *found.entry(others.of(id)).or_insert(0) += 1;
    }
    assert!(found.len() == 4 && found.values().all(|times| (900..1100).contains(times)));
    // Every bit of them is set in every second one.
    for bit in 0..64 {
        let set = ids.iter().filter(|id| id.as_slice()[bit / 8] >> (bit % 8) & 1 == 1).count();
        assert!((1800..2200).contains(&set), "bit {bit} is set in {set} of {count}");
    }
}

#[test]
fn ids_that_nobody_made_are_of_every_shard_alike() {
    let mut random = random();
    let mut found = [0; 8];
    for _ in 0..8000 {
        let id = random_connection_id(8, None, &mut random);
        found[usize::from(shards(8).of(&id).0)] += 1;
    }
    assert!(found.iter().all(|times| (900..1100).contains(times)), "{found:?}");
}

#[test]
fn the_successor_of_an_id_differs_in_its_last_bytes_only() {
    let next = |bytes: &[u8]| successor(&ConnectionId::new(bytes).unwrap()).as_slice().to_vec();
    assert_eq!(next(&[1, 2, 3, 4, 5]), [1, 2, 3, 4, 6]);
    assert_eq!(next(&[1, 2, 3, 255, 255]), [1, 2, 4, 0, 0]);
    assert_eq!(next(&[1, 2, 255, 255, 255]), [1, 2, 0, 0, 0]);
    assert_eq!(next(&[255, 255, 255, 255]), [255, 0, 0, 0]);
}

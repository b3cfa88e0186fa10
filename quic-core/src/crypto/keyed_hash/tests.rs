use std::collections::HashSet;

use super::*;

/// Stream IDs of one kind in steps, as a peer could choose to keep them open.
fn buckets_hit(hash: &KeyedNumberHash, step: u64) -> usize {
    let buckets: HashSet<u64> = (0..1024).map(|n| hash.hash_one(n * step) % 1024).collect();
    buckets.len()
}

#[test]
fn numbers_in_even_steps_spread_over_a_table_whatever_the_step() {
    for seed in 0..64 {
        let hash = KeyedNumberHash::from(KeyedHash::new(&mut SeededRandom::from_seed([seed; 32])));
        for shift in 0..48 {
            let hit = buckets_hit(&hash, 4 << shift);
            // A random function hits 647 of 1,024 buckets on average.
            assert!(hit > 400, "seed {seed}, steps of 4 << {shift}: {hit} of 1024 buckets");
        }
    }
}

#[test]
fn which_numbers_share_a_bucket_depends_on_the_secret() {
    let of = |seed: u8| {
        let hash = KeyedHash::new(&mut SeededRandom::from_seed([seed; 32]));
        let hash = KeyedNumberHash::from(hash);
        (0..1024_u64).filter(|n| hash.hash_one(n * 4) % 64 == 0).collect::<HashSet<_>>()
    };
    let common = of(1).intersection(&of(2)).count();
    assert!(common < of(1).len() / 2, "{common} of {} are the same", of(1).len());
}

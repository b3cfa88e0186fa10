#![expect(clippy::cast_possible_truncation, clippy::excessive_nesting, reason = "test code")]

use proptest::prelude::*;

use super::*;

fn pattern(offset: u64, length: usize) -> Vec<u8> {
    (offset..offset + length as u64).map(|at| (at % 251) as u8).collect()
}

fn insert(reassembler: &mut Reassembler, offset: u64, length: usize) {
    reassembler
        .insert(offset, &pattern(offset, length), MAX_BLOCK, &mut BlockPool::default())
        .unwrap();
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64, usize),
    Read(usize),
    Chunk(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u64..20_000, 0usize..1500).prop_map(|(offset, length)| Step::Insert(offset, length)),
        2 => (0u64..20_000, 0usize..9).prop_map(|(offset, length)| Step::Insert(offset, length)),
        1 => (0usize..4000).prop_map(Step::Read),
        1 => (0usize..4000).prop_map(Step::Chunk),
    ]
}

proptest! {
    #[test]
    fn what_is_read_is_what_was_sent(
        steps in prop::collection::vec(step(), 1..if cfg!(miri) { 15 } else { 150 }),
        relative in any::<bool>(),
        max_block in 1usize..70_000,
    ) {
        let mut reassembler = Reassembler::default();
        let mut pool = BlockPool::default();
        let mut received = vec![false; 200_000];
        let mut read = 0u64;
        let mut kept = Vec::new();
        for step in steps {
            match step {
                Step::Insert(offset, length) => {
                    let offset = if relative { read + offset / 10 } else { offset };
                    reassembler.insert(offset, &pattern(offset, length), max_block, &mut pool).unwrap();
                    received[offset as usize..offset as usize + length].fill(true);
                }
                Step::Read(max) => {
                    let mut out = vec![0; max];
                    let length = reassembler.read(&mut out, &mut pool);
                    prop_assert_eq!(&out[..length], &pattern(read, length)[..]);
                    let ready = received[read as usize..].iter().take_while(|byte| **byte).count();
                    prop_assert_eq!(length, ready.min(max));
                    read += length as u64;
                }
                Step::Chunk(max) => {
                    if let Some(chunk) = reassembler.read_chunk(max, &mut pool) {
                        prop_assert!(chunk.len() <= max);
                        kept.push((read, chunk.clone()));
                        read += chunk.len() as u64;
                    }
                }
            }
            let blocks = reassembler.first.iter().chain(&reassembler.blocks);
            let held: usize = blocks.map(|block| block.allocated as usize).sum();
            prop_assert_eq!(reassembler.held, held);
            let ready = received[read as usize..].iter().take_while(|byte| **byte).count() as u64;
            prop_assert_eq!(reassembler.read_offset(), read);
            prop_assert_eq!(reassembler.ready_offset(), read + ready);
        }
        for (offset, chunk) in kept {
            prop_assert_eq!(&chunk[..], &pattern(offset, chunk.len())[..]);
        }
    }

    #[test]
    fn heap_is_bounded_by_the_window_for_any_pattern(
        offsets in prop::collection::vec(0u64..65_536, 1..if cfg!(miri) { 50 } else { 900 }),
        order in 0u8..3,
        max_block in prop_oneof![Just(2048usize), Just(MAX_BLOCK)],
    ) {
        let mut offsets = offsets;
        match order {
            0 => offsets.sort_unstable(),
            1 => offsets.sort_unstable_by(|a, b| b.cmp(a)),
            _ => {}
        }
        let mut reassembler = Reassembler::default();
        let mut pool = BlockPool::default();
        for offset in offsets {
            reassembler.insert(offset, &[1], max_block, &mut pool).unwrap();
            prop_assert!(reassembler.allocated_bytes() <= 2 * 65_536 + 65_536);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn a_byte_at_every_second_offset_costs_no_more_than_the_window() {
    for stride in [2u64, 3, 64, 127, 2049] {
        for backwards in [false, true] {
            let mut reassembler = Reassembler::default();
            let mut pool = BlockPool::default();
            let window = 1024 * stride;
            for index in 0..1024 {
                let index = if backwards { 1023 - index } else { index };
                reassembler.insert(1 + index * stride, &[1], MAX_BLOCK, &mut pool).unwrap();
                let heap = reassembler.allocated_bytes() as u64;
                assert!(heap <= 2 * window + (64 << 10), "{heap} bytes, stride {stride}");
            }
        }
    }
}

#[test]
fn more_than_1024_gaps_are_refused() {
    let mut reassembler = Reassembler::default();
    let mut pool = BlockPool::default();
    for index in 0..1024 {
        assert_eq!(reassembler.insert(1 + 2 * index, &[1], MAX_BLOCK, &mut pool), Ok(()));
    }
    assert_eq!(reassembler.insert(1 + 2 * 1024, &[1], MAX_BLOCK, &mut pool), Err(TooManyGaps));
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn where_much_is_on_its_way_half_of_all_full_packets_may_be_missing() {
    let mut random = crate::crypto::SeededRandom::from_seed([1; 32]);
    let mut reassembler = Reassembler::default();
    let mut pool = BlockPool::default();
    let mut gaps = 0;
    for index in 1..20_000 {
        if random.array::<1>()[0] & 1 == 0 {
            reassembler.insert(index * 1200, &[1; 1200], MAX_BLOCK, &mut pool).unwrap();
        }
        gaps = gaps.max(reassembler.gaps());
        let memory = reassembler.early.as_ref().map_or(0, |early| early.len() as u64 * 16);
        assert!(memory <= (16 << 10) + index * 1200 / 256);
    }
    assert!(gaps > 4500, "{gaps}");
    // However much was granted, there is an end.
    let stride = 2 * BYTES_PER_GAP;
    let mut reassembler = Reassembler::default();
    let refused = (0..40_000)
        .position(|index| reassembler.insert(1 + index * stride, &[1], 32, &mut pool).is_err());
    assert_eq!(refused, Some(MOST_GAPS));
}

#[test]
fn an_empty_reassembler_owns_no_heap_and_a_short_request_little() {
    let mut reassembler = Reassembler::default();
    assert_eq!(reassembler.allocated_bytes(), 0);
    insert(&mut reassembler, 0, 100);
    assert!(reassembler.allocated_bytes() <= 128);
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn bulk_data_goes_into_few_large_blocks() {
    let mut reassembler = Reassembler::default();
    for index in 0..700 {
        insert(&mut reassembler, index * 1400, 1400);
    }
    assert!(reassembler.blocks.len() < 22, "{} blocks", reassembler.blocks.len());
    assert!(reassembler.blocks.back().unwrap().allocated as usize == MAX_BLOCK);
}

#[test]
fn a_small_block_is_filled_again_and_again() {
    let mut reassembler = Reassembler::default();
    let mut pool = BlockPool::default();
    let mut out = [0; 200];
    insert(&mut reassembler, 0, 100);
    reassembler.read(&mut out, &mut pool);
    let block = reassembler.first.as_ref().map(|block| block.allocated);
    for index in 1..50 {
        insert(&mut reassembler, index * 100, 100);
        assert_eq!(reassembler.read(&mut out, &mut pool), 100);
        assert_eq!(&out[..100], &pattern(index * 100, 100)[..]);
        assert!(reassembler.blocks.is_empty());
    }
    assert!(block.is_some());
    assert!(reassembler.allocated_bytes() <= MAX_KEPT_BLOCK);
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn a_large_block_is_not_kept_when_everything_was_read() {
    let mut reassembler = Reassembler::default();
    let mut pool = BlockPool::default();
    for index in 0..700 {
        insert(&mut reassembler, index * 1400, 1400);
    }
    while reassembler.read_chunk(usize::MAX, &mut pool).is_some() {}
    assert!(reassembler.allocated_bytes() <= MAX_KEPT_BLOCK);
}

#[test]
fn gaps_that_were_filled_leave_no_memory() {
    let mut reassembler = Reassembler::default();
    let mut pool = BlockPool::default();
    let gaps = if cfg!(miri) { 100 } else { 1024 };
    for index in 0..gaps {
        reassembler.insert(1 + 2 * index, &[1], MAX_BLOCK, &mut pool).unwrap();
    }
    let blocks = reassembler.held;
    for index in 1..gaps {
        reassembler.insert(2 * index, &[1], MAX_BLOCK, &mut pool).unwrap();
    }
    assert_eq!(reassembler.gaps(), 1);
    let gaps = reassembler.allocated_bytes() - blocks;
    assert!(gaps < 1000, "{gaps} bytes for one gap");
}

#[test]
fn a_long_list_of_blocks_becomes_short_as_they_are_read() {
    let mut reassembler = Reassembler::default();
    let mut pool = BlockPool::default();
    let data = vec![7; 1000];
    let blocks = if cfg!(miri) { 200 } else { 1000 };
    for index in 0..blocks {
        reassembler.insert(1000 * index, &data, 1000, &mut pool).unwrap();
    }
    // The last byte is missing, so that the stream is never read to its end.
    reassembler.insert(1000 * blocks + 1, &[7], 1000, &mut pool).unwrap();
    while reassembler.read_chunk(usize::MAX, &mut pool).is_some() {}
    let heap = reassembler.allocated_bytes();
    assert!(heap < 10_000, "{heap} bytes for one that was not read");
}

#[test]
fn blocks_are_never_larger_than_is_said_however_much_data_comes_at_a_time() {
    let mut reassembler = Reassembler::default();
    let data = vec![7; 60_000];
    reassembler.insert(0, &data, 2048, &mut BlockPool::default()).unwrap();
    let blocks = reassembler.first.iter().chain(&reassembler.blocks);
    assert!(blocks.into_iter().all(|block| block.allocated <= 2048));
    assert_eq!(reassembler.ready_offset(), 60_000);
}

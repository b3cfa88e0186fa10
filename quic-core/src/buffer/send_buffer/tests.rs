#![expect(clippy::cast_possible_truncation, reason = "test code")]

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    WriteChunk(usize),
    Send(usize),
    Ack(usize),
    Lose(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0usize..300).prop_map(Step::Write),
        (0usize..3000).prop_map(Step::WriteChunk),
        (1usize..1500).prop_map(Step::Send),
        any::<usize>().prop_map(Step::Ack),
        any::<usize>().prop_map(Step::Lose),
    ]
}

fn byte(offset: u64) -> u8 {
    (offset % 251) as u8
}

fn pattern(range: Range<u64>) -> Vec<u8> {
    range.map(byte).collect()
}

proptest! {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
    //= type=test
    //# A sender SHOULD avoid retransmitting information from packets once
    //# they are acknowledged.
    #[test]
    fn every_byte_is_acknowledged_once_and_never_sent_again_after_that(
        steps in prop::collection::vec(step(), 1..if cfg!(miri) { 20 } else { 200 }),
    ) {
        let mut buffer = SendBuffer::default();
    let mut pool = BlockPool::default();
        let mut acked = Vec::<bool>::new();
        let mut in_flight = Vec::<Range<u64>>::new();
        let mut freed = 0;
        let send = |buffer: &mut SendBuffer, acked: &[bool], max| {
            let range = buffer.poll_transmit(max)?;
            assert!(range.end - range.start <= max as u64);
            assert!(range.clone().all(|at| !acked[at as usize]), "{range:?} was acknowledged");
            let mut out = vec![0; (range.end - range.start) as usize];
            assert!(buffer.copy_to(range.start, &mut out));
            assert_eq!(out, pattern(range.clone()));
            Some(range)
        };
        for step in steps {
            match step {
                Step::Write(length) => {
                    let end = buffer.end();
                    buffer.write(&pattern(end..end + length as u64), &mut pool);
                    acked.resize(acked.len() + length, false);
                }
                Step::WriteChunk(length) => {
                    let end = buffer.end();
                    buffer.write_chunk(pattern(end..end + length as u64).into());
                    acked.resize(acked.len() + length, false);
                }
                Step::Send(max) => in_flight.extend(send(&mut buffer, &acked, max)),
                Step::Ack(which) if !in_flight.is_empty() => {
                    let range = in_flight.swap_remove(which % in_flight.len());
                    acked[range.start as usize..range.end as usize].fill(true);
                    freed += buffer.on_acked(range, &mut pool);
                }
                Step::Lose(which) if !in_flight.is_empty() => {
                    // Lost ranges can be acknowledged later all the same: keep them in flight.
                    buffer.on_lost(in_flight[which % in_flight.len()].clone());
                }
                Step::Ack(_) | Step::Lose(_) => {}
            }
            let front = acked.iter().position(|acked| !acked).unwrap_or(acked.len());
            prop_assert_eq!(freed, front as u64);
            prop_assert_eq!(buffer.unacked_bytes(), (acked.len() - front) as u64);
            // What was the tail when all of it was sent is passed over later.
            let sent = buffer.chunks.iter().filter(|chunk| chunk.end() <= buffer.sent()).count();
            prop_assert!(buffer.next == sent || buffer.next + 1 == sent);
        }
        while let Some(range) = send(&mut buffer, &acked, 1200) {
            in_flight.push(range);
        }
        for range in in_flight {
            buffer.on_acked(range, &mut pool);
        }
        prop_assert!(buffer.is_fully_acked() && !buffer.has_pending());
        prop_assert_eq!(buffer.allocated_bytes(), 0);
    }
}

#[test]
fn an_empty_buffer_owns_no_heap() {
    assert_eq!(SendBuffer::default().allocated_bytes(), 0);
}

#[test]
fn small_writes_share_blocks() {
    let mut buffer = SendBuffer::default();
    let mut pool = BlockPool::default();
    for _ in 0..1000 {
        buffer.write(&[7; 10], &mut pool);
    }
    assert!(buffer.chunks.len() < 12, "{} chunks", buffer.chunks.len());
    assert!(buffer.allocated_bytes() < 40_000);
}

#[test]
fn what_a_reset_did_not_send_was_never_written() {
    let mut buffer = SendBuffer::default();
    let mut pool = BlockPool::default();
    buffer.write(&[1; 100], &mut pool);
    assert_eq!(buffer.poll_transmit(30), Some(0..30));
    buffer.clear();
    assert_eq!((buffer.end(), buffer.unacked_bytes(), buffer.allocated_bytes()), (30, 0, 0));
    buffer.on_lost(0..30);
    assert!(!buffer.has_pending());
    assert_eq!(buffer.on_acked(0..30, &mut pool), 0);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
//= type=test
//# Endpoints SHOULD prioritize retransmission of data over sending new
//# data, unless priorities specified by the application indicate
//# otherwise; see Section 2.3.
#[test]
fn lost_data_goes_before_new_data() {
    let mut buffer = SendBuffer::default();
    let mut pool = BlockPool::default();
    buffer.write(&[1; 100], &mut pool);
    assert_eq!(buffer.poll_transmit(50), Some(0..50));
    buffer.on_lost(10..20);
    assert_eq!(buffer.poll_transmit(100), Some(10..20));
    assert_eq!(buffer.poll_transmit(100), Some(50..100));
}

#[test]
fn a_peer_that_acknowledges_crumbs_has_few_of_them_remembered_and_gets_the_rest_again() {
    let mut pool = BlockPool::default();
    let mut buffer = SendBuffer::default();
    let length = if cfg!(miri) { 300 } else { 10_000_u32 };
    let data: Vec<u8> = (0..length).map(|byte| byte.to_le_bytes()[0]).collect();
    buffer.write(&data, &mut pool);
    while buffer.poll_transmit(1).is_some() {}
    let mut seen = vec![false; data.len()];
    for byte in (1..length.into()).step_by(2) {
        buffer.on_acked(byte..byte + 1, &mut pool);
        let disorder = buffer.disorder.as_ref().unwrap();
        assert!(disorder.acked.len() <= MAX_ACKED_RANGES);
        // What came last is never forgotten.
        assert_eq!(disorder.acked.last_end(), byte + 1);
    }
    for byte in (0..length.into()).step_by(2) {
        buffer.on_lost(byte..byte + 1);
    }
    while let Some(range) = buffer.poll_transmit(7) {
        let mut out = vec![0; usize::try_from(range.end - range.start).unwrap()];
        assert!(buffer.copy_to(range.start, &mut out));
        let (start, end) = (range.start as usize, range.end as usize);
        assert_eq!(out, data[start..end]);
        seen[start..end].fill(true);
        buffer.on_acked(range, &mut pool);
    }
    assert!(buffer.is_fully_acked());
    assert!((0..data.len()).step_by(2).all(|byte| seen[byte]));
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn long_chunks_are_kept_as_they_are_and_crumbs_of_them_are_copied() {
    let mut pool = BlockPool::default();
    let chunk = Bytes::from(vec![7; 100_000]);
    let mut buffer = SendBuffer::default();
    buffer.take_from(&mut chunk.clone(), usize::MAX, &mut pool);
    assert_eq!(buffer.allocated_bytes(), 100_000);
    let (mut buffer, mut rest) = (SendBuffer::default(), chunk);
    for _ in 0..50_000 {
        buffer.take_from(&mut rest, 1, &mut pool);
    }
    let chunks = buffer.chunks.len();
    assert!(chunks < 20, "{chunks} chunks for 50,000 bytes");
    assert!(buffer.allocated_bytes() <= 2 * 50_000);
}

#[test]
fn a_few_bytes_that_are_given_away_go_where_there_is_room_for_them() {
    let mut pool = BlockPool::default();
    let mut buffer = SendBuffer::default();
    buffer.write(&[1; 8], &mut pool);
    for (length, chunks) in [(120, 0), (128, 0), (1, 1)] {
        let mut chunk = Bytes::from(vec![2; length]);
        buffer.take_from(&mut chunk, length, &mut pool);
        assert_eq!(buffer.chunks.len(), chunks, "{length} more bytes");
    }
    let mut out = [0; 257];
    assert!(buffer.copy_to(0, &mut out));
    assert_eq!((&out[..8], &out[8..]), (&[1; 8][..], &[2; 249][..]));
}

/// A buffer with so many bytes, all of them sent.
fn sent(length: usize) -> (SendBuffer, BlockPool) {
    let (mut buffer, mut pool) = (SendBuffer::default(), BlockPool::default());
    buffer.write(&pattern(0..length as u64), &mut pool);
    assert_eq!(buffer.poll_transmit(length), Some(0..length as u64));
    (buffer, pool)
}

#[test]
fn what_was_lost_is_sent_again_and_nothing_beside_it() {
    let (mut buffer, mut pool) = sent(100);
    for arrived in [10..20, 40..45, 70..80] {
        buffer.on_acked(arrived, &mut pool);
    }
    buffer.on_lost(30..60);
    assert_eq!(buffer.poll_transmit(100), Some(30..40));
    assert_eq!(buffer.poll_transmit(100), Some(45..60));
    assert_eq!(buffer.poll_transmit(100), None);
}

#[test]
fn more_than_was_sent_is_not_acknowledged() {
    let mut buffer = SendBuffer::default();
    let mut pool = BlockPool::default();
    buffer.write(&[1; 100], &mut pool);
    assert_eq!(buffer.poll_transmit(30), Some(0..30));
    assert_eq!(buffer.on_acked(0..100, &mut pool), 30);
    assert_eq!(buffer.poll_transmit(100), Some(30..100));
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn losses_that_were_made_good_leave_no_memory() {
    let crumbs = || (0..1000).map(|index| 2 * index + 1..2 * index + 2);
    let heap = |buffer: &SendBuffer| {
        let disorder = buffer.disorder.as_ref().unwrap();
        disorder.acked.heap_bytes() + disorder.retransmit.heap_bytes()
    };
    // Everything that was lost is sent again; or acknowledged late; or comes in between.
    for way in 0..3 {
        let (mut buffer, mut pool) = sent(2_100);
        buffer.on_acked(2_050..2_060, &mut pool);
        for crumb in crumbs() {
            if way == 2 {
                buffer.on_acked(crumb, &mut pool);
            } else {
                buffer.on_lost(crumb);
            }
        }
        assert!(heap(&buffer) >= 16_000);
        match way {
            0 => while buffer.poll_transmit(1).is_some() {},
            1 => {
                assert_eq!(crumbs().map(|crumb| buffer.on_acked(crumb, &mut pool)).sum::<u64>(), 0);
            }
            _ => assert_eq!(buffer.on_acked(1..2_000, &mut pool), 0),
        }
        // Late acknowledgments are remembered in place of the losses.
        let kept = if way == 1 { 1024 * 16 } else { 512 };
        assert!(heap(&buffer) <= kept + 512, "{} bytes, way {way}", heap(&buffer));
        buffer.on_acked(0..2_050, &mut pool);
        assert!(buffer.disorder.is_none() && buffer.unacked_bytes() == 40);
    }
}

#[test]
fn what_is_given_up_need_not_arrive_and_what_was_not_sent_of_it_never_leaves() {
    let mut buffer = SendBuffer::default();
    let mut pool = BlockPool::default();
    for start in [0, 2_000, 4_000] {
        buffer.write_chunk(pattern(start..start + 2_000).into());
    }
    assert_eq!(buffer.poll_transmit(4_000), Some(0..4_000));
    assert_eq!(buffer.give_up_from(100, &mut pool), 2_000);
    assert_eq!((buffer.end(), buffer.next, buffer.chunks.len()), (4_000, 1, 1));
    buffer.on_lost(0..4_000);
    assert_eq!(buffer.poll_transmit(4_000), Some(0..100));
    assert_eq!(buffer.on_acked(0..100, &mut pool), 4_000);
    assert!(buffer.is_fully_acked());
    assert_eq!(buffer.allocated_bytes(), 0);
}

#[test]
fn where_all_that_was_sent_arrived_giving_up_the_rest_ends_it() {
    let mut buffer = SendBuffer::default();
    let mut pool = BlockPool::default();
    buffer.write(&[1; 100], &mut pool);
    assert_eq!(buffer.poll_transmit(30), Some(0..30));
    buffer.on_acked(0..30, &mut pool);
    assert_eq!(buffer.give_up_from(10, &mut pool), 70);
    assert_eq!((buffer.is_fully_acked(), buffer.allocated_bytes()), (true, 0));
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn blocks_of_what_arrived_are_left_to_others() {
    let (mut buffer, mut pool) = sent(70_000);
    assert_eq!((buffer.chunks.len(), pool.len()), (1, 0));
    buffer.on_acked(0..MAX_BLOCK as u64, &mut pool);
    assert_eq!(pool.len(), 1);
    buffer.on_acked(MAX_BLOCK as u64..70_000, &mut pool);
    assert_eq!(pool.len(), 2);
}

#[test]
fn a_long_list_of_chunks_becomes_short_as_they_arrive() {
    let (mut buffer, mut pool) = (SendBuffer::default(), BlockPool::default());
    for _ in 0..1000 {
        buffer.write_chunk(Bytes::from_static(&[1; 8]));
    }
    buffer.poll_transmit(8_000);
    buffer.on_acked(0..7_990, &mut pool);
    assert!(buffer.chunks.capacity() <= KEPT_ENTRIES * MAX_SPARE_ENTRIES);
}

//! The buffers of streams, against what they stand for.

use std::ops::Range;

use crate::buffer::{BlockPool, Reassembler, SendBuffer};

/// The byte of a stream at `offset`.
fn byte(offset: u64) -> u8 {
    u8::try_from(offset % 251).unwrap_or_default()
}

fn bytes(range: Range<u64>) -> Vec<u8> {
    range.map(byte).collect()
}

fn length(range: &Range<u64>) -> usize {
    usize::try_from(range.end - range.start).unwrap_or(usize::MAX)
}

/// A flag for each byte of a stream.
#[derive(Default)]
struct Flags {
    set: Vec<bool>,
    front: usize,
}

impl Flags {
    fn set(&mut self, range: Range<u64>) {
        let range = as_index(range.start)..as_index(range.end);
        self.set.resize(self.set.len().max(range.end), false);
        self.set.get_mut(range).unwrap_or_default().fill(true);
    }

    /// Whether a byte of `range` is set.
    fn any(&self, range: Range<u64>) -> bool {
        range.into_iter().any(|at| self.set.get(as_index(at)) == Some(&true))
    }

    /// The first that is not set.
    fn front(&mut self) -> u64 {
        while self.set.get(self.front) == Some(&true) {
            self.front += 1;
        }
        self.front as u64
    }
}

/// Test inputs are far below any limit.
fn as_index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

fn are_unchanged(chunks: &[(u64, bytes::Bytes)]) {
    for (start, chunk) in chunks {
        let range = *start..start + chunk.len() as u64;
        assert_eq!(chunk[..], bytes(range)[..], "chunks stay as they were read");
    }
}

/// Inserts and reads, each given by four bytes: what to do, where (two bytes), how much.
///
/// # Panics
/// If what is read is not what was inserted, in order.
pub fn reassembler(operations: &[u8]) {
    let mut data = Reassembler::default();
    let mut pool = BlockPool::default();
    let mut received = Flags::default();
    let mut kept: Vec<(u64, bytes::Bytes)> = Vec::new();
    let (operations, _) = operations.as_chunks::<4>();
    for [operation, high, low, amount] in operations {
        let read = data.read_offset();
        let amount = u64::from(*amount) * if operation & 4 == 0 { 1 } else { 64 };
        let start = u64::from(u16::from_be_bytes([*high, *low]));
        match operation % 4 {
            kind @ 0..2 => {
                let start = if kind == 0 { start } else { read + start % 2048 };
                let range = start..start + amount;
                let max_block = if operation & 8 == 0 { 64 << 10 } else { 2 << 10 };
                let inserted = data.insert(start, &bytes(range.clone()), max_block, &mut pool);
                assert!(inserted.is_ok(), "the input is too short for so many gaps");
                received.set(range);
            }
            2 => {
                let mut out = vec![0; length(&(0..amount))];
                let taken = data.read(&mut out, &mut pool);
                out.truncate(taken);
                assert_eq!(out, bytes(read..read + taken as u64), "what was inserted");
            }
            _ => {
                if let Some(chunk) = data.read_chunk(length(&(0..amount)), &mut pool) {
                    kept.push((read, chunk));
                }
                if operation & 16 != 0 {
                    are_unchanged(&kept);
                    kept.clear();
                }
            }
        }
        assert_eq!(data.ready_offset(), received.front(), "all that is in order");
        assert!(data.allocated_bytes() <= 3 << 17, "memory follows the window");
    }
    are_unchanged(&kept);
}

/// Writes, sends, acknowledges and loses, each given by two bytes: what to do, and how much or
/// which.
///
/// # Panics
/// If something is sent that was not written, or was acknowledged before, or the buffer does not
/// know how much it has to keep.
pub fn send_buffer(operations: &[u8]) {
    let mut buffer = SendBuffer::default();
    let mut pool = BlockPool::default();
    let mut acked = Flags::default();
    let mut sent: Vec<Range<u64>> = Vec::new();
    let (operations, _) = operations.as_chunks::<2>();
    for [operation, amount] in operations {
        let amount = usize::from(*amount);
        let end = buffer.end();
        match operation % 5 {
            kind @ 0..2 => {
                let data = bytes(end..end + 8 * amount as u64);
                if kind == 0 {
                    buffer.write(&data, &mut pool);
                } else {
                    buffer.write_chunk(data.into());
                }
            }
            2 => sent.extend(send(&mut buffer, &acked, 8 * amount)),
            3 if !sent.is_empty() => {
                let range = sent.swap_remove(amount % sent.len());
                acked.set(range.clone());
                buffer.on_acked(range, &mut pool);
            }
            _ => {
                if let Some(range) = sent.get(amount % sent.len().max(1)) {
                    buffer.on_lost(range.clone());
                }
            }
        }
        let kept = buffer.end() - acked.front();
        assert_eq!(buffer.unacked_bytes(), kept, "kept as long as needed");
    }
}

fn send(buffer: &mut SendBuffer, acked: &Flags, max: usize) -> Option<Range<u64>> {
    let range = buffer.poll_transmit(max)?;
    assert!(length(&range) <= max, "no more than asked for");
    let mut out = vec![0; length(&range)];
    assert!(buffer.copy_to(range.start, &mut out), "all of it is there");
    assert_eq!(out, bytes(range.clone()), "what was written");
    assert!(!acked.any(range.clone()), "acknowledged data is not sent again");
    Some(range)
}

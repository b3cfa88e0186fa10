//! What property tests of the wire format draw from.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};

use super::{ConnectionId, RangeSet};

/// Any integer below 2^62, each length as likely as another.
pub(super) fn integer() -> impl Strategy<Value = u64> {
    (any::<u64>(), 2_u32..64).prop_map(|(value, shift)| value >> shift)
}

pub(super) fn connection_id() -> impl Strategy<Value = ConnectionId> {
    vec(any::<u8>(), 0..=20).prop_map(|bytes| ConnectionId::new(&bytes).unwrap())
}

/// A set of packet numbers with 1 to 80 ranges, which is more than a count of one byte holds.
pub(super) fn packet_numbers() -> impl Strategy<Value = RangeSet> {
    let gaps_and_lengths = vec((1_u64..5000, 1_u64..5000), 1..80);
    (integer(), gaps_and_lengths).prop_map(|(first, ranges)| {
        let mut set = RangeSet::default();
        let mut next = first / 2;
        for (gap, length) in ranges {
            next += gap;
            set.insert(next..next + length);
            next += length;
        }
        set
    })
}

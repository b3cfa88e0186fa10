use proptest::prelude::{Just, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{PacketNumberLength, expand_packet_number};
use crate::wire::strategies::integer;

fn length(bytes: u8) -> PacketNumberLength {
    PacketNumberLength::from_first_byte(bytes - 1)
}

fn truncate(number: u64, length: PacketNumberLength) -> u32 {
    let mask = (1_u64 << (8 * length.bytes())) - 1;
    u32::try_from(number & mask).unwrap()
}

#[test]
fn lengths_are_those_of_appendix_a_2() {
    let acked = Some(0xab_e8b3);
    assert_eq!(PacketNumberLength::for_number(0xac_5c02, acked).bytes(), 2);
    assert_eq!(PacketNumberLength::for_number(0xac_e8fe, acked).bytes(), 3);
}

#[test]
fn numbers_are_expanded_as_in_appendix_a_3() {
    assert_eq!(expand_packet_number(Some(0xa82f_30ea), 0x9b32, length(2)), 0xa82f_9b32);
}

#[test]
fn the_first_numbers_are_not_truncated() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.1
    //= type=test
    //# Prior to receiving an acknowledgment for a packet number space, the full packet number
    //# MUST be included; it is not to be truncated, as described below.
    assert_eq!(PacketNumberLength::for_number(0, None).bytes(), 1);
    for (number, bytes) in [(0x7e, 1), (0x7f, 2), (0x7ffe, 2), (0x7fff, 3), (0x7f_ffff, 4)] {
        assert_eq!(PacketNumberLength::for_number(number, None).bytes(), bytes, "{number:x}");
        let truncated = u32::try_from(number).unwrap();
        assert_eq!(expand_packet_number(None, truncated, length(4)), number);
    }
    assert_eq!(expand_packet_number(None, 0, length(1)), 0);
}

#[test]
fn the_window_is_half_below_and_half_above_the_number_expected() {
    for bytes in 1..=4_u8 {
        let half = 1_u64 << (8 * bytes - 1);
        let length = length(bytes);
        for largest in [half + 5, 10 * half, (1 << 40) - 1, 1 << 61] {
            let expected = largest + 1;
            for number in [expected - half + 1, expected - 1, expected, expected + half] {
                let expanded =
                    expand_packet_number(Some(largest), truncate(number, length), length);
                assert_eq!(expanded, number, "{bytes} bytes after {largest}");
            }
        }
    }
}

#[test]
fn a_length_covers_twice_what_is_outstanding() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.1
    //= type=test
    //# After an acknowledgment is received for a packet number space, the sender MUST use a
    //# packet number size able to represent more than twice as large a range as the difference
    //# between the largest acknowledged packet number and the packet number being sent.
    for (outstanding, bytes) in
        [(0x7f, 1), (0x80, 2), (0x7fff, 2), (0x8000, 3), (0x7f_ffff, 3), (0x80_0000, 4)]
    {
        assert_eq!(PacketNumberLength::for_number(outstanding + 9, Some(9)).bytes(), bytes);
        assert_eq!(PacketNumberLength::for_number(outstanding - 1, None).bytes(), bytes);
    }
}

#[test]
fn no_expanded_number_is_beyond_the_largest() {
    let largest = (1 << 62) - 1;
    for truncated in [0, 1, 0x7f, 0x80, 0xff] {
        assert!(expand_packet_number(Some(largest), truncated, length(1)) <= largest);
    }
}

proptest! {
    #[test]
    fn any_number_within_the_window_is_recovered(
        largest in integer(),
        bytes in 1_u8..=4,
        place in any::<u32>(),
    ) {
        let window = 1_i128 << (8 * bytes);
        let expected = i128::from(largest) + 1;
        // RFC 9000 Appendix A.3: above expected - half, up to expected + half.
        let number = expected - window / 2 + 1 + i128::from(place) % window;
        let number = u64::try_from(number).unwrap_or(0);
        let reachable = i128::from(number) > expected - window / 2;
        if reachable && number < 1 << 62 {
            let truncated = truncate(number, length(bytes));
            prop_assert_eq!(expand_packet_number(Some(largest), truncated, length(bytes)), number);
        }
    }

    #[test]
    fn the_chosen_length_is_enough_for_a_peer_that_received_anything_since(
        acked in integer(),
        (ahead, shift) in (1_u64..(1 << 31), 0_u32..31),
        received in prop_oneof![Just(0), any::<u32>(), Just(u32::MAX)],
    ) {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.1
        //= type=test
        //# An endpoint SHOULD use a large enough packet number encoding to allow the packet
        //# number to be recovered even if the packet arrives after packets that are sent
        //# afterwards.
        let ahead = u64::max(ahead >> shift, 1);
        let number = acked + ahead;
        let largest_received = acked + u64::from(received).min(ahead - 1);
        let length = PacketNumberLength::for_number(number, Some(acked));
        let truncated = truncate(number, length);
        if number < 1 << 62 {
            prop_assert_eq!(expand_packet_number(Some(largest_received), truncated, length), number);
        }
    }

    #[test]
    fn expansion_keeps_the_low_bytes(
        largest in any::<Option<u64>>(),
        truncated in any::<u32>(),
        bytes in 1_u8..=4,
    ) {
        let number = expand_packet_number(largest, truncated, length(bytes));
        prop_assert!(number < 1 << 62);
        prop_assert_eq!(truncate(number, length(bytes)), truncate(truncated.into(), length(bytes)));
    }
}

use super::{VarInt, VarIntBoundsExceeded, varint_length};

#[test]
fn integers_from_2_to_the_62_up_are_refused() {
    let limit = 1_u64 << 62;
    assert_eq!(VarInt::from_u64(limit - 1), Ok(VarInt::MAX));
    assert_eq!(VarInt::from_u64(limit), Err(VarIntBoundsExceeded));
    assert_eq!(VarInt::saturating(u64::MAX), VarInt::MAX);
}

#[test]
fn lengths_change_at_6_14_and_30_bits() {
    let cases = [
        (0, 1),
        (63, 1),
        (64, 2),
        (16_383, 2),
        (16_384, 4),
        ((1 << 30) - 1, 4),
        (1 << 30, 8),
        ((1 << 62) - 1, 8),
    ];
    for (value, length) in cases {
        assert_eq!(varint_length(value), length, "{value}");
    }
}

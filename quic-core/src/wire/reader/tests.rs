use proptest::prelude::{any, prop_assert_eq, proptest};

use super::super::{Writer, varint_length};
use super::{Reader, Truncated};

#[test]
fn integers_are_read_as_in_appendix_a_1() {
    let vectors: [(&[u8], u64); 5] = [
        (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c], 151_288_809_941_952_652),
        (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
        (&[0x7b, 0xbd], 15_293),
        (&[0x25], 37),
        (&[0x40, 0x25], 37),
    ];
    for (bytes, value) in vectors {
        let mut reader = Reader::new(bytes);
        assert_eq!(reader.varint(), Ok(value));
        assert!(reader.is_empty(), "{bytes:x?} is read whole");
    }
}

#[test]
fn a_failed_read_takes_nothing() {
    let mut reader = Reader::new(&[0xc0, 0, 0]);
    assert_eq!(reader.varint(), Err(Truncated));
    assert_eq!(reader.u32(), Err(Truncated));
    assert_eq!(reader.bytes(4), Err(Truncated));
    assert_eq!(reader.array::<4>(), Err(Truncated));
    assert_eq!(reader.rest(), [0xc0, 0, 0]);
}

#[test]
fn a_claimed_length_beyond_the_end_is_truncated() {
    let mut reader = Reader::new(&[0xff; 8]);
    assert_eq!(reader.prefixed_bytes(), Err(Truncated));
    assert_eq!(Reader::new(&[5, 1, 2, 3, 4]).prefixed_bytes(), Err(Truncated));
}

proptest! {
    #[test]
    fn integers_survive_their_shortest_encoding(value in super::super::strategies::integer()) {
        let mut memory = [0; 8];
        let mut writer = Writer::new(&mut memory);
        writer.varint(value).unwrap();
        prop_assert_eq!(writer.length(), varint_length(value));
        let mut reader = Reader::new(writer.written());
        prop_assert_eq!(reader.varint(), Ok(value));
        prop_assert_eq!(reader.remaining(), 0);
    }

    #[test]
    fn integers_cut_off_anywhere_are_truncated(value in super::super::strategies::integer()) {
        let mut memory = [0; 8];
        let mut writer = Writer::new(&mut memory);
        writer.varint(value).unwrap();
        for end in 0..writer.length() {
            prop_assert_eq!(Reader::new(&writer.written()[..end]).varint(), Err(Truncated));
        }
    }

    #[test]
    fn what_does_not_fit_is_not_written(room in 0_usize..12, bytes in any::<[u8; 6]>()) {
        let mut memory = [0xee; 12];
        let mut writer = Writer::new(&mut memory[..room]);
        let written = writer.prefixed_bytes(&bytes);
        prop_assert_eq!(written.is_ok(), room >= 7);
        prop_assert_eq!(writer.length(), if room >= 7 { 7 } else { 0 });
    }
}

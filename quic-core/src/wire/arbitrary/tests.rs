use arbitrary::{Arbitrary, Unstructured};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::wire::frame::{Frame, Frames};
use crate::wire::header::{
    Header, LongHeaderParts, ShortHeaderParts, parse, write_long_header, write_short_header,
};
use crate::wire::transport_parameters::{TransportParameters, decode, encode};
use crate::wire::{PacketNumberLength, Side, Writer};

fn from<'a, T: Arbitrary<'a>>(bytes: &'a [u8]) -> Option<T> {
    T::arbitrary(&mut Unstructured::new(bytes)).ok()
}

proptest! {
    #[test]
    fn any_frame_is_read_as_it_was_written(bytes in vec(any::<u8>(), 0..200)) {
        let Some(frame) = from::<Frame<'_>>(&bytes) else { return Ok(()) };
        let mut memory = [0; 600];
        let mut writer = Writer::new(&mut memory);
        prop_assert_eq!(frame.encode(&mut writer), Ok(()));
        let again: Vec<_> = Frames::new(writer.written()).collect();
        prop_assert_eq!(again, [Ok(frame)]);
    }

    #[test]
    fn any_parameters_are_read_as_they_were_written(bytes in vec(any::<u8>(), 0..300)) {
        let Some(server) = from::<TransportParameters>(&bytes) else { return Ok(()) };
        let client = server.clone().without_those_of_servers();
        for (sender, parameters) in [(Side::Server, server), (Side::Client, client)] {
            let mut encoded = Vec::new();
            encode(&parameters, &mut encoded);
            prop_assert_eq!(decode(&encoded, sender), Ok(parameters));
        }
    }

    #[test]
    fn any_header_is_read_as_it_was_written(bytes in vec(any::<u8>(), 0..100)) {
        let length = PacketNumberLength::from_first_byte(3);
        let mut memory = [0; 300];
        if let Some(parts) = from::<LongHeaderParts<'_>>(&bytes) {
            let mut writer = Writer::new(&mut memory);
            prop_assert!(write_long_header(&mut writer, &parts, 7, length).is_ok());
            let Ok(Header::Long(header)) = parse(writer.written(), 0) else {
                return Err(TestCaseError::fail("it is a long header"));
            };
            prop_assert_eq!((header.ty, header.version), (parts.ty, parts.version));
            prop_assert_eq!((header.source_id, header.token), (parts.source_id, parts.token));
            prop_assert_eq!(header.destination_id, parts.destination_id);
        }
        if let Some(parts) = from::<ShortHeaderParts>(&bytes) {
            let mut writer = Writer::new(&mut memory);
            prop_assert!(write_short_header(&mut writer, &parts, 7, length).is_ok());
            let id_length = parts.destination_id.length();
            let Ok(Header::Short(header)) = parse(writer.written(), id_length) else {
                return Err(TestCaseError::fail("it is a short header"));
            };
            prop_assert_eq!(header.destination_id, parts.destination_id);
            prop_assert_eq!(header.spin, parts.spin);
        }
    }
}

/// All kinds of frames come out of some bytes.
#[test]
fn no_type_of_frame_is_left_out() {
    let mut seen = std::collections::BTreeSet::new();
    for first in 0..=u8::MAX {
        let bytes = [&[first], &[0x41; 40][..]].concat();
        seen.extend(from::<Frame<'_>>(&bytes).map(|frame| frame.frame_type().0));
    }
    assert!(seen.len() >= 24, "{seen:?}");
}

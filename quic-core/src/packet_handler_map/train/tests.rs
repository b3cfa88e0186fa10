use proptest::prelude::*;

use super::*;
use crate::net::SocketId;

const ID_LENGTH: usize = 4;

fn path() -> PathAddresses {
    let remote = ([192, 0, 2, 1], 4433).into();
    PathAddresses { socket: SocketId(0), local_ip: None, remote }
}

proptest! {
    #[test]
    fn a_train_is_split_only_where_the_destination_changes(
        ids in prop::collection::vec(0_u8..3, 1..12),
        step in 5_usize..40,
        last in 1_usize..40,
    ) {
        let last = last.min(step);
        let mut payload = Vec::new();
        for id in &ids {
            let mut segment = vec![0x40, *id, 0, 0, 0];
            segment.resize(step, *id);
            payload.extend_from_slice(&segment);
        }
        payload.truncate(payload.len() - step + last);
        let expected = payload.clone();
        let mut train = UdpDatagram::new(path(), &mut payload);
        train.segment_length = Some(step);
        let (mut rest, mut seen, mut before) = (Some(train), Vec::new(), None);
        while let Some(train) = rest.take() {
            let parts = split(train, ID_LENGTH).unwrap();
            prop_assert!(before != Some(parts.id), "two parts in a row have one destination");
            before = Some(parts.id);
            for segment in segments(&parts.first) {
                prop_assert!(segment.bytes.len() == step || seen.len() + last == expected.len());
                prop_assert_eq!(destination_id(segment.bytes, ID_LENGTH), parts.id);
                seen.extend_from_slice(segment.bytes);
            }
            rest = parts.rest;
        }
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn any_bytes_and_any_segment_length_come_to_an_end(
        mut payload in prop::collection::vec(any::<u8>(), 0..300),
        step in prop::option::of(0_usize..400),
    ) {
        let total = payload.len();
        let mut train = UdpDatagram::new(path(), &mut payload);
        train.segment_length = step;
        let (mut rest, mut seen) = (Some(train), 0);
        while let Some(parts) = rest.take().and_then(|train| split(train, ID_LENGTH)) {
            seen += parts.first.payload.len();
            prop_assert!(!parts.first.payload.is_empty());
            rest = parts.rest;
        }
        prop_assert_eq!(seen, total);
    }
}

use super::*;

fn open_with(client: &mut Streams, length: usize) -> StreamId {
    let id = client.open(UNI).unwrap();
    assert_eq!(client.send_stream(id).write(&vec![1; length]), Ok(length));
    id
}

fn stream_sends(packet: &Packet) -> Vec<(StreamId, usize)> {
    let stream = |frame| match frame {
        Frame::Stream(frame) => Some((frame.stream_id, frame.data.len())),
        _ => None,
    };
    frames(packet).into_iter().filter_map(stream).collect()
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-2.3
//= type=test
//# A QUIC implementation SHOULD provide ways in which an application can
//# indicate the relative priority of streams.
#[test]
fn higher_priorities_go_first() {
    let mut client = client();
    let low = open_with(&mut client, 2000);
    let high = open_with(&mut client, 2000);
    let middle = open_with(&mut client, 2000);
    client.send_stream(low).set_priority(-1);
    client.send_stream(high).set_priority(7);
    assert_eq!(client.send_stream(high).priority(), 7);
    let mut order: Vec<StreamId> = Vec::new();
    while let Some(packet) = packet(&mut client) {
        order.extend(stream_sends(&packet).into_iter().map(|(id, _)| id));
    }
    order.dedup();
    assert_eq!(order, [high, middle, low]);
}

#[test]
fn equals_take_turns_of_about_16_kib() {
    let mut client = client();
    let ids: Vec<StreamId> = (0..3).map(|_| open_with(&mut client, 100_000)).collect();
    let mut turns: Vec<(StreamId, usize)> = Vec::new();
    while let Some(packet) = packet(&mut client) {
        for (id, length) in stream_sends(&packet) {
            match turns.last_mut() {
                Some((last, sum)) if *last == id => *sum += length,
                _ => turns.push((id, length)),
            }
        }
    }
    for (index, (id, length)) in turns.iter().take(15).enumerate() {
        assert_eq!(*id, ids[index % 3]);
        assert!((16_384..16_384 + 1200).contains(length), "{length} bytes in a turn");
    }
}

#[test]
fn many_small_streams_share_a_packet() {
    let mut client = client();
    for _ in 0..10 {
        open_with(&mut client, 100);
    }
    let packet = packet(&mut client).unwrap();
    assert_eq!(stream_sends(&packet).len(), 10);
}

#[test]
fn a_frame_that_fills_its_packet_has_no_length() {
    let step = if cfg!(miri) { 30 } else { 1 };
    for size in (40..200).step_by(step) {
        for length in (1..220).step_by(step) {
            let mut client = client();
            let id = open_with(&mut client, length);
            client.send_stream(id).finish().unwrap();
            let mut sum = 0;
            while let Some(packet) = packet_of(&mut client, Instant::EPOCH, size) {
                let [Frame::Stream(frame)] = frames(&packet)[..] else { panic!("one frame") };
                sum += frame.data.len();
                let has_length = packet.payload[0] & 2 != 0;
                assert!(has_length || packet.payload.len() == size);
            }
            assert_eq!(sum, length);
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
//= type=test
//# A sender SHOULD avoid retransmitting information from packets once
//# they are acknowledged.
#[test]
fn lost_data_that_is_acknowledged_late_is_not_sent_again() {
    let mut client = client();
    let id = open_with(&mut client, 100);
    client.send_stream(id).finish().unwrap();
    let sent = packet(&mut client).unwrap().sent[0];
    fate(&mut client, sent, false);
    assert!(client.has_frames());
    fate(&mut client, sent, true);
    assert!(!client.has_frames() && client.is_flushed() && client.store.is_empty());
}

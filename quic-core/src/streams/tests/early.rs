//! Streams of 0-RTT that the server did not take (RFC 9001 §4.6.2).

use super::*;

/// A client's stream with `written` bytes, of which 2,000 were sent, and the packets.
fn early(client: &mut Streams, written: usize) -> (StreamId, Vec<Packet>) {
    let id = client.open(UNI).unwrap();
    client.send_stream(id).write(&vec![7; 2000]).unwrap();
    let packets = std::iter::from_fn(|| packet(client)).collect();
    client.send_stream(id).write(&vec![7; written - 2000]).unwrap();
    (id, packets)
}

/// Everything sent is lost, and the next server has these limits.
fn reject(client: &mut Streams, mut packets: Vec<Packet>, limits: InitialLimits) {
    packets.extend(std::iter::from_fn(|| packet(client)));
    for sent in packets.iter().flat_map(|packet| &packet.sent) {
        fate(client, *sent, false);
    }
    client.on_early_data_rejected();
    assert!(!client.has_frames());
    client.set_peer_limits(limits);
}

/// What the server reads of its only stream, after which nothing is left anywhere; of a stream that
/// was reset before it was accepted, the server's application hears nothing.
fn conclude(client: &mut Streams, server: &mut Streams) -> (usize, Result<(), ReadError>) {
    exchange(client, server);
    let (data, end) = match server.accept(UNI) {
        Some(id) => read_all(server, id),
        None => (Vec::new(), Err(ReadError::Closed)),
    };
    exchange(client, server);
    assert!(client.is_flushed() && client.store.is_empty() && server.store.is_empty());
    assert!(client.backlog.is_none());
    assert_eq!((server.received, client.credit.unacked), (client.credit.written, 0));
    (data.len(), end)
}

fn usual() -> InitialLimits {
    limits(&TransportConfig::default())
}

#[test]
fn a_stream_that_was_reset_behind_its_beginning_is_so_for_the_next_server() {
    for reliable in [0, 1000, 2500, 3000] {
        let (mut client, mut server) = (client(), server());
        let (id, packets) = early(&mut client, 3000);
        client.send_stream(id).reset_at(code(9), reliable).unwrap();
        reject(&mut client, packets, usual());
        client.resend_early();
        let length = usize::try_from(reliable).unwrap();
        let expected = (length, Err(ReadError::Reset(code(9))));
        assert_eq!(conclude(&mut client, &mut server), expected, "{reliable}");
        assert!(events(&mut client).contains(&StreamEvent::Finished(id)));
    }
}

#[test]
fn a_stream_that_was_reset_twice_is_reset_for_the_next_server() {
    let (mut client, mut server) = (client(), server());
    let (id, packets) = early(&mut client, 3000);
    client.send_stream(id).reset_at(code(9), 2500).unwrap();
    client.send_stream(id).reset(code(9)).unwrap();
    reject(&mut client, packets, usual());
    client.resend_early();
    let next = packet(&mut client).unwrap();
    let reset = frame::ResetStream { stream_id: id, error_code: code(9), final_size: 0 };
    assert_eq!(frames(&next), [Frame::ResetStream(reset)]);
    deliver(&mut server, &next);
    next.sent.iter().for_each(|sent| fate(&mut client, *sent, true));
    assert_eq!(conclude(&mut client, &mut server), (0, Err(ReadError::Closed)));
}

#[test]
fn a_server_that_does_not_understand_reliable_resets_gets_a_plain_one() {
    let (mut client, mut server) = (client(), server());
    let (id, packets) = early(&mut client, 3000);
    client.send_stream(id).reset_at(code(9), 2500).unwrap();
    reject(&mut client, packets, InitialLimits { reset_stream_at: false, ..usual() });
    client.resend_early();
    let next = packet(&mut client).unwrap();
    assert!(matches!(frames(&next)[..], [Frame::ResetStream(_)]), "{:?}", frames(&next));
    deliver(&mut server, &next);
    next.sent.iter().for_each(|sent| fate(&mut client, *sent, true));
    assert_eq!(conclude(&mut client, &mut server), (0, Err(ReadError::Closed)));
}

#[test]
fn what_waits_of_a_stream_can_still_be_given_up_behind_its_beginning() {
    for (first, second) in [(2700, 2800), (2700, 1000), (500, 100), (5000, 2600)] {
        let (mut client, mut server) = (client(), server());
        let (id, packets) = early(&mut client, 3000);
        let narrow = InitialLimits { stream_data_uni: 1500, ..usual() };
        reject(&mut client, packets, narrow);
        client.resend_early();
        client.send_stream(id).reset_at(code(9), first).unwrap();
        client.send_stream(id).reset_at(code(8), second).unwrap();
        // The server would have more room than the client was told of.
        exchange(&mut client, &mut server);
        client
            .handle_max_stream_data(frame::MaxStreamData { stream_id: id, maximum: 10_000 })
            .unwrap();
        let length = usize::try_from(first.min(second)).unwrap();
        let expected = (length, Err(ReadError::Reset(code(9))));
        assert_eq!(conclude(&mut client, &mut server), expected, "{first} {second}");
    }
}

#[test]
fn what_waits_of_a_stream_can_be_reset_after_a_promise() {
    let (mut client, mut server) = (client(), server());
    let (id, packets) = early(&mut client, 3000);
    reject(&mut client, packets, InitialLimits { stream_data_uni: 1500, ..usual() });
    client.resend_early();
    exchange(&mut client, &mut server);
    client.send_stream(id).reset_at(code(9), 2500).unwrap();
    client.send_stream(id).reset(code(9)).unwrap();
    assert_eq!(conclude(&mut client, &mut server), (0, Err(ReadError::Closed)));
}

//! RESET_STREAM_AT (draft-ietf-quic-reliable-stream-reset).

use super::*;

/// A stream of the client, with `written` bytes of which `sent` are in packets that were dropped.
fn written(client: &mut Streams, sent: usize, written: usize) -> (StreamId, Vec<Packet>) {
    let id = client.open(UNI).unwrap();
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(written).collect();
    client.send_stream(id).write(&bytes[..sent]).unwrap();
    let mut packets = Vec::new();
    while let Some(packet) = packet_of(client, Instant::EPOCH + RTT, 1200) {
        packets.push(packet);
    }
    client.send_stream(id).write(&bytes[sent..]).unwrap();
    (id, packets)
}

fn reset_at(id: StreamId, final_size: u64, reliable_size: u64) -> frame::ResetStreamAt {
    frame::ResetStreamAt { stream_id: id, error_code: code(9), final_size, reliable_size }
}

fn accept(server: &mut Streams) -> StreamId {
    server.accept(UNI).unwrap()
}

fn lose(streams: &mut Streams, packets: &[Packet]) {
    for sent in packets.iter().flat_map(|packet| &packet.sent) {
        fate(streams, *sent, false);
    }
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5
//= type=test
//# When using a RESET_STREAM_AT frame, the initiator MUST guarantee
//# reliable delivery of stream data of at least Reliable Size bytes.
//# If
//# STREAM frames containing data up to that byte offset are lost, the
//# initiator MUST retransmit this data, as described in Section 13.3 of
//# [RFC9000].
#[test]
fn the_beginning_arrives_whatever_is_lost_and_then_the_reset() {
    for (sent, all, reliable) in [(0, 5000, 3000), (4000, 5000, 3000), (2000, 5000, 5000)] {
        let (mut client, mut server) = (client(), server());
        let (id, packets) = written(&mut client, sent, all);
        client.send_stream(id).reset_at(code(9), reliable).unwrap();
        lose(&mut client, &packets);
        // What is sent now is lost, too, the reset with it.
        let again: Vec<_> = std::iter::from_fn(|| packet(&mut client)).collect();
        lose(&mut client, &again);
        exchange(&mut client, &mut server);
        assert_eq!(accept(&mut server), id);
        let (data, end) = read_all(&mut server, id);
        let length = usize::try_from(reliable).unwrap();
        let expected: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        assert_eq!(end, Err(ReadError::Reset(code(9))));
        assert_eq!(data, expected, "{sent} {all} {reliable}");
        exchange(&mut client, &mut server);
        assert!(events(&mut client).contains(&StreamEvent::Finished(id)));
        assert!(client.is_flushed() && client.store.is_empty() && server.store.is_empty());
        assert_eq!(server.received, client.credit.written);
        assert_eq!(server.window.consumed(), server.received);
        assert_eq!((server.gaps, server.reassembly, client.credit.unacked), (0, 0, 0));
    }
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5
//= type=test
//# Data sent beyond that byte offset SHOULD NOT be
//# retransmitted.
#[test]
fn what_is_behind_the_beginning_is_sent_no_more() {
    let mut client = client();
    let (id, packets) = written(&mut client, 4000, 5000);
    client.send_stream(id).reset_at(code(9), 100).unwrap();
    lose(&mut client, &packets);
    let next = packet(&mut client).unwrap();
    let stream = SentFrame::Stream { id, offset: 0, length: 100, fin: false };
    assert_eq!(next.sent, [SentFrame::ResetStreamAt { id, reliable_size: 100 }, stream]);
    assert_eq!(frames(&next)[0], Frame::ResetStreamAt(reset_at(id, 4000, 100)));
    assert!(packet(&mut client).is_none());
    assert!(client.send_stream(id).write(&[1]).is_err());
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-4
//= type=test
//# An endpoint
//# MUST NOT send a RESET_STREAM_AT frame that exceeds the largest
//# maximum stream data value advertised by the receiver for the stream,
//# or that violates the receiver's maximum data limit.
#[test]
fn a_reset_promises_no_more_than_was_written_within_the_limits() {
    let config = TransportConfig {
        stream_receive_window: 1000,
        receive_window: 1500,
        ..TransportConfig::default()
    };
    for (first, limit) in [(0, 1000), (800, 700)] {
        let mut client = client();
        client.peer = PeerLimits::default();
        client.credit = ConnectionCredit::new();
        client.set_peer_limits(limits(&config));
        let other = client.open(UNI).unwrap();
        if first > 0 {
            assert_eq!(client.send_stream(other).write(&vec![0; first]), Ok(first));
        }
        let id = client.open(UNI).unwrap();
        assert_eq!(client.send_stream(id).write(&[0; 5000]), Ok(limit));
        client.send_stream(id).reset_at(code(9), u64::MAX).unwrap();
        let next = packet(&mut client).unwrap();
        let size = limit as u64;
        assert_eq!(frames(&next)[0], Frame::ResetStreamAt(reset_at(id, size, size)));
    }
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-4
//= type=test
//# When lost, they MUST be
//# retransmitted, unless the stream state has transitioned to "Data
//# Recvd" or "Reset Recvd" due to transmission and acknowledgement of
//# other frames (see Section 5.2).
//= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5.2
//= type=test
//# When reducing the Reliable Size, the sender MUST retransmit the
//# RESET_STREAM_AT frame carrying the smallest Reliable Size as well as
//# stream data up to that size, until all acknowledgements for the
//# stream data and the RESET_STREAM_AT frame are received.
#[test]
fn only_the_smallest_promise_is_sent_again_until_it_is_acknowledged() {
    let mut client = client();
    let (id, packets) = written(&mut client, 500, 500);
    let frame = |reliable_size| SentFrame::ResetStreamAt { id, reliable_size };
    client.send_stream(id).reset_at(code(9), 400).unwrap();
    assert_eq!(packet(&mut client).unwrap().sent, [frame(400)]);
    client.send_stream(id).reset_at(code(9), 300).unwrap();
    assert_eq!(packet(&mut client).unwrap().sent, [frame(300)]);
    fate(&mut client, frame(400), false);
    assert!(packet(&mut client).is_none());
    fate(&mut client, frame(300), false);
    assert_eq!(packet(&mut client).unwrap().sent, [frame(300)]);
    fate(&mut client, frame(400), true);
    fate(&mut client, packets[0].sent[0], true);
    assert!(!client.is_flushed(), "the peer may still wait for the rest of 400 bytes");
    fate(&mut client, frame(300), false);
    assert_eq!(packet(&mut client).unwrap().sent, [frame(300)]);
    fate(&mut client, frame(300), true);
    assert!(client.is_flushed() && client.store.is_empty());
    fate(&mut client, frame(300), false);
    assert!(packet(&mut client).is_none());
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5.2
//= type=test
//# When sending multiple RESET_STREAM_AT or RESET_STREAM frames for the
//# same stream, the initiator MUST NOT increase the Reliable Size.
//= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5.2
//= type=test
//# When sending another RESET_STREAM_AT, RESET_STREAM or STREAM frame
//# carrying a FIN bit for the same stream, the initiator MUST NOT change
//# the Application Error Code or the Final Size.
#[test]
fn a_promise_is_only_made_smaller_and_neither_code_nor_final_size_change() {
    let mut client = client();
    let (id, _) = written(&mut client, 100, 500);
    client.send_stream(id).reset_at(code(9), 400).unwrap();
    let first = packet_of(&mut client, Instant::EPOCH, 30).unwrap();
    assert_eq!(frames(&first)[0], Frame::ResetStreamAt(reset_at(id, 400, 400)));
    client.send_stream(id).reset_at(code(8), 450).unwrap();
    assert!(
        !packet(&mut client)
            .unwrap()
            .sent
            .contains(&SentFrame::ResetStreamAt { id, reliable_size: 450 })
    );
    client.send_stream(id).reset_at(code(8), 200).unwrap();
    let second = packet(&mut client).unwrap();
    assert_eq!(frames(&second)[0], Frame::ResetStreamAt(reset_at(id, 400, 200)));
    client.send_stream(id).reset(code(7)).unwrap();
    let third = packet(&mut client).unwrap();
    let reset = frame::ResetStream { stream_id: id, error_code: code(9), final_size: 400 };
    assert_eq!(frames(&third), [Frame::ResetStream(reset)]);
    assert_eq!(client.send_stream(id).reset_at(code(9), 0), Err(ResetAtError::Closed));
    assert_eq!(client.credit.written, 400);
    fate(&mut client, SentFrame::ResetStream { id }, true);
    assert!(client.is_flushed() && client.store.is_empty());
}

#[test]
fn after_a_fin_a_reset_keeps_the_final_size_and_the_fin_ends_nothing_any_more() {
    let (mut client, mut server) = (client(), server());
    let (id, _) = written(&mut client, 100, 100);
    client.send_stream(id).finish().unwrap();
    let fin = packet(&mut client).unwrap();
    client.send_stream(id).reset_at(code(9), 50).unwrap();
    let reset = packet(&mut client).unwrap();
    assert_eq!(frames(&reset), [Frame::ResetStreamAt(reset_at(id, 100, 50))]);
    let data = SentFrame::Stream { id, offset: 0, length: 100, fin: false };
    fate(&mut client, data, true);
    fate(&mut client, fin.sent[0], true);
    assert!(!client.is_flushed(), "the peer would wait for all 100 bytes");
    // Whichever comes first.
    deliver(&mut server, &reset);
    deliver(&mut server, &fin);
    fate(&mut client, reset.sent[0], true);
    assert!(client.is_flushed());
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5.4
//= type=test
//# While it is permissible to send a RESET_STREAM_AT
//# frame in this case, endpoints SHOULD send a RESET_STREAM frame, since
//# the peer has already indicated that it does not intend to process any
//# further data.
#[test]
fn a_stop_is_answered_with_a_plain_reset() {
    let mut client = client();
    let (id, packets) = written(&mut client, 100, 500);
    client.send_stream(id).reset_at(code(9), 400).unwrap();
    packet_of(&mut client, Instant::EPOCH, 30).unwrap();
    stop_frame(&mut client, id).unwrap();
    lose(&mut client, &packets);
    let next = packet(&mut client).unwrap();
    let reset = frame::ResetStream { stream_id: id, error_code: code(9), final_size: 400 };
    assert_eq!(frames(&next), [Frame::ResetStream(reset)]);
}

#[test]
fn a_peer_that_does_not_understand_it_gets_no_such_reset() {
    let mut client = client();
    client.peer.reset_stream_at = false;
    let (id, _) = written(&mut client, 100, 100);
    assert_eq!(client.send_stream(id).reset_at(code(9), 50), Err(ResetAtError::Unsupported));
    assert!(packet(&mut client).is_none());
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5.2
//= type=test
//# It MUST NOT expect the sender to deliver any
//# data beyond that byte offset.
//= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5.2
//= type=test
//# The receiver MUST ignore any
//# RESET_STREAM_AT frame that increases the Reliable Size.
#[test]
fn the_smallest_promise_that_was_heard_counts() {
    let mut server = server();
    let id = client_uni(0);
    data(&mut server, id, 0, 50);
    accept(&mut server);
    events(&mut server);
    server.handle_reset_stream_at(reset_at(id, 500, 100)).unwrap();
    assert_eq!(read_all(&mut server, id), (vec![7; 50], Err(ReadError::Blocked)));
    data(&mut server, id, 50, 10);
    assert_eq!(read_all(&mut server, id), (vec![7; 10], Err(ReadError::Blocked)));
    events(&mut server);
    server.handle_reset_stream_at(reset_at(id, 500, 200)).unwrap();
    data(&mut server, id, 300, 10);
    server.handle_reset_stream_at(reset_at(id, 500, 60)).unwrap();
    assert_eq!(events(&mut server), [StreamEvent::Readable(id)]);
    assert_eq!(read_all(&mut server, id), (vec![], Err(ReadError::Reset(code(9)))));
    assert!(server.store.is_empty());
    assert_eq!((server.received, server.window.consumed()), (500, 500));
    assert_eq!((server.gaps, server.reassembly), (0, 0));

    // The higher one comes second, with all of it.
    let id = client_uni(1);
    data(&mut server, id, 0, 50);
    accept(&mut server);
    server.handle_reset_stream_at(reset_at(id, 500, 60)).unwrap();
    server.handle_reset_stream_at(reset_at(id, 500, 100)).unwrap();
    data(&mut server, id, 50, 10);
    assert_eq!(read_all(&mut server, id), (vec![7; 60], Err(ReadError::Reset(code(9)))));
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-5.2
//= type=test
//# If the receiver
//# detects a change in those fields, it MUST close the connection with a
//# connection error of type STREAM_STATE_ERROR or FINAL_SIZE_ERROR,
//# respectively.
#[test]
fn a_reset_that_changes_its_mind_is_an_error() {
    let at =
        |size, error_code| frame::ResetStreamAt { error_code, ..reset_at(client_uni(0), size, 5) };
    let plain = |size, error_code| frame::ResetStream {
        stream_id: client_uni(0),
        error_code,
        final_size: size,
    };
    let codes = |results: [Result<(), TransportError>; 3]| {
        results.map(|result| result.map_err(|error| error.code))
    };
    let state = Err(TransportErrorCode::STREAM_STATE_ERROR);
    let size = Err(TransportErrorCode::FINAL_SIZE_ERROR);
    let mut server = server();
    data(&mut server, client_uni(0), 0, 3);
    server.handle_reset_stream_at(at(10, code(9))).unwrap();
    let again = [(10, 9), (10, 8), (11, 9)].map(|(size, value)| (size, code(value)));
    let results = again.map(|(size, code)| server.handle_reset_stream_at(at(size, code)));
    assert_eq!(codes(results), [Ok(()), state, size]);
    let results = [again[1], again[2], again[0]]
        .map(|(size, code)| server.handle_reset_stream(plain(size, code)));
    assert_eq!(codes(results), [state, size, Ok(())]);
    let results = again.map(|(size, code)| server.handle_reset_stream_at(at(size, code)));
    assert_eq!(codes(results), [Ok(()), state, size]);
    assert_eq!(server.accept(UNI), None, "it is over");
}

//= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-4
//= type=test
//# If an
//# endpoint receives a RESET_STREAM_AT frame that violates either flow
//# control limit, it MUST close the connection with an error of type
//# FLOW_CONTROL_ERROR.
#[test]
fn a_reset_beyond_flow_control_is_an_error() {
    let config = TransportConfig {
        stream_receive_window: 1000,
        receive_window: 1500,
        ..TransportConfig::default()
    };
    let mut server = streams(Side::Server, &config);
    let flow_control = |result: Result<(), TransportError>| {
        assert_eq!(result.unwrap_err().code, TransportErrorCode::FLOW_CONTROL_ERROR);
    };
    flow_control(server.handle_reset_stream_at(reset_at(client_uni(0), 1001, 0)));
    server.handle_reset_stream_at(reset_at(client_uni(1), 1000, 0)).unwrap();
    flow_control(server.handle_reset_stream_at(reset_at(client_uni(2), 501, 0)));
    server.handle_reset_stream_at(reset_at(client_uni(2), 500, 500)).unwrap();
}

#[test]
fn a_stopped_stream_goes_with_the_reset() {
    let mut server = server();
    data(&mut server, client_uni(0), 0, 10);
    accept(&mut server);
    server.recv_stream(client_uni(0)).stop(code(1)).unwrap();
    packet(&mut server).unwrap();
    server.handle_reset_stream_at(reset_at(client_uni(0), 100, 50)).unwrap();
    assert!(server.store.is_empty());
    assert_eq!((server.received, server.window.consumed()), (100, 100));
}

use super::*;
use crate::streams::send::SendState as State;

//= https://www.rfc-editor.org/rfc/rfc9000#section-4.4
//= type=test
//# Both endpoints MUST maintain flow control state for the stream in the
//# unterminated direction until that direction enters a terminal state.
#[test]
fn a_request_and_its_response_leave_nothing_behind() {
    let (mut client, mut server) = (client(), server());
    for _ in 0..if cfg!(miri) { 3 } else { 500 } {
        let id = client.open(BIDI).unwrap();
        assert_eq!(client.send_stream(id).write(b"request"), Ok(7));
        client.send_stream(id).finish().unwrap();
        assert_eq!(client.send_stream(id).finished(), Some(Finished::Pending));
        exchange(&mut client, &mut server);
        assert_eq!(server.accept(BIDI), Some(id));
        assert_eq!(read_all(&mut server, id), (b"request".to_vec(), Ok(())));
        let mut response = Bytes::from_static(b"response");
        assert_eq!(server.send_stream(id).write_chunk(&mut response), Ok(8));
        server.send_stream(id).finish().unwrap();
        assert!(!server.is_flushed());
        exchange(&mut client, &mut server);
        assert_eq!(read_all(&mut client, id), (b"response".to_vec(), Ok(())));
        assert_eq!(client.send_stream(id).finished(), Some(Finished::Acknowledged));
        exchange(&mut client, &mut server);
        for end in [&mut client, &mut server] {
            assert!(events(end).contains(&StreamEvent::Finished(id)));
            assert!(end.store.is_empty() && end.is_flushed());
            assert_eq!(end.buffered_bytes(), 0);
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-3.3
//= type=test
//# A sender MUST NOT send any of these frames from a terminal state ("Data
//# Recvd" or "Reset Recvd").
//= https://www.rfc-editor.org/rfc/rfc9000#section-3.3
//= type=test
//# A sender MUST NOT send a STREAM or STREAM_DATA_BLOCKED frame for a
//# stream in the "Reset Sent" state or any terminal state -- that is, after
//# sending a RESET_STREAM frame.
//= https://www.rfc-editor.org/rfc/rfc9000#section-4.5
//= type=test
//# The receiver MUST use the final size of the stream to account for all
//# bytes sent on the stream in its connection-level flow controller.
#[test]
fn reset_tells_the_reader_and_frees_the_data() {
    let (mut client, mut server) = (client(), server());
    let id = client.open(UNI).unwrap();
    client.send_stream(id).write(&[1; 5000]).unwrap();
    let first = packet(&mut client).unwrap();
    deliver(&mut server, &first);
    server.accept(UNI).unwrap();
    assert_eq!(client.send_stream(id).reset(code(5)), Ok(()));
    assert_eq!(client.send_stream(id).reset(code(5)), Err(WriteError::Closed));
    assert_eq!(client.send_stream(id).write(&[1]), Err(WriteError::Closed));
    assert_eq!(client.buffered_bytes(), 0);
    exchange(&mut client, &mut server);
    assert!(client.is_flushed() && client.store.is_empty());
    assert!(events(&mut client).contains(&StreamEvent::Finished(id)), "whoever waits is told");
    assert_eq!(server.recv_stream(id).read(&mut [0; 9]), Err(ReadError::Reset(code(5))));
    assert_eq!(server.recv_stream(id).read(&mut [0; 9]), Err(ReadError::Closed));
    assert!(server.store.is_empty());
    // What was sent counts at both ends alike.
    assert_eq!(client.credit.written, server.received);
    assert_eq!(server.window.consumed(), server.received);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-3.5
//= type=test
//# An endpoint that receives a STOP_SENDING frame MUST send a RESET_STREAM
//# frame if the stream is in the "Ready" or "Send" state.
//= https://www.rfc-editor.org/rfc/rfc9000#section-3.5
//= type=test
//# If any outstanding data is declared lost, the endpoint SHOULD send a
//# RESET_STREAM frame instead of retransmitting the data.
//= https://www.rfc-editor.org/rfc/rfc9000#section-3.5
//= type=test
//# An endpoint SHOULD copy the error code from the STOP_SENDING frame to
//# the RESET_STREAM frame it sends, but it can use any application error
//# code.
#[test]
fn a_stop_resets_the_stream_and_the_writer_hears_of_it() {
    let (mut client, mut server) = (client(), server());
    let id = client.open(BIDI).unwrap();
    client.send_stream(id).write(&[1; 5000]).unwrap();
    exchange(&mut client, &mut server);
    server.accept(BIDI).unwrap();
    server.recv_stream(id).stop(code(4)).unwrap();
    assert_eq!(server.recv_stream(id).read(&mut [0]), Err(ReadError::Closed));
    assert_eq!(server.recv_stream(id).stop(code(4)), Err(ReadError::Closed));
    client.send_stream(id).write(&[1; 500]).unwrap();
    exchange(&mut client, &mut server);
    let told = events(&mut client);
    assert!(told.contains(&StreamEvent::Stopped(id)));
    assert!(!told.contains(&StreamEvent::Finished(id)), "one of them is enough");
    let key = client.store.find(id).unwrap();
    let state = client.store.get_mut(key).unwrap().send.state();
    assert!(matches!(state, State::ResetSent | State::ResetRecvd), "{state:?}");
    assert_eq!(client.send_stream(id).stopped(), Some(code(4)));
    assert_eq!(client.send_stream(id).finished(), Some(Finished::Stopped(code(4))));
    assert_eq!(client.send_stream(id).write(&[1]), Err(WriteError::Stopped(code(4))));
    assert_eq!(server.window.consumed(), server.received);
    assert_eq!(server.received, client.credit.written);
}

#[test]
fn data_after_a_stop_counts_and_is_thrown_away() {
    let mut server = server();
    data(&mut server, client_uni(0), 0, 100);
    server.accept(UNI).unwrap();
    server.recv_stream(client_uni(0)).stop(code(1)).unwrap();
    data(&mut server, client_uni(0), 200, 100);
    assert_eq!((server.received, server.window.consumed()), (300, 300));
    assert_eq!(server.buffered_bytes(), 0);
    assert_eq!(server.store.len(), 1);
    stream_frame(&mut server, client_uni(0), 400, 0, true).unwrap();
    assert_eq!((server.received, server.window.consumed()), (400, 400));
    packet(&mut server).unwrap();
    assert!(server.store.is_empty());
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-3.5
//= type=test
//# If the stream is in the "Recv" or "Size Known" state, the transport
//# SHOULD signal this by sending a STOP_SENDING frame to prompt closure
//# of the stream in the opposite direction.
#[test]
fn a_stream_whose_end_is_known_but_not_all_of_it_is_stopped_with_a_word() {
    for fin_first in [true, false] {
        let mut server = server();
        let id = client_uni(0);
        stream_frame(&mut server, id, 10, 10, fin_first).unwrap();
        server.accept(UNI).unwrap();
        server.recv_stream(id).stop(code(1)).unwrap();
        if !fin_first {
            stream_frame(&mut server, id, 20, 0, true).unwrap();
        }
        assert_eq!(packet(&mut server).unwrap().sent, [SentFrame::StopSending { id }]);
        assert!(server.store.is_empty(), "nobody waits for the rest");
        fate(&mut server, SentFrame::StopSending { id }, false);
        assert!(packet(&mut server).is_none_or(|packet| packet.sent == [MAX_STREAMS]));
    }
}

const MAX_STREAMS: SentFrame = SentFrame::MaxStreams { direction: UNI };

#[test]
fn a_stream_that_is_all_there_or_was_reset_is_stopped_without_a_word() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-3.5
    //= type=test
    //# STOP_SENDING SHOULD only be sent for a stream that has not been reset
    //# by the peer.
    let mut server = server();
    stream_frame(&mut server, client_uni(0), 0, 10, true).unwrap();
    data(&mut server, client_uni(1), 0, 10);
    server.accept(UNI).unwrap();
    server.accept(UNI).unwrap();
    server.recv_stream(client_uni(0)).stop(code(1)).unwrap();
    server.recv_stream(client_uni(1)).stop(code(1)).unwrap();
    reset_frame(&mut server, client_uni(1), 10).unwrap();
    assert!(packet(&mut server).is_none_or(|packet| packet.sent == [MAX_STREAMS]));
    assert!(server.store.is_empty());
}

#[test]
fn streams_reset_before_they_are_accepted_are_passed_over() {
    let mut server = server();
    for index in 0..5 {
        data(&mut server, client_uni(index), 0, 10);
        if index != 3 {
            reset_frame(&mut server, client_uni(index), 10).unwrap();
        }
    }
    assert_eq!(server.accept(UNI), Some(client_uni(3)));
    assert_eq!(server.accept(UNI), None);
    assert_eq!(server.store.len(), 1);
}

#[test]
fn a_bidirectional_stream_is_passed_over_only_if_the_peer_wants_nothing_on_it_either() {
    let mut server = server();
    for index in 0..2 {
        reset_frame(&mut server, client_bidi(index), 0).unwrap();
    }
    stop_frame(&mut server, client_bidi(0)).unwrap();
    assert_eq!(server.accept(BIDI), Some(client_bidi(1)));
    let reset = packet(&mut server).unwrap();
    assert_eq!(reset.sent, [SentFrame::ResetStream { id: client_bidi(0) }]);
    fate(&mut server, reset.sent[0], true);
    assert_eq!(server.store.len(), 1);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-3.2
//= type=test
//# Before a stream is created, all streams of the same type with
//# lower-numbered stream IDs MUST be created.
#[test]
fn a_stream_far_ahead_opens_those_before_it_without_making_them() {
    let config =
        TransportConfig { max_concurrent_uni_streams: 2_000_000, ..TransportConfig::default() };
    let mut server = streams(Side::Server, &config);
    data(&mut server, client_uni(1_000_000), 0, 1);
    assert_eq!(server.store.len(), 1);
    assert_eq!(events(&mut server), [StreamEvent::Opened(UNI)]);
    for index in 0..3 {
        assert_eq!(server.accept(UNI), Some(client_uni(index)));
    }
    assert_eq!(server.store.len(), 4);
    data(&mut server, client_uni(2), 0, 1);
    assert_eq!(events(&mut server), [StreamEvent::Readable(client_uni(2))]);
}

#[test]
fn readable_is_said_once_until_a_read_blocks() {
    let mut server = server();
    let id = client_uni(0);
    data(&mut server, id, 0, 10);
    assert_eq!(events(&mut server), [StreamEvent::Opened(UNI)]);
    server.accept(UNI).unwrap();
    assert_eq!(events(&mut server), [StreamEvent::Readable(id)]);
    data(&mut server, id, 10, 10);
    assert_eq!(events(&mut server), []);
    assert_eq!(server.recv_stream(id).read(&mut [0; 20]), Ok(ReadOutcome::Data(20)));
    assert_eq!(server.recv_stream(id).read(&mut [0; 20]), Err(ReadError::Blocked));
    data(&mut server, id, 30, 10);
    assert_eq!(events(&mut server), []);
    stream_frame(&mut server, id, 20, 20, true).unwrap();
    assert_eq!(events(&mut server), [StreamEvent::Readable(id)]);
}

#[test]
fn everything_fails_when_the_connection_is_over() {
    let mut client = client();
    let id = client.open(BIDI).unwrap();
    client.send_stream(id).write(&[1; 100]).unwrap();
    client.on_connection_over(false);
    assert_eq!(client.open(BIDI), Err(OpenStreamError::ConnectionOver));
    assert_eq!(client.accept(BIDI), None);
    assert_eq!(client.send_stream(id).write(&[1]), Err(WriteError::Closed));
    assert_eq!(client.send_stream(id).finish(), Err(WriteError::Closed));
    assert_eq!(client.recv_stream(id).read(&mut [1]), Err(ReadError::Closed));
    assert_eq!((client.buffered_bytes(), client.has_frames()), (0, false));
}

#[test]
fn what_arrived_before_the_peer_closed_can_be_accepted_and_read() {
    let mut server = server();
    let (first, second) = (client_uni(0), client_uni(2));
    stream_frame(&mut server, first, 0, 10, true).unwrap();
    stream_frame(&mut server, second, 0, 5, false).unwrap();
    server.on_connection_over(true);
    assert_eq!(server.accept(UNI), Some(first));
    assert_eq!(server.recv_stream(first).read(&mut [0; 20]), Ok(ReadOutcome::Data(10)));
    assert_eq!(server.recv_stream(first).read(&mut [0; 20]), Ok(ReadOutcome::Finished));
    assert_eq!(server.accept(UNI), Some(second), "nothing arrived on the one between");
    assert_eq!(server.recv_stream(second).read(&mut [0; 20]), Ok(ReadOutcome::Data(5)));
    assert_eq!(server.recv_stream(second).read(&mut [0; 20]), Err(ReadError::Closed));
    assert_eq!(server.accept(UNI), None);
    assert!(!server.has_frames() && server.poll_event().is_none());
}

#[test]
fn what_the_peer_acknowledged_before_it_closed_stays_known() {
    let (mut client, mut server) = (client(), server());
    let ids = [client.open(UNI).unwrap(), client.open(UNI).unwrap()];
    let [delivered, lost] = ids;
    client.send_stream(delivered).write(&[1; 100]).unwrap();
    client.send_stream(delivered).finish().unwrap();
    exchange(&mut client, &mut server);
    client.send_stream(lost).write(&[1; 100]).unwrap();
    client.send_stream(lost).finish().unwrap();
    client.on_connection_over(true);
    assert_eq!(client.send_stream(delivered).finished(), Some(Finished::Acknowledged));
    assert_eq!(client.send_stream(lost).finished(), None);
    assert!(!client.is_flushed());
    assert_eq!(client.buffered_bytes(), 0);
}

#[test]
fn the_flush_is_announced_once_to_who_asked_for_it() {
    let (mut client, mut server) = (client(), server());
    let id = client.open(UNI).unwrap();
    client.send_stream(id).write(&[1; 100]).unwrap();
    client.send_stream(id).finish().unwrap();
    client.notify_when_flushed();
    assert_eq!(events(&mut client), []);
    exchange(&mut client, &mut server);
    assert_eq!(events(&mut client), [StreamEvent::Flushed, StreamEvent::Finished(id)]);
    assert_eq!(events(&mut client), []);
}

#[test]
fn records_are_small() {
    let size = size_of::<Stream>();
    assert!(size <= 448, "{size} bytes");
}

#[test]
fn a_reset_is_news_to_an_application_that_was_told_of_data_before() {
    let mut server = server();
    let id = client_uni(0);
    data(&mut server, id, 0, 5);
    server.accept(UNI).unwrap();
    assert!(events(&mut server).contains(&StreamEvent::Readable(id)));
    reset_frame(&mut server, id, 5).unwrap();
    assert_eq!(events(&mut server), [StreamEvent::Readable(id)]);
}

#[test]
fn a_stream_that_is_over_waits_for_no_room() {
    let config = TransportConfig { send_window: 10, ..TransportConfig::default() };
    let mut client = streams(Side::Client, &config);
    let (a, b) = (client.open(UNI).unwrap(), client.open(UNI).unwrap());
    assert_eq!(client.send_stream(a).write(&[0; 10]), Ok(10));
    assert_eq!(client.send_stream(b).write(&[0; 10]), Err(WriteError::Blocked));
    client.send_stream(b).reset(code(1)).unwrap();
    let sent = packet(&mut client).unwrap().sent;
    assert!(sent.contains(&SentFrame::ResetStream { id: b }));
    fate(&mut client, SentFrame::ResetStream { id: b }, true);
    assert!(client.blocked_writers.is_empty());
}

#[test]
fn a_stream_of_which_this_end_threw_the_data_away_does_not_look_finished() {
    let mut server = server();
    let id = client_uni(0);
    stream_frame(&mut server, id, 0, 5, true).unwrap();
    server.accept(UNI).unwrap();
    server.on_connection_over(false);
    assert_eq!(server.recv_stream(id).read(&mut [0; 5]), Err(ReadError::Closed));
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
//= type=test
//# The content of a RESET_STREAM frame MUST NOT change when it is sent
//# again.
#[test]
fn a_reset_that_is_lost_is_repeated_as_it_was() {
    let mut client = client();
    let id = client.open(UNI).unwrap();
    client.send_stream(id).write(&[1; 5000]).unwrap();
    packet(&mut client).unwrap();
    client.send_stream(id).reset(code(5)).unwrap();
    let first = packet(&mut client).unwrap();
    assert!(client.send_stream(id).reset(code(6)).is_err(), "once");
    fate(&mut client, first.sent[0], false);
    let again = packet(&mut client).unwrap();
    assert_eq!(first.payload, again.payload);
}

#[test]
fn the_end_can_be_taken_once_and_only_after_the_last_data() {
    let (mut client, mut server) = (client(), server());
    let id = client.open(BIDI).unwrap();
    client.send_stream(id).write(b"request").unwrap();
    exchange(&mut client, &mut server);
    assert_eq!(server.accept(BIDI), Some(id));
    let mut stream = server.recv_stream(id);
    let data = stream.read_chunk(100);
    assert_eq!(data, Ok(ReadOutcome::Data(Bytes::from_static(b"request"))));
    assert!(!stream.take_end(), "more may follow");
    client.send_stream(id).write(b"!").unwrap();
    client.send_stream(id).finish().unwrap();
    exchange(&mut client, &mut server);
    let mut stream = server.recv_stream(id);
    assert!(!stream.take_end(), "there is more to read");
    assert_eq!(stream.read_chunk(100), Ok(ReadOutcome::Data(Bytes::from_static(b"!"))));
    assert!(stream.take_end());
    assert!(!stream.take_end());
    assert_eq!(stream.read_chunk(100), Err(ReadError::Closed));
}

#[test]
fn what_is_all_of_a_stream_takes_no_more_memory_than_it_has_bytes() {
    let (mut client, mut server) = (client(), server());
    let id = client.open(UNI).unwrap();
    client.send_stream(id).write(&[7; 140]).unwrap();
    client.send_stream(id).finish().unwrap();
    exchange(&mut client, &mut server);
    assert_eq!(server.buffered_bytes(), 140);
    assert_eq!(server.accept(UNI), Some(id));
    let data = server.recv_stream(id).read_chunk(usize::MAX);
    assert_eq!(data, Ok(ReadOutcome::Data(Bytes::from(vec![7; 140]))));
    assert_eq!(server.buffered_bytes(), 0);
}

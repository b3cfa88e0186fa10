use super::*;

#[track_caller]
fn check(result: Result<(), TransportError>, expected: TransportErrorCode) {
    assert_eq!(result.unwrap_err().code, expected);
}

fn max_stream_data(streams: &mut Streams, stream_id: StreamId) -> Result<(), TransportError> {
    streams.handle_max_stream_data(frame::MaxStreamData { stream_id, maximum: 1 << 30 })
}

fn blocked(streams: &mut Streams, stream_id: StreamId) -> Result<(), TransportError> {
    streams.handle_stream_data_blocked(frame::StreamDataBlocked { stream_id, limit: 1 })
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-19.4
//= type=test
//# An endpoint that receives a RESET_STREAM frame for a send-only stream
//# MUST terminate the connection with error STREAM_STATE_ERROR.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.5
//= type=test
//# An endpoint that receives a STOP_SENDING frame for a receive-only stream
//# MUST terminate the connection with error STREAM_STATE_ERROR.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.8
//= type=test
//# An endpoint MUST terminate the connection with error STREAM_STATE_ERROR
//# if it receives a STREAM frame for a locally initiated stream that has
//# not yet been created, or for a send-only stream.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.10
//= type=test
//# An endpoint that receives a MAX_STREAM_DATA frame for a receive-only
//# stream MUST terminate the connection with error STREAM_STATE_ERROR.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.13
//= type=test
//# An endpoint that receives a STREAM_DATA_BLOCKED frame for a send-only
//# stream MUST terminate the connection with error STREAM_STATE_ERROR.
#[test]
fn frames_for_the_part_that_a_stream_does_not_have_are_errors() {
    let ours = StreamId::new(Side::Server, UNI, 0);
    for opened in [false, true] {
        let mut server = server();
        if opened {
            server.open(UNI).unwrap();
            data(&mut server, client_uni(0), 0, 1);
        }
        let error = TransportErrorCode::STREAM_STATE_ERROR;
        check(stream_frame(&mut server, ours, 0, 1, false), error);
        check(reset_frame(&mut server, ours, 0), error);
        check(blocked(&mut server, ours), error);
        check(stop_frame(&mut server, client_uni(0)), error);
        check(max_stream_data(&mut server, client_uni(0)), error);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-19.5
//= type=test
//# Receiving a STOP_SENDING frame for a locally initiated stream that has
//# not yet been created MUST be treated as a connection error of type
//# STREAM_STATE_ERROR.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.8
//= type=test
//# An endpoint MUST terminate the connection with error STREAM_STATE_ERROR
//# if it receives a STREAM frame for a locally initiated stream that has
//# not yet been created, or for a send-only stream.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.10
//= type=test
//# Receiving a MAX_STREAM_DATA frame for a locally initiated stream that
//# has not yet been created MUST be treated as a connection error of type
//# STREAM_STATE_ERROR.
#[test]
fn frames_for_local_streams_that_were_not_opened_are_errors() {
    let mut server = server();
    let ours = StreamId::new(Side::Server, BIDI, 1);
    server.open(BIDI).unwrap();
    let error = TransportErrorCode::STREAM_STATE_ERROR;
    check(stream_frame(&mut server, ours, 0, 1, false), error);
    check(reset_frame(&mut server, ours, 0), error);
    check(stop_frame(&mut server, ours), error);
    check(max_stream_data(&mut server, ours), error);
    check(blocked(&mut server, ours), error);
    server.open(BIDI).unwrap();
    assert_eq!(max_stream_data(&mut server, ours), Ok(()));
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-4.6
//= type=test
//# An endpoint that receives a frame with a stream ID exceeding the limit
//# it has sent MUST treat this as a connection error of type
//# STREAM_LIMIT_ERROR; see Section 11 for details on error handling.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.11
//= type=test
//# An endpoint MUST terminate a connection with an error of type
//# STREAM_LIMIT_ERROR if a peer opens more streams than was permitted.
#[test]
fn streams_beyond_the_limit_are_errors() {
    let mut server = server();
    let error = TransportErrorCode::STREAM_LIMIT_ERROR;
    for id in [client_bidi(100), client_uni(100), client_bidi((1 << 60) - 1)] {
        check(stream_frame(&mut server, id, 0, 1, false), error);
        check(reset_frame(&mut server, id, 0), error);
        check(blocked(&mut server, id), error);
    }
    check(stop_frame(&mut server, client_bidi(100)), error);
    check(max_stream_data(&mut server, client_bidi(100)), error);
    assert_eq!(stream_frame(&mut server, client_bidi(99), 0, 1, false), Ok(()));
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-4.5
//= type=test
//# If a RESET_STREAM or STREAM frame is received indicating a change in the
//# final size for the stream, an endpoint SHOULD respond with an error of
//# type FINAL_SIZE_ERROR; see Section 11 for details on error handling.
//= https://www.rfc-editor.org/rfc/rfc9000#section-4.5
//= type=test
//# A receiver SHOULD treat receipt of data at or beyond the final size as
//# an error of type FINAL_SIZE_ERROR, even after a stream is closed.
#[test]
fn a_final_size_is_final() {
    let error = TransportErrorCode::FINAL_SIZE_ERROR;
    let id = client_uni(0);
    let finished = || {
        let mut server = server();
        stream_frame(&mut server, id, 10, 10, true).unwrap();
        server
    };
    check(stream_frame(&mut finished(), id, 15, 6, false), error);
    check(stream_frame(&mut finished(), id, 0, 10, true), error);
    check(reset_frame(&mut finished(), id, 19), error);
    check(reset_frame(&mut finished(), id, 21), error);
    assert_eq!(reset_frame(&mut finished(), id, 20), Ok(()));
    assert_eq!(stream_frame(&mut finished(), id, 20, 0, true), Ok(()));

    let mut server = server();
    data(&mut server, id, 10, 10);
    check(stream_frame(&mut server, id, 0, 19, true), error);
    check(reset_frame(&mut server, id, 19), error);
}

#[test]
fn a_final_size_binds_after_a_reset_and_after_a_stop() {
    let error = TransportErrorCode::FINAL_SIZE_ERROR;
    let mut server = server();
    let id = client_bidi(0);
    reset_frame(&mut server, id, 20).unwrap();
    check(stream_frame(&mut server, id, 15, 6, false), error);
    server.accept(BIDI).unwrap();
    assert_eq!(server.recv_stream(id).read(&mut [0]), Err(ReadError::Reset(code(9))));
    check(reset_frame(&mut server, id, 21), error);
    assert_eq!(stream_frame(&mut server, id, 0, 20, true), Ok(()));
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-4.1
//= type=test
//# A receiver MUST close the connection with an error of type
//# FLOW_CONTROL_ERROR if the sender violates the advertised connection or
//# stream data limits; see Section 11 for details on error handling.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.10
//= type=test
//# An endpoint MUST terminate a connection with an error of type
//# FLOW_CONTROL_ERROR if it receives more data than the largest maximum
//# stream data that it has sent for the affected stream.
#[test]
fn data_beyond_the_limit_of_a_stream_is_an_error() {
    let error = TransportErrorCode::FLOW_CONTROL_ERROR;
    let window = TransportConfig::default().stream_receive_window;
    check(stream_frame(&mut server(), client_uni(0), window, 1, false), error);
    check(reset_frame(&mut server(), client_uni(0), window + 1), error);
    assert_eq!(stream_frame(&mut server(), client_uni(0), window - 1, 1, false), Ok(()));
    assert_eq!(reset_frame(&mut server(), client_uni(0), window), Ok(()));
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-4.1
//= type=test
//# A receiver MUST close the connection with an error of type
//# FLOW_CONTROL_ERROR if the sender violates the advertised connection or
//# stream data limits; see Section 11 for details on error handling.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.9
//= type=test
//# An endpoint MUST terminate a connection with an error of type
//# FLOW_CONTROL_ERROR if it receives more data than the maximum data value
//# that it has sent.
#[test]
fn data_beyond_the_limit_of_the_connection_is_an_error() {
    let error = TransportErrorCode::FLOW_CONTROL_ERROR;
    let mut server = server();
    let window = TransportConfig::default().stream_receive_window;
    data(&mut server, client_uni(0), window - 1, 1);
    data(&mut server, client_uni(1), window - 2, 1);
    check(stream_frame(&mut server, client_uni(2), 1, 1, false), error);
    check(reset_frame(&mut server, client_uni(2), 2), error);
    data(&mut server, client_uni(2), 0, 1);
    data(&mut server, client_uni(1), 5, 1);
}

#[test]
fn frames_for_streams_that_are_gone_are_ignored() {
    let mut server = server();
    let id = client_uni(0);
    stream_frame(&mut server, id, 0, 3, true).unwrap();
    server.accept(UNI).unwrap();
    read_all(&mut server, id).1.unwrap();
    assert!(server.store.is_empty());
    assert_eq!(stream_frame(&mut server, id, 0, 3, true), Ok(()));
    assert_eq!(reset_frame(&mut server, id, 3), Ok(()));
    assert!(server.store.is_empty());
}

#[test]
fn a_stream_with_too_many_gaps_ends_the_connection() {
    let mut server = server();
    for index in 0..1024 {
        data(&mut server, client_uni(0), 1 + 2 * index, 1);
    }
    let result = stream_frame(&mut server, client_uni(0), 5000, 1, false);
    check(result, TransportErrorCode::PROTOCOL_VIOLATION);
}

/// One byte at every second offset of the first 512 of a stream, the first of which is missing.
fn make_gaps(streams: &mut Streams, id: StreamId) -> Result<(), TransportError> {
    (0..512).try_for_each(|index| stream_frame(streams, id, 1 + 2 * index, 1, false))
}

#[test]
#[cfg_attr(miri, ignore = "makes many thousand gaps, which it does nothing else with")]
fn too_many_gaps_in_all_streams_together_end_the_connection() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-21.7
    //= type=test
    //# QUIC deployments SHOULD provide mitigations for stream fragmentation
    //# attacks.
    let mut server = server();
    for index in 0..8 {
        make_gaps(&mut server, client_uni(index)).unwrap();
    }
    let one_more = stream_frame(&mut server, client_uni(8), 1, 1, false);
    check(one_more, TransportErrorCode::PROTOCOL_VIOLATION);
}

#[test]
fn gaps_that_are_filled_reset_or_stopped_do_not_count_any_more() {
    let mut server = server();
    for index in 0..if cfg!(miri) { 3 } else { 50 } {
        let id = client_uni(index);
        make_gaps(&mut server, id).unwrap();
        assert_eq!(server.accept(UNI), Some(id));
        match index % 3 {
            0 => data(&mut server, id, 0, 2000),
            1 => reset_frame(&mut server, id, 2000).unwrap(),
            _ => server.recv_stream(id).stop(code(1)).unwrap(),
        }
        assert_eq!(server.gaps, 0);
    }
}

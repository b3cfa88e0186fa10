use super::*;

fn max_streams(packet: &Packet) -> Option<u64> {
    frames(packet).into_iter().find_map(|frame| match frame {
        Frame::MaxStreams(frame) => Some(frame.maximum),
        _ => None,
    })
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-4.6
//= type=test
//# Endpoints MUST NOT exceed the limit set by their peer.
//= https://www.rfc-editor.org/rfc/rfc9000#section-4.6
//= type=test
//# An endpoint that is unable to open a new stream due to the peer's limits
//# SHOULD send a STREAMS_BLOCKED frame (Section 19.14).
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.11
//= type=test
//# An endpoint MUST NOT open more streams than permitted by the current
//# stream limit set by its peer.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.14
//= type=test
//# A sender SHOULD send a STREAMS_BLOCKED frame (type=0x16 or 0x17) when it
//# wishes to open a stream but is unable to do so due to the maximum stream
//# limit set by its peer; see Section 19.11.
//= https://www.rfc-editor.org/rfc/rfc9000#section-2.1
//= type=test
//# A QUIC endpoint MUST NOT reuse a stream ID within a connection.
#[test]
fn opening_beyond_the_limit_blocks_and_says_so_once() {
    let config = TransportConfig { max_concurrent_bidi_streams: 1, ..TransportConfig::default() };
    let mut client = streams(Side::Client, &config);
    client.open(BIDI).unwrap();
    assert_eq!(client.open(BIDI), Err(OpenStreamError::Blocked));
    assert_eq!(client.open(BIDI), Err(OpenStreamError::Blocked));
    let blocked = packet(&mut client).unwrap();
    assert_eq!(blocked.sent, [SentFrame::StreamsBlocked { direction: BIDI }]);
    assert!(packet(&mut client).is_none());
    fate(&mut client, blocked.sent[0], false);
    assert!(packet(&mut client).is_some());
    let raise = frame::MaxStreams { direction: BIDI, maximum: 2 };
    client.handle_max_streams(raise).unwrap();
    client.handle_max_streams(raise).unwrap();
    assert_eq!(events(&mut client), [StreamEvent::Available(BIDI)]);
    assert!(client.open(BIDI).is_ok());
}

#[test]
fn who_was_refused_a_stream_hears_of_all_that_come() {
    let config = TransportConfig { max_concurrent_bidi_streams: 1, ..TransportConfig::default() };
    let mut client = streams(Side::Client, &config);
    let raise = |client: &mut Streams, maximum| {
        client.handle_max_streams(frame::MaxStreams { direction: BIDI, maximum }).unwrap();
        (events(client), client.left_to_open(BIDI))
    };
    assert_eq!(raise(&mut client, 2), (vec![], 2), "nobody asked");
    client.open(BIDI).unwrap();
    client.open(BIDI).unwrap();
    assert_eq!(client.open(BIDI), Err(OpenStreamError::Blocked));
    assert_eq!(client.left_to_open(BIDI), 0);
    let available = vec![StreamEvent::Available(BIDI)];
    assert_eq!(raise(&mut client, 4), (available.clone(), 2));
    assert_eq!(raise(&mut client, 5), (available, 3));
    assert_eq!(raise(&mut client, 5), (vec![], 3));
}

#[test]
fn streams_come_back_only_when_the_application_has_seen_the_end() {
    let config = TransportConfig { max_concurrent_uni_streams: 4, ..TransportConfig::default() };
    let mut server = streams(Side::Server, &config);
    for index in 0..4 {
        stream_frame(&mut server, client_uni(index), 0, 5, true).unwrap();
    }
    assert!(packet(&mut server).is_none());
    server.accept(UNI).unwrap();
    server.recv_stream(client_uni(0)).read(&mut [0; 5]).unwrap();
    assert!(packet(&mut server).is_none());
    assert_eq!(server.recv_stream(client_uni(0)).read(&mut [0]), Ok(ReadOutcome::Finished));
    let raised = packet(&mut server).unwrap();
    assert_eq!(max_streams(&raised), Some(5));
    server.accept(UNI).unwrap();
    server.recv_stream(client_uni(1)).stop(code(0)).unwrap();
    fate(&mut server, raised.sent[0], false);
    assert_eq!(max_streams(&packet(&mut server).unwrap()), Some(6));
}

#[test]
fn the_peer_hears_at_once_of_more_streams_and_keeps_those_it_was_promised() {
    let config = TransportConfig { max_concurrent_uni_streams: 2, ..TransportConfig::default() };
    let mut server = streams(Side::Server, &config);
    server.set_max_concurrent(UNI, 5);
    assert_eq!(max_streams(&packet(&mut server).unwrap()), Some(5));
    server.set_max_concurrent(UNI, 1);
    assert!(packet(&mut server).is_none());
    for index in 0..5 {
        stream_frame(&mut server, client_uni(index), 0, 0, true).unwrap();
    }
    for index in 0..5 {
        assert!(packet(&mut server).is_none(), "{index}");
        server.accept(UNI).unwrap();
        assert_eq!(server.recv_stream(client_uni(index)).read(&mut [0]), Ok(ReadOutcome::Finished));
    }
    assert_eq!(max_streams(&packet(&mut server).unwrap()), Some(6));
}

#[test]
fn no_more_streams_are_promised_than_there_are_numbers_for() {
    let mut server = server();
    server.set_max_concurrent(BIDI, VarInt::MAX.into_inner());
    assert_eq!(max_streams(&packet(&mut server).unwrap()), Some(1 << 60));
}

#[test]
fn blocked_frames_of_the_peer_give_it_nothing() {
    let mut server = server();
    data(&mut server, client_uni(0), 0, 10);
    server.handle_data_blocked(0).unwrap();
    server.handle_streams_blocked(frame::StreamsBlocked { direction: UNI, limit: 0 }).unwrap();
    let blocked = frame::StreamDataBlocked { stream_id: client_uni(0), limit: 0 };
    server.handle_stream_data_blocked(blocked).unwrap();
    assert!(!server.has_frames());
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-2.2
//= type=test
//# An endpoint MUST NOT send data on any stream without ensuring that it is
//# within the flow control limits set by its peer.
//= https://www.rfc-editor.org/rfc/rfc9000#section-4.1
//= type=test
//# Senders MUST NOT send data in excess of either limit.
//= https://www.rfc-editor.org/rfc/rfc9000#section-4.1
//= type=test
//# A sender SHOULD send a STREAM_DATA_BLOCKED or DATA_BLOCKED frame to
//# indicate to the receiver that it has data to write but is blocked by
//# flow control limits.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.10
//= type=test
//# The data sent on a stream MUST NOT exceed the largest maximum stream
//# data value advertised by the receiver.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.13
//= type=test
//# A sender SHOULD send a STREAM_DATA_BLOCKED frame (type=0x15) when it
//# wishes to send data but is unable to do so due to stream-level flow
//# control.
#[test]
fn writing_stops_at_the_limit_of_the_stream_and_goes_on_after() {
    let config = TransportConfig { stream_receive_window: 100, ..TransportConfig::default() };
    let mut client = streams(Side::Client, &config);
    let id = client.open(UNI).unwrap();
    assert_eq!(client.send_stream(id).write(&[0; 150]), Ok(100));
    assert_eq!(client.send_stream(id).write(&[0; 50]), Err(WriteError::Blocked));
    assert_eq!(client.send_stream(id).write(&[0; 50]), Err(WriteError::Blocked));
    let sent = packet(&mut client).unwrap().sent;
    assert!(sent.contains(&SentFrame::StreamDataBlocked { id }));
    client.handle_max_stream_data(frame::MaxStreamData { stream_id: id, maximum: 120 }).unwrap();
    assert_eq!(events(&mut client), [StreamEvent::Writable(id)]);
    assert_eq!(client.send_stream(id).write(&[0; 50]), Ok(20));
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-4.1
//= type=test
//# Senders MUST NOT send data in excess of either limit.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.9
//= type=test
//# The sum of the final sizes on all streams -- including streams in
//# terminal states -- MUST NOT exceed the value advertised by a receiver.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.12
//= type=test
//# A sender SHOULD send a DATA_BLOCKED frame (type=0x14) when it wishes to
//# send data but is unable to do so due to connection-level flow control;
//# see Section 4.
#[test]
fn writing_stops_at_the_limit_of_the_connection_and_goes_on_after() {
    let config = TransportConfig { receive_window: 100, ..TransportConfig::default() };
    let mut client = streams(Side::Client, &config);
    let (a, b) = (client.open(UNI).unwrap(), client.open(UNI).unwrap());
    assert_eq!(client.send_stream(a).write(&[0; 60]), Ok(60));
    assert_eq!(client.send_stream(b).write(&[0; 60]), Ok(40));
    assert_eq!(client.send_stream(b).write(&[0; 20]), Err(WriteError::Blocked));
    assert!(packet(&mut client).unwrap().sent.contains(&SentFrame::DataBlocked));
    client.handle_max_data(110).unwrap();
    assert_eq!(events(&mut client), [StreamEvent::Writable(b)]);
    assert_eq!(client.send_stream(b).write(&[0; 20]), Ok(10));
}

#[test]
fn writing_stops_at_the_send_window_and_goes_on_after_acknowledgments() {
    let config = TransportConfig { send_window: 1000, ..TransportConfig::default() };
    let mut client = streams(Side::Client, &config);
    let id = client.open(UNI).unwrap();
    assert_eq!(client.send_stream(id).write(&[0; 1500]), Ok(1000));
    assert_eq!(client.send_stream(id).write(&[0; 500]), Err(WriteError::Blocked));
    let sent = packet(&mut client).unwrap().sent;
    assert_eq!(sent.len(), 1);
    fate(&mut client, sent[0], true);
    assert_eq!(events(&mut client), [StreamEvent::Writable(id)]);
    assert_eq!(client.send_stream(id).write(&[0; 1500]), Ok(1000));
}

#[test]
fn limits_of_the_peer_reach_streams_that_are_open_already() {
    let config = TransportConfig::default();
    let mut client = Streams::new(
        Side::Client,
        &Arc::new(config.clone()),
        KeyedHash::new(&mut SeededRandom::from_seed([1; 32])),
    );
    assert_eq!(client.open(UNI), Err(OpenStreamError::Blocked));
    client.raise_stream_count(UNI, 1);
    let id = client.open(UNI).unwrap();
    assert_eq!(client.send_stream(id).write(&[0; 10]), Err(WriteError::Blocked));
    client.set_peer_limits(limits(&config));
    assert!(events(&mut client).contains(&StreamEvent::Writable(id)));
    assert_eq!(client.send_stream(id).write(&[0; 10]), Ok(10));
}

#[test]
fn reading_half_a_window_gives_credit_and_fast_reading_a_larger_window() {
    let mut server = server();
    let window = TransportConfig::default().stream_receive_window;
    let id = client_uni(0);
    let (mut offset, mut now, mut largest) = (0, Instant::EPOCH + RTT, 0);
    data(&mut server, id, 0, 1);
    server.accept(UNI).unwrap();
    for _ in 0..20 {
        data(&mut server, id, offset, usize::try_from(window / 2).unwrap());
        offset += window / 2;
        while let Ok(ReadOutcome::Data(_)) = server.recv_stream(id).read_chunk(usize::MAX) {}
        now += RTT / 4;
        for frame in packet_of(&mut server, now, 1200).iter().flat_map(frames) {
            if let Frame::MaxStreamData(frame) = frame {
                assert!(frame.maximum > offset);
                largest = largest.max(frame.maximum - offset);
            }
        }
    }
    assert!(largest > 2 * window, "the window grew to {largest}");
}

#[test]
#[cfg_attr(miri, ignore = "too long for an interpreter")]
fn memory_for_received_data_is_bounded_over_all_streams() {
    let config =
        TransportConfig { max_concurrent_uni_streams: 10_000, ..TransportConfig::default() };
    let mut server = streams(Side::Server, &config);
    for index in 0..10_000 {
        let offset = if index < u64::from(MAX_GAPS) { 3 } else { 0 };
        data(&mut server, client_uni(index), offset, 7);
    }
    let bound = 2 * config.receive_window + (64 << 10);
    let heap = server.buffered_bytes() as u64;
    assert!(heap <= bound, "{heap} bytes for {} of the window", server.received);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
//= type=test
//# An endpoint SHOULD stop sending MAX_STREAM_DATA frames when the
//# receiving part of the stream enters a "Size Known" or "Reset Recvd"
//# state.
#[test]
fn a_stream_that_ends_gets_no_more_credit() {
    let mut server = server();
    let window = TransportConfig::default().stream_receive_window;
    data(&mut server, client_uni(0), 0, usize::try_from(window / 2).unwrap());
    server.accept(UNI).unwrap();
    assert_eq!(read_all(&mut server, client_uni(0)).1, Err(ReadError::Blocked));
    assert!(server.store.iter().any(|stream| stream.recv.credit_pending));
    stream_frame(&mut server, client_uni(0), window / 2, 0, true).unwrap();
    server.on_max_stream_data_lost(client_uni(0));
    let sent = packet(&mut server).map(|packet| packet.sent).unwrap_or_default();
    assert!(!sent.contains(&SentFrame::MaxStreamData { id: client_uni(0) }));
}

#[test]
fn a_peer_that_keeps_nearly_all_streams_open_gets_back_every_one_that_ends() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-4.6
    //= type=test
    //# An endpoint MUST NOT wait
    //# to receive this signal before advertising additional credit, since
    //# doing so will mean that the peer will be blocked for at least an
    //# entire round trip, and potentially indefinitely if the peer chooses
    //# not to send STREAMS_BLOCKED frames.
    let config = TransportConfig { max_concurrent_uni_streams: 100, ..TransportConfig::default() };
    let mut server = streams(Side::Server, &config);
    let ends = |server: &mut Streams, index| {
        stream_frame(server, client_uni(index), 0, 1, true).unwrap();
        while server.accept(UNI).is_some() {}
        read_all(server, client_uni(index)).1.unwrap();
    };
    ends(&mut server, 0);
    assert!(packet(&mut server).is_none(), "the peer has enough left");
    data(&mut server, client_uni(98), 0, 1);
    assert_eq!(max_streams(&packet(&mut server).unwrap()), Some(101));
    ends(&mut server, 99);
    assert_eq!(max_streams(&packet(&mut server).unwrap()), Some(102));
}

#[test]
fn a_stream_that_nobody_reads_does_not_stop_the_others() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-4.2
    //= type=test
    //# Therefore, a receiver MUST NOT wait for a
    //# STREAM_DATA_BLOCKED or DATA_BLOCKED frame before sending a
    //# MAX_STREAM_DATA or MAX_DATA frame; doing so could result in the
    //# sender being blocked for the rest of the connection.
    let config = TransportConfig {
        receive_window: 16_000,
        stream_receive_window: 1 << 20,
        max_receive_window: 16_000,
        ..TransportConfig::default()
    };
    for unread in [9000, 12_000, 14_000] {
        let mut server = streams(Side::Server, &config);
        data(&mut server, client_uni(0), 0, unread);
        data(&mut server, client_uni(1), 0, 0);
        while server.accept(UNI).is_some() {}
        let (mut limit, mut offset) = (16_000, 0);
        for _ in 0..100 {
            let room = limit - unread as u64 - offset;
            assert!(room > 0, "blocked for ever, with {unread} bytes unread");
            let piece = room.min(500);
            data(&mut server, client_uni(1), offset, usize::try_from(piece).unwrap());
            offset += piece;
            let _read = read_all(&mut server, client_uni(1));
            let raised = packet(&mut server).into_iter().flat_map(|packet| {
                let frames = frames(&packet).into_iter();
                let limits = frames.map(|frame| match frame {
                    Frame::MaxData(limit) => limit,
                    _ => 0,
                });
                limits.collect::<Vec<_>>()
            });
            limit = raised.max().unwrap_or(0).max(limit);
        }
        assert!(offset > 30_000);
    }
}

#[test]
fn credit_follows_when_the_peer_runs_short_after_the_last_read() {
    let config = TransportConfig {
        receive_window: 16_000,
        stream_receive_window: 1 << 20,
        ..TransportConfig::default()
    };
    let mut server = streams(Side::Server, &config);
    data(&mut server, client_uni(0), 0, 1500);
    while server.accept(UNI).is_some() {}
    let _read = read_all(&mut server, client_uni(0));
    assert!(packet(&mut server).is_none(), "the peer has enough left");
    data(&mut server, client_uni(1), 0, 14_000);
    assert_eq!(frames(&packet(&mut server).unwrap()), [Frame::MaxData(17_500)]);
}

#[test]
fn what_is_read_after_the_peer_ran_out_gives_it_credit_at_once() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-4.2
    //= type=test
    //# Therefore, a receiver MUST NOT wait for a
    //# STREAM_DATA_BLOCKED or DATA_BLOCKED frame before sending a
    //# MAX_STREAM_DATA or MAX_DATA frame; doing so could result in the
    //# sender being blocked for the rest of the connection.
    let config = TransportConfig {
        receive_window: 1000,
        stream_receive_window: 1 << 20,
        ..TransportConfig::default()
    };
    let mut server = streams(Side::Server, &config);
    data(&mut server, client_uni(0), 0, 900);
    data(&mut server, client_uni(1), 0, 100);
    while server.accept(UNI).is_some() {}
    assert!(packet(&mut server).is_none());
    let _read = read_all(&mut server, client_uni(1));
    assert_eq!(frames(&packet(&mut server).unwrap()), [Frame::MaxData(1100)]);
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-4.1
//= type=test
//# A sender MUST ignore any MAX_STREAM_DATA or MAX_DATA frames that do not
//# increase flow control limits.
//= https://www.rfc-editor.org/rfc/rfc9000#section-4.6
//= type=test
//# MAX_STREAMS frames that do not increase the stream limit MUST be
//# ignored.
//= https://www.rfc-editor.org/rfc/rfc9000#section-19.11
//= type=test
//# MAX_STREAMS frames that do not increase the stream limit MUST be
//# ignored.
//= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
//= type=test
//# A receiver MUST accept packets containing an outdated frame, such as a
//# MAX_DATA frame carrying a smaller maximum data value than one found in
//# an older packet.
#[test]
fn limits_that_are_not_larger_than_before_mean_nothing() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-4.1
    //= type=test
    //# A sender MUST ignore any MAX_STREAM_DATA or MAX_DATA frames that do
    //# not increase flow control limits.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-4.6
    //= type=test
    //# MAX_STREAMS frames that do not increase the stream limit MUST be
    //# ignored.
    let mut client = client();
    let id = client.open(UNI).unwrap();
    client.handle_max_stream_data(frame::MaxStreamData { stream_id: id, maximum: 1 }).unwrap();
    client.handle_max_data(1).unwrap();
    client.handle_max_streams(frame::MaxStreams { direction: UNI, maximum: 1 }).unwrap();
    assert_eq!(client.send_stream(id).write(&[0; 100]), Ok(100));
    assert!(client.open(UNI).is_ok());
    let maximum = client.credit.maximum;
    for (allowed, expected) in [(maximum + 5, maximum + 5), (maximum + 4, maximum + 5)] {
        client.handle_max_data(allowed).unwrap();
        assert_eq!(client.credit.maximum, expected);
    }
}

#[test]
fn a_stream_that_was_stopped_gets_no_more_credit() {
    let mut server = server();
    let (id, window) = (client_uni(0), TransportConfig::default().stream_receive_window);
    data(&mut server, id, 0, usize::try_from(window / 2).unwrap());
    server.accept(UNI).unwrap();
    let _read = read_all(&mut server, id);
    assert!(packet(&mut server).unwrap().sent.contains(&SentFrame::MaxStreamData { id }));
    server.recv_stream(id).stop(code(1)).unwrap();
    fate(&mut server, SentFrame::MaxStreamData { id }, false);
    let sent = packet(&mut server).unwrap().sent;
    assert!(!sent.contains(&SentFrame::MaxStreamData { id }), "{sent:?}");
}

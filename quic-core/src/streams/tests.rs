#![expect(clippy::excessive_nesting, clippy::wildcard_enum_match_arm, reason = "test code")]

mod delivery;
mod early;
mod errors;
mod lifecycle;
mod limits;
mod pool;
mod reset_at;
mod scheduling;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::crypto::SeededRandom;
use crate::error::{TransportError, TransportErrorCode};
use crate::instant::Instant;
use crate::packet::{PacketWriter, SentFrame};
use crate::wire::frame::{self, Frame, Frames};

const BIDI: Direction = Direction::Bidirectional;
const UNI: Direction = Direction::Unidirectional;
const RTT: Duration = Duration::from_millis(50);

fn client_bidi(index: u64) -> StreamId {
    StreamId::new(Side::Client, BIDI, index)
}

fn client_uni(index: u64) -> StreamId {
    StreamId::new(Side::Client, UNI, index)
}

fn code(value: u32) -> VarInt {
    VarInt::from_u32(value)
}

fn limits(config: &TransportConfig) -> InitialLimits {
    InitialLimits {
        data: config.receive_window,
        stream_data_bidi_local: config.stream_receive_window,
        stream_data_bidi_remote: config.stream_receive_window,
        stream_data_uni: config.stream_receive_window,
        streams_bidi: config.max_concurrent_bidi_streams,
        streams_uni: config.max_concurrent_uni_streams,
        reset_stream_at: true,
    }
}

fn streams(side: Side, config: &TransportConfig) -> Streams {
    let mut streams = Streams::new(
        side,
        &Arc::new(config.clone()),
        KeyedHash::new(&mut SeededRandom::from_seed([1; 32])),
    );
    streams.set_peer_limits(limits(config));
    streams
}

fn server() -> Streams {
    streams(Side::Server, &TransportConfig::default())
}

fn client() -> Streams {
    streams(Side::Client, &TransportConfig::default())
}

fn handle(streams: &mut Streams, frame: Frame<'_>) -> Result<(), TransportError> {
    match frame {
        Frame::Stream(frame) => streams.handle_stream(frame),
        Frame::ResetStream(frame) => streams.handle_reset_stream(frame),
        Frame::ResetStreamAt(frame) => streams.handle_reset_stream_at(frame),
        Frame::StopSending(frame) => streams.handle_stop_sending(frame),
        Frame::MaxData(maximum) => streams.handle_max_data(maximum),
        Frame::MaxStreamData(frame) => streams.handle_max_stream_data(frame),
        Frame::MaxStreams(frame) => streams.handle_max_streams(frame),
        Frame::DataBlocked(limit) => streams.handle_data_blocked(limit),
        Frame::StreamDataBlocked(frame) => streams.handle_stream_data_blocked(frame),
        Frame::StreamsBlocked(frame) => streams.handle_streams_blocked(frame),
        other => panic!("not a frame of streams: {other:?}"),
    }
}

fn fate(streams: &mut Streams, sent: SentFrame, acked: bool) {
    match (sent, acked) {
        (SentFrame::Stream { id, offset, length, fin }, true) => {
            streams.on_stream_acked(id, offset, length, fin);
        }
        (SentFrame::Stream { id, offset, length, fin }, false) => {
            streams.on_stream_lost(id, offset, length, fin);
        }
        (SentFrame::ResetStream { id }, true) => streams.on_reset_acked(id),
        (SentFrame::ResetStream { id }, false) => streams.on_reset_lost(id),
        (SentFrame::ResetStreamAt { id, reliable_size }, true) => {
            streams.on_reset_at_acked(id, reliable_size);
        }
        (SentFrame::ResetStreamAt { id, reliable_size }, false) => {
            streams.on_reset_at_lost(id, reliable_size);
        }
        (SentFrame::StopSending { id }, false) => streams.on_stop_sending_lost(id),
        (SentFrame::MaxData, false) => streams.on_max_data_lost(),
        (SentFrame::MaxStreamData { id }, false) => streams.on_max_stream_data_lost(id),
        (SentFrame::MaxStreams { direction }, false) => streams.on_max_streams_lost(direction),
        (SentFrame::DataBlocked, false) => streams.on_data_blocked_lost(),
        (SentFrame::StreamDataBlocked { id }, false) => streams.on_stream_data_blocked_lost(id),
        (SentFrame::StreamsBlocked { direction }, false) => {
            streams.on_streams_blocked_lost(direction);
        }
        (_, _) => {}
    }
}

/// A packet's payload, and what its sender remembers of it.
#[derive(Clone, Debug)]
struct Packet {
    payload: Vec<u8>,
    sent: Vec<SentFrame>,
}

fn packet_of(streams: &mut Streams, now: Instant, size: usize) -> Option<Packet> {
    let promised = streams.has_frames();
    let mut payload = vec![0; size];
    let mut sent = VecDeque::new();
    let mut packet = PacketWriter::new(&mut payload, &mut sent);
    let written = streams.write_frames(now, RTT, &mut packet);
    let length = packet.length();
    payload.truncate(length);
    if written.is_ok() {
        assert!(!streams.has_frames(), "something was left out of a packet with room");
    }
    assert_eq!(promised, length > 0, "has_frames() keeps its promise");
    (length > 0).then(|| Packet { payload, sent: sent.into() })
}

fn packet(streams: &mut Streams) -> Option<Packet> {
    packet_of(streams, Instant::EPOCH + RTT, 1200)
}

fn deliver(streams: &mut Streams, packet: &Packet) {
    for frame in Frames::new(&packet.payload) {
        handle(streams, frame.unwrap()).unwrap();
    }
}

/// Exchanges packets, all of which arrive and are acknowledged, until there are no more.
fn exchange(a: &mut Streams, b: &mut Streams) {
    loop {
        let mut quiet = true;
        for forth in [true, false] {
            let (from, to) = if forth { (&mut *a, &mut *b) } else { (&mut *b, &mut *a) };
            while let Some(packet) = packet(from) {
                quiet = false;
                deliver(to, &packet);
                for sent in packet.sent {
                    fate(from, sent, true);
                }
            }
        }
        if quiet {
            return;
        }
    }
}

fn data(streams: &mut Streams, id: StreamId, offset: u64, length: usize) {
    stream_frame(streams, id, offset, length, false).unwrap();
}

fn stream_frame(
    streams: &mut Streams,
    stream_id: StreamId,
    offset: u64,
    length: usize,
    fin: bool,
) -> Result<(), TransportError> {
    let data = vec![7; length];
    streams.handle_stream(frame::Stream { stream_id, offset, fin, data: &data })
}

fn reset_frame(
    streams: &mut Streams,
    stream_id: StreamId,
    size: u64,
) -> Result<(), TransportError> {
    streams.handle_reset_stream(frame::ResetStream {
        stream_id,
        error_code: code(9),
        final_size: size,
    })
}

fn stop_frame(streams: &mut Streams, stream_id: StreamId) -> Result<(), TransportError> {
    streams.handle_stop_sending(frame::StopSending { stream_id, error_code: code(8) })
}

fn events(streams: &mut Streams) -> Vec<StreamEvent> {
    std::iter::from_fn(|| streams.poll_event()).collect()
}

fn frames(packet: &Packet) -> Vec<Frame<'_>> {
    Frames::new(&packet.payload).map(Result::unwrap).collect()
}

fn read_all(streams: &mut Streams, id: StreamId) -> (Vec<u8>, Result<(), ReadError>) {
    let mut all = Vec::new();
    loop {
        match streams.recv_stream(id).read_chunk(usize::MAX) {
            Ok(ReadOutcome::Data(chunk)) => all.extend_from_slice(&chunk),
            Ok(ReadOutcome::Finished) => return (all, Ok(())),
            Err(error) => return (all, Err(error)),
        }
    }
}

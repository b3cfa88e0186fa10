//! What a peer may say of streams.
#![expect(clippy::wildcard_enum_match_arm, reason = "most events and frames are of no interest")]

use std::sync::Arc;

use crate::config::TransportConfig;
use crate::crypto::{KeyedHash, SeededRandom};
use crate::error::{TransportError, TransportErrorCode};
use crate::packet::SentFrame;
use crate::streams::{InitialLimits, ReadOutcome, Streams};
use crate::wire::frame::{Frame, Frames};
use crate::wire::{Direction, Side};

/// Gives the frames of a payload to the streams of a server, which reads what it can after each
/// if the first byte is odd.
///
/// # Panics
/// If an error is none of those that the peer's frames may cause, or more memory is held than
/// the window allows.
pub fn streams_frames(input: &[u8]) {
    let Some((selector, payload)) = input.split_first() else { return };
    let config = TransportConfig::default();
    let mut streams = Streams::new(
        Side::Server,
        &Arc::new(config.clone()),
        KeyedHash::new(&mut SeededRandom::from_seed([1; 32])),
    );
    streams.set_peer_limits(InitialLimits {
        data: 1 << 16,
        streams_bidi: 4,
        streams_uni: 4,
        ..InitialLimits::default()
    });
    for direction in [Direction::Bidirectional, Direction::Unidirectional] {
        assert!(streams.open(direction).is_ok(), "the peer allows four");
    }
    for frame in Frames::new(payload) {
        let Ok(frame) = frame else { return };
        if let Err(error) = handle(&mut streams, &frame) {
            let allowed = [
                TransportErrorCode::STREAM_STATE_ERROR,
                TransportErrorCode::STREAM_LIMIT_ERROR,
                TransportErrorCode::FINAL_SIZE_ERROR,
                TransportErrorCode::FLOW_CONTROL_ERROR,
                TransportErrorCode::PROTOCOL_VIOLATION,
            ];
            assert!(allowed.contains(&error.code), "{error:?} is no error of streams");
            return;
        }
        if selector & 1 == 1 {
            read(&mut streams);
        }
        let bound = 3 * config.receive_window + (64 << 10);
        assert!(streams.buffered_bytes() as u64 <= bound, "memory follows the window");
    }
}

fn read(streams: &mut Streams) {
    while let Some(event) = streams.poll_event() {
        let id = match event {
            crate::StreamEvent::Opened(direction) => streams.accept(direction),
            crate::StreamEvent::Readable(id) => Some(id),
            _ => None,
        };
        let Some(id) = id else { continue };
        while let Ok(ReadOutcome::Data(chunk)) = streams.recv_stream(id).read_chunk(1000) {
            assert!(!chunk.is_empty(), "data is more than nothing");
        }
    }
}

/// Gives a frame to its handler; other frames than those of streams are ignored.
pub(super) fn handle(streams: &mut Streams, frame: &Frame<'_>) -> Result<(), TransportError> {
    match *frame {
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
        _ => Ok(()),
    }
}

/// Tells the sender of a frame that it arrived, or that it was lost.
pub(super) fn tell_fate(streams: &mut Streams, sent: SentFrame, acked: bool) {
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
        _ => {}
    }
}

//! Streams (RFC 9000 §2 to §4).

mod api;

use std::sync::Arc;
use std::time::Duration;

pub use api::{
    Finished, OpenStreamError, ReadError, ReadOutcome, RecvStream, SendStream, WriteError,
};

use crate::config::TransportConfig;
use crate::error::TransportError;
use crate::event::StreamEvent;
use crate::instant::Instant;
use crate::packet::PacketWriter;
use crate::wire::frame::{
    MaxStreamData, MaxStreams, ResetStream, StopSending, Stream, StreamDataBlocked, StreamsBlocked,
};
use crate::wire::transport_parameters::TransportParameters;
use crate::wire::{Direction, Full, Side, StreamId};

/// All streams of a connection.
#[derive(Debug)]
pub(crate) struct Streams {}

impl Streams {
    pub(crate) fn new(_side: Side, _config: &Arc<TransportConfig>, _hash_key: (u64, u64)) -> Self {
        Self {}
    }
    pub(crate) fn set_peer_parameters(&mut self, _parameters: &TransportParameters) {
        loop {}
    }

    pub(crate) fn open(&mut self, _direction: Direction) -> Result<StreamId, OpenStreamError> {
        loop {}
    }
    pub(crate) fn accept(&mut self, _direction: Direction) -> Option<StreamId> {
        loop {}
    }
    pub(crate) fn send_stream(&mut self, id: StreamId) -> SendStream<'_> {
        SendStream { streams: self, id }
    }
    pub(crate) fn recv_stream(&mut self, id: StreamId) -> RecvStream<'_> {
        RecvStream { streams: self, id }
    }
    pub(crate) fn poll_event(&mut self) -> Option<StreamEvent> {
        loop {}
    }
    pub(crate) fn is_flushed(&self) -> bool {
        loop {}
    }
    pub(crate) fn buffered_bytes(&self) -> usize {
        loop {}
    }
    pub(crate) fn on_connection_over(&mut self) {
        loop {}
    }

    pub(crate) fn handle_stream(&mut self, _frame: Stream<'_>) -> Result<(), TransportError> {
        loop {}
    }
    pub(crate) fn handle_reset_stream(
        &mut self,
        _frame: ResetStream,
    ) -> Result<(), TransportError> {
        loop {}
    }
    pub(crate) fn handle_stop_sending(
        &mut self,
        _frame: StopSending,
    ) -> Result<(), TransportError> {
        loop {}
    }
    pub(crate) fn handle_max_data(&mut self, _maximum: u64) -> Result<(), TransportError> {
        loop {}
    }
    pub(crate) fn handle_max_stream_data(
        &mut self,
        _frame: MaxStreamData,
    ) -> Result<(), TransportError> {
        loop {}
    }
    pub(crate) fn handle_max_streams(&mut self, _frame: MaxStreams) -> Result<(), TransportError> {
        loop {}
    }
    pub(crate) fn handle_data_blocked(&mut self, _limit: u64) -> Result<(), TransportError> {
        loop {}
    }
    pub(crate) fn handle_stream_data_blocked(
        &mut self,
        _frame: StreamDataBlocked,
    ) -> Result<(), TransportError> {
        loop {}
    }
    pub(crate) fn handle_streams_blocked(
        &mut self,
        _frame: StreamsBlocked,
    ) -> Result<(), TransportError> {
        loop {}
    }

    pub(crate) fn has_frames(&self) -> bool {
        loop {}
    }
    pub(crate) fn write_frames(
        &mut self,
        _now: Instant,
        _rtt: Duration,
        _packet: &mut PacketWriter<'_>,
    ) -> Result<(), Full> {
        loop {}
    }

    pub(crate) fn on_stream_acked(
        &mut self,
        _id: StreamId,
        _offset: u64,
        _length: u16,
        _fin: bool,
    ) {
        loop {}
    }
    pub(crate) fn on_stream_lost(&mut self, _id: StreamId, _offset: u64, _length: u16, _fin: bool) {
        loop {}
    }
    pub(crate) fn on_reset_acked(&mut self, _id: StreamId) {
        loop {}
    }
    pub(crate) fn on_reset_lost(&mut self, _id: StreamId) {
        loop {}
    }
    pub(crate) fn on_stop_sending_lost(&mut self, _id: StreamId) {
        loop {}
    }
    pub(crate) fn on_max_data_lost(&mut self) {
        loop {}
    }
    pub(crate) fn on_max_stream_data_lost(&mut self, _id: StreamId) {
        loop {}
    }
    pub(crate) fn on_max_streams_lost(&mut self, _direction: Direction) {
        loop {}
    }
    pub(crate) fn on_data_blocked_lost(&mut self) {
        loop {}
    }
    pub(crate) fn on_stream_data_blocked_lost(&mut self, _id: StreamId) {
        loop {}
    }
    pub(crate) fn on_streams_blocked_lost(&mut self, _direction: Direction) {
        loop {}
    }
}

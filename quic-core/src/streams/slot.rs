//! Streams that take no memory before there are any.

use std::sync::Arc;

use super::Streams;
use crate::config::TransportConfig;
use crate::crypto::KeyedHash;
use crate::wire::transport_parameters::TransportParameters;
use crate::wire::{Direction, Side};

/// A place for a connection's streams, which are made when they are first used: connections that
/// wait, for the end of the handshake or for work, have none.
#[derive(Debug)]
pub(crate) struct StreamsSlot {
    used: Option<Box<Streams>>,
    side: Side,
    config: Arc<TransportConfig>,
    hash: KeyedHash,
    limits: InitialLimits,
}

/// The limits that the peer's transport parameters set (RFC 9000 §18.2).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InitialLimits {
    pub(crate) data: u64,
    pub(crate) stream_data_bidi_local: u64,
    pub(crate) stream_data_bidi_remote: u64,
    pub(crate) stream_data_uni: u64,
    pub(crate) streams_bidi: u64,
    pub(crate) streams_uni: u64,
    /// RESET_STREAM_AT is understood.
    pub(crate) reset_stream_at: bool,
}

impl From<&TransportParameters> for InitialLimits {
    fn from(parameters: &TransportParameters) -> Self {
        Self {
            data: parameters.initial_max_data,
            stream_data_bidi_local: parameters.initial_max_stream_data_bidi_local,
            stream_data_bidi_remote: parameters.initial_max_stream_data_bidi_remote,
            stream_data_uni: parameters.initial_max_stream_data_uni,
            streams_bidi: parameters.initial_max_streams_bidi,
            streams_uni: parameters.initial_max_streams_uni,
            reset_stream_at: parameters.reset_stream_at,
        }
    }
}

impl StreamsSlot {
    /// The peer's limits are all zero until [`set_peer_limits`](Self::set_peer_limits).
    pub(crate) fn new(side: Side, config: Arc<TransportConfig>, hash: KeyedHash) -> Self {
        Self { used: None, side, config, hash, limits: InitialLimits::default() }
    }

    /// The streams, if they were ever used.
    #[inline]
    pub(crate) fn used(&self) -> Option<&Streams> {
        self.used.as_deref()
    }

    /// The streams, if they were ever used.
    #[inline]
    pub(crate) fn used_mut(&mut self) -> Option<&mut Streams> {
        self.used.as_deref_mut()
    }

    /// The streams, which are used from now on.
    #[inline]
    pub(crate) fn get(&mut self) -> &mut Streams {
        let Self { used, side, config, hash, limits } = self;
        used.get_or_insert_with(|| {
            let mut streams = Box::new(Streams::new(*side, config, *hash));
            streams.set_peer_limits(*limits);
            streams
        })
    }

    /// How many streams can be opened now.
    pub(crate) fn left_to_open(&self, direction: Direction) -> u64 {
        match (self.used(), direction) {
            (Some(streams), _) => streams.left_to_open(direction),
            (None, Direction::Bidirectional) => self.limits.streams_bidi,
            (None, Direction::Unidirectional) => self.limits.streams_uni,
        }
    }

    /// See [`Streams::progress`].
    #[inline]
    pub(crate) fn progress(&self) -> u64 {
        self.used().map_or(0, Streams::progress)
    }

    /// The server did not take the early data; see [`Streams::on_early_data_rejected`].
    pub(crate) fn on_early_data_rejected(&mut self) {
        self.limits = InitialLimits::default();
        if let Some(streams) = &mut self.used {
            streams.on_early_data_rejected();
        }
    }

    /// Takes over the peer's initial limits.
    pub(crate) fn set_peer_limits(&mut self, limits: InitialLimits) {
        self.limits = limits;
        if let Some(streams) = &mut self.used {
            streams.set_peer_limits(limits);
        }
    }
}

//! What the application may ask of a connection.

use std::any::Any;
use std::time::Duration;

use super::{Connection, Role, Statistics};
use crate::crypto::HandshakeData;
use crate::error::ConnectionError;
use crate::instant::Instant;
use crate::net::PathAddresses;
use crate::recorder::Origin;
use crate::streams::{OpenStreamError, RecvStream, SendStream, Streams};
use crate::wire::{Direction, Side, SpaceId, StreamId, VarInt};

impl Connection {
    /// Opens a stream (RFC 9000 §2.1). The peer hears of it with its first frame.
    ///
    /// # Errors
    /// - [`OpenStreamError::Blocked`] if the peer allows no more now, or the handshake has not
    ///   told yet; [`StreamEvent::Available`](crate::StreamEvent::Available) follows.
    /// - [`OpenStreamError::ConnectionOver`].
    pub fn open_stream(&mut self, direction: Direction) -> Result<StreamId, OpenStreamError> {
        self.streams.get().open(direction)
    }

    /// How many streams of a direction can be opened now: what the peer allows (RFC 9000 §4.6)
    /// less those that were opened; none before the handshake told, and none once the connection
    /// is over.
    pub fn streams_left(&self, direction: Direction) -> u64 {
        if self.is_over() { 0 } else { self.streams.left_to_open(direction) }
    }

    /// Takes the next stream that the peer opened; `None` until
    /// [`StreamEvent::Opened`](crate::StreamEvent::Opened). If something arrived on it already,
    /// [`StreamEvent::Readable`](crate::StreamEvent::Readable) follows.
    pub fn accept_stream(&mut self, direction: Direction) -> Option<StreamId> {
        self.streams.used_mut()?.accept(direction)
    }

    /// How many streams of a direction the peer may have open at a time from now on, instead of
    /// what the configuration says (RFC 9000 §4.6). Fewer than before takes none away that the
    /// peer was promised: it gets no new ones until so many ended.
    pub fn set_max_concurrent_streams(&mut self, direction: Direction, count: VarInt) {
        self.streams.get().set_max_concurrent(direction, count.into_inner());
    }

    /// The sending part of a stream. Every call on a stream that is not there says so.
    pub fn send_stream(&mut self, id: StreamId) -> SendStream<'_> {
        self.streams.get().send_stream(id)
    }

    /// The receiving part of a stream. Every call on a stream that is not there says so.
    pub fn recv_stream(&mut self, id: StreamId) -> RecvStream<'_> {
        self.streams.get().recv_stream(id)
    }

    /// Starts a key update (RFC 9001 §6); returns whether one could be started: not before the
    /// handshake is confirmed, nor while the last one is not settled.
    pub fn update_keys(&mut self, now: Instant) -> bool {
        let now = self.clock.advance(now);
        let updated = self.keys.one_rtt.as_mut().is_some_and(|keys| keys.initiate_update(now));
        if updated {
            self.provide_next_keys();
            self.record_changes(now, Origin::Local);
        }
        updated
    }

    /// Sends a PING with the next packet, which the peer acknowledges.
    pub fn ping(&mut self) {
        self.space_mut(SpaceId::Application).ping = true;
    }

    /// This end's role.
    pub fn side(&self) -> Side {
        match self.role {
            Role::Client(_) => Side::Client,
            Role::Server(_) => Side::Server,
        }
    }

    /// Whether the handshake is still going on.
    pub fn is_handshaking(&self) -> bool {
        !self.handshake.is_complete() && self.lifecycle.is_alive()
    }

    /// Whether the connection is over: closed by either end, reset or timed out.
    pub fn is_over(&self) -> bool {
        !self.lifecycle.is_alive()
    }

    /// Whether every byte written to any stream, and every FIN and reset, was acknowledged.
    pub fn is_flushed(&self) -> bool {
        self.streams.used().is_none_or(Streams::is_flushed)
    }

    /// Asks for [`StreamEvent::Flushed`](crate::StreamEvent::Flushed) once
    /// [`is_flushed`](Self::is_flushed) is true, which may be at once.
    pub fn notify_when_flushed(&mut self) {
        self.streams.get().notify_when_flushed();
    }

    /// Whether there is something to send, as soon as congestion control and pacing permit it.
    ///
    /// After an action that leaves this false, [`poll_transmit`](Self::poll_transmit) gives
    /// nothing because of that action.
    pub fn wants_transmit(&self) -> bool {
        self.ending.close.is_some()
            || (self.lifecycle.is_alive()
                && (self.paths.off_path_socket().is_some()
                    || SpaceId::ALL.iter().any(|space| self.wants(*space, false))))
    }

    /// How the connection ended, if it did.
    pub fn close_reason(&self) -> Option<&ConnectionError> {
        self.lifecycle.reason()
    }

    /// What TLS agreed on so far; `None` until
    /// [`Event::HandshakeDataReady`](crate::Event::HandshakeDataReady).
    pub fn handshake_data(&self) -> Option<HandshakeData> {
        self.handshake.session().handshake_data()
    }

    /// The peer's certificates, as a `Vec<CertificateDer<'static>>` of rustls, or what else the
    /// [`Session`](crate::crypto::Session) takes for a proof of identity; `None` if it gave none.
    pub fn peer_identity(&self) -> Option<Box<dyn Any + Send>> {
        self.handshake.session().peer_identity()
    }

    /// Fills `out` with bytes that only both ends know (RFC 8446 §7.5); returns whether it could:
    /// not before the handshake is complete; nor, on a server, once it is confirmed, unless
    /// [`keep_exporter`](crate::crypto::TlsServerConfig::keep_exporter) was asked for.
    pub fn export_keying_material(&self, out: &mut [u8], label: &[u8], context: &[u8]) -> bool {
        self.handshake.session().export_keying_material(out, label, context)
    }

    /// The path in use.
    pub fn path(&self) -> PathAddresses {
        self.paths.active().addresses
    }

    /// The smoothed round-trip time of the path in use (RFC 9002 §5.3).
    pub fn rtt(&self) -> Duration {
        self.paths.active().rtt.smoothed()
    }

    /// Counters since the start, and the state of the path in use.
    pub fn statistics(&self) -> Statistics {
        let (path, counters) = (self.paths.active(), &self.counters);
        let (received, marked) = (self.marks_received(), self.paths.marks_sent());
        Statistics {
            datagrams_sent: counters.datagrams_sent,
            datagrams_received: counters.datagrams_received,
            bytes_sent: counters.bytes_sent,
            bytes_received: counters.bytes_received,
            packets_sent: counters.packets_sent,
            packets_received: counters.packets_received,
            packets_lost: counters.packets_lost,
            packets_lost_spuriously: counters.packets_lost_spuriously,
            packets_discarded: counters.packets_discarded,
            batches_sent: counters.batches_sent,
            batches_received: counters.batches_received,
            bytes_lost: counters.bytes_lost,
            congestion_events: counters.congestion_events.into(),
            persistent_congestions: counters.persistent_congestions.into(),
            probe_timeouts: counters.probe_timeouts.into(),
            mtu_probes_lost: counters.mtu_probes_lost.into(),
            rtt: path.rtt.smoothed(),
            latest_rtt: path.rtt.latest(),
            rtt_variation: path.rtt.variation(),
            slow_start_threshold: path.congestion.slow_start_threshold(),
            minimum_rtt: path.rtt.minimum(),
            congestion_window: path.congestion.window(),
            bytes_in_flight: path.in_flight(),
            mtu: path.mtu.current(),
            key_updates: self.keys.one_rtt.as_ref().map_or(0, |keys| keys.updates()),
            ecn: path.ecn.state(),
            ecn_marked_sent: marked.0,
            ecn_congestion_reported: marked.1,
            ecn_capable_received: received.ect0.saturating_add(received.ect1),
            ecn_congestion_received: received.ce,
        }
    }
}

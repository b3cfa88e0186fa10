//! What the recorder is told.
//!
//! Packets, and what becomes of them, are told where it happens. Everything else is looked at
//! after each input and output, and told if it is not as it was.

use std::fmt;

use super::frames::Received;
use super::lifecycle::State;
use super::parameters::{ACK_DELAY_EXPONENT, local_parameters};
use super::seal::HeaderWritten;
use super::{Connection, Role};
use crate::crypto::{Opened, TAG_LENGTH};
use crate::error::DiscardReason;
use crate::instant::Instant;
use crate::net::{EcnState, PathAddresses};
use crate::recorder::{
    CongestionState, ConnectionRecorder, ConnectionState, Datagrams, KeyTrigger, Metrics, Origin,
    PacketHeader, PacketRecord, PacketTrigger, Parameters, PathRecord, Payload, Record, Subject,
    Timer,
};
use crate::transmit::Transmit;
use crate::wire::header::{Header, parse};
use crate::wire::transport_parameters::{TransportParameters, decode};
use crate::wire::{ConnectionId, PacketType, SpaceId};

/// A recorder, and what it knows.
pub(super) struct Recording {
    recorder: Box<dyn ConnectionRecorder>,
    /// The time of the output that is being made.
    now: Instant,
    /// The packet that is being made is a probe.
    is_probe: bool,
    told: Told,
}

/// What the recorder was told last.
#[derive(Debug, Default)]
struct Told {
    state: Option<ConnectionState>,
    path: Option<PathAddresses>,
    remote_id: Option<ConnectionId>,
    mtu: Option<u16>,
    ecn: Option<EcnState>,
    version: Option<u32>,
    local_parameters: bool,
    peer_parameters: bool,
    protocol: bool,
    /// In the order of [`KEYS`].
    keys: [bool; KEYS.len()],
    key_updates: u64,
    metrics: Option<Metrics>,
    congestion: Option<CongestionState>,
    congestion_events: u32,
}

/// Keys that come and go.
const KEYS: [PacketType; 4] =
    [PacketType::Initial, PacketType::Handshake, PacketType::OneRtt, PacketType::ZeroRtt];

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recording").field(&self.recorder).finish()
    }
}

/// A type of packets that are numbered in this space.
pub(super) fn numbered_in(space: SpaceId) -> PacketType {
    match space {
        SpaceId::Initial => PacketType::Initial,
        SpaceId::Handshake => PacketType::Handshake,
        SpaceId::Application => PacketType::OneRtt,
    }
}

impl Recording {
    pub(super) fn record(&mut self, now: Instant, record: &Record<'_>) {
        self.recorder.record(now, record);
    }

    /// Tells what has changed.
    fn tell_changes(&mut self, now: Instant, connection: &Connection, origin: Origin) {
        self.tell_start(now, connection);
        self.tell_parameters(now, connection);
        self.tell_keys(now, connection, origin);
        self.tell_state(now, connection);
        self.tell_path(now, connection);
        self.tell_metrics(now, connection);
        self.tell_congestion(now, connection);
    }

    fn tell_start(&mut self, now: Instant, connection: &Connection) {
        if self.told.path.is_none() {
            self.told.path = Some(connection.paths.active().addresses);
            self.record(now, &Record::Started(connection.path_record()));
            let mut parameters = connection.recovery.record();
            let path = connection.paths.active();
            parameters.initial_rtt = path.rtt.smoothed();
            parameters.max_datagram_size = path.mtu.current();
            parameters.congestion_window = path.congestion.window();
            self.record(now, &Record::RecoveryParametersSet(parameters));
        }
        if self.told.version != Some(connection.version) {
            self.told.version = Some(connection.version);
            self.record(now, &Record::VersionChosen { version: connection.version });
        }
    }

    fn tell_parameters(&mut self, now: Instant, connection: &Connection) {
        if !self.told.local_parameters {
            self.told.local_parameters = true;
            let own = connection.own_parameters();
            let parameters = Parameters::new(&own);
            self.record(now, &Record::ParametersSet { origin: Origin::Local, parameters });
        }
        if !self.told.protocol && connection.handshake.is_complete() {
            self.told.protocol = true;
            let data = connection.handshake_data();
            if let Some(protocol) = data.and_then(|data| data.protocol) {
                self.record(now, &Record::AlpnChosen { protocol: &protocol });
            }
        }
        if !self.told.peer_parameters && connection.peer.has_parameters {
            self.told.peer_parameters = true;
            let bytes = connection.handshake.session().peer_parameters();
            let decoded = bytes.map(|bytes| decode(bytes, !connection.side()));
            if let Some(Ok(theirs)) = decoded {
                let parameters = Parameters::new(&theirs);
                self.record(now, &Record::ParametersSet { origin: Origin::Remote, parameters });
            }
        }
    }

    fn tell_keys(&mut self, now: Instant, connection: &Connection, origin: Origin) {
        let keys = &connection.keys;
        let there = [
            keys.initial.is_some(),
            keys.handshake.is_some(),
            keys.one_rtt.is_some(),
            connection.has_early_keys(),
        ];
        let before = std::mem::replace(&mut self.told.keys, there);
        for ((packet_type, had), has) in KEYS.into_iter().zip(before).zip(there) {
            let phase = (packet_type == PacketType::OneRtt).then_some(0);
            let trigger = KeyTrigger::Tls;
            match (had, has) {
                (false, true) => {
                    self.record(now, &Record::KeysUpdated { packet_type, phase, trigger });
                }
                (true, false) => self.record(now, &Record::KeysDiscarded { packet_type }),
                (true, true) | (false, false) => {}
            }
        }
        let updates = keys.one_rtt.as_ref().map_or(0, |keys| keys.updates());
        if updates != self.told.key_updates {
            self.told.key_updates = updates;
            let trigger = match origin {
                Origin::Local => KeyTrigger::Local,
                Origin::Remote => KeyTrigger::Remote,
            };
            let (packet_type, phase) = (PacketType::OneRtt, Some(updates));
            self.record(now, &Record::KeysUpdated { packet_type, phase, trigger });
        }
    }

    fn tell_state(&mut self, now: Instant, connection: &Connection) {
        let new = connection.state_to_tell();
        let complete = ConnectionState::HandshakeComplete;
        // A server's handshake is confirmed as soon as it is complete.
        let was_before = self.told.state.is_some_and(|told| told < complete);
        let both = new == ConnectionState::HandshakeConfirmed && was_before;
        for new in [Some(complete).filter(|_| both), Some(new)].into_iter().flatten() {
            let old = self.told.state;
            if old != Some(new) {
                self.told.state = Some(new);
                self.record(now, &Record::StateChanged { old, new });
            }
        }
    }

    fn tell_path(&mut self, now: Instant, connection: &Connection) {
        let path = connection.paths.active();
        if self.told.path != Some(path.addresses) {
            self.told.path = Some(path.addresses);
            self.record(now, &Record::PathChanged(connection.path_record()));
        }
        let new = *connection.remote_ids.active();
        let old = self.told.remote_id;
        if old != Some(new) {
            self.told.remote_id = Some(new);
            self.record(now, &Record::ConnectionIdChanged { old, new });
        }
        let (old, new) = (self.told.mtu, path.mtu.current());
        if old != Some(new) {
            self.told.mtu = Some(new);
            self.record(now, &Record::MtuChanged { old, new });
        }
        let (old, new) = (self.told.ecn, path.ecn.state());
        if old != Some(new) {
            self.told.ecn = Some(new);
            self.record(now, &Record::EcnStateChanged { old, new });
        }
    }

    fn tell_metrics(&mut self, now: Instant, connection: &Connection) {
        let new = connection.metrics();
        if self.told.metrics != Some(new) {
            let old = self.told.metrics.replace(new);
            self.record(now, &Record::MetricsUpdated { old: old.as_ref(), new: &new });
        }
    }

    fn tell_congestion(&mut self, now: Instant, connection: &Connection) {
        let path = connection.paths.active();
        let window = path.congestion.window();
        let events = connection.counters.congestion_events;
        let threshold = path.congestion.slow_start_threshold();
        let old = self.told.congestion;
        let is_new_event = events != self.told.congestion_events;
        self.told.congestion_events = events;
        let has_grown = threshold.is_none_or(|threshold| window > threshold);
        let new = if is_new_event || (old == Some(CongestionState::Recovery) && !has_grown) {
            CongestionState::Recovery
        } else if threshold.is_none_or(|threshold| window < threshold) {
            CongestionState::SlowStart
        } else {
            CongestionState::CongestionAvoidance
        };
        if old != Some(new) {
            self.told.congestion = Some(new);
            self.record(now, &Record::CongestionStateChanged { old, new });
        }
    }
}

impl Connection {
    /// Asks the configuration's recorder whether this connection is to be recorded.
    pub(super) fn begin_recording(&mut self, now: Instant) {
        if let Some(recorder) = &self.endpoint.recorder {
            let recorder = recorder.begin(now, &self.subject());
            self.set_recorder(now, recorder);
        }
    }

    /// Has this connection recorded from now on, or no more. It is told the present state first,
    /// and hears of no packet that was sent or received before.
    pub fn set_recorder(&mut self, now: Instant, recorder: Option<Box<dyn ConnectionRecorder>>) {
        let now = self.clock.advance(now);
        self.recording = recorder.map(|recorder| {
            let told = Told {
                key_updates: self.keys.one_rtt.as_ref().map_or(0, |keys| keys.updates()),
                congestion_events: self.counters.congestion_events,
                ..Told::default()
            };
            Box::new(Recording { recorder, now, is_probe: false, told })
        });
        self.record_changes(now, Origin::Local);
    }

    /// What the connection is known by in records: both ends know the ID.
    pub fn subject(&self) -> Subject {
        Subject::new(self.ids_seen.original_destination, self.side())
    }

    /// Tells the recorder, if there is one.
    #[inline]
    pub(super) fn record(&mut self, now: Instant, record: &Record<'_>) {
        if let Some(recording) = &mut self.recording {
            recording.record(now, record);
        }
    }

    /// Tells what has changed, at the end of an input or output that `origin` caused.
    #[inline]
    pub(super) fn record_changes(&mut self, now: Instant, origin: Origin) {
        if self.recording.is_some() {
            self.tell_changes(now, origin);
        }
    }

    #[cold]
    fn tell_changes(&mut self, now: Instant, origin: Origin) {
        if let Some(mut recording) = self.recording.take() {
            recording.tell_changes(now, self, origin);
            self.recording = Some(recording);
        }
    }

    /// An output begins.
    #[inline]
    pub(super) fn record_output_begins(&mut self, now: Instant) {
        if let Some(recording) = &mut self.recording {
            recording.now = now;
        }
    }

    /// An output is made.
    #[inline]
    pub(super) fn record_output(&mut self, now: Instant, transmit: Option<&Transmit>) {
        if let Some(recording) = &mut self.recording {
            if let Some(Transmit { length, segment_length, ecn, .. }) = transmit {
                let datagrams = Datagrams::new(*length, *segment_length, *ecn);
                recording.record(now, &Record::DatagramsSent(datagrams));
            }
            self.tell_changes(now, Origin::Local);
        }
    }

    /// The next packet is a probe, if it is one.
    #[inline]
    pub(super) fn record_probe(&mut self, space: SpaceId, acks_only: bool) {
        if self.recording.is_some() {
            let is_probe = !acks_only && self.space(space).probes > 0;
            if let Some(recording) = &mut self.recording {
                recording.is_probe = is_probe;
            }
        }
    }

    /// A packet is about to be sealed.
    #[inline]
    pub(super) fn record_sent(&mut self, packet: &[u8], header: &HeaderWritten) {
        if let Some(mut recording) = self.recording.take() {
            self.tell_sent(&mut recording, packet, header);
            self.recording = Some(recording);
        }
    }

    #[cold]
    fn tell_sent(&self, recording: &mut Recording, packet: &[u8], written: &HeaderWritten) {
        let end = packet.len().saturating_sub(TAG_LENGTH);
        let payload = packet.get(written.length()..end).unwrap_or_default();
        // Of a packet off the active path, it is another one than the active one.
        let id = written.short_destination(packet).unwrap_or(*self.remote_ids.active());
        let mut header = match parse(packet, id.length()) {
            Ok(Header::Long(long)) => {
                let ty = super::receive::packet_type(long.ty);
                let mut header = PacketHeader::new(ty, written.number(), long.destination_id, 0);
                header.source_id = Some(long.source_id);
                header.version = Some(long.version);
                header.token_length = Some(long.token.len());
                header
            }
            // A version that nobody knows is dressed as one that is; see `start`.
            _ if written.is_long() => {
                let mut header = PacketHeader::new(PacketType::Initial, written.number(), id, 0);
                header.version = Some(self.version);
                header
            }
            _ => {
                let first = packet.first().copied().unwrap_or_default();
                PacketHeader::new(PacketType::OneRtt, written.number(), id, first)
            }
        };
        header.token_length = header.token_length.filter(|length| *length > 0);
        let payload = Payload::new(payload, ACK_DELAY_EXPONENT);
        let mut record = PacketRecord::new(header, packet.len(), payload);
        let is_probe = std::mem::take(&mut recording.is_probe);
        record.trigger = is_probe.then_some(PacketTrigger::Probe);
        record.is_mtu_probe = packet.len() > usize::from(self.paths.active().mtu.current());
        recording.record(recording.now, &Record::PacketSent(record));
    }

    /// An authentic packet arrived.
    #[inline]
    pub(super) fn record_received(&mut self, received: &Received, opened: &Opened<'_>) {
        if self.recording.is_some() {
            self.tell_received(received, opened);
        }
    }

    #[cold]
    fn tell_received(&mut self, received: &Received, opened: &Opened<'_>) {
        let Received { now, packet_type, destination_id, source_id, .. } = *received;
        let mut header =
            PacketHeader::new(packet_type, opened.number, destination_id, opened.first_byte);
        header.source_id = source_id;
        header.version = source_id.map(|_| received.other_version.unwrap_or(self.version));
        let payload = Payload::new(opened.payload, self.peer.ack_delay_exponent);
        let mut record = PacketRecord::new(header, received.length, payload);
        record.trigger = (received.at < now).then_some(PacketTrigger::KeysAvailable);
        self.record(now, &Record::PacketReceived(record));
    }

    /// A packet or datagram is dropped unread.
    pub(super) fn discard(&mut self, now: Instant, reason: DiscardReason) {
        self.counters.packets_discarded += 1;
        self.record(now, &Record::PacketDiscarded { reason });
    }

    /// A timer expired.
    pub(super) fn record_timer(&mut self, now: Instant, timer: Timer, space: Option<SpaceId>) {
        let packet_type = space.map(numbered_in);
        self.record(now, &Record::TimerExpired { timer, packet_type });
    }

    fn path_record(&self) -> PathRecord {
        let PathAddresses { local_ip, remote, .. } = self.paths.active().addresses;
        PathRecord::new(local_ip, remote, self.ids_seen.local_source, *self.remote_ids.active())
    }

    /// The parameters that this end announces.
    fn own_parameters(&self) -> TransportParameters {
        let ids = &self.ids_seen;
        match &self.role {
            Role::Client(client) => local_parameters(&client.transport, ids.local_source),
            Role::Server(server) => TransportParameters {
                original_destination_connection_id: Some(ids.original_destination),
                retry_source_connection_id: ids.retry_source,
                ..local_parameters(&server.config.transport, ids.local_source)
            },
        }
    }

    fn state_to_tell(&self) -> ConnectionState {
        match self.lifecycle.state() {
            State::Handshaking if self.keys.handshake.is_some() => {
                ConnectionState::HandshakeStarted
            }
            State::Handshaking => ConnectionState::Attempted,
            State::Established if self.handshake.is_confirmed() => {
                ConnectionState::HandshakeConfirmed
            }
            State::Established => ConnectionState::HandshakeComplete,
            State::Closing => ConnectionState::Closing,
            State::Draining => ConnectionState::Draining,
            State::Drained => ConnectionState::Closed,
        }
    }

    fn metrics(&self) -> Metrics {
        let path = self.paths.active();
        let mut metrics = Metrics::new(path.congestion.window());
        metrics.bytes_in_flight = path.in_flight();
        metrics.slow_start_threshold = path.congestion.slow_start_threshold();
        metrics.pacing_rate = path.congestion.pacing_rate();
        metrics.pto_count = self.recovery.pto_count();
        metrics.minimum_rtt = path.rtt.minimum();
        metrics.smoothed_rtt = path.rtt.smoothed();
        metrics.latest_rtt = path.rtt.latest();
        metrics.rtt_variation = path.rtt.variation();
        metrics
    }
}

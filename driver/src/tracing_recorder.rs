//! Connections as spans of `tracing`.

use quic_core::{ConnectionRecorder, Instant, Record, Recorder, Subject};
use tracing::{Level, Span, debug, info, info_span, trace};

/// Tells `tracing` of every connection: a span `quic` with the connection's ID and this end's role,
/// and events in it. How a connection comes along, moves and ends is at level INFO; its parameters,
/// keys, connection IDs, estimates of the path and losses at DEBUG; packets and metrics at TRACE.
///
/// Where no subscriber wants INFO of this crate when a connection begins, it costs nothing, and the
/// connection is never heard of.
///
/// ```
/// use std::sync::Arc;
///
/// use driver::{EndpointConfig, SharedRecorder, TracingRecorder};
///
/// let mut config = EndpointConfig::default();
/// config.recorder = Some(SharedRecorder::new(Arc::new(TracingRecorder)));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingRecorder;

impl Recorder for TracingRecorder {
    fn begin(&self, _now: Instant, subject: &Subject) -> Option<Box<dyn ConnectionRecorder>> {
        if !tracing::enabled!(Level::INFO) {
            return None;
        }
        let span = info_span!("quic", connection = %subject.id, side = ?subject.side);
        Some(Box::new(Spanned { span }))
    }
}

#[derive(Debug)]
struct Spanned {
    span: Span,
}

impl ConnectionRecorder for Spanned {
    #[expect(clippy::wildcard_enum_match_arm, reason = "what can be told grows")]
    fn record(&mut self, _now: Instant, record: &Record<'_>) {
        let parent = &self.span;
        match record {
            Record::Started(path) => info!(parent: parent, remote = %path.remote, "started"),
            Record::StateChanged { new, .. } => info!(parent: parent, state = ?new, "state"),
            Record::Closed { error, code } => {
                info!(parent: parent, reason = %error, code = ?code, "closed");
            }
            Record::AlpnChosen { protocol } => {
                info!(parent: parent, protocol = %protocol.escape_ascii(), "protocol chosen");
            }
            Record::PathChanged(path) => info!(parent: parent, remote = %path.remote, "moved"),
            Record::VersionChosen { version } => debug!(parent: parent, version, "version chosen"),
            Record::ParametersSet { origin, parameters } => {
                debug!(parent: parent, origin = ?origin, parameters = ?parameters, "parameters");
            }
            Record::KeysUpdated { packet_type, phase, trigger } => {
                debug!(parent: parent, keys = ?packet_type, ?phase, ?trigger, "keys updated");
            }
            Record::KeysDiscarded { packet_type } => {
                debug!(parent: parent, keys = ?packet_type, "keys discarded");
            }
            Record::TimerExpired { timer, .. } => {
                debug!(parent: parent, timer = ?timer, "timer expired");
            }
            Record::PacketLost(loss) => {
                let (number, trigger) = (loss.number, loss.trigger);
                debug!(parent: parent, packet_type = ?loss.packet_type, number, ?trigger, "lost");
            }
            Record::RetryReceived(retry) => {
                let (version, token_length) = (retry.version, retry.token_length);
                debug!(parent: parent, version, token_length, "Retry");
            }
            Record::VersionNegotiationReceived(packet) => {
                let versions = || packet.versions().collect::<Vec<_>>();
                debug!(parent: parent, versions = ?versions(), "Version Negotiation");
            }
            Record::PacketDiscarded { reason } => debug!(parent: parent, ?reason, "dropped"),
            Record::PacketBuffered { packet_type, length } => {
                debug!(parent: parent, ?packet_type, length, "kept until its keys come");
            }
            Record::PacketSent(_) | Record::PacketReceived(_) | Record::MetricsUpdated { .. } => {
                self.trace(record);
            }
            _ => self.tell_of_path(record),
        }
    }
}

impl Spanned {
    /// What is known of the path.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what can be told grows")]
    fn tell_of_path(&self, record: &Record<'_>) {
        let parent = &self.span;
        match record {
            Record::MtuChanged { new, .. } => debug!(parent: parent, mtu = new, "MTU changed"),
            Record::CongestionStateChanged { new, .. } => {
                debug!(parent: parent, state = ?new, "congestion control");
            }
            Record::EcnStateChanged { new, .. } => debug!(parent: parent, state = ?new, "ECN"),
            Record::ConnectionIdChanged { new, .. } => {
                debug!(parent: parent, to = %new, "the peer's connection ID");
            }
            _ => {}
        }
    }

    /// What there is of every packet.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is told elsewhere")]
    fn trace(&self, record: &Record<'_>) {
        let parent = &self.span;
        match record {
            Record::PacketSent(packet) => {
                let (number, length) = (packet.header.number, packet.length);
                let packet_type = packet.header.packet_type;
                trace!(parent: parent, ?packet_type, number, length, "packet sent");
            }
            Record::PacketReceived(packet) => {
                let (number, length) = (packet.header.number, packet.length);
                let packet_type = packet.header.packet_type;
                trace!(parent: parent, ?packet_type, number, length, "packet received");
            }
            Record::MetricsUpdated { new, .. } => trace!(parent: parent, metrics = ?new, "metrics"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use quic_core::{ConnectionId, EcnState, PacketType, Side};
    use tracing::span::{Attributes, Id};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// Counts spans and events up to a level.
    struct Counter {
        level: Level,
        spans: AtomicUsize,
        events: AtomicUsize,
    }

    impl Subscriber for Counter {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.level() <= &self.level
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1 + self.spans.fetch_add(1, Ordering::Relaxed) as u64)
        }

        fn record(&self, _: &Id, _: &tracing::span::Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            assert_eq!(event.parent(), Some(&Id::from_u64(1)), "events are in the span");
            self.events.fetch_add(1, Ordering::Relaxed);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    /// Spans and events at a level, and whether the connection was recorded.
    fn at(level: Level) -> (usize, usize, bool) {
        let (spans, events) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let counter = Arc::new(Counter { level, spans, events });
        let recorded = tracing::subscriber::with_default(Arc::clone(&counter), || {
            let subject = Subject::new(ConnectionId::EMPTY, Side::Client);
            let recorder = TracingRecorder.begin(Instant::EPOCH, &subject);
            let Some(mut recorder) = recorder else { return false };
            let now = Instant::EPOCH;
            recorder.record(now, &Record::AlpnChosen { protocol: b"h3" });
            recorder.record(now, &Record::VersionChosen { version: 1 });
            let new = EcnState::Failed;
            recorder.record(now, &Record::EcnStateChanged { old: None, new });
            let new = ConnectionId::EMPTY;
            recorder.record(now, &Record::ConnectionIdChanged { old: None, new });
            let (packet_type, length) = (PacketType::Handshake, 7);
            recorder.record(now, &Record::PacketBuffered { packet_type, length });
            recorder.record(now, &Record::FrameAcked { frame_type: 1, packet: 1 });
            true
        });
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        (count(&counter.spans), count(&counter.events), recorded)
    }

    #[test]
    fn a_connection_is_a_span_with_what_the_subscriber_wants_to_hear() {
        assert_eq!(at(Level::WARN), (0, 0, false));
        assert_eq!(at(Level::INFO), (1, 1, true));
        assert_eq!(at(Level::DEBUG), (1, 5, true));
    }
}

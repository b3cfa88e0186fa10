//! Events as qlog has them (draft-ietf-quic-qlog-quic-events §4 to §7).

use std::net::IpAddr;

use quic_core::{
    CongestionState, ConnectionError, ConnectionId, ConnectionState, EcnState, KeyTrigger, Metrics,
    Origin, PacketType, ParameterValue, Parameters, PathRecord, Record, RecoveryParameters, Side,
    Timer, TransportError,
};

use crate::errors;
use crate::json::{Object, plain};
use crate::packets;
use crate::time::milliseconds;

/// Writes events of one time and one end of a connection, each as a record of RFC 7464.
#[derive(Debug)]
pub(crate) struct Events<'a> {
    pub(crate) out: &'a mut String,
    /// In milliseconds since the reference time.
    pub(crate) time: f64,
    /// How many were written.
    pub(crate) count: u64,
}

impl Events<'_> {
    /// Writes one event, whose data `write` fills in.
    pub(crate) fn event(&mut self, name: &str, write: impl FnOnce(&mut Object<'_>)) {
        self.out.push('\u{1e}');
        let mut event = Object::begin(self.out);
        event.float("time", self.time);
        event.quoted("name", name);
        write(&mut event.object("data"));
        drop(event);
        self.out.push('\n');
        self.count = self.count.saturating_add(1);
    }

    /// Writes what there is of `record` in qlog.
    pub(crate) fn record(&mut self, record: &Record<'_>) {
        match record {
            Record::AlpnChosen { protocol } => {
                self.event("quic:alpn_information", |data| write_alpn(data, protocol));
            }
            Record::Closed { error, code } => {
                self.event("quic:connection_closed", |data| write_closed(data, error, *code));
            }
            Record::CongestionStateChanged { old, new } => {
                self.event("quic:congestion_state_updated", |data| {
                    if let Some(old) = old {
                        data.quoted("old", congestion_state(*old));
                    }
                    data.quoted("new", congestion_state(*new));
                });
            }
            Record::ConnectionIdChanged { old, new } => {
                self.event("quic:connection_id_updated", |data| {
                    data.quoted("initiator", "remote");
                    if let Some(old) = old {
                        data.hex("old", old.as_slice());
                    }
                    data.hex("new", new.as_slice());
                });
            }
            // What is off for good is in no state of qlog's.
            Record::EcnStateChanged { new: EcnState::Off, .. } => {}
            Record::EcnStateChanged { old, new } => self.event("quic:ecn_state_updated", |data| {
                if let Some(old) = old.filter(|old| *old != EcnState::Off) {
                    data.quoted("old", ecn_state(old));
                }
                data.quoted("new", ecn_state(*new));
            }),
            Record::MtuChanged { old, new } => self.event("quic:mtu_updated", |data| {
                if let Some(old) = old {
                    data.plain("old", old);
                }
                data.plain("new", new);
            }),
            Record::PathChanged(path) => self.event("quic:tuple_assigned", |data| {
                // The only one: the one that events without a tuple are about.
                data.quoted("tuple_id", "");
                write_endpoint(
                    &mut data.object("tuple_remote"),
                    Some(path.remote.ip()),
                    Some(path.remote.port()),
                    path.remote_id,
                );
                write_endpoint(&mut data.object("tuple_local"), path.local, None, path.local_id);
            }),
            Record::Started(path) => {
                self.event("quic:connection_started", |data| write_started(data, path));
            }
            Record::StateChanged { old, new } => {
                self.event("quic:connection_state_updated", |data| {
                    if let Some(old) = old {
                        data.quoted("old", connection_state(*old));
                    }
                    data.quoted("new", connection_state(*new));
                });
            }
            Record::VersionChosen { version } => {
                self.event("quic:version_information", |data| {
                    data.quoted("chosen_version", format_args!("{version:08x}"));
                });
            }
            _ => self.packet_record(record),
        }
    }

    fn packet_record(&mut self, record: &Record<'_>) {
        match record {
            Record::DatagramsReceived(datagrams) => {
                self.event("quic:udp_datagrams_received", |data| {
                    packets::write_datagrams(data, datagrams);
                });
            }
            Record::DatagramsSent(datagrams) => self.event("quic:udp_datagrams_sent", |data| {
                packets::write_datagrams(data, datagrams);
            }),
            Record::PacketBuffered { packet_type, length } => {
                self.event("quic:packet_buffered", |data| {
                    packets::write_buffered(data, *packet_type, *length);
                });
            }
            Record::PacketDiscarded { reason } => self.event("quic:packet_dropped", |data| {
                packets::write_dropped(data, *reason);
            }),
            Record::PacketLost(loss) => {
                self.event("quic:packet_lost", |data| packets::write_lost(data, loss));
            }
            Record::PacketReceived(packet) => {
                self.event("quic:packet_received", |data| packets::write(data, packet));
            }
            Record::PacketSent(packet) => {
                self.event("quic:packet_sent", |data| packets::write(data, packet));
            }
            Record::RetryReceived(retry) => {
                self.event("quic:packet_received", |data| packets::write_retry(data, retry));
            }
            Record::VersionNegotiationReceived(packet) => {
                self.event("quic:packet_received", |data| {
                    packets::write_version_negotiation(data, packet);
                });
            }
            _ => self.other_record(record),
        }
    }

    fn other_record(&mut self, record: &Record<'_>) {
        match record {
            Record::KeysDiscarded { packet_type } => self.for_both_keys(|side, events| {
                events.event("quic:key_discarded", |data| {
                    data.quoted("key_type", key_type(*packet_type, side));
                    data.quoted("trigger", "tls");
                });
            }),
            Record::KeysUpdated { packet_type, phase, trigger } => {
                self.for_both_keys(|side, events| {
                    events.event("quic:key_updated", |data| {
                        data.quoted("key_type", key_type(*packet_type, side));
                        write_key_phase(data, *phase);
                        data.quoted("trigger", key_trigger(*trigger));
                    });
                });
            }
            Record::MetricsUpdated { old, new } => {
                self.event("quic:recovery_metrics_updated", |data| write_metrics(data, *old, new));
            }
            Record::ParametersSet { origin, parameters } => {
                self.event("quic:parameters_set", |data| {
                    write_parameters(data, *origin, *parameters);
                });
            }
            Record::RecoveryParametersSet(parameters) => {
                self.event("quic:recovery_parameters_set", |data| {
                    write_recovery_parameters(data, parameters);
                });
            }
            Record::TimerExpired { timer, packet_type } => {
                self.event("quic:timer_updated", |data| {
                    data.quoted("timer_type", timer_type(*timer));
                    if let Some(packet_type) = packet_type {
                        data.quoted("packet_number_space", packets::space(*packet_type));
                    }
                    data.quoted("event_type", "expired");
                });
            }
            // What packets carried is said where they were sent.
            _ => {}
        }
    }

    /// Both ends have keys of their own to send with, which come and go together.
    fn for_both_keys(&mut self, write: impl Fn(Side, &mut Self)) {
        write(Side::Client, self);
        write(Side::Server, self);
    }

    /// Packets of ours that were acknowledged together.
    pub(crate) fn acked(&mut self, packet_type: PacketType, numbers: &[u64]) {
        self.event("quic:packets_acked", |data| {
            data.quoted("packet_number_space", packets::space(packet_type));
            let mut array = data.array("packet_numbers");
            for number in numbers {
                plain(array.value(), number);
            }
        });
    }

    /// Something that whoever reads this has to know.
    pub(crate) fn warning(&mut self, message: &str) {
        self.event("loglevel:warning", |data| data.text("message", message));
    }
}

fn write_alpn(data: &mut Object<'_>, protocol: &[u8]) {
    let mut chosen = data.object("chosen_alpn");
    chosen.hex("byte_value", protocol);
    if let Ok(text) = str::from_utf8(protocol) {
        chosen.text("string_value", text);
    }
}

fn write_started(data: &mut Object<'_>, path: &PathRecord) {
    write_endpoint(&mut data.object("local"), path.local, None, path.local_id);
    let (ip, port) = (path.remote.ip(), path.remote.port());
    write_endpoint(&mut data.object("remote"), Some(ip), Some(port), path.remote_id);
}

fn write_endpoint(
    object: &mut Object<'_>,
    ip: Option<IpAddr>,
    port: Option<u16>,
    id: ConnectionId,
) {
    let (ip_name, port_name) = match ip {
        Some(IpAddr::V6(_)) => ("ip_v6", "port_v6"),
        Some(IpAddr::V4(_)) | None => ("ip_v4", "port_v4"),
    };
    if let Some(ip) = ip {
        object.quoted(ip_name, ip);
    }
    if let Some(port) = port {
        object.plain(port_name, port);
    }
    let mut ids = object.array("connection_ids");
    crate::json::hex(ids.value(), id.as_slice());
}

fn write_closed(data: &mut Object<'_>, error: &ConnectionError, code: Option<u64>) {
    let (initiator, trigger) = match error {
        ConnectionError::ApplicationClosed(_) => ("remote", "application"),
        ConnectionError::ConnectionClosed(_) => ("remote", "error"),
        ConnectionError::Reset => ("remote", "stateless_reset"),
        ConnectionError::LocallyClosed => ("local", "application"),
        ConnectionError::HandshakeTimedOut => ("local", "aborted"),
        ConnectionError::TimedOut => ("local", "idle_timeout"),
        ConnectionError::VersionMismatch => ("local", "version_mismatch"),
        ConnectionError::TransportError(_) => ("local", "error"),
        _ => ("local", "unspecified"),
    };
    data.quoted("initiator", initiator);
    match error {
        ConnectionError::ApplicationClosed(close) => {
            errors::unknown(data, "application_error", close.error_code.into_inner());
            if let Ok(reason) = str::from_utf8(&close.reason) {
                data.text("reason", reason);
            }
        }
        ConnectionError::ConnectionClosed(error) | ConnectionError::TransportError(error) => {
            write_transport_error(data, error);
        }
        _ => {
            if let Some(code) = code {
                errors::unknown(data, "application_error", code);
            }
            data.text("reason", &error.to_string());
        }
    }
    data.quoted("trigger", trigger);
}

fn write_transport_error(data: &mut Object<'_>, error: &TransportError) {
    errors::transport(data, "connection_error", error.code.value());
    data.text("reason", &error.reason);
}

fn write_parameters(data: &mut Object<'_>, origin: Origin, parameters: Parameters<'_>) {
    data.quoted(
        "initiator",
        match origin {
            Origin::Local => "local",
            Origin::Remote => "remote",
        },
    );
    for (name, value) in parameters.iter() {
        match value {
            ParameterValue::Integer(number) => data.plain(name, number),
            ParameterValue::Flag(is_set) => data.plain(name, is_set),
            ParameterValue::Id(id) => data.hex(name, id.as_slice()),
            // Its reset token is a secret, without which there is no such thing in qlog.
            _ => {}
        }
    }
}

fn write_recovery_parameters(data: &mut Object<'_>, parameters: &RecoveryParameters) {
    data.plain("reordering_threshold", parameters.packet_threshold);
    data.float("time_threshold", f64::from(parameters.time_threshold_eighths) / 8.0);
    data.plain("timer_granularity", parameters.granularity.as_millis());
    data.float("initial_rtt", milliseconds(parameters.initial_rtt));
    data.plain("max_datagram_size", parameters.max_datagram_size);
    data.plain("initial_congestion_window", parameters.congestion_window);
    let threshold = parameters.persistent_congestion_threshold;
    data.plain("persistent_congestion_threshold", threshold);
}

fn write_key_phase(data: &mut Object<'_>, phase: Option<u64>) {
    if let Some(phase) = phase {
        data.plain("key_phase", phase);
    }
}

fn write_metrics(data: &mut Object<'_>, old: Option<&Metrics>, new: &Metrics) {
    let times = [
        ("min_rtt", old.map(|old| old.minimum_rtt), new.minimum_rtt),
        ("smoothed_rtt", old.map(|old| old.smoothed_rtt), new.smoothed_rtt),
        ("latest_rtt", old.map(|old| old.latest_rtt), new.latest_rtt),
        ("rtt_variance", old.map(|old| old.rtt_variation), new.rtt_variation),
    ];
    for (name, _, now) in times.into_iter().filter(|(_, before, now)| *before != Some(*now)) {
        data.float(name, milliseconds(now));
    }
    let bits = |rate: Option<u64>| rate.map(|bytes| bytes.saturating_mul(8));
    let numbers = [
        ("pto_count", old.map(|old| old.pto_count.into()), Some(u64::from(new.pto_count))),
        ("congestion_window", old.map(|old| old.congestion_window), Some(new.congestion_window)),
        ("bytes_in_flight", old.map(|old| old.bytes_in_flight), Some(new.bytes_in_flight)),
        ("ssthresh", old.and_then(|old| old.slow_start_threshold), new.slow_start_threshold),
        ("pacing_rate", old.and_then(|old| bits(old.pacing_rate)), bits(new.pacing_rate)),
    ];
    for (name, before, now) in numbers {
        if let Some(now) = now.filter(|now| before != Some(*now)) {
            data.plain(name, now);
        }
    }
}

fn connection_state(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Attempted => "attempted",
        ConnectionState::HandshakeStarted => "handshake_started",
        ConnectionState::HandshakeComplete => "handshake_complete",
        ConnectionState::HandshakeConfirmed => "handshake_confirmed",
        ConnectionState::Closing => "closing",
        ConnectionState::Draining => "draining",
        _ => "closed",
    }
}

fn ecn_state(state: EcnState) -> &'static str {
    match state {
        EcnState::Testing => "testing",
        EcnState::Capable => "capable",
        EcnState::Failed => "failed",
        _ => "unknown",
    }
}

fn congestion_state(state: CongestionState) -> &'static str {
    match state {
        CongestionState::SlowStart => "slow_start",
        CongestionState::Recovery => "recovery",
        _ => "congestion_avoidance",
    }
}

fn key_trigger(trigger: KeyTrigger) -> &'static str {
    match trigger {
        KeyTrigger::Tls => "tls",
        KeyTrigger::Local => "local_update",
        KeyTrigger::Remote => "remote_update",
    }
}

fn key_type(packet_type: PacketType, side: Side) -> &'static str {
    match (packet_type, side) {
        (PacketType::Initial, Side::Client) => "client_initial_secret",
        (PacketType::Initial, Side::Server) => "server_initial_secret",
        (PacketType::Handshake, Side::Client) => "client_handshake_secret",
        (PacketType::Handshake, Side::Server) => "server_handshake_secret",
        (PacketType::ZeroRtt, Side::Client) => "client_0rtt_secret",
        (PacketType::ZeroRtt, Side::Server) => "server_0rtt_secret",
        (_, Side::Client) => "client_1rtt_secret",
        (_, Side::Server) => "server_1rtt_secret",
    }
}

fn timer_type(timer: Timer) -> &'static str {
    match timer {
        Timer::Handshake => "handshake_timeout",
        Timer::Idle => "idle_timeout",
        Timer::Probe => "pto",
        Timer::Loss => "ack",
        _ => "other",
    }
}

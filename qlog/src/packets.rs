//! Packets and datagrams as qlog has them (draft-ietf-quic-qlog-quic-events §5, §8).

use quic_core::{
    Datagrams, DiscardReason, EcnCodepoint, LossTrigger, PacketHeader, PacketLoss, PacketRecord,
    PacketTrigger, PacketType, RetryRecord, VersionNegotiationRecord,
};

use crate::frames;
use crate::json::{Object, quoted};

pub(crate) fn packet_type(packet_type: PacketType) -> &'static str {
    match packet_type {
        PacketType::Initial => "initial",
        PacketType::Handshake => "handshake",
        PacketType::ZeroRtt => "0RTT",
        PacketType::OneRtt => "1RTT",
        _ => "unknown",
    }
}

pub(crate) fn space(of: PacketType) -> &'static str {
    match of {
        PacketType::Initial => "initial",
        PacketType::Handshake => "handshake",
        _ => "application_data",
    }
}

/// A packet that was sent or received.
pub(crate) fn write(data: &mut Object<'_>, packet: &PacketRecord<'_>) {
    write_header(&mut data.object("header"), &packet.header);
    let mut array = data.array("frames");
    for frame in packet.payload.frames() {
        frames::write(array.value(), &frame);
    }
    drop(array);
    let mut raw = data.object("raw");
    raw.plain("length", packet.length);
    raw.plain("payload_length", packet.payload.length());
    drop(raw);
    if packet.is_mtu_probe {
        data.plain("is_mtu_probe_packet", true);
    }
    match packet.trigger {
        Some(PacketTrigger::KeysAvailable) => data.quoted("trigger", "keys_available"),
        Some(PacketTrigger::Probe) => data.quoted("trigger", "pto_probe"),
        Some(_) | None => {}
    }
}

fn write_header(object: &mut Object<'_>, header: &PacketHeader) {
    object.quoted("packet_type", packet_type(header.packet_type));
    object.plain("packet_number", header.number);
    if let Some(spin) = header.spin {
        object.plain("spin_bit", spin);
    }
    if let Some(phase) = header.key_phase {
        object.plain("key_phase_bit", phase);
    }
    if let Some(version) = header.version {
        object.quoted("version", format_args!("{version:08x}"));
    }
    if let Some(length) = header.token_length {
        object.object("token").object("raw").plain("length", length);
    }
    if let Some(source) = header.source_id {
        write_ids(object, source.as_slice(), header.destination_id.as_slice());
    }
}

fn write_ids(header: &mut Object<'_>, source: &[u8], destination: &[u8]) {
    header.plain("scil", source.len());
    header.plain("dcil", destination.len());
    header.hex("scid", source);
    header.hex("dcid", destination);
}

pub(crate) fn write_retry(data: &mut Object<'_>, retry: &RetryRecord) {
    let mut header = data.object("header");
    header.quoted("packet_type", "retry");
    let mut token = header.object("token");
    token.quoted("type", "retry");
    token.object("raw").plain("length", retry.token_length);
    drop(token);
    header.quoted("version", format_args!("{:08x}", retry.version));
    write_ids(&mut header, retry.source_id.as_slice(), retry.destination_id.as_slice());
    drop(header);
    data.object("raw").plain("length", retry.length);
}

pub(crate) fn write_version_negotiation(
    data: &mut Object<'_>,
    packet: &VersionNegotiationRecord<'_>,
) {
    let mut header = data.object("header");
    header.quoted("packet_type", "version_negotiation");
    header.quoted("version", "00000000");
    write_ids(&mut header, packet.source_id, packet.destination_id);
    drop(header);
    let mut versions = data.array("supported_versions");
    for version in packet.versions() {
        quoted(versions.value(), format_args!("{version:08x}"));
    }
    drop(versions);
    data.object("raw").plain("length", packet.length);
}

pub(crate) fn write_buffered(data: &mut Object<'_>, of: PacketType, length: usize) {
    data.object("header").quoted("packet_type", packet_type(of));
    data.object("raw").plain("length", length);
    data.quoted("trigger", "keys_unavailable");
}

pub(crate) fn write_dropped(data: &mut Object<'_>, reason: DiscardReason) {
    let (trigger, detail) = match reason {
        DiscardReason::Authentication => ("decryption_failure", "not authentic"),
        DiscardReason::BufferFull => ("rejected", "too many early packets"),
        DiscardReason::Duplicate => ("duplicate", "received before"),
        DiscardReason::KeysUnavailable => ("key_unavailable", "no keys"),
        DiscardReason::Malformed => ("invalid", "malformed header"),
        DiscardReason::TooSmall => ("invalid", "Initial in a small datagram"),
        DiscardReason::UnknownConnection => ("connection_unknown", "other connection ID"),
        DiscardReason::UnknownPath => ("rejected", "address may not be used"),
        DiscardReason::UnsupportedVersion => ("unsupported", "other version"),
        DiscardReason::Unexpected => ("invalid", "not expected in this state"),
        _ => ("general", "other"),
    };
    data.object("details").quoted("reason", detail);
    data.quoted("trigger", trigger);
}

pub(crate) fn write_lost(data: &mut Object<'_>, loss: &PacketLoss) {
    let mut header = data.object("header");
    header.quoted("packet_type", packet_type(loss.packet_type));
    header.plain("packet_number", loss.number);
    drop(header);
    if loss.is_mtu_probe {
        data.plain("is_mtu_probe_packet", true);
    }
    data.quoted(
        "trigger",
        match loss.trigger {
            LossTrigger::PacketThreshold => "reordering_threshold",
            LossTrigger::TimeThreshold => "time_threshold",
        },
    );
}

pub(crate) fn write_datagrams(data: &mut Object<'_>, datagrams: &Datagrams) {
    let count = datagrams.lengths().count();
    data.plain("count", count);
    let mut raw = data.array("raw");
    for length in datagrams.lengths() {
        Object::begin(raw.value()).plain("length", length);
    }
    drop(raw);
    let mut ecn = data.array("ecn");
    for _ in 0..count {
        quoted(ecn.value(), codepoint(datagrams.ecn));
    }
}

fn codepoint(ecn: Option<EcnCodepoint>) -> &'static str {
    match ecn {
        None => "Not-ECT",
        Some(EcnCodepoint::Ect0) => "ECT(0)",
        Some(EcnCodepoint::Ect1) => "ECT(1)",
        Some(EcnCodepoint::Ce) => "CE",
    }
}

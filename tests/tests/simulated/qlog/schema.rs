//! The events and types of draft-ietf-quic-qlog-quic-events and -main-schema as tables: what is in
//! none of them must not be written.

use quic_core::{Side, Subject};
use serde_json::Value;

/// Fields of a map: a name, `?` if it is optional, and its type. Types are maps of [`TYPES`], the
/// scalars of [`check_value`], `[type]` for arrays of them, and words that the draft enumerates,
/// separated by `|`.
type Fields = &'static str;

const EVENTS: &[(&str, Fields)] = &[
    ("quic:connection_started", "local:endpoint remote:endpoint"),
    (
        "quic:connection_closed",
        "initiator?:local|remote connection_error?:transport_error application_error?:unknown \
         error_code?:uint internal_code?:uint reason?:text \
         trigger?:idle_timeout|application|error|version_mismatch|stateless_reset|aborted|unspecified",
    ),
    ("quic:connection_id_updated", "initiator:local|remote old?:hex new?:hex"),
    ("quic:spin_bit_updated", "state:bool"),
    ("quic:connection_state_updated", "old?:state new:state"),
    ("quic:tuple_assigned", "tuple_id:text tuple_remote?:endpoint tuple_local?:endpoint"),
    ("quic:mtu_updated", "old?:uint new:uint done?:bool"),
    (
        "quic:version_information",
        "server_versions?:[version] client_versions?:[version] chosen_version?:version",
    ),
    ("quic:alpn_information", "server_alpns?:[alpn] client_alpns?:[alpn] chosen_alpn?:alpn"),
    (
        "quic:parameters_set",
        "initiator?:local|remote resumption_allowed?:bool early_data_enabled?:bool \
         tls_cipher?:text original_destination_connection_id?:hex \
         initial_source_connection_id?:hex retry_source_connection_id?:hex \
         stateless_reset_token?:hex disable_active_migration?:bool max_idle_timeout?:uint \
         max_udp_payload_size?:uint ack_delay_exponent?:uint max_ack_delay?:uint \
         active_connection_id_limit?:uint initial_max_data?:uint \
         initial_max_stream_data_bidi_local?:uint initial_max_stream_data_bidi_remote?:uint \
         initial_max_stream_data_uni?:uint initial_max_streams_bidi?:uint \
         initial_max_streams_uni?:uint preferred_address?:preferred unknown_parameters?:[parameter] \
         max_datagram_frame_size?:uint grease_quic_bit?:bool reset_stream_at?:bool",
    ),
    (
        "quic:parameters_restored",
        "disable_active_migration?:bool max_idle_timeout?:uint max_udp_payload_size?:uint \
         active_connection_id_limit?:uint initial_max_data?:uint \
         initial_max_stream_data_bidi_local?:uint initial_max_stream_data_bidi_remote?:uint \
         initial_max_stream_data_uni?:uint initial_max_streams_bidi?:uint \
         initial_max_streams_uni?:uint max_datagram_frame_size?:uint grease_quic_bit?:bool",
    ),
    (
        "quic:packet_sent",
        "header:header frames?:[frame] stateless_reset_token?:hex supported_versions?:[version] \
         raw?:raw datagram_payload_checksum?:uint is_mtu_probe_packet?:bool \
         trigger?:retransmit_reordered|retransmit_timeout|pto_probe|retransmit_crypto|cc_bandwidth_probe",
    ),
    (
        "quic:packet_received",
        "header:header frames?:[frame] stateless_reset_token?:hex supported_versions?:[version] \
         raw?:raw datagram_payload_checksum?:uint trigger?:keys_available",
    ),
    (
        "quic:packet_dropped",
        "header?:header raw?:raw datagram_payload_checksum?:uint details?:any \
         trigger?:internal_error|rejected|unsupported|invalid|duplicate|connection_unknown|\
         decryption_failure|key_unavailable|general",
    ),
    (
        "quic:packet_buffered",
        "header?:header raw?:raw datagram_payload_checksum?:uint \
         trigger?:backpressure|keys_unavailable",
    ),
    (
        "quic:packets_acked",
        "packet_number_space?:initial|handshake|application_data packet_numbers?:[uint]",
    ),
    (
        "quic:udp_datagrams_sent",
        "count?:uint raw?:[raw] ecn?:[ecn] datagram_payload_checksums?:[uint]",
    ),
    (
        "quic:udp_datagrams_received",
        "count?:uint raw?:[raw] ecn?:[ecn] datagram_payload_checksums?:[uint]",
    ),
    ("quic:udp_datagram_dropped", "raw?:raw"),
    (
        "quic:timer_updated",
        "timer_type?:ack|pto|loss_timeout|path_validation|handshake_timeout|idle_timeout \
         timer_id?:uint packet_number_space?:initial|handshake|application_data \
         event_type:set|expired|cancelled delta?:float",
    ),
    (
        "quic:key_updated",
        "key_type:key_type old?:hex new?:hex key_phase?:uint \
         trigger?:tls|remote_update|local_update",
    ),
    (
        "quic:key_discarded",
        "key_type:key_type key?:hex key_phase?:uint trigger?:tls|remote_update|local_update",
    ),
    (
        "quic:recovery_parameters_set",
        "reordering_threshold?:uint time_threshold?:float timer_granularity:uint \
         initial_rtt?:float max_datagram_size?:uint initial_congestion_window?:uint \
         minimum_congestion_window?:uint loss_reduction_factor?:float \
         persistent_congestion_threshold?:uint",
    ),
    (
        "quic:recovery_metrics_updated",
        "min_rtt?:float smoothed_rtt?:float latest_rtt?:float rtt_variance?:float pto_count?:uint \
         congestion_window?:uint bytes_in_flight?:uint ssthresh?:uint packets_in_flight?:uint \
         pacing_rate?:uint",
    ),
    ("quic:congestion_state_updated", "old?:text new:text trigger?:text"),
    (
        "quic:packet_lost",
        "header?:header frames?:[frame] is_mtu_probe_packet?:bool \
         trigger?:reordering_threshold|time_threshold|pto_expired",
    ),
    ("quic:ecn_state_updated", "old?:ecn_state new:ecn_state"),
    (
        "quic:migration_state_updated",
        "old?:migration new:migration tuple_id?:text tuple_remote?:endpoint tuple_local?:endpoint",
    ),
    ("loglevel:warning", "code?:uint message?:text"),
];

const TYPES: &[(&str, Fields)] = &[
    ("endpoint", "ip_v4?:text port_v4?:uint ip_v6?:text port_v6?:uint connection_ids?:[hex]"),
    ("alpn", "byte_value?:hex string_value?:text"),
    (
        "preferred",
        "ip_v4?:text port_v4?:uint ip_v6?:text port_v6?:uint connection_id:hex \
         stateless_reset_token:hex",
    ),
    ("parameter", "id:uint value?:hex"),
    (
        "header",
        "packet_type:initial|handshake|0RTT|1RTT|retry|version_negotiation|stateless_reset|unknown \
         packet_type_bytes?:uint spin_bit?:bool key_phase?:uint key_phase_bit?:bool \
         packet_number_length?:uint packet_number?:uint token?:token length?:uint \
         version?:version scil?:uint dcil?:uint scid?:hex dcid?:hex",
    ),
    ("token", "type?:retry|resumption details?:any raw?:raw"),
    ("raw", "length?:uint payload_length?:uint data?:hex"),
];

const FRAMES: &[(&str, Fields)] = &[
    ("padding", ""),
    ("ping", ""),
    ("ack", "ack_delay?:float acked_ranges?:[range] ect1?:uint ect0?:uint ce?:uint"),
    ("reset_stream", "stream_id:uint error:unknown error_code?:uint final_size:uint"),
    (
        "reset_stream_at",
        "stream_id:uint error:unknown error_code?:uint final_size:uint reliable_size:uint",
    ),
    ("stop_sending", "stream_id:uint error:unknown error_code?:uint"),
    ("crypto", "offset:uint"),
    ("new_token", "token:token"),
    ("stream", "stream_id:uint offset?:uint fin?:bool"),
    ("max_data", "maximum:uint"),
    ("max_stream_data", "stream_id:uint maximum:uint"),
    ("max_streams", "stream_type:unidirectional|bidirectional maximum:uint"),
    ("data_blocked", "limit:uint"),
    ("stream_data_blocked", "stream_id:uint limit:uint"),
    ("streams_blocked", "stream_type:unidirectional|bidirectional limit:uint"),
    (
        "new_connection_id",
        "sequence_number:uint retire_prior_to:uint connection_id_length?:uint connection_id:hex \
         stateless_reset_token?:hex",
    ),
    ("retire_connection_id", "sequence_number:uint"),
    ("path_challenge", "data?:hex"),
    ("path_response", "data?:hex"),
    (
        "connection_close",
        "error_space?:transport|application error?:transport_error error_code?:uint reason?:text \
         reason_bytes?:hex trigger_frame_type?:uint",
    ),
    ("handshake_done", ""),
    ("unknown", "frame_type_bytes:uint"),
    ("datagram", ""),
];

/// Types that are enumerations, used more than once.
const WORDS: &[(&str, &str)] = &[
    (
        "state",
        "attempted|handshake_started|handshake_complete|closed|peer_validated|early_write|\
         handshake_confirmed|closing|draining",
    ),
    (
        "key_type",
        "server_initial_secret|client_initial_secret|server_handshake_secret|\
         client_handshake_secret|server_0rtt_secret|client_0rtt_secret|server_1rtt_secret|\
         client_1rtt_secret",
    ),
    ("ecn", "Not-ECT|ECT(1)|ECT(0)|CE"),
    ("ecn_state", "testing|unknown|failed|capable"),
    (
        "migration",
        "probing_started|probing_abandoned|probing_successful|migration_started|\
         migration_abandoned|migration_complete",
    ),
    (
        "transport_error",
        "no_error|internal_error|connection_refused|flow_control_error|stream_limit_error|\
         stream_state_error|final_size_error|frame_encoding_error|transport_parameter_error|\
         connection_id_limit_error|protocol_violation|invalid_token|application_error|\
         crypto_buffer_exceeded|key_update_error|aead_limit_reached|no_viable_path|unknown",
    ),
];

fn find(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(of, _)| *of == name).map(|(_, fields)| *fields)
}

pub(super) fn check_header(header: &Value, subject: &Subject) {
    assert_eq!(header["file_schema"], "urn:ietf:params:qlog:file:sequential");
    assert_eq!(header["serialization_format"], "application/qlog+json-seq");
    let trace = &header["trace"];
    let schemas = trace["event_schemas"].as_array().unwrap();
    let is_draft = |schema: &Value| schema == "urn:ietf:params:qlog:events:quic-13";
    assert!(schemas.iter().any(is_draft), "{schemas:?}");
    let side = if subject.side == Side::Client { "client" } else { "server" };
    assert_eq!(trace["vantage_point"]["type"], side);
    assert_eq!(trace["common_fields"]["group_id"], subject.id.to_string());
    assert_eq!(trace["common_fields"]["time_format"], "relative_to_epoch");
    let epoch = trace["common_fields"]["reference_time"]["epoch"].as_str();
    assert!(epoch.is_some_and(|epoch| epoch.ends_with('Z')), "{epoch:?}");
}

pub(super) fn check_event(event: &Value) {
    let object = event.as_object().unwrap();
    assert!(object.keys().all(|key| ["time", "name", "data"].contains(&key.as_str())), "{event}");
    let name = event["name"].as_str().unwrap();
    let fields = find(EVENTS, name).unwrap_or_else(|| panic!("no event {name}"));
    check_fields(&event["data"], fields, name);
}

fn check_fields(value: &Value, fields: &str, context: &str) {
    let object = value.as_object().unwrap_or_else(|| panic!("{context} is no object: {value}"));
    let defined: Vec<(&str, bool, &str)> = fields
        .split_ascii_whitespace()
        .map(|field| {
            let (name, of) = field.split_once(':').unwrap();
            let required = name.strip_suffix('?');
            (required.unwrap_or(name), required.is_none(), of)
        })
        .collect();
    for (name, required, of) in &defined {
        match object.get(*name) {
            Some(value) => check_value(value, of, &format!("{context}.{name}")),
            None => assert!(!required, "{context} lacks {name}: {value}"),
        }
    }
    for name in object.keys() {
        let is_defined = defined.iter().any(|(defined, ..)| defined == name);
        assert!(is_defined, "{context} has {name}, which is not defined: {value}");
    }
}

fn check_value(value: &Value, of: &str, context: &str) {
    let wrong = || format!("{context} is {value}, which is no {of}");
    if let Some(of) = of.strip_prefix('[').and_then(|of| of.strip_suffix(']')) {
        let array = value.as_array().unwrap_or_else(|| panic!("{}", wrong()));
        return array.iter().for_each(|value| check_value(value, of, context));
    }
    let text = value.as_str();
    let is_hex = |text: &str| {
        text.len().is_multiple_of(2)
            && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    match of {
        "any" => assert!(value.is_object(), "{}", wrong()),
        "bool" => assert!(value.is_boolean(), "{}", wrong()),
        "float" => assert!(value.as_f64().is_some_and(|number| number >= 0.0), "{}", wrong()),
        "frame" => check_frame(value),
        "hex" => assert!(text.is_some_and(is_hex), "{}", wrong()),
        "range" => {
            let numbers = value.as_array().map(Vec::as_slice);
            let numbers = numbers.map(|numbers| (numbers.first(), numbers.get(1), numbers.len()));
            let Some((Some(first), last, 1..=2)) = numbers else { panic!("{}", wrong()) };
            let last = last.map_or(first.as_u64(), Value::as_u64);
            assert!(first.as_u64() <= last && last.is_some(), "{}", wrong());
        }
        "text" => assert!(text.is_some(), "{}", wrong()),
        "uint" => assert!(value.is_u64(), "{}", wrong()),
        "version" => assert!(text.is_some_and(|t| t.len() == 8 && is_hex(t)), "{}", wrong()),
        _ => {
            if let Some(fields) = find(TYPES, of) {
                return check_fields(value, fields, context);
            }
            let words = find(WORDS, of).unwrap_or(of);
            let is_crypto = of == "transport_error"
                && text
                    .and_then(|text| text.strip_prefix("crypto_error_0x1"))
                    .is_some_and(|digits| digits.len() == 2);
            let is_word = text.is_some_and(|text| words.split('|').any(|word| word == text));
            assert!(is_word || is_crypto, "{}", wrong());
        }
    }
}

fn check_frame(frame: &Value) {
    let name = frame["frame_type"].as_str().unwrap();
    let fields = find(FRAMES, name).unwrap_or_else(|| panic!("no frame {name}"));
    // All frames have these.
    check_fields(frame, &format!("{fields} frame_type:text raw?:raw"), name);
    // The draft: the length field of these MUST be in raw.length.
    if matches!(name, "crypto" | "stream") {
        assert!(frame["raw"]["length"].is_u64(), "{frame}");
    }
}

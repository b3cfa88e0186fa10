//! Error codes by name (RFC 9000 §20.1).

use crate::json::Object;

/// The names of qlog, in the order of the codes.
const TRANSPORT_ERRORS: [&str; 17] = [
    "no_error",
    "internal_error",
    "connection_refused",
    "flow_control_error",
    "stream_limit_error",
    "stream_state_error",
    "final_size_error",
    "frame_encoding_error",
    "transport_parameter_error",
    "connection_id_limit_error",
    "protocol_violation",
    "invalid_token",
    "application_error",
    "crypto_buffer_exceeded",
    "key_update_error",
    "aead_limit_reached",
    "no_viable_path",
];

/// Writes the name of a transport's error, and its code if it has no name.
pub(crate) fn transport(object: &mut Object<'_>, name: &str, code: u64) {
    if (0x100..0x200).contains(&code) {
        return object.quoted(name, format_args!("crypto_error_{code:#x}"));
    }
    let known = usize::try_from(code).ok().and_then(|code| TRANSPORT_ERRORS.get(code));
    match known {
        Some(known) => object.quoted(name, known),
        None => unknown(object, name, code),
    }
}

/// Writes an application's error: what it means only the application knows.
pub(crate) fn unknown(object: &mut Object<'_>, name: &str, code: u64) {
    object.quoted(name, "unknown");
    object.plain("error_code", code);
}

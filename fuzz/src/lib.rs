//! The fuzz targets of quic-core: functions of any bytes that panic if a promise is broken.
//!
//! `README.md` says what each promises, how to run them, and how to add one.

pub mod attack;
pub mod input;
pub mod open_tls;
pub mod reference;

mod connections;
mod differential;
mod endpoints;

use quic_core::fuzzing;

/// A target: its name and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets, by name.
pub const TARGETS: &[Target] = &[
    ("client_parameters", fuzzing::client_parameters),
    ("coalesced", endpoints::coalesced),
    ("congestion", fuzzing::congestion),
    ("connection_frames_1rtt", connections::frames_1rtt),
    ("connection_frames_handshake", connections::frames_handshake),
    ("differential", differential::differential),
    ("endpoint_datagrams", endpoints::endpoint_datagrams),
    ("evil_server", connections::evil_server),
    ("flow_control", fuzzing::flow_control),
    ("frame_sequence", fuzzing::frame_sequence),
    ("frames", fuzzing::frames),
    ("loss_detection", fuzzing::loss_detection),
    ("new_token", fuzzing::new_token),
    ("packet_header", fuzzing::packet_header),
    ("packet_number", fuzzing::packet_number),
    ("range_set", fuzzing::range_set),
    ("reassembler", fuzzing::reassembler),
    ("received_packets", fuzzing::received_packets),
    ("retry_packet", endpoints::retry_packet),
    ("retry_token", fuzzing::retry_token),
    ("send_buffer", fuzzing::send_buffer),
    ("server_parameters", fuzzing::server_parameters),
    ("stateless_reset", fuzzing::stateless_reset),
    ("streams_frames", fuzzing::streams_frames),
    ("timers", fuzzing::timers),
    ("varint", fuzzing::varint),
    ("version_negotiation", endpoints::version_negotiation),
];

/// Runs the target of this name once.
///
/// # Panics
/// If the target finds a broken promise, or there is no such target.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let Some((_, target)) = target else { unreachable!("no target is named {name}") };
    target(input);
}

//! The fuzz targets of quic-core.
//!
//! A target is a function of any bytes that panics if a promise is broken. To add one: a line in
//! [`TARGETS`], `fuzz_targets/<name>.rs`, a `[[bin]]` in `Cargo.toml`, and inputs worth starting
//! from in `corpus/<name>/`. On stable, `cargo test -p fuzz` replays all of them; on nightly,
//! `cargo fuzz run --features libfuzzer <name>` looks for more.

use quic_core::fuzzing;

/// A target: its name and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets, by name.
pub const TARGETS: &[Target] = &[
    ("frames", fuzzing::frames),
    ("packet_header", fuzzing::packet_header),
    ("packet_number", fuzzing::packet_number),
    ("range_set", fuzzing::range_set),
    ("reassembler", fuzzing::reassembler),
    ("send_buffer", fuzzing::send_buffer),
    ("streams_frames", fuzzing::streams_frames),
    ("tokens", fuzzing::tokens),
    ("transport_parameters", fuzzing::transport_parameters),
    ("varint", fuzzing::varint),
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

//! What the tests of the workspace share.
#![forbid(unsafe_code)]
#![expect(
    clippy::cast_precision_loss,
    clippy::missing_panics_doc,
    reason = "it serves tests, which panic where something is wrong"
)]

pub mod handshakes;

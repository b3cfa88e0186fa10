//! What the tests of the workspace share.
#![forbid(unsafe_code)]
#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "it serves tests, which panic where something is wrong"
)]

pub mod handshakes;

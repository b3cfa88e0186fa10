//! QUIC endpoints on a simulated network in virtual time, in which everything follows from one seed.
#![forbid(unsafe_code)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "it serves tests, which panic where something is wrong"
)]

pub mod network;
pub mod null_tls;
pub mod pair;
pub mod seeds;
pub mod world;

//! What the tests of the workspace share.
#![forbid(unsafe_code)]

pub use quic_sim::{null_tls, pair as network};

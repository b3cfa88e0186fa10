//! QUIC endpoints on a simulated network in virtual time, in which everything follows from one seed.
#![forbid(unsafe_code)]

pub mod null_tls;
pub mod pair;

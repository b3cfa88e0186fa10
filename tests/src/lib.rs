//! What the tests of the workspace share.
#![forbid(unsafe_code)]

pub use quic_sim::null_tls;

/// The simulator by the names that scenarios have for it.
pub mod network {
    pub use quic_sim::network::*;
    pub use quic_sim::pair::*;
    pub use quic_sim::seeds::*;
    pub use quic_sim::world::*;
}

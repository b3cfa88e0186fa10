//! An evil QUIC peer: it speaks valid cryptography, sends what must not be sent, and knows which
//! reaction the RFCs ask for.
//!
//! [`Peer`] is a client or server of its own, built on the packet builder of `quic-core` and on
//! rustls, not on [`quic_core::Connection`]. A [`Case`] says what it does to a target, over a
//! [`Network`] of the caller's, and which [`Reaction`] has to follow. There are no clocks and no
//! sockets here: time comes from the network, randomness from a seed.
#![forbid(unsafe_code)]

mod case;
pub mod cases;
mod network;
mod obstacle;
mod packet;
pub mod parameters;
mod payload;
mod peer;
mod reaction;
mod script;
mod tls;

pub use case::{Attack, Case, Needs, greet};
pub use network::Network;
pub use obstacle::Obstacle;
pub use packet::{Packet, PacketKind};
pub use payload::{Payload, made_id, made_token, varint};
pub use peer::{
    Beginning, Edit, ID_LENGTH, Peer, Role, Seen, SeenClose, SeenPacket, Stage, TargetId,
    random_bytes,
};
pub use reaction::{Outcome, Permission, Reaction, Verdict};
pub use script::{PATIENCE, Script, Step};
pub use tls::{client_tls, server_tls};

//! Keys, and the TLS handshake that makes them (RFC 9001).

mod random;
mod session;

pub use random::{RandomSource, SeededRandom};
pub use session::{HandshakeData, KeyChange, Level, Session, SessionFactory, StartSessionError};

//! QUIC as a pure state machine.
#![forbid(unsafe_code)]

mod deadline;
mod instant;
mod net;
mod transmit;

mod wire;

mod error;
mod event;
mod recorder;

pub mod congestion;
pub mod crypto;

mod buffer;
mod config;
mod packet;

mod ids;
mod paths;
mod recovery;
mod streams;

mod connection;

mod packet_handler_manager;
mod packet_handler_map;
mod server;

mod multiplexer;
mod socket_multiplexer;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

pub use config::{
    AddressValidation, ClientConfig, ConfigError, CongestionAlgorithm, EndpointConfig, QUIC_V1,
    ServerConfig, StatelessResetKey, TokenKey, TransportConfig,
};
pub use connection::{Connection, Statistics};
pub use error::{
    ApplicationClose, ConnectionError, DiscardReason, TransportError, TransportErrorCode,
};
pub use event::{ConnectionHandle, Event, StreamEvent};
pub use instant::Instant;
pub use multiplexer::{AddSocketError, Multiplexer};
pub use net::{EcnCodepoint, PathAddresses, SocketId, UdpDatagram};
pub use packet_handler_manager::{
    AcceptError, Connect, ConnectError, ConnectionCell, Incoming, ManagerId, PacketHandlerManager,
};
pub use packet_handler_map::PacketHandlerMap;
pub use recorder::{PacketKind, Record, Recorder, SharedRecorder};
pub use rustls;
pub use socket_multiplexer::SocketMultiplexer;
pub use streams::{
    Finished, OpenStreamError, ReadError, ReadOutcome, RecvStream, SendStream, WriteError,
};
pub use transmit::{Transmit, TransmitBuffer};
pub use wire::{
    ConnectionId, Direction, Side, StatelessResetToken, StreamId, VarInt, VarIntBoundsExceeded,
};

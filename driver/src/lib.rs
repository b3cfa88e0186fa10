//! Everything that puts `quic-core` on a network except a runtime: handles with `async` methods,
//! their wakers, the [`Pump`] that moves datagrams, and the socket calls.
//!
//! A driver for a runtime brings three things: a socket that tells when it is ready
//! ([`AsyncSocket`]), a [`Timer`], and a way to spawn [`Run`], the loop that waits until a socket is
//! readable or writable, until a deadline, or until a handle acted, and then calls the pump. It tells
//! them as a [`Runtime`], and has an endpoint: [`EndpointOn`] that runtime. `driver-tokio` and
//! `driver-smol` are such drivers, and what applications depend on. Sockets that are not the system's
//! do without: [`RunningEndpoint`] makes endpoint and loop of any [`AsyncSocket`].
//!
//! Time and chance come in too: [`EndpointOptions`] has a [`Clock`] and a seed, which are the
//! system's unless they are given. With others, the same calls and datagrams in the same order give
//! the same datagrams out.
//!
//! The names are those that users of QUIC libraries in Rust know: [`Endpoint`], [`Incoming`],
//! [`Connecting`], [`Connection`], [`SendStream`], [`RecvStream`].
#![forbid(unsafe_code)]

mod sync;

mod bell;
mod chance;
mod clock;
mod punctuality;
mod waiting;

mod session_cache;
mod shared;

mod error;

mod connection;
mod datagrams;
mod early_data;
mod polled;
mod recv_stream;
mod send_stream;
mod stream_io;

mod endpoint;
mod incoming;
mod manager;
mod neighbourhood;
mod shard;

mod outbox;
mod pump;
mod socket;
mod sockets;

mod endpoint_on;
mod run;
mod running;
mod runtime;
mod share;

#[cfg(feature = "tracing")]
mod tracing_recorder;

pub use clock::{Clock, TimeSource};
pub use connection::{Connecting, Connection};
pub use datagrams::OutgoingDatagram;
pub use early_data::{EarlyData, EarlyDataOutcome, RejectedEarlyData};
pub use endpoint::{DatagramFilter, Endpoint, EndpointOptions};
pub use endpoint_on::EndpointOn;
pub use error::{
    ClosedStream, ConnectError, ExportKeyingMaterialError, ReadError, ReadExactError,
    ReadToEndError, ResetAtError, RetryError, SendDatagramError, StoppedError, WriteError,
};
pub use incoming::{Incoming, IncomingFuture};
pub use neighbourhood::{HandOver, HandedOver, Letter, Neighbours};
pub use polled::PolledConnection;
pub use pump::{Arrived, Progress, Pump};
pub use punctuality::LoopStatistics;
pub use recv_stream::RecvStream;
pub use run::Run;
pub use running::RunningEndpoint;
pub use runtime::{AsyncSocket, CurrentRuntime, Runtime, Timer};
pub use send_stream::SendStream;
pub use session_cache::SessionCache;
pub use socket::{
    Arrivals, Outgoing, Socket, SocketStatistics, Train, UdpOffload, Warning, enlarge_buffers,
};
#[cfg(feature = "tracing")]
pub use tracing_recorder::TracingRecorder;

pub use bytes::Bytes;
#[cfg(feature = "quic-lb")]
pub use quic_core::quic_lb;
pub use quic_core::{
    AckFrequencyConfig, AddressValidation, ApplicationClose, ClientConfig, ConfigError,
    CongestionAlgorithm, ConnectionError, ConnectionId, ConnectionIdGenerator, ConnectionRecorder,
    DatagramOutcome, DatagramReport, Direction, EcnCodepoint, EcnState, EndpointConfig, Instant,
    KeyId, Keyring, KeyringError, PathAddresses, PathStatistics, Record, Recorder, ServerConfig,
    ShardId, SharedConnectionIds, SharedRecorder, Side, SocketId, Statistics, StreamId, Subject,
    TransportConfig, TransportError, TransportErrorCode, VarInt, VarIntBoundsExceeded, is_quic,
};
pub use quic_core::{congestion, crypto, rustls};
pub use quinn_udp::UdpSockRef;

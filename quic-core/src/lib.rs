//! QUIC as a pure state machine: bytes, time and randomness in; datagrams, events and deadlines
//! out.
//!
//! Versions 1 and 2 of QUIC (RFC 9000, 9001, 9002, 9369), client and server, without sockets,
//! clocks, threads, locks or a runtime: whoever calls decides when, where and with what time. Runs
//! repeat exactly from the same seed. For applications on tokio there is `driver-tokio`; this crate
//! is for those who bring an event loop of their own, and for simulations.
//!
//! # The five verbs
//!
//! Every layer has them, from [`Connection`] up to [`Endpoint`], which is all of QUIC on one socket,
//! and [`Multiplexer`], for several:
//!
//! - `handle_datagram` and `handle_timeout` put in what happened,
//! - `poll_event`, `poll_transmit` and `poll_timeout` take out what follows.
//!
//! The contract: after anything else was called, call `poll_event` and `poll_transmit` until they
//! return `None`, and then wait for the next datagram, for the time that `poll_timeout` says, or
//! for the application. The application acts on a connection through
//! [`Endpoint::with_connection`]. Time never goes backwards, and nothing here fails because of what
//! a peer sends: it is dropped, or closes the connection concerned.
//!
//! [Your own loop](https://github.com/quic-core/quic-core/blob/main/docs/own-loop.md) tells all of
//! it: who owns memory, what sockets may say, how to end. Whole programs to start from, on blocking
//! sockets, in a poller, on io_uring, in a game loop, with ten thousand connections, are in
//! [`examples`](https://github.com/quic-core/quic-core/tree/main/examples/examples).
//!
//! # Example
//!
//! A whole loop, over two endpoints in memory: the client sends a line, the server reads it.
//!
//! ```
//! # use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};
//! # use quic_core::crypto::{SeededRandom, TlsClientConfig, TlsServerConfig};
//! # use quic_core::rustls::{RootCertStore, pki_types::PrivateKeyDer};
//! use quic_core::*;
//!
//! /// Moves what `from`, at `address`, has to send to the other end.
//! fn deliver(now: Instant, from: &mut Endpoint, address: SocketAddr, to: &mut Endpoint) {
//!     let mut memory = vec![0; 65_000];
//!     while let Some(sent) = from.poll_transmit(now, &mut TransmitBuffer::new(&mut memory, 10)) {
//!         let mut train = UdpDatagram::new(address, &mut memory[..sent.length]);
//!         train.segment_length = sent.segment_length;
//!         to.handle_datagram(now, train);
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
//! # let certificate = made.cert.der().clone();
//! # let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
//! # let mut roots = RootCertStore::empty();
//! # roots.add(certificate.clone())?;
//! let tls = TlsServerConfig::from_certificate(vec![certificate], key, &[b"line"])?;
//! let keyring = Keyring::new([7; 32]); // Random, outside of an example; so are the seeds.
//! let listen = ServerConfig::new(Arc::new(tls), TransportConfig::default(), keyring)?;
//! let tls = TlsClientConfig::from_roots(roots, &[b"line"])?;
//! let config = Arc::new(ClientConfig::new(Arc::new(tls), TransportConfig::default())?);
//!
//! let (here, there): (SocketAddr, SocketAddr) =
//!     ("192.0.2.1:50000".parse()?, "192.0.2.2:443".parse()?);
//! let mut client = Endpoint::new(SeededRandom::from_seed([1; 32]));
//! let mut server = Endpoint::new(SeededRandom::from_seed([2; 32]));
//! server.listen(Arc::new(listen));
//!
//! let mut now = Instant::EPOCH;
//! client.connect(now, Connect { path: there.into(), server_name: "localhost", config })?;
//!
//! let mut line = String::new();
//! while !line.ends_with('\n') {
//!     deliver(now, &mut client, here, &mut server);
//!     deliver(now, &mut server, there, &mut client);
//!     while let Some((connection, event)) = client.poll_event() {
//!         if event == Event::Connected {
//!             client.with_connection(now, connection, |connection| {
//!                 let stream = connection.open_stream(Direction::Unidirectional)?;
//!                 connection.send_stream(stream).write(b"hello\n")?;
//!                 connection.send_stream(stream).finish()?;
//!                 Ok::<_, Box<dyn Error>>(())
//!             }).ok_or("over")??;
//!         }
//!     }
//!     while let Some((connection, event)) = server.poll_event() {
//!         match event {
//!             Event::Incoming => server.accept(now, connection)?,
//!             Event::Stream(StreamEvent::Opened(direction)) => {
//!                 server.with_connection(now, connection, |connection| {
//!                     let Some(id) = connection.accept_stream(direction) else { return };
//!                     let chunk = connection.recv_stream(id).read_chunk(usize::MAX);
//!                     if let Ok(ReadOutcome::Data(chunk)) = chunk {
//!                         line.push_str(&String::from_utf8_lossy(&chunk));
//!                     }
//!                 });
//!             }
//!             _ => {}
//!         }
//!     }
//!     // A real loop would wait for a datagram, or until `poll_timeout()`.
//!     now = now + Duration::from_millis(1);
//!     client.handle_timeout(now);
//!     server.handle_timeout(now);
//! }
//! assert_eq!(line, "hello\n");
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

// The modules are in the order of layers, lowest first; each uses those above it in the list.
// Components of a connection (`ack_frequency`, `datagrams`, `ids`, `paths`, `recovery`, `streams`) do not know each other:
// `connection` routes between them.

mod deadline;
mod instant;
mod memory;
mod net;
mod transmit;

#[cfg(feature = "wire")]
#[expect(clippy::missing_errors_doc, reason = "the errors are types that say when they come")]
pub mod wire;
#[cfg(not(feature = "wire"))]
#[expect(unreachable_pub, unnameable_types, reason = "public under the feature `wire`")]
mod wire;

mod error;
mod event;
mod recorder;

pub mod congestion;
pub mod crypto;

mod buffer;
mod config;
mod packet;
#[cfg(feature = "quic-lb")]
pub mod quic_lb;

mod ack_frequency;
mod datagrams;
mod ids;
mod paths;
mod recovery;
mod streams;

mod connection;

mod packet_handler_manager;
mod packet_handler_map;
mod server;

mod endpoint;
mod multiplexer;
mod socket_multiplexer;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

pub use config::{
    AckFrequencyConfig, AddressValidation, ClientConfig, ConfigError, CongestionAlgorithm,
    ConnectionIdGenerator, ConnectionMemory, EndpointConfig, EndpointMemory, QUIC_V1, QUIC_V2,
    ServerConfig, ServerVersions, Shards, SharedConnectionIds, TransportConfig, VersionChoice,
};
pub use connection::{
    Connection, DatagramChannel, EarlyDataStatus, MigrationError, PathStatistics, Statistics,
};
pub use crypto::{KeyId, Keyring, KeyringError};
pub use datagrams::{DatagramOutcome, DatagramReport, OutgoingDatagram, SendDatagramError};
pub use endpoint::Endpoint;
pub use error::{
    ApplicationClose, ConnectionError, DiscardReason, TransportError, TransportErrorCode,
};
pub use event::{ConnectionHandle, DatagramEvent, Event, PathEvent, StreamEvent};
pub use instant::Instant;
pub use multiplexer::{AddSocketError, Multiplexer};
pub use net::{
    EcnCodepoint, EcnState, Misdirected, PathAddresses, ShardId, SocketId, UdpDatagram, is_quic,
};
pub use packet_handler_manager::{
    AcceptError, Connect, ConnectError, ConnectionCell, Incoming, ManagerId, PacketHandlerManager,
};
pub use packet_handler_map::PacketHandlerMap;
pub use recorder::{
    AckedRanges, CongestionState, ConnectionRecorder, ConnectionState, Datagrams, EcnTotals,
    FrameRecord, KeyTrigger, LossTrigger, Metrics, Origin, PacketHeader, PacketLoss, PacketRecord,
    PacketTrigger, ParameterValue, Parameters, PathRecord, Payload, Record, Recorder,
    RecoveryParameters, RetryRecord, SharedRecorder, Subject, Timer, VersionNegotiationRecord,
};
pub use rustls;
pub use socket_multiplexer::SocketMultiplexer;
pub use streams::{
    Finished, OpenStreamError, ReadError, ReadOutcome, RecvStream, ResetAtError, SendStream,
    WriteError,
};
pub use transmit::{EMSGSIZE, Transmit, TransmitBuffer};
pub use wire::{
    ConnectionId, Direction, PacketType, Side, StatelessResetToken, StreamId, VarInt,
    VarIntBoundsExceeded,
};

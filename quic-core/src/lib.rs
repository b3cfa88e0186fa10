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
//! Every layer has them, from [`Connection`] up to [`Multiplexer`]:
//!
//! - `handle_datagram` and `handle_timeout` put in what happened,
//! - `poll_transmit`, `poll_event` and `poll_timeout` take out what follows.
//!
//! The contract: after anything else was called, call `poll_event` and `poll_transmit` until they
//! return `None`, and then wait for the next datagram, for the time that `poll_timeout` says, or
//! for the application. The application acts on a connection through
//! [`PacketHandlerManager::with_connection`]. Time never goes backwards, and nothing here fails
//! because of what a peer sends: it is dropped, or closes the connection concerned.
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
//! type Endpoint = SocketMultiplexer<PacketHandlerMap>;
//!
//! /// Moves what `from`, at `address`, has to send to the other end.
//! fn deliver(now: Instant, from: (&mut Endpoint, SocketId), address: SocketAddr,
//!            to: (&mut Endpoint, SocketId)) {
//!     let mut memory = vec![0; 65_000];
//!     while let Some(sent) =
//!         from.0.poll_transmit(now, from.1, &mut TransmitBuffer::new(&mut memory, 10))
//!     {
//!         let path = PathAddresses { socket: to.1, local_ip: None, remote: address };
//!         let mut train = UdpDatagram::new(path, &mut memory[..sent.length]);
//!         train.segment_length = sent.segment_length;
//!         to.0.handle_datagram(now, train);
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
//! let (here, there) = ("192.0.2.1:50000".parse()?, "192.0.2.2:443".parse()?);
//! let mut client = Endpoint::with_random(SeededRandom::from_seed([1; 32]));
//! let mut server = Endpoint::with_random(SeededRandom::from_seed([2; 32]));
//! let ours = client.add_socket(here, Arc::default())?;
//! let theirs = server.add_socket(there, Arc::default())?;
//! server.manager(theirs).ok_or("removed")?.listen(Arc::new(listen));
//!
//! let mut now = Instant::EPOCH;
//! let path = PathAddresses { socket: ours, local_ip: None, remote: there };
//! let target = Connect { path, server_name: "localhost", config };
//! client.manager(ours).ok_or("removed")?.connect(now, target)?;
//!
//! let mut line = String::new();
//! while !line.ends_with('\n') {
//!     deliver(now, (&mut client, ours), here, (&mut server, theirs));
//!     deliver(now, (&mut server, theirs), there, (&mut client, ours));
//!     while let Some((connection, event)) = client.poll_event() {
//!         let manager = client.manager(ours).ok_or("removed")?;
//!         if event == Event::Connected {
//!             manager.with_connection(now, connection, |connection| {
//!                 let stream = connection.open_stream(Direction::Unidirectional)?;
//!                 connection.send_stream(stream).write(b"hello\n")?;
//!                 connection.send_stream(stream).finish()?;
//!                 Ok::<_, Box<dyn Error>>(())
//!             }).ok_or("over")??;
//!         }
//!     }
//!     while let Some((connection, event)) = server.poll_event() {
//!         let manager = server.manager(theirs).ok_or("removed")?;
//!         match event {
//!             Event::Incoming => manager.accept(now, connection, None)?,
//!             Event::Stream(StreamEvent::Opened(direction)) => {
//!                 manager.with_connection(now, connection, |connection| {
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
pub use error::{
    ApplicationClose, ConnectionError, DiscardReason, TransportError, TransportErrorCode,
};
pub use event::{ConnectionHandle, DatagramEvent, Event, PathEvent, StreamEvent};
pub use instant::Instant;
pub use multiplexer::{AddSocketError, Multiplexer};
pub use net::{EcnCodepoint, EcnState, Misdirected, PathAddresses, ShardId, SocketId, UdpDatagram};
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
pub use transmit::{Transmit, TransmitBuffer};
pub use wire::{
    ConnectionId, Direction, PacketType, Side, StatelessResetToken, StreamId, VarInt,
    VarIntBoundsExceeded,
};

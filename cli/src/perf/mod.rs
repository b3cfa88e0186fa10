//! The QUIC perf protocol (draft-banks-quic-performance): what a stack can move, and at what cost.
//!
//! A request is a bidirectional stream that starts with the wanted length of the answer, as eight
//! bytes in network order; what follows them is only counted.

pub(crate) mod client;
mod histogram;
mod report;
pub(crate) mod server;

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, Subcommand, ValueEnum};
use driver::{SendStream, WriteError};
use quic_core::TransportConfig;

use crate::arguments::Congestion;
use crate::network;

/// The application protocol, as ALPN names it.
const ALPN: &[u8] = b"perf";

/// Bytes handed to a stream at a time.
const CHUNK: usize = 64 << 10;

/// What is sent: nobody looks at it.
static ZEROS: Bytes = Bytes::from_static(&[0; CHUNK]);

/// Requests that may run at a time on a connection.
const MAX_STREAMS: u64 = 256;

const IDLE_TIMEOUT: Duration = Duration::from_mins(2);

/// An end of a measurement.
#[derive(Debug, Subcommand)]
pub(crate) enum Side {
    /// Answer requests until stopped.
    Server(Server),
    /// Run a workload and print one line about it.
    Client(Client),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Server {
    /// The UDP address to listen on.
    #[arg(long)]
    pub(crate) listen: SocketAddr,
    /// Certificate chain, a PEM file.
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: PathBuf,
    /// Private key of the certificate, a PEM file.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Sockets on the address, each with a loop of its own, that share the work. Default: one for
    /// each thread where the system can spread what arrives over them, as Linux can.
    #[arg(long, value_name = "COUNT")]
    pub(crate) shards: Option<NonZeroU16>,
    #[command(flatten)]
    pub(crate) tuning: Tuning,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Client {
    /// The server's UDP address.
    #[arg(long)]
    pub(crate) addr: SocketAddr,
    /// The certificate to trust, a PEM file.
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: PathBuf,
    /// What to do.
    #[arg(long, value_enum)]
    pub(crate) workload: Workload,
    /// Bulk: bytes on each stream.
    #[arg(long, default_value_t = 1 << 30)]
    pub(crate) bytes: u64,
    /// Streams at a time on each connection.
    #[arg(long, default_value_t = 1)]
    pub(crate) streams: usize,
    /// Connections; with `handshake` how many are opened at a time.
    #[arg(long, default_value_t = 1)]
    pub(crate) conns: usize,
    /// Seconds to measure (rr, handshake), to hold the connections (idle), or to repeat the
    /// transfer (bulk; 0 is once).
    #[arg(long, default_value_t = 0.0)]
    pub(crate) duration: f64,
    /// rr: length of a request, with its header of eight bytes.
    #[arg(long, default_value_t = 100)]
    pub(crate) req_bytes: u64,
    /// rr: length of an answer.
    #[arg(long, default_value_t = 1024)]
    pub(crate) resp_bytes: u64,
    #[command(flatten)]
    pub(crate) tuning: Tuning,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Workload {
    /// The server sends.
    BulkDown,
    /// The client sends.
    BulkUp,
    /// Requests and answers.
    Rr,
    /// Connections, each with one request of one byte.
    Handshake,
    /// Connections that are only held.
    Idle,
}

/// Choices of the transport.
#[derive(Args, Clone, Debug)]
pub(crate) struct Tuning {
    /// Largest UDP payload, in bytes.
    #[arg(long, default_value_t = 1452)]
    pub(crate) mtu: u16,
    /// Congestion controller.
    #[arg(long, alias = "cc", value_enum, default_value_t = Congestion::Cubic)]
    pub(crate) congestion: Congestion,
    /// Flow control window of a stream, in bytes; 0 is the library's default.
    #[arg(long, default_value_t = 8 << 20)]
    pub(crate) stream_window: u64,
    /// Flow control window and send buffer of a connection, in bytes; 0 is the library's default.
    #[arg(long, default_value_t = 16 << 20)]
    pub(crate) conn_window: u64,
    /// Buffer of the socket each way, in bytes; 0 is the system's default.
    #[arg(long, default_value_t = network::SOCKET_BUFFER)]
    pub(crate) sockbuf: usize,
    /// Send as fast as the window allows, without pacing.
    #[arg(long)]
    pub(crate) no_pacing: bool,
    /// Threads to run on. With one, everything runs on the main thread.
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,
}

impl Tuning {
    fn transport(&self) -> TransportConfig {
        let mut transport = TransportConfig::default();
        if self.stream_window > 0 {
            transport.stream_receive_window = self.stream_window;
            transport.max_stream_receive_window =
                transport.max_stream_receive_window.max(self.stream_window);
        }
        if self.conn_window > 0 {
            transport.receive_window = self.conn_window;
            transport.max_receive_window = transport.max_receive_window.max(self.conn_window);
            transport.send_window = self.conn_window;
        }
        transport.max_concurrent_bidi_streams = MAX_STREAMS;
        transport.max_idle_timeout = Some(IDLE_TIMEOUT);
        transport.max_mtu = self.mtu;
        transport.pacing = !self.no_pacing;
        transport.congestion = self.congestion.into();
        transport
    }
}

/// Writes `length` zeros and finishes the stream.
async fn send_zeros(stream: &mut SendStream, length: u64) -> Result<(), WriteError> {
    let mut left = length;
    while left > CHUNK as u64 {
        stream.write_chunk(ZEROS.clone()).await?;
        left -= CHUNK as u64;
    }
    let last = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
    stream.finish_with(ZEROS.slice(..last)).await
}

//! The test cases of the QUIC interop runner: each end is told by environment variables.

pub(crate) mod client;
pub(crate) mod server;

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use quic_core::{QUIC_V1, QUIC_V2, TransportConfig};

use crate::errors::Failure;
use crate::network::Preference;
use crate::protocol::Protocol;

/// Links of some cases lose a third of all packets, or are silent for seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// Half of all round trips fail in some of these cases, so timeouts had better be short.
const MULTICONNECT_INITIAL_RTT: Duration = Duration::from_millis(100);

/// An end that waits for data sends only ACKs, which are not repeated. If all are lost, the other
/// end's probes back off for longer than the idle timeout; a PING is repeated, with its ACK.
const MULTICONNECT_KEEP_ALIVE: Duration = Duration::from_secs(2);

/// What a peer is wanted to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum TestCase {
    /// Only ChaCha20-Poly1305 protects packets.
    ChaCha20,
    /// The server prefers another address, which the client moves to.
    ConnectionMigration,
    /// Files over HTTP/3.
    Http3,
    /// The client updates the keys early.
    KeyUpdate,
    /// A connection for each file.
    MultiConnect,
    /// The second connection resumes the session of the first.
    Resumption,
    /// The server asks for proof of the client's address.
    Retry,
    /// Files, as they come.
    Transfer,
    /// The client starts with version 1, and both ends want version 2.
    Version2,
    /// The client starts with a version that does not exist.
    VersionNegotiation,
    /// The second connection sends its requests at once.
    ZeroRtt,
}

impl TestCase {
    /// The case that the environment names.
    fn from_environment() -> Result<Self, Failure> {
        let name = variable("TESTCASE")?;
        Ok(match name.as_str() {
            "chacha20" => Self::ChaCha20,
            "connectionmigration" => Self::ConnectionMigration,
            "http3" => Self::Http3,
            "keyupdate" => Self::KeyUpdate,
            "multiconnect" | "handshakeloss" | "handshakecorruption" => Self::MultiConnect,
            "resumption" => Self::Resumption,
            "retry" => Self::Retry,
            "handshake" | "transfer" | "ecn" | "multiplexing" | "longrtt" | "ipv6"
            | "blackhole" | "amplificationlimit" | "transferloss" | "transfercorruption"
            | "goodput" | "crosstraffic" | "rebind-port" | "rebind-addr" => Self::Transfer,
            "v2" => Self::Version2,
            "versionnegotiation" => Self::VersionNegotiation,
            "zerortt" => Self::ZeroRtt,
            _ => return Err(Failure::unsupported(format!("test case {name:?} is not supported"))),
        })
    }

    fn protocol(self) -> Protocol {
        if self == Self::Http3 { Protocol::H3 } else { Protocol::HqInterop }
    }

    fn preference(self) -> Preference {
        if self == Self::ChaCha20 { Preference::ChaCha20 } else { Preference::Aes128 }
    }

    fn transport(self) -> TransportConfig {
        let mut transport = TransportConfig::default();
        transport.max_idle_timeout = Some(PATIENCE);
        transport.handshake_timeout = PATIENCE;
        if self == Self::MultiConnect {
            transport.initial_rtt = MULTICONNECT_INITIAL_RTT;
            transport.keep_alive_interval = Some(MULTICONNECT_KEEP_ALIVE);
        }
        if self == Self::ZeroRtt {
            // Probes of the path are 1-RTT packets, of which there shall be few.
            transport.max_mtu = transport.initial_mtu;
        }
        transport
    }
}

/// Versions of QUIC, the one first that the case `v2` is about.
const VERSION_2_FIRST: [u32; 2] = [QUIC_V2, QUIC_V1];

fn variable(name: &str) -> Result<String, Failure> {
    env::var(name)
        .ok()
        .filter(|value| !value.is_empty())
        .ok_or_else(|| Failure::usage(format!("the environment variable {name} is not set")))
}

/// Where the certificates are.
fn certificates() -> Result<PathBuf, Failure> {
    variable("CERTS").map(PathBuf::from)
}

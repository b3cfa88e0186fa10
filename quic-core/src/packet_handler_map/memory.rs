//! What a map of packet handlers takes at the most.

use super::closed_connection::ClosedConnection;
use super::deadlines::Deadlines;
use super::misdirections::Misdirections;
use super::outbox::Outboxes;
use super::reset_limiter::ResetLimiter;
use super::retired::RetiredIds;
use super::routes::Routes;
use super::slots::Slots;
use super::token_store::TokenStore;
use super::zero_rtt_queue::{LIMIT, ZeroRttQueue};
use crate::config::{ConnectionMemory, EndpointConfig, EndpointMemory};
use crate::connection::Connection;
use crate::crypto::InitialKeys;
use crate::event::{ConnectionHandle, Event};
use crate::memory;
use crate::server::{ATTEMPT_LIMIT, Attempt, Server};
use crate::streams::worst_case_growth;

/// Longest UDP payload, in bytes.
const LONGEST_DATAGRAM: u64 = 65_535;
/// Bytes of the shortest frame that can be an event.
const SHORTEST_EVENT: u64 = 3;
/// Events of each connection when all are told something at once.
const EVENTS_PER_CONNECTION: u64 = 2;

impl EndpointConfig {
    /// Bytes of heap that all connections of this configuration may hold at the most, with all that
    /// leads to them, if each is bounded by `connection`: the larger bound of those that are opened
    /// and those that are accepted.
    ///
    /// It counts what [`PacketHandlerMap`](crate::PacketHandlerMap) holds, with connections in place;
    /// drivers add their buffers, see `docs/bounds.md`.
    ///
    /// ```
    /// # use std::{error::Error, sync::Arc};
    /// # use quic_core::crypto::TlsServerConfig;
    /// # use quic_core::rustls::pki_types::PrivateKeyDer;
    /// use quic_core::{EndpointConfig, Keyring, ServerConfig, TransportConfig};
    ///
    /// # fn main() -> Result<(), Box<dyn Error>> {
    /// # let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    /// # let certificate = made.cert.der().clone();
    /// # let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    /// # let tls = Arc::new(TlsServerConfig::from_certificate(vec![certificate], key, &[b"h3"])?);
    /// // Small requests and answers: 16 streams, of which each takes 16 KiB at a time.
    /// let mut transport = TransportConfig::default();
    /// transport.max_concurrent_bidi_streams = 16;
    /// transport.max_concurrent_uni_streams = 4;
    /// transport.stream_receive_window = 16 << 10;
    /// transport.receive_window = 64 << 10;
    /// transport.max_receive_window = 1 << 20;
    /// transport.send_window = 128 << 10;
    /// transport.datagram_receive_bytes = 0;
    /// transport.datagram_receive_count = 0;
    /// transport.datagram_send_bytes = 16 << 10;
    /// transport.datagram_send_count = 16;
    /// let server = ServerConfig::new(tls, transport, Keyring::new([7; 32]))?;
    ///
    /// let mut endpoint = EndpointConfig::default();
    /// endpoint.max_connections = 2000;
    /// endpoint.receive_budget = 1 << 30;
    ///
    /// // It opens three streams of its own, as servers of HTTP/3 do.
    /// let bound = endpoint.worst_case_bytes(&server.worst_case_bytes(3));
    /// println!("{bound}");
    /// // Not even if all 2,000 clients are out for its memory does it need more than 16 GiB.
    /// assert!(bound.total() < 16 << 30);
    /// # Ok(())
    /// # }
    /// ```
    pub fn worst_case_bytes(&self, connection: &ConnectionMemory) -> EndpointMemory {
        let connections = self.max_connections as u64;
        let growth = connection.window_growth.saturating_mul(connections);
        EndpointMemory {
            tables: tables(),
            socket: Outboxes::worst_case_bytes(1),
            routes: routes(connections),
            attempt: memory::sum([
                memory::boxes::<Attempt>(1),
                InitialKeys::worst_case_bytes(),
                ATTEMPT_LIMIT.worst_case_bytes(),
                LIMIT.worst_case_bytes(),
            ]),
            zero_rtt_queue: memory::boxes::<ZeroRttQueue>(1)
                .saturating_add(LIMIT.worst_case_bytes()),
            closed_connection: memory::boxes::<ClosedConnection>(1)
                .saturating_add(LONGEST_DATAGRAM),
            connection: connection.total_at_first(),
            connections,
            window_growth: growth.min(worst_case_growth(connections, self.receive_budget)),
        }
    }
}

/// What is there however many connections there are.
fn tables() -> u64 {
    // What one train of datagrams can make, until the application polls.
    let events = LONGEST_DATAGRAM / SHORTEST_EVENT;
    memory::sum([
        RetiredIds::worst_case_bytes(),
        TokenStore::worst_case_bytes(),
        ResetLimiter::worst_case_bytes(),
        Server::worst_case_bytes(),
        Misdirections::worst_case_bytes(),
        memory::list::<(ConnectionHandle, Event)>(events),
    ])
}

/// What there is of each connection beside itself.
fn routes(connections: u64) -> u64 {
    memory::sum([
        Slots::<Box<Connection>>::worst_case_bytes(connections),
        Routes::worst_case_bytes(connections),
        Deadlines::worst_case_bytes(connections),
        memory::list::<ConnectionHandle>(connections),
        memory::list::<(ConnectionHandle, Box<Connection>)>(connections),
        memory::list::<(ConnectionHandle, Event)>(
            connections.saturating_mul(EVENTS_PER_CONNECTION),
        ),
    ])
}

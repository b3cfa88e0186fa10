//! What configurations cost at the most, part by part.

use std::fmt;

/// Bytes of heap that a connection may hold at the most, whatever its peer does, by what they are
/// for. [`ServerConfig::worst_case_bytes`](crate::ServerConfig::worst_case_bytes) and
/// [`ClientConfig::worst_case_bytes`](crate::ClientConfig::worst_case_bytes) tell it.
///
/// Connections hold far less as a rule: about 5 KiB when they rest, 8 KiB when a handshake goes on,
/// and in a transfer what is received and not read, or written and not acknowledged. The bound is for
/// peers that are out for memory, and for the day on which all of them are.
///
/// All bytes are counted as they are asked of the allocator, not what it adds to them. While a list
/// grows, its old and its new memory may be there at once, for a moment. Not counted is what belongs
/// to others:
///
/// - what the application was given and keeps: a chunk that was read holds on to its block, of up to
///   64 KiB;
/// - what the application gives away: of a chunk that was written without copying it, or a datagram,
///   the bytes are counted, not what else is kept by them;
/// - events that the application does not poll, see [the contract](crate#the-five-verbs);
/// - a recorder, a congestion controller of your own, and what drivers keep of a connection;
/// - what all connections share, such as a store of TLS sessions.
///
/// `u64::MAX` says that nothing bounds a part, as streams do if the peer may open 2^60 of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ConnectionMemory {
    /// The connection itself, connection IDs, packets that came before their keys, tokens, and the
    /// peer's reason for closing. No configuration changes it.
    pub state: u64,
    /// TLS and all keys: an allowance, see
    /// [`SessionFactory::worst_case_bytes`](crate::crypto::SessionFactory::worst_case_bytes).
    pub tls: u64,
    /// CRYPTO data that waits for a gap to be filled, and NEW_TOKEN tokens.
    pub handshake: u64,
    /// What is remembered of packets that were sent, four times as many as make up the
    /// [`send_window`](crate::TransportConfig::send_window), and of those received.
    pub packets: u64,
    /// Paths besides the active one, validation, congestion control.
    pub paths: u64,
    /// State of streams, as many as the peer may open, and the application's own.
    pub streams: u64,
    /// Received data that is not read: twice
    /// [`max_receive_window`](crate::TransportConfig::max_receive_window), and some blocks.
    pub received: u64,
    /// How much of [`received`](Self::received) is there only if the window has grown beyond
    /// [`receive_window`](crate::TransportConfig::receive_window).
    pub window_growth: u64,
    /// Data to send that is not acknowledged: twice
    /// [`send_window`](crate::TransportConfig::send_window), a block of 64 KiB for each stream, and
    /// what of it arrived or is lost.
    pub sent: u64,
    /// Datagrams (RFC 9221) in both directions, and reports on them.
    pub datagrams: u64,
}

impl ConnectionMemory {
    /// All parts together.
    pub fn total(&self) -> u64 {
        let Self { state, tls, handshake, packets, paths, .. } = *self;
        let Self { streams, received, sent, datagrams, .. } = *self;
        let parts = [state, tls, handshake, packets, paths, streams, received, sent, datagrams];
        crate::memory::sum(parts)
    }

    /// All parts together while the receive window is as large as it was at first.
    pub fn total_at_first(&self) -> u64 {
        match self.total() {
            u64::MAX => u64::MAX,
            total => total.saturating_sub(self.window_growth),
        }
    }
}

impl fmt::Display for ConnectionMemory {
    /// One part in each line, with its bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("state", self.state),
            ("TLS and keys", self.tls),
            ("handshake", self.handshake),
            ("packets", self.packets),
            ("paths", self.paths),
            ("streams", self.streams),
            ("received data", self.received),
            ("sent data", self.sent),
            ("datagrams", self.datagrams),
        ];
        write_rows(f, &rows, self.total())
    }
}

/// Bytes of heap that all connections of an endpoint, and what routes datagrams to them, may hold at
/// the most, by what they are for.
/// [`EndpointConfig::worst_case_bytes`](crate::EndpointConfig::worst_case_bytes) tells it; what is
/// counted is what [`ConnectionMemory`] says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct EndpointMemory {
    /// What does not grow with the number of connections: used tokens, retired connection IDs,
    /// tokens of other servers, limiters.
    pub tables: u64,
    /// Answers that wait on each socket.
    pub socket: u64,
    /// Routes, deadlines and queues for as many connections as there may be.
    pub routes: u64,
    /// An attempt that waits to be accepted, with what it holds.
    pub attempt: u64,
    /// A queue of 0-RTT packets that overtook their Initial.
    pub zero_rtt_queue: u64,
    /// What remains of a connection until its closing period ends.
    pub closed_connection: u64,
    /// A connection, while its receive window is as large as it was at first.
    pub connection: u64,
    /// How many there may be of the last four together:
    /// [`max_connections`](crate::EndpointConfig::max_connections).
    pub connections: u64,
    /// What larger receive windows can take, of all connections together: twice
    /// [`receive_budget`](crate::EndpointConfig::receive_budget).
    pub window_growth: u64,
}

impl EndpointMemory {
    /// All of it together, with one socket; each further one takes [`socket`](Self::socket) more.
    pub fn total(&self) -> u64 {
        let Self { attempt, zero_rtt_queue, closed_connection, connection, .. } = *self;
        let largest = connection.max(attempt).max(zero_rtt_queue).max(closed_connection);
        let handlers = largest.saturating_mul(self.connections);
        let Self { tables, socket, routes, window_growth, .. } = *self;
        crate::memory::sum([tables, socket, routes, handlers, window_growth])
    }
}

impl fmt::Display for EndpointMemory {
    /// One part in each line, with its bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("tables", self.tables),
            ("each socket", self.socket),
            ("routes", self.routes),
            ("each attempt", self.attempt),
            ("each 0-RTT queue", self.zero_rtt_queue),
            ("each closed one", self.closed_connection),
            ("each connection", self.connection),
            ("window growth", self.window_growth),
        ];
        write_rows(f, &rows, self.total())
    }
}

fn write_rows(f: &mut fmt::Formatter<'_>, rows: &[(&str, u64)], total: u64) -> fmt::Result {
    for (name, bytes) in rows {
        writeln!(f, "{name:<16} {bytes:>20}")?;
    }
    write!(f, "{:<16} {total:>20}", "together")
}

#[cfg(test)]
mod tests;

//! What a connection takes at the most.

use bytes::Bytes;

use super::client_versions::MAXIMUM_VERSIONS;
use super::close::{CloseReason, MAXIMUM_KEPT_REASON};
use super::early_data::EarlyData;
use super::handshake::Handshake;
use super::path_statistics::Ledger;
use super::recording::Recording;
use super::space::PacketNumberSpace;
use super::undecryptable::Undecryptable;
use super::{ClientState, Closing, Connection, new_tokens};
use crate::ack_frequency::AckFrequency;
use crate::config::{ClientConfig, ConnectionMemory, ServerConfig, TransportConfig};
use crate::datagrams::Datagrams;
use crate::event::Event;
use crate::ids::{LocalIds, RemoteIds};
use crate::memory;
use crate::paths::Paths;
use crate::recovery::worst_case_records;
use crate::streams::StreamsMemory;
use crate::wire::{Side, SpaceId};

/// Events of the connection itself that may wait at a time.
const EVENTS: u64 = 16;
/// Times that the peer's reason for closing may be there: in the state, and in the event.
const REASONS: u64 = 2;
/// Bytes of a character that stands for one that is no UTF-8.
const REPLACEMENT: u64 = 3;
/// Longest name of a server, in bytes.
const LONGEST_NAME: u64 = 255;
/// Longest token that a Retry can have, in bytes.
const LONGEST_RETRY_TOKEN: u64 = 65_535;

impl ServerConfig {
    /// Bytes of heap that each connection accepted with this configuration may hold at the most,
    /// whatever its client does.
    ///
    /// `own_streams`: how many streams the application has open at a time that it opened itself. A
    /// client may allow any number of them.
    ///
    /// See [`ConnectionMemory`] for what is counted.
    pub fn worst_case_bytes(&self, own_streams: u64) -> ConnectionMemory {
        let tls = self.crypto.worst_case_bytes(Side::Server);
        let handshake = Handshake::worst_case_bytes(Side::Server, self.new_tokens);
        bound(&self.transport, own_streams, [tls, handshake, 0])
    }
}

impl ClientConfig {
    /// Bytes of heap that each connection made with this configuration may hold at the most,
    /// whatever its server does.
    ///
    /// `own_streams`: how many streams the application has open at a time that it opened itself. A
    /// server may allow any number of them.
    ///
    /// See [`ConnectionMemory`] for what is counted.
    pub fn worst_case_bytes(&self, own_streams: u64) -> ConnectionMemory {
        let tls = self.crypto.worst_case_bytes(Side::Client);
        let handshake = Handshake::worst_case_bytes(Side::Client, 0);
        let of_client = memory::sum([
            memory::boxes::<ClientState>(1),
            memory::list::<u32>(MAXIMUM_VERSIONS as u64 + 1),
            new_tokens::worst_case_bytes(),
            LONGEST_NAME,
            LONGEST_RETRY_TOKEN,
        ]);
        bound(&self.transport, own_streams, [tls, handshake, of_client])
    }
}

/// The bound of a connection, of which some `parts` are known: TLS, the handshake, and what only one
/// of the ends has.
fn bound(config: &TransportConfig, own_streams: u64, parts: [u64; 3]) -> ConnectionMemory {
    let [tls, handshake, of_role] = parts;
    let (packets, frames) = worst_case_records(config, SpaceId::Application);
    let window = config.receive_window.max(config.max_receive_window);
    let streams = StreamsMemory::of(config, window, own_streams, frames);
    let at_first = StreamsMemory::of(config, config.receive_window, own_streams, frames);
    let spaces = SpaceId::ALL.map(|space| PacketNumberSpace::worst_case_bytes(config, space));
    ConnectionMemory {
        state: memory::sum([of_role, own_state()]),
        tls,
        handshake,
        packets: memory::sum(spaces),
        paths: Paths::worst_case_bytes(config, packets),
        streams: streams.state,
        received: streams.received,
        window_growth: streams.received.saturating_sub(at_first.received),
        sent: streams.sent,
        datagrams: Datagrams::worst_case_bytes(config),
    }
}

/// What no configuration changes.
fn own_state() -> u64 {
    let reasons = REASONS * REPLACEMENT * MAXIMUM_KEPT_REASON as u64;
    memory::sum([
        memory::boxes::<Connection>(1),
        memory::boxes::<EarlyData>(1),
        memory::boxes::<AckFrequency>(1),
        Ledger::worst_case_bytes(),
        memory::boxes::<Recording>(1),
        memory::boxes::<CloseReason>(1),
        memory::boxes::<Closing>(1),
        memory::list::<Event>(EVENTS),
        reasons,
        memory::boxes::<Bytes>(REASONS),
        Undecryptable::worst_case_bytes(),
        LocalIds::worst_case_bytes(),
        RemoteIds::worst_case_bytes(),
    ])
}

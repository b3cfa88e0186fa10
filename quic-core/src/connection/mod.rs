//! The router between the components that do the work of one connection.
//!
//! Bytes arrive in [`receive`], frames find their owners in [`frames`], leave in [`transmit`] and
//! [`seal`], and their fate is told in [`acknowledge`].

mod ack_frequency;
mod acknowledge;
mod api;
mod client_versions;
mod clock;
mod close;
mod crypto_stream;
mod datagrams;
mod early_data;
mod ecn;
mod ending;
mod first_answers;
mod frames;
mod handshake;
mod idle_timeout;
mod keys;
mod lifecycle;
mod lone_datagrams;
mod memory;
mod migration;
mod new_tokens;
mod parameters;
mod path_statistics;
mod preferred_address;
mod quic_bit;
mod receive;
mod reconfigure;
mod recording;
mod seal;
mod skipped_numbers;
mod space;
mod start;
mod statistics;
mod timeouts;
mod transmit;
mod undecryptable;
mod versions;
mod work_account;

#[cfg(test)]
mod tests;

pub use datagrams::DatagramChannel;
pub use early_data::EarlyDataStatus;
pub(crate) use ending::Closing;
pub use migration::MigrationError;
pub(crate) use new_tokens::LONGEST_NEW_TOKEN;
pub use path_statistics::PathStatistics;
pub(crate) use start::{ClientStart, ServerStart};
pub use statistics::Statistics;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::ack_frequency::AckFrequency;
use crate::config::{EndpointConfig, ServerConfig, TransportConfig};
use crate::crypto::{SealError, SeededRandom, SessionFactory};
use crate::datagrams::Datagrams as DatagramQueues;
use crate::event::Event;
use crate::ids::{LocalIds, Registration, Registrations, RemoteIds};
use crate::instant::{Instant, Span};
use crate::paths::Paths;
use crate::recorder::Origin;
use crate::recovery::Recovery;
use crate::streams::{Streams, StreamsSlot};
use crate::wire::SpaceId;

use self::client_versions::ClientVersions;
use self::clock::Clock;
use self::close::CloseReason;
use self::early_data::EarlyData;
use self::handshake::Handshake;
use self::idle_timeout::IdleTimeout;
use self::lifecycle::Lifecycle;
use self::parameters::HandshakeIds;
use self::preferred_address::Preferred;
use self::quic_bit::QuicBits;
use self::recording::Recording;
use self::skipped_numbers::SkippedNumbers;
use self::space::{Keychain, PacketNumberSpace, SpaceSlot};
use self::statistics::Counters;
use self::undecryptable::Undecryptable;
use self::work_account::WorkAccount;

/// One QUIC connection: a router between the components that do the work.
///
/// Its methods are of three kinds. Inputs, `handle_*`, put datagrams and time in. Outputs,
/// `poll_*`, take datagrams, events and the next deadline out; call them until they return `None`
/// after anything else. All others are the application's.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    version: u32,
    endpoint: Arc<EndpointConfig>,
    random: SeededRandom,
    clock: Clock,
    lifecycle: Lifecycle,
    idle_timeout: IdleTimeout,
    handshake: Handshake,
    ids_seen: HandshakeIds,
    keys: Keychain,
    early_data: Option<Box<EarlyData>>,
    spaces: [SpaceSlot; 3],
    skipped_numbers: SkippedNumbers,
    undecryptable: Undecryptable,
    paths: Paths,
    recovery: Recovery,
    local_ids: LocalIds,
    remote_ids: RemoteIds,
    streams: StreamsSlot,
    datagrams: Option<Box<DatagramQueues>>,
    ack_frequency: Option<Box<AckFrequency>>,
    peer: Peer,
    ending: Ending,
    events: VecDeque<Event>,
    registrations: Registrations,
    counters: Counters,
    work: WorkAccount,
    /// Whoever is told of everything, and what it knows.
    recording: Option<Box<Recording>>,
}

/// What only one of the ends has.
#[derive(Debug)]
enum Role {
    Client(Box<ClientState>),
    Server(ServerState),
}

#[derive(Debug)]
struct ClientState {
    server_name: Box<str>,
    crypto: Arc<dyn SessionFactory>,
    transport: Arc<TransportConfig>,
    versions: ClientVersions,
    /// Sent in every Initial (RFC 9000 §8.1).
    token: Bytes,
    /// Tokens for later connections, until the manager takes them.
    new_tokens: VecDeque<Bytes>,
    preferred: Preferred,
}

#[derive(Debug)]
struct ServerState {
    config: Arc<ServerConfig>,
    /// Packets are routed by the first destination ID until the handshake is confirmed.
    keeps_initial_route: bool,
}

/// What the peer told, or showed, of itself.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with its own name")]
struct Peer {
    has_parameters: bool,
    ack_delay_exponent: u8,
    max_ack_delay: Span,
    /// Longest DATAGRAM frame that it receives, in bytes; 0: none (RFC 9221 §3).
    max_datagram_frame_size: u16,
    /// The server has shown that it believes our address (RFC 9002 §6.2.2.1); always so on a
    /// server.
    completed_address_validation: bool,
    /// The value of our packets' spin bit: random, since spinning is off (RFC 9000 §17.4).
    spin: bool,
    quic_bits: QuicBits,
    /// It sent disable_active_migration (RFC 9000 §18.2).
    forbids_migration: bool,
}

/// What is said, and kept, at the end.
#[derive(Debug, Default)]
struct Ending {
    /// CONNECTION_CLOSE is to be sent for this reason.
    close: Option<Box<CloseReason>>,
    /// The manager is to take over.
    closing: Option<Box<Closing>>,
    /// The manager was told.
    left: bool,
    /// Protecting a packet failed; the connection cannot go on.
    seal_failed: Option<SealError>,
}

impl Connection {
    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        // These are rare: no memory is kept for them.
        if self.events.capacity() > 0 {
            self.events = VecDeque::new();
        }
        if !self.lifecycle.is_alive() {
            return None;
        }
        let event = self.streams.used_mut().and_then(Streams::poll_event);
        event.map(Event::Stream).or_else(|| self.poll_datagram_event())
    }

    /// What the manager has to do for this connection.
    pub(crate) fn poll_registration(&mut self) -> Option<Registration> {
        let own = self.registrations.pop();
        own.or_else(|| self.local_ids.poll_registration())
            .or_else(|| self.remote_ids.poll_registration())
    }

    fn crypto(&self) -> &dyn SessionFactory {
        match &self.role {
            Role::Client(client) => &*client.crypto,
            Role::Server(server) => &*server.config.crypto,
        }
    }

    fn space(&self, space: SpaceId) -> &PacketNumberSpace {
        space.of::<SpaceSlot>(&self.spaces)
    }

    fn space_mut(&mut self, space: SpaceId) -> &mut PacketNumberSpace {
        space.of_mut::<SpaceSlot>(&mut self.spaces)
    }

    /// The probe timeout of the active path, without backoff (RFC 9002 §6.2.1).
    fn pto(&self) -> Duration {
        let space =
            if self.handshake.is_complete() { SpaceId::Application } else { SpaceId::Initial };
        Recovery::pto(&self.paths.active().rtt, self.peer.max_ack_delay.into(), space)
    }

    /// What every input ends with: timers follow what happened.
    fn after_input(&mut self, now: Instant) {
        if self.lifecycle.is_alive() {
            self.update_recovery_timer(now);
        }
        self.record_changes(now, Origin::Remote);
    }
}

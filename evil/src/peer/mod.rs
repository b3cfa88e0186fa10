//! The evil end of a connection: it can do all that an honest one must, and whatever else it is
//! told to.

mod handshake;
mod one_rtt;
mod receive;
mod seal;
mod seen;
mod space;

use std::fmt;
use std::sync::Arc;

use quic_core::crypto::{RandomSource as _, SeededRandom};
use quic_core::wire::header::{Header, LongHeader, VERSION_1, parse};
use quic_core::wire::transport_parameters::{self, TransportParameters};
use quic_core::wire::{Side, SpaceId};
use rustls::pki_types::ServerName;
use rustls::quic::{ClientConnection, Connection, DirectionalKeys, Keys, ServerConnection};
use rustls::{ClientConfig, ServerConfig};

pub use seen::{Seen, SeenClose, SeenPacket};

use crate::obstacle::Obstacle;
use crate::parameters::{Parameters, id};
use crate::tls::{initial_keys, tls_version};
use one_rtt::OneRtt;
use space::Space;

/// Bytes of the connection IDs that we give out, unless a case wants others.
pub const ID_LENGTH: usize = 8;

/// Changes what TLS says in a space.
pub type Edit = (SpaceId, fn(&mut Vec<u8>));

/// The role of the evil end, and its TLS.
#[derive(Clone, Debug)]
pub enum Role {
    /// It connects to a server of this name.
    Client(Arc<ClientConfig>, String),
    /// It accepts what comes.
    Server(Arc<ServerConfig>),
}

/// What to begin a connection with.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The role.
    pub role: Role,
    /// The version of QUIC.
    pub version: u32,
    /// The transport parameters. What an honest end has to add to them is added if it is not there
    /// and not [left out](Self::without).
    pub parameters: Parameters,
    /// Parameters that are not to be added.
    pub without: Vec<u64>,
    /// Our connection ID.
    pub local_id: Vec<u8>,
    /// What a client sends its first Initial to.
    pub original_id: Vec<u8>,
    /// The token in a client's Initials.
    pub token: Vec<u8>,
    /// Changes what TLS has to say in this space, before it is sent.
    pub edit: Option<Edit>,
}

impl Beginning {
    /// An honest beginning.
    pub fn honest(role: Role, random: &mut SeededRandom) -> Self {
        Self {
            role,
            version: VERSION_1,
            parameters: Parameters::honest(),
            without: Vec::new(),
            local_id: random_bytes(random, ID_LENGTH),
            original_id: random_bytes(random, ID_LENGTH),
            token: Vec::new(),
            edit: None,
        }
    }

    fn add(&mut self, id: u64, value: &[u8]) {
        if !self.parameters.contains(id) && !self.without.contains(&id) {
            self.parameters.add(id, value);
        }
    }
}

/// How far a connection is, as the evil end sees it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Stage {
    /// There are keys for Initial packets.
    Initial,
    /// There are keys for Handshake packets.
    Handshake,
    /// There are keys for 1-RTT packets; a client's last handshake bytes may not be sent.
    OneRtt,
    /// The handshake is confirmed: a client was told so, a server has all handshake bytes.
    Confirmed,
}

/// A connection ID that the target gave out.
#[derive(Clone, Debug)]
pub struct TargetId {
    /// Its sequence number.
    pub sequence: u64,
    /// Its bytes.
    pub id: Vec<u8>,
    /// The token of its stateless resets, if there is one.
    pub token: Option<[u8; 16]>,
}

/// The evil end of one connection.
#[expect(clippy::struct_excessive_bools, reason = "independent choices of a case")]
pub struct Peer {
    side: Side,
    version: u32,
    tls: Connection,
    initial: Option<Keys>,
    early: Option<DirectionalKeys>,
    handshake: Option<Keys>,
    one_rtt: Option<OneRtt>,
    /// In which space TLS writes.
    write_space: SpaceId,
    edit: Option<Edit>,
    spaces: [Space; 3],
    original_id: Vec<u8>,
    local_id: Vec<u8>,
    target_id: Vec<u8>,
    target_ids: Vec<TargetId>,
    token: Vec<u8>,
    retried: bool,
    confirmed: bool,
    /// Whether HANDSHAKE_DONE was sent, which a case can prevent by saying so.
    pub done_told: bool,
    /// Whether to acknowledge what comes. Default: yes.
    pub acks: bool,
    /// Whether to answer PATH_CHALLENGE. Default: yes.
    pub answers_challenges: bool,
    challenges: Vec<(usize, [u8; 8])>,
    seen: Vec<Seen>,
    close: Option<SeenClose>,
    tls_error: Option<String>,
}

impl Peer {
    /// A client that has something to send, and a server's keys.
    ///
    /// # Errors
    /// If TLS does not start.
    pub fn client(mut beginning: Beginning) -> Result<Self, Obstacle> {
        let Role::Client(config, name) = beginning.role.clone() else {
            return Err(Obstacle::not_set_up("a server cannot connect"));
        };
        let local_id = beginning.local_id.clone();
        beginning.add(id::INITIAL_SOURCE_CONNECTION_ID, &local_id);
        let name = ServerName::try_from(name).map_err(Obstacle::not_set_up)?;
        let version = tls_version(beginning.version);
        let parameters = beginning.parameters.encode();
        let tls = ClientConnection::new(config, version, name, parameters);
        let tls = Connection::Client(tls.map_err(Obstacle::not_set_up)?);
        let target_id = beginning.original_id.clone();
        let mut peer = Self::new(Side::Client, beginning, tls, target_id);
        peer.early = peer.tls.zero_rtt_keys();
        peer.drive_tls();
        Ok(peer)
    }

    /// A server that got a client's first datagram. Hand it the datagram next.
    ///
    /// # Errors
    /// If the datagram does not start with an Initial, or TLS does not start.
    pub fn server(mut beginning: Beginning, datagram: &[u8]) -> Result<Self, Obstacle> {
        let Role::Server(config) = beginning.role.clone() else {
            return Err(Obstacle::not_set_up("a client cannot accept"));
        };
        let Ok(Header::Long(LongHeader { version, destination_id, source_id, .. })) =
            parse(datagram, ID_LENGTH)
        else {
            return Err(Obstacle::not_set_up("the client did not begin with an Initial"));
        };
        beginning.version = version;
        beginning.original_id = destination_id.as_slice().to_vec();
        let (original_id, local_id) = (beginning.original_id.clone(), beginning.local_id.clone());
        beginning.add(id::ORIGINAL_DESTINATION_CONNECTION_ID, &original_id);
        beginning.add(id::INITIAL_SOURCE_CONNECTION_ID, &local_id);
        beginning.add(id::STATELESS_RESET_TOKEN, &[0x5e; 16]);
        let parameters = beginning.parameters.encode();
        let tls = ServerConnection::new(config, tls_version(version), parameters);
        let tls = Connection::Server(tls.map_err(Obstacle::not_set_up)?);
        Ok(Self::new(Side::Server, beginning, tls, source_id.as_slice().to_vec()))
    }

    fn new(side: Side, beginning: Beginning, tls: Connection, target_id: Vec<u8>) -> Self {
        let Beginning { version, local_id, original_id, token, edit, .. } = beginning;
        let mut peer = Self {
            side,
            version,
            tls,
            initial: None,
            early: None,
            handshake: None,
            one_rtt: None,
            write_space: SpaceId::Initial,
            edit,
            spaces: Default::default(),
            original_id,
            local_id,
            target_id,
            target_ids: Vec::new(),
            token,
            retried: false,
            confirmed: false,
            done_told: false,
            acks: true,
            answers_challenges: true,
            challenges: Vec::new(),
            seen: Vec::new(),
            close: None,
            tls_error: None,
        };
        peer.initial = peer.make_initial_keys(&peer.original_id);
        peer
    }

    fn make_initial_keys(&self, destination_id: &[u8]) -> Option<Keys> {
        let side = match self.side {
            Side::Client => rustls::Side::Client,
            Side::Server => rustls::Side::Server,
        };
        initial_keys(self.version, destination_id, side)
    }

    fn space(&self, space: SpaceId) -> &Space {
        space.of(&self.spaces)
    }

    fn space_mut(&mut self, space: SpaceId) -> &mut Space {
        space.of_mut(&mut self.spaces)
    }

    /// Which end this is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// How far the connection is.
    pub fn stage(&self) -> Stage {
        if self.confirmed {
            Stage::Confirmed
        } else if self.one_rtt.is_some() {
            Stage::OneRtt
        } else if self.handshake.is_some() {
            Stage::Handshake
        } else {
            Stage::Initial
        }
    }

    /// All that came back.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// The packets that came back.
    pub fn packets(&self) -> impl DoubleEndedIterator<Item = &SeenPacket> {
        self.seen.iter().filter_map(|seen| match seen {
            Seen::Packet(packet) => Some(packet),
            Seen::Retry { .. }
            | Seen::VersionNegotiation { .. }
            | Seen::StatelessReset { .. }
            | Seen::Unreadable { .. } => None,
        })
    }

    /// The target's first CONNECTION_CLOSE.
    pub fn close(&self) -> Option<&SeenClose> {
        self.close.as_ref()
    }

    /// What our own TLS had against the target.
    pub fn tls_error(&self) -> Option<&str> {
        self.tls_error.as_deref()
    }

    /// The target's transport parameters, once they came.
    pub fn target_parameters(&self) -> Option<TransportParameters> {
        let bytes = self.tls.quic_transport_parameters()?;
        transport_parameters::decode(bytes, !self.side).ok()
    }

    /// The connection IDs that the target gave out in frames and parameters; not its first.
    pub fn target_ids(&self) -> &[TargetId] {
        &self.target_ids
    }

    /// What we send to.
    pub fn target_id(&self) -> &[u8] {
        &self.target_id
    }

    /// Sends to another connection ID from now on.
    pub fn send_to(&mut self, id: &[u8]) {
        self.target_id = id.to_vec();
    }

    /// Our own connection ID.
    pub fn local_id(&self) -> &[u8] {
        &self.local_id
    }

    /// The version that the connection began with.
    pub fn sent_version(&self) -> u32 {
        self.version
    }

    /// What the first Initial was sent to.
    pub fn original_id(&self) -> &[u8] {
        &self.original_id
    }

    /// The number of the next packet in the space.
    pub fn next_number(&self, space: SpaceId) -> u64 {
        self.space(space).next_number
    }

    /// Goes on with packets of this number.
    pub fn skip_to(&mut self, space: SpaceId, number: u64) {
        self.space_mut(space).next_number = number;
    }

    /// Whether the target acknowledged our packet.
    pub fn is_acked(&self, space: SpaceId, number: u64) -> bool {
        self.space(space).acked.contains(number)
    }

    /// The largest number of the target's packets.
    pub fn largest_received(&self, space: SpaceId) -> Option<u64> {
        self.space(space).largest
    }

    /// The handshake bytes that TLS wrote in this space.
    pub fn crypto(&self, space: SpaceId) -> &[u8] {
        &self.space(space).crypto
    }

    /// Takes the handshake bytes in this space as sent.
    pub fn take_crypto(&mut self, space: SpaceId) -> Vec<u8> {
        let space = self.space_mut(space);
        space.crypto_sent = space.crypto.len();
        space.crypto.clone()
    }

    /// Whether there are keys for 0-RTT packets.
    pub fn has_early_keys(&self) -> bool {
        self.early.is_some()
    }

    /// Sends with the next generation of 1-RTT keys from now on, without asking whether it may
    /// (RFC 9001 §6).
    pub fn update_keys(&mut self) {
        if let Some(keys) = &mut self.one_rtt {
            keys.generation += 1;
        }
    }

    /// Sends with this generation of 1-RTT keys from now on.
    pub fn set_generation(&mut self, generation: usize) {
        if let Some(keys) = &mut self.one_rtt {
            keys.generation = generation;
        }
    }

    /// The generation of 1-RTT keys that we send with, and the newest that the target sends with.
    pub fn generations(&self) -> (usize, usize) {
        let keys = self.one_rtt.as_ref();
        keys.map_or((0, 0), |keys| (keys.generation, keys.target_generation))
    }

    /// Whether the target is a server that took our early data.
    pub fn early_data_accepted(&self) -> bool {
        matches!(&self.tls, Connection::Client(tls) if tls.is_early_data_accepted())
    }

    /// Session tickets that came.
    pub fn tickets(&self) -> u32 {
        match &self.tls {
            Connection::Client(tls) => tls.tls13_tickets_received(),
            Connection::Server(_) => 0,
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("side", &self.side)
            .field("stage", &self.stage())
            .finish_non_exhaustive()
    }
}

/// So many random bytes.
pub fn random_bytes(random: &mut SeededRandom, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes
}

//! Two connections in virtual time, and authentic packets with any frames.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::{
    ClientConfig, EndpointConfig, QUIC_V1, QUIC_V2, ServerConfig, TransportConfig,
};
use crate::connection::{ClientStart, Connection, Role, ServerStart};
use crate::crypto::{
    InitialKeys, Keyring, SeededRandom, TAG_LENGTH, TlsClientConfig, TlsServerConfig,
};
use crate::error::{ConnectionError, TransportErrorCode};
use crate::instant::Instant;
use crate::net::{PathAddresses, SocketId, UdpDatagram};
use crate::recovery::NewPacket;
use crate::transmit::TransmitBuffer;
use crate::wire::header::{
    Header, LongHeader, LongHeaderParts, LongType, ShortHeaderParts, parse, patch_length,
    write_long_header, write_short_header,
};
use crate::wire::{PacketNumberLength, Side, SpaceId, Writer};

const NAME: &str = "server.example";

/// How long a datagram is on its way.
pub(super) const DELAY: Duration = Duration::from_millis(10);

/// A client, a server, and the time.
pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) client: Connection,
    pub(super) server: Connection,
}

/// Where the client is, as the server sees it.
pub(super) fn client_path() -> PathAddresses {
    path("192.0.2.1:1000")
}

pub(super) fn path(remote: &str) -> PathAddresses {
    PathAddresses { socket: SocketId(0), local_ip: None, remote: remote.parse().unwrap() }
}

fn server_path() -> PathAddresses {
    path("198.51.100.1:443")
}

fn tls_server() -> Arc<TlsServerConfig> {
    static CERTIFIED: OnceLock<(CertificateDer<'static>, Vec<u8>)> = OnceLock::new();
    let (certificate, key) = CERTIFIED.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        (made.cert.der().clone(), made.signing_key.serialize_der())
    });
    let key = PrivateKeyDer::try_from(key.clone()).unwrap();
    Arc::new(TlsServerConfig::from_certificate(vec![certificate.clone()], key, &[]).unwrap())
}

pub(super) fn client(now: Instant, transport: TransportConfig) -> Connection {
    let tls = TlsClientConfig::dangerous_without_verification(&[]).unwrap();
    let config = ClientConfig::new(Arc::new(tls), transport).unwrap();
    client_of(now, config)
}

/// A client with this configuration.
pub(super) fn client_of(now: Instant, config: ClientConfig) -> Connection {
    let start = ClientStart {
        path: server_path(),
        config: Arc::new(config),
        endpoint: Arc::new(EndpointConfig::default()),
        server_name: NAME,
        random: SeededRandom::from_seed([1; 32]),
        token: Bytes::new(),
    };
    Connection::client(now, start).unwrap()
}

fn server(now: Instant, transport: TransportConfig, first: &[u8]) -> Connection {
    let Ok(Header::Long(LongHeader { destination_id, source_id, .. })) = parse(first, 8) else {
        panic!("a client starts with an Initial");
    };
    let config = ServerConfig::new(tls_server(), transport, Keyring::new([3; 32])).unwrap();
    let initial_keys = config.crypto.initial_keys(1, &destination_id, Side::Server).unwrap();
    let start = ServerStart {
        path: client_path(),
        config: Arc::new(config),
        endpoint: Arc::new(EndpointConfig::default()),
        random: SeededRandom::from_seed([2; 32]),
        version: 1,
        client_source_id: source_id,
        destination_id,
        original_destination_id: destination_id,
        validated: false,
        retried: false,
        initial_keys: InitialKeys(Box::new(initial_keys)),
    };
    Connection::server(now, start).unwrap()
}

/// All datagrams that a connection has to send now.
pub(super) fn sent_by(connection: &mut Connection, now: Instant) -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    while let Some(datagram) = one_sent_by(connection, now) {
        datagrams.push(datagram);
        assert!(datagrams.len() < 10_000, "a connection does not stop sending");
    }
    datagrams
}

pub(super) fn one_sent_by(connection: &mut Connection, now: Instant) -> Option<Vec<u8>> {
    let mut memory = [0; 1500];
    let mut buffer = TransmitBuffer::new(&mut memory, 1);
    let transmit = connection.poll_transmit(now, SocketId(0), &mut buffer)?;
    Some(memory[..transmit.length].to_vec())
}

/// Hands a datagram to a connection, as if it came from `path`.
pub(super) fn deliver_from(
    connection: &mut Connection,
    now: Instant,
    path: PathAddresses,
    datagram: &[u8],
) {
    connection.handle_datagram(now, UdpDatagram::new(path, &mut datagram.to_vec()));
}

/// Hands a datagram to a connection, as if it came from where its peer is.
pub(super) fn deliver(connection: &mut Connection, now: Instant, datagram: &[u8]) {
    let path = match connection.side() {
        Side::Client => server_path(),
        Side::Server => client_path(),
    };
    deliver_from(connection, now, path, datagram);
}

/// Packets by which a connection still measures how fast its path delivers.
pub(super) fn sampled(connection: &Connection) -> usize {
    connection.paths.active().sampled_packets()
}

/// How a connection ended, if this end found an error.
pub(super) fn error_of(connection: &Connection) -> Option<TransportErrorCode> {
    let reason = connection.close_reason()?;
    let ConnectionError::TransportError(error) = reason else {
        panic!("the connection ended, but not by an error of the peer: {reason}");
    };
    Some(error.code)
}

impl Connection {
    /// A datagram with an authentic packet of this end that carries `frames`, and nothing else.
    pub(super) fn forge(&mut self, space: SpaceId, frames: &[u8]) -> Vec<u8> {
        let minimum = if space == SpaceId::Initial { 1200 } else { 0 };
        self.forge_with(space, frames, minimum, |_| {})
    }

    /// The same, at least `minimum` bytes long, with a first byte as `change` leaves it.
    pub(super) fn forge_with(
        &mut self,
        space: SpaceId,
        frames: &[u8],
        minimum: usize,
        change: impl FnOnce(&mut u8),
    ) -> Vec<u8> {
        let mut memory = vec![0; 1500];
        let header = self.write_header(space, &mut memory).unwrap();
        let start = header.length();
        memory[start..start + frames.len()].copy_from_slice(frames);
        change(&mut memory[0]);
        let length = self.finish_packet(&mut memory, &header, frames.len(), minimum).unwrap();
        assert!(length >= start + frames.len() + TAG_LENGTH);
        memory.truncate(length);
        let packet = NewPacket {
            time_sent: Instant::EPOCH,
            size: 0,
            ack_eliciting: false,
            in_flight: false,
            mtu_probe: false,
            ect: false,
            path: 0,
            frame_count: 0,
        };
        self.space_mut(space).sent.push(packet);
        memory
    }
}

impl Connection {
    /// The token in its Initial packets.
    pub(super) fn token(&self) -> &[u8] {
        match &self.role {
            Role::Client(client) => &client.token,
            Role::Server(_) => &[],
        }
    }

    /// An authentic packet without any frame.
    pub(super) fn forge_empty(&mut self, space: SpaceId) -> Vec<u8> {
        let token = self.token().to_vec();
        self.forge_long(space, &token, &[])
    }

    /// An authentic packet with these frames, and with this token if it is an Initial.
    pub(super) fn forge_long(&mut self, space: SpaceId, token: &[u8], frames: &[u8]) -> Vec<u8> {
        let number = self.space(space).sent.next_number();
        self.space_mut(space).sent.skip_number();
        // A packet number of four bytes, so that the tag alone is a sample.
        let number_length = PacketNumberLength::from_first_byte(3);
        let destination_id = *self.remote_ids.active();
        let mut packet = vec![0; 1500];
        let mut writer = Writer::new(&mut packet);
        if space == SpaceId::Application {
            let key_phase = self.keys.one_rtt.as_ref().unwrap().key_phase();
            let parts = ShortHeaderParts { destination_id, spin: false, key_phase };
            write_short_header(&mut writer, &parts, number, number_length).unwrap();
            let header = writer.length();
            writer.bytes(frames).unwrap();
            packet.truncate(header + frames.len() + TAG_LENGTH);
            self.keys.seal(space, &mut packet, header - 4, 4, number).unwrap();
            return packet;
        }
        let ty = if space == SpaceId::Initial { LongType::Initial } else { LongType::Handshake };
        let source_id = self.ids_seen.local_source;
        let parts = LongHeaderParts { ty, version: 1, destination_id, source_id, token };
        let field = write_long_header(&mut writer, &parts, number, number_length).unwrap();
        let header = writer.length();
        writer.bytes(frames).unwrap();
        packet.truncate(header + frames.len() + TAG_LENGTH);
        patch_length(&mut packet, field, 4 + frames.len() + TAG_LENGTH);
        self.keys.seal(space, &mut packet, header - 4, 4, number).unwrap();
        packet
    }
}

impl Pair {
    /// The server has the client's first flight; nothing else was delivered.
    pub(super) fn started() -> Self {
        Self::started_with(TransportConfig::default(), TransportConfig::default())
    }

    pub(super) fn started_with(of_client: TransportConfig, of_server: TransportConfig) -> Self {
        let now = Instant::EPOCH + Duration::from_secs(1);
        Self::started_by(now, client(now, of_client), of_server)
    }

    /// The server has the client's first flight of version 1, and moved it to version 2.
    pub(super) fn moved() -> Self {
        let now = Instant::EPOCH + Duration::from_secs(1);
        let tls = TlsClientConfig::dangerous_without_verification(&[]).unwrap();
        let mut config = ClientConfig::new(Arc::new(tls), TransportConfig::default()).unwrap();
        config.versions = vec![QUIC_V2, QUIC_V1];
        Self::started_by(now, client_of(now, config), TransportConfig::default())
    }

    fn started_by(now: Instant, mut client: Connection, of_server: TransportConfig) -> Self {
        let flight = sent_by(&mut client, now);
        let now = now + DELAY;
        let mut server = server(now, of_server, &flight[0]);
        for datagram in flight {
            deliver(&mut server, now, &datagram);
        }
        Self { now, client, server }
    }

    /// The client has the server's first flight, and has answered nothing.
    pub(super) fn answered() -> Self {
        let mut pair = Self::started();
        pair.carry_to_client();
        pair
    }

    /// The handshake is confirmed on both ends, and all is quiet.
    pub(super) fn confirmed() -> Self {
        Self::confirmed_with(TransportConfig::default(), TransportConfig::default())
    }

    pub(super) fn confirmed_with(of_client: TransportConfig, of_server: TransportConfig) -> Self {
        let mut pair = Self::started_with(of_client, of_server);
        pair.settle();
        assert!(pair.client.handshake.is_confirmed() && pair.server.handshake.is_confirmed());
        pair
    }

    pub(super) fn end(&mut self, side: Side) -> &mut Connection {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Carries what the server has to say to the client; returns how many datagrams.
    pub(super) fn carry_to_client(&mut self) -> usize {
        let datagrams = sent_by(&mut self.server, self.now);
        self.now += DELAY;
        for datagram in &datagrams {
            deliver(&mut self.client, self.now, datagram);
        }
        datagrams.len()
    }

    /// Carries what the client has to say to the server; returns how many datagrams.
    pub(super) fn carry_to_server(&mut self) -> usize {
        let datagrams = sent_by(&mut self.client, self.now);
        self.now += DELAY;
        for datagram in &datagrams {
            deliver(&mut self.server, self.now, datagram);
        }
        datagrams.len()
    }

    /// Lets both ends talk until neither has anything to say, timers of less than 100 ms included.
    pub(super) fn settle(&mut self) {
        for _ in 0..1000 {
            if self.carry_to_client() + self.carry_to_server() > 0 {
                continue;
            }
            let next = [self.client.poll_timeout(), self.server.poll_timeout()];
            let Some(next) = next.into_iter().flatten().min() else { return };
            if next > self.now + Duration::from_millis(100) {
                return;
            }
            self.now = self.now.max(next);
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
        }
        panic!("the connections do not fall silent");
    }

    /// Lets the end that is not `victim` send `frames` in an authentic packet.
    pub(super) fn attack(&mut self, victim: Side, space: SpaceId, frames: &[u8]) {
        let datagram = self.end(!victim).forge(space, frames);
        let now = self.now;
        deliver(self.end(victim), now, &datagram);
    }
}

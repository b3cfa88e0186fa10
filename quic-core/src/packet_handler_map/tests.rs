use std::time::Duration;

use rustls::RootCertStore;

use super::response::MAXIMUM_RESPONSES;
use super::zero_rtt_queue::MAXIMUM_QUEUES;
use super::*;
use crate::config::{AddressValidation, TransportConfig};
use crate::crypto::{
    Keyring, SessionFactory, TlsClientConfig, Token, is_retry_authentic, open, reset_token, seal,
    seal_token,
};
use crate::net::PathAddresses;
use crate::wire::header::write_long_header;
use crate::wire::header::{Header, LongHeaderParts, LongType, parse, patch_length};
use crate::wire::{PacketNumberLength, Side, Writer};

mod bounds;
mod initials;
mod resets;
mod shards;

const SOCKET: SocketId = SocketId(3);
const TOKEN_SECRET: [u8; 32] = [5; 32];
const RESET_SECRET: [u8; 32] = [6; 32];

fn path(host: u8) -> PathAddresses {
    PathAddresses { socket: SOCKET, local_ip: None, remote: ([192, 0, 2, host], 40_000).into() }
}

fn id(byte: u8) -> ConnectionId {
    ConnectionId::new(&[byte; 8]).unwrap()
}

fn crypto() -> Arc<dyn SessionFactory> {
    Arc::new(TlsClientConfig::from_roots(RootCertStore::empty(), &[b"test"]).unwrap())
}

fn server_config() -> ServerConfig {
    let transport = TransportConfig::default();
    ServerConfig::new(crypto(), transport, Keyring::new(TOKEN_SECRET)).unwrap()
}

/// A map under test, at a time that does not pass by itself.
struct World {
    map: PacketHandlerMap,
    now: Instant,
}

impl World {
    fn new(endpoint: EndpointConfig) -> Self {
        let random = SeededRandom::from_seed([9; 32]);
        let map = PacketHandlerMap::new(Arc::new(endpoint), random, ManagerId::new(1));
        Self { map, now: Instant::EPOCH + Duration::from_secs(1000) }
    }

    fn with_reset_key() -> Self {
        let keyring = Some(Keyring::new(RESET_SECRET));
        Self::new(EndpointConfig { keyring, ..EndpointConfig::default() })
    }

    fn server(config: ServerConfig) -> Self {
        let mut world = Self::with_reset_key();
        world.map.listen(Arc::new(config));
        world
    }

    fn receive(&mut self, path: PathAddresses, datagram: &[u8]) {
        self.map.handle_datagram(self.now, UdpDatagram::new(path, &mut datagram.to_vec()));
    }

    /// The next datagram to be sent, and where to.
    fn sent(&mut self) -> Option<(PathAddresses, Vec<u8>)> {
        let mut memory = [0; 1500];
        let mut buffer = TransmitBuffer::new(&mut memory, 1);
        let transmit = self.map.poll_transmit(self.now, SOCKET, &mut buffer)?;
        Some((transmit.path, memory[..transmit.length].to_vec()))
    }

    /// Receives a datagram and returns the answer to it.
    fn answer(&mut self, path: PathAddresses, datagram: &[u8]) -> Option<Vec<u8>> {
        self.receive(path, datagram);
        let (to, answer) = self.sent()?;
        assert_eq!(to, path);
        assert!(answer.len() <= 3 * datagram.len());
        assert_eq!(self.sent(), None, "there is one answer");
        Some(answer)
    }

    fn pass(&mut self, duration: Duration) {
        self.now += duration;
        self.map.handle_timeout(self.now);
    }

    /// The attempt that has just begun, if one has.
    fn attempt(&mut self) -> Option<ConnectionHandle> {
        let (handle, event) = self.map.poll_event()?;
        assert_eq!(event, Event::Incoming);
        Some(handle)
    }

    /// Whether nothing is left of any client.
    fn is_empty(&self) -> bool {
        let Book { routes, half_open, waiting, zero_rtt_queues, .. } = &self.map.book;
        self.map.slots.length() == 0
            && routes.length() == (0, 0)
            && (*half_open, *waiting, *zero_rtt_queues) == (0, 0, 0)
            && self.map.poll_timeout().is_none()
    }
}

/// A client's long header packet in a datagram of `length` bytes.
#[derive(Clone, Copy)]
struct Packet<'a> {
    ty: LongType,
    to: ConnectionId,
    token: &'a [u8],
    length: usize,
}

impl Packet<'_> {
    const fn initial(to: ConnectionId) -> Self {
        Self { ty: LongType::Initial, to, token: &[], length: 1200 }
    }

    fn build(self) -> Vec<u8> {
        let keys = crypto().initial_keys(1, &self.to, Side::Client).unwrap();
        let mut packet = vec![0; self.length];
        let mut writer = Writer::new(&mut packet);
        let parts = LongHeaderParts {
            ty: self.ty,
            version: 1,
            destination_id: self.to,
            source_id: id(0xcc),
            token: self.token,
        };
        let number = PacketNumberLength::for_number(0, None);
        let field = write_long_header(&mut writer, &parts, 0, number).unwrap();
        let number_offset = writer.length() - number.bytes();
        // A PING, and PADDING.
        writer.u8(1).unwrap();
        patch_length(&mut packet, field, self.length - number_offset);
        seal(&keys.local, &mut packet, number_offset, number.bytes(), 0).unwrap();
        packet
    }
}

fn initial(to: ConnectionId) -> Vec<u8> {
    Packet::initial(to).build()
}

/// The code of the CONNECTION_CLOSE in an answer to an Initial to `to`.
#[track_caller]
fn close_code(to: ConnectionId, mut answer: Vec<u8>) -> u8 {
    let Ok(Header::Long(header)) = parse(&answer, 8) else { panic!("not a long header") };
    assert_eq!((header.ty, header.destination_id), (LongType::Initial, id(0xcc)));
    assert!(header.token.is_empty(), "servers send no tokens in Initials");
    assert_eq!(header.packet_length, answer.len());
    let offset = header.number_offset;
    let keys = crypto().initial_keys(1, &to, Side::Client).unwrap();
    let opened = open(&keys.remote, &mut answer, offset, None).unwrap();
    assert_eq!(opened.payload[0], 0x1c);
    opened.payload[1]
}

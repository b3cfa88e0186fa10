//! A TLS whose keys are known to everyone: any packet can be written by hand, and is authentic.

use std::any::Any;
use std::sync::Arc;

use quic_core::crypto::{
    ClientOffer, HandshakeData, KeyChange, Level, Session, SessionFactory, StartSessionError,
};
use quic_core::rustls::Error;
use quic_core::rustls::quic::{
    DirectionalKeys, HeaderProtectionKey, Keys, PacketKey, PacketKeySet, Tag,
};
use quic_core::{ConnectionId, Side, TransportError};
use quic_sim::null_tls::NullTls;

/// Bytes that end a packet.
pub const TAG_LENGTH: usize = 16;

/// What protects a packet: nothing but the number of its keys, in every byte of its tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Generation(pub u8);

impl Generation {
    /// Of Initial packets.
    pub const INITIAL: Self = Self(0);
    /// Of Handshake packets.
    pub const HANDSHAKE: Self = Self(1);
    /// Of the first 1-RTT packets; key updates count on from here.
    pub const ONE_RTT: Self = Self(2);
    /// Of 0-RTT packets.
    pub const EARLY: Self = Self(0x3f);

    /// What ends a packet that `sender` sends.
    pub fn tag(self, sender: Side) -> [u8; TAG_LENGTH] {
        [self.0 << 1 | u8::from(sender == Side::Server); TAG_LENGTH]
    }

    fn packet_key(self, sender: Side) -> Box<dyn PacketKey> {
        Box::new(OpenKey(self.tag(sender)))
    }

    fn direction(self, sender: Side) -> DirectionalKeys {
        DirectionalKeys { header: Box::new(NoHeaderKey), packet: self.packet_key(sender) }
    }

    fn keys(self, side: Side) -> Keys {
        Keys { local: self.direction(side), remote: self.direction(!side) }
    }

    fn packet_keys(self, side: Side) -> PacketKeySet {
        PacketKeySet { local: self.packet_key(side), remote: self.packet_key(!side) }
    }
}

/// What one end's handshake says that it should not.
#[derive(Clone, Debug, Default)]
pub struct Lies {
    /// Takes the place of the transport parameters.
    pub parameters: Option<Arc<[u8]>>,
    /// Is added to the transport parameters.
    pub more_parameters: Arc<[u8]>,
    /// Changes to its handshake bytes: which byte, counted from the first one, and what is
    /// flipped in it.
    pub flips: Arc<[(u16, u8)]>,
}

/// Starts handshakes as of [`NullTls`], which end in keys that are known to everyone.
#[derive(Clone, Debug, Default)]
pub struct OpenTls {
    /// How the handshake goes.
    pub handshake: NullTls,
    /// What is wrong in it.
    pub lies: Lies,
}

impl SessionFactory for OpenTls {
    fn start(
        &self,
        version: u32,
        server_name: Option<&str>,
        parameters: Vec<u8>,
    ) -> Result<Box<dyn Session>, StartSessionError> {
        let side = if server_name.is_some() { Side::Client } else { Side::Server };
        let lies = self.lies.clone();
        let mut parameters = lies.parameters.as_deref().map_or(parameters, <[u8]>::to_vec);
        parameters.extend_from_slice(&lies.more_parameters);
        let inner = self.handshake.start(version, server_name, parameters)?;
        Ok(Box::new(OpenSession { inner, side, lies, generation: Generation::ONE_RTT, written: 0 }))
    }

    fn initial_keys(&self, version: u32, id: &ConnectionId, side: Side) -> Option<Keys> {
        self.handshake.initial_keys(version, id, side)?;
        Some(Generation::INITIAL.keys(side))
    }
}

#[derive(Debug)]
struct OpenSession {
    inner: Box<dyn Session>,
    side: Side,
    lies: Lies,
    generation: Generation,
    /// Handshake bytes so far.
    written: usize,
}

impl OpenSession {
    fn lie(&mut self, bytes: &mut [u8]) {
        for (at, bits) in self.lies.flips.iter() {
            let at = usize::from(*at).checked_sub(self.written);
            if let Some(byte) = at.and_then(|at| bytes.get_mut(at)) {
                *byte ^= bits;
            }
        }
        self.written += bytes.len();
    }
}

impl Session for OpenSession {
    fn read_handshake(&mut self, level: Level, data: &[u8]) -> Result<(), TransportError> {
        self.inner.read_handshake(level, data)
    }

    fn client_offer(&self) -> Option<ClientOffer<'_>> {
        self.inner.client_offer()
    }

    fn choose_version(&mut self, version: u32, parameters: &[u8]) -> Result<(), TransportError> {
        let given = if self.lies.parameters.is_some() { &[] } else { parameters };
        self.inner.choose_version(version, given)
    }

    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<KeyChange> {
        let before = out.len();
        let change = self.inner.write_handshake(out);
        self.lie(out.get_mut(before..).unwrap_or_default());
        Some(match change? {
            KeyChange::Handshake(_) => KeyChange::Handshake(Generation::HANDSHAKE.keys(self.side)),
            KeyChange::OneRtt(_) => KeyChange::OneRtt(Generation::ONE_RTT.keys(self.side)),
        })
    }

    fn is_handshaking(&self) -> bool {
        self.inner.is_handshaking()
    }

    fn peer_parameters(&self) -> Option<&[u8]> {
        self.inner.peer_parameters()
    }

    fn early_keys(&mut self) -> Option<DirectionalKeys> {
        self.inner.early_keys().map(|_| Generation::EARLY.direction(Side::Client))
    }

    fn remembered_parameters(&self) -> Option<&[u8]> {
        self.inner.remembered_parameters()
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.inner.early_data_accepted()
    }

    fn next_keys(&mut self) -> Option<PacketKeySet> {
        self.inner.next_keys()?;
        // The tag has six bits for it, and after the last comes the first again.
        let Generation(before) = self.generation;
        self.generation = if before < 0x3e { Generation(before + 1) } else { Generation::ONE_RTT };
        Some(self.generation.packet_keys(self.side))
    }

    fn handshake_data(&self) -> Option<HandshakeData> {
        self.inner.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any + Send>> {
        None
    }

    fn export_keying_material(&self, out: &mut [u8], label: &[u8], context: &[u8]) -> bool {
        self.inner.export_keying_material(out, label, context)
    }
}

struct NoHeaderKey;

impl HeaderProtectionKey for NoHeaderKey {
    fn encrypt_in_place(&self, _: &[u8], _: &mut u8, _: &mut [u8]) -> Result<(), Error> {
        Ok(())
    }

    fn decrypt_in_place(&self, _: &[u8], _: &mut u8, _: &mut [u8]) -> Result<(), Error> {
        Ok(())
    }

    fn sample_len(&self) -> usize {
        TAG_LENGTH
    }
}

struct OpenKey([u8; TAG_LENGTH]);

impl PacketKey for OpenKey {
    fn encrypt_in_place(&self, _: u64, _: &[u8], _: &mut [u8]) -> Result<Tag, Error> {
        Ok(Tag::from(self.0.as_slice()))
    }

    fn decrypt_in_place<'a>(
        &self,
        _: u64,
        _: &[u8],
        payload: &'a mut [u8],
    ) -> Result<&'a [u8], Error> {
        let payload: &'a [u8] = payload;
        match payload.split_last_chunk::<TAG_LENGTH>() {
            Some((payload, tag)) if *tag == self.0 => Ok(payload),
            _ => Err(Error::DecryptError),
        }
    }

    fn tag_len(&self) -> usize {
        TAG_LENGTH
    }

    fn confidentiality_limit(&self) -> u64 {
        u64::MAX
    }

    fn integrity_limit(&self) -> u64 {
        u64::MAX
    }
}

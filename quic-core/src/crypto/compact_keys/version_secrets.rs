//! Keys from the secrets of TLS, for a version that TLS was not told (RFC 9001 §5.1, §6.1,
//! RFC 9369 §3.3.2).

use rustls::crypto::cipher::Iv;
use rustls::crypto::tls13::{HkdfExpander, OkmBlock};
use rustls::quic::{DirectionalKeys, HeaderProtectionKey, Keys, PacketKey, PacketKeySet, Version};
use rustls::{CipherSuite, Side};
use zeroize::Zeroizing;

use super::{CompactHeaderKey, CompactPacketKey, DETAILS, Details, LONG, SHORT, SuiteNumber};

/// Bytes of an initialization vector.
const IV: usize = 12;

/// The secrets of both ends for one level or key phase, and the version whose keys they make.
pub(in crate::crypto) struct VersionSecrets {
    suite: SuiteNumber,
    version: Version,
    side: Side,
    client: OkmBlock,
    server: OkmBlock,
}

impl VersionSecrets {
    /// `None` if the suite is none of TLS 1.3 that QUIC can use.
    pub(in crate::crypto) fn new(
        suite: CipherSuite,
        version: Version,
        side: Side,
        [client, server]: [OkmBlock; 2],
    ) -> Option<Self> {
        let suite = DETAILS.iter().position(|details| details.plain.common.suite == suite)?;
        let suite = SuiteNumber(u8::try_from(suite).ok()?);
        Some(Self { suite, version, side, client, server })
    }

    /// The keys for packets, and for their headers; `None` if they cannot be derived.
    pub(in crate::crypto) fn keys(&self) -> Option<Keys> {
        let (local, remote) = self.local_remote();
        Some(Keys { local: self.directional(local)?, remote: self.directional(remote)? })
    }

    /// Moves on to the next key phase, and makes its packet keys.
    pub(in crate::crypto) fn next_packet_keys(&mut self) -> Option<PacketKeySet> {
        self.update()?;
        let (local, remote) = self.local_remote();
        Some(PacketKeySet { local: self.packet_key(local)?, remote: self.packet_key(remote)? })
    }

    fn update(&mut self) -> Option<()> {
        let details = self.suite.details()?;
        for secret in [&mut self.client, &mut self.server] {
            let expander = details.plain.hkdf_provider.expander_for_okm(secret);
            let label = HkdfLabel::new(self.version, b"ku", expander.hash_len())?;
            *secret = expander.expand_block(&label.info());
        }
        Some(())
    }

    fn local_remote(&self) -> (&OkmBlock, &OkmBlock) {
        match self.side {
            Side::Client => (&self.client, &self.server),
            Side::Server => (&self.server, &self.client),
        }
    }

    fn directional(&self, secret: &OkmBlock) -> Option<DirectionalKeys> {
        let details = self.suite.details()?;
        let header: Box<dyn HeaderProtectionKey> = if details.packet.key_len() == SHORT {
            let key = self.bytes::<SHORT>(details, secret, b"hp")?;
            Box::new(CompactHeaderKey::new(self.suite, key))
        } else {
            let key = self.bytes::<LONG>(details, secret, b"hp")?;
            Box::new(CompactHeaderKey::new(self.suite, key))
        };
        Some(DirectionalKeys { header, packet: self.packet_key(secret)? })
    }

    fn packet_key(&self, secret: &OkmBlock) -> Option<Box<dyn PacketKey>> {
        let details = self.suite.details()?;
        let iv = Iv::from(*self.bytes::<IV>(details, secret, b"iv")?);
        Some(if details.packet.key_len() == SHORT {
            let key = self.bytes::<SHORT>(details, secret, b"key")?;
            Box::new(CompactPacketKey::new(self.suite, key, iv))
        } else {
            let key = self.bytes::<LONG>(details, secret, b"key")?;
            Box::new(CompactPacketKey::new(self.suite, key, iv))
        })
    }

    fn bytes<const N: usize>(
        &self,
        details: &Details,
        secret: &OkmBlock,
        name: &'static [u8],
    ) -> Option<Zeroizing<[u8; N]>> {
        let expander = details.plain.hkdf_provider.expander_for_okm(secret);
        expand(&*expander, &HkdfLabel::new(self.version, name, N)?)
    }
}

fn expand<const N: usize>(
    expander: &dyn HkdfExpander,
    label: &HkdfLabel,
) -> Option<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    expander.expand_slice(&label.info(), &mut *bytes).ok()?;
    Some(bytes)
}

/// What HKDF-Expand-HkdfLabel expands with (RFC 8446 §7.1).
struct HkdfLabel {
    length: [u8; 2],
    label_length: [u8; 1],
    prefix: &'static [u8],
    name: &'static [u8],
}

impl HkdfLabel {
    fn new(version: Version, name: &'static [u8], length: usize) -> Option<Self> {
        let prefix: &[u8] = match version {
            Version::V2 => b"tls13 quicv2 ",
            Version::V1Draft | Version::V1 | _ => b"tls13 quic ",
        };
        let label_length = u8::try_from(prefix.len() + name.len()).ok()?;
        let length = u16::try_from(length).ok()?.to_be_bytes();
        Some(Self { length, label_length: [label_length], prefix, name })
    }

    /// The context is empty.
    fn info(&self) -> [&[u8]; 5] {
        [&self.length, &self.label_length, self.prefix, self.name, &[0]]
    }
}

#[cfg(test)]
mod tests;

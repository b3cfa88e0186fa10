//! What a load balancer reads from connection IDs.

use std::fmt;

use super::config::{Config, LONGEST_TEXT, UNROUTABLE};

/// Reads the server ID from connection IDs (draft-ietf-quic-load-balancers-21 §4, §5.5), with one
/// configuration for each of the seven names. Where to forward what has none is for its user.
#[derive(Clone, Debug, Default)]
pub struct LoadBalancer {
    configs: [Option<Config>; UNROUTABLE as usize],
}

impl LoadBalancer {
    /// Adds a configuration, in place of that with the same name.
    pub fn set(&mut self, config: Config) {
        if let Some(place) = self.configs.get_mut(usize::from(config.id)) {
            *place = Some(config);
        }
    }

    /// Forgets the configuration with this name.
    pub fn remove(&mut self, id: u8) {
        if let Some(place) = self.configs.get_mut(usize::from(id)) {
            *place = None;
        }
    }

    /// The server that a connection ID is for; `None` if it is unroutable: of no known
    /// configuration, or too short. Bytes after server ID and nonce are ignored, so that it may be
    /// all of a packet from where the ID begins.
    ///
    /// Whether there is a server with that ID is for the caller to know: a client's first packets
    /// carry random IDs, and so does anything else that is not QUIC.
    pub fn server_id(&self, connection_id: &[u8]) -> Option<ServerId> {
        let (first, rest) = connection_id.split_first()?;
        let config = self.configs.get(usize::from(first >> 5))?.as_ref()?;
        let mut bytes = [0; LONGEST_TEXT];
        let text = bytes.get_mut(..config.text_length())?;
        text.copy_from_slice(rest.get(..config.text_length())?);
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.4
        //# QUIC-LB implementations SHOULD be extensible to support new algorithms.
        if let Some(cipher) = &config.cipher {
            cipher.decrypt(text, config.server_id_length);
        }
        Some(ServerId { bytes, length: config.server_id_length })
    }

    /// The server that a datagram is for, by the Destination Connection ID of its first packet
    /// (RFC 8999 §5); `None` as [`server_id`](Self::server_id).
    pub fn server_id_of_datagram(&self, datagram: &[u8]) -> Option<ServerId> {
        let (first, rest) = datagram.split_first()?;
        if first & 0x80 == 0 {
            return self.server_id(rest);
        }
        let (length, rest) = rest.get(4..)?.split_first()?;
        self.server_id(rest.get(..usize::from(*length))?)
    }
}

/// What a connection ID says which server it is for.
#[derive(Clone, Copy)]
pub struct ServerId {
    bytes: [u8; LONGEST_TEXT],
    length: usize,
}

impl ServerId {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl PartialEq for ServerId {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for ServerId {}

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

//! What servers and load balancers agree on.

use super::cipher::Cipher;
use crate::wire::ConnectionId;

/// The name that no configuration may have: IDs that begin with it are not routed by a server ID.
pub(super) const UNROUTABLE: u8 = 0b111;
/// Shortest nonce, in bytes.
const SHORTEST_NONCE: usize = 4;
/// Most bytes of server ID and nonce together.
pub(super) const LONGEST_TEXT: usize = ConnectionId::MAXIMUM_LENGTH - 1;

/// What the servers of a pool and their load balancers agree on
/// (draft-ietf-quic-load-balancers-21 §5.3).
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) id: u8,
    pub(super) server_id_length: usize,
    pub(super) nonce_length: usize,
    pub(super) extra_length: usize,
    pub(super) cipher: Option<Cipher>,
    pub(super) encodes_length: bool,
}

/// A configuration that the specification does not permit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The configuration ID is above 6.
    #[error("configuration IDs are 0 to 6, not {0}")]
    Id(u8),
    /// The server ID has no bytes.
    #[error("server IDs have at least one byte")]
    EmptyServerId,
    /// The nonce has fewer than 4 bytes.
    #[error("nonces have at least 4 bytes, not {0}")]
    ShortNonce(usize),
    /// Server ID, nonce and extra bytes have more than 19 bytes together.
    #[error("server ID, nonce and extra bytes have at most 19 bytes together, not {0}")]
    TooLong(usize),
    /// The server ID does not have the length that the configuration says.
    #[error("server IDs of this configuration have {expected} bytes, not {actual}")]
    ServerIdLength {
        /// What the configuration says, in bytes.
        expected: usize,
        /// What was given, in bytes.
        actual: usize,
    },
    /// Unroutable IDs have 8 to 20 bytes.
    #[error("unroutable connection IDs have 8 to 20 bytes, not {0}")]
    UnroutableLength(usize),
}

impl Config {
    /// A configuration named `id`, 0 to 6, with server IDs and nonces of these lengths in bytes:
    /// at least 1 and 4, at most 19 together. It has no key, so that everybody can read the server
    /// ID, and describes no lengths.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn new(id: u8, server_id_length: usize, nonce_length: usize) -> Result<Self, ConfigError> {
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.1
        //# A
        //# configuration MUST NOT use the reserved identifier 0b111 (see
        //# Section 3.2 below).
        if id >= UNROUTABLE {
            return Err(ConfigError::Id(id));
        }
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.3
        //# The nonce length MUST be at least 4 octets.  The server ID length
        //# MUST be at least 1 octet.
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.1
        //# The configuration agent chooses a server ID length for each
        //# configuration that MUST be at least one octet.
        if server_id_length == 0 {
            return Err(ConfigError::EmptyServerId);
        }
        if nonce_length < SHORTEST_NONCE {
            return Err(ConfigError::ShortNonce(nonce_length));
        }
        let config = Self {
            id,
            server_id_length,
            nonce_length,
            extra_length: 0,
            cipher: None,
            encodes_length: false,
        };
        config.checked()
    }

    fn checked(self) -> Result<Self, ConfigError> {
        let text = self.server_id_length.saturating_add(self.nonce_length);
        let total = text.saturating_add(self.extra_length);
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.3
        //# As QUIC version 1 limits connection IDs to 20 octets, the server ID
        //# and nonce lengths MUST sum to 19 octets or less.
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.4.2.2
        //# The 'length' argument MUST NOT
        //# exceed 19 and MUST NOT be less than 5.
        if total > LONGEST_TEXT { Err(ConfigError::TooLong(total)) } else { Ok(self) }
    }

    /// Encrypts server IDs with AES-128 under `key`, so that only who has it can tell which IDs
    /// are of the same server.
    #[must_use]
    pub fn encrypted(mut self, key: &[u8; 16]) -> Self {
        self.cipher = Some(Cipher::new(key));
        self
    }

    /// Writes the length of the ID into its first octet, for hardware that has to know it. All
    /// servers and load balancers of the configuration have to agree on it.
    #[must_use]
    pub fn with_length(mut self) -> Self {
        self.encodes_length = true;
        self
    }

    /// Appends `length` random bytes to every ID, which load balancers ignore: as configurations
    /// that follow each other on a socket need IDs of the same length.
    ///
    /// # Errors
    /// [`ConfigError::TooLong`].
    pub fn with_extra_bytes(mut self, length: usize) -> Result<Self, ConfigError> {
        self.extra_length = length;
        self.checked()
    }

    /// Length of the connection IDs, in bytes.
    pub fn connection_id_length(&self) -> usize {
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.4
        //# In particular, all servers using a configuration MUST consistently add
        //# the same length to each connection ID, to preserve the linkability
        //# objectives of QUIC-LB.
        1_usize.saturating_add(self.text_length()).saturating_add(self.extra_length)
    }

    /// Bytes of server ID and nonce.
    pub(super) fn text_length(&self) -> usize {
        self.server_id_length.saturating_add(self.nonce_length)
    }

    /// The first octet of an ID: the configuration's name, then the length of what follows or
    /// `random` bits.
    pub(super) fn first_octet(&self, random: u8) -> u8 {
        let rest = self.connection_id_length().saturating_sub(1);
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.3
        //# A server not using this functionality SHOULD choose the five bits so
        //# as to have no observable relationship to previous connection IDs
        //# issued for that connection.
        first_octet(self.id, if self.encodes_length { rest } else { random.into() })
    }
}

//= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.1
//# The first three bits of any connection ID MUST encode an identifier
//# for the configuration that the connection ID uses.
pub(super) fn first_octet(id: u8, low_bits: usize) -> u8 {
    (id << 5) | (u8::try_from(low_bits).unwrap_or_default() & 0x1f)
}

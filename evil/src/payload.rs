//! Bytes of frames, and of what is no frame.

use quic_core::wire::frame::Frame;
use quic_core::wire::{Full, Writer};

/// Longest frame that is encoded here, in bytes.
const LONGEST_FRAME: usize = 4096;

/// What goes into a packet: frames one after another, or anything else.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Payload(Vec<u8>);

impl Payload {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// One PING.
    pub fn ping() -> Self {
        Self::new().numbers(&[0x01])
    }

    /// Appends bytes as they are.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends each number in its shortest encoding (RFC 9000 §16). Frames but for their data are
    /// nothing else.
    #[must_use]
    pub fn numbers(mut self, numbers: &[u64]) -> Self {
        for number in numbers {
            self.0.extend_from_slice(&varint(*number));
        }
        self
    }

    /// Appends a number in an encoding of eight bytes, however small it is.
    #[must_use]
    pub fn long_number(self, number: u64) -> Self {
        self.raw(&(number | 0xc000_0000_0000_0000).to_be_bytes())
    }

    /// Appends bytes behind their length.
    #[must_use]
    pub fn prefixed(self, bytes: &[u8]) -> Self {
        self.numbers(&[bytes.len() as u64]).raw(bytes)
    }

    /// Appends a frame; nothing if it is longer than 4,096 bytes.
    #[must_use]
    pub fn frame(mut self, frame: &Frame<'_>) -> Self {
        let mut memory = [0; LONGEST_FRAME];
        let mut writer = Writer::new(&mut memory);
        let encoded: Result<(), Full> = frame.encode(&mut writer);
        if encoded.is_ok() {
            self.0.extend_from_slice(writer.written());
        }
        self
    }

    /// A STREAM frame with offset and length (RFC 9000 §19.8).
    #[must_use]
    pub fn stream(self, id: u64, offset: u64, data: &[u8], fin: bool) -> Self {
        self.numbers(&[0x0e | u64::from(fin), id, offset]).prefixed(data)
    }

    /// A CRYPTO frame (RFC 9000 §19.6).
    #[must_use]
    pub fn crypto(self, offset: u64, data: &[u8]) -> Self {
        self.numbers(&[0x06, offset]).prefixed(data)
    }

    /// A NEW_CONNECTION_ID frame, with a connection ID and a token made of its number
    /// (RFC 9000 §19.15).
    #[must_use]
    pub fn new_connection_id(self, sequence: u64, retire_prior_to: u64) -> Self {
        self.numbers(&[0x18, sequence, retire_prior_to])
            .prefixed(&made_id(sequence))
            .raw(&made_token(sequence))
    }

    /// An ACK frame with one range (RFC 9000 §19.3).
    #[must_use]
    pub fn ack(self, largest: u64, first_range: u64) -> Self {
        self.numbers(&[0x02, largest, 0, 0, first_range])
    }

    /// How long it is, in bytes.
    pub fn length(&self) -> usize {
        self.0.len()
    }
}

impl From<Payload> for Vec<u8> {
    fn from(payload: Payload) -> Self {
        payload.0
    }
}

/// The connection ID that [`Payload::new_connection_id`] gives out.
pub fn made_id(sequence: u64) -> [u8; 8] {
    (0xe711_0000_0000_0000 | sequence).to_be_bytes()
}

/// The stateless reset token that belongs to [`made_id`].
pub fn made_token(sequence: u64) -> [u8; 16] {
    (u128::from(sequence) << 64 | 0x5eed).to_be_bytes()
}

/// The shortest encoding (RFC 9000 §16); numbers from 2^62 up are cut.
pub fn varint(number: u64) -> Vec<u8> {
    let mut memory = [0; 8];
    let mut writer = Writer::new(&mut memory);
    let written: Result<(), Full> = writer.varint(number);
    debug_assert!(written.is_ok(), "eight bytes hold any number");
    writer.written().to_vec()
}

#[cfg(test)]
mod tests;

//! Transport parameters as they travel, right or wrong (RFC 9000 §18).

use crate::payload::varint;

/// Identifiers of the parameters that cases change (RFC 9000 §18.2 and extensions).
#[expect(missing_docs, reason = "the names are those of the registry")]
pub mod id {
    pub const ORIGINAL_DESTINATION_CONNECTION_ID: u64 = 0x00;
    pub const MAX_IDLE_TIMEOUT: u64 = 0x01;
    pub const STATELESS_RESET_TOKEN: u64 = 0x02;
    pub const MAX_UDP_PAYLOAD_SIZE: u64 = 0x03;
    pub const INITIAL_MAX_DATA: u64 = 0x04;
    pub const INITIAL_MAX_STREAM_DATA_BIDI_LOCAL: u64 = 0x05;
    pub const INITIAL_MAX_STREAM_DATA_BIDI_REMOTE: u64 = 0x06;
    pub const INITIAL_MAX_STREAM_DATA_UNI: u64 = 0x07;
    pub const INITIAL_MAX_STREAMS_BIDI: u64 = 0x08;
    pub const INITIAL_MAX_STREAMS_UNI: u64 = 0x09;
    pub const ACK_DELAY_EXPONENT: u64 = 0x0a;
    pub const MAX_ACK_DELAY: u64 = 0x0b;
    pub const DISABLE_ACTIVE_MIGRATION: u64 = 0x0c;
    pub const PREFERRED_ADDRESS: u64 = 0x0d;
    pub const ACTIVE_CONNECTION_ID_LIMIT: u64 = 0x0e;
    pub const INITIAL_SOURCE_CONNECTION_ID: u64 = 0x0f;
    pub const RETRY_SOURCE_CONNECTION_ID: u64 = 0x10;
    pub const VERSION_INFORMATION: u64 = 0x11;
    pub const RESET_STREAM_AT: u64 = 0x1d;
    pub const MAX_DATAGRAM_FRAME_SIZE: u64 = 0x20;
    pub const GREASE_QUIC_BIT: u64 = 0x2ab2;
    pub const MIN_ACK_DELAY: u64 = 0xff04_de1b;
}

/// A list of parameters in the order in which they are sent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Parameters {
    list: Vec<(u64, Vec<u8>)>,
    tail: Vec<u8>,
}

impl Parameters {
    /// What an honest endpoint would send, but for its connection IDs.
    pub fn honest() -> Self {
        let mut parameters = Self::default();
        let numbers = [
            (id::MAX_IDLE_TIMEOUT, 30_000),
            (id::INITIAL_MAX_DATA, 1 << 20),
            (id::INITIAL_MAX_STREAM_DATA_BIDI_LOCAL, 1 << 18),
            (id::INITIAL_MAX_STREAM_DATA_BIDI_REMOTE, 1 << 18),
            (id::INITIAL_MAX_STREAM_DATA_UNI, 1 << 18),
            (id::INITIAL_MAX_STREAMS_BIDI, 100),
            (id::INITIAL_MAX_STREAMS_UNI, 100),
            (id::ACTIVE_CONNECTION_ID_LIMIT, 4),
            (id::MAX_DATAGRAM_FRAME_SIZE, 65_535),
        ];
        for (id, number) in numbers {
            parameters.add_number(id, number);
        }
        parameters
    }

    /// Sends `value` for the parameter, in place of what it was.
    pub fn set(&mut self, id: u64, value: &[u8]) {
        self.remove(id);
        self.add(id, value);
    }

    /// Sends `number` for the parameter, in place of what it was.
    pub fn set_number(&mut self, id: u64, number: u64) {
        self.set(id, &varint(number));
    }

    /// Sends a value for the parameter in addition to what there is.
    pub fn add(&mut self, id: u64, value: &[u8]) {
        self.list.push((id, value.to_vec()));
    }

    /// Sends a number for the parameter in addition to what there is.
    pub fn add_number(&mut self, id: u64, number: u64) {
        self.add(id, &varint(number));
    }

    /// Leaves the parameter out.
    pub fn remove(&mut self, id: u64) {
        self.list.retain(|(other, _)| *other != id);
    }

    /// Whether the parameter is sent.
    pub fn contains(&self, id: u64) -> bool {
        self.list.iter().any(|(other, _)| *other == id)
    }

    /// Sends the parameters in the opposite order.
    pub fn reverse(&mut self) {
        self.list.reverse();
    }

    /// Sends these bytes behind all parameters, whatever they are.
    pub fn end_in(&mut self, bytes: &[u8]) {
        self.tail = bytes.to_vec();
    }

    /// As they travel.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (id, value) in &self.list {
            bytes.extend_from_slice(&varint(*id));
            bytes.extend_from_slice(&varint(value.len() as u64));
            bytes.extend_from_slice(value);
        }
        bytes.extend_from_slice(&self.tail);
        bytes
    }
}

#[cfg(test)]
mod tests;

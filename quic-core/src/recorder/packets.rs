//! What is told of packets.

use super::frames::{self, FrameRecord};
use crate::wire::frame::Frames;
use crate::wire::header::{RetryHeader, VersionNegotiationHeader, Versions};
use crate::wire::{ConnectionId, PacketType};

/// A packet, readable: before it is protected, or after it was opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PacketRecord<'a> {
    /// Its header.
    pub header: PacketHeader,
    /// Bytes of the protected packet, header and all.
    pub length: usize,
    /// Its frames.
    pub payload: Payload<'a>,
    /// Why it is sent, or came now, if not in the ordinary course.
    pub trigger: Option<PacketTrigger>,
    /// It is longer than the path is known to carry (RFC 9000 §14.4).
    pub is_mtu_probe: bool,
}

impl<'a> PacketRecord<'a> {
    pub(crate) fn new(header: PacketHeader, length: usize, payload: Payload<'a>) -> Self {
        Self { header, length, payload, trigger: None, is_mtu_probe: false }
    }
}

/// Why a packet is sent or handled now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PacketTrigger {
    /// It had to wait for its keys.
    KeysAvailable,
    /// A probe timeout (RFC 9002 §6.2.4).
    Probe,
}

/// The fields of a packet's header (RFC 9000 §17).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PacketHeader {
    /// The packet's type.
    pub packet_type: PacketType,
    /// The packet's whole number.
    pub number: u64,
    /// Destination Connection ID.
    pub destination_id: ConnectionId,
    /// Source Connection ID of a long header.
    pub source_id: Option<ConnectionId>,
    /// Version field of a long header, where it is known.
    pub version: Option<u32>,
    /// The key phase bit of a short header.
    pub key_phase: Option<bool>,
    /// The spin bit of a short header.
    pub spin: Option<bool>,
    /// Bytes of the token of an Initial, where it is known.
    pub token_length: Option<usize>,
}

/// The spin bit and the key phase bit of a short header (RFC 9000 §17.3.1).
const SPIN_BIT: u8 = 0x20;
const KEY_PHASE_BIT: u8 = 0x04;

impl PacketHeader {
    /// `first_byte` is the packet's, without header protection.
    pub(crate) fn new(
        packet_type: PacketType,
        number: u64,
        destination_id: ConnectionId,
        first_byte: u8,
    ) -> Self {
        let is_short = packet_type == PacketType::OneRtt;
        Self {
            packet_type,
            number,
            destination_id,
            source_id: None,
            version: None,
            key_phase: is_short.then_some(first_byte & KEY_PHASE_BIT != 0),
            spin: is_short.then_some(first_byte & SPIN_BIT != 0),
            token_length: None,
        }
    }
}

/// The frames of a packet, read as they are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    bytes: &'a [u8],
    ack_delay_exponent: u8,
}

impl<'a> Payload<'a> {
    pub(crate) fn new(bytes: &'a [u8], ack_delay_exponent: u8) -> Self {
        Self { bytes, ack_delay_exponent }
    }

    /// Bytes of all frames.
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The frames, in order; ends before what is none.
    pub fn frames(&self) -> impl Iterator<Item = FrameRecord<'a>> + use<'a> {
        let exponent = self.ack_delay_exponent;
        let mut rest = Frames::new(self.bytes);
        std::iter::from_fn(move || {
            let before = rest.remaining();
            let frame = rest.next()?.ok()?;
            Some(frames::record(&frame, before.saturating_sub(rest.remaining()), exponent))
        })
    }
}

/// A packet of ours that was declared lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PacketLoss {
    /// A type of packets that are numbered with it.
    pub packet_type: PacketType,
    /// Its number.
    pub number: u64,
    /// Bytes of it.
    pub size: u16,
    /// It was longer than the path was known to carry.
    pub is_mtu_probe: bool,
    /// How it was found out.
    pub trigger: LossTrigger,
}

/// How a loss was found out (RFC 9002 §6.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LossTrigger {
    /// Enough later packets were acknowledged.
    PacketThreshold,
    /// A later packet was acknowledged, long enough ago.
    TimeThreshold,
}

impl PacketLoss {
    pub(crate) fn new(packet_type: PacketType, number: u64, trigger: LossTrigger) -> Self {
        Self { packet_type, number, size: 0, is_mtu_probe: false, trigger }
    }
}

/// A Retry packet that a client follows (RFC 9000 §17.2.5). It has neither a number nor frames.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RetryRecord {
    /// Version field.
    pub version: u32,
    /// Destination Connection ID.
    pub destination_id: ConnectionId,
    /// Source Connection ID: where the client sends to from now on.
    pub source_id: ConnectionId,
    /// Bytes of the token that the client has to repeat.
    pub token_length: usize,
    /// Bytes of the packet.
    pub length: usize,
}

impl RetryRecord {
    pub(crate) fn new(header: &RetryHeader<'_>, length: usize) -> Self {
        let RetryHeader { version, destination_id, source_id, token, .. } = *header;
        Self { version, destination_id, source_id, token_length: token.len(), length }
    }
}

/// A Version Negotiation packet that a client follows, or gives up for (RFC 9000 §17.2.1). It has
/// neither a number nor frames, and is not authentic.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VersionNegotiationRecord<'a> {
    /// Destination Connection ID, of up to 255 bytes.
    pub destination_id: &'a [u8],
    /// Source Connection ID, of up to 255 bytes.
    pub source_id: &'a [u8],
    /// Bytes of the packet.
    pub length: usize,
    versions: Versions<'a>,
}

impl<'a> VersionNegotiationRecord<'a> {
    pub(crate) fn new(header: &VersionNegotiationHeader<'a>, length: usize) -> Self {
        let VersionNegotiationHeader { destination_id, source_id, .. } = *header;
        Self { destination_id, source_id, length, versions: header.versions.clone() }
    }

    /// The versions that the server supports, by its own account.
    pub fn versions(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.versions.clone()
    }
}

//! Frames of all types.

use arbitrary::{Arbitrary, Error, Result, Unstructured};

use super::{at_most, bytes, number};
use crate::wire::frame::{
    Ack, AckFrequency, ConnectionClose, Crypto, Datagram, EcnCounts, Frame, FrameType,
    MaxStreamData, MaxStreams, NewConnectionId, NewToken, PathChallenge, PathResponse, ResetStream,
    ResetStreamAt, RetireConnectionId, StopSending, Stream, StreamDataBlocked, StreamsBlocked,
};
use crate::wire::{ConnectionId, VarInt, varint_length};

/// The largest number of streams (RFC 9000 §4.6).
const MAXIMUM_STREAMS: u64 = 1 << 60;

impl<'a> Arbitrary<'a> for Frame<'a> {
    /// A frame of each type with the same probability.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=23)? {
            0 => Self::Padding,
            1 => Self::Ping,
            2 => Self::Ack(u.arbitrary()?),
            3 => Self::ResetStream(u.arbitrary()?),
            4 => Self::StopSending(u.arbitrary()?),
            5 => Self::Crypto(u.arbitrary()?),
            6 => Self::NewToken(u.arbitrary()?),
            7 => Self::Stream(u.arbitrary()?),
            8 => Self::MaxData(number(u)?),
            9 => Self::MaxStreamData(u.arbitrary()?),
            10 => Self::MaxStreams(u.arbitrary()?),
            11 => Self::DataBlocked(number(u)?),
            12 => Self::StreamDataBlocked(u.arbitrary()?),
            13 => Self::StreamsBlocked(u.arbitrary()?),
            14 => Self::NewConnectionId(u.arbitrary()?),
            15 => Self::RetireConnectionId(u.arbitrary()?),
            16 => Self::PathChallenge(u.arbitrary()?),
            17 => Self::PathResponse(u.arbitrary()?),
            18 => Self::ConnectionClose(u.arbitrary()?),
            19 => Self::HandshakeDone,
            20 => Self::ImmediateAck,
            21 => Self::ResetStreamAt(u.arbitrary()?),
            22 => Self::Datagram(u.arbitrary()?),
            _ => Self::AckFrequency(u.arbitrary()?),
        })
    }
}

impl<'a> Arbitrary<'a> for FrameType {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        number(u).map(Self)
    }
}

impl<'a> Arbitrary<'a> for EcnCounts {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self { ect0: number(u)?, ect1: number(u)?, ce: number(u)? })
    }
}

impl<'a> Arbitrary<'a> for Ack<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let largest = number(u)?;
        let first_range = at_most(u, largest)?;
        let (delay, ecn) = (number(u)?, u.arbitrary()?);
        let ranges = bytes(u)?;
        Self::with_ranges((largest, first_range), delay, ecn, ranges).ok_or(Error::IncorrectFormat)
    }
}

impl<'a> Arbitrary<'a> for ResetStream {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (stream_id, error_code) = (u.arbitrary()?, u.arbitrary()?);
        Ok(Self { stream_id, error_code, final_size: number(u)? })
    }
}

impl<'a> Arbitrary<'a> for ResetStreamAt {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (stream_id, error_code) = (u.arbitrary()?, u.arbitrary()?);
        let final_size = number(u)?;
        Ok(Self { stream_id, error_code, final_size, reliable_size: at_most(u, final_size)? })
    }
}

impl<'a> Arbitrary<'a> for StopSending {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self { stream_id: u.arbitrary()?, error_code: u.arbitrary()? })
    }
}

/// An offset, and data that ends below 2^62.
fn piece<'a>(u: &mut Unstructured<'a>) -> Result<(u64, &'a [u8])> {
    let offset = number(u)?;
    let data = bytes(u)?;
    Ok((offset.min(VarInt::MAX.into_inner() - data.len() as u64), data))
}

impl<'a> Arbitrary<'a> for Crypto<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        piece(u).map(|(offset, data)| Self { offset, data })
    }
}

impl<'a> Arbitrary<'a> for NewToken<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let token = bytes(u)?;
        Ok(Self(if token.is_empty() { &[0] } else { token }))
    }
}

impl<'a> Arbitrary<'a> for Stream<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (stream_id, fin) = (u.arbitrary()?, u.arbitrary()?);
        let (offset, data) = piece(u)?;
        Ok(Self { stream_id, offset, fin, data })
    }
}

impl<'a> Arbitrary<'a> for MaxStreamData {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self { stream_id: u.arbitrary()?, maximum: number(u)? })
    }
}

impl<'a> Arbitrary<'a> for StreamDataBlocked {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self { stream_id: u.arbitrary()?, limit: number(u)? })
    }
}

impl<'a> Arbitrary<'a> for MaxStreams {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self { direction: u.arbitrary()?, maximum: at_most(u, MAXIMUM_STREAMS)? })
    }
}

impl<'a> Arbitrary<'a> for StreamsBlocked {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self { direction: u.arbitrary()?, limit: at_most(u, MAXIMUM_STREAMS)? })
    }
}

impl<'a> Arbitrary<'a> for NewConnectionId {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let sequence = number(u)?;
        let retire_prior_to = at_most(u, sequence)?;
        let length = u.int_in_range(1..=ConnectionId::MAXIMUM_LENGTH)?;
        let id = ConnectionId::new(u.bytes(length)?).ok_or(Error::IncorrectFormat)?;
        Ok(Self { sequence, retire_prior_to, id, reset_token: u.arbitrary()? })
    }
}

impl<'a> Arbitrary<'a> for RetireConnectionId {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        number(u).map(|sequence| Self { sequence })
    }
}

impl<'a> Arbitrary<'a> for PathChallenge {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        u.arbitrary().map(Self)
    }
}

impl<'a> Arbitrary<'a> for PathResponse {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        u.arbitrary().map(Self)
    }
}

impl<'a> Arbitrary<'a> for ConnectionClose<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (error_code, frame_type) = (number(u)?, u.arbitrary()?);
        Ok(Self { error_code, frame_type, reason: bytes(u)? })
    }
}

impl<'a> Arbitrary<'a> for Datagram<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (with_length, data) = (u.arbitrary()?, bytes(u)?);
        let length_bytes = if with_length { varint_length(data.len() as u64) } else { 0 };
        Ok(Self { data, length_bytes })
    }
}

impl<'a> Arbitrary<'a> for AckFrequency {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self {
            sequence: number(u)?,
            threshold: number(u)?,
            max_ack_delay: number(u)?,
            reordering_threshold: number(u)?,
        })
    }
}

//! Follows the frames of a stream, as far as memory depends on it.
//!
//! `h3` holds a frame other than DATA until it is whole, and takes another chunk of a stream with
//! each step, whatever it has already. So what it is given is cut at the borders of frames: each
//! step then takes what it needs, and flow control holds back the rest. Frames that would have to
//! be held, and are too long for that, are not given to it at all.

use std::mem;

use bytes::Bytes;

/// Longest frame that is held: HEADERS, SETTINGS, those of unknown types; everything but DATA.
pub(crate) const MAX_FRAME: u64 = 256 << 10;

/// The longest beginning of a frame: two integers of variable length.
const MAX_HEADER: usize = 16;

/// The type of a control stream, the only one that goes one way and has frames of any length.
const CONTROL: u64 = 0x00;

/// The type of the frame DATA, which is not held.
const DATA: u64 = 0x00;

/// What a stream of WebTransport begins with instead of a frame.
const WEBTRANSPORT: u64 = 0x41;

/// A frame is longer than may be held.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the peer sends a frame of {0} bytes")]
pub struct FrameTooLong(pub u64);

/// Where a stream is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Before the type of a stream that goes one way.
    Type,
    /// Before the type and length of a frame.
    Header,
    /// In a frame, with so many bytes to come.
    Payload(u64),
    /// There are no frames, or none that matter.
    Opaque,
}

/// The frames of one stream.
#[derive(Debug)]
pub(crate) struct Frames {
    state: State,
    /// The beginning of a type, or of a type and a length, of which the rest is to come.
    begun: [u8; MAX_HEADER],
    length: usize,
}

impl Frames {
    /// Those of a stream that goes both ways.
    pub(crate) fn both_ways() -> Self {
        Self::in_state(State::Header)
    }

    /// Those of a stream that goes one way.
    pub(crate) fn one_way() -> Self {
        Self::in_state(State::Type)
    }

    /// A stream without frames.
    pub(crate) fn none() -> Self {
        Self::in_state(State::Opaque)
    }

    fn in_state(state: State) -> Self {
        Self { state, begun: [0; MAX_HEADER], length: 0 }
    }

    /// Takes what is to be given out at a time from the front of `chunk`, which has something.
    pub(crate) fn next(&mut self, chunk: &mut Bytes) -> Result<Bytes, FrameTooLong> {
        match self.state {
            State::Opaque => Ok(mem::take(chunk)),
            State::Payload(left) => {
                let length =
                    usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
                let left = left.saturating_sub(length as u64);
                self.state = if left == 0 { State::Header } else { State::Payload(left) };
                Ok(chunk.split_to(length))
            }
            State::Type | State::Header => {
                let mut taken = 0;
                for byte in chunk.iter() {
                    taken += 1;
                    if let Some(state) = self.advance(*byte)? {
                        self.state = state;
                        self.length = 0;
                        break;
                    }
                }
                Ok(chunk.split_to(taken))
            }
        }
    }

    /// Takes one more byte of a beginning; what comes next, if that was the last.
    fn advance(&mut self, byte: u8) -> Result<Option<State>, FrameTooLong> {
        if let Some(slot) = self.begun.get_mut(self.length) {
            *slot = byte;
            self.length += 1;
        }
        let begun = self.begun.get(..self.length).unwrap_or_default();
        let Some((kind, rest)) = integer(begun) else { return Ok(None) };
        if self.state == State::Type {
            return Ok(Some(if kind == CONTROL { State::Header } else { State::Opaque }));
        }
        if kind == WEBTRANSPORT {
            return Ok(Some(State::Opaque));
        }
        match integer(rest) {
            None => Ok(None),
            Some((length, _)) if kind != DATA && length > MAX_FRAME => Err(FrameTooLong(length)),
            Some((0, _)) => Ok(Some(State::Header)),
            Some((length, _)) => Ok(Some(State::Payload(length))),
        }
    }
}

/// An integer of variable length (RFC 9000 §16) at the front, and what is behind it.
fn integer(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let first = *bytes.first()?;
    let (encoded, rest) = bytes.split_at_checked(1 << (first >> 6))?;
    let value = encoded.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte));
    let bits = encoded.len() * 8 - 2;
    Some((value & ((1 << bits) - 1), rest))
}

#[cfg(test)]
mod tests;

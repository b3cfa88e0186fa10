//! Frames by the layouts of RFC 9000 §19, RFC 9221 §4 and the drafts, in a table of its own: what
//! is tested has no part in it.

/// A frame, as far as the rules depend on it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plain<'a> {
    /// Its type.
    pub ty: u64,
    /// Its integers, in order; of ACK the largest number and the delay.
    pub numbers: Vec<u64>,
    /// The ranges of an ACK, smallest and largest number of each.
    pub ranges: Vec<(u64, u64)>,
    /// What it carries: data, a token, a reason, a connection ID, a challenge.
    pub data: &'a [u8],
    /// Bytes that it takes.
    pub length: usize,
}

/// Why the bytes are no frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// FRAME_ENCODING_ERROR, whatever the frame.
    Malformed,
    /// Its type takes more bytes than it has to.
    LongType,
    /// Nobody knows the type.
    Unknown,
}

/// The largest number of streams (RFC 9000 §4.6).
const MAXIMUM_STREAMS: u64 = 1 << 60;
const END: u64 = 1 << 62;

/// Takes values off the front of bytes.
#[derive(Clone, Debug)]
pub struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    /// The next bytes.
    pub fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    /// A variable-length integer (RFC 9000 §16).
    pub fn varint(&mut self) -> Option<u64> {
        let first = *self.0.first()?;
        let bytes = self.bytes(1 << (first >> 6))?;
        let value = bytes.iter().fold(0, |value: u64, byte| value << 8 | u64::from(*byte));
        Some(value & (u64::MAX >> (66 - 8 * bytes.len())))
    }

    /// Bytes behind their length.
    pub fn prefixed(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.bytes(length)
    }
}

/// What the fields behind the type are.
#[derive(Clone, Copy)]
enum Field {
    Number,
    /// Bytes behind their length.
    Prefixed,
    /// All that is left.
    Rest,
    /// A challenge.
    Eight,
    /// A connection ID behind its length in one byte, and a reset token.
    IdAndToken,
}

fn layout(ty: u64) -> Option<&'static [Field]> {
    use Field::{Eight, IdAndToken, Number, Prefixed, Rest};
    Some(match ty {
        0x00 | 0x01 | 0x1e | 0x1f => &[],
        0x04 => &[Number, Number, Number],
        0x05 | 0x11 | 0x15 => &[Number, Number],
        0x06 | 0x0e | 0x0f => {
            if ty == 0x06 {
                &[Number, Prefixed]
            } else {
                &[Number, Number, Prefixed]
            }
        }
        0x07 | 0x31 => &[Prefixed],
        0x08 | 0x09 => &[Number, Rest],
        0x0a | 0x0b | 0x1d => &[Number, Prefixed],
        0x0c | 0x0d => &[Number, Number, Rest],
        0x10 | 0x12 | 0x13 | 0x14 | 0x16 | 0x17 | 0x19 => &[Number],
        0x18 => &[Number, Number, IdAndToken],
        0x1a | 0x1b => &[Eight],
        0x1c => &[Number, Number, Prefixed],
        0x24 | 0xaf => &[Number, Number, Number, Number],
        0x30 => &[Rest],
        _ => return None,
    })
}

/// The first frame in `payload`.
///
/// # Errors
/// What is wrong with it.
pub fn first(payload: &[u8]) -> Result<Plain<'_>, Fault> {
    let mut cursor = Cursor(payload);
    let ty = cursor.varint().ok_or(Fault::Malformed)?;
    let taken = payload.len() - cursor.0.len();
    let shortest = match ty {
        0..0x40 => 1,
        0x40..0x4000 => 2,
        0x4000..0x4000_0000 => 4,
        _ => 8,
    };
    if taken != shortest {
        return Err(Fault::LongType);
    }
    let mut frame = Plain { ty, ..Plain::default() };
    let read = if ty == 0x02 || ty == 0x03 {
        ack(&mut cursor, &mut frame)
    } else {
        fields(&mut cursor, &mut frame, layout(ty).ok_or(Fault::Unknown)?)
    };
    read.filter(|()| has_allowed_values(&frame)).ok_or(Fault::Malformed)?;
    frame.length = payload.len() - cursor.0.len();
    Ok(frame)
}

fn fields<'a>(cursor: &mut Cursor<'a>, frame: &mut Plain<'a>, layout: &[Field]) -> Option<()> {
    for field in layout {
        match field {
            Field::Number => frame.numbers.push(cursor.varint()?),
            Field::Prefixed => frame.data = cursor.prefixed()?,
            Field::Rest => frame.data = cursor.bytes(cursor.0.len())?,
            Field::Eight => frame.data = cursor.bytes(8)?,
            Field::IdAndToken => {
                let length = cursor.byte().filter(|length| (1..=20).contains(length))?;
                frame.data = cursor.bytes(length.into())?;
                cursor.bytes(16)?;
            }
        }
    }
    Some(())
}

fn ack<'a>(cursor: &mut Cursor<'a>, frame: &mut Plain<'a>) -> Option<()> {
    let largest = cursor.varint()?;
    frame.numbers = vec![largest, cursor.varint()?];
    let count = cursor.varint()?;
    let mut smallest = largest.checked_sub(cursor.varint()?)?;
    frame.ranges.push((smallest, largest));
    for _ in 0..count {
        let largest = smallest.checked_sub(cursor.varint()?)?.checked_sub(2)?;
        smallest = largest.checked_sub(cursor.varint()?)?;
        frame.ranges.push((smallest, largest));
    }
    if frame.ty == 0x03 {
        for _ in 0..3 {
            cursor.varint()?;
        }
    }
    Some(())
}

/// The values that make a frame malformed.
fn has_allowed_values(frame: &Plain<'_>) -> bool {
    let end = |offset: u64| offset + frame.data.len() as u64;
    match (frame.ty, frame.numbers.as_slice()) {
        (0x06, [offset]) | (0x0c..=0x0f, [_, offset]) => end(*offset) < END,
        (0x07, _) => !frame.data.is_empty(),
        (0x12 | 0x13 | 0x16 | 0x17, [count]) => *count <= MAXIMUM_STREAMS,
        (0x18, [sequence, retire_prior_to]) => retire_prior_to <= sequence,
        (0x24, [_, _, size, reliable]) => reliable <= size,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_those_of_rfc_9000_appendix_a_1() {
        let value = |bytes: &[u8]| Cursor(bytes).varint();
        let eight = [0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c];
        assert_eq!(value(&eight), Some(151_288_809_941_952_652));
        assert_eq!(value(&[0x9d, 0x7f, 0x3e, 0x7d]), Some(494_878_333));
        assert_eq!(value(&[0x7b, 0xbd]), Some(15_293));
        assert_eq!(value(&[0x25]), Some(37));
        assert_eq!(value(&[0x7b]), None);
    }
}

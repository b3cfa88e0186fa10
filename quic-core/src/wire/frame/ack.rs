//! ACK and ACK_ECN (RFC 9000 §19.3).

use std::ops::{Range, RangeInclusive};

use super::{FrameType, Malformed};
use crate::wire::{Full, RangeSet, Reader, Writer, varint_length};

/// Acknowledges packets. The ranges stay encoded; they were checked when the frame was decoded.
#[derive(Clone, Debug)]
pub struct Ack<'a> {
    /// The largest packet number acknowledged.
    pub largest: u64,
    /// As encoded: still to be scaled by the peer's ack_delay_exponent.
    pub encoded_delay: u64,
    /// The counts of an ACK_ECN frame; `None` in one of type ACK.
    pub ecn: Option<EcnCounts>,
    first_range: u64,
    /// Gap and ACK Range Length pairs.
    ranges: &'a [u8],
}

/// Packets received with each ECN mark, in total (RFC 9000 §19.3.2).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EcnCounts {
    /// Packets marked ECT(0).
    pub ect0: u64,
    /// Packets marked ECT(1).
    pub ect1: u64,
    /// Packets marked ECN-CE.
    pub ce: u64,
}

impl<'a> Ack<'a> {
    #[inline]
    pub(super) fn decode(reader: &mut Reader<'a>, with_ecn: bool) -> Result<Self, Malformed> {
        let largest = reader.varint()?;
        let encoded_delay = reader.varint()?;
        let count = reader.varint()?;
        let first_range = reader.varint()?;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.3.1
        //# If any computed packet number is negative, an endpoint MUST generate a
        //# connection error of type FRAME_ENCODING_ERROR.
        let mut smallest =
            largest.checked_sub(first_range).ok_or(Malformed("ACK range below packet 0"))?;
        let start = reader.rest();
        // The count is a claim: each turn reads at least two bytes that are there, or fails.
        if count > (start.len() / 2) as u64 {
            return Err(Malformed("frame is cut off"));
        }
        for _ in 0..count {
            let gap = reader.varint()?;
            let length = reader.varint()?;
            smallest = smallest
                .checked_sub(gap + 2)
                .and_then(|next_largest| next_largest.checked_sub(length))
                .ok_or(Malformed("ACK range below packet 0"))?;
        }
        let taken = start.len() - reader.remaining();
        let ranges = start.get(..taken).unwrap_or_default();
        let ecn = if with_ecn {
            Some(EcnCounts { ect0: reader.varint()?, ect1: reader.varint()?, ce: reader.varint()? })
        } else {
            None
        };
        Ok(Self { largest, encoded_delay, ecn, first_range, ranges })
    }

    /// An ACK of the range from `first_range` below `largest` on, and of as many of the encoded
    /// ranges behind it as are whole and not below packet 0; `None` if the first one is.
    #[cfg(feature = "arbitrary")]
    pub(in crate::wire) fn with_ranges(
        (largest, first_range): (u64, u64),
        encoded_delay: u64,
        ecn: Option<EcnCounts>,
        ranges: &'a [u8],
    ) -> Option<Self> {
        let mut smallest = largest.checked_sub(first_range)?;
        let mut reader = Reader::new(ranges);
        let mut taken = 0;
        while let (Ok(gap), Ok(length)) = (reader.varint(), reader.varint()) {
            let next = smallest.checked_sub(gap + 2).and_then(|next| next.checked_sub(length));
            let Some(next) = next else { break };
            smallest = next;
            taken = ranges.len() - reader.remaining();
        }
        let ranges = ranges.get(..taken).unwrap_or_default();
        Some(Self { largest, encoded_delay, ecn, first_range, ranges })
    }

    /// The acknowledged packet numbers, highest range first.
    #[inline]
    pub fn ranges(&self) -> AckRanges<'a> {
        let smallest = self.largest.saturating_sub(self.first_range);
        AckRanges { next: Some(smallest..=self.largest), reader: Reader::new(self.ranges) }
    }
}

impl PartialEq for Ack<'_> {
    /// Frames are equal if they say the same, however their integers are encoded.
    fn eq(&self, other: &Self) -> bool {
        (self.encoded_delay, self.ecn) == (other.encoded_delay, other.ecn)
            && self.ranges().eq(other.ranges())
    }
}

impl Eq for Ack<'_> {}

/// Iterates over the packet numbers in an ACK frame, highest range first.
#[derive(Clone, Debug)]
pub struct AckRanges<'a> {
    next: Option<RangeInclusive<u64>>,
    reader: Reader<'a>,
}

impl AckRanges<'_> {
    #[inline]
    fn below(&mut self, smallest: u64) -> Option<RangeInclusive<u64>> {
        let gap = self.reader.varint().ok()?;
        let length = self.reader.varint().ok()?;
        let largest = smallest.checked_sub(gap + 2)?;
        Some(largest.checked_sub(length)?..=largest)
    }
}

impl Iterator for AckRanges<'_> {
    type Item = RangeInclusive<u64>;

    #[inline]
    fn next(&mut self) -> Option<RangeInclusive<u64>> {
        let range = self.next.take()?;
        self.next = self.below(*range.start());
        Some(range)
    }
}

/// Writes an acknowledgment of `received`, newest ranges first, as many as fit.
///
/// # Errors
/// [`Full`] if not even the newest range fits, or there is none.
pub fn write_ack(
    writer: &mut Writer<'_>,
    received: &RangeSet,
    encoded_delay: u64,
    ecn: Option<EcnCounts>,
) -> Result<(), Full> {
    let start = writer.length();
    let written = write_ack_parts(writer, received, encoded_delay, ecn);
    if written.is_err() {
        writer.rewind(start);
    }
    written
}

fn write_ack_parts(
    writer: &mut Writer<'_>,
    received: &RangeSet,
    encoded_delay: u64,
    ecn: Option<EcnCounts>,
) -> Result<(), Full> {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.3
    //# ACK frames SHOULD always acknowledge the most recently received
    //# packets, and the more out of order the packets are, the more important
    //# it is to send an updated ACK frame quickly, to prevent the peer from
    //# declaring a packet as lost and spuriously retransmitting the frames it
    //# contains.
    let mut newest_first = received.iter().rev();
    let newest = newest_first.next().ok_or(Full)?;
    let ecn_length: usize = ecn
        .map_or(0, |counts| [counts.ect0, counts.ect1, counts.ce].map(varint_length).iter().sum());
    // What fits is counted before it is written, since the count comes first.
    let fixed = [newest.end - 1, encoded_delay, newest.end - 1 - newest.start].map(varint_length);
    let fixed = 1 + fixed.iter().sum::<usize>() + ecn_length;
    let room = writer.remaining().checked_sub(fixed).ok_or(Full)?;
    let count = ranges_that_fit(room, newest.start, newest_first.clone());
    let frame_type = if ecn.is_some() { FrameType::ACK_ECN } else { FrameType::ACK };
    writer.varint(frame_type.0)?;
    writer.varint(newest.end - 1)?;
    writer.varint(encoded_delay)?;
    writer.varint(count)?;
    writer.varint(newest.end - 1 - newest.start)?;
    let mut smallest = newest.start;
    for range in newest_first.take(usize::try_from(count).unwrap_or(0)) {
        writer.varint(smallest - range.end - 1)?;
        writer.varint(range.end - 1 - range.start)?;
        smallest = range.start;
    }
    if let Some(counts) = ecn {
        writer.varint(counts.ect0)?;
        writer.varint(counts.ect1)?;
        writer.varint(counts.ce)?;
    }
    Ok(())
}

/// How many of the ranges below `smallest` fit into `room` bytes along with their count.
fn ranges_that_fit(room: usize, mut smallest: u64, older: impl Iterator<Item = Range<u64>>) -> u64 {
    let mut length = 0;
    let mut count = 0;
    for range in older {
        length +=
            varint_length(smallest - range.end - 1) + varint_length(range.end - 1 - range.start);
        if length + varint_length(count + 1) > room {
            break;
        }
        smallest = range.start;
        count += 1;
    }
    count
}

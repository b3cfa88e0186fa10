//! Packets of version 1 whose protection is open to everyone.

use std::collections::BTreeSet;

use quic_core::Side;

use super::frames::{self, Cursor};
use crate::open_tls::{Generation, TAG_LENGTH};

/// Length of the connection IDs that endpoints choose here.
const ID_LENGTH: usize = 8;

/// A type of packet that carries frames.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Initial.
    Initial,
    /// 0-RTT.
    ZeroRtt,
    /// Handshake.
    Handshake,
    /// 1-RTT.
    OneRtt,
}

impl Kind {
    /// The packet number space: 0 to 2.
    pub fn space(self) -> usize {
        match self {
            Self::Initial => 0,
            Self::Handshake => 1,
            Self::ZeroRtt | Self::OneRtt => 2,
        }
    }

    /// The first generation of keys for it.
    pub fn generation(self) -> Generation {
        match self {
            Self::Initial => Generation::INITIAL,
            Self::ZeroRtt => Generation::EARLY,
            Self::Handshake => Generation::HANDSHAKE,
            Self::OneRtt => Generation::ONE_RTT,
        }
    }
}

/// A packet to write.
#[derive(Clone, Debug)]
pub struct Made<'a> {
    /// Its type.
    pub kind: Kind,
    /// By whom.
    pub sender: Side,
    /// The Destination Connection ID.
    pub to: &'a [u8],
    /// The Source Connection ID, if it has a long header.
    pub from: &'a [u8],
    /// Its number, of which four bytes travel.
    pub number: u64,
    /// Bits to change in the first byte.
    pub flip: u8,
    /// How often keys were updated before it.
    pub updates: u8,
    /// Its frames.
    pub payload: &'a [u8],
}

impl Made<'_> {
    /// The packet, authentic.
    pub fn write(&self) -> Vec<u8> {
        let number = (self.number & 0xffff_ffff).to_be_bytes();
        let number = number.get(4..).unwrap_or_default();
        let mut out = Vec::with_capacity(self.payload.len() + 80);
        let Generation(generation) = self.kind.generation();
        if self.kind == Kind::OneRtt {
            out.push((0x43 | (self.updates & 1) << 2) ^ self.flip);
            out.extend_from_slice(self.to);
        } else {
            let ty = match self.kind {
                Kind::Initial => 0,
                Kind::ZeroRtt => 1,
                Kind::Handshake | Kind::OneRtt => 2,
            };
            out.push((0xc3 | ty << 4) ^ self.flip);
            out.extend_from_slice(&1_u32.to_be_bytes());
            for id in [self.to, self.from] {
                out.push(u8::try_from(id.len()).unwrap_or_default());
                out.extend_from_slice(id);
            }
            if self.kind == Kind::Initial {
                out.push(0);
            }
            let length = number.len() + self.payload.len() + TAG_LENGTH;
            let length = u16::try_from(length).unwrap_or(0x3fff).min(0x3fff) | 0x4000;
            out.extend_from_slice(&length.to_be_bytes());
        }
        out.extend_from_slice(number);
        out.extend_from_slice(self.payload);
        let updates = if self.kind == Kind::OneRtt { self.updates } else { 0 };
        out.extend_from_slice(&Generation(generation + updates).tag(self.sender));
        out
    }
}

/// A packet that was read.
#[derive(Clone, Debug)]
pub struct Read<'a> {
    /// Its type.
    pub kind: Kind,
    /// The Destination Connection ID.
    pub to: &'a [u8],
    /// The Source Connection ID; empty in a short header.
    pub from: &'a [u8],
    /// The token of an Initial.
    pub token: &'a [u8],
    /// Its number.
    pub number: u64,
    /// Its frames.
    pub payload: &'a [u8],
}

/// Reads the packets of datagrams of one endpoint, in the order in which they were sent.
#[derive(Debug)]
pub struct PacketReader {
    sender: Side,
    /// The next number in each space.
    next: [u64; 3],
    ambiguous: bool,
}

impl PacketReader {
    /// Reads what `sender` sends.
    pub fn new(sender: Side) -> Self {
        Self { sender, next: [0; 3], ambiguous: false }
    }

    /// The packets of a datagram; those that cannot be read, such as Retry, are left out.
    /// Packets with short headers go to one of `ids`; if none fits, to an ID of eight bytes.
    pub fn read<'a>(&mut self, datagram: &'a [u8], ids: &[Vec<u8>]) -> Vec<Read<'a>> {
        let mut cursor = Cursor(datagram);
        let mut packets = Vec::new();
        while let Some(packet) = self.packet(&mut cursor, ids) {
            packets.push(packet);
        }
        packets
    }

    fn packet<'a>(&mut self, cursor: &mut Cursor<'a>, ids: &[Vec<u8>]) -> Option<Read<'a>> {
        let first = cursor.byte()?;
        let (kind, to, from, token, length) = if first & 0x80 == 0 {
            let to = cursor.bytes(self.id_length(first, cursor.0, ids))?;
            (Kind::OneRtt, to, &[][..], &[][..], cursor.0.len())
        } else {
            let version = cursor.bytes(4)?;
            let kind = match first >> 4 & 3 {
                0 => Kind::Initial,
                1 => Kind::ZeroRtt,
                2 => Kind::Handshake,
                _ => return None,
            };
            if version != 1_u32.to_be_bytes() {
                return None;
            }
            let [to, from] = [(); 2].map(|()| {
                let length = cursor.byte()?;
                cursor.bytes(length.into())
            });
            let token = if kind == Kind::Initial { cursor.prefixed()? } else { &[] };
            let length = usize::try_from(cursor.varint()?).ok()?;
            (kind, to?, from?, token, length)
        };
        let mut body = Cursor(cursor.bytes(length)?);
        let length = number_length(first);
        let truncated = body.bytes(length)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let (payload, tag) = body.0.split_last_chunk::<TAG_LENGTH>()?;
        let generation = Generation(tag.first()? >> 1);
        // A stateless reset looks like a packet, too.
        if *tag != generation.tag(self.sender) {
            return None;
        }
        let number = self.expand(kind, truncated, 8 * length);
        Some(Read { kind, to, from, token, number, payload })
    }

    /// Length of the connection ID behind the first byte of a short header. If one ID begins as
    /// another does, it is the one behind which there are frames.
    fn id_length(&mut self, first: u8, rest: &[u8], ids: &[Vec<u8>]) -> usize {
        let fitting = ids.iter().filter(|id| rest.starts_with(id)).map(Vec::len);
        let lengths: BTreeSet<usize> = fitting.collect();
        let mut readable = lengths.iter().filter(|length| {
            let payload = rest.get(*length + number_length(first)..);
            payload
                .and_then(<[u8]>::split_last_chunk::<TAG_LENGTH>)
                .is_some_and(|it| is_frames(it.0))
        });
        let length = readable.next().or(lengths.first()).copied();
        self.ambiguous |= readable.next().is_some();
        length.unwrap_or(ID_LENGTH)
    }

    /// Whether a packet was read that could be read in another way, too.
    pub fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// The next number that ends so.
    fn expand(&mut self, kind: Kind, truncated: u64, bits: usize) -> u64 {
        let Some(next) = self.next.get_mut(kind.space()) else { return truncated };
        let window = 1_u64 << bits;
        let ahead = truncated.wrapping_sub(*next) & (window - 1);
        let number = *next + ahead;
        *next = number + 1;
        number
    }
}

/// Bytes of the packet number, by the first byte.
fn number_length(first: u8) -> usize {
    usize::from(first & 3) + 1
}

/// Whether a payload consists of frames wholly.
fn is_frames(mut payload: &[u8]) -> bool {
    while let Ok(frame) = frames::first(payload) {
        payload = payload.get(frame.length..).unwrap_or_default();
        if payload.is_empty() {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet with these frames to an ID of eight bytes, read by one who knows these IDs: its number
    /// and length, and whether it is ambiguous.
    fn read(payload: &[u8], ids: &[&[u8]]) -> (u64, usize, bool) {
        let (kind, sender) = (Kind::OneRtt, Side::Client);
        let made = Made {
            kind,
            sender,
            to: &[0x8b; 8],
            from: &[],
            number: 5,
            flip: 0,
            updates: 0,
            payload,
        };
        let ids: Vec<_> = ids.iter().map(|id| id.to_vec()).collect();
        let mut reader = PacketReader::new(sender);
        let datagram = made.write();
        let packet = reader.read(&datagram, &ids).remove(0);
        (packet.number, packet.payload.len(), reader.is_ambiguous())
    }

    #[test]
    fn of_ids_that_begin_alike_the_one_with_frames_behind_it_is_meant() {
        let close = b"\x1c\x04\x24\x1bmore streams than the limit";
        let longer = [[0x8b; 8].as_slice(), &[0, 0, 0, 5, 0x1c]].concat();
        let [short, id, longer]: [&[u8]; 3] = [&[0x8b; 2], &[0x8b; 8], &longer];
        for ids in [&[][..], &[id, longer], &[longer, id], &[id, short]] {
            assert_eq!(read(close, ids), (5, close.len(), false), "{ids:?}");
        }
    }

    #[test]
    fn it_is_told_when_a_packet_can_be_read_in_two_ways() {
        let longer = [[0x8b; 8].as_slice(), &[0]].concat();
        let (_, _, ambiguous) = read(&[1, 1, 1, 1], &[&[0x8b; 8], &longer]);
        assert!(ambiguous);
    }
}

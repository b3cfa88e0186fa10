//! What comes back, opened as far as there are keys.

use crate::packet::PacketKind;
use quic_core::crypto::retry_tag::is_retry_authentic;
use quic_core::wire::frame::{ConnectionClose, Frame, Frames};
use quic_core::wire::header::{Header, LongHeader, LongType, RetryHeader, parse};
use quic_core::wire::{ConnectionId, Side, SpaceId};

use super::one_rtt::{OpenedPacket, open};
use super::{Peer, Seen, SeenClose, SeenPacket, TargetId};

/// Where a datagram came, and how long it is.
type Datagram = (usize, usize);

impl Peer {
    /// Takes a datagram that came to one of our sockets.
    pub fn receive(&mut self, socket: usize, datagram: &[u8]) {
        let arrival = (socket, datagram.len());
        let mut rest = datagram;
        while !rest.is_empty() {
            let Some(length) = self.receive_packet(arrival, rest) else { return };
            rest = rest.get(length..).unwrap_or_default();
        }
    }

    /// Takes the first packet; returns its length, if another may follow.
    fn receive_packet(&mut self, arrival: Datagram, bytes: &[u8]) -> Option<usize> {
        match parse(bytes, self.local_id.len()) {
            Ok(Header::Long(header)) => {
                self.receive_long(arrival, &header, bytes);
                Some(header.packet_length)
            }
            Ok(Header::Short(header)) => {
                let received = &SpaceId::Application.of(&self.spaces).received;
                let opened = self.one_rtt.as_mut();
                let opened =
                    opened.and_then(|keys| keys.open(bytes, header.number_offset, received));
                match opened {
                    Some(opened) => {
                        let to = header.destination_id.as_slice();
                        self.on_opened(PacketKind::OneRtt, opened, to, arrival);
                    }
                    None => self.on_unreadable(bytes),
                }
                None
            }
            Ok(Header::Retry(retry)) => {
                self.on_retry(&retry, bytes);
                None
            }
            Ok(Header::VersionNegotiation(header)) => {
                self.seen.push(Seen::VersionNegotiation {
                    versions: header.versions.collect(),
                    destination_id: header.destination_id.to_vec(),
                    source_id: header.source_id.to_vec(),
                });
                None
            }
            Ok(Header::UnknownVersion(_)) | Err(_) => {
                self.on_unreadable(bytes);
                None
            }
        }
    }

    fn receive_long(&mut self, arrival: Datagram, header: &LongHeader<'_>, bytes: &[u8]) {
        let Some(bytes) = bytes.get(..header.packet_length) else { return };
        let (kind, keys) = match header.ty {
            LongType::Initial => (PacketKind::Initial, self.initial.as_ref().map(|k| &k.remote)),
            LongType::Handshake => {
                (PacketKind::Handshake, self.handshake.as_ref().map(|k| &k.remote))
            }
            LongType::ZeroRtt => (PacketKind::ZeroRtt, None),
        };
        let largest = self.space(kind.space()).largest;
        let opened = keys.and_then(|keys| open(keys, bytes, header.number_offset, largest).ok());
        let Some(opened) = opened else { return self.on_unreadable(bytes) };
        if kind == PacketKind::Initial && self.side == Side::Client {
            // The target's own choice replaces ours, once: the same flight, sent again from
            // elsewhere, may be taken for another connection (RFC 9000 §7.2).
            if self.space(SpaceId::Initial).largest.is_none() {
                self.target_id = header.source_id.as_slice().to_vec();
            } else if self.target_id != header.source_id.as_slice() {
                return self.on_unreadable(bytes);
            }
        }
        self.on_opened(kind, opened, header.destination_id.as_slice(), arrival);
    }

    fn on_unreadable(&mut self, bytes: &[u8]) {
        let length = bytes.len();
        let token = bytes.last_chunk::<16>();
        let is_reset =
            self.target_ids.iter().any(|id| id.token.as_ref() == token && token.is_some());
        let short = bytes.first().is_some_and(|first| first & 0x80 == 0);
        self.seen.push(if is_reset {
            Seen::StatelessReset { length }
        } else {
            Seen::Unreadable { length, short }
        });
    }

    fn on_retry(&mut self, retry: &RetryHeader<'_>, bytes: &[u8]) {
        let original = ConnectionId::new(&self.original_id);
        let authentic =
            original.is_some_and(|original| is_retry_authentic(retry.version, &original, bytes));
        let (token, source_id) = (retry.token.to_vec(), retry.source_id.as_slice().to_vec());
        if authentic && self.side == Side::Client && !self.retried {
            self.retried = true;
            self.token.clone_from(&token);
            self.target_id.clone_from(&source_id);
            self.initial = self.make_initial_keys(&source_id);
            self.space_mut(SpaceId::Initial).crypto_sent = 0;
        }
        self.seen.push(Seen::Retry { token, source_id, authentic });
    }

    fn on_opened(&mut self, kind: PacketKind, opened: OpenedPacket, to: &[u8], arrival: Datagram) {
        let OpenedPacket { number, payload } = opened;
        let space = kind.space();
        let frames: Vec<Frame<'_>> = Frames::new(&payload).filter_map(Result::ok).collect();
        let ack_eliciting = frames.iter().any(Frame::is_ack_eliciting);
        if !self.space_mut(space).on_packet(number, ack_eliciting) {
            return;
        }
        for frame in &frames {
            self.on_frame(kind, frame, arrival.0);
        }
        let opened = (number, payload);
        self.seen.push(Seen::Packet(SeenPacket::new(kind, opened, to, arrival)));
    }

    fn on_frame(&mut self, kind: PacketKind, frame: &Frame<'_>, socket: usize) {
        let space = kind.space();
        if let Frame::Crypto(crypto) = frame {
            self.on_crypto(space, crypto.offset, crypto.data);
        } else if let Frame::Ack(ack) = frame {
            for range in ack.ranges() {
                let range = *range.start()..range.end().saturating_add(1);
                self.space_mut(space).acked.insert(range);
            }
        } else if let Frame::NewConnectionId(new) = frame {
            let (id, token) = (new.id.as_slice().to_vec(), Some(*new.reset_token.as_bytes()));
            if !self.target_ids.iter().any(|known| known.sequence == new.sequence) {
                self.target_ids.push(TargetId { sequence: new.sequence, id, token });
            }
        } else if let Frame::PathChallenge(challenge) = frame {
            if self.answers_challenges {
                self.challenges.push((socket, challenge.0));
            }
        } else if let Frame::HandshakeDone = frame {
            self.confirmed = true;
        } else if let Frame::ConnectionClose(close) = frame {
            self.on_close(kind, close);
        }
    }

    fn on_close(&mut self, kind: PacketKind, close: &ConnectionClose<'_>) {
        self.close.get_or_insert(SeenClose {
            code: close.error_code,
            frame_type: close.frame_type.map(|frame_type| frame_type.0),
            reason: String::from_utf8_lossy(close.reason).into_owned(),
            kind,
        });
    }
}

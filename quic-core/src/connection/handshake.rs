//! The handshake: CRYPTO streams between the TLS session and the packets (RFC 9001 §4).

use bytes::Bytes;

use super::crypto_stream::{CryptoStream, end_of};
use crate::buffer::BlockPool;
use crate::crypto::{KeyChange, Level, MAXIMUM_TOKEN_LENGTH, Session};
use crate::deadline::Deadline;
use crate::error::TransportError;
use crate::instant::Instant;
use crate::memory;
use crate::packet::{PacketWriter, SentFrame};
use crate::wire::frame::{Crypto, FrameType, NewToken};
use crate::wire::{Full, Side, SpaceId};

/// Most CRYPTO bytes that wait for a gap to be filled, per space (RFC 9000 §7.5: at least 4,096).
//= https://www.rfc-editor.org/rfc/rfc9000#section-7.5
//# Implementations MUST support buffering at least 4096 bytes of data received in
//# out-of-order CRYPTO frames.
const MAXIMUM_BUFFERED: u64 = 16 * 1024;
/// The same for a server's certificates.
const MAXIMUM_BUFFERED_CERTIFICATES: u64 = 64 * 1024;
/// Most CRYPTO bytes that a handshake may take, per space.
const MAXIMUM_TOTAL: u64 = 256 * 1024;

/// Carries TLS between the session and the packets, and knows how far it has come.
#[derive(Debug)]
pub(super) struct Handshake {
    side: Side,
    session: Box<dyn Session>,
    /// Only of spaces where something was sent or received.
    streams: [Option<Box<CryptoStream>>; 3],
    /// Where the session's next bytes go.
    write_space: SpaceId,
    has_data: bool,
    progress: Progress,
    deadline: Deadline,
    done: Announcement,
    /// At most 255, each with an index of its own.
    tokens: Vec<Token>,
    next_token: u8,
}

/// How far the handshake has come (RFC 9001 §4.1).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Progress {
    Running,
    /// TLS has finished on this end.
    Complete,
    /// The peer is known to have finished, too.
    Confirmed,
}

/// Whether HANDSHAKE_DONE is to be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Announcement {
    NotDue,
    Due,
    Sent,
    Acknowledged,
}

/// A NEW_TOKEN token for the client, kept until it is acknowledged.
#[derive(Debug)]
struct Token {
    /// Which of the connection's it is.
    index: u8,
    bytes: Box<[u8]>,
    /// It has to be sent, the first time or again.
    pending: bool,
}

impl Handshake {
    pub(super) fn new(side: Side, session: Box<dyn Session>, give_up_at: Instant) -> Self {
        let mut deadline = Deadline::default();
        deadline.set(give_up_at);
        Self {
            side,
            session,
            streams: Default::default(),
            write_space: SpaceId::Initial,
            has_data: false,
            progress: Progress::Running,
            deadline,
            done: Announcement::NotDue,
            tokens: Vec::new(),
            next_token: 0,
        }
    }

    /// Heap in use at the most, in bytes, without that of the session and of what it has to say.
    pub(super) fn worst_case_bytes(side: Side, new_tokens: u8) -> u64 {
        let certificates = match side {
            Side::Client => MAXIMUM_BUFFERED_CERTIFICATES,
            Side::Server => MAXIMUM_BUFFERED,
        };
        let tokens = u64::from(new_tokens);
        memory::sum([
            CryptoStream::worst_case_bytes(MAXIMUM_BUFFERED).saturating_mul(2),
            CryptoStream::worst_case_bytes(certificates),
            memory::list::<Token>(tokens),
            tokens.saturating_mul(MAXIMUM_TOKEN_LENGTH as u64),
        ])
    }

    /// Forgets all that was said, and has it said again by another session. Time goes on.
    pub(super) fn restart(&mut self, session: Box<dyn Session>) {
        self.session = session;
        self.streams = Default::default();
        self.write_space = SpaceId::Initial;
        self.has_data = false;
    }

    /// Takes handshake bytes from the peer and gives the session what is in order.
    pub(super) fn handle_crypto(
        &mut self,
        space: SpaceId,
        frame: Crypto<'_>,
    ) -> Result<(), TransportError> {
        let certificates = self.side == Side::Client && space == SpaceId::Handshake;
        let bound = if certificates { MAXIMUM_BUFFERED_CERTIFICATES } else { MAXIMUM_BUFFERED };
        let level = match space {
            SpaceId::Initial => Level::Initial,
            SpaceId::Handshake => Level::Handshake,
            SpaceId::Application => Level::OneRtt,
        };
        let stream = space.of_mut(&mut self.streams).get_or_insert_default();
        if space != SpaceId::Application && end_of(&frame) > MAXIMUM_TOTAL {
            return Err(TransportError::crypto_buffer_exceeded("too much CRYPTO data in all"));
        }
        let session = &mut self.session;
        stream.handle_crypto(frame, bound, |data| session.read_handshake(level, data))
    }

    /// Takes what the session has to say into the CRYPTO streams; returns at each change of keys,
    /// and whether there may be more to say.
    pub(super) fn advance(&mut self) -> (Option<KeyChange>, bool) {
        let mut out = Vec::new();
        let change = self.session.write_handshake(&mut out);
        let more = change.is_some() || !out.is_empty();
        if !out.is_empty() {
            let space = self.write_space;
            self.stream(space).send.write_chunk(Bytes::from(out));
        }
        match change {
            //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9
            //# Though an endpoint might retain older keys, new data MUST be sent at the
            //# highest currently available encryption level.
            Some(KeyChange::Handshake(_)) => self.write_space = SpaceId::Handshake,
            Some(KeyChange::OneRtt(_)) => self.write_space = SpaceId::Application,
            None => {}
        }
        (change, more)
    }

    /// TLS has left the level of `space`, to which the peer has nothing more to add.
    ///
    /// # Errors
    /// PROTOCOL_VIOLATION if there is data above a gap.
    pub(super) fn check_all_read(&self, space: SpaceId) -> Result<(), TransportError> {
        //= https://www.rfc-editor.org/rfc/rfc9001#section-4.1.3
        //# When TLS provides keys for a higher encryption level, if there is data
        //# from a previous encryption level that TLS has not consumed, this MUST be
        //# treated as a connection error of type PROTOCOL_VIOLATION.
        if space.of(&self.streams).as_ref().is_some_and(|stream| stream.has_early()) {
            return Err(TransportError::protocol_violation("handshake data of a past level"));
        }
        Ok(())
    }

    /// Whether the results of the handshake can be asked for since just now.
    pub(super) fn announces_data(&mut self) -> bool {
        let news = !self.has_data && self.session.handshake_data().is_some();
        self.has_data |= news;
        news
    }

    /// Whether TLS finished just now.
    pub(super) fn complete(&mut self) -> bool {
        let completes = self.progress == Progress::Running && !self.session.is_handshaking();
        if completes {
            self.progress = Progress::Complete;
            self.deadline.cancel();
        }
        completes
    }

    /// The peer has finished, too; returns whether that is news (RFC 9001 §4.1.2).
    pub(super) fn confirm(&mut self) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.20
        //# Servers MUST NOT send a HANDSHAKE_DONE frame before completing the
        //# handshake.
        let confirms = self.progress == Progress::Complete;
        if confirms {
            self.progress = Progress::Confirmed;
            //= https://www.rfc-editor.org/rfc/rfc9001#section-4.1.2
            //# The server MUST send a HANDSHAKE_DONE frame as soon as the handshake is
            //# complete.
            if self.side == Side::Server {
                self.done = Announcement::Due;
            }
        }
        confirms
    }

    /// Gives the client a token for its next connection (RFC 9000 §8.1.3).
    pub(super) fn queue_token(&mut self, bytes: Box<[u8]>) {
        let index = self.next_token;
        self.next_token = index.wrapping_add(1);
        self.tokens.push(Token { index, bytes, pending: true });
    }

    /// Forgets the tokens that the client has not acknowledged.
    pub(super) fn drop_tokens(&mut self) {
        self.tokens = Vec::new();
    }

    /// Lets the session give back what it needs no more, once all it had to say was acknowledged.
    pub(super) fn release(&mut self) {
        self.session.on_confirmed();
    }

    /// The keys of `space` are gone: nothing more is sent or received there.
    pub(super) fn discard(&mut self, space: SpaceId) {
        *space.of_mut(&mut self.streams) = None;
    }

    pub(super) fn has_frames(&self, space: SpaceId) -> bool {
        let has_crypto =
            space.of(&self.streams).as_ref().is_some_and(|stream| stream.send.has_pending());
        has_crypto
            || (space == SpaceId::Application
                && (self.done == Announcement::Due
                    || self.tokens.iter().any(|token| token.pending)))
    }

    pub(super) fn write_frames(
        &mut self,
        space: SpaceId,
        packet: &mut PacketWriter<'_>,
    ) -> Result<(), Full> {
        if let Some(stream) = space.of_mut(&mut self.streams) {
            stream.write_frames(packet)?;
        }
        if space != SpaceId::Application {
            return Ok(());
        }
        if self.done == Announcement::Due {
            packet.write(SentFrame::HandshakeDone, |w| w.varint(FrameType::HANDSHAKE_DONE.0))?;
            self.done = Announcement::Sent;
        }
        for Token { index, bytes, pending } in &mut self.tokens {
            if *pending {
                let sent = SentFrame::NewToken { index: *index };
                packet.write(sent, |writer| NewToken(bytes).encode(writer))?;
                *pending = false;
            }
        }
        Ok(())
    }

    pub(super) fn on_crypto_acked(&mut self, space: SpaceId, offset: u64, length: u16) {
        let range = offset..offset.saturating_add(length.into());
        self.stream(space).send.on_acked(range, &mut BlockPool::default());
    }

    //= https://www.rfc-editor.org/rfc/rfc9001#section-4
    //# If QUIC needs to retransmit that data, it MUST use the same keys even if TLS has
    //# already updated to newer keys.
    //= https://www.rfc-editor.org/rfc/rfc9001#section-4.9
    //# If packets from a lower encryption level contain CRYPTO frames, frames that retransmit
    //# that data MUST be sent at the same encryption level.
    pub(super) fn on_crypto_lost(&mut self, space: SpaceId, offset: u64, length: u16) {
        self.stream(space).send.on_lost(offset..offset.saturating_add(length.into()));
    }

    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
    //# The HANDSHAKE_DONE frame MUST be retransmitted until it is
    //# acknowledged.
    pub(super) fn on_done_lost(&mut self) {
        if self.done != Announcement::Acknowledged {
            self.done = Announcement::Due;
        }
    }

    pub(super) fn on_done_acked(&mut self) {
        self.done = Announcement::Acknowledged;
    }

    pub(super) fn on_token_acked(&mut self, index: u8) {
        self.tokens.retain(|token| token.index != index);
        if self.tokens.is_empty() {
            self.tokens = Vec::new();
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.3
    //# NEW_TOKEN frames are retransmitted if the packet containing them is
    //# lost.
    pub(super) fn on_token_lost(&mut self, index: u8) {
        if let Some(token) = self.tokens.iter_mut().find(|token| token.index == index) {
            token.pending = true;
        }
    }

    /// Whether the handshake took too long.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        self.deadline.expire(now)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline.get()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.progress >= Progress::Complete
    }

    pub(super) fn is_confirmed(&self) -> bool {
        self.progress == Progress::Confirmed
    }

    pub(super) fn session(&self) -> &dyn Session {
        &*self.session
    }

    pub(super) fn session_mut(&mut self) -> &mut dyn Session {
        &mut *self.session
    }

    pub(super) fn stream(&mut self, space: SpaceId) -> &mut CryptoStream {
        space.of_mut(&mut self.streams).get_or_insert_default()
    }
}

//! The IDs that this end issued, for the peer to put on its packets (RFC 9000 §5.1.1).

#[cfg(test)]
mod tests;

use smallvec::SmallVec;

use super::{ACTIVE_CONNECTION_ID_LIMIT, Registration, Registrations};
use crate::error::TransportError;
use crate::memory;
use crate::packet::{PacketWriter, SentFrame};
use crate::wire::frame::{FrameType, NewConnectionId, RetireConnectionId};
use crate::wire::{ConnectionId, Full, StatelessResetToken};

/// How often an ID is drawn again because it is in use already, which only happens to very
/// short ones.
const ATTEMPTS: usize = 8;

/// Issues IDs, announces them in NEW_CONNECTION_ID, and replaces those that the peer retires.
///
/// An ID that the peer retired is unregistered at once: it is for the packet handler manager to
/// know what to do with late packets to it.
#[derive(Debug)]
pub(crate) struct LocalIds {
    /// Bytes per ID; with 0, there is only the empty one.
    length: u8,
    /// In the order of their sequence numbers; at most [`ACTIVE_CONNECTION_ID_LIMIT`], and as many
    /// again that are being replaced.
    issued: SmallVec<[Issued; 1]>,
    /// How many the peer is willing to keep; 1 until it is known.
    limit: u8,
    /// How many of the first ones issued the peer is asked to retire.
    replaced: u8,
    next_sequence: u64,
    /// Largest sequence number that left in a frame.
    largest_sent: u64,
    /// At most two per ID: the peer can retire none twice, nor one that it was not sent.
    registrations: Registrations,
}

#[derive(Clone, Copy, Debug)]
struct Issued {
    sequence: u64,
    id: ConnectionId,
    /// Whether it has to be announced.
    pending: bool,
    /// What it is announced with, until the peer has it; `None` for the ID of the handshake.
    token: Option<StatelessResetToken>,
}

impl LocalIds {
    /// `first` is the ID of the handshake, and is registered; later ones are `length` bytes long.
    pub(crate) fn new(first: ConnectionId, length: usize) -> Self {
        let length = length.min(ConnectionId::MAXIMUM_LENGTH);
        let length = if first.is_empty() { 0 } else { length };
        let mut registrations = Registrations::default();
        registrations.push(Registration::AddId(first));
        let mut issued = SmallVec::new();
        issued.push(Issued { sequence: 0, id: first, pending: false, token: None });
        Self {
            length: u8::try_from(length).unwrap_or(0),
            issued,
            limit: 1,
            replaced: 0,
            next_sequence: 1,
            largest_sent: 0,
            registrations,
        }
    }

    /// Heap in use at the most, in bytes.
    pub(crate) const fn worst_case_bytes() -> u64 {
        const MOST: u64 = 2 * ACTIVE_CONNECTION_ID_LIMIT as u64;
        memory::list::<Issued>(MOST) + Registrations::worst_case_bytes(2 * MOST)
    }

    /// Takes the peer's active_connection_id_limit (RFC 9000 §18.2).
    pub(crate) fn set_peer_limit(&mut self, limit: u64) {
        let limit = limit.clamp(1, ACTIVE_CONNECTION_ID_LIMIT as u64);
        self.limit = u8::try_from(limit).unwrap_or(1);
    }

    /// Issues IDs until the peer has as many as it may keep, or `most`, that are not being
    /// replaced. `generate` makes them, and `reset_token` their stateless reset tokens.
    pub(crate) fn issue_up_to(
        &mut self,
        most: u8,
        mut generate: impl FnMut() -> ConnectionId,
        mut reset_token: impl FnMut(&ConnectionId) -> StatelessResetToken,
    ) {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.15
        //# An endpoint MUST NOT send this frame if it currently requires that its
        //# peer send packets with a zero-length Destination Connection ID.
        if self.length == 0 {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
        //# An endpoint SHOULD ensure that its peer has a sufficient number of
        //# available and unused connection IDs.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
        //# An endpoint MUST NOT
        //# provide more connection IDs than the peer's limit.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
        //# An endpoint SHOULD supply a new connection ID when the peer retires a
        //# connection ID.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
        //# An endpoint that initiates migration and requires non-zero-length
        //# connection IDs SHOULD ensure that the pool of connection IDs
        //# available to its peer allows the peer to use a new connection ID on
        //# migration, as the peer will be unable to respond if the pool is
        //# exhausted.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-9.5
        //# To ensure that migration is possible and
        //# packets sent on different paths cannot be correlated, endpoints
        //# SHOULD provide new connection IDs before peers migrate; see
        //# Section 5.1.1.
        let most = usize::from(most.min(self.limit));
        while self.issued.len().saturating_sub(self.replaced.into()) < most {
            let Some(id) = self.draw(&mut generate) else { return };
            let token = Some(reset_token(&id));
            self.add(id, token);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
    //# The sequence number on each newly issued
    //# connection ID MUST increase by 1.
    fn add(&mut self, id: ConnectionId, token: Option<StatelessResetToken>) {
        let (sequence, pending) = (self.next_sequence, token.is_some());
        self.issued.push(Issued { sequence, id, pending, token });
        self.next_sequence = self.next_sequence.saturating_add(1);
        self.registrations.push(Registration::AddId(id));
    }

    /// Issues the ID that goes with a preferred address, in the transport parameters: the second
    /// one, before any other (RFC 9000 §5.1.1). `None` if there is only the empty one.
    pub(crate) fn issue_preferred(
        &mut self,
        mut generate: impl FnMut() -> ConnectionId,
    ) -> Option<ConnectionId> {
        if self.length == 0 || self.next_sequence != 1 {
            return None;
        }
        let id = self.draw(&mut generate)?;
        self.largest_sent = self.next_sequence;
        self.add(id, None);
        Some(id)
    }

    /// The sequence number of an ID that was issued, and not retired.
    pub(crate) fn sequence_of(&self, id: &ConnectionId) -> Option<u64> {
        self.issued.iter().find_map(|issued| (issued.id == *id).then_some(issued.sequence))
    }

    /// Has the peer retire all IDs that it has, once it has those that are issued next; call
    /// [`Self::issue_up_to`]. Returns whether that can begin: not before the last such replacement is
    /// over, so that the IDs stay few.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.2
    //# Endpoints SHOULD NOT issue updates of the Retire Prior To field
    //# before receiving RETIRE_CONNECTION_ID frames that retire all
    //# connection IDs indicated by the previous Retire Prior To value.
    pub(crate) fn replace_all(&mut self) -> bool {
        let begins = self.replaced == 0;
        if begins && self.length > 0 {
            self.replaced = u8::try_from(self.issued.len()).unwrap_or(u8::MAX);
        }
        begins
    }

    /// Below which sequence number the peer is asked to retire all IDs.
    fn retire_prior_to(&self) -> u64 {
        let mut replaced = self.issued.iter().take(self.replaced.into());
        replaced.next_back().map_or(0, |issued| issued.sequence.saturating_add(1))
    }

    /// An ID that is not in use.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1
    //# Connection IDs MUST NOT contain any information that can be used by
    //# an external observer (that is, one that does not cooperate with the
    //# issuer) to correlate them with other connection IDs for the same
    //# connection.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1
    //# As a trivial example, this means the same connection ID
    //# MUST NOT be issued more than once on the same connection.
    fn draw(&self, generate: &mut impl FnMut() -> ConnectionId) -> Option<ConnectionId> {
        (0..ATTEMPTS).find_map(|_| {
            let id = generate();
            let fits = id.length() == usize::from(self.length);
            //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.2
            //# This method for choosing the stateless reset token means that the
            //# combination of connection ID and static key MUST NOT be used for
            //# another connection.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.2
            //# A connection ID from a connection that is reset by revealing the
            //# stateless reset token MUST NOT be reused for new connections at nodes
            //# that share a static key.
            (fits && self.issued.iter().all(|issued| issued.id != id)).then_some(id)
        })
    }

    /// The peer will not use an ID any more; call [`Self::issue_up_to`] for its replacement.
    /// `destination_id` is that of the packet with the frame.
    ///
    /// # Errors
    /// PROTOCOL_VIOLATION if the ID was never sent, if the packet came to the very ID, or if
    /// there is only the empty one (RFC 9000 §19.16).
    pub(crate) fn handle_retire(
        &mut self,
        frame: RetireConnectionId,
        destination_id: &ConnectionId,
    ) -> Result<(), TransportError> {
        let violation = |reason| {
            Err(TransportError::protocol_violation(reason)
                .in_frame(FrameType::RETIRE_CONNECTION_ID))
        };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.16
        //# An endpoint that provides a zero-length connection ID MUST treat receipt
        //# of a RETIRE_CONNECTION_ID frame as a connection error of type
        //# PROTOCOL_VIOLATION.
        if self.length == 0 {
            return violation("the connection ID is empty and cannot be retired");
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.16
        //# Receipt of a RETIRE_CONNECTION_ID frame containing a sequence number
        //# greater than any previously sent to the peer MUST be treated as a
        //# connection error of type PROTOCOL_VIOLATION.
        if frame.sequence > self.largest_sent {
            return violation("retired connection ID was never issued");
        }
        let Some(index) = self.issued.iter().position(|id| id.sequence == frame.sequence) else {
            return Ok(());
        };
        let in_use = self.issued.get(index).is_some_and(|issued| issued.id == *destination_id);
        if in_use {
            return violation("retired connection ID is that of the packet");
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.2
        //# The endpoint SHOULD continue to accept the previously
        //# issued connection IDs until they are retired by the peer.
        let retired = self.issued.remove(index);
        if index < usize::from(self.replaced) {
            self.replaced = self.replaced.saturating_sub(1);
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
        //# When an endpoint
        //# issues a connection ID, it MUST accept packets that carry this
        //# connection ID for the duration of the connection or until its peer
        //# invalidates the connection ID via a RETIRE_CONNECTION_ID frame
        //# (Section 19.16).
        self.registrations.push(Registration::RemoveId(retired.id));
        Ok(())
    }

    /// Whether [`Self::write_frames`] has anything to write.
    pub(crate) fn has_frames(&self) -> bool {
        self.issued.iter().any(|issued| issued.pending)
    }

    /// Writes the NEW_CONNECTION_ID frames that are due.
    pub(crate) fn write_frames(&mut self, packet: &mut PacketWriter<'_>) -> Result<(), Full> {
        if !self.has_frames() {
            return Ok(());
        }
        let retire_prior_to = self.retire_prior_to();
        for issued in &mut self.issued {
            let Some(reset_token) = issued.token.filter(|_| issued.pending) else { continue };
            let sequence = issued.sequence;
            // What is being replaced is still announced: the peer retires it on arrival.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-19.15
            //# The value in the Retire Prior To field MUST be less than or equal to the
            //# value in the Sequence Number field.
            let retire_prior_to = retire_prior_to.min(sequence);
            let frame = NewConnectionId { sequence, retire_prior_to, id: issued.id, reset_token };
            packet.write(SentFrame::NewConnectionId { sequence }, |writer| frame.encode(writer))?;
            issued.pending = false;
            self.largest_sent = self.largest_sent.max(sequence);
        }
        Ok(())
    }

    /// The frame was lost: it is sent again, unless the peer retired the ID meanwhile.
    pub(crate) fn on_lost(&mut self, sequence: u64) {
        if let Some(issued) = self.issued.iter_mut().find(|issued| issued.sequence == sequence) {
            issued.pending = issued.token.is_some();
        }
    }

    /// The peer has the frame: nothing sends it again.
    pub(crate) fn on_acked(&mut self, sequence: u64) {
        if let Some(issued) = self.issued.iter_mut().find(|issued| issued.sequence == sequence) {
            issued.pending = false;
            issued.token = None;
        }
    }

    /// What the packet handler manager has to do next.
    pub(crate) fn poll_registration(&mut self) -> Option<Registration> {
        self.registrations.pop()
    }

    /// The IDs that packets may come to.
    #[cfg(test)]
    pub(crate) fn all(&self) -> impl Iterator<Item = &ConnectionId> {
        self.issued.iter().map(|issued| &issued.id)
    }
}

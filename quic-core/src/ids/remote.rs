//! The peer's IDs, for this end to put on its packets (RFC 9000 §5.1.2).

#[cfg(test)]
mod tests;

use std::mem;
use std::ops::Range;

use smallvec::SmallVec;

use super::{ACTIVE_CONNECTION_ID_LIMIT, Registration, Registrations};
use crate::error::TransportError;
use crate::memory;
use crate::packet::{PacketWriter, SentFrame};
use crate::wire::frame::{FrameType, NewConnectionId, RetireConnectionId};
use crate::wire::{ConnectionId, Full, RangeSet, StatelessResetToken};

/// RETIRE_CONNECTION_ID frames that may wait to be sent or acknowledged.
//= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.2
//# An endpoint SHOULD allow for sending and
//# tracking a number of RETIRE_CONNECTION_ID frames of at least twice
//# the value of the active_connection_id_limit transport parameter.
const MAXIMUM_RETIRING: usize = 2 * ACTIVE_CONNECTION_ID_LIMIT;

/// Runs of sequence numbers that are remembered as seen. Every gap is an ID that was issued and
/// has not arrived, of which an honest peer has no more than the limit.
const MAXIMUM_SEEN_RUNS: usize = 2 * ACTIVE_CONNECTION_ID_LIMIT;

/// Keeps the peer's IDs, one of which is active, and retires those that are used up.
#[derive(Debug)]
pub(crate) struct RemoteIds {
    active: Entry,
    /// At most [`ACTIVE_CONNECTION_ID_LIMIT`] together with the active one and those in `bound`.
    unused: Vec<Entry>,
    /// Those of paths besides the active one: rare, and so not kept in place. Some may have the same.
    bound: Option<Box<SmallVec<[Bound; ACTIVE_CONNECTION_ID_LIMIT - 1]>>>,
    /// Sequence numbers from `retire_prior_to` up of which the ID arrived; at most
    /// [`MAXIMUM_SEEN_RUNS`] runs.
    seen: RangeSet,
    /// The peer wants everything below retired.
    retire_prior_to: u64,
    /// Retired, but the peer has not acknowledged it; at most [`MAXIMUM_RETIRING`].
    retiring: SmallVec<[Retiring; 1]>,
    /// At most two per change of the active ID, each of which makes one entry of `retiring`.
    registrations: Registrations,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Entry {
    sequence: u64,
    id: ConnectionId,
    reset_token: Option<StatelessResetToken>,
}

/// An ID that is used on one path only, which is not the active one.
#[derive(Clone, Copy, Debug)]
struct Bound {
    path: u32,
    entry: Entry,
}

#[derive(Clone, Copy, Debug)]
struct Retiring {
    sequence: u64,
    /// Whether the frame has yet to be sent.
    pending: bool,
}

impl RemoteIds {
    /// `first`: for a client, the random ID of its first Initial; for a server, the Source
    /// Connection ID of the client's.
    pub(crate) fn new(first: ConnectionId) -> Self {
        let mut seen = RangeSet::default();
        seen.insert(0..1);
        Self {
            active: Entry { sequence: 0, id: first, reset_token: None },
            unused: Vec::new(),
            bound: None,
            seen,
            retire_prior_to: 0,
            retiring: SmallVec::new(),
            registrations: Registrations::default(),
        }
    }

    /// Heap in use at the most, in bytes.
    pub(crate) fn worst_case_bytes() -> u64 {
        let bound = SmallVec::<[Bound; ACTIVE_CONNECTION_ID_LIMIT - 1]>::new();
        memory::sum([
            memory::list::<Entry>(ACTIVE_CONNECTION_ID_LIMIT as u64 + 1),
            size_of_val(&bound) as u64,
            memory::list::<Range<u64>>(MAXIMUM_SEEN_RUNS as u64 + 1),
            memory::list::<Retiring>(MAXIMUM_RETIRING as u64),
            Registrations::worst_case_bytes(2 * MAXIMUM_RETIRING as u64),
        ])
    }

    /// The server chose an ID of its own, in a Retry or its first packet (RFC 9000 §7.2).
    pub(crate) fn set_first(&mut self, id: ConnectionId) {
        if self.active.sequence == 0 {
            self.active.id = id;
        }
    }

    /// Whether it is the stateless reset token of an ID in use (RFC 9000 §10.3.1).
    pub(crate) fn is_reset_token(&self, token: &StatelessResetToken) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3.1
        //# An endpoint MUST NOT check for any stateless reset tokens associated
        //# with connection IDs it has not used or for connection IDs that have
        //# been retired.
        self.active.reset_token.as_ref() == Some(token)
            || self.bound().any(|bound| bound.entry.reset_token.as_ref() == Some(token))
    }

    fn bound(&self) -> impl Iterator<Item = &Bound> {
        self.bound.iter().flat_map(|bound| bound.iter())
    }

    /// How many IDs there are in use besides the active one.
    fn bound_ids(&self) -> usize {
        let before = |index| self.bound().take(index).map(|bound| bound.entry.sequence);
        let is_first = |(index, bound): &(usize, &Bound)| {
            let sequence = bound.entry.sequence;
            sequence != self.active.sequence && before(*index).all(|other| other != sequence)
        };
        self.bound().enumerate().filter(is_first).count()
    }

    /// The stateless reset token of the server's first ID, from its transport parameters.
    pub(crate) fn set_reset_token(&mut self, token: StatelessResetToken) {
        if self.active.sequence == 0 && self.active.reset_token.is_none() {
            self.active.reset_token = Some(token);
            self.registrations.push(Registration::AddResetToken(token));
        }
    }

    /// The peer issued an ID, and perhaps wants others retired.
    ///
    /// # Errors
    /// CONNECTION_ID_LIMIT_ERROR if the peer issues more than it may, or makes this end retire
    /// faster than it acknowledges; PROTOCOL_VIOLATION if the frame contradicts an earlier one, or
    /// if the peer's ID is empty (RFC 9000 §5.1.1, §5.1.2, §19.15).
    pub(crate) fn handle_new_connection_id(
        &mut self,
        frame: &NewConnectionId,
    ) -> Result<(), TransportError> {
        self.take(frame).map_err(|error| error.in_frame(FrameType::NEW_CONNECTION_ID))
    }

    fn take(&mut self, frame: &NewConnectionId) -> Result<(), TransportError> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.15
        //# An endpoint that is sending packets with a zero-length Destination
        //# Connection ID MUST treat receipt of a NEW_CONNECTION_ID frame as a
        //# connection error of type PROTOCOL_VIOLATION.
        if self.active.id.is_empty() {
            return Err(TransportError::protocol_violation("the connection ID in use is empty"));
        }
        self.check_consistent(frame)?;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.2
        //# Upon receipt of an increased Retire Prior To field, the peer MUST
        //# stop using the corresponding connection IDs and retire them with
        //# RETIRE_CONNECTION_ID frames before adding the newly provided
        //# connection ID to the set of active connection IDs.
        self.raise_retire_prior_to(frame.retire_prior_to)?;
        if frame.sequence < self.retire_prior_to {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-19.15
            //# An endpoint that receives a NEW_CONNECTION_ID frame with a sequence
            //# number smaller than the Retire Prior To field of a previously received
            //# NEW_CONNECTION_ID frame MUST send a corresponding RETIRE_CONNECTION_ID
            //# frame that retires the newly received connection ID, unless it has
            //# already done so for that sequence number.
            // It arrived late. RFC 9000 §19.15: retire it at once, unless that is under way.
            self.retire(frame.sequence)?;
        } else {
            let of_frame = frame.sequence..frame.sequence.saturating_add(1);
            //= https://www.rfc-editor.org/rfc/rfc9000#section-19.15
            //# Receipt of the same frame multiple times MUST NOT be treated as a
            //# connection error.
            if self.seen.insert(of_frame) > 0 {
                let reset_token = Some(frame.reset_token);
                self.insert(Entry { sequence: frame.sequence, id: frame.id, reset_token })?;
            }
        }
        if self.active.sequence < self.retire_prior_to {
            // Without another ID, the old one stays in use until one arrives: only a peer that
            // wants every ID retired that it issued can cause that.
            self.switch()?;
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.1
        //# After processing a NEW_CONNECTION_ID frame and
        //# adding and retiring active connection IDs, if the number of active
        //# connection IDs exceeds the value advertised in its
        //# active_connection_id_limit transport parameter, an endpoint MUST
        //# close the connection with an error of type CONNECTION_ID_LIMIT_ERROR.
        if self.unused.len() + self.bound_ids() >= ACTIVE_CONNECTION_ID_LIMIT {
            return Err(TransportError::connection_id_limit("too many connection IDs"));
        }
        Ok(())
    }

    /// RFC 9000 §19.15: a sequence number has one ID and one token, an ID one sequence number.
    fn check_consistent(&self, frame: &NewConnectionId) -> Result<(), TransportError> {
        let contradicts = |known: &Entry| {
            let same_sequence = known.sequence == frame.sequence;
            let same_id = known.id == frame.id;
            let other_token = known.reset_token.is_some_and(|token| token != frame.reset_token);
            same_sequence != same_id || (same_sequence && other_token)
        };
        // A token of the first ID comes in the transport parameters only, and so for a client only.
        let mut bound = self.bound().map(|bound| &bound.entry);
        if contradicts(&self.active)
            || self.unused.iter().any(contradicts)
            || bound.any(contradicts)
        {
            return Err(TransportError::protocol_violation("connection ID contradicts another"));
        }
        Ok(())
    }

    fn raise_retire_prior_to(&mut self, retire_prior_to: u64) -> Result<(), TransportError> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.15
        //# A receiver MUST ignore any Retire Prior To fields that do not increase
        //# the largest received Retire Prior To value.
        if retire_prior_to <= self.retire_prior_to {
            return Ok(());
        }
        self.retire_prior_to = retire_prior_to;
        self.seen.remove(0..retire_prior_to);
        let unused = mem::take(&mut self.unused);
        for entry in unused {
            if entry.sequence < retire_prior_to {
                self.retire(entry.sequence)?;
            } else {
                self.unused.push(entry);
            }
        }
        while let Some(sequence) = self.bound().map(|bound| bound.entry.sequence).min()
            && sequence < retire_prior_to
        {
            self.unbind(|bound| bound.entry.sequence == sequence)?;
        }
        Ok(())
    }

    /// Keeps the unused IDs in the order of their sequence numbers.
    fn insert(&mut self, entry: Entry) -> Result<(), TransportError> {
        if self.seen.len() > MAXIMUM_SEEN_RUNS {
            return Err(TransportError::connection_id_limit("too many connection IDs are missing"));
        }
        let at = self.unused.partition_point(|other| other.sequence < entry.sequence);
        self.unused.insert(at, entry);
        Ok(())
    }

    fn retire(&mut self, sequence: u64) -> Result<(), TransportError> {
        if self.retiring.iter().any(|retiring| retiring.sequence == sequence) {
            return Ok(());
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.2
        //# An endpoint SHOULD limit the number of connection IDs it has retired
        //# locally for which RETIRE_CONNECTION_ID frames have not yet been
        //# acknowledged.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.2
        //# An endpoint MUST NOT forget a connection ID without
        //# retiring it, though it MAY choose to treat having connection IDs in
        //# need of retirement that exceed this limit as a connection error of
        //# type CONNECTION_ID_LIMIT_ERROR.
        if self.retiring.len() >= MAXIMUM_RETIRING {
            return Err(TransportError::connection_id_limit("too many connection IDs to retire"));
        }
        self.retiring.push(Retiring { sequence, pending: true });
        Ok(())
    }

    /// The ID for packets to the peer.
    pub(crate) fn active(&self) -> &ConnectionId {
        &self.active.id
    }

    /// The ID for packets on a path that is not the active one; `None` if it has none of its own.
    pub(crate) fn of_path(&self, path: u32) -> Option<&ConnectionId> {
        if self.active.id.is_empty() {
            return Some(&self.active.id);
        }
        self.bound().find(|bound| bound.path == path).map(|bound| &bound.entry.id)
    }

    /// Whether another path could be given an ID.
    pub(crate) fn has_spare(&self) -> bool {
        self.active.id.is_empty() || !self.unused.is_empty()
    }

    /// Gives a path besides the active one an ID that was never used; returns whether it has one
    /// now. An empty ID serves all paths.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.5
    //# An endpoint MUST NOT reuse a connection ID when sending from more
    //# than one local address -- for example, when initiating connection
    //# migration as described in Section 9.2 or when probing a new network
    //# path as described in Section 9.1.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.5
    //# Similarly, an endpoint MUST NOT reuse a connection ID when sending to
    //# more than one destination address.
    pub(crate) fn bind(&mut self, path: u32) -> bool {
        if self.of_path(path).is_some() {
            return true;
        }
        if self.unused.is_empty() {
            return false;
        }
        let entry = self.unused.remove(0);
        if let Some(token) = entry.reset_token {
            self.registrations.push(Registration::AddResetToken(token));
        }
        self.bound.get_or_insert_default().push(Bound { path, entry });
        true
    }

    /// Gives a path besides the active one the ID that `other` has, because the peer's packets come
    /// to the same one from both: it cannot know that it changed its address.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.5
    //# Due to network changes outside
    //# the control of its peer, an endpoint might receive packets from a new
    //# source address with the same Destination Connection ID field value, in
    //# which case it MAY continue to use the current connection ID with the
    //# new remote address while still sending from the same local address.
    pub(crate) fn share(&mut self, path: u32, other: u32) {
        let shared = self.bound().find(|bound| bound.path == other).map(|bound| bound.entry);
        if let (Some(entry), Some(bound)) = (shared, &mut self.bound) {
            bound.push(Bound { path, entry });
        }
    }

    /// Another path is the active one: its ID becomes the active one, and the other stays bound to
    /// the path before. Without an ID of its own, it goes on with the active one.
    pub(crate) fn on_moved(&mut self, from: u32, to: u32) {
        let Some(bound) = &mut self.bound else { return };
        if let Some(bound) = bound.iter_mut().find(|bound| bound.path == to) {
            mem::swap(&mut self.active, &mut bound.entry);
            bound.path = from;
        }
    }

    /// A path is not used any more, and so neither is its ID, unless another path has it, too.
    ///
    /// # Errors
    /// CONNECTION_ID_LIMIT_ERROR if too many retired IDs are not acknowledged.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-5.1.2
    //# Endpoints SHOULD retire connection IDs when they are no longer
    //# actively using either the local or destination address for which the
    //# connection ID was used.
    pub(crate) fn release(&mut self, path: u32) -> Result<(), TransportError> {
        self.unbind(|bound| bound.path == path)
    }

    fn unbind(&mut self, which: impl FnMut(&Bound) -> bool) -> Result<(), TransportError> {
        let Some(index) = self.bound.as_ref().and_then(|bound| bound.iter().position(which)) else {
            return Ok(());
        };
        let removed = self.bound.as_mut().map(|bound| bound.remove(index));
        self.bound = self.bound.take().filter(|bound| !bound.is_empty());
        let Some(Bound { entry, .. }) = removed else { return Ok(()) };
        if self.is_used(entry.sequence) {
            return Ok(());
        }
        if let Some(token) = entry.reset_token {
            self.registrations.push(Registration::RemoveResetToken(token));
        }
        self.retire(entry.sequence)
    }

    /// Whether the active path or another one has the ID.
    fn is_used(&self, sequence: u64) -> bool {
        self.active.sequence == sequence
            || self.bound().any(|bound| bound.entry.sequence == sequence)
    }

    /// The ID that [`Self::switch`] would make active.
    #[cfg(test)]
    pub(crate) fn next_unused(&self) -> Option<&ConnectionId> {
        self.unused.first().map(|entry| &entry.id)
    }

    /// Makes the next ID active and retires the one before, as on a change of the path
    /// (RFC 9000 §9.5); `Ok(false)` if there is no other.
    ///
    /// # Errors
    /// CONNECTION_ID_LIMIT_ERROR if too many retired IDs are not acknowledged.
    pub(crate) fn switch(&mut self) -> Result<bool, TransportError> {
        if self.unused.is_empty() {
            return Ok(false);
        }
        self.retire(self.active.sequence)?;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.16
        //# The sequence number specified in a RETIRE_CONNECTION_ID frame MUST NOT
        //# refer to the Destination Connection ID field of the packet in which the
        //# frame is contained.
        let next = self.unused.remove(0);
        let before = mem::replace(&mut self.active, next);
        // RFC 9000 §10.3.1: only the tokens of IDs in use are looked for.
        if let Some(token) = before.reset_token {
            self.registrations.push(Registration::RemoveResetToken(token));
        }
        if let Some(token) = next.reset_token {
            self.registrations.push(Registration::AddResetToken(token));
        }
        Ok(true)
    }

    /// Whether [`Self::write_frames`] has anything to write.
    pub(crate) fn has_frames(&self) -> bool {
        self.retiring.iter().any(|retiring| retiring.pending)
    }

    /// Writes the RETIRE_CONNECTION_ID frames that are due.
    pub(crate) fn write_frames(&mut self, packet: &mut PacketWriter<'_>) -> Result<(), Full> {
        for retiring in self.retiring.iter_mut().filter(|retiring| retiring.pending) {
            let sequence = retiring.sequence;
            let frame = RetireConnectionId { sequence };
            packet
                .write(SentFrame::RetireConnectionId { sequence }, |writer| frame.encode(writer))?;
            retiring.pending = false;
        }
        Ok(())
    }

    /// The RETIRE_CONNECTION_ID frame was lost: it is sent again.
    pub(crate) fn on_lost(&mut self, sequence: u64) {
        if let Some(retiring) = self.retiring.iter_mut().find(|entry| entry.sequence == sequence) {
            retiring.pending = true;
        }
    }

    /// The peer has the RETIRE_CONNECTION_ID frame.
    pub(crate) fn on_acked(&mut self, sequence: u64) {
        self.retiring.retain(|retiring| retiring.sequence != sequence);
    }

    /// What the packet handler manager has to do next.
    pub(crate) fn poll_registration(&mut self) -> Option<Registration> {
        self.registrations.pop()
    }

    /// The token that is registered, to be removed at the end.
    #[cfg(test)]
    pub(crate) fn reset_token(&self) -> Option<&StatelessResetToken> {
        self.active.reset_token.as_ref()
    }
}

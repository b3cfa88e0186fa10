//! Datagrams that are for no connection: attempts, resets, garbage (RFC 9000 §5.2).

use crate::event::ConnectionHandle;
use crate::instant::Instant;
use crate::net::{UdpDatagram, is_reflector};
use crate::packet_handler_manager::ConnectionCell;
use crate::server::{Load, Reaction, Unrouted};
use crate::wire::ConnectionId;
use crate::wire::header::{Header, LongHeader, LongType, destination_id, has_fixed_bit, parse};

use super::response::MINIMUM_RESET_TRIGGER;
use super::train::{Segment, segments};
use super::zero_rtt_queue::{MAXIMUM_QUEUES, ZeroRttQueue};
use super::{PacketHandler, PacketHandlerMap, Response};

impl<C: ConnectionCell> PacketHandlerMap<C> {
    /// Takes a datagram that is for no connection, unless one of the same train opened it.
    pub(super) fn handle_segment(&mut self, now: Instant, segment: Segment<'_>) {
        let id = destination_id(segment.bytes, self.config.connection_id_length);
        //= https://www.rfc-editor.org/rfc/rfc9000#section-11
        //# A stateless reset MUST NOT be used by an endpoint that has the state
        //# necessary to send a frame on the connection.
        let Some(handle) = id.and_then(|id| self.book.routes.get(&id)) else {
            return self.handle_unrouted(now, segment, None);
        };
        let Some(slot) = self.slots.get_mut(handle) else { return };
        match &mut slot.handler {
            PacketHandler::Connection(_) => {}
            PacketHandler::Incoming(attempt) => {
                attempt.hold(segment.path, segment.ecn, segment.bytes);
            }
            PacketHandler::Closed(closed) => {
                //= https://www.rfc-editor.org/rfc/rfc9000#section-11.1
                //# An endpoint SHOULD be prepared to retransmit a packet containing a
                //# CONNECTION_CLOSE frame if it receives more packets on a terminated
                //# connection.
                if closed.on_datagram(segment.path, segment.bytes.len()) {
                    let again = Response::CloseAgain(handle);
                    self.book.outboxes.respond(segment.path.socket, again);
                }
            }
            PacketHandler::ZeroRttQueue(queue) => match parse(segment.bytes, 0) {
                Ok(Header::Long(LongHeader { ty: LongType::ZeroRtt, .. })) => {
                    queue.push(segment.path, segment.ecn, segment.bytes);
                }
                Ok(Header::Long(LongHeader { ty: LongType::Initial, .. })) => {
                    self.handle_unrouted(now, segment, Some(handle));
                }
                _ => {}
            },
        }
    }

    /// Leaves a train for no connection here to the shard that its ID is of; returns whether it did.
    ///
    /// Not if it can open a connection, by an ID that a client chose. Peers go on to use the IDs of
    /// the shard that they arrive at.
    pub(super) fn hand_over_train(
        &mut self,
        id: Option<ConnectionId>,
        train: &UdpDatagram<'_>,
    ) -> bool {
        let Some(shard) = id.and_then(|id| self.config.other_shard(&id)) else { return false };
        let Some(first) = segments(train).next() else { return false };
        let established = match parse(first.bytes, self.config.connection_id_length) {
            Ok(Header::Short(_)) => self.book.routes.reset(first.bytes).is_none(),
            Ok(Header::Long(header)) => header.ty == LongType::Handshake,
            _ => false,
        };
        if established {
            let all = Segment { bytes: train.payload, ..first };
            self.misdirections.push(shard, all, train.segment_length);
        }
        established
    }

    /// Takes a train that was left to a shard which is nobody's.
    pub(super) fn answer_for_nobody(&mut self, now: Instant, train: &UdpDatagram<'_>) {
        for segment in segments(train) {
            // Anything else was left to others in place of being dropped.
            if let Ok(Header::Short(_)) = parse(segment.bytes, self.config.connection_id_length) {
                self.handle_segment(now, segment);
            }
        }
    }

    /// Leaves a datagram that would be dropped to the shard that its ID is of.
    fn hand_over(&mut self, segment: Segment<'_>) {
        let id = destination_id(segment.bytes, self.config.connection_id_length);
        if let Some(shard) = id.and_then(|id| self.config.other_shard(&id)) {
            self.misdirections.push(shard, segment, None);
        }
    }

    fn handle_unrouted(
        &mut self,
        now: Instant,
        segment: Segment<'_>,
        queue: Option<ConnectionHandle>,
    ) {
        if let Some(handle) = self.book.routes.reset(segment.bytes) {
            self.act(now, handle, |connection| connection.handle_stateless_reset(now));
            return;
        }
        if is_reflector(segment.path.remote.port()) {
            return;
        }
        match parse(segment.bytes, self.config.connection_id_length) {
            Ok(Header::Short(header)) => self.reset(now, segment, header.destination_id),
            Ok(header) => self.handle_unrouted_long(now, segment, &header, queue),
            // Not even a version to negotiate: dropped without a trace.
            Err(_) => {}
        }
    }

    /// Answers a packet with an unknown connection ID with a stateless reset, if that can do no
    /// harm (RFC 9000 §10.3).
    fn reset(&mut self, now: Instant, segment: Segment<'_>, id: ConnectionId) {
        let trigger_length = segment.bytes.len();
        let path = segment.path;
        // Without the bit it may as well be of another protocol on this socket; every other packet
        // of a peer that clears it has it.
        let may = self.config.keyring.is_some()
            && has_fixed_bit(segment.bytes)
            && !id.is_empty()
            && trigger_length >= MINIMUM_RESET_TRIGGER
            //= https://www.rfc-editor.org/rfc/rfc9000#section-21.11
            //# More generally, servers MUST NOT generate a stateless reset if a
            //# connection with the corresponding connection ID could be active on any
            //# endpoint using the same static key.
            && self.book.retired.get(now, &id).is_none()
            && self.resets.take(now, path.remote.ip());
        if may {
            let response = Response::Reset { path, id, trigger_length };
            self.book.outboxes.respond(path.socket, response);
        }
    }

    fn handle_unrouted_long(
        &mut self,
        now: Instant,
        segment: Segment<'_>,
        header: &Header<'_>,
        queue: Option<ConnectionHandle>,
    ) {
        let load = Load {
            half_open: self.book.half_open,
            waiting: self.book.waiting,
            full: self.slots.length() >= self.config.max_connections,
            rush: false,
        };
        //= https://www.rfc-editor.org/rfc/rfc9368#section-2.1
        //# Clients MUST NOT send Version Negotiation packets and servers MUST ignore all
        //# received Version Negotiation packets.
        let Some(server) = &mut self.server else { return self.hand_over(segment) };
        let path = segment.path;
        let config = server.config().clone();
        let unrouted = Unrouted { path, datagram: segment.bytes };
        let response = match server.handle_packet(now, unrouted, header, load) {
            Reaction::Attempt(facts, keys) => {
                return self.begin_attempt(now, (facts, keys), segment, queue);
            }
            Reaction::QueueZeroRtt => return self.queue_zero_rtt(now, segment),
            // An Initial may go on with a handshake elsewhere. What that is, only its keys tell.
            Reaction::Drop => return self.hand_over(segment),
            Reaction::Close(facts, code) => {
                if !self.refusals.take(now) {
                    return;
                }
                Response::Close { facts, config, code }
            }
            Reaction::NegotiateVersion(header) => {
                Response::version_negotiation(path, &header, config)
            }
            Reaction::Retry(facts) => Response::Retry { facts, config, issued: now },
        };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.1
        //# A server MUST NOT send more than one Version Negotiation packet in response to a
        //# single UDP datagram.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.5.1
        //# A server MUST NOT send more than one Retry packet in response to a single UDP
        //# datagram.
        self.book.outboxes.respond(path.socket, response);
        if let Some(queue) = queue {
            self.forget(now, queue);
        }
    }

    /// Begins a queue for 0-RTT packets of an attempt whose Initial is late.
    fn queue_zero_rtt(&mut self, now: Instant, segment: Segment<'_>) {
        let room = self.book.zero_rtt_queues < MAXIMUM_QUEUES
            && self.slots.length() < self.config.max_connections;
        let id = destination_id(segment.bytes, 0).filter(|_| room);
        let Some((id, handle)) = id.and_then(|id| Some((id, self.slots.next_handle()?))) else {
            return;
        };
        let mut queue = ZeroRttQueue::new(now, segment.path);
        if !queue.push(segment.path, segment.ecn, segment.bytes)
            || !self.book.routes.add(id, handle)
        {
            return;
        }
        self.book.deadlines.set(handle.slot, queue.until());
        self.slots.insert(handle, PacketHandler::ZeroRttQueue(Box::new(queue)));
        if let Some(slot) = self.slots.get_mut(handle) {
            slot.notes.ids.push(id);
        }
        self.book.zero_rtt_queues = self.book.zero_rtt_queues.saturating_add(1);
    }
}

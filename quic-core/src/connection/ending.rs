//! How connections end (RFC 9000 §10).

use bytes::Bytes;

use super::Connection;
use super::close::CloseReason;
use crate::error::{ConnectionError, TransportError};
use crate::event::Event;
use crate::instant::Instant;
use crate::net::PathAddresses;
use crate::recorder::{Origin, Record};
use crate::streams::ReceiveBudget;
use crate::wire::VarInt;

/// What is left of a connection once it needs nothing but to be remembered for a while.
#[derive(Debug)]
pub(crate) struct Closing {
    /// The sealed CONNECTION_CLOSE datagram to repeat when provoked; `None` while draining.
    pub(crate) datagram: Option<Box<[u8]>>,
    pub(crate) path: PathAddresses,
    /// When it can be forgotten (RFC 9000 §10.2).
    pub(crate) until: Instant,
}

impl Connection {
    /// Closes the connection at once (RFC 9000 §10.2): what was not delivered is given up.
    ///
    /// The peer's application is told `code` and `reason`, of which the first 256 bytes travel.
    /// No effect if the connection is over.
    pub fn close(&mut self, now: Instant, code: VarInt, reason: Bytes) {
        let now = self.clock.advance(now);
        let reason = CloseReason::Application { code, reason };
        self.begin_close(now, reason, ConnectionError::LocallyClosed);
    }

    /// The peer broke the protocol, or this end cannot go on.
    pub(super) fn fail(&mut self, now: Instant, error: TransportError) {
        let reason = CloseReason::Transport(error.clone());
        self.begin_close(now, reason, ConnectionError::TransportError(error));
    }

    fn begin_close(&mut self, now: Instant, reason: CloseReason, error: ConnectionError) {
        let pto = self.pto();
        if self.lifecycle.close(now, pto, error) {
            let code = reason.application_code();
            //= https://www.rfc-editor.org/rfc/rfc9000#section-10.3
            //# An endpoint that wishes to communicate a fatal connection error MUST
            //# use a CONNECTION_CLOSE frame if it is able.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-11
            //# An endpoint that detects an error SHOULD signal the existence of that
            //# error to its peer.
            //= https://www.rfc-editor.org/rfc/rfc9000#section-11.1
            //# Errors that result in the connection being unusable, such as an
            //# obvious violation of protocol semantics or corruption of state that
            //# affects an entire connection, MUST be signaled using a
            //# CONNECTION_CLOSE frame (Section 19.19).
            self.ending.close = Some(Box::new(reason));
            self.on_over(now, code, false);
        }
    }

    /// The peer ended the connection: nothing more is sent (RFC 9000 §10.2.2).
    pub(super) fn drain(&mut self, now: Instant, error: ConnectionError) {
        let pto = self.pto();
        if self.lifecycle.drain(now, pto, error) {
            self.on_over(now, None, true);
        }
        self.ending.close = None;
        self.leave(None);
        self.record_changes(now, Origin::Remote);
    }

    /// The connection ends without a word.
    pub(super) fn vanish(&mut self, now: Instant, error: ConnectionError) {
        if self.lifecycle.vanish(now, error) {
            self.on_over(now, None, true);
            self.leave(None);
        }
    }

    /// What arrived stays `readable`, unless it was this end that gave up, for which the
    /// application may have given a code.
    fn on_over(&mut self, now: Instant, code: Option<u64>, readable: bool) {
        if let Some(reason) = self.lifecycle.reason() {
            if let Some(recording) = &mut self.recording {
                recording.record(now, &Record::Closed { error: reason, code });
            }
            self.events.push_back(Event::Lost(reason.clone()));
        }
        self.streams.get().on_connection_over(readable);
        if let Some(datagrams) = &mut self.datagrams {
            datagrams.on_connection_over(readable);
        }
        self.record_changes(now, Origin::Local);
    }

    /// Leaves the rest to the manager: `datagram` is repeated when the peer still sends.
    pub(super) fn leave(&mut self, datagram: Option<Box<[u8]>>) {
        if self.ending.left {
            return;
        }
        self.ending.left = true;
        self.ending.closing = Some(Box::new(Closing {
            datagram,
            path: self.paths.active().addresses,
            until: self.lifecycle.deadline().unwrap_or(Instant::EPOCH),
        }));
    }

    /// Takes from, or gives back to, what the windows of all connections may grow by.
    pub(crate) fn share_receive_budget(&mut self, budget: &mut ReceiveBudget, is_over: bool) {
        match self.streams.used_mut() {
            Some(streams) if is_over => streams.return_receive_budget(budget),
            Some(streams) => streams.share_receive_budget(budget),
            None => {}
        }
    }

    /// Once: the connection is over, and what the manager has to keep of it.
    pub(crate) fn poll_closed(&mut self) -> Option<Closing> {
        self.ending.closing.take().map(|closing| *closing)
    }
}

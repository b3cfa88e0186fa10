//! Every timer of a connection: when the next is due, and what it does.

use super::Connection;
use super::idle_timeout::Idle;
use super::space::SpaceSlot;
use crate::deadline::earliest;
use crate::error::ConnectionError;
use crate::instant::Instant;
use crate::recorder::{Origin, Timer};
use crate::recovery::TimeoutAction;
use crate::wire::SpaceId;

impl Connection {
    /// When [`handle_timeout`](Self::handle_timeout) is next due; `None` if not before something
    /// else happens.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.lifecycle.is_alive() {
            return self.lifecycle.deadline();
        }
        let [initial, handshake, application] = &self.spaces;
        earliest([
            self.idle_timeout.deadline(),
            self.handshake.deadline(),
            initial.received.deadline(),
            handshake.received.deadline(),
            application.received.deadline(),
            self.recovery.deadline(),
            self.paths.deadline(),
            self.early_data_deadline(),
            self.datagrams.as_ref().and_then(|datagrams| datagrams.deadline()),
        ])
    }

    /// A peer that gives no credit may have nothing to say either.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-4.1
    //# To keep the
    //# connection from closing, a sender that is flow control limited SHOULD
    //# periodically send a STREAM_DATA_BLOCKED or DATA_BLOCKED frame when it
    //# has no ack-eliciting packets in flight.
    fn repeat_blocked(&mut self) {
        let quiet = !self.space(SpaceId::Application).sent.has_ack_eliciting_in_flight();
        if let Some(streams) = self.streams.used_mut().filter(|_| quiet) {
            streams.repeat_blocked();
        }
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        if !self.lifecycle.is_alive() {
            if self.lifecycle.handle_timeout(now) {
                // The closing period is over, even if the close could never be sent.
                self.ending.close = None;
                self.leave(None);
                self.record_changes(now, Origin::Local);
            }
            return;
        }
        match self.idle_timeout.handle_timeout(now) {
            Idle::Not => {}
            Idle::KeepAlive => self.space_mut(SpaceId::Application).ping = true,
            Idle::HalfOver => self.repeat_blocked(),
            Idle::TimedOut => {
                self.record_timer(now, Timer::Idle, None);
                return self.vanish(now, ConnectionError::TimedOut);
            }
        }
        if self.handshake.handle_timeout(now) {
            self.record_timer(now, Timer::Handshake, None);
            return self.vanish(now, ConnectionError::HandshakeTimedOut);
        }
        self.expire_early_data(now);
        if let Some(datagrams) = &mut self.datagrams {
            datagrams.handle_timeout(now);
        }
        let quiet = self.space(SpaceId::Application).received.deadline();
        if let Some(streams) = self.streams.used_mut().filter(|_| quiet.is_some_and(|at| at <= now))
        {
            // Data that keeps coming is acknowledged before that.
            streams.on_quiet();
        }
        for space in self.spaces.iter_mut().filter_map(SpaceSlot::used_mut) {
            space.received.handle_timeout(now);
        }
        self.paths.set_silent(self.recovery.pto_count() > 0);
        self.paths.handle_timeout(now);
        if let Err(error) = self.follow_paths(now) {
            self.fail(now, error);
        }
        if !self.lifecycle.is_alive() {
            return;
        }
        match self.expire_recovery_timer(now) {
            TimeoutAction::None => {}
            TimeoutAction::DetectLoss(space) => {
                self.record_timer(now, Timer::Loss, Some(space));
                self.detect_lost(now, space);
            }
            TimeoutAction::Probe { space, count } => {
                self.record_timer(now, Timer::Probe, Some(space));
                self.prepare_probes(space, count);
            }
        }
        self.after_input(now);
    }
}

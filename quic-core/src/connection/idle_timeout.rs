//! Ends a connection silently after too long without a packet, or keeps it alive (RFC 9000 §10.1).

use std::mem;
use std::time::Duration;

use crate::deadline::{Deadline, earliest};
use crate::instant::Instant;

/// The idle timeout and the keep-alive.
#[derive(Debug)]
pub(super) struct IdleTimeout {
    /// The smaller of both endpoints' max_idle_timeout; `None` means never.
    duration: Option<Duration>,
    deadline: Deadline,
    /// Only the first ack-eliciting packet sent after a receipt restarts the timeout.
    restart_on_send: bool,
    /// When the last packet was received, the epoch if none was.
    received: Instant,
    keep_alive: Option<Duration>,
    /// Without a keep-alive, half of the timeout.
    keep_alive_deadline: Deadline,
}

/// What is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Idle {
    /// Nothing.
    Not,
    /// A PING is due, to keep the connection alive.
    KeepAlive,
    /// Half of the timeout has passed, and nobody asked for more life: an end that waits for the
    /// other should say so.
    HalfOver,
    /// The connection has been idle for too long.
    TimedOut,
}

impl IdleTimeout {
    pub(super) fn new(duration: Option<Duration>, keep_alive: Option<Duration>) -> Self {
        Self {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
            //# Idle timeout is disabled when both endpoints omit
            //# this transport parameter or specify a value of 0.
            duration: duration.filter(|duration| !duration.is_zero()),
            deadline: Deadline::default(),
            restart_on_send: true,
            received: Instant::EPOCH,
            keep_alive,
            keep_alive_deadline: Deadline::default(),
        }
    }

    /// Takes the peer's max_idle_timeout into account, beside our own; zero means that it has none.
    /// It counts from now on, since the packet that told it has just come.
    pub(super) fn set_peer_timeout(
        &mut self,
        now: Instant,
        (own, peer): (Option<Duration>, Duration),
        pto: Duration,
    ) {
        let own = own.filter(|own| !own.is_zero());
        let peer = Some(peer).filter(|peer| !peer.is_zero());
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.1
        //# Each endpoint advertises a max_idle_timeout, but the effective value
        //# at an endpoint is computed as the minimum of the two advertised
        //# values
        let duration = own.into_iter().chain(peer).min();
        // What was remembered of the peer may have set another one.
        let is_unchanged = mem::replace(&mut self.duration, duration) == duration;
        if peer.is_none() && is_unchanged {
            return;
        }
        if duration.is_none() {
            self.deadline.cancel();
            self.keep_alive_deadline.cancel();
        }
        self.restart(now, pto);
    }

    /// Whether a packet that is received now would change anything: of a train, only the first.
    #[inline]
    pub(super) fn restarts_on_receipt(&self, now: Instant) -> bool {
        self.received != now || !self.restart_on_send || now == Instant::EPOCH
    }

    pub(super) fn on_packet_received(&mut self, now: Instant, pto: Duration) {
        self.received = now;
        self.restart_on_send = true;
        self.restart(now, pto);
    }

    pub(super) fn on_ack_eliciting_sent(&mut self, now: Instant, pto: Duration) {
        if mem::take(&mut self.restart_on_send) {
            self.restart(now, pto);
        }
    }

    /// Whether sending an ack-eliciting packet now would change anything.
    #[inline]
    pub(super) fn restarts_on_send(&self) -> bool {
        self.restart_on_send
    }

    /// Whether the connection has been idle for too long.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.deadline.get().is_some_and(|at| at <= now)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Idle {
        if self.deadline.expire(now) {
            return Idle::TimedOut;
        }
        match self.keep_alive_deadline.expire(now) {
            false => Idle::Not,
            true if self.keep_alive.is_some() => Idle::KeepAlive,
            true => Idle::HalfOver,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        earliest([self.deadline.get(), self.keep_alive_deadline.get()])
    }

    #[cfg(test)]
    pub(super) fn end(&self) -> Option<Instant> {
        self.deadline.get()
    }

    fn restart(&mut self, now: Instant, pto: Duration) {
        // RFC 9000 §10.1: at least three PTOs, so that a lost probe cannot end a connection.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.1
        //# To avoid excessively small idle timeout periods, endpoints MUST
        //# increase the idle timeout period to be at least three times the
        //# current Probe Timeout (PTO).
        let duration = self.duration.map(|duration| duration.max(pto.saturating_mul(3)));
        if let Some(duration) = duration {
            self.deadline.set_after(now, duration);
        }
        if let Some(interval) = self.keep_alive.or_else(|| Some(duration? / 2)) {
            self.keep_alive_deadline.set_after(now, interval);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(30);
    const PTO: Duration = Duration::from_secs(1);

    #[derive(Clone, Copy, Debug)]
    enum Packet {
        Received,
        Sent,
    }
    use Packet::{Received, Sent};

    /// Plays `packets` (when, and whether sent or received), and checks when the timeout falls.
    #[track_caller]
    fn check(idle: Option<Duration>, packets: &[(u64, Packet)], expected_s: Option<u64>) {
        let mut timeout = IdleTimeout::new(idle, None);
        for &(at_s, packet) in packets {
            let now = Instant::EPOCH + Duration::from_secs(at_s);
            match packet {
                Received => timeout.on_packet_received(now, PTO),
                Sent => timeout.on_ack_eliciting_sent(now, PTO),
            }
        }
        let expected = expected_s.map(|at_s| Instant::EPOCH + Duration::from_secs(at_s));
        assert_eq!(timeout.deadline.get(), expected, "after {packets:?}");
    }

    #[test]
    fn every_packet_received_restarts_it() {
        check(Some(IDLE), &[(0, Received), (7, Received)], Some(37));
    }

    #[test]
    fn only_the_first_packet_sent_after_a_receipt_restarts_it() {
        check(Some(IDLE), &[(0, Received), (5, Sent), (9, Sent)], Some(35));
    }

    #[test]
    fn each_receipt_lets_the_next_packet_sent_restart_it() {
        check(Some(IDLE), &[(0, Sent), (5, Received), (9, Sent), (11, Sent)], Some(39));
    }

    #[test]
    fn it_is_never_shorter_than_three_ptos() {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.1
        //= type=test
        //# To avoid excessively small idle timeout periods, endpoints MUST
        //# increase the idle timeout period to be at least three times the
        //# current Probe Timeout (PTO).
        check(Some(Duration::from_secs(1)), &[(0, Received)], Some(3));
    }

    #[test]
    fn without_a_timeout_there_is_no_deadline() {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
        //= type=test
        //# Idle timeout is disabled when both endpoints omit
        //# this transport parameter or specify a value of 0.
        check(None, &[(0, Received), (1, Sent)], None);
        check(Some(Duration::ZERO), &[(0, Received), (1, Sent)], None);
    }

    #[test]
    fn the_smaller_of_both_ends_counts() {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.1
        //= type=test
        //# Each endpoint advertises a max_idle_timeout, but the effective value
        //# at an endpoint is computed as the minimum of the two advertised
        //# values
        let mut timeout = IdleTimeout::new(Some(IDLE), None);
        let now = Instant::EPOCH;
        timeout.on_packet_received(now, PTO);
        let (ten, forty) = (Duration::from_secs(10), Duration::from_secs(40));
        timeout.set_peer_timeout(now, (Some(IDLE), Duration::ZERO), PTO);
        assert_eq!(timeout.duration, Some(IDLE));
        timeout.set_peer_timeout(now, (Some(IDLE), ten), PTO);
        assert_eq!(timeout.duration, Some(ten));
        assert_eq!(timeout.deadline.get(), Some(now + ten), "at once");
        timeout.set_peer_timeout(now, (Some(IDLE), forty), PTO);
        assert_eq!(timeout.duration, Some(IDLE));
    }

    #[test]
    fn what_was_remembered_of_the_peer_is_forgotten_when_it_says_another_thing() {
        let now = Instant::EPOCH;
        let ten = Duration::from_secs(10);
        for (own, said, expected) in [
            (Some(IDLE), Duration::ZERO, Some(IDLE)),
            (Some(IDLE), Duration::from_secs(20), Some(Duration::from_secs(20))),
            (None, Duration::ZERO, None),
            (Some(Duration::ZERO), Duration::ZERO, None),
        ] {
            let mut timeout = IdleTimeout::new(own, None);
            timeout.set_peer_timeout(now, (own, ten), PTO);
            assert_eq!(timeout.deadline.get(), Some(now + ten));
            timeout.set_peer_timeout(now, (own, said), PTO);
            assert_eq!(timeout.deadline.get(), expected.map(|expected| now + expected));
        }
    }

    #[test]
    fn a_keep_alive_is_due_after_its_interval_of_silence() {
        let mut timeout = IdleTimeout::new(Some(IDLE), Some(Duration::from_secs(10)));
        timeout.on_packet_received(Instant::EPOCH, PTO);
        let due = Instant::EPOCH + Duration::from_secs(10);
        assert_eq!(timeout.deadline(), Some(due));
        assert_eq!(timeout.handle_timeout(due), Idle::KeepAlive);
        assert_eq!(timeout.handle_timeout(Instant::EPOCH + IDLE), Idle::TimedOut);
    }

    #[test]
    fn half_of_the_timeout_is_told_once() {
        let mut timeout = IdleTimeout::new(Some(IDLE), None);
        timeout.on_packet_received(Instant::EPOCH, PTO);
        let half = Instant::EPOCH + IDLE / 2;
        assert_eq!(timeout.deadline(), Some(half));
        assert_eq!(timeout.handle_timeout(half), Idle::HalfOver);
        assert_eq!(timeout.handle_timeout(half), Idle::Not);
        assert_eq!(timeout.deadline(), Some(Instant::EPOCH + IDLE));
    }
}

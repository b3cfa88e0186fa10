//! How far a connection has come, and how it ends (RFC 9000 §10).

use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::ConnectionError;
use crate::instant::Instant;

/// How far a connection has come. Only this module changes it.
///
/// ```text
/// Handshaking ──► Established
///      │               │
///      ├──────┬────────┤
///      ▼      ▼        ▼
///   Closing ─► Draining ─► Drained
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    Handshaking,
    Established,
    /// This endpoint sends CONNECTION_CLOSE (RFC 9000 §10.2.1).
    Closing,
    /// The peer closed; nothing may be sent (RFC 9000 §10.2.2).
    Draining,
    /// Nothing is left to do but to forget the connection.
    Drained,
}

/// The state of a connection, and how it ended.
#[derive(Debug)]
pub(super) struct Lifecycle {
    state: State,
    /// When closing or draining is over.
    over_at: Deadline,
    reason: Option<Box<ConnectionError>>,
}

impl Lifecycle {
    pub(super) fn new() -> Self {
        Self { state: State::Handshaking, over_at: Deadline::default(), reason: None }
    }

    /// The handshake is complete.
    pub(super) fn establish(&mut self) {
        if self.state == State::Handshaking {
            self.state = State::Established;
        }
    }

    /// This endpoint ends the connection and says so for three PTOs (RFC 9000 §10.2). Returns
    /// whether the connection was still alive.
    pub(super) fn close(&mut self, now: Instant, pto: Duration, reason: ConnectionError) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2
        //# These states SHOULD persist for at least three times the current PTO
        //# interval as defined in [QUIC-RECOVERY].
        self.end(State::Closing, now + pto.saturating_mul(3), reason)
    }

    /// The peer ended the connection. Returns whether it was still alive.
    pub(super) fn drain(&mut self, now: Instant, pto: Duration, reason: ConnectionError) -> bool {
        // RFC 9000 §10.2.2: draining ends when closing would have.
        if self.state == State::Closing {
            self.state = State::Draining;
            return false;
        }
        self.end(State::Draining, now + pto.saturating_mul(3), reason)
    }

    /// The connection ends without a word to the peer. Returns whether it was still alive.
    pub(super) fn vanish(&mut self, now: Instant, reason: ConnectionError) -> bool {
        self.end(State::Drained, now, reason)
    }

    fn end(&mut self, state: State, over_at: Instant, reason: ConnectionError) -> bool {
        if !self.is_alive() {
            return false;
        }
        self.state = state;
        self.over_at.set(over_at);
        self.reason = Some(Box::new(reason));
        true
    }

    /// Returns whether closing or draining is over just now.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        let over = self.over_at.expire(now);
        if over {
            self.state = State::Drained;
        }
        over
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.over_at.get()
    }

    /// Whether frames are exchanged: the connection is neither closing nor over.
    pub(super) fn is_alive(&self) -> bool {
        matches!(self.state, State::Handshaking | State::Established)
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn reason(&self) -> Option<&ConnectionError> {
        self.reason.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PTO: Duration = Duration::from_millis(100);

    fn alive() -> Lifecycle {
        let mut lifecycle = Lifecycle::new();
        lifecycle.establish();
        lifecycle
    }

    #[test]
    fn draining_ends_when_closing_would_have() {
        let mut lifecycle = alive();
        assert!(lifecycle.close(Instant::EPOCH, PTO, ConnectionError::LocallyClosed));
        let over_at = lifecycle.deadline();
        let later = Instant::EPOCH + PTO;
        assert!(!lifecycle.drain(later, PTO, ConnectionError::Reset));
        assert_eq!(lifecycle.state(), State::Draining);
        assert_eq!(lifecycle.deadline(), over_at);
        assert!(lifecycle.handle_timeout(Instant::EPOCH + 3 * PTO));
        assert_eq!(lifecycle.state(), State::Drained);
    }

    #[test]
    fn closing_and_draining_last_for_three_ptos() {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-10.2
        //= type=test
        //# These states SHOULD persist for at least three times the current PTO
        //# interval as defined in [QUIC-RECOVERY].
        let (mut closing, mut draining) = (alive(), alive());
        assert!(closing.close(Instant::EPOCH, PTO, ConnectionError::LocallyClosed));
        assert!(draining.drain(Instant::EPOCH, PTO, ConnectionError::Reset));
        let end = Some(Instant::EPOCH + 3 * PTO);
        assert_eq!((closing.deadline(), draining.deadline()), (end, end));
    }

    #[test]
    fn the_first_reason_stays() {
        let mut lifecycle = alive();
        assert!(lifecycle.close(Instant::EPOCH, PTO, ConnectionError::LocallyClosed));
        assert!(!lifecycle.vanish(Instant::EPOCH, ConnectionError::TimedOut));
        assert_eq!(lifecycle.reason(), Some(&ConnectionError::LocallyClosed));
    }

    #[test]
    fn a_connection_that_ended_is_not_established_again() {
        let mut lifecycle = Lifecycle::new();
        assert!(lifecycle.drain(Instant::EPOCH, PTO, ConnectionError::Reset));
        lifecycle.establish();
        assert_eq!(lifecycle.state(), State::Draining);
    }
}

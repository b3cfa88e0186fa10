//! What all window-based controllers have in common (RFC 9002 §7.2, §7.3.2).

use crate::instant::Instant;
use crate::net::MINIMUM_MTU;

/// The largest window, in bytes: enough for 100 Gbit/s over 300 ms.
pub(super) const MAX_WINDOW: u64 = 1 << 32;

/// A window, in bytes, that stays within its bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    bytes: u64,
    mtu: u16,
    /// Neither grown nor reduced yet.
    untouched: bool,
}

impl Window {
    pub(super) fn new(mtu: u16) -> Self {
        let mtu = mtu.max(MINIMUM_MTU);
        Self { bytes: initial_window(mtu.into()), mtu, untouched: true }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn mtu(&self) -> u64 {
        self.mtu.into()
    }

    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.2
    //# The RECOMMENDED value is 2 * max_datagram_size.
    /// kMinimumWindow (RFC 9002 §7.2).
    pub(super) fn minimum(&self) -> u64 {
        2 * self.mtu()
    }

    pub(super) fn set(&mut self, bytes: u64) {
        self.bytes = bytes.clamp(self.minimum(), MAX_WINDOW);
        self.untouched = false;
    }

    pub(super) fn grow(&mut self, bytes: u64) {
        self.set(self.bytes.saturating_add(bytes));
    }

    pub(super) fn set_mtu(&mut self, mtu: u16) {
        self.mtu = mtu.max(MINIMUM_MTU);
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.2
        //# If the maximum datagram size changes during the connection, the
        //# initial congestion window SHOULD be recalculated with the new size.
        //= https://www.rfc-editor.org/rfc/rfc9002#section-7.2
        //# If the maximum datagram size is decreased in order to complete the
        //# handshake, the congestion window SHOULD be set to the new initial
        //# congestion window.
        if self.untouched {
            self.bytes = initial_window(self.mtu());
        }
        self.bytes = self.bytes.clamp(self.minimum(), MAX_WINDOW);
    }
}

/// kInitialWindow, in bytes (RFC 9002 §7.2).
pub(super) fn initial_window(mtu: u64) -> u64 {
    //= https://www.rfc-editor.org/rfc/rfc9002#section-7.2
    //# Endpoints SHOULD use an initial congestion window of ten times the
    //# maximum datagram size (max_datagram_size), while limiting the window
    //# to the larger of 14,720 bytes or twice the maximum datagram size.
    (10 * mtu).min(14_720.max(2 * mtu))
}

/// The time in which further losses are part of the last congestion event: until a packet that was
/// sent after its start is acknowledged (RFC 9002 §7.3.2).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RecoveryPeriod {
    start: Option<Instant>,
}

impl RecoveryPeriod {
    /// Whether a packet sent at `sent` was sent before the window was reduced.
    pub(super) fn covers(self, sent: Instant) -> bool {
        self.start.is_some_and(|start| sent <= start)
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.start = Some(now);
    }

    pub(super) fn end(&mut self) {
        self.start = None;
    }
}

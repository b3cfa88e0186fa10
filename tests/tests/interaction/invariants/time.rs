//! Polling, deadlines and probe timeouts.

use std::collections::BTreeSet;

use quic_core::Instant;

/// How often an end waits longer and longer for an acknowledgment.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    was_acked: bool,
    /// Packets that were declared lost, by packet number space.
    lost: BTreeSet<(usize, u64)>,
}

impl Backoff {
    /// A packet was declared lost.
    pub(crate) fn on_lost(&mut self, space: usize, number: u64) {
        self.lost.insert((space, number));
    }

    /// A packet was acknowledged for the first time. Initial packets prove nothing to a client
    /// (RFC 9002 §6.2.1), and those that were lost nothing of late (Appendix A.7).
    pub(crate) fn on_acked(&mut self, space: usize, number: u64) {
        self.was_acked |= space != 0 && !self.lost.contains(&(space, number));
    }

    /// A timer expired, after whatever was told before.
    pub(crate) fn on_timeout(&mut self) {
        self.was_acked = false;
    }

    /// Metrics that changed are told after each datagram.
    pub(crate) fn i21_acknowledgments_end_the_backoff(
        &mut self,
        pto_count: u32,
    ) -> Result<(), String> {
        if std::mem::take(&mut self.was_acked) && pto_count > 0 {
            Err(format!("I21: {pto_count} probe timeouts in a row after an acknowledgment"))
        } else {
            Ok(())
        }
    }
}

pub(crate) fn i15_nothing_is_left_to_poll(any: bool) -> Result<(), String> {
    if any { Err("I15: there is more to poll after there was nothing".to_owned()) } else { Ok(()) }
}

pub(crate) fn i16_deadlines_are_to_come(
    now: Instant,
    deadline: Option<Instant>,
) -> Result<(), String> {
    match deadline {
        Some(deadline) if deadline <= now => {
            Err(format!("I16: due at {deadline:?}, it is {now:?}"))
        }
        _ => Ok(()),
    }
}

//! Which datagrams are marked ECT(0), and what the peer says of the marks (RFC 9000 §13.4).

use super::Connection;
use super::space::SpaceSlot;
use crate::congestion::Congestion;
use crate::instant::Instant;
use crate::net::EcnCodepoint;
use crate::paths::AckedMarks;
use crate::recovery::AckOutcome;
use crate::wire::SpaceId;
use crate::wire::frame::EcnCounts;

/// Probe timeouts in a row from which on datagrams have no mark.
const UNMARKED_FROM: u32 = 2;

impl Connection {
    /// The mark of the datagrams that are to be written now, all of one batch.
    ///
    /// Marks begin where the handshake ends: it is too short to gain from them, and a path that
    /// drops what is marked must not delay it. Nor does such a path stop a connection that has
    /// begun, since repeated probes go without.
    pub(super) fn ecn_mark(&self) -> Option<EcnCodepoint> {
        let marks = self.paths.active().ecn.marks()
            && self.handshake.is_complete()
            && self.recovery.pto_count() < UNMARKED_FROM
            && !self.wants(SpaceId::Initial, false)
            && !self.wants(SpaceId::Handshake, false);
        marks.then_some(EcnCodepoint::Ect0)
    }

    /// Whether the next packet elicits an acknowledgment. Those that do not have no mark: the answer
    /// to repeated probes has to arrive even where what is marked is dropped.
    pub(super) fn elicits(&self) -> bool {
        let space = SpaceId::Application;
        let state = self.space(space);
        state.probes > 0 || state.ping || self.has_frames(space)
    }

    /// What an ACK frame says of marks, before its losses are found: it may be congestion.
    pub(super) fn on_marks_acked(
        &mut self,
        now: Instant,
        space: SpaceId,
        outcome: &AckOutcome,
        counts: Option<EcnCounts>,
    ) {
        if !self.paths.watches_marks() {
            return;
        }
        if space != SpaceId::Application {
            // Nothing is marked there.
            if counts.is_some_and(|counts| counts != EcnCounts::default()) {
                self.paths.active_mut().ecn.fail();
            }
            return;
        }
        let generation = self.paths.active().generation;
        let newest = outcome.largest_newly_acked.filter(|newest| newest.path == generation);
        let acked = AckedMarks {
            counts,
            raises_largest: outcome.raises_largest,
            marked: outcome.ect,
            marked_elsewhere: outcome.ect_elsewhere,
            newest_is_marked: newest.map(|newest| newest.ect),
        };
        let is_congested = self.paths.on_marks_acked(&acked);
        if let Some(newest) = newest.filter(|_| is_congested) {
            self.on_congestion_marked(now, newest.time_sent, outcome.bytes);
        }
    }

    /// Marks are a sign of congestion like loss: one event per round trip (RFC 9002 §7.3.2, B.7).
    fn on_congestion_marked(&mut self, now: Instant, newest_sent: Instant, acked: u64) {
        self.recovery.on_congestion_marked();
        let path = self.paths.active_mut();
        let window = path.congestion.window();
        let in_flight = path.in_flight().saturating_sub(acked);
        let event = Congestion { newest_sent, lost_bytes: 0, in_flight, ecn: true };
        path.congestion.on_congestion(now, &event);
        self.counters.congestion_events = self
            .counters
            .congestion_events
            .saturating_add(u32::from(path.congestion.window() < window));
    }

    /// Marks received so far, in all packet number spaces that there still are.
    pub(super) fn marks_received(&self) -> EcnCounts {
        let counts = self.spaces.iter().map(|space: &SpaceSlot| space.received.ecn_counts());
        counts.fold(EcnCounts::default(), |sum, counts| EcnCounts {
            ect0: sum.ect0.saturating_add(counts.ect0),
            ect1: sum.ect1.saturating_add(counts.ect1),
            ce: sum.ce.saturating_add(counts.ce),
        })
    }
}

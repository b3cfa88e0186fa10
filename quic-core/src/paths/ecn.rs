//! Explicit congestion notification: whether marks pass, and what they say (RFC 9000 §13.4).

#[cfg(test)]
mod tests;

use super::Paths;
use crate::net::EcnState;
use crate::wire::frame::EcnCounts;

/// Packets that are marked on a new path before anything is known of it (RFC 9000 Appendix A.4).
const TEST_PACKETS: u8 = 10;

/// Marked packets lost in a row, overtaken by packets without a mark, that show that the path
/// drops what is marked.
const BLACK_HOLE_LOSSES: u8 = 4;

/// Whether marks pass on one path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EcnValidation {
    state: EcnState,
    /// Marked packets of this test.
    tested: u8,
    /// Marked packets lost since one arrived.
    lost: u8,
    /// Whether the newest packet that arrived was marked.
    newest_was_marked: bool,
}

impl EcnValidation {
    pub(super) fn new(enabled: bool) -> Self {
        let state = if enabled { EcnState::Testing } else { EcnState::Off };
        Self { state, tested: 0, lost: 0, newest_was_marked: false }
    }

    pub(crate) fn state(self) -> EcnState {
        self.state
    }

    /// Whether packets are to be marked ECT(0).
    #[inline]
    pub(crate) fn marks(self) -> bool {
        matches!(self.state, EcnState::Testing | EcnState::Capable)
    }

    fn is_judged(self) -> bool {
        !matches!(self.state, EcnState::Off | EcnState::Failed)
    }

    /// A marked packet was sent.
    fn on_sent(&mut self) {
        if self.state == EcnState::Testing {
            self.tested = self.tested.saturating_add(1);
            if self.tested >= TEST_PACKETS {
                self.state = EcnState::Unknown;
            }
        }
    }

    /// The path is gone back to: what became of a test meanwhile was told to another one.
    pub(super) fn forget_test(&mut self) {
        if self.state == EcnState::Unknown {
            *self = Self::new(true);
        }
    }

    /// Marked packets arrived with their marks.
    fn on_valid(&mut self) {
        self.lost = 0;
        self.state = EcnState::Capable;
    }

    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.4.2.2
    //# If validation fails, then the endpoint MUST disable ECN.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-13.4.2.2
    //# Network routing and path elements can change mid-connection; an
    //# endpoint MUST disable ECN if validation later fails.
    pub(crate) fn fail(&mut self) {
        if self.is_judged() {
            self.state = EcnState::Failed;
        }
    }

    /// Marked packets were lost that did not probe the MTU.
    ///
    /// Whole windows are lost at a full queue, too. What tells a path that drops marks is that a
    /// later packet without a mark arrives. Once marks did pass, it may have been an outage: they
    /// are tested anew.
    pub(crate) fn on_lost(&mut self, packets: u32) {
        if packets == 0 || self.newest_was_marked || !self.is_judged() {
            return;
        }
        self.lost = self.lost.saturating_add(u8::try_from(packets).unwrap_or(u8::MAX));
        if self.lost < BLACK_HOLE_LOSSES {
            return;
        }
        if self.state == EcnState::Capable {
            *self = Self::new(true);
        } else {
            self.fail();
        }
    }
}

/// What the peer said of marks, on all paths together, and what there is to compare it with. Only
/// packets of the Application Data space are marked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EcnFeedback {
    /// Packets marked ECT(0).
    sent: u64,
    /// What the last ACK frame that raised the largest acknowledged number reported.
    reported: EcnCounts,
}

/// What an ACK frame says of marked packets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AckedMarks {
    pub(crate) counts: Option<EcnCounts>,
    /// It acknowledges a larger number than any frame before.
    pub(crate) raises_largest: bool,
    /// Newly acknowledged packets that were marked, on the active path.
    pub(crate) marked: u32,
    /// The same on other paths.
    pub(crate) marked_elsewhere: u32,
    /// Whether the newest of them all is marked; `None` if it was sent on another path.
    pub(crate) newest_is_marked: Option<bool>,
}

/// What follows from an ACK frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    /// Nothing.
    Nothing,
    /// The counts are as they should be; whether the count of CE marks rose.
    Valid { ce: bool },
    /// The count of CE marks rose by packets that another frame acknowledged, which could not be
    /// judged because it came too late.
    LateCe,
    /// Marks of the active path are missing, or there are more than were sent.
    Invalid,
    /// Marks are missing, but those of packets on other paths.
    InvalidElsewhere,
}

impl EcnFeedback {
    /// Compares an ACK frame with what was sent (RFC 9000 §13.4.2.1).
    fn judge(&self, acked: &AckedMarks) -> Verdict {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.4.2.1
        //# An endpoint MUST NOT fail ECN validation as a
        //# result of processing an ACK frame that does not increase the largest
        //# acknowledged packet number.
        if !acked.raises_largest {
            return Verdict::Nothing;
        }
        let here = u64::from(acked.marked);
        let all = here.saturating_add(acked.marked_elsewhere.into());
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.4.2.1
        //# If an ACK frame newly acknowledges a packet that the endpoint sent
        //# with either the ECT(0) or ECT(1) codepoint set, ECN validation fails
        //# if the corresponding ECN counts are not present in the ACK frame.
        let Some(counts) = acked.counts else { return missing(0, here, all) };
        let ect0 = counts.ect0.checked_sub(self.reported.ect0);
        let ce = counts.ce.checked_sub(self.reported.ce);
        let (Some(ect0), Some(ce)) = (ect0, ce) else { return Verdict::Invalid };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.4.2.1
        //# In particular,
        //# validation will fail when an endpoint receives a non-zero ECN count
        //# corresponding to an ECT codepoint that it never applied.
        if counts.ect1 > 0 || counts.ect0.saturating_add(counts.ce) > self.sent {
            return Verdict::Invalid;
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-13.4.2.1
        //# ECN validation also fails if the sum of the increase in ECT(0) and
        //# ECN-CE counts is less than the number of newly acknowledged packets
        //# that were originally sent with an ECT(0) marking.
        let verdict = missing(ect0.saturating_add(ce), here, all);
        if verdict != Verdict::Nothing {
            verdict
        } else if here > 0 {
            Verdict::Valid { ce: ce > 0 }
        } else if all == 0 && ce > 0 {
            Verdict::LateCe
        } else {
            Verdict::Nothing
        }
    }
}

/// Whose marks are missing when so many of those of `all` packets came, `here` of which were sent
/// on the active path.
fn missing(came: u64, here: u64, all: u64) -> Verdict {
    if came < here {
        Verdict::Invalid
    } else if came < all {
        Verdict::InvalidElsewhere
    } else {
        Verdict::Nothing
    }
}

impl Paths {
    /// A packet was sent with a mark on the path of this generation.
    pub(crate) fn on_marked_sent(&mut self, generation: u32) {
        let feedback = self.ecn.get_or_insert_default();
        feedback.sent = feedback.sent.saturating_add(1);
        if let Some(path) = self.by_generation(generation) {
            path.ecn.on_sent();
        }
    }

    /// Judges an ACK frame of the Application Data space by its counts; returns whether they say
    /// that the active path is congested (RFC 9002 §7.1).
    pub(crate) fn on_marks_acked(&mut self, acked: &AckedMarks) -> bool {
        if let Some(is_marked) = acked.newest_is_marked {
            self.active.ecn.newest_was_marked = is_marked;
        }
        let verdict = self.ecn.as_deref().copied().unwrap_or_default().judge(acked);
        if let (Some(feedback), Some(counts)) = (&mut self.ecn, acked.counts)
            && acked.raises_largest
        {
            feedback.reported = counts;
        }
        match verdict {
            Verdict::Valid { ce } if self.active.ecn.is_judged() => {
                self.active.ecn.on_valid();
                return ce;
            }
            //= https://www.rfc-editor.org/rfc/rfc9002#section-7.1
            //# If a path has been validated to support Explicit Congestion
            //# Notification (ECN) [RFC3168] [RFC8311], QUIC treats a Congestion
            //# Experienced (CE) codepoint in the IP header as a signal of
            //# congestion.
            Verdict::LateCe => return self.active.ecn.state == EcnState::Capable,
            Verdict::Invalid => self.active.ecn.fail(),
            Verdict::InvalidElsewhere => self.others.iter_mut().for_each(|path| path.ecn.fail()),
            Verdict::Nothing | Verdict::Valid { .. } => {}
        }
        false
    }

    /// Whether ACK frames are to be judged by their counts.
    #[inline]
    pub(crate) fn watches_marks(&self) -> bool {
        self.ecn.is_some() || self.active.ecn.is_judged()
    }

    /// Packets marked ECT(0), and how many of them the peer reports as marked CE on their way.
    pub(crate) fn marks_sent(&self) -> (u64, u64) {
        self.ecn.as_ref().map_or((0, 0), |feedback| (feedback.sent, feedback.reported.ce))
    }
}

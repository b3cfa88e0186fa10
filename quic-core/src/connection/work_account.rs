//! What a peer may cost this end without getting anywhere (RFC 9000 §21.9).

use std::time::Duration;

use crate::error::TransportError;
use crate::instant::Instant;
use crate::wire::frame::FrameType;

/// How long it takes until one more packet without progress is forgiven: 100 of them in a second
/// can go on for ever, which no keep-alive, probe or lost acknowledgment comes near.
const PER_POINT: Duration = Duration::from_millis(10);
/// Packets without progress in a row that are forgiven besides: more than a peer sends again for
/// nothing when it takes all that is in flight for lost.
const PATIENCE: u32 = 32_768;
/// Points that each packet with progress pays back, itself included.
const EARNED: u32 = 4;
/// Frames that change nothing and together cost as much as a packet.
const FRAMES_PER_POINT: u64 = 64;
/// Points for what costs this end keys, random numbers, routes or a datagram of its own. More than
/// what the acknowledgment of an answer to it pays back.
pub(super) const COSTLY: u32 = 8;

/// Weighs what the peer's packets cost against what they achieve.
///
/// Packets cost points; new data, new streams and packets newly acknowledged pay back, and so does
/// time. It is all one number: the time until which the points so far are paid for.
#[derive(Debug, Default)]
pub(super) struct WorkAccount {
    paid_until: Instant,
}

/// What a packet came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work {
    pub(super) frames: u64,
    /// Frames for which [`is_costly`] holds.
    pub(super) costly: u32,
    /// Bytes and streams that are new; whoever has none has no progress.
    pub(super) gained: u64,
}

/// Whether one frame of this type costs more than most packets.
#[inline]
pub(super) fn is_costly(frame_type: FrameType) -> bool {
    matches!(
        frame_type,
        FrameType::CRYPTO
            | FrameType::NEW_TOKEN
            | FrameType::NEW_CONNECTION_ID
            | FrameType::RETIRE_CONNECTION_ID
            | FrameType::PATH_CHALLENGE
    )
}

impl WorkAccount {
    /// Takes note of an authentic packet that is no duplicate.
    ///
    /// # Errors
    /// PROTOCOL_VIOLATION if the peer has sent too much that achieves nothing.
    #[inline]
    pub(super) fn on_packet(&mut self, now: Instant, work: Work) -> Result<(), TransportError> {
        let idle_frames = work.frames.saturating_sub(work.gained) / FRAMES_PER_POINT;
        let idle_frames = u32::try_from(idle_frames).unwrap_or(u32::MAX);
        let points =
            1_u32.saturating_add(idle_frames).saturating_add(work.costly.saturating_mul(COSTLY));
        self.charge(now, points);
        if work.gained > 0 {
            self.earn();
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-21.9
        //# While there are legitimate uses for all messages, implementations
        //# SHOULD track cost of processing relative to progress and treat
        //# excessive quantities of any non-productive packets as indicative of
        //# an attack.
        if self.paid_until > now + PER_POINT.saturating_mul(PATIENCE) {
            return Err(TransportError::protocol_violation("too many packets achieve nothing"));
        }
        Ok(())
    }

    /// Something other than a packet cost this end work; the next packet answers for it.
    #[inline]
    pub(super) fn charge(&mut self, now: Instant, points: u32) {
        self.paid_until = self.paid_until.max(now) + PER_POINT.saturating_mul(points);
    }

    /// The peer made progress.
    #[inline]
    pub(super) fn earn(&mut self) {
        self.paid_until = self.paid_until - PER_POINT.saturating_mul(EARNED);
    }

    /// Points that are not paid for.
    #[cfg(test)]
    pub(super) fn owed(&self, now: Instant) -> u128 {
        (self.paid_until - now).as_nanos() / PER_POINT.as_nanos()
    }
}

#[cfg(test)]
mod tests;

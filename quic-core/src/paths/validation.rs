//! PATH_CHALLENGE and PATH_RESPONSE: is the peer there? (RFC 9000 §8.2)

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use crate::crypto::SeededRandom;
use crate::deadline::{Deadline, earliest};
use crate::instant::Instant;
use crate::memory;
use crate::packet::{PacketWriter, SentFrame};
use crate::wire::Full;
use crate::wire::frame::{PathChallenge, PathResponse};

/// PATH_RESPONSE frames that may wait on a path; the newest win.
const MAXIMUM_RESPONSES: usize = 4;

/// PATH_CHALLENGE frames of one attempt.
const CHALLENGES: usize = 3;

/// PTOs until an attempt fails (RFC 9000 §8.2.4).
const PTOS: u32 = 3;

/// Both ends of path validation, for one path.
#[derive(Debug, Default)]
pub(crate) struct Validation {
    /// At most [`MAXIMUM_RESPONSES`].
    responses: VecDeque<[u8; 8]>,
    /// Rare, and so not kept in place.
    attempt: Option<Box<Attempt>>,
}

#[derive(Debug)]
struct Attempt {
    resend: Deadline,
    give_up: Deadline,
    challenges: [Challenge; CHALLENGES],
    interval: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Challenge {
    data: [u8; 8],
    state: ChallengeState,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ChallengeState {
    Waiting,
    Due,
    Sent {
        /// Whether the datagram was at least 1,200 bytes long.
        padded: bool,
    },
}

/// What a PATH_RESPONSE says about the path whose challenge it answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// It answers no challenge of this path.
    Unknown,
    /// The address is validated, but the datagram was not a full one: the path has to be validated
    /// once more (RFC 9000 §8.2.1).
    AddressOnly,
    /// The path is validated.
    Validated,
}

impl Validation {
    /// Heap in use at the most, in bytes.
    pub(super) const fn worst_case_bytes() -> u64 {
        memory::list::<[u8; 8]>(MAXIMUM_RESPONSES as u64) + memory::boxes::<Attempt>(1)
    }

    /// Starts an attempt, which fails after three PTOs; another that is under way is forgotten.
    pub(crate) fn start(&mut self, now: Instant, pto: Duration, random: &mut SeededRandom) {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.1
        //# The endpoint MUST use unpredictable data in every PATH_CHALLENGE
        //# frame so that it can associate the peer's response with the
        //# corresponding PATH_CHALLENGE.
        let mut challenges = [(); CHALLENGES]
            .map(|()| Challenge { data: random.array(), state: ChallengeState::Waiting });
        if let Some(first) = challenges.first_mut() {
            first.state = ChallengeState::Due;
        }
        let (mut resend, mut give_up) = (Deadline::default(), Deadline::default());
        resend.set_after(now, pto);
        give_up.set_after(now, pto.saturating_mul(PTOS));
        let attempt = Attempt { resend, give_up, challenges, interval: pto };
        self.attempt = Some(Box::new(attempt));
    }

    /// Asks nothing, but keeps the path for as long as an attempt would take: what is on its way
    /// there still arrives, and the peer may ask.
    pub(crate) fn linger(&mut self, now: Instant, pto: Duration) {
        let mut give_up = Deadline::default();
        give_up.set_after(now, pto.saturating_mul(PTOS));
        let waiting = Challenge { data: [0; 8], state: ChallengeState::Waiting };
        self.attempt = Some(Box::new(Attempt {
            resend: Deadline::default(),
            give_up,
            challenges: [waiting; CHALLENGES],
            interval: pto,
        }));
    }

    /// Gives up the attempt.
    pub(crate) fn cancel(&mut self) {
        self.attempt = None;
    }

    /// Whether an attempt is under way.
    pub(crate) fn is_running(&self) -> bool {
        self.attempt.is_some()
    }

    /// Whether the peer was asked, or is about to be, and may still answer.
    pub(crate) fn is_asking(&self) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| {
            attempt.challenges.iter().any(|challenge| challenge.state != ChallengeState::Waiting)
        })
    }

    /// The peer wants to see these bytes again, on this path.
    pub(crate) fn handle_challenge(&mut self, frame: PathChallenge) {
        if self.responses.len() >= MAXIMUM_RESPONSES {
            self.responses.pop_front();
        }
        self.responses.push_back(frame.0);
    }

    /// The peer saw a challenge. On which path it says so does not matter (RFC 9000 §8.2.3).
    pub(crate) fn handle_response(&mut self, frame: PathResponse) -> Answer {
        let Some(attempt) = &self.attempt else { return Answer::Unknown };
        let answered = attempt.challenges.iter().find(|challenge| challenge.data == frame.0);
        let padded = match answered.map(|challenge| challenge.state) {
            Some(ChallengeState::Sent { padded }) => padded,
            Some(ChallengeState::Waiting | ChallengeState::Due) | None => return Answer::Unknown,
        };
        self.cancel();
        if padded { Answer::Validated } else { Answer::AddressOnly }
    }

    /// Whether [`Self::write_frames`] has anything to write; if so, the datagram wants to be
    /// padded to 1,200 bytes, unless the amplification limit forbids it (RFC 9000 §8.2.1, §8.2.2).
    pub(crate) fn wants_padding(&self) -> bool {
        !self.responses.is_empty() || self.is_challenge_due()
    }

    /// Whether a challenge of this end is due.
    pub(crate) fn is_challenge_due(&self) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| {
            attempt.challenges.iter().any(|challenge| challenge.state == ChallengeState::Due)
        })
    }

    /// Writes the frames that are due. `padded`: the datagram will be at least 1,200 bytes long.
    pub(crate) fn write_frames(
        &mut self,
        packet: &mut PacketWriter<'_>,
        padded: bool,
    ) -> Result<(), Full> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.2
        //# On receiving a PATH_CHALLENGE frame, an endpoint MUST respond by
        //# echoing the data contained in the PATH_CHALLENGE frame in a
        //# PATH_RESPONSE frame.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.2
        //# An endpoint MUST NOT send more than one PATH_RESPONSE frame in
        //# response to one PATH_CHALLENGE frame; see Section 13.3.
        while let Some(data) = self.responses.front() {
            //= https://www.rfc-editor.org/rfc/rfc9000#section-19.17
            //# The recipient of this frame MUST generate a PATH_RESPONSE frame (Section
            //# 19.18) containing the same Data value.
            let frame = PathResponse(*data);
            packet.write(SentFrame::PathResponse, |writer| frame.encode(writer))?;
            self.responses.pop_front();
        }
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.1
        //# However, an endpoint SHOULD NOT send multiple
        //# PATH_CHALLENGE frames in a single packet.
        let mut challenges = self.attempt.iter_mut().flat_map(|attempt| &mut attempt.challenges);
        if let Some(due) = challenges.find(|challenge| challenge.state == ChallengeState::Due) {
            let frame = PathChallenge(due.data);
            packet.write(SentFrame::PathChallenge, |writer| frame.encode(writer))?;
            due.state = ChallengeState::Sent { padded };
        }
        Ok(())
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let attempt = self.attempt.as_deref()?;
        earliest([attempt.resend.get(), attempt.give_up.get()])
    }

    /// Makes the next challenge due; `true` if the attempt failed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let Some(attempt) = &mut self.attempt else { return false };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.4
        //# Endpoints SHOULD abandon path validation based on a timer.
        if attempt.give_up.expire(now) {
            self.cancel();
            return true;
        }
        let held_back = attempt.challenges.iter().any(|one| one.state == ChallengeState::Due);
        if !attempt.resend.expire(now) {
            return false;
        }
        // One that was held back until now is not overtaken by the next ones.
        if held_back {
            attempt.resend.set_after(now, attempt.interval);
            return false;
        }
        // Two datagrams, as of any probe timeout, and none at the next, which is over when the
        // attempt is.
        //= https://www.rfc-editor.org/rfc/rfc9000#section-8.2.1
        //# An endpoint SHOULD NOT probe a new path with packets containing a
        //# PATH_CHALLENGE frame more frequently than it would send an Initial
        //# packet.
        for next in attempt.challenges.iter_mut().skip(1) {
            next.state = ChallengeState::Due;
        }
        false
    }
}

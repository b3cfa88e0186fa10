//! What the target did, against what it has to do.

use std::time::Duration;

use super::{PATIENCE, Script, Step};
use crate::case::Case;
use crate::obstacle::Obstacle;
use crate::peer::{Seen, SeenClose, Stage};
use crate::reaction::{Outcome, Reaction, Verdict};
use quic_core::TransportErrorCode;
use quic_core::wire::Side;

/// How long nothing has to come for silence.
const SILENCE: Duration = Duration::from_millis(400);
/// The same for clients, which send again what was lost.
const SILENCE_OF_CLIENTS: Duration = Duration::from_secs(5);
/// How long a flood echoes.
const ECHO: Duration = Duration::from_millis(500);

/// What was seen, and whether it is right.
type Judgment = (String, bool);

impl Script<'_> {
    /// Runs the case and says what came of it.
    pub(crate) fn outcome(&mut self, case: &Case) -> Outcome {
        let judged = self.run(case.attack).and_then(|()| self.judge(case.reaction));
        let (seen, verdict) = match judged {
            Ok((seen, true)) => (seen, Verdict::Passed),
            Ok((seen, false)) | Err(Obstacle::Broken(seen)) => (seen, Verdict::Failed),
            Err(Obstacle::NotSetUp(why)) => (why, Verdict::NotSetUp),
            Err(error @ Obstacle::Lacks(_)) => (error.to_string(), Verdict::Lacking),
        };
        Outcome { seen, verdict }
    }

    fn judge(&mut self, reaction: Reaction) -> Step<Judgment> {
        match reaction {
            Reaction::Close { .. } => self.judge_close(&[reaction]),
            Reaction::Ignored => self.judge_alive(),
            Reaction::Silence => self.judge_silence(),
            Reaction::VersionNegotiation => self.judge_version_negotiation(),
            Reaction::Retry => self.judge_retry(),
            Reaction::StatelessReset => self.judge_reset(),
            Reaction::Bounded { bytes } => self.judge_bound(bytes),
            Reaction::Unamplified => self.judge_amplification(),
            Reaction::OneOf(reactions, _) => {
                let (ends, others): (Vec<Reaction>, Vec<Reaction>) =
                    reactions.iter().partition(|one| matches!(one, Reaction::Close { .. }));
                let ended =
                    if ends.is_empty() { (String::new(), false) } else { self.judge_close(&ends)? };
                let by_close = !ends.is_empty() && self.is_closed();
                let mut judged = ended;
                for other in others {
                    if judged.1 || by_close {
                        break;
                    }
                    judged = self.judge(other)?;
                }
                Ok(judged)
            }
        }
    }

    fn judge_close(&mut self, permitted: &[Reaction]) -> Step<Judgment> {
        if self.peer.is_none() {
            return Err(Obstacle::not_set_up("no connection began"));
        }
        self.wait_until(PATIENCE, |peer| peer.close().is_some())?;
        let peer = self.peer()?;
        let Some(close) = peer.close().cloned() else {
            if let Some(error) = peer.tls_error() {
                return Err(Obstacle::not_set_up(format!("our own TLS says: {error}")));
            }
            return Ok((self.activity(), false));
        };
        let right = permitted.iter().any(|reaction| is_close(&close, *reaction));
        Ok((describe(&close), right))
    }

    fn activity(&self) -> String {
        let datagrams = self.datagrams_since_mark();
        format!("no close, {datagrams} datagrams")
    }

    fn judge_alive(&mut self) -> Step<Judgment> {
        if self.peer()?.stage() < Stage::Confirmed {
            self.finish()?;
        }
        if !self.is_closed() {
            self.require(Stage::Confirmed).map_err(|error| Obstacle::broken(error.to_string()))?;
            if self.is_answered()? {
                return Ok((String::from("ignored"), true));
            }
        }
        let text = match self.peer()?.close() {
            // It was not the protocol that minded.
            Some(close) if close.frame_type.is_none() => {
                return Err(Obstacle::Lacks("application that bears what was sent on streams"));
            }
            Some(close) => describe(close),
            None => String::from("the connection is dead, without a close"),
        };
        Ok((text, false))
    }

    fn judge_silence(&mut self) -> Step<Judgment> {
        let server = self.target_side() == Side::Server;
        let start = self.now();
        let time = if server { SILENCE } else { SILENCE_OF_CLIENTS };
        loop {
            let left = time.saturating_sub(self.now().saturating_duration_since(start));
            if left.is_zero() || !self.take(left) {
                break;
            }
        }
        let (datagrams, bytes) = (self.datagrams_since_mark(), self.bytes_since_mark());
        if datagrams > 0 {
            let what = self.peer.as_ref().and_then(|peer| peer.close().map(describe));
            let what = what.unwrap_or_default();
            return Ok((format!("{datagrams} datagrams, {bytes} bytes {what}"), false));
        }
        self.served("silence")
    }

    fn served(&mut self, seen: &str) -> Step<Judgment> {
        if self.target_side() == Side::Server && !self.witness()? {
            return Ok((format!("{seen}, but others are not served"), false));
        }
        Ok((String::from(seen), true))
    }

    fn judge_version_negotiation(&mut self) -> Step<Judgment> {
        self.pause(SILENCE);
        let peer = self.peer()?;
        let (original, local) = (peer.original_id().to_vec(), peer.local_id().to_vec());
        let sent = peer.sent_version();
        let mut seen = peer.seen().iter();
        let Some(Seen::VersionNegotiation { versions, destination_id, source_id }) =
            seen.find(|seen| matches!(seen, Seen::VersionNegotiation { .. }))
        else {
            return Ok((self.activity(), false));
        };
        let mirrored = *destination_id == local && *source_id == original;
        let right = mirrored && !versions.contains(&sent) && versions.contains(&1);
        let text = format!("Version Negotiation, IDs mirrored: {mirrored}, {versions:x?}");
        Ok((text, right))
    }

    fn judge_retry(&mut self) -> Step<Judgment> {
        self.wait_until(SILENCE, |peer| {
            peer.seen().iter().any(|seen| matches!(seen, Seen::Retry { .. }))
        })?;
        let peer = self.peer()?;
        let original = peer.original_id().to_vec();
        let retry = peer.seen().iter().find_map(|seen| match seen {
            Seen::Retry { token, source_id, authentic } => Some((token, source_id, *authentic)),
            Seen::Packet(_)
            | Seen::VersionNegotiation { .. }
            | Seen::StatelessReset { .. }
            | Seen::Unreadable { .. } => None,
        });
        let Some((token, source_id, authentic)) = retry else {
            return Ok((self.activity(), false));
        };
        let right = authentic && !token.is_empty() && *source_id != original;
        Ok((format!("Retry, authentic: {authentic}, token of {} bytes", token.len()), right))
    }

    fn judge_reset(&mut self) -> Step<Judgment> {
        self.pause(SILENCE);
        let last_sent = self.last_sent;
        let reset = self.peer()?.seen().iter().rev().find_map(|seen| match seen {
            Seen::StatelessReset { length } => Some((*length, true)),
            Seen::Unreadable { length, short: true } => Some((*length, false)),
            Seen::Packet(_)
            | Seen::Retry { .. }
            | Seen::VersionNegotiation { .. }
            | Seen::Unreadable { .. } => None,
        });
        let Some((length, known)) = reset else { return Ok((self.activity(), false)) };
        let right = length >= 21 && length < last_sent;
        Ok((format!("stateless reset of {length} bytes, token known: {known}"), right))
    }

    fn judge_bound(&mut self, bound: u64) -> Step<Judgment> {
        let start = self.now();
        while self.now().saturating_duration_since(start) < ECHO && self.take(ECHO) {}
        let bytes = self.bytes_since_mark();
        if bytes > bound {
            return Ok((format!("{bytes} bytes"), false));
        }
        let seen = match self.peer.as_ref().and_then(|peer| peer.close()) {
            Some(close) => format!("{bytes} bytes, {}", describe(close)),
            None => format!("{bytes} bytes"),
        };
        self.served(&seen)
    }

    fn judge_amplification(&mut self) -> Step<Judgment> {
        let start = self.now();
        let time = SILENCE_OF_CLIENTS;
        while self.now().saturating_duration_since(start) < time && self.take(time) {}
        let sent = self.traffic.sent - self.mark.sent;
        let received = self.bytes_since_mark();
        if received == 0 {
            return Err(Obstacle::not_set_up("the target did not answer at all"));
        }
        let right = received <= 3 * sent;
        let text = format!("{received} bytes for {sent}");
        if right { self.served(&text) } else { Ok((text, false)) }
    }
}

fn is_close(close: &SeenClose, reaction: Reaction) -> bool {
    let Reaction::Close { code, frame_type } = reaction else { return false };
    let Some(seen) = close.frame_type else { return false };
    close.code == code.value() && (seen == 0 || frame_type.is_none_or(|wanted| wanted == seen))
}

fn describe(close: &SeenClose) -> String {
    let code = TransportErrorCode::from_wire(close.code);
    match close.frame_type {
        Some(0) => format!("close {code}: {}", close.reason),
        Some(frame_type) => format!("close {code} in frame 0x{frame_type:02x}: {}", close.reason),
        None => format!("application close 0x{:x}: {}", close.code, close.reason),
    }
}

#[cfg(test)]
mod tests;

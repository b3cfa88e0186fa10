//! Answers to path challenges.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use quic_core::{FrameRecord, SocketId};

/// Challenges of one path that wait for an answer, at most.
const MAX_WAITING: usize = 4;

/// Challenges that came and were not answered, by path.
#[derive(Debug, Default)]
pub(crate) struct Challenges(BTreeMap<(SocketId, SocketAddr), VecDeque<[u8; 8]>>);

impl Challenges {
    /// A packet with this in it came over a path. Of more than may wait, the oldest are forgotten.
    pub(crate) fn on_received(&mut self, path: (SocketId, SocketAddr), frame: &FrameRecord<'_>) {
        let FrameRecord::PathChallenge { data } = frame else { return };
        let waiting = self.0.entry(path).or_default();
        waiting.push_back(*data);
        if waiting.len() > MAX_WAITING {
            waiting.pop_front();
        }
    }

    pub(crate) fn i9_at_most_four_challenges_wait_for_an_answer(
        &mut self,
        frame: &FrameRecord<'_>,
    ) -> Result<(), String> {
        let FrameRecord::PathResponse { data } = frame else { return Ok(()) };
        for waiting in self.0.values_mut() {
            if let Some(index) = waiting.iter().position(|known| known == data) {
                waiting.remove(index);
                return Ok(());
            }
        }
        Err(format!("I9: answers {data:?}, which is not among {:?}", self.0))
    }
}

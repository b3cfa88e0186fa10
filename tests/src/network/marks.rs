//! What a link does to ECN marks.

use quic_core::EcnCodepoint;

use super::random::Random;

/// What one direction of a link does to ECN marks (RFC 3168). As it is by default: nothing.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// Marks are cleared.
    pub bleach: bool,
    /// Every mark becomes this one, as at a device that takes the field for something else.
    pub rewrite: Option<EcnCodepoint>,
    /// Even what has no mark gets this one.
    pub force: Option<EcnCodepoint>,
    /// What is marked is lost.
    pub drop_marked: bool,
    /// Probability that a mark becomes CE.
    pub congestion: f64,
    /// Marks become CE while at least so many bytes wait to leave.
    pub congestion_above: Option<u64>,
}

impl Marks {
    /// The mark that a datagram has at the other end; the link drops it if there is none at all.
    /// `waiting` counts the bytes that are to leave before it.
    pub(super) fn pass(
        &self,
        mark: Option<EcnCodepoint>,
        waiting: u64,
        random: &mut Random,
    ) -> Option<Option<EcnCodepoint>> {
        let chosen = random.chance(self.congestion);
        if self.drop_marked && mark.is_some() {
            return None;
        }
        if self.bleach {
            return Some(None);
        }
        if self.force.is_some() {
            return Some(self.force);
        }
        let congested = chosen || self.congestion_above.is_some_and(|above| waiting >= above);
        Some(mark.map(|mark| {
            let mark = self.rewrite.unwrap_or(mark);
            if congested { EcnCodepoint::Ce } else { mark }
        }))
    }
}

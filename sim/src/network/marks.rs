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
    /// Whether the link drops a datagram because of its mark.
    pub(super) fn stop(&self, mark: Option<EcnCodepoint>) -> bool {
        self.drop_marked && mark.is_some()
    }

    /// The mark that a datagram has at the other end. `waiting` counts the bytes that are to leave
    /// before it.
    pub(super) fn pass(
        &self,
        mark: Option<EcnCodepoint>,
        waiting: u64,
        random: &mut Random,
    ) -> Option<EcnCodepoint> {
        let chosen = random.chance(self.congestion);
        if self.bleach {
            return None;
        }
        if self.force.is_some() {
            return self.force;
        }
        let congested = chosen || self.congestion_above.is_some_and(|above| waiting >= above);
        let mark = self.rewrite.filter(|_| mark.is_some()).or(mark)?;
        Some(if congested { EcnCodepoint::Ce } else { mark })
    }
}

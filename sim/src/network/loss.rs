//! Losses that do not come singly.

use super::random::Random;

/// Losses in bursts (Gilbert and Elliott): the link is good or bad, and changes with each datagram
/// by chance.
#[derive(Clone, Copy, Debug)]
pub struct Bursts {
    /// Probability that a good link turns bad.
    pub begin: f64,
    /// Probability that a bad link turns good.
    pub end: f64,
    /// Probability that a datagram is lost while the link is bad.
    pub loss: f64,
}

/// Whether a link is bad now.
#[derive(Debug, Default)]
pub(super) struct Weather {
    is_bad: bool,
}

impl Weather {
    /// Whether the next datagram is lost.
    pub(super) fn is_lost(&mut self, bursts: Bursts, random: &mut Random) -> bool {
        let changes = random.chance(if self.is_bad { bursts.end } else { bursts.begin });
        self.is_bad ^= changes;
        random.chance(bursts.loss) && self.is_bad
    }
}

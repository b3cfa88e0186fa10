//! Maxima over windows of time, where time is any number that grows.

/// The largest bandwidth of this probing cycle and the one before it
/// (draft-ietf-ccwg-bbr §5.5.6).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MaxOfTwoCycles {
    last: u64,
    current: u64,
}

impl MaxOfTwoCycles {
    pub(super) fn get(self) -> u64 {
        self.last.max(self.current)
    }

    pub(super) fn update(&mut self, value: u64) {
        self.current = self.current.max(value);
    }

    /// The cycle is over. One without samples does not make the one before it forgotten.
    pub(super) fn advance(&mut self) {
        if self.current > 0 {
            self.last = self.current;
            self.current = 0;
        }
    }
}

/// The largest value of the last rounds. Keeps three candidates: the largest, and the largest of
/// what came after each, so that there is a next one when the first is too old.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WindowedMax {
    best: [Candidate; 3],
}

#[derive(Clone, Copy, Debug, Default)]
struct Candidate {
    value: u64,
    round: u64,
}

impl WindowedMax {
    pub(super) fn get(&self) -> u64 {
        let [first, ..] = self.best;
        first.value
    }

    /// Takes a value of `round`; those that are `length` rounds older do not count any more.
    pub(super) fn update(&mut self, value: u64, round: u64, length: u64) {
        let new = Candidate { value, round };
        let is_old = |candidate: Candidate| round.saturating_sub(candidate.round) > length;
        let [mut first, mut second, mut third] = self.best;
        if value >= first.value || is_old(third) {
            self.best = [new; 3];
            return;
        }
        if value >= second.value {
            (second, third) = (new, new);
        } else if value >= third.value {
            third = new;
        }
        if is_old(first) {
            (first, second, third) = (second, third, new);
            if is_old(first) {
                (first, second) = (second, third);
            }
        } else if second.round == first.round && round.saturating_sub(first.round) > length / 4 {
            // A quarter of the window without a second one: take what there is.
            (second, third) = (new, new);
        } else if third.round == second.round && round.saturating_sub(second.round) > length / 2 {
            third = new;
        }
        self.best = [first, second, third];
    }
}

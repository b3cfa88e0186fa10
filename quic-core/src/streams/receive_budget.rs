//! How far the receive windows of all connections of an endpoint may grow together.

#[cfg(test)]
mod tests;

use super::Streams;

/// When less than this part of the budget is left, those who have more than their share give back.
const SCARCE_DIVISOR: u64 = 8;
/// This part of the budget is left to those who have less than their share. It is more than what
/// counts as scarce, so that nobody takes what it has to give back at once.
const RESERVED_DIVISOR: u64 = 4;

/// Bytes by which receive windows may grow beyond what each connection begins with, shared by all
/// connections of a manager.
///
/// Whoever wants more gets it, up to an equal share of the whole among those who ever wanted more,
/// and beyond that as long as plenty is left: most of those who once wanted more rest. Whoever has
/// more than its share gives the rest back as soon as it is scarce. What the peer was
/// promised cannot be taken back, so it is given back as the peer uses it up.
#[derive(Debug)]
pub(crate) struct ReceiveBudget {
    total: u64,
    left: u64,
    /// Connections that wanted more than they began with.
    sharers: u64,
}

impl ReceiveBudget {
    /// `u64::MAX` is no bound.
    pub(crate) fn new(total: u64) -> Self {
        Self { total, left: total, sharers: 0 }
    }

    fn is_unlimited(&self) -> bool {
        self.total == u64::MAX
    }

    fn share(&self) -> u64 {
        self.total / self.sharers.max(1)
    }

    /// How much one may have that has `granted`.
    fn bound(&self, granted: u64) -> u64 {
        let plenty = self.left.saturating_sub(self.total / RESERVED_DIVISOR);
        self.share().max(granted.saturating_add(plenty))
    }

    fn is_scarce(&self) -> bool {
        self.left <= self.total / SCARCE_DIVISOR
    }

    /// Gives so many bytes, or what is left.
    fn take(&mut self, bytes: u64) -> u64 {
        let taken = bytes.min(self.left);
        self.left -= taken;
        taken
    }

    fn give_back(&mut self, bytes: u64) {
        self.left = self.left.saturating_add(bytes).min(self.total);
    }
}

/// What a connection has of the budget.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    /// There is a budget.
    is_bounded: bool,
    /// It is one of those who share the budget.
    is_sharer: bool,
    /// What it was given.
    granted: u64,
    /// What it may use of that; less than `granted` while it gives back.
    usable: u64,
    /// How much it would like to have.
    wish: u64,
}

impl Allowance {
    /// How large the window may be that begins with `initial` and would like to be `wanted`.
    pub(super) fn permit(&mut self, wanted: u64, initial: u64) -> u64 {
        let permitted = initial.saturating_add(self.usable);
        if !self.is_bounded || wanted <= permitted {
            return wanted;
        }
        self.wish = wanted.saturating_sub(initial);
        permitted
    }

    fn has_business(&self, budget: &ReceiveBudget) -> bool {
        self.wish > 0
            || self.usable < self.granted
            || (self.granted > 0 && budget.is_scarce() && self.granted > budget.share())
    }
}

impl Streams {
    /// Lets the connection take from the budget what it wants, and give back what others need.
    pub(crate) fn share_receive_budget(&mut self, budget: &mut ReceiveBudget) {
        if budget.is_unlimited() {
            return;
        }
        self.allowance.is_bounded = true;
        if self.allowance.has_business(budget) {
            self.take_wish(budget);
            self.give_back_excess(budget);
        }
    }

    /// The connection is over: all that it has goes back.
    pub(crate) fn return_receive_budget(&mut self, budget: &mut ReceiveBudget) {
        let Allowance { granted, is_sharer, .. } = std::mem::take(&mut self.allowance);
        budget.give_back(granted);
        budget.sharers = budget.sharers.saturating_sub(u64::from(is_sharer));
        // It may live on for a while, to be read to its end.
        self.allowance.is_bounded = !budget.is_unlimited();
    }

    fn take_wish(&mut self, budget: &mut ReceiveBudget) {
        let allowance = &mut self.allowance;
        let wish = std::mem::take(&mut allowance.wish);
        if wish <= allowance.granted {
            return;
        }
        if !allowance.is_sharer {
            allowance.is_sharer = true;
            budget.sharers = budget.sharers.saturating_add(1);
        }
        let target = wish.min(budget.bound(allowance.granted)).max(allowance.granted);
        allowance.granted += budget.take(target - allowance.granted);
        if allowance.granted > allowance.usable {
            allowance.usable = allowance.granted;
            let usable = allowance.usable;
            self.window.grow_to(self.config.receive_window.saturating_add(usable.min(wish)));
            self.max_data_pending = true;
        }
    }

    fn give_back_excess(&mut self, budget: &mut ReceiveBudget) {
        let initial = self.config.receive_window;
        let allowance = &mut self.allowance;
        if budget.is_scarce() && allowance.usable > budget.share() {
            allowance.usable = budget.share();
            self.window.shrink_to(initial.saturating_add(allowance.usable));
        }
        let promised = self.window.promised().saturating_sub(initial);
        let held = allowance.usable.max(promised).min(allowance.granted);
        budget.give_back(allowance.granted - held);
        allowance.granted = held;
    }
}

//! What must cost the same, however much there is of it.

use crate::scenarios::Scenario;

/// Parts by which it may cost more where there is more of it.
const TOLERANCE: f64 = 0.15;

/// Each of these may cost more than the one before it by [`TOLERANCE`], but not by more.
const LADDERS: &[&[&str]] = &[
    &["streams/1", "streams/100"],
    &["streams/1", "streams/10000"],
    &["connections/1", "connections/100"],
    &["connections/1", "connections/1000"],
    &["routing/1", "routing/1000"],
    &["routing/1", "routing/100000"],
    // A heap: the logarithm is what may show, at each step of the ladder.
    &["timers/1", "timers/1000", "timers/100000"],
    &["deadline/1", "deadline/1000", "deadline/100000"],
];

/// How much more something costs than something else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// Where there is less.
    pub(crate) few: &'static str,
    /// Where there is more.
    pub(crate) many: &'static str,
    /// How often the cost of the one the other costs.
    pub(crate) ratio: f64,
}

impl Comparison {
    /// Whether it costs the same.
    pub(crate) fn is_flat(&self) -> bool {
        self.ratio <= 1.0 + TOLERANCE
    }
}

/// Compares what was measured of all that must cost the same.
pub(crate) fn compare(scenarios: &[&Scenario], counts: &[f64]) -> Vec<Comparison> {
    let count = |name| {
        let place = scenarios.iter().position(|scenario| scenario.name == name)?;
        counts.get(place)
    };
    let pairs = LADDERS.iter().flat_map(|ladder| ladder.array_windows());
    let compared = pairs.filter_map(|[few, many]| {
        let ratio = count(*many)? / count(*few)?;
        Some(Comparison { few, many, ratio })
    });
    compared.collect()
}

#[cfg(test)]
mod tests;

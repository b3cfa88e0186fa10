//! How what was counted compares with the baseline, and with itself.

use crate::baseline::Baseline;
use crate::flatness::Comparison;
use crate::scenarios::Scenario;

/// Parts of the baseline by which a count may differ from it.
const TOLERANCE: f64 = 0.03;

/// How a count compares with the baseline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    Same,
    Grown,
    Shrunk,
    New,
}

impl Verdict {
    fn of(before: Option<f64>, now: f64) -> Self {
        match before {
            None => Self::New,
            Some(before) if now > before * (1.0 + TOLERANCE) => Self::Grown,
            Some(before) if now < before * (1.0 - TOLERANCE) => Self::Shrunk,
            Some(_) => Self::Same,
        }
    }

    const fn remark(self) -> &'static str {
        match self {
            Self::Same => "",
            Self::Grown => "  GROWN",
            Self::Shrunk => "  shrunk",
            Self::New => "  new",
        }
    }
}

/// Prints how everything compares with the baseline. Whether something has grown by too much, or is
/// not in the baseline.
pub(crate) fn print_changes(scenarios: &[&Scenario], counts: &[f64], baseline: &Baseline) -> bool {
    println!("{:<24}{:<12}{:>14}{:>14}{:>10}", "scenario", "per", "baseline", "now", "change");
    let mut verdicts = Vec::new();
    for (scenario, now) in scenarios.iter().zip(counts) {
        let before = baseline.of(scenario);
        let verdict = Verdict::of(before, *now);
        let [old, change] = match before {
            Some(before) => {
                [format!("{before:.1}"), format!("{:+.2} %", (now / before - 1.0) * 100.0)]
            }
            None => ["-".to_owned(), "-".to_owned()],
        };
        let Scenario { name, unit, .. } = scenario;
        println!("{name:<24}{unit:<12}{old:>14}{now:>14.1}{change:>10}{}", verdict.remark());
        verdicts.push(verdict);
    }
    let has = |verdict| verdicts.contains(&verdict);
    if has(Verdict::Grown) || has(Verdict::Shrunk) || has(Verdict::New) {
        println!("\nThe baseline is renewed by .ci/run benches-write: see docs/benches.md.");
    }
    has(Verdict::Grown) || has(Verdict::New)
}

/// Prints how what must cost the same compares. Whether it does.
pub(crate) fn print_flatness(comparisons: &[Comparison]) -> bool {
    if !comparisons.is_empty() {
        println!();
    }
    for comparison in comparisons {
        let remark = if comparison.is_flat() { "" } else { "  NOT FLAT" };
        let Comparison { few, many, ratio } = comparison;
        println!("{many:<24}costs {ratio:.3} times {few}{remark}");
    }
    comparisons.iter().all(Comparison::is_flat)
}

#[cfg(test)]
mod tests;

use super::*;
use crate::scenarios::SCENARIOS;

fn measured(counts: &[(&str, f64)]) -> Vec<Comparison> {
    let of = |name| SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap();
    let scenarios: Vec<&Scenario> = counts.iter().map(|(name, _)| of(*name)).collect();
    let counts: Vec<f64> = counts.iter().map(|(_, count)| *count).collect();
    compare(&scenarios, &counts)
}

#[test]
fn all_that_must_cost_the_same_is_measured() {
    let names = LADDERS.iter().copied().flatten();
    for name in names {
        assert!(SCENARIOS.iter().any(|scenario| scenario.name == *name), "{name}");
    }
}

#[test]
fn what_costs_more_by_more_than_fifteen_percent_is_not_flat() {
    let are_flat = |counts: &[(&str, f64)]| {
        measured(counts).iter().map(Comparison::is_flat).collect::<Vec<_>>()
    };
    assert_eq!(are_flat(&[("streams/1", 100.0), ("streams/10000", 114.9)]), [true]);
    assert_eq!(are_flat(&[("streams/1", 100.0), ("streams/10000", 115.1)]), [false]);
    let timers = [("timers/1", 100.0), ("timers/1000", 114.0), ("timers/100000", 130.0)];
    assert_eq!(are_flat(&timers), [true, true]);
    let timers = [("timers/1", 100.0), ("timers/1000", 114.0), ("timers/100000", 132.0)];
    assert_eq!(are_flat(&timers), [true, false]);
}

#[test]
fn what_was_not_measured_is_not_compared() {
    assert_eq!(measured(&[("streams/1", 100.0), ("connections/1000", 500.0)]), []);
}

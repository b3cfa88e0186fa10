//! Instructions that the hot paths of `quic-core` take, compared with a committed baseline.
//!
//! `.ci/run benches` measures all scenarios; `docs/benches.md` tells the rest.
#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a program that measures stops where something is wrong, and reports"
)]

mod arguments;
mod baseline;
mod callgrind;
mod fixed_window;
mod flatness;
mod made_with;
mod meter;
mod pipe;
mod report;
mod scenarios;
mod tls;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::Arguments;
use crate::baseline::Baseline;
use crate::scenarios::Scenario;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.play {
        Some(name) => play(name).map(|()| true),
        None => compare(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Plays one scenario, and says how many units it did. Callgrind counts meanwhile.
fn play(name: &str) -> io::Result<()> {
    let scenario = scenarios::SCENARIOS.iter().find(|scenario| scenario.name == name);
    let scenario = scenario.ok_or_else(|| io::Error::other(format!("no scenario {name}")))?;
    let mut meter = meter::Meter::default();
    (scenario.play)(&mut meter);
    println!("{}{}", callgrind::UNITS, meter.units());
    Ok(())
}

/// Measures the scenarios that are asked for, and says how they compare. Whether all is well.
fn compare(arguments: &Arguments) -> io::Result<bool> {
    let chosen: Vec<&Scenario> =
        scenarios::SCENARIOS.iter().filter(|it| arguments.chooses(it.name)).collect();
    let counts = callgrind::count_all(&chosen, arguments.keep.as_deref())?;
    let mut baseline = Baseline::read(&arguments.baseline)?;
    let made_with = made_with::made_with();
    let has_grown = report::print_changes(&chosen, &counts, &baseline);
    let is_flat = report::print_flatness(&flatness::compare(&chosen, &counts));
    if arguments.write {
        baseline.made_with = made_with;
        baseline.renew(&chosen, &counts, scenarios::SCENARIOS);
        baseline.write(&arguments.baseline)?;
        println!("{} is renewed", arguments.baseline.display());
        return Ok(is_flat);
    }
    if baseline.made_with != made_with {
        println!("\nThe baseline was made with {}.", baseline.made_with);
        println!("This is {made_with}: counts may differ because of that.");
    }
    Ok(is_flat && !has_grown)
}

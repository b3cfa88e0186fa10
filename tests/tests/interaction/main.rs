//! Random lists of operations on two or three ends, with what must hold checked after each.
//!
//! `QUIC_CASES=n` plays n cases, `QUIC_CASES=m..n` those from m on; failing ones are made as small
//! as can be, and printed with the line that plays them again. If `QUIC_QLOG_DIR` names a folder,
//! what happens on their connections is written there.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::struct_excessive_bools,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that finds something else has failed"
)]

mod book;
mod endings;
mod invariants;
mod links;
mod logs;
mod model;
mod operations;
mod regressions;
mod run;
mod server;
mod setting;
mod world;

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use self::operations::{Case, cases};
use self::run::Run;

/// Cases that are played if nobody says how many.
const CASES: u64 = 1024;
/// Failures after which no more cases are played.
const FAILURES: usize = 16;

thread_local! {
    static IS_PLAYING: Cell<bool> = const { Cell::new(false) };
    static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Plays a case; returns what the run looked like from outside.
fn play(case: &Case) -> u64 {
    let mut run = Run::new(&case.limits);
    for operation in &case.operations {
        run.step(*operation);
    }
    run.finish()
}

/// The same; a broken promise is an error.
fn try_to_play(case: &Case) -> Result<u64, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_PLAYING.get() {
                MESSAGE.set(info.to_string());
            } else {
                usual(info);
            }
        }));
    });
    IS_PLAYING.set(true);
    let played = panic::catch_unwind(AssertUnwindSafe(|| play(case)));
    IS_PLAYING.set(false);
    played.map_err(|_| MESSAGE.take())
}

/// I35: the same case is played the same.
fn judge(case: &Case) -> Result<(), TestCaseError> {
    let digest = try_to_play(case).map_err(TestCaseError::fail)?;
    if case.limits.seed.is_multiple_of(8) {
        let again = try_to_play(case).map_err(TestCaseError::fail)?;
        if digest != again {
            return Err(TestCaseError::fail("I35: played again, it is another run"));
        }
    }
    Ok(())
}

/// Leaves out whatever a failing case does without.
fn shorten(mut case: Case) -> (Case, String) {
    let mut why = String::new();
    loop {
        let length = case.operations.len();
        for index in (0..length).rev() {
            let mut shorter = case.clone();
            shorter.operations.remove(index);
            if let Err(TestCaseError::Fail(reason)) = judge(&shorter) {
                (case, why) = (shorter, reason.to_string());
            }
        }
        if case.operations.len() == length {
            return (case, why);
        }
    }
}

/// Plays a random case; what it broke, and how to play it again, is an error.
fn play_seed(seed: u64) -> Result<(), String> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config =
        Config { cases: 1, failure_persistence: None, max_shrink_iters: 3000, ..Config::default() };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, random);
    match runner.run(&cases(), |case| judge(&case)) {
        Ok(()) => Ok(()),
        Err(TestError::Fail(first, case)) => {
            let (case, why) = shorten(case);
            logs::write(&format!("seed{seed}"), || try_to_play(&case).is_ok());
            Err(format!(
                "{}\n{case:?}\n{} operations; to play this again: \
                 QUIC_SEED={seed} cargo test -p tests --test interaction random",
                if why.is_empty() { first.to_string() } else { why },
                case.operations.len(),
            ))
        }
        Err(TestError::Abort(why)) => Err(why.to_string()),
    }
}

#[test]
fn random_operations_break_no_promise() {
    let number = |text: &str| text.parse::<u64>().unwrap();
    let variable = |name| std::env::var(name).ok();
    let seeds = match (variable("QUIC_SEED"), variable("QUIC_CASES")) {
        (Some(seed), _) => number(&seed)..number(&seed) + 1,
        (None, None) => 0..CASES,
        (None, Some(cases)) => match cases.split_once("..") {
            Some((first, end)) => number(first)..number(end),
            None => 0..number(&cases),
        },
    };
    let failures = seeds.filter_map(|seed| {
        let failure = play_seed(seed).err();
        if let Some(failure) = &failure {
            eprintln!("{failure}\n");
        }
        failure
    });
    let failures: Vec<_> = failures.take(FAILURES).collect();
    assert!(failures.is_empty(), "{} cases failed: {}", failures.len(), failures[0]);
}

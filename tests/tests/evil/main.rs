//! Every case of the evil peer, against this implementation, in virtual time.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "what fails here fails the test"
)]

mod target;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use quic_core::Instant;
use quic_core::wire::Side;
use quic_evil::{Case, Network, Outcome, Reaction, Verdict, cases};

use crate::target::{Target, role};

/// What everything random is made from; a run repeats.
const SEED: [u8; 32] = *b"the evil peer sends it all again";

fn run(case: &Case) -> Outcome {
    case.run(&role(case), &mut Target::new(case, SEED), SEED)
}

/// Whether the case passed, and the frame that caused a close was named, which others need not.
fn is_exact(case: &Case, outcome: &Outcome) -> bool {
    let named = match case.reaction {
        Reaction::Close { frame_type: Some(frame_type), .. } => {
            outcome.seen.contains(&format!(" in frame 0x{frame_type:02x}"))
        }
        _ => true,
    };
    outcome.verdict == Verdict::Passed && named
}

/// Runs all cases of a topic, and says of all that failed what was seen.
fn check(topic: &str) {
    let of_topic: Vec<&Case> = cases::all().filter(|case| case.topic() == topic).collect();
    assert!(!of_topic.is_empty(), "no case of {topic}");
    let failed: Vec<String> = of_topic
        .into_iter()
        .map(|case| (case, run(case)))
        .filter(|(case, outcome)| !is_exact(case, outcome))
        .map(|(case, outcome)| {
            let Outcome { seen, verdict } = outcome;
            format!(
                "{} ({}): {verdict}\n    asked: {}\n    seen: {seen}",
                case.name, case.section, case.reaction
            )
        })
        .collect();
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

macro_rules! topics {
    ($($topic:ident),* $(,)?) => {
        /// The topics that have a test here.
        const TOPICS: &[&str] = &[$(stringify!($topic)),*];
        $(
            #[test]
            fn $topic() {
                check(stringify!($topic));
            }
        )*
    };
}

topics!(
    acks,
    closing,
    datagrams,
    extensions,
    floods,
    flow_control,
    frames,
    handshake,
    headers,
    ids,
    keys,
    packets,
    parameters,
    paths,
    streams,
    tokens,
    versions,
    zero_rtt
);

#[test]
fn every_case_has_a_name_of_its_own_and_a_topic_that_is_run() {
    let mut names = HashSet::new();
    for case in cases::all() {
        assert!(names.insert(case.name), "{} is there twice", case.name);
        assert!(TOPICS.contains(&case.topic()), "{} is not run", case.name);
    }
}

#[test]
fn there_are_enough_cases() {
    let count = |side| cases::all().filter(|case| case.target == side).count();
    let (servers, clients) = (count(Side::Server), count(Side::Client));
    assert!(servers >= 150 && clients >= 47, "{servers} for servers, {clients} for clients");
}

/// A network without a target.
struct Nobody(Instant);

impl Network for Nobody {
    fn now(&self) -> Instant {
        self.0
    }

    fn send(&mut self, _: usize, _: &[u8]) {}

    fn receive(&mut self, wait: Duration) -> Option<(usize, Vec<u8>)> {
        self.0 += wait;
        None
    }

    fn address(&mut self, _: usize) -> Option<SocketAddr> {
        None
    }
}

#[test]
fn no_case_passes_because_nothing_happens() {
    for case in cases::all() {
        let outcome = case.run(&role(case), &mut Nobody(Instant::EPOCH), SEED);
        assert_ne!(outcome.verdict, Verdict::Passed, "{}: {}", case.name, outcome.seen);
    }
}

#[test]
fn the_documentation_counts_the_cases() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/evil.md");
    let text = std::fs::read_to_string(path).unwrap();
    let count = |topic: &str, side| {
        let is_counted = |case: &&Case| case.topic() == topic && case.target == side;
        cases::all().filter(is_counted).count()
    };
    for topic in TOPICS {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{topic}` |"))).unwrap();
        let counts = format!("| {} | {} |", count(topic, Side::Server), count(topic, Side::Client));
        assert!(row.ends_with(&counts), "{row} should end in {counts}");
    }
}

#[test]
fn the_same_seed_gives_the_same_outcome() {
    for case in cases::all().step_by(23) {
        let (first, second) = (run(case), run(case));
        assert_eq!((first.seen, first.verdict), (second.seen, second.verdict), "{}", case.name);
    }
}

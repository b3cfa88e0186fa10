//! Replays every target on stable: its corpus, then random inputs.
//!
//! A failure prints the seed of its input; `QUIC_SEED=<seed>` runs that input alone, and
//! `QUIC_SEEDS=<number>` runs more or fewer than usual.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "test code")]

use std::fs;
use std::path::{Path, PathBuf};

use fuzz::{TARGETS, Target};

/// Random inputs per target.
const INPUTS: u64 = 5_000;
/// Random inputs for each of those that simulate whole connections.
const SIMULATIONS: u64 = 400;
/// Those targets.
const SIMULATED: &[&str] = &[
    "coalesced",
    "connection_frames_1rtt",
    "connection_frames_handshake",
    "endpoint_datagrams",
    "evil_server",
    "retry_packet",
    "version_negotiation",
];
/// In bytes.
const MAXIMUM_INPUT_LENGTH: u64 = 512;

/// Says which input it was, if it is dropped by a panic.
struct Culprit<'a> {
    target: &'a str,
    input: String,
}

impl Drop for Culprit<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("target {}, {}", self.target, self.input);
        }
    }
}

/// SplitMix64: a few lines, and any seed is good.
struct Random(u64);

impl Random {
    fn u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.u64() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.u64().to_be_bytes()[0]
    }

    /// Random bytes, many of them small: types, lengths and counts are.
    fn bytes(&mut self) -> Vec<u8> {
        let mask = if self.u64() & 1 == 0 { 0xff } else { 0x1f };
        let length = self.u64() % MAXIMUM_INPUT_LENGTH;
        (0..length).map(|_| self.byte() & mask).collect()
    }

    /// `input` with a few bytes changed, cut out, or put in.
    fn mutated(&mut self, mut input: Vec<u8>) -> Vec<u8> {
        for _ in 0..=self.below(4) {
            let at = self.below(input.len());
            match self.below(4) {
                0 if !input.is_empty() => input[at] = self.byte(),
                1 if !input.is_empty() => input[at] ^= 1 << self.below(8),
                2 => input.truncate(at),
                _ => input.insert(at, self.byte()),
            }
        }
        input
    }

    /// The input that belongs to the seed.
    fn input(&mut self, corpus: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
        let (_, start) = &corpus[self.below(corpus.len())];
        if self.u64() & 1 == 0 { self.bytes() } else { self.mutated(start.clone()) }
    }
}

/// The targets to run: all, or the one that `QUIC_TARGET` names.
fn targets() -> impl Iterator<Item = &'static Target> {
    let chosen = std::env::var("QUIC_TARGET").ok();
    TARGETS.iter().filter(move |(name, _)| chosen.as_ref().is_none_or(|chosen| chosen == name))
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The files of a target's corpus, in the order of their names.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(folder("corpus").join(target)).unwrap();
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn every_target_survives_its_corpus() {
    for (target, run) in targets() {
        let corpus = corpus(target);
        assert!(!corpus.is_empty(), "{target} has nothing to start from");
        for (path, input) in corpus {
            let _culprit = Culprit { target, input: path.display().to_string() };
            run(&input);
        }
    }
}

#[test]
fn every_target_survives_random_inputs() {
    let variable = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    for (target, run) in targets() {
        let usual = if SIMULATED.contains(target) { SIMULATIONS } else { INPUTS };
        let seeds = match variable("QUIC_SEED") {
            Some(seed) => seed..seed + 1,
            None => 0..variable("QUIC_SEEDS").unwrap_or(usual),
        };
        let corpus = corpus(target);
        for seed in seeds {
            let input = Random(seed).input(&corpus);
            let _culprit = Culprit { target, input: format!("QUIC_SEED={seed}") };
            run(&input);
        }
    }
}

#[test]
fn every_target_has_an_entry_point_for_libfuzzer() {
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    for (target, _) in TARGETS {
        let path = format!("fuzz_targets/{target}.rs");
        let source = fs::read_to_string(folder(&path)).unwrap();
        assert!(source.contains(&format!("\"{target}\"")), "{path} runs its target");
        assert!(manifest.contains(&path), "{path} is a binary");
    }
    // And one for all of them.
    let entry_points = fs::read_dir(folder("fuzz_targets")).unwrap().count();
    assert_eq!(entry_points, TARGETS.len() + 1, "an entry point per target");
}

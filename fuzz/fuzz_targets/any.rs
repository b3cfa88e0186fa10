//! Lets libFuzzer run the target that the environment variable `QUIC_TARGET` names, so that one
//! binary serves all.
#![no_main]
use std::sync::LazyLock;

static TARGET: LazyLock<String> =
    LazyLock::new(|| std::env::var("QUIC_TARGET").unwrap_or_default());

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run(&TARGET, input));

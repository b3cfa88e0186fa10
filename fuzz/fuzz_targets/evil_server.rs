//! Lets libFuzzer run the target of the same name.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("evil_server", input));

//! What stands on a runtime, and what does not.

use std::process::Command;

/// Crates that run futures, or wait for sockets, in one way of theirs.
const RUNTIMES: &[&str] = &[
    "async-executor",
    "async-io",
    "async-std",
    "compio",
    "compio-runtime",
    "futures-executor",
    "mio",
    "monoio",
    "polling",
    "smol",
    "tokio",
];

/// The names of the crates that `cargo tree` lists with these arguments.
fn tree(arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--locked", "--prefix", "none", "--format", "{p}"]).args(arguments);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[track_caller]
fn stands_on_none_of(crates: &[&str], arguments: &[&str]) {
    let names = tree(arguments);
    assert!(names.len() > 10, "the tree is not what it was: {names:?}");
    let found: Vec<_> = names.iter().filter(|name| crates.contains(&name.as_str())).collect();
    assert!(found.is_empty(), "{arguments:?} stands on {found:?}");
}

#[test]
fn the_core_and_its_own_tests_need_no_runtime() {
    stands_on_none_of(RUNTIMES, &["-p", "quic-core", "-e", "all"]);
    stands_on_none_of(RUNTIMES, &["-p", "quic-core", "-e", "all", "--features", "quic-lb,wire"]);
}

#[test]
fn the_driver_needs_no_runtime() {
    stands_on_none_of(RUNTIMES, &["-p", "driver", "-e", "normal"]);
}

#[test]
fn smol_and_async_std_need_no_tokio() {
    stands_on_none_of(&["mio", "tokio"], &["-p", "driver-smol", "--all-features", "-e", "normal"]);
}

#[test]
fn a_tree_with_a_runtime_is_told() {
    assert!(tree(&["-p", "driver-tokio", "-e", "normal"]).iter().any(|name| name == "tokio"));
}

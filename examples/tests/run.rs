//! Runs every example as who has just cloned it would, and looks at what it says.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails so")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long an example may take, on a machine that has other things to do.
const LIMIT: Duration = Duration::from_mins(4);

/// The program, which `cargo test` built along with this one.
fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let folder = tests.parent().and_then(Path::parent).unwrap().join("examples");
    let program = folder.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.exists(), "build the examples first: cargo build -p quic-examples --examples");
    program
}

fn start(name: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(program(name));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits for the end of a program, and returns whether it was content, and all that it said.
fn end_of(mut child: Child) -> (bool, String) {
    let mut said = child.stdout.take().unwrap();
    let mut complained = child.stderr.take().unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        said.read_to_string(&mut text).unwrap();
        complained.read_to_string(&mut text).unwrap();
        tell.send(text)
    });
    let text = told.recv_timeout(LIMIT);
    if text.is_err() {
        child.kill().unwrap();
    }
    (child.wait().unwrap().success(), text.expect("the example does not end"))
}

/// Runs both ends; they have to be content and say all of this.
#[track_caller]
fn says(name: &str, parts: &[&str]) {
    let (content, text) = end_of(start(name, &[]));
    println!("{text}");
    assert!(content, "{name} failed: {text}");
    for part in parts {
        assert!(text.contains(part), "{name} does not say {part:?}: {text}");
    }
}

#[test]
fn std_blocking_echoes() {
    says(
        "std_blocking",
        &[
            "client: connected",
            "client: 8 MiB came back",
            "every byte the same",
            "server: closed by the peer's application: code 0",
        ],
    );
}

#[test]
fn mio_downloads_beside_stun() {
    says(
        "mio",
        &[
            "client: STUN says that we are 127.0.0.1:",
            "client: 64 MiB after",
            "paths carry 1452 bytes",
            "server: closed by the peer's application: code 0",
        ],
    );
}

#[test]
fn compio_answers_in_capitals() {
    says(
        "compio",
        &[
            "client: TO WHOM IT MAY CONCERN",
            "client: A LINE",
            "client: ANOTHER ONE",
            "server: closed by the peer's application: code 0",
        ],
    );
}

#[test]
fn game_loop_loses_states_and_no_line() {
    says(
        "game_loop",
        &[
            "15 lines passed on",
            "player 0: heard 15 lines, each once, in order",
            "player 1: heard 15 lines, each once, in order",
            "player 2: heard 15 lines, each once, in order",
        ],
    );
}

#[test]
fn ten_thousand_are_served_at_once() {
    says(
        "ten_thousand",
        &[
            "client: 10000 connections are open",
            "client: 10000 echoes",
            "server: served 10000 connections",
        ],
    );
}

#[test]
fn either_end_runs_alone() {
    let file = std::env::temp_dir().join(format!("quic-examples-{}.der", std::process::id()));
    let file = file.to_str().unwrap();
    let mut server = start("std_blocking", &["server", "127.0.0.1:0", file]);
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.strip_prefix("serving on ").and_then(|rest| rest.split_once(','));
    let (address, _) = address.expect("it says where it serves");
    for _ in 0..2 {
        let (content, text) = end_of(start("std_blocking", &["client", address, file]));
        assert!(content && text.contains("every byte the same"), "{text}");
    }
    server.kill().unwrap();
    server.wait().unwrap();
    fs::remove_file(file).unwrap();
}

#[test]
fn wrong_arguments_are_told() {
    let (content, text) = end_of(start("std_blocking", &["serve"]));
    assert!(!content && text.contains("usage: [server|client ADDRESS"), "{text}");
}

#[test]
fn every_example_is_run_here_and_told_of_in_the_chapter() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapter = fs::read_to_string(root.join("../docs/own-loop.md")).unwrap();
    let tests = fs::read_to_string(root.join("tests/run.rs")).unwrap();
    let tests: String = tests.split_whitespace().collect();
    let mut count = 0;
    for entry in fs::read_dir(root.join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let link = format!("[`{name}`](../examples/examples/{name}.rs)");
        assert!(chapter.contains(&link), "the chapter does not tell of {name}");
        assert!(tests.contains(&format!("says(\"{name}\"")), "{name} is not run");
        count += 1;
    }
    assert_eq!(count, 5);
}

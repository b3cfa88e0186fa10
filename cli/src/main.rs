//! `quic`: a demo, a file server and client, a benchmark, an evil peer and the interop test cases.
#![forbid(unsafe_code)]

mod arguments;
mod certificates;
mod data;
mod demo;
mod errors;
mod evil;
mod files;
mod get;
mod hq;
mod interop;
mod logs;
mod network;
mod output;
mod perf;
mod plot;
mod process;
mod protocol;
mod relay;
mod runtime;
mod serve;
mod stopping;
mod url;
mod web;

use std::env;
use std::panic;
use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Command};
use crate::errors::{Exit, Failure};
use crate::output::Output;

fn main() -> ExitCode {
    panic::set_hook(Box::new(|information| {
        output::error_line(&format!("this is a bug in quic, please report it: {information}"));
        std::process::exit(Exit::Bug.code().into());
    }));
    let arguments = Arguments::try_parse().unwrap_or_else(|error| wrong_usage(&error));
    let output = Output::new(arguments.json);
    match run(arguments, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit.code())
        }
    }
}

/// Ends the program with what clap has to say, which is help in some cases; for `--json` in one
/// line too.
fn wrong_usage(error: &clap::Error) -> ! {
    let json = env::args_os().any(|argument| argument == "--json");
    if json && error.use_stderr() {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        Output::new(json).failure_line(&Failure::usage(message));
    }
    error.exit()
}

fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    let driver = arguments.driver;
    match arguments.command {
        Command::Demo(options) => demo::run(&options, driver, output),
        Command::Serve(options) => {
            runtime::block_on_all_cores(driver, serve::run(options, output))?
        }
        Command::Get(options) => runtime::block_on_one_core(driver, get::run(options, output))?,
        Command::Evil(options) => evil::run(&options, output),
        Command::Plot(options) => plot::run(&options, output),
        Command::Perf(perf::Side::Server(options)) => perf::server::run(&options, driver, output),
        Command::Perf(perf::Side::Client(options)) => perf::client::run(options, driver, output),
        Command::InteropServer => interop::server::run(driver, output),
        Command::InteropClient => interop::client::run(driver),
    }
}

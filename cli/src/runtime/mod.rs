//! The runtime that a command runs on: threads, tasks, timers, signals, and who makes its endpoints.
//!
//! This room alone knows which one that is. Everything else has handles of `driver` and futures that
//! run anywhere; what has to be spawned or waited for goes through here, and finds the runtime that
//! it is called in.

mod on_smol;
mod on_tokio;
mod tasks;
mod time;

use std::future::Future;
use std::io;
use std::net::UdpSocket;
use std::pin::Pin;
use std::thread;

use clap::ValueEnum;
use driver::{Endpoint, EndpointOptions};

use crate::errors::Failure;

// Calls that block, on threads of their own beside either runtime.
pub(crate) use smol::{Task as Blocking, unblock};
pub(crate) use tasks::Tasks;
pub(crate) use time::{Elapsed, sleep, timeout};

/// What runs sockets and tasks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Driver {
    /// `driver-tokio`.
    #[default]
    Tokio,
    /// `driver-smol`.
    Smol,
}

/// Runs `future`, and what it spawns, on this thread, or on as many threads as asked for. What it
/// spawned and did not wait for is over afterwards.
pub(crate) fn block_on<F: Future>(
    driver: Driver,
    threads: usize,
    future: F,
) -> Result<F::Output, Failure> {
    let output = match driver {
        Driver::Tokio => on_tokio::block_on(threads, future),
        Driver::Smol => on_smol::block_on(threads, future),
    };
    output.map_err(|error| Failure::local(format!("cannot start: {error}")))
}

/// Runs `future`, and what it spawns, on this thread.
pub(crate) fn block_on_one_core<F: Future>(
    driver: Driver,
    future: F,
) -> Result<F::Output, Failure> {
    block_on(driver, 1, future)
}

/// Runs `future`, and what it spawns, on a thread for each processor.
pub(crate) fn block_on_all_cores<F: Future>(
    driver: Driver,
    future: F,
) -> Result<F::Output, Failure> {
    block_on(driver, cores(), future)
}

/// How many processors there are for this program.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Runs a task, which nobody waits for.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    match on_smol::here() {
        Some(executor) => executor.spawn(task).detach(),
        None => drop(tokio::spawn(task)),
    }
}

/// An endpoint on a socket that is bound already.
///
/// # Errors
/// If the socket cannot be used, or not be shared by as many shards as asked for.
pub(crate) fn endpoint(options: EndpointOptions, socket: UdpSocket) -> io::Result<Endpoint> {
    if let Some(executor) = on_smol::here() {
        let runtime = driver_smol::AsyncIo::on(executor);
        let endpoint = driver_smol::EndpointOn::open_on(runtime, options, socket)?;
        Ok((*endpoint).clone())
    } else {
        let endpoint = driver_tokio::Endpoint::open(options, socket)?;
        Ok((*endpoint).clone())
    }
}

/// From now on, whoever asks the process to stop ends this future instead.
///
/// # Errors
/// If the process cannot listen to signals.
pub(crate) fn stop_signal() -> Result<StopSignal, Failure> {
    let signal = match on_smol::here() {
        Some(_) => on_smol::stop_signal().map(|signal| Box::pin(signal) as StopSignal),
        None => on_tokio::stop_signal().map(|signal| Box::pin(signal) as StopSignal),
    };
    signal.map_err(|error| Failure::local(format!("cannot wait for signals: {error}")))
}

/// Ends once the process is asked to stop.
pub(crate) type StopSignal = Pin<Box<dyn Future<Output = ()> + Send>>;

#[cfg(test)]
mod tests;

//! Runs workloads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use driver::{Connection, Endpoint, RecvStream};
use quic_core::ClientConfig;
use serde_json::json;

use super::histogram::Histogram;
use super::report::Report;
use super::{ALPN, CHUNK, Client, Workload, send_zeros};
use crate::certificates;
use crate::errors::Failure;
use crate::network::{self, Preference, Trust};
use crate::output::Output;
use crate::process::{self, CpuTime};
use crate::runtime::{self, Driver, Elapsed, Tasks};

/// The name that the measured servers' certificates are for.
const SERVER_NAME: &str = "localhost";

/// Time at the start of `rr` that does not count.
const REQUESTS_WARM_UP: Duration = Duration::from_millis(500);

/// Time at the start of `handshake` that does not count.
const HANDSHAKES_WARM_UP: Duration = Duration::from_millis(200);

/// Connections that `idle` opens at a time.
const IDLE_OPENERS: usize = 32;

/// After so many failures there is nothing to measure.
const MAX_ERRORS: u64 = 1000;

/// Runs the workload and prints its report.
pub(crate) fn run(options: Client, driver: Driver, output: Output) -> Result<(), Failure> {
    let roots = certificates::certificates_in(&options.cert)?;
    let tls = network::client_tls(Trust::Roots(roots), &[ALPN], Preference::Aes128)?;
    let config = network::client_config(tls, options.tuning.transport())?;
    let threads = options.tuning.threads;
    let report = runtime::block_on(driver, threads, measure(Arc::new(options), config))??;
    if report.errors > 0 && report.handshakes == 0 {
        let failed = report.errors;
        return Err(Failure::connect(format!("none of {failed} connections could be opened")));
    }
    report.print(output);
    Ok(())
}

async fn measure(options: Arc<Client>, config: ClientConfig) -> Result<Report, Failure> {
    let socket =
        network::bound_socket(network::any_port_towards(options.addr), options.tuning.sockbuf)?;
    let endpoint = network::client_endpoint(socket, None)?;
    let opener = Opener { endpoint, config, options: Arc::clone(&options) };
    let report = match options.workload {
        Workload::BulkDown => bulk(&opener, Request { up: 0, down: options.bytes }).await?,
        Workload::BulkUp => bulk(&opener, Request { up: options.bytes, down: 0 }).await?,
        Workload::Rr => requests(&opener).await?,
        Workload::Handshake => handshakes(&opener).await?,
        Workload::Idle => idle(&opener).await?,
    };
    // The server hears of the end now rather than by its idle timeout.
    let _: Result<(), Elapsed> =
        runtime::timeout(Duration::from_secs(1), opener.endpoint.wait_idle()).await;
    Ok(report)
}

/// Opens connections to the server.
#[derive(Clone, Debug)]
struct Opener {
    endpoint: Endpoint,
    config: ClientConfig,
    options: Arc<Client>,
}

impl Opener {
    async fn open(&self) -> Result<Connection, Failure> {
        let target = network::Target { address: self.options.addr, name: SERVER_NAME };
        network::connect(&self.endpoint, self.config.clone(), target, &[ALPN]).await
    }
}

/// How much to send and how much to ask for.
#[derive(Clone, Copy, Debug)]
struct Request {
    /// Bytes after the header.
    up: u64,
    down: u64,
}

impl Request {
    /// Sends the request and reads the answer to its end; how many bytes that were.
    async fn run(self, connection: &Connection) -> Result<u64, Failure> {
        let broken = |error: &dyn std::fmt::Display| {
            Failure::transfer(format!("a request broke off: {error}"))
        };
        let (mut send, mut recv) = connection.open_bi().await.map_err(|error| broken(&error))?;
        send.write_all(&self.down.to_be_bytes()).await.map_err(|error| broken(&error))?;
        let received = if self.up < CHUNK as u64 {
            send_zeros(&mut send, self.up).await.map_err(|error| broken(&error))?;
            count(&mut recv).await?
        } else {
            let sending =
                async { send_zeros(&mut send, self.up).await.map_err(|error| broken(&error)) };
            let ((), received) = tokio::try_join!(sending, count(&mut recv))?;
            received
        };
        if received == self.down {
            Ok(received)
        } else {
            let wanted = self.down;
            Err(Failure::transfer(format!("the answer has {received} bytes instead of {wanted}")))
        }
    }
}

async fn count(recv: &mut RecvStream) -> Result<u64, Failure> {
    let mut received = 0_u64;
    loop {
        match recv.read_chunk(usize::MAX).await {
            Ok(Some(chunk)) => received += chunk.len() as u64,
            Ok(None) => return Ok(received),
            Err(error) => return Err(Failure::transfer(format!("an answer broke off: {error}"))),
        }
    }
}

/// What a task did: how many requests of how many bytes, and how long each took.
#[derive(Debug, Default)]
struct Tally {
    count: u64,
    bytes: u64,
    errors: u64,
    latencies: Histogram,
}

/// Waits for all tasks and adds up.
async fn collect(mut tasks: Tasks<Result<Tally, Failure>>) -> Result<Tally, Failure> {
    let mut sum = Tally::default();
    while let Some(done) = tasks.next().await {
        let tally = done??;
        sum.count += tally.count;
        sum.bytes += tally.bytes;
        sum.errors += tally.errors;
        sum.latencies.merge(&tally.latencies);
    }
    Ok(sum)
}

async fn bulk(opener: &Opener, request: Request) -> Result<Report, Failure> {
    let options = &opener.options;
    let mut report = Report::new(options.workload);
    let mut connections = Vec::new();
    for _ in 0..options.conns {
        connections.push(opener.open().await?);
    }
    report.cpu_before = CpuTime::of_process();
    let start = Instant::now();
    let end = after(start, options.duration);
    let mut tasks = Tasks::new();
    for connection in &connections {
        for _ in 0..options.streams {
            tasks.spawn(transfer_until(connection.clone(), request, end));
        }
    }
    let sum = collect(tasks).await?;
    report.elapsed = start.elapsed();
    (report.requests, report.bytes) = (sum.count, sum.bytes);
    connections.iter().for_each(network::close);
    Ok(report)
}

/// One transfer after the other, at least one, until one is over after `end`.
async fn transfer_until(
    connection: Connection,
    request: Request,
    end: Instant,
) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    loop {
        tally.bytes += request.run(&connection).await? + request.up;
        tally.count += 1;
        if Instant::now() >= end {
            return Ok(tally);
        }
    }
}

async fn requests(opener: &Opener) -> Result<Report, Failure> {
    let options = &opener.options;
    let request = Request { up: options.req_bytes.saturating_sub(8), down: options.resp_bytes };
    let mut report = Report::new(options.workload);
    let start = Instant::now() + REQUESTS_WARM_UP;
    let end = after(start, options.duration);
    let mut connections = Vec::new();
    let mut tasks = Tasks::new();
    for _ in 0..options.conns {
        let connection = opener.open().await?;
        for _ in 0..options.streams {
            tasks.spawn(ask_until(connection.clone(), request, start, end));
        }
        connections.push(connection);
    }
    runtime::sleep(start.saturating_duration_since(Instant::now())).await;
    report.cpu_before = CpuTime::of_process();
    let sum = collect(tasks).await?;
    report.elapsed = start.elapsed().min(end.saturating_duration_since(start));
    (report.requests, report.bytes, report.latencies) = (sum.count, sum.bytes, sum.latencies);
    connections.iter().for_each(network::close);
    Ok(report)
}

/// One request after the other; those begun between `start` and `end` count.
async fn ask_until(
    connection: Connection,
    request: Request,
    start: Instant,
    end: Instant,
) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    loop {
        let begun = Instant::now();
        if begun >= end {
            return Ok(tally);
        }
        request.run(&connection).await?;
        if begun >= start {
            tally.latencies.record(begun.elapsed());
            tally.count += 1;
            tally.bytes += request.up + request.down;
        }
    }
}

async fn handshakes(opener: &Opener) -> Result<Report, Failure> {
    let options = &opener.options;
    let mut report = Report::new(options.workload);
    let start = Instant::now() + HANDSHAKES_WARM_UP;
    let end = after(start, options.duration);
    let mut tasks = Tasks::new();
    for _ in 0..options.conns {
        let opener = opener.clone();
        tasks.spawn(async move { Ok(connect_until(&opener, start, end).await) });
    }
    runtime::sleep(start.saturating_duration_since(Instant::now())).await;
    report.cpu_before = CpuTime::of_process();
    let sum = collect(tasks).await?;
    report.elapsed = start.elapsed();
    (report.handshakes, report.errors, report.latencies) = (sum.count, sum.errors, sum.latencies);
    Ok(report)
}

/// One connection after the other; those begun between `start` and `end` count.
async fn connect_until(opener: &Opener, start: Instant, end: Instant) -> Tally {
    let mut tally = Tally::default();
    loop {
        let begun = Instant::now();
        if begun >= end || tally.errors > MAX_ERRORS {
            return tally;
        }
        match open_and_ask(opener).await {
            Ok(connection) => {
                network::close(&connection);
                if begun >= start {
                    tally.latencies.record(begun.elapsed());
                    tally.count += 1;
                }
            }
            Err(_) => tally.errors += 1,
        }
    }
}

async fn open_and_ask(opener: &Opener) -> Result<Connection, Failure> {
    let connection = opener.open().await?;
    Request { up: 0, down: 1 }.run(&connection).await?;
    Ok(connection)
}

async fn idle(opener: &Opener) -> Result<Report, Failure> {
    let options = &opener.options;
    let mut report = Report::new(options.workload);
    let resident_before = process::resident_kb();
    let start = Instant::now();
    let begun = Arc::new(AtomicUsize::new(0));
    let mut tasks = Tasks::new();
    for _ in 0..IDLE_OPENERS {
        let (opens, begun) = (opener.clone(), Arc::clone(&begun));
        tasks.spawn(async move {
            let (mut held, mut errors) = (Vec::new(), 0_u64);
            while begun.fetch_add(1, Ordering::Relaxed) < opens.options.conns {
                match open_and_ask(&opens).await {
                    Ok(connection) => held.push(connection),
                    Err(_) => errors += 1,
                }
            }
            (held, errors)
        });
    }
    let mut held = Vec::new();
    while let Some(done) = tasks.next().await {
        let (connections, errors) = done?;
        held.extend(connections);
        report.errors += errors;
    }
    report.handshakes = held.len() as u64;
    report.elapsed = start.elapsed();
    runtime::sleep(seconds(options.duration)).await;
    let grown = process::resident_kb().saturating_sub(resident_before) * 1024;
    let each = grown / report.handshakes.max(1);
    report.extra.insert("client_rss_per_conn".into(), json!(each));
    report.extra.insert("held".into(), json!(held.len()));
    held.iter().for_each(network::close);
    Ok(report)
}

fn after(start: Instant, duration: f64) -> Instant {
    start.checked_add(seconds(duration)).unwrap_or(start)
}

/// Seconds from the command line; what is no duration counts as none.
fn seconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number).unwrap_or_default()
}

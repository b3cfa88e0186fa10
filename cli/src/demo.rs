//! `quic demo`: a server and a client on loopback, and every byte checked.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use driver::{Connection, RecvStream};
use quic_core::{ServerConfig, SharedRecorder, Side, Statistics, TransportConfig};
use serde_json::json;

use crate::arguments::Demo;
use crate::certificates::Identity;
use crate::data::{Checksum, Generator};
use crate::errors::Failure;
use crate::logs::Logs;
use crate::network::{self, Preference, Target, Trust};
use crate::output::{self, Output, ratio};
use crate::process::CpuTime;
use crate::relay::Relay;
use crate::runtime::{self, Driver, Elapsed};

const ALPN: &[u8] = b"quic-demo";

/// A request: how many bytes, and their seed, both in network order.
const REQUEST_LENGTH: usize = 16;

/// The checksum at the end of an answer, in network order.
const CHECKSUM_LENGTH: usize = 4;

/// How long the server may take to hear that the client is done.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// Moves the bytes and prints what it took.
pub(crate) fn run(options: &Demo, driver: Driver, output: Output) -> Result<(), Failure> {
    let identity = Identity::self_signed()?;
    let roots = identity.chain.clone();
    let tls = network::server_tls(identity, &[ALPN], Preference::Aes128)?;
    let config = network::server_config(tls, TransportConfig::default())?;

    let logs = Logs::new(options.qlog.as_deref(), options.plot.as_deref(), Side::Server)?;
    let recorder = logs.recorder();
    let (address_sender, address) = mpsc::channel();
    let server = thread::Builder::new()
        .name("server".into())
        .spawn(move || runtime::block_on_one_core(driver, serve(config, address_sender, recorder))?)
        .map_err(|error| Failure::local(format!("cannot start a thread: {error}")))?;
    let joined = |server: thread::JoinHandle<Result<Sender, Failure>>| {
        server.join().unwrap_or_else(|_| Err(Failure::bug("the server panicked")))
    };
    let Ok(server_address) = address.recv() else {
        joined(server)?;
        return Err(Failure::bug("the server did not start"));
    };

    let relay = if options.loss.0 > 0.0 {
        let relay = Relay::start(server_address, options.loss.0, options.seed);
        Some(relay.map_err(|error| Failure::local(format!("cannot start the relay: {error}")))?)
    } else {
        None
    };
    let target = relay.as_ref().map_or(server_address, Relay::address);
    let fetched = fetch(options, target, roots, output, logs.recorder());
    let received = runtime::block_on_one_core(driver, fetched)??;
    let sent = joined(server)?;
    logs.finish()?;
    report(options, &received, &sent, relay.as_ref(), output);
    Ok(())
}

/// What the server saw.
#[derive(Debug)]
struct Sender {
    cpu: Duration,
    statistics: Statistics,
}

async fn serve(
    config: ServerConfig,
    address: mpsc::Sender<SocketAddr>,
    recorder: Option<SharedRecorder>,
) -> Result<Sender, Failure> {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let socket = network::bound_socket(loopback, network::SOCKET_BUFFER)?;
    let endpoint = network::server_endpoint(config, socket, recorder)?;
    // If nobody listens, the program is ending.
    let _: Result<(), mpsc::SendError<SocketAddr>> =
        address.send(network::local_address(&endpoint)?);
    let failure = |error: &dyn std::fmt::Display| {
        Failure::transfer(format!("the server lost the connection: {error}"))
    };
    let Some(incoming) = endpoint.accept().await else {
        return Err(failure(&"the endpoint was closed"));
    };
    let connection = network::accept(incoming).await.map_err(|error| failure(&error))?;
    answer(&connection).await?;
    connection.closed().await;
    let statistics = connection.stats();
    // The client has everything; who is late finds out by a timeout.
    let _: Result<(), Elapsed> = runtime::timeout(SHUTDOWN_TIMEOUT, endpoint.wait_idle()).await;
    Ok(Sender { cpu: CpuTime::of_thread().total(), statistics })
}

async fn answer(connection: &Connection) -> Result<(), Failure> {
    let failure = |error: &dyn std::fmt::Display| {
        Failure::transfer(format!("the server could not answer: {error}"))
    };
    let (mut send, mut recv) = connection.accept_bi().await.map_err(|error| failure(&error))?;
    let request = recv.read_to_end(REQUEST_LENGTH).await.map_err(|error| failure(&error))?;
    let (length, from) = parsed(&request).ok_or_else(|| failure(&"the request is not one"))?;
    let mut generator = Generator::new(from, length);
    let mut checksum = Checksum::default();
    while let Some(chunk) = generator.next_chunk() {
        checksum.add(&chunk);
        send.write_chunk(chunk).await.map_err(|error| failure(&error))?;
    }
    let checksum = Bytes::copy_from_slice(&checksum.value().to_be_bytes());
    send.write_chunk(checksum).await.map_err(|error| failure(&error))?;
    send.finish().map_err(|error| failure(&error))
}

fn parsed(request: &[u8]) -> Option<(u64, u64)> {
    let (length, seed) = request.split_first_chunk::<8>()?;
    let seed = seed.first_chunk::<8>()?;
    Some((u64::from_be_bytes(*length), u64::from_be_bytes(*seed)))
}

/// What the client saw.
#[derive(Debug)]
struct Receiver {
    handshake: Duration,
    transfer: Duration,
    checksum: u32,
    cpu: Duration,
    statistics: Statistics,
}

async fn fetch(
    options: &Demo,
    address: SocketAddr,
    roots: Vec<rustls_pki_types::CertificateDer<'static>>,
    output: Output,
    recorder: Option<SharedRecorder>,
) -> Result<Receiver, Failure> {
    let cpu_before = CpuTime::of_thread().total();
    let tls = network::client_tls(Trust::Roots(roots), &[ALPN], Preference::Aes128)?;
    let config = network::client_config(tls, TransportConfig::default())?;
    let socket = network::bound_socket(network::any_port_towards(address), network::SOCKET_BUFFER)?;
    let endpoint = network::client_endpoint(socket, recorder)?;

    let start = Instant::now();
    let target = Target { address, name: "localhost" };
    let connection = network::connect(&endpoint, config, target, &[ALPN]).await?;
    let handshake = start.elapsed();

    let start = Instant::now();
    let failure = |error: &dyn std::fmt::Display| {
        Failure::transfer(format!("the transfer broke off: {error}"))
    };
    let (mut send, mut recv) = connection.open_bi().await.map_err(|error| failure(&error))?;
    let request = [options.bytes.0.to_be_bytes(), options.seed.to_be_bytes()].concat();
    send.write_all(&request).await.map_err(|error| failure(&error))?;
    send.finish().map_err(|error| failure(&error))?;
    let checksum = receive(&mut recv, options.bytes.0, output).await?;
    let transfer = start.elapsed();

    let statistics = connection.stats();
    network::close(&connection);
    // The server hears of the end now rather than by its idle timeout.
    let _: Result<(), Elapsed> = runtime::timeout(SHUTDOWN_TIMEOUT, endpoint.wait_idle()).await;
    let cpu = CpuTime::of_thread().total().saturating_sub(cpu_before);
    Ok(Receiver { handshake, transfer, checksum, cpu, statistics })
}

/// Reads the answer to its end and returns its checksum, if it is right.
async fn receive(recv: &mut RecvStream, length: u64, output: Output) -> Result<u32, Failure> {
    let bar = output.progress(Some(length));
    let mut checksum = Checksum::default();
    let mut trailer = Vec::with_capacity(CHECKSUM_LENGTH);
    loop {
        let chunk = recv.read_chunk(usize::MAX).await;
        let chunk =
            chunk.map_err(|error| Failure::transfer(format!("the transfer broke off: {error}")))?;
        let Some(mut chunk) = chunk else { break };
        let missing = usize::try_from(length - checksum.count()).unwrap_or(usize::MAX);
        let data = chunk.split_to(missing.min(chunk.len()));
        checksum.add(&data);
        bar.inc(data.len() as u64);
        trailer.extend(chunk.into_iter().take(CHECKSUM_LENGTH + 1 - trailer.len()));
    }
    bar.finish_and_clear();
    let received = checksum.count();
    let checksum = checksum.value();
    if received != length {
        return Err(Failure::transfer(format!("{received} of {length} bytes came")));
    }
    if trailer != checksum.to_be_bytes() {
        return Err(Failure::transfer(format!(
            "the checksum of what came is {checksum:08x}, which is not that of what was sent"
        )));
    }
    Ok(checksum)
}

fn report(
    options: &Demo,
    received: &Receiver,
    sent: &Sender,
    relay: Option<&Relay>,
    output: Output,
) {
    let bytes = options.bytes.0;
    let seconds = received.transfer.as_secs_f64();
    let goodput = ratio(bytes, seconds);
    let gib = ratio(bytes, 1_073_741_824.0);
    let per_gib = |cpu: Duration| if gib > 0.0 { cpu.as_secs_f64() / gib } else { 0.0 };
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    let (client_cpu, server_cpu) = (per_gib(received.cpu), per_gib(sent.cpu));
    let handshake = milliseconds(received.handshake);
    let rtt = milliseconds(sent.statistics.rtt);
    let minimum_rtt = milliseconds(sent.statistics.minimum_rtt);
    let lost = sent.statistics.packets_lost.saturating_add(received.statistics.packets_lost);
    let spurious = sent
        .statistics
        .packets_lost_spuriously
        .saturating_add(received.statistics.packets_lost_spuriously);
    let packets = sent.statistics.packets_sent.saturating_add(received.statistics.packets_sent);
    let (relayed, dropped) = relay.map_or((0, 0), |relay| (relay.relayed(), relay.dropped()));
    let mut lines = vec![
        format!("moved          {} in {seconds:.3} s", output::bytes(bytes)),
        format!("goodput        {:.3} Gbit/s ({:.1} MiB/s)", goodput * 8e-9, goodput / 1_048_576.0),
        format!("checksum       {:08x} (CRC-32 of every byte): correct", received.checksum),
        format!("handshake      {handshake:.2} ms"),
        format!("RTT            {rtt:.3} ms (minimum {minimum_rtt:.3} ms)"),
        format!("packets        {packets} sent, {lost} declared lost ({spurious} wrongly)"),
        format!("CPU per GiB    client {client_cpu:.3} s, server {server_cpu:.3} s"),
    ];
    if relay.is_some() {
        lines.push(format!("relay          dropped {dropped} of {relayed} datagrams"));
    }
    output.result(
        &json!({
            "ok": true,
            "bytes": bytes,
            "checksum": format!("{:08x}", received.checksum),
            "checksum_ok": true,
            "seconds": seconds,
            "goodput_bits_per_second": goodput * 8.0,
            "handshake_ms": handshake,
            "rtt_ms": rtt,
            "minimum_rtt_ms": minimum_rtt,
            "packets_sent": packets,
            "packets_lost": lost,
            "packets_lost_spuriously": spurious,
            "cpu_seconds_per_gib": { "client": client_cpu, "server": server_cpu },
            "relay": { "datagrams": relayed, "dropped": dropped },
        }),
        &lines.join("\n"),
    );
}

//! Attacks, beside honest clients.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use driver_tokio::{Connection, VarInt};

use crate::honest::{self, Client, Times};
use crate::initials;
use crate::machine;
use crate::server::{Health, Server};

/// Sockets that an attack seems to come from.
const SOURCES: u8 = 250;
/// First datagrams that are sent over and over.
const INITIALS: usize = 20_000;
/// Times that honest handshakes are measured with the flood and without.
const TURNS: usize = 3;
/// How long the server asks everybody for a proof of his address after a flood, and a little more.
const AFTERMATH: Duration = Duration::from_millis(1200);

/// Spoofed Initial packets, beside honest handshakes: with them and without in turn, so that what
/// else the machine does falls on both.
pub(crate) async fn initials(time: Duration, rate: u64) {
    let mut server = Server::start();
    let datagrams = Arc::new(initials::make(INITIALS, server.address, honest::config()));
    let client = Client::new(server.address);
    let (mut calm, mut attacked) = (Times::default(), Times::default());
    let mut total = Attacked::default();
    for _ in 0..TURNS {
        calm.add(client.handshakes(time).await);
        let (before, idle) = (server.health(), machine::idle_time());
        let flood = Flood::start(server.address, rate, Arc::clone(&datagrams));
        attacked.add(client.handshakes(time).await);
        let idle = machine::idle_time().saturating_sub(idle);
        let (sent, took) = flood.stop();
        total.add(Attacked { sent, took, idle, ..Attacked::between(before, server.health()) });
        tokio::time::sleep(AFTERMATH).await;
    }
    println!("  without:  {}", calm.describe("handshakes"));
    println!("  with:     {}", attacked.describe("handshakes"));
    let with_without = |percent| {
        let (with, without) = (attacked.percentile(percent), calm.percentile(percent));
        with.as_secs_f64() / without.as_secs_f64()
    };
    println!("  with / without: p50 {:.2}, p99 {:.2}", with_without(50), with_without(99));
    total.describe();
    println!(
        "  processors left: {:.2} of {}",
        share(total.idle, total.took),
        machine::processors()
    );
}

/// Datagrams of random bytes, beside an honest download.
pub(crate) async fn garbage(time: Duration, rate: u64) {
    let mut server = Server::start();
    let mut state = 1_u64;
    let mut random = || {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let datagrams = (0..INITIALS).map(|_| {
        let length = usize::try_from(random() % 1200).unwrap_or(0) + 21;
        (0..length).map(|_| random().to_be_bytes()[0]).collect()
    });
    let datagrams: Vec<Vec<u8>> = datagrams.collect();
    let client = Client::new(server.address);
    let calm = client.download(time).await;
    let before = server.health();
    let flood = Flood::start(server.address, rate, Arc::new(datagrams));
    let attacked = client.download(time).await;
    let (sent, took) = flood.stop();
    describe_goodput(calm, attacked);
    Attacked { sent, took, ..Attacked::between(before, server.health()) }.describe();
}

/// A client that opens streams and resets them, beside an honest download.
pub(crate) async fn resets(time: Duration) {
    abuse(time, "streams reset", async |connection: &Connection| {
        let Ok((mut send, mut recv)) = connection.open_bi().await else { return };
        // The server may have ended it before.
        let _: Result<usize, _> = send.write(b"x").await;
        let _: Result<(), _> = send.reset(VarInt::from_u32(1));
        let _: Result<(), _> = recv.stop(VarInt::from_u32(1));
    })
    .await;
}

/// A client that opens streams and says a byte on each, beside an honest download.
pub(crate) async fn streams(time: Duration) {
    abuse(time, "streams opened", async |connection: &Connection| {
        // The server waits for seven bytes more; the end tells it that there are none.
        let Ok((mut send, _recv)) = connection.open_bi().await else { return };
        let _: Result<usize, _> = send.write(b"x").await;
        let _: Result<(), _> = send.finish();
    })
    .await;
}

/// Does something to the server over and over, on one connection.
async fn abuse(time: Duration, what: &str, act: impl AsyncFn(&Connection)) {
    let mut server = Server::start();
    let client = Client::new(server.address);
    let calm = client.download(time).await;
    let before = server.health();
    let evil = Client::new(server.address);
    let connection = evil.connect().await.expect("a connection");
    let (begun, mut count) = (Instant::now(), 0_u64);
    let attack = async {
        loop {
            act(&connection).await;
            count += 1;
            tokio::task::yield_now().await;
        }
    };
    let attacked = tokio::select! {
        () = attack => 0.0,
        goodput = client.download(time) => goodput,
    };
    let took = begun.elapsed();
    let after = server.health();
    describe_goodput(calm, attacked);
    println!("  {what} per second: {:.0}", count as f64 / took.as_secs_f64());
    describe_memory(before, after);
}

fn describe_goodput(calm: f64, attacked: f64) {
    let megabits = |bytes: f64| bytes * 8e-6;
    println!(
        "  download: {:.0} Mbit/s without, {:.0} with: {:.2}",
        megabits(calm),
        megabits(attacked),
        attacked / calm
    );
}

/// What a flood was, and what it cost the server.
#[derive(Clone, Copy, Debug, Default)]
struct Attacked {
    /// Datagrams of the attacker; those that found the socket full.
    sent: u64,
    dropped: u64,
    took: Duration,
    /// Time that the server's threads ran, and that no processor had anything to do.
    cpu: Duration,
    idle: Duration,
    /// The server's heap before, at most, and after, in bytes.
    heap: [usize; 3],
}

impl Attacked {
    fn between(before: Health, after: Health) -> Self {
        Self {
            dropped: after.dropped - before.dropped,
            cpu: after.cpu.saturating_sub(before.cpu),
            heap: [before.heap, after.peak, after.heap],
            ..Self::default()
        }
    }

    /// The same again.
    fn add(&mut self, more: Self) {
        let [before, most, _] = self.heap;
        let first = if self.took.is_zero() { more.heap[0] } else { before };
        self.sent += more.sent;
        self.dropped += more.dropped;
        self.took += more.took;
        self.cpu += more.cpu;
        self.idle += more.idle;
        self.heap = [first, most.max(more.heap[1]), more.heap[2]];
    }

    fn describe(self) {
        let per_second = |count: u64| count as f64 / self.took.as_secs_f64();
        println!(
            "  flood: {:.0} datagrams/s sent, {:.0} of them for a full socket",
            per_second(self.sent),
            per_second(self.dropped),
        );
        println!(
            "  server: {:.2} of a processor, {:.0} datagrams per second of it (honest work included)",
            share(self.cpu, self.took),
            (self.sent - self.dropped) as f64 / self.cpu.as_secs_f64(),
        );
        describe_heap(self.heap);
    }
}

fn describe_memory(before: Health, after: Health) {
    describe_heap([before.heap, after.peak, after.heap]);
}

fn describe_heap(heap: [usize; 3]) {
    let [before, most, after] = heap.map(|bytes| bytes >> 10);
    println!("  heap of the server: {before} KiB before, {most} KiB at most, {after} KiB after");
}

fn share(part: Duration, whole: Duration) -> f64 {
    part.as_secs_f64() / whole.as_secs_f64()
}

/// An attacker, who sends datagrams from many addresses at a steady rate.
struct Flood {
    thread: JoinHandle<Duration>,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
}

impl Flood {
    fn start(server: SocketAddr, rate: u64, datagrams: Arc<Vec<Vec<u8>>>) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (told, count) = (Arc::clone(&stop), Arc::clone(&sent));
        let thread = thread::spawn(move || {
            let sockets = (1..=SOURCES).map(|host| {
                UdpSocket::bind((Ipv4Addr::new(127, 0, 1, host), 0)).expect("a socket")
            });
            let sockets: Vec<UdpSocket> = sockets.collect();
            let begun = Instant::now();
            let mut turns = datagrams.iter().cycle().zip(sockets.iter().cycle());
            while !told.load(Ordering::Relaxed) {
                let due = begun.elapsed().as_secs_f64() * rate as f64;
                if count.load(Ordering::Relaxed) as f64 >= due {
                    thread::sleep(Duration::from_micros(100));
                    continue;
                }
                let Some((datagram, socket)) = turns.next() else { break };
                // One that the system refuses is one less.
                let _: std::io::Result<usize> = socket.send_to(datagram, server);
                count.fetch_add(1, Ordering::Relaxed);
            }
            begun.elapsed()
        });
        Self { thread, stop, sent }
    }

    /// Datagrams that were sent, and how long that took.
    fn stop(self) -> (u64, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let took = self.thread.join().expect("the attacker");
        (self.sent.load(Ordering::Relaxed), took)
    }
}

//! One client that takes all it can get, beside a hundred that want little.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use driver_tokio::Connection;
use tokio::task::JoinSet;

use crate::honest::{Client, Times};
use crate::server::{Health, Server};

/// Connections with small requests.
const THIN: u32 = 100;
/// How often each of them asks.
const PERIOD: Duration = Duration::from_millis(20);
/// Bytes of an answer.
const ANSWER: u64 = 1024;
/// Times that they are measured with the download and without.
const TURNS: usize = 3;
/// How often the server says something on every connection: deadlines of its loop.
const BEAT: &str = "10";

/// Small requests with a download beside them and without in turn, and how punctual the server's
/// loop is meanwhile.
///
/// The download is a process of its own, which gives way to the others: what the server does to the
/// small requests is asked for, not what happens on their client's processor. At real-time priority
/// it could not be told: Linux delivers much on loopback in a thread without it.
pub(crate) async fn measure(time: Duration) {
    let mut server = Server::with(&["--beat", BEAT]);
    let client = Client::new(server.address);
    let mut thin = Vec::new();
    for _ in 0..THIN {
        thin.push(client.connect().await.expect("a connection"));
    }
    let (mut alone, mut beside) = (Times::default(), Times::default());
    let (mut calm, mut loaded) = (Load::default(), Load::default());
    for _ in 0..TURNS {
        let before = server.health();
        alone.add(ask(&thin, time).await);
        let between = server.health();
        let download = Download::start(server.address);
        beside.add(ask(&thin, time).await);
        drop(download);
        calm.add(before, between);
        loaded.add(between, server.health());
    }
    println!("  alone:    {}; {}", alone.describe("requests"), calm.describe(time));
    println!("  beside:   {}; {}", beside.describe("requests"), loaded.describe(time));
    let ratio = |percent| {
        beside.percentile(percent).as_secs_f64() / alone.percentile(percent).as_secs_f64()
    };
    println!("  beside / alone: p50 {:.2}, p99 {:.2}", ratio(50), ratio(99));
}

/// What the server's loop had to do.
#[derive(Debug, Default)]
struct Load {
    cpu: Duration,
    timeouts: u64,
    late: u64,
}

impl Load {
    fn add(&mut self, before: Health, after: Health) {
        self.cpu += after.cpu.saturating_sub(before.cpu);
        self.timeouts += after.timeouts - before.timeouts;
        self.late += after.late_timeouts - before.late_timeouts;
    }

    fn describe(&self, time: Duration) -> String {
        let Self { cpu, timeouts, late } = self;
        let share = 100.0 * cpu.as_secs_f64() / (time.as_secs_f64() * TURNS as f64);
        format!("server busy {share:.0} %, {late} of {timeouts} deadlines late by more than 1 ms")
    }
}

/// Requests of all clients, each at a moment of its own.
async fn ask(clients: &[Connection], time: Duration) -> Times {
    let end = Instant::now() + time;
    let mut tasks = JoinSet::new();
    for (index, connection) in (0_u32..).zip(clients) {
        let connection = connection.clone();
        let first = PERIOD.saturating_mul(index) / THIN;
        tasks.spawn(async move {
            let mut taken = Vec::new();
            tokio::time::sleep(first).await;
            while Instant::now() < end {
                let begun = Instant::now();
                request(&connection).await;
                taken.push(begun.elapsed());
                tokio::time::sleep(PERIOD).await;
            }
            taken
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

async fn request(connection: &Connection) {
    let (mut send, mut recv) = connection.open_bi().await.expect("a stream");
    send.write_all(&ANSWER.to_be_bytes()).await.expect("a request");
    send.finish().expect("its end");
    while recv.read_chunk(usize::MAX).await.expect("an answer").is_some() {}
}

/// A process that downloads, which ends with this.
struct Download(Child);

impl Download {
    fn start(server: SocketAddr) -> Self {
        let program = std::env::current_exe().expect("the path of this program");
        let mut command = Command::new("nice");
        command.args(["-n", "10"]).arg(&program);
        let download = |command: &mut Command| {
            let command = command.args(["--download-from", &server.to_string()]);
            command.stdin(Stdio::null()).spawn()
        };
        let child = download(&mut command).or_else(|_| download(&mut Command::new(&program)));
        Self(child.expect("a process"))
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        // It may be gone already.
        let _: std::io::Result<()> = self.0.kill();
        let _: std::io::Result<std::process::ExitStatus> = self.0.wait();
    }
}

/// Is that process.
pub(crate) async fn download(server: SocketAddr) {
    let client = Client::new(server);
    client.download(Duration::MAX).await;
}

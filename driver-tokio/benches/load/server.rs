//! The server: a process of its own, which answers requests and tells how it is.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _, stdin};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use driver_tokio::crypto::TlsServerConfig;
use driver_tokio::rustls::pki_types::PrivateKeyDer;
use driver_tokio::{
    Endpoint, Incoming, Keyring, LoopStatistics, SendStream, ServerConfig, TransportConfig,
};

use crate::HEAP;

/// The application protocol: a stream that begins with a number of bytes is answered with so many.
pub(crate) const ALPN: &[&[u8]] = &[b"load"];

/// A server in a process of its own, which ends with this.
pub(crate) struct Server {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

/// How a server is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Health {
    /// Bytes of the heap.
    pub(crate) heap: usize,
    /// The most there were since the last question.
    pub(crate) peak: usize,
    /// Connections that are open.
    pub(crate) connections: usize,
    /// Time of a processor.
    pub(crate) cpu: Duration,
    /// Datagrams for which the socket had no room.
    pub(crate) dropped: u64,
    /// Deadlines of its loop so far.
    pub(crate) timeouts: u64,
    /// Those that it was late for, by more than a millisecond.
    pub(crate) late_timeouts: u64,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With further arguments.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let program = std::env::current_exe().expect("the path of this program");
        let mut child = Command::new(program)
            .arg("--server")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let questions = child.stdin.take().expect("its input");
        let mut answers = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        answers.read_line(&mut line).expect("its address");
        let address = line.trim().parse().expect("its address");
        Self { child, questions, answers, address }
    }

    /// Asks how it is.
    pub(crate) fn health(&mut self) -> Health {
        self.questions.write_all(b"?\n").expect("the server lives");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the server lives");
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let mut next = || numbers.next().expect("the server lives").expect("a number");
        let size = |number| usize::try_from(number).expect("a size");
        let (heap, peak, connections) = (size(next()), size(next()), size(next()));
        let cpu = Duration::from_nanos(next());
        let (timeouts, late_timeouts) = (next(), next());
        let dropped = self.dropped();
        Health { heap, peak, connections, cpu, dropped, timeouts, late_timeouts }
    }

    /// Datagrams for which its socket had no room, as the system counts them.
    fn dropped(&self) -> u64 {
        let sockets = fs::read_to_string("/proc/net/udp").unwrap_or_default();
        let port = format!(":{:04X}", self.address.port());
        let of_ours = |line: &&str| {
            line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&port))
        };
        let ours = sockets.lines().find(of_ours);
        ours.and_then(|line| line.split_whitespace().last()?.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _: std::io::Result<()> = self.child.kill();
        let _: std::io::Result<std::process::ExitStatus> = self.child.wait();
    }
}

/// How the server works; says something on every connection each `beat`.
pub(crate) fn config(beat: Option<Duration>) -> ServerConfig {
    let key = rcgen::KeyPair::generate().expect("a key");
    let parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let certificate = parameters.self_signed(&key).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let tls = TlsServerConfig::from_certificate(vec![certificate.der().clone()], key, ALPN);
    let mut transport = TransportConfig::default();
    transport.max_idle_timeout = Some(Duration::from_mins(10));
    transport.keep_alive_interval = beat;
    let keyring = Keyring::new([7; 32]);
    let config = ServerConfig::new(Arc::new(tls.expect("TLS")), transport, keyring);
    config.expect("a configuration")
}

/// Is the server.
pub(crate) fn run(beat: Option<Duration>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        let endpoint = Endpoint::server(config(beat), address);
        let endpoint = endpoint.expect("a socket");
        println!("{}", endpoint.local_addr().expect("an address"));
        let other = endpoint.clone();
        std::thread::spawn(move || answer_questions(&other));
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(serve(incoming));
        }
    });
}

fn answer_questions(endpoint: &Endpoint) {
    for _ in stdin().lines() {
        let (heap, peak) = (HEAP.current_usage(), HEAP.peak_usage());
        HEAP.reset_peak_usage();
        let processor = processor_time().as_nanos();
        let LoopStatistics { timeouts, late_timeouts, .. } = endpoint.loop_stats();
        let open = endpoint.open_connections();
        println!("{heap} {peak} {open} {processor} {timeouts} {late_timeouts}");
    }
    // Whoever asked is gone.
    std::process::exit(0);
}

/// For how long all threads ran so far.
pub(crate) fn processor_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of_task = |path: std::path::PathBuf| -> Option<u64> {
        let text = fs::read_to_string(path.join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    Duration::from_nanos(tasks.filter_map(|task| of_task(task.path())).sum())
}

async fn serve(incoming: Incoming) {
    let Ok(connection) = incoming.await else { return };
    while let Ok((send, mut recv)) = connection.accept_bi().await {
        tokio::spawn(async move {
            let mut length = [0; 8];
            if recv.read_exact(&mut length).await.is_ok() {
                answer(send, u64::from_be_bytes(length)).await;
            }
        });
    }
}

async fn answer(mut send: SendStream, length: u64) {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let mut left = length;
    while left > 0 {
        let piece = left.min(ZEROS.len() as u64);
        let bytes = usize::try_from(piece).ok().and_then(|piece| ZEROS.get(..piece));
        let Some(bytes) = bytes else { return };
        if send.write_all(bytes).await.is_err() {
            return;
        }
        left -= piece;
    }
    // Whoever does not want the end has gone.
    let _: Result<(), _> = send.finish();
}

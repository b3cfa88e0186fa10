//! What a server costs that is attacked, or just full, and what honest clients notice.
//!
//! ```text
//! cargo bench -p driver-tokio --bench load                     # everything, about five minutes
//! cargo bench -p driver-tokio --bench load -- initials idle    # some of it
//! cargo bench -p driver-tokio --bench load -- --help
//! ```
//!
//! The server is a process of its own with one thread, which counts its heap. Each attack comes
//! from another thread of this process, and honest clients work beside it: they are measured
//! without the attack, then with it. Figures depend on the machine; ratios hardly do.
#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program that measures, which ends where something is wrong"
)]

mod answers;
mod attack;
mod crowd;
mod fairness;
mod honest;
mod initials;
mod machine;
mod server;

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// What a server costs that is attacked, or just full.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure; all of it unless named.
    what: Vec<What>,
    /// How long each measurement lasts.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Datagrams a second that an attacker sends.
    #[arg(long, default_value_t = 100_000)]
    rate: u64,
    /// Connections that are idle.
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Connections that are opened and closed.
    #[arg(long, default_value_t = 100_000)]
    churn: usize,
    /// Given by `cargo bench`, and without a meaning here.
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the server.
    #[arg(long, hide = true)]
    server: bool,
    /// Be a client of this server that downloads until it is ended.
    #[arg(long, hide = true)]
    download_from: Option<SocketAddr>,
    /// As the server, say something on every connection each so many milliseconds.
    #[arg(long, hide = true)]
    beat: Option<u64>,
}

/// A load.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum What {
    /// What a datagram that belongs to no connection costs without a socket.
    Answers,
    /// Initial packets from addresses that are not the sender's.
    Initials,
    /// Datagrams that mean nothing.
    Garbage,
    /// A client that opens streams and resets them.
    Resets,
    /// A client that opens streams with a byte each.
    Streams,
    /// Connections on which nothing happens.
    Idle,
    /// Connections that come and go.
    Churn,
    /// A client that downloads as fast as it can, beside a hundred with small requests.
    Fairness,
}

fn main() {
    let arguments = Arguments::parse();
    if arguments.server {
        return server::run(arguments.beat.map(Duration::from_millis));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    if let Some(server) = arguments.download_from {
        return runtime.block_on(fairness::download(server));
    }
    let time = Duration::from_secs(arguments.seconds);
    let all = What::value_variants();
    let wanted = if arguments.what.is_empty() { all } else { &arguments.what[..] };
    for what in wanted {
        println!("\n{what:?}");
        runtime.block_on(async {
            match what {
                What::Answers => answers::measure(time),
                What::Initials => attack::initials(time, arguments.rate).await,
                What::Garbage => attack::garbage(time, arguments.rate).await,
                What::Resets => attack::resets(time).await,
                What::Streams => attack::streams(time).await,
                What::Idle => crowd::idle(arguments.idle).await,
                What::Churn => crowd::churn(arguments.churn).await,
                What::Fairness => fairness::measure(time).await,
            }
        });
    }
}

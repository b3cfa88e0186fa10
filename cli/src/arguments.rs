//! The command line.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use quic_core::CongestionAlgorithm;

use crate::evil::Evil;
use crate::perf;
use crate::protocol::Protocol;
use crate::runtime::Driver;
use crate::url::Url;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    a transfer broke off, was refused, or its checksum is wrong; a case of evil failed
  2    wrong usage
  3    no connection: unreachable, not trusted, or no common protocol
  4    a local file or socket: missing, unreadable, in use, full
  70   a bug in this program
  127  the interop test case is not supported";

/// QUIC from the command line: a demo, files, a benchmark.
#[derive(Debug, Parser)]
#[command(name = "quic", version, after_help = EXIT_CODES, after_long_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// Print results and errors as JSON, one object a line, on stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What runs sockets and tasks.
    #[arg(long, global = true, env = "QUIC_DRIVER", value_enum, default_value_t = Driver::Tokio)]
    pub(crate) driver: Driver,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Move bytes between a server and a client over loopback, and check every one of them.
    Demo(Demo),
    /// Serve the files of a directory.
    Serve(Serve),
    /// Fetch files from a server.
    Get(Get),
    /// Send a server or client what must not be sent, and check how it reacts.
    Evil(Evil),
    /// Draw what a qlog file says of a connection.
    Plot(Plot),
    /// Measure: the QUIC perf protocol.
    #[command(subcommand)]
    Perf(perf::Side),
    /// The server of an interop test case, told by environment variables.
    InteropServer,
    /// The client of an interop test case, told by environment variables.
    InteropClient,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Demo {
    /// How much to move: bytes, or with k, M, G or T (powers of 1,024).
    #[arg(long, default_value = "1G", value_name = "SIZE")]
    pub(crate) bytes: Size,
    /// Share of the datagrams to drop each way, as in 1% or 0.01.
    #[arg(long, default_value = "0", value_name = "SHARE")]
    pub(crate) loss: Share,
    /// What the data and the losses are made from: the same seed drops the same datagrams.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write what happens on the connection as qlog to this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) qlog: Option<PathBuf>,
    /// Draw what happens on the connection, as the server sees it: an SVG file.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    /// The directory to serve; nothing outside of it is.
    #[arg(default_value = ".", value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// The UDP address to listen on; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:4433", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Certificate chain, a PEM file with the server's own certificate first.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// Private key of the certificate, a PEM file.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Make a certificate for localhost on the spot. This is so too if no --cert is given.
    #[arg(long, conflicts_with = "cert")]
    pub(crate) self_signed: bool,
    /// Where to write the certificate that was made, for the client's --ca.
    #[arg(long, value_name = "FILE", conflicts_with = "cert")]
    pub(crate) save_cert: Option<PathBuf>,
    /// Take requests in 0-RTT, before the handshake is complete. Someone who copied such a request
    /// can make it come once more; all that it does is to read a file.
    #[arg(long)]
    pub(crate) early_data: bool,
    /// Sockets on the address, each with a loop of its own, that share the work. Default: one for
    /// each processor where the system can spread what arrives over them, as Linux can.
    #[arg(long, value_name = "COUNT")]
    pub(crate) shards: Option<NonZeroU16>,
    /// Write what happens on each connection as qlog to this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) qlog: Option<PathBuf>,
    /// Congestion controller.
    #[arg(long, value_enum, default_value_t = Congestion::Cubic)]
    pub(crate) congestion: Congestion,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Get {
    /// What to fetch: https://HOST:PORT/PATH, port 443 by default. Files of one server share a connection.
    #[arg(required = true, value_name = "URL")]
    pub(crate) urls: Vec<Url>,
    /// Where to write: a file, - for stdout, or a directory for files named like the ends of their URLs.
    #[arg(short, long, default_value = ".", value_name = "FILE|DIR")]
    pub(crate) output: PathBuf,
    /// Trust any server. Whoever sits on the path can then read and change everything.
    #[arg(long, conflicts_with = "ca")]
    pub(crate) insecure: bool,
    /// The certificates to trust, a PEM file.
    #[arg(long, value_name = "FILE", required_unless_present = "insecure")]
    pub(crate) ca: Option<PathBuf>,
    /// Fetch the first file of each server on a connection of its own, and the others on one that resumes its session and asks for them in 0-RTT.
    #[arg(long)]
    pub(crate) early_data: bool,
    /// Ask for the files in this protocol alone, instead of the one that the server prefers.
    #[arg(long, value_enum)]
    pub(crate) protocol: Option<Protocol>,
    /// Give up if nothing was heard from the server for so many seconds.
    #[arg(long, default_value = "30", value_name = "SECONDS")]
    pub(crate) timeout: Seconds,
    /// Give up if there is no connection after so many seconds.
    #[arg(long, default_value = "10", value_name = "SECONDS")]
    pub(crate) connect_timeout: Seconds,
    /// Write what happens on each connection as qlog to this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) qlog: Option<PathBuf>,
    /// Draw what happens on the connection: an SVG file.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    /// Congestion controller.
    #[arg(long, value_enum, default_value_t = Congestion::Cubic)]
    pub(crate) congestion: Congestion,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Plot {
    /// The log: qlog as JSON text sequences, as of `quic get --qlog`.
    #[arg(value_name = "FILE")]
    pub(crate) log: PathBuf,
    /// Where to write the picture, an SVG file.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

/// A congestion controller.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Congestion {
    Cubic,
    #[value(name = "newreno", alias = "reno")]
    NewReno,
    Bbr,
}

impl From<Congestion> for CongestionAlgorithm {
    fn from(congestion: Congestion) -> Self {
        match congestion {
            Congestion::Cubic => Self::Cubic,
            Congestion::NewReno => Self::NewReno,
            Congestion::Bbr => Self::Bbr,
        }
    }
}

/// A number of bytes, as in `1G`, `512M`, `100k` or `4096`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let trimmed = text.trim_end_matches(['B', 'b']).trim_end_matches('i');
        let (digits, shift) = match trimmed.char_indices().last() {
            Some((at, 'k' | 'K')) => (trimmed.get(..at), 10),
            Some((at, 'm' | 'M')) => (trimmed.get(..at), 20),
            Some((at, 'g' | 'G')) => (trimmed.get(..at), 30),
            Some((at, 't' | 'T')) => (trimmed.get(..at), 40),
            _ => (Some(trimmed), 0),
        };
        let number = digits.and_then(|digits| digits.parse::<u64>().ok());
        number
            .and_then(|number| number.checked_mul(1 << shift))
            .filter(|bytes| *bytes <= MAX_SIZE)
            .map(Self)
            .ok_or_else(|| format!("{text:?} is not a size such as 1G, 512M, 100k or 4096"))
    }
}

/// A stream carries no more (RFC 9000 §4.5).
const MAX_SIZE: u64 = (1 << 62) - 1024;

/// A share between 0 and 1, as in `1%` or `0.01`; below 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share(pub(crate) f64);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let share = match text.strip_suffix('%') {
            Some(percent) => percent.trim_end().parse::<f64>().map(|percent| percent / 100.0),
            None => text.parse(),
        };
        match share {
            Ok(share) if (0.0..1.0).contains(&share) => Ok(Self(share)),
            _ => Err(format!("{text:?} is not a share such as 1% or 0.01, below 100%")),
        }
    }
}

/// A duration of one second to a day, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seconds(pub(crate) Duration);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(seconds) if (0.1..=86_400.0).contains(&seconds) => {
                Ok(Self(Duration::from_secs_f64(seconds)))
            }
            _ => Err(format!("{text:?} is not a number of seconds between 0.1 and 86400")),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{Arguments, Share, Size};

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn sizes_have_binary_units() {
        let size = |text: &str| text.parse::<Size>().ok().map(|size| size.0);
        assert_eq!(size("4096"), Some(4096));
        assert_eq!(size("100k"), Some(102_400));
        assert_eq!(size("512M"), Some(512 << 20));
        assert_eq!(size("1G"), Some(1 << 30));
        assert_eq!(size("1GiB"), Some(1 << 30));
        for wrong in ["", "G", "-1", "1.5G", "1X", "99999999999T", "é"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn shares_are_percentages_or_fractions() {
        let share = |text: &str| text.parse::<Share>().ok().map(|share| share.0);
        assert_eq!(share("1%"), Some(0.01));
        assert_eq!(share("0.25"), Some(0.25));
        assert_eq!(share("0"), Some(0.0));
        for wrong in ["", "%", "100%", "1", "-1%", "NaN", "x"] {
            assert_eq!(share(wrong), None, "{wrong}");
        }
    }
}

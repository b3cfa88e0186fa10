//! `quic evil`: sends a server or client what must not be sent, and checks how it reacts.

mod network;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use quic_core::Side;
use quic_evil::{Case, Needs, Outcome, Role, Verdict, cases, client_tls, greet, server_tls};
use serde::Serialize;

use crate::certificates::Identity;
use crate::errors::Failure;
use crate::output::Output;
use network::UdpNetwork;

/// Options of `quic evil`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Evil {
    /// The server to attack. Its certificate is not checked.
    #[arg(value_name = "HOST:PORT", required_unless_present_any = ["listen", "list"])]
    target: Option<String>,
    /// Attack clients that connect to this address instead, a case for each connection.
    #[arg(long, value_name = "ADDR", conflicts_with = "target")]
    listen: Option<SocketAddr>,
    /// Run this case, or the cases of this topic. Give it again for more. Default: all.
    #[arg(long = "case", value_name = "NAME|TOPIC")]
    chosen: Vec<String>,
    /// The server answers each first packet with a Retry: run the cases about that.
    #[arg(long)]
    retry: bool,
    /// The application protocol to offer or select.
    #[arg(long, default_value = "hq-interop")]
    alpn: String,
    /// What connection IDs are made from. Default: the time.
    #[arg(long)]
    seed: Option<u64>,
    /// Name the cases, and run none.
    #[arg(long)]
    list: bool,
}

/// A case in the output.
#[derive(Serialize)]
struct Row<'a> {
    case: &'a str,
    section: &'a str,
    expected: String,
    seen: &'a str,
    verdict: String,
}

/// What came of all cases.
#[derive(Default, Serialize)]
struct Summary {
    passed: usize,
    failed: usize,
    not_set_up: usize,
    not_offered: usize,
}

impl Evil {
    fn wants(&self, case: &Case) -> bool {
        let side = if self.listen.is_some() { Side::Client } else { Side::Server };
        let chosen = self.chosen.is_empty()
            || self.chosen.iter().any(|name| name == case.name || name == case.topic());
        let named = self.chosen.iter().any(|name| name == case.name);
        let fits = named || (case.needs == Needs::Retry) == self.retry;
        chosen && (self.list || (case.target == side && fits))
    }
}

pub(crate) fn run(options: &Evil, output: Output) -> Result<(), Failure> {
    let chosen: Vec<&Case> = cases::all().filter(|case| options.wants(case)).collect();
    if chosen.is_empty() {
        return Err(Failure::usage("no case has such a name or topic; --list names all"));
    }
    if options.list {
        list(&chosen, output);
        return Ok(());
    }
    let summary = match options.listen {
        Some(address) => attack_clients(options, address, &chosen, output)?,
        None => attack_server(options, &chosen, output)?,
    };
    let Summary { passed, failed, not_set_up, not_offered } = summary;
    let text = format!(
        "{passed} passed, {failed} failed, {not_set_up} not set up, {not_offered} not offered"
    );
    output.result(&summary, &text);
    match failed + not_set_up {
        0 => Ok(()),
        wrong => Err(Failure::transfer(format!("{wrong} of {} cases failed", chosen.len()))),
    }
}

fn list(chosen: &[&Case], output: Output) {
    for case in chosen {
        let row = Row {
            case: case.name,
            section: case.section,
            expected: case.reaction.to_string(),
            seen: "",
            verdict: String::new(),
        };
        output.result(&row, &format!("{:64} {:24} {}", row.case, row.section, row.expected));
    }
}

fn attack_server(options: &Evil, chosen: &[&Case], output: Output) -> Result<Summary, Failure> {
    let target = options.target.as_deref().unwrap_or_default();
    let address = resolve(target)?;
    let name = target.rsplit_once(':').map_or(target, |(host, _)| host);
    let name = name.trim_matches(['[', ']']);
    output.note("the server's certificate is not checked");
    let role = || -> Result<Role, Failure> {
        let tls =
            client_tls(&[options.alpn.as_bytes()]).map_err(|error| Failure::of_tls(&error))?;
        Ok(Role::Client(tls, name.to_owned()))
    };
    let seed = options.seed.unwrap_or_else(time);
    let greeting = greet(&role()?, &mut UdpNetwork::to(address)?, seed_of(seed, usize::MAX));
    greeting.map_err(|why| Failure::connect(format!("no connection to {target}: {why}")))?;
    let mut summary = Summary::default();
    for (index, case) in chosen.iter().enumerate() {
        // Nothing is left of the case before.
        let mut network = UdpNetwork::to(address)?;
        let outcome = case.run(&role()?, &mut network, seed_of(seed, index));
        tell(case, &outcome, &mut summary, output);
    }
    Ok(summary)
}

fn attack_clients(
    options: &Evil,
    address: SocketAddr,
    chosen: &[&Case],
    output: Output,
) -> Result<Summary, Failure> {
    let identity = Identity::self_signed()?;
    let mut network = UdpNetwork::at(address)?;
    output.note(&format!("waiting for clients at {}", network.local_address(0)?));
    let seed = options.seed.unwrap_or_else(time);
    let mut summary = Summary::default();
    for (index, case) in chosen.iter().enumerate() {
        let alpn = [options.alpn.as_bytes()];
        let tls = server_tls(identity.chain.clone(), identity.key.clone_key(), &alpn);
        let role = Role::Server(tls.map_err(|error| Failure::of_tls(&error))?);
        network.wait_for_client();
        let outcome = case.run(&role, &mut network, seed_of(seed, index));
        tell(case, &outcome, &mut summary, output);
    }
    Ok(summary)
}

fn resolve(target: &str) -> Result<SocketAddr, Failure> {
    let addresses = target.to_socket_addrs();
    let mut addresses =
        addresses.map_err(|error| Failure::connect(format!("cannot find {target}: {error}")))?;
    addresses.next().ok_or_else(|| Failure::connect(format!("{target} has no address")))
}

fn time() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A seed for each case.
fn seed_of(seed: u64, index: usize) -> [u8; 32] {
    let mut bytes = [0; 32];
    let numbers = seed.to_be_bytes().into_iter().chain((index as u64).to_be_bytes());
    for (byte, number) in bytes.iter_mut().zip(numbers) {
        *byte = number;
    }
    bytes
}

fn tell(case: &Case, outcome: &Outcome, summary: &mut Summary, output: Output) {
    let count = match outcome.verdict {
        Verdict::Passed => &mut summary.passed,
        Verdict::Failed => &mut summary.failed,
        Verdict::NotSetUp => &mut summary.not_set_up,
        Verdict::Lacking => &mut summary.not_offered,
    };
    *count += 1;
    // What a target says is for one line.
    let seen: String = outcome.seen.chars().flat_map(char::escape_debug).collect();
    let row = Row {
        case: case.name,
        section: case.section,
        expected: case.reaction.to_string(),
        seen: &seen,
        verdict: outcome.verdict.to_string(),
    };
    let text = format!(
        "{:11} {:64} expected: {}; seen: {}",
        outcome.verdict, row.case, row.expected, row.seen
    );
    output.result(&row, &text);
}

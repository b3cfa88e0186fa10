//! `quic get`: files over HTTP/3 or `hq-interop`.

mod destination;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::mem;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use driver::{Connection, Endpoint, SessionCache};
use indicatif::ProgressBar;
use quic_core::{ClientConfig, SharedRecorder, Side, TransportConfig};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::arguments::Get;
use crate::certificates;
use crate::errors::{Exit, Failure};
use crate::logs::Logs;
use crate::network::{self, Preference, Target, Trust};
use crate::output::{self, Output};
use crate::protocol::{self, Protocol};
use crate::runtime::{self, Elapsed, Tasks};
use crate::url::Url;
use destination::{Destination, STDOUT};
use source::Answer;

pub(crate) use source::Source;

/// Files of a server that are fetched at a time.
const CONCURRENT_DOWNLOADS: usize = 64;

/// Addresses of a server that are tried.
const MAX_ADDRESSES: usize = 8;

/// How often a file may be elsewhere.
const MAX_REDIRECTS: usize = 10;

/// How long an address may take to answer before the next one is tried too.
const HEAD_START: Duration = Duration::from_millis(250);

/// How long it takes at most to tell the server of an interruption.
const GOODBYE: Duration = Duration::from_millis(20);

/// How long the server may take to acknowledge the end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Fetches everything.
pub(crate) async fn run(options: Get, output: Output) -> Result<(), Failure> {
    if output.is_json() && options.output == Path::new(STDOUT) {
        return Err(Failure::usage("--json and the file of `-o -` cannot both go to stdout"));
    }
    let downloads = downloads(&options)?;
    let trust = match &options.ca {
        Some(path) => Trust::Roots(certificates::certificates_in(path)?),
        None => Trust::Anyone,
    };
    let mut transport = TransportConfig::default();
    transport.max_idle_timeout = Some(options.timeout.0);
    transport.handshake_timeout = options.connect_timeout.0;
    transport.congestion = options.congestion.into();
    let protocols = options.protocol.map_or_else(|| Protocol::ALL.to_vec(), |only| vec![only]);
    let mut tls = network::client_tls(trust, &protocol::names(&protocols), Preference::Aes128)?;
    if options.early_data {
        tls = tls.session_store(Arc::new(SessionCache::default())).offer_early_data(true);
    }
    let config = network::client_config(tls, transport)?;

    let logs = Logs::new(options.qlog.as_deref(), options.plot.as_deref(), Side::Client)?;
    let bar = output.progress(None);
    let start = Instant::now();
    let client = Client { config, protocols, bar: bar.clone(), recorder: logs.recorder() };
    let files = downloads.values().map(Vec::len).sum::<usize>();
    let mut bytes = 0_u64;
    let all = async {
        let mut waiting = downloads;
        while let Some((server, downloads)) = waiting.pop_first() {
            let received = client.fetch_from(&server, downloads, options.early_data).await?;
            bytes = bytes.saturating_add(received.bytes);
            for download in received.elsewhere {
                waiting.entry(Server::of(&download.url)).or_default().push(download);
            }
        }
        Ok(())
    };
    let stopped = runtime::stop_signal()?;
    let done = tokio::select! {
        done = all => done,
        () = stopped => {
            // The transfers were given up just now; the server has to hear of it.
            runtime::sleep(GOODBYE).await;
            Err(Failure::transfer("interrupted; nothing unfinished was kept"))
        }
    };
    // Logs tell most of what failed.
    let logged = logs.finish();
    done.and(logged)?;
    bar.finish_and_clear();
    let seconds = start.elapsed().as_secs_f64();
    let summary = format!("{files} files, {} in {seconds:.2} s", output::bytes(bytes));
    if options.output == Path::new(STDOUT) {
        output.note(&summary);
    } else {
        let value = json!({ "ok": true, "files": files, "bytes": bytes, "seconds": seconds });
        output.result(&value, &summary);
    }
    Ok(())
}

/// A server, as URLs name it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Server {
    /// The one that a URL names.
    pub(crate) fn of(url: &Url) -> Self {
        Self { host: url.host.clone(), port: url.port }
    }

    /// As requests name it.
    fn authority(&self) -> String {
        let Self { host, port } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

/// A file to fetch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Download {
    /// Where it is, as far as is known.
    url: Url,
    destination: PathBuf,
    /// Where it was to be found before servers said that it is elsewhere.
    before: Vec<Url>,
}

impl Download {
    pub(crate) fn new(url: Url, destination: PathBuf) -> Self {
        Self { url, destination, before: Vec::new() }
    }

    /// Goes on to where a server says that it is (RFC 9110 §15.4).
    fn follow(&mut self, location: &str) -> Result<(), Failure> {
        let from = self.url.clone();
        let failure = |problem: &dyn fmt::Display| {
            Failure::transfer(format!("{from} is said to be at {location:?}: {problem}"))
        };
        let next = self.url.join(location).map_err(|problem| failure(&problem))?;
        self.before.push(mem::replace(&mut self.url, next));
        if self.before.contains(&self.url) {
            return Err(failure(&"that goes round in a circle"));
        }
        if self.before.len() > MAX_REDIRECTS {
            return Err(failure(&format!("{MAX_REDIRECTS} redirects are followed and no more")));
        }
        Ok(())
    }
}

/// What to fetch from which server, and where to put it.
fn downloads(options: &Get) -> Result<BTreeMap<Server, Vec<Download>>, Failure> {
    let is_directory = options.output != Path::new(STDOUT) && options.output.is_dir();
    if !is_directory && options.urls.len() > 1 {
        return Err(Failure::usage(format!(
            "{} is not a directory; several files need one after -o",
            options.output.display()
        )));
    }
    let mut downloads = BTreeMap::<_, Vec<_>>::new();
    let mut destinations = BTreeSet::new();
    for url in &options.urls {
        let destination = if is_directory {
            let name = url.file_name().ok_or_else(|| {
                Failure::usage(format!("{url} does not end in the name of a file; name one by -o"))
            })?;
            options.output.join(name)
        } else {
            options.output.clone()
        };
        if !destinations.insert(destination.clone()) {
            return Err(Failure::usage(format!(
                "{url} would overwrite {}, which another URL is written to",
                destination.display()
            )));
        }
        let download = Download::new(url.clone(), destination);
        downloads.entry(Server::of(url)).or_default().push(download);
    }
    Ok(downloads)
}

/// How files are fetched, from whatever server.
struct Client {
    config: ClientConfig,
    /// What is offered to servers.
    protocols: Vec<Protocol>,
    bar: ProgressBar,
    recorder: Option<SharedRecorder>,
}

/// What came of a connection.
struct Fetched {
    received: Received,
    /// The address that answered.
    address: SocketAddr,
    protocol: Protocol,
}

/// What came of downloads from one server.
#[derive(Debug, Default)]
pub(crate) struct Received {
    bytes: u64,
    /// What other servers have.
    elsewhere: Vec<Download>,
}

impl Received {
    fn add(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.elsewhere.extend(other.elsewhere);
    }

    /// Fails if anything is elsewhere.
    pub(crate) fn complete(self) -> Result<(), Failure> {
        match self.elsewhere.first() {
            None => Ok(()),
            Some(download) => Err(Failure::transfer(format!("{} is elsewhere", download.url))),
        }
    }
}

impl Client {
    /// Fetches files of one server; with early data, all but the first on a second connection.
    async fn fetch_from(
        &self,
        server: &Server,
        mut downloads: Vec<Download>,
        early_data: bool,
    ) -> Result<Received, Failure> {
        let first = if early_data { 1 } else { downloads.len() };
        let rest = downloads.drain(first.min(downloads.len())..).collect::<Vec<_>>();
        let found = addresses(server).await?;
        let Fetched { mut received, address, protocol } =
            self.fetch(server, found, None, downloads).await?;
        if !rest.is_empty() {
            let fetched = self.fetch(server, vec![address], Some(protocol), rest).await?;
            received.add(fetched.received);
        }
        Ok(received)
    }

    /// Fetches files on one connection. Requests that leave before the handshake is complete are in
    /// the `known` protocol: that of the session which is resumed.
    async fn fetch(
        &self,
        server: &Server,
        addresses: Vec<SocketAddr>,
        known: Option<Protocol>,
        downloads: Vec<Download>,
    ) -> Result<Fetched, Failure> {
        let (endpoint, connection) = self.connect(&server.host, addresses).await?;
        let protocol = Protocol::of(&connection).or(known).ok_or_else(|| {
            Failure::connect(format!("{} agreed on no protocol for files", server.host))
        })?;
        let address = connection.remote_address();
        let received = match Source::new(&connection, protocol, server).await {
            Ok(source) => download_all(source, downloads, &self.bar).await,
            Err(failure) => Err(failure),
        };
        protocol.close(&connection);
        // The server hears of the end now rather than by its idle timeout.
        let _: Result<(), Elapsed> = runtime::timeout(SHUTDOWN_TIMEOUT, endpoint.wait_idle()).await;
        Ok(Fetched { received: received?, address, protocol })
    }

    /// Connects to the address that answers first; each gets a head start over the next, as a name
    /// such as `localhost` can have one that nobody listens on.
    async fn connect(
        &self,
        name: &str,
        addresses: Vec<SocketAddr>,
    ) -> Result<(Endpoint, Connection), Failure> {
        let mut attempts = Tasks::new();
        let mut delay = Duration::ZERO;
        for address in addresses {
            let (config, name) = (self.config.clone(), name.to_owned());
            let (recorder, alpn) = (self.recorder.clone(), protocol::names(&self.protocols));
            attempts.spawn(async move {
                runtime::sleep(delay).await;
                connect_to(config, Target { address, name: &name }, &alpn, recorder).await
            });
            delay = delay.saturating_add(HEAD_START);
        }
        let mut failure: Option<Failure> = None;
        while let Some(done) = attempts.next().await {
            match done? {
                Ok(connected) => return Ok(connected),
                // An address family that is missing here says less than what an address answers.
                Err(later) => match &failure {
                    Some(first) if first.exit == Exit::Connect || later.exit != Exit::Connect => {}
                    _ => failure = Some(later),
                },
            }
        }
        Err(failure.unwrap_or_else(|| Failure::connect(format!("{name} has no address"))))
    }
}

/// The first address of a server.
pub(crate) async fn resolve(server: &Server) -> Result<SocketAddr, Failure> {
    addresses(server).await?.first().copied().ok_or_else(|| unknown(server, &"it has no address"))
}

/// The addresses of a server, the preferred one first.
async fn addresses(server: &Server) -> Result<Vec<SocketAddr>, Failure> {
    let (host, port) = (server.host.clone(), server.port);
    let found = runtime::unblock(move || (host, port).to_socket_addrs()).await;
    let found = found.map_err(|error| unknown(server, &error))?;
    let addresses = found.take(MAX_ADDRESSES).collect::<Vec<_>>();
    if addresses.is_empty() { Err(unknown(server, &"it has no address")) } else { Ok(addresses) }
}

fn unknown(server: &Server, problem: &dyn fmt::Display) -> Failure {
    Failure::connect(format!("cannot find {}: {problem}; check the name", server.host))
}

async fn connect_to(
    config: ClientConfig,
    target: Target<'_>,
    alpn: &[&[u8]],
    recorder: Option<SharedRecorder>,
) -> Result<(Endpoint, Connection), Failure> {
    let local = network::any_port_towards(target.address);
    let socket = network::bound_socket(local, network::SOCKET_BUFFER)?;
    let endpoint = network::client_endpoint(socket, recorder)?;
    let connection = network::connect_early(&endpoint, config, target, alpn).await?;
    Ok((endpoint, connection))
}

/// Fetches files on streams of one connection.
pub(crate) async fn download_all(
    source: Source,
    downloads: Vec<Download>,
    bar: &ProgressBar,
) -> Result<Received, Failure> {
    let turns = Arc::new(Semaphore::new(CONCURRENT_DOWNLOADS));
    let mut tasks = Tasks::new();
    for download in downloads {
        let (source, turns, bar) = (source.clone(), Arc::clone(&turns), bar.clone());
        tasks.spawn(async move {
            let _turn = turns.acquire().await;
            bar.set_message(download.url.path.clone());
            self::download(source, download, &bar).await
        });
    }
    let mut received = Received::default();
    while let Some(done) = tasks.next().await {
        received.add(done??);
    }
    Ok(received)
}

async fn download(
    source: Source,
    mut download: Download,
    bar: &ProgressBar,
) -> Result<Received, Failure> {
    let server = Server::of(&download.url);
    let mut body = loop {
        match source.clone().ask(&download.url.path).await? {
            Answer::Body(body) => break body,
            Answer::Elsewhere(location) => download.follow(&location)?,
        }
        if Server::of(&download.url) != server {
            return Ok(Received { bytes: 0, elsewhere: vec![download] });
        }
    };
    // A refusal shows before a file is made.
    let mut chunk = body.next().await?;
    let mut file = Destination::create(&download.destination).await?;
    let mut received = Received::default();
    while let Some(data) = chunk {
        file.write(&data).await?;
        received.bytes = received.bytes.saturating_add(data.len() as u64);
        bar.inc(data.len() as u64);
        chunk = body.next().await?;
    }
    file.commit().await?;
    Ok(received)
}

#[cfg(test)]
mod tests;

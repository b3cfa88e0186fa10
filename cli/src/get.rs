//! `quic get`: files over `hq-interop`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use driver_tokio::{Connection, Endpoint, ReadError, SessionCache};
use indicatif::ProgressBar;
use quic_core::{ClientConfig, SharedRecorder, Side, TransportConfig};
use serde_json::json;
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt as _;
use tokio::net;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time;

use crate::arguments::Get;
use crate::certificates;
use crate::errors::{Exit, Failure};
use crate::hq::{self, Refusal};
use crate::logs::Logs;
use crate::network::{self, Preference, Target, Trust};
use crate::output::{self, Output};

/// Files of a server that are fetched at a time.
const CONCURRENT_DOWNLOADS: usize = 64;

/// Bytes written to a file at a time.
const WRITE_SIZE: usize = 1 << 20;

/// What stands for the standard output after `-o`.
const STDOUT: &str = "-";

/// Temporary names of a file that are tried after the first.
const MAX_PARTS: u32 = 100;

/// Addresses of a server that are tried.
const MAX_ADDRESSES: usize = 8;

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
    let mut tls = network::client_tls(trust, hq::ALPN, Preference::Aes128)?;
    if options.early_data {
        tls = tls.session_store(Arc::new(SessionCache::default())).offer_early_data(true);
    }
    let config = network::client_config(tls, transport)?;

    let logs = Logs::new(options.qlog.as_deref(), options.plot.as_deref(), Side::Client)?;
    let bar = output.progress(None);
    let start = Instant::now();
    let client = Client { config, bar: bar.clone(), recorder: logs.recorder() };
    let files = downloads.values().map(Vec::len).sum::<usize>();
    let mut bytes = 0_u64;
    let all = async {
        for (server, mut downloads) in downloads {
            let rest = if options.early_data { downloads.split_off(1) } else { Vec::new() };
            let found = addresses(&server).await?;
            let (received, address) = client.fetch(&server, found, downloads).await?;
            bytes = bytes.saturating_add(received);
            if !rest.is_empty() {
                let (received, _) = client.fetch(&server, vec![address], rest).await?;
                bytes = bytes.saturating_add(received);
            }
        }
        Ok(())
    };
    let stopped = network::stop_signal()?;
    let done = tokio::select! {
        done = all => done,
        () = stopped => {
            // The transfers were given up just now; the server has to hear of it.
            time::sleep(GOODBYE).await;
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

/// A file to fetch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Download {
    /// As the request has it.
    pub(crate) path: String,
    pub(crate) destination: PathBuf,
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
        let server = Server { host: url.host.clone(), port: url.port };
        let download = Download { path: url.path.clone(), destination };
        downloads.entry(server).or_default().push(download);
    }
    Ok(downloads)
}

/// How files are fetched, from whatever server.
struct Client {
    config: ClientConfig,
    bar: ProgressBar,
    recorder: Option<SharedRecorder>,
}

impl Client {
    /// Fetches files on one connection; how many bytes that were, and the address that answered.
    async fn fetch(
        &self,
        server: &Server,
        addresses: Vec<SocketAddr>,
        downloads: Vec<Download>,
    ) -> Result<(u64, SocketAddr), Failure> {
        let recorder = self.recorder.as_ref();
        let (endpoint, connection) =
            connect(&self.config, &server.host, addresses, recorder).await?;
        let received = download_all(&connection, downloads, &self.bar).await;
        let address = connection.remote_address();
        network::close(&connection);
        // The server hears of the end now rather than by its idle timeout.
        let _: Result<(), time::error::Elapsed> =
            time::timeout(SHUTDOWN_TIMEOUT, endpoint.wait_idle()).await;
        Ok((received?, address))
    }
}

/// The first address of a server.
pub(crate) async fn resolve(server: &Server) -> Result<SocketAddr, Failure> {
    addresses(server).await?.first().copied().ok_or_else(|| unknown(server, &"it has no address"))
}

/// The addresses of a server, the preferred one first.
async fn addresses(server: &Server) -> Result<Vec<SocketAddr>, Failure> {
    let found = net::lookup_host((server.host.as_str(), server.port)).await;
    let found = found.map_err(|error| unknown(server, &error))?;
    let addresses = found.take(MAX_ADDRESSES).collect::<Vec<_>>();
    if addresses.is_empty() { Err(unknown(server, &"it has no address")) } else { Ok(addresses) }
}

fn unknown(server: &Server, problem: &dyn std::fmt::Display) -> Failure {
    Failure::connect(format!("cannot find {}: {problem}; check the name", server.host))
}

/// Connects to the address that answers first; each gets a head start over the next, as a name
/// such as `localhost` can have one that nobody listens on.
async fn connect(
    config: &ClientConfig,
    name: &str,
    addresses: Vec<SocketAddr>,
    recorder: Option<&SharedRecorder>,
) -> Result<(Endpoint, Connection), Failure> {
    let mut attempts = JoinSet::new();
    let mut delay = Duration::ZERO;
    for address in addresses {
        let (config, name, recorder) = (config.clone(), name.to_owned(), recorder.cloned());
        attempts.spawn(async move {
            time::sleep(delay).await;
            connect_to(config, Target { address, name: &name }, recorder).await
        });
        delay = delay.saturating_add(HEAD_START);
    }
    let mut failure: Option<Failure> = None;
    while let Some(done) = attempts.join_next().await {
        match done.map_err(|error| Failure::bug(error.to_string()))? {
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

async fn connect_to(
    config: ClientConfig,
    target: Target<'_>,
    recorder: Option<SharedRecorder>,
) -> Result<(Endpoint, Connection), Failure> {
    let local = network::any_port_towards(target.address);
    let socket = network::bound_socket(local, network::SOCKET_BUFFER)?;
    let endpoint = network::client_endpoint(socket, recorder)?;
    let connection = network::connect_early(&endpoint, config, target, hq::ALPN).await?;
    Ok((endpoint, connection))
}

/// Fetches files on streams of one connection; how many bytes that were.
pub(crate) async fn download_all(
    connection: &Connection,
    downloads: Vec<Download>,
    bar: &ProgressBar,
) -> Result<u64, Failure> {
    let turns = Arc::new(Semaphore::new(CONCURRENT_DOWNLOADS));
    let mut tasks = JoinSet::new();
    for download in downloads {
        let (connection, turns, bar) = (connection.clone(), Arc::clone(&turns), bar.clone());
        tasks.spawn(async move {
            let _turn = turns.acquire().await;
            bar.set_message(download.path.clone());
            self::download(&connection, &download, &bar).await
        });
    }
    let mut received = 0_u64;
    while let Some(done) = tasks.join_next().await {
        let bytes = done.map_err(|error| Failure::bug(error.to_string()))??;
        received = received.saturating_add(bytes);
    }
    Ok(received)
}

async fn download(
    connection: &Connection,
    download: &Download,
    bar: &ProgressBar,
) -> Result<u64, Failure> {
    let path = &download.path;
    let broken = |error: &dyn std::fmt::Display| broke_off(path, error);
    let (mut send, mut recv) = connection.open_bi().await.map_err(|error| broken(&error))?;
    send.write_all(&hq::request(path)).await.map_err(|error| broken(&error))?;
    send.finish().map_err(|error| broken(&error))?;

    // A refusal shows before a file is made.
    let mut chunk =
        recv.read_chunk(usize::MAX).await.map_err(|error| read_failure(path, &error))?;
    let mut file = Destination::create(&download.destination).await?;
    let mut received = 0_u64;
    while let Some(data) = chunk {
        file.write(&data).await?;
        received = received.saturating_add(data.len() as u64);
        bar.inc(data.len() as u64);
        chunk = recv.read_chunk(usize::MAX).await.map_err(|error| read_failure(path, &error))?;
    }
    file.commit().await?;
    Ok(received)
}

fn read_failure(path: &str, error: &ReadError) -> Failure {
    match error {
        ReadError::Reset(code) => {
            let code = code.into_inner();
            Failure::transfer(format!(
                "cannot get {path}: {} (code {code})",
                Refusal::explain(code)
            ))
        }
        ReadError::ConnectionLost(_) | ReadError::ClosedStream | ReadError::EarlyDataRejected => {
            broke_off(path, error)
        }
    }
}

fn broke_off(path: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::transfer(format!(
        "the transfer of {path} broke off: {error}; nothing unfinished was kept, so try again"
    ))
}

/// A file that gets its name when it is complete; what is not a plain file is written as it is.
#[derive(Debug)]
struct Destination {
    file: File,
    path: PathBuf,
    part: Option<Part>,
}

/// The file under its temporary name. Dropping it removes it.
#[derive(Debug)]
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // After a rename there is nothing to remove.
        let _: io::Result<()> = std::fs::remove_file(&self.0);
    }
}

impl Destination {
    async fn create(path: &Path) -> Result<Self, Failure> {
        let failure = |error| Failure::file("write", path, &error);
        let (mut file, path, part) = if path == Path::new(STDOUT) {
            let stdout = io::stdout().as_fd().try_clone_to_owned().map_err(failure)?;
            (File::from_std(stdout.into()), path.to_owned(), None)
        } else if fs::metadata(path).await.is_ok_and(|found| !found.is_file()) {
            let file = fs::OpenOptions::new().write(true).open(path).await.map_err(failure)?;
            (file, path.to_owned(), None)
        } else {
            let path = behind_link(path).await;
            let (file, part) = create_part(&path).await?;
            (file, path, Some(part))
        };
        file.set_max_buf_size(WRITE_SIZE);
        Ok(Self { file, path, part })
    }

    async fn write(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.file.write_all(data).await.map_err(|error| self.failure(&error))
    }

    /// Everything is there: gives the file its name.
    async fn commit(mut self) -> Result<(), Failure> {
        self.file.flush().await.map_err(|error| self.failure(&error))?;
        if let Some(part) = &self.part {
            // Who finds the name after the machine failed has to find the data too.
            self.file.sync_all().await.map_err(|error| self.failure(&error))?;
            fs::rename(&part.0, &self.path).await.map_err(|error| self.failure(&error))?;
        }
        Ok(())
    }

    fn failure(&self, error: &io::Error) -> Failure {
        Failure::file("write", &self.path, error)
    }
}

/// Where a symbolic link leads, so that it is the file behind it that is written.
async fn behind_link(path: &Path) -> PathBuf {
    let Ok(link) = fs::read_link(path).await else { return path.to_owned() };
    match fs::canonicalize(path).await {
        Ok(file) => file,
        // It will be made. What a link to a link leads to is not looked for.
        Err(_) => path.parent().unwrap_or(Path::new("")).join(link),
    }
}

/// Makes a file that nobody else has, with a temporary name beside `path`.
async fn create_part(path: &Path) -> Result<(File, Part), Failure> {
    let name = path.file_name().unwrap_or_default();
    let mut attempt = 0_u32;
    loop {
        let mut name = OsString::from(name);
        name.push(if attempt == 0 { ".part".to_owned() } else { format!(".{attempt}.part") });
        let temporary = path.with_file_name(name);
        match fs::OpenOptions::new().write(true).create_new(true).open(&temporary).await {
            Ok(file) => return Ok((file, Part(temporary))),
            // Another program fetches the same file, or was killed while it did.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < MAX_PARTS => {
                attempt += 1;
            }
            Err(error) => return Err(Failure::file("write", &temporary, &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, UdpSocket};

    use quic_core::{ClientConfig, TransportConfig};

    use super::{Destination, connect};
    use crate::certificates::Identity;
    use crate::hq;
    use crate::network::{self, Preference, Trust};

    fn client() -> ClientConfig {
        let tls = network::client_tls(Trust::Anyone, hq::ALPN, Preference::Aes128).unwrap();
        network::client_config(tls, TransportConfig::default()).unwrap()
    }

    #[tokio::test]
    async fn a_server_is_found_at_whichever_address_answers() {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let silent = UdpSocket::bind(local).unwrap().local_addr().unwrap();
        let identity = Identity::self_signed().unwrap();
        let tls = network::server_tls(identity, hq::ALPN, Preference::Aes128).unwrap();
        let config = network::server_config(tls, TransportConfig::default()).unwrap();
        let socket = network::bound_socket(local, 0).unwrap();
        let server = network::server_endpoint(config, socket, None).unwrap();
        let address = server.local_addr().unwrap();
        tokio::spawn(async move {
            let accepted = network::accept(server.accept().await.unwrap()).await.unwrap();
            accepted.closed().await;
        });
        let addresses = vec![silent, address];
        let (_endpoint, connection) =
            connect(&client(), "localhost", addresses, None).await.unwrap();
        assert_eq!(connection.remote_address(), address);
    }

    #[tokio::test]
    async fn a_file_has_its_name_only_once_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let (path, part) = (folder.path().join("file"), folder.path().join("file.part"));
        let mut file = Destination::create(&path).await.unwrap();
        file.write(b"half").await.unwrap();
        assert!(part.exists() && !path.exists());
        drop(file);
        assert!(!part.exists() && !path.exists());

        let mut file = Destination::create(&path).await.unwrap();
        file.write(b"whole").await.unwrap();
        file.commit().await.unwrap();
        assert!(!part.exists());
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
    }

    #[tokio::test]
    async fn two_of_the_same_name_do_not_write_into_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut first = Destination::create(&path).await.unwrap();
        let mut second = Destination::create(&path).await.unwrap();
        first.write(b"first").await.unwrap();
        second.write(b"2nd").await.unwrap();
        first.commit().await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        second.commit().await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"2nd");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn the_file_behind_a_symbolic_link_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("old"), b"old").unwrap();
        for (link, target) in [("to old", "old"), ("to new", "new")] {
            std::os::unix::fs::symlink(target, path(link)).unwrap();
            let mut file = Destination::create(&path(link)).await.unwrap();
            file.write(b"data").await.unwrap();
            file.commit().await.unwrap();
            assert!(path(link).is_symlink());
            assert_eq!(std::fs::read(path(target)).unwrap(), b"data");
        }
    }
}

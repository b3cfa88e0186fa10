//! The client of a test case: fetches `REQUESTS` into `DOWNLOADS`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use driver::{Connection, Endpoint, SessionCache};
use indicatif::ProgressBar;
use quic_core::ClientConfig;
use quic_core::crypto::{Session, SessionFactory, StartSessionError, TlsClientConfig};
use quic_core::{ConnectionId, QUIC_V1, Side};
use rustls::quic::Keys;

use super::{TestCase, VERSION_2_FIRST, certificates, variable};
use crate::certificates::certificates_in;
use crate::errors::Failure;
use crate::get::{self, Download, Server, Source};
use crate::logs::Logs;
use crate::network::{self, Target, Trust};
use crate::protocol::Protocol;
use crate::runtime::{self, Driver, Elapsed};
use crate::url::Url;

/// A version that no server knows (RFC 9000 §15 reserves its form for that).
const GREASED_VERSION: u32 = 0x1a2a_3a4a;

/// Certificates in a chain that the verifier follows. A longer one is only made to be large.
const VERIFIABLE_CHAIN: usize = 7;

/// How long the server may take to acknowledge the end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs the client.
pub(crate) fn run(driver: Driver) -> Result<(), Failure> {
    let case = TestCase::from_environment()?;
    let urls = variable("REQUESTS")?
        .split_whitespace()
        .map(|url| url.parse().map_err(|error| Failure::usage(format!("{url}: {error}"))))
        .collect::<Result<Vec<Url>, _>>()?;
    let logs = Logs::from_environment()?;
    let mut tls = network::client_tls(trust()?, &[case.protocol().alpn()], case.preference())?;
    if matches!(case, TestCase::Resumption | TestCase::ZeroRtt) {
        tls = tls.session_store(Arc::new(SessionCache::default()));
        tls = tls.offer_early_data(case == TestCase::ZeroRtt);
    }
    if case == TestCase::VersionNegotiation {
        let mut config = network::client_config(AnyVersion(tls), case.transport())?;
        config.version = GREASED_VERSION;
        config.versions = Vec::new();
        let negotiated = runtime::block_on_one_core(driver, negotiate(config, urls, &logs))?;
        return with_logs(negotiated, logs);
    }
    let downloads = PathBuf::from(variable("DOWNLOADS")?);
    let mut config = network::client_config(tls, case.transport())?;
    if case == TestCase::Version2 {
        config.versions = VERSION_2_FIRST.to_vec();
    }
    let fetched = fetch(case, config, urls, downloads, &logs);
    let fetched = runtime::block_on_one_core(driver, fetched)?;
    with_logs(fetched, logs)
}

/// What became of the case, once its logs are written.
fn with_logs(result: Result<(), Failure>, logs: Logs) -> Result<(), Failure> {
    let finished = logs.finish();
    result.and(finished)
}

fn trust() -> Result<Trust, Failure> {
    let folder = certificates()?;
    let chain = certificates_in(&folder.join("cert.pem")).map_or(0, |chain| chain.len());
    if chain > VERIFIABLE_CHAIN {
        return Ok(Trust::Anyone);
    }
    certificates_in(&folder.join("ca.pem")).map(Trust::Roots)
}

/// Everything on one connection, or one connection each; or the first file on one, and the others
/// on another that resumes its session.
async fn fetch(
    case: TestCase,
    config: ClientConfig,
    urls: Vec<Url>,
    folder: PathBuf,
    logs: &Logs,
) -> Result<(), Failure> {
    let Some(first) = urls.first() else { return Ok(()) };
    let server = Server { host: first.host.clone(), port: first.port };
    if urls.iter().any(|url| url.host != server.host || url.port != server.port) {
        return Err(Failure::usage("REQUESTS names several servers"));
    }
    let alone = [TestCase::MultiConnect, TestCase::Resumption, TestCase::ZeroRtt].contains(&case);
    let at_first = if alone { 1 } else { urls.len() };
    let (first, rest) = urls.split_at(at_first.min(urls.len()));
    let at_a_time = if case == TestCase::MultiConnect { 1 } else { rest.len().max(1) };
    for urls in std::iter::once(first).chain(rest.chunks(at_a_time)) {
        let downloads = urls
            .iter()
            .map(|url| {
                let name = url.file_name().ok_or_else(|| {
                    Failure::usage(format!("{url} does not end in the name of a file"))
                })?;
                Ok(Download::new(url.clone(), folder.join(name)))
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let protocol = case.protocol();
        let (endpoint, connection) = connect(&config, &server, protocol, logs).await?;
        if case == TestCase::KeyUpdate {
            runtime::spawn(update_keys(connection.clone()));
        }
        let source = Source::new(&connection, protocol, &server).await?;
        get::download_all(source, downloads, &ProgressBar::hidden()).await?.complete()?;
        protocol.close(&connection);
        // The server hears of the end now rather than by its idle timeout.
        let _: Result<(), Elapsed> = runtime::timeout(SHUTDOWN_TIMEOUT, endpoint.wait_idle()).await;
    }
    Ok(())
}

async fn connect(
    config: &ClientConfig,
    server: &Server,
    protocol: Protocol,
    logs: &Logs,
) -> Result<(Endpoint, Connection), Failure> {
    let address = get::resolve(server).await?;
    let socket = network::bound_socket(network::any_port_towards(address), network::SOCKET_BUFFER)?;
    let endpoint = network::client_endpoint(socket, logs.recorder())?;
    let target = Target { address, name: &server.host };
    let alpn = &[protocol.alpn()];
    let connection = network::connect_early(&endpoint, config.clone(), target, alpn).await?;
    Ok((endpoint, connection))
}

/// Updates the keys once, as soon as the handshake is confirmed.
async fn update_keys(connection: Connection) {
    while connection.stats().key_updates == 0 && connection.close_reason().is_none() {
        connection.force_key_update();
        runtime::sleep(Duration::from_millis(5)).await;
    }
}

/// Succeeds if the server says that it does not know the version.
async fn negotiate(config: ClientConfig, urls: Vec<Url>, logs: &Logs) -> Result<(), Failure> {
    let Some(url) = urls.first() else {
        return Err(Failure::usage("REQUESTS names no server"));
    };
    let server = Server { host: url.host.clone(), port: url.port };
    let address = get::resolve(&server).await?;
    let socket = network::bound_socket(network::any_port_towards(address), network::SOCKET_BUFFER)?;
    let endpoint = network::client_endpoint(socket, logs.recorder())?;
    let failure = |problem: &dyn std::fmt::Display| {
        Failure::connect(format!("expected a Version Negotiation packet: {problem}"))
    };
    let connecting =
        endpoint.connect_with(config, address, &server.host).map_err(|error| failure(&error))?;
    match connecting.await {
        Err(quic_core::ConnectionError::VersionMismatch) => Ok(()),
        Err(error) => Err(failure(&error)),
        Ok(_) => Err(failure(&"the server took a version that does not exist")),
    }
}

/// TLS that makes the first packets of any version as it would those of version 1.
#[derive(Debug)]
struct AnyVersion(TlsClientConfig);

impl SessionFactory for AnyVersion {
    fn start(
        &self,
        _version: u32,
        server_name: Option<&str>,
        parameters: Vec<u8>,
    ) -> Result<Box<dyn Session>, StartSessionError> {
        self.0.start(QUIC_V1, server_name, parameters)
    }

    fn initial_keys(
        &self,
        _version: u32,
        destination_id: &ConnectionId,
        side: Side,
    ) -> Option<Keys> {
        self.0.initial_keys(QUIC_V1, destination_id, side)
    }
}

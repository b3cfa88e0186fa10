//! The server of a test case: serves `WWW` on `LISTEN` until it is stopped.

use std::net::SocketAddr;
use std::path::PathBuf;

use quic_core::{AddressValidation, ServerVersions, VersionChoice};

use super::{TestCase, VERSION_2_FIRST, certificates, variable};
use crate::certificates::Identity;
use crate::errors::Failure;
use crate::logs::Logs;
use crate::network;
use crate::output::Output;
use crate::runtime::{self, Driver};
use crate::serve;
use crate::stopping::Stopping;

/// Runs the server.
pub(crate) fn run(driver: Driver, output: Output) -> Result<(), Failure> {
    let case = TestCase::from_environment()?;
    let listen = variable("LISTEN")?;
    let listen: SocketAddr = listen.parse().map_err(|_| {
        Failure::usage(format!("LISTEN is {listen:?}, which is not an address and port"))
    })?;
    let root = serve::root(&PathBuf::from(variable("WWW")?))?;
    let folder = certificates()?;
    let identity = Identity::from_files(&folder.join("cert.pem"), &folder.join("priv.key"))?;
    let tls = network::server_tls(identity, &[case.protocol().alpn()], case.preference())?;
    let tls = tls.accept_early_data(case == TestCase::ZeroRtt);
    let mut config = network::server_config(tls, case.transport())?;
    if case == TestCase::Version2 {
        config.versions = ServerVersions::new(&VERSION_2_FIRST);
        config.versions.choice = VersionChoice::Server;
    }
    if case == TestCase::Retry {
        config.validation = AddressValidation::Always;
    }
    let logs = Logs::from_environment()?;
    if case == TestCase::ConnectionMigration {
        config.preferred_address_v4 = preferred("PREFERRED_V4")?;
        config.preferred_address_v6 = preferred("PREFERRED_V6")?;
    }
    runtime::block_on_one_core(driver, async {
        let socket = network::bound_socket(listen, network::SOCKET_BUFFER)?;
        let endpoint = network::server_endpoint(config, socket, logs.recorder())?;
        let stopped = runtime::stop_signal()?;
        let (_stopping, stop) = Stopping::new();
        tokio::select! {
            () = serve::accept(&endpoint, root, output, stop) => {}
            () = stopped => {}
        }
        drop(endpoint);
        logs.finish()
    })?
}

/// An address that clients are to move to, if the environment names one.
fn preferred<A: std::str::FromStr>(name: &str) -> Result<Option<A>, Failure> {
    let Ok(value) = variable(name) else { return Ok(None) };
    let address = value.parse().map_err(|_| {
        Failure::usage(format!("{name} is {value:?}, which is not an address and port"))
    })?;
    Ok(Some(address))
}

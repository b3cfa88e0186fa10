//! `quic get` at servers that send it elsewhere, and `quic serve` as HTTP/3 sees it when it stops.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

use std::fs;
use std::future::poll_fn;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use driver_tokio::crypto::{TlsClientConfig, TlsServerConfig};
use driver_tokio::rustls::RootCertStore;
use driver_tokio::rustls::pki_types::pem::PemObject as _;
use driver_tokio::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use driver_tokio::{
    ClientConfig, Connection, ConnectionError, Endpoint, Keyring, ServerConfig, TransportConfig,
};
use h3::error::Code;
use h3_quic_core::ALPN;
use http::header::LOCATION;
use http::{Request, Response, StatusCode};
use rcgen::{Certificate, KeyPair};
use tempfile::TempDir;
use tokio::runtime::Runtime;

fn quic(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quic"));
    command.args(arguments).stdin(Stdio::null()).env_remove("SSLKEYLOGFILE");
    command
}

/// Two servers that send whoever asks from one place to another.
struct Servers {
    folder: TempDir,
    addresses: [SocketAddr; 2],
    _runtime: Runtime,
}

impl Servers {
    fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
        let runtime = Runtime::new().unwrap();
        let entered = runtime.enter();
        let endpoints = [0, 1].map(|_| endpoint(&made.cert, &made.signing_key));
        let addresses = endpoints.each_ref().map(|endpoint| endpoint.local_addr().unwrap());
        for endpoint in endpoints {
            tokio::spawn(async move {
                while let Some(incoming) = endpoint.accept().await {
                    tokio::spawn(serve(incoming.await.unwrap(), addresses));
                }
            });
        }
        drop(entered);
        Self { folder, addresses, _runtime: runtime }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Fetches from the first server.
    fn get(&self, path: &str) -> Output {
        let url = format!("https://{}{path}", self.addresses[0]);
        quic(&["get", "--ca", &self.path("ca.pem"), &url, "-o", &self.path("out")])
            .output()
            .unwrap()
    }

    /// What a path leads to in the end.
    #[track_caller]
    fn check(&self, path: &str, expected: &str) {
        let output = self.get(path);
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(fs::read_to_string(self.path("out")).unwrap(), expected, "{path}");
        fs::remove_file(self.path("out")).unwrap();
    }

    #[track_caller]
    fn check_refused(&self, path: &str, reason: &str) {
        let output = self.get(path);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{path}: {errors}");
        assert!(errors.contains(reason) && errors.lines().count() == 1, "{path}: {errors}");
        assert!(!Path::new(&self.path("out")).exists(), "{path}");
    }
}

fn endpoint(certificate: &Certificate, key: &KeyPair) -> Endpoint {
    let chain = vec![certificate.der().clone()];
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let tls = TlsServerConfig::from_certificate(chain, key, &[ALPN]).unwrap();
    let keyring = Keyring::new([7; 32]);
    let config = ServerConfig::new(Arc::new(tls), TransportConfig::default(), keyring).unwrap();
    Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap()
}

/// Answers the requests of a connection.
async fn serve(connection: Connection, addresses: [SocketAddr; 2]) {
    let transport = h3_quic_core::Connection::new(connection);
    let mut http = h3::server::builder().build::<_, Bytes>(transport).await.unwrap();
    while let Ok(Some(resolver)) = http.accept().await {
        tokio::spawn(async move {
            let (request, mut stream) = resolver.resolve_request().await.unwrap();
            let (head, body) = answer(request.uri().path(), addresses);
            stream.send_response(head).await.unwrap();
            stream.send_data(Bytes::from(body)).await.unwrap();
            stream.finish().await.unwrap();
        });
    }
}

/// What a path is answered with: the path of files is their content.
fn answer(path: &str, [first, second]: [SocketAddr; 2]) -> (Response<()>, String) {
    let moved = |status: u16, to: String| {
        let response = Response::builder().status(status).header(LOCATION, to);
        (response.body(()).unwrap(), "not this".to_owned())
    };
    match path {
        "/moved" => moved(301, "/file/1".into()),
        "/folder/found" => moved(302, "../file/2".into()),
        "/other" => moved(303, "file/3?query".into()),
        "/temporary" => moved(307, format!("https://{first}/file/4#part")),
        "/permanent" => moved(308, format!("//{second}/there")),
        "/there" => moved(302, format!("https://{first}/back")),
        "/back" => moved(302, format!("https://{second}/file/5")),
        "/circle/1" => moved(302, "2".into()),
        "/circle/2" => moved(302, "1".into()),
        "/unencrypted" => moved(302, format!("http://{first}/file/6")),
        "/choice" => moved(300, "/file/7".into()),
        "/nowhere" => {
            let response = Response::builder().status(StatusCode::FOUND);
            (response.body(()).unwrap(), String::new())
        }
        _ => match path.strip_prefix("/many/").and_then(|left| left.parse::<u32>().ok()) {
            Some(0) => moved(302, "/file/many".into()),
            Some(left) => moved(302, (left - 1).to_string()),
            None => (Response::new(()), path.to_owned()),
        },
    }
}

#[test]
fn a_file_that_is_elsewhere_is_fetched_from_there() {
    let servers = Servers::start();
    servers.check("/moved", "/file/1");
    servers.check("/folder/found", "/file/2");
    servers.check("/other", "/file/3");
    servers.check("/temporary", "/file/4");
    servers.check("/permanent", "/file/5");
    servers.check("/many/9", "/file/many");
}

#[test]
fn redirects_that_lead_nowhere_are_not_followed() {
    let servers = Servers::start();
    servers.check_refused("/many/10", "10 redirects are followed and no more");
    servers.check_refused("/circle/1", "goes round in a circle");
    servers.check_refused("/unencrypted", "only https is followed, not http");
    servers.check_refused("/nowhere", "does not say where");
    servers.check_refused("/choice", "does not say where");
}

/// A connection to a server whose certificate is in a file.
async fn connect(address: SocketAddr, ca: &Path) -> Connection {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let tls = TlsClientConfig::from_roots(roots, &[ALPN]).unwrap();
    let config = ClientConfig::new(Arc::new(tls), TransportConfig::default()).unwrap();
    let endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    endpoint.connect_with(config, address, "localhost").unwrap().await.unwrap()
}

// RFC 9114 §5.2.
#[test]
fn a_server_that_stops_says_so_answers_what_was_asked_and_closes_without_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (root, ca) = (folder.path().join("root"), folder.path().join("ca.pem"));
    fs::create_dir(&root).unwrap();
    fs::write(root.join("large"), vec![7; 20_000_000]).unwrap();
    let mut server = quic(&["serve", "--listen", "127.0.0.1:0", "--save-cert"])
        .args([&ca, &root])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split_whitespace().last().unwrap().parse().unwrap();
    let process = server.id().to_string();
    Runtime::new().unwrap().block_on(async {
        let connection = connect(address, &ca).await;
        let transport = h3_quic_core::Connection::new(connection.clone());
        let (mut http, mut requests) = h3::client::new(transport).await.unwrap();
        let closed = tokio::spawn(async move { poll_fn(|cx| http.poll_close(cx)).await });
        let ask = |path: &str| {
            let uri = format!("https://{address}{path}");
            Request::get(uri).body(()).unwrap()
        };
        let mut large = requests.send_request(ask("/large")).await.unwrap();
        large.finish().await.unwrap();
        assert_eq!(large.recv_response().await.unwrap().status(), StatusCode::OK);
        assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
        // The client begins nothing more once it knows.
        while requests.send_request(ask("/late")).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(connection.close_reason(), None);
        let mut length = 0;
        while let Some(data) = large.recv_data().await.unwrap() {
            length += data.remaining();
        }
        assert_eq!(length, 20_000_000);
        let ConnectionError::ApplicationClosed(close) = connection.closed().await else {
            panic!("it ended otherwise");
        };
        assert_eq!(close.error_code.into_inner(), Code::H3_NO_ERROR.value());
        assert!(closed.await.unwrap().is_h3_no_error());
    });
    assert!(server.wait().unwrap().success());
}

//! A page of `quic serve` in a real browser, over HTTP/3, and a WebTransport echo from it.
//!
//! `CHROMIUM` names the browser if it is not `chromium`.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic, in its helpers too"
)]

#[path = "../../http3/examples/webtransport_echo/session.rs"]
mod session;

use std::env;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use driver_tokio::crypto::TlsServerConfig;
use driver_tokio::rustls::pki_types::PrivateKeyDer;
use driver_tokio::{Endpoint, Keyring, ServerConfig, TransportConfig};
use h3_quic_core::ALPN;
use rcgen::{Certificate, CertificateParams, KeyPair, PublicKeyData as _, date_time_ymd};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

/// How long the browser may take for everything.
const LIMIT: Duration = Duration::from_secs(90);

/// Browsers take certificates by their hash if these are valid for at most two weeks.
const VALIDITY: Duration = Duration::from_hours(10 * 24);

/// Bytes that each stream echoes.
const ECHOED: usize = 300_000;

/// Fetches files, echoes, and reports to the test. What is in braces is filled in.
const PAGE: &str = r#"<!doctype html>
<title>Test</title>
<script type="module">
const hex = async data => Array.from(
    new Uint8Array(await crypto.subtle.digest('SHA-256', data)),
    byte => byte.toString(16).padStart(2, '0')).join('');
const all = async readable => new Uint8Array(await new Response(readable).arrayBuffer());
const send = async (writable, data) => {
    const writer = writable.getWriter();
    await writer.write(data);
    await writer.close();
};
const pattern = seed => Uint8Array.from({ length: {echoed} }, (_, index) => (index * 7 + seed) % 251);

async function files() {
    const found = {};
    await Promise.all({files}.map(async name => {
        const response = await fetch(name, { cache: 'no-store' });
        found[name] = {
            status: response.status,
            type: response.headers.get('content-type'),
            digest: await hex(await response.arrayBuffer()),
        };
    }));
    const range = await fetch('large.bin', { cache: 'no-store', headers: { range: 'bytes=5-9' } });
    const part = [range.status, range.headers.get('content-range'), await hex(await range.arrayBuffer())];
    const protocols = performance.getEntries()
        .filter(entry => entry.nextHopProtocol !== undefined)
        .map(entry => entry.nextHopProtocol);
    return { found, part, protocols: [...new Set(protocols)], requests: protocols.length };
}

async function echo() {
    const hash = { algorithm: 'sha-256', value: new Uint8Array({hash}) };
    const transport = new WebTransport('{echo}', { serverCertificateHashes: [hash] });
    await transport.ready;
    const both = await Promise.all([1, 2, 3, 4, 5].map(async seed => {
        const stream = await transport.createBidirectionalStream();
        const [, data] = await Promise.all([send(stream.writable, pattern(seed)), all(stream.readable)]);
        return await hex(data);
    }));
    await send(await transport.createUnidirectionalStream(), pattern(6));
    const { value: back } = await transport.incomingUnidirectionalStreams.getReader().read();
    const one = await hex(await all(back));
    const datagrams = transport.datagrams;
    const writable = datagrams.createWritable ? datagrams.createWritable() : datagrams.writable;
    const [writer, reader] = [writable.getWriter(), datagrams.readable.getReader()];
    const received = [];
    for (const text of ['one', 'two', 'three']) {
        await writer.write(new TextEncoder().encode(text));
        received.push(new TextDecoder().decode((await reader.read()).value));
    }
    transport.close();
    return { both, one, received };
}

let report;
try {
    report = { files: await files(), echo: await echo() };
} catch (error) {
    report = { error: String(error) };
}
await fetch('{report}', { method: 'POST', mode: 'no-cors', body: JSON.stringify(report) });
</script>
"#;

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may be over.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A certificate for localhost that browsers take by its hash.
fn certificate() -> (Certificate, KeyPair) {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.not_before =
        date_time_ymd(1970, 1, 1) + since_1970.saturating_sub(Duration::from_hours(1));
    parameters.not_after = parameters.not_before + VALIDITY;
    let key = KeyPair::generate().unwrap();
    (parameters.self_signed(&key).unwrap(), key)
}

fn sha256(data: &[u8]) -> String {
    digest(&SHA256, data)
        .as_ref()
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// Bytes without a pattern that repeats soon.
fn data(length: u32) -> Vec<u8> {
    (0..length).map(|index| index.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

/// What a stream echoes, as the page makes it.
fn echoed(seed: usize) -> String {
    let bytes = (0..ECHOED).map(|index| u8::try_from((index * 7 + seed) % 251).unwrap());
    sha256(&bytes.collect::<Vec<_>>())
}

/// `quic serve`, and where it listens.
fn serve(folder: &Path) -> (Running, SocketAddr) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_quic"))
        .args(["serve", "--json", "--listen", "127.0.0.1:0", "--cert"])
        .arg(folder.join("cert.pem"))
        .arg("--key")
        .arg(folder.join("key.pem"))
        .arg(folder.join("root"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let started: Value = serde_json::from_str(&line).unwrap();
    let address = started.get("listening").unwrap().as_str().unwrap().parse().unwrap();
    (Running(process), address)
}

/// The WebTransport server of the example; it runs as long as the runtime.
fn echo(runtime: &tokio::runtime::Runtime, certificate: &Certificate, key: &KeyPair) -> SocketAddr {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let chain = vec![certificate.der().clone()];
    let tls = TlsServerConfig::from_certificate(chain, key, &[ALPN]).unwrap();
    let keyring = Keyring::new([7; 32]);
    let config = ServerConfig::new(Arc::new(tls), TransportConfig::default(), keyring).unwrap();
    let _entered = runtime.enter();
    let endpoint = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = endpoint.local_addr().unwrap();
    runtime.spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            let connection = incoming.await.unwrap();
            tokio::spawn(async move { session::serve(connection).await.ok() });
        }
    });
    address
}

/// Opens the page in a browser without a window.
fn browse(folder: &Path, page: &str, server: SocketAddr, key: &KeyPair) -> Running {
    let browser = env::var("CHROMIUM").unwrap_or_else(|_| "chromium".into());
    let port = server.port();
    let trusted = STANDARD.encode(digest(&SHA256, &key.subject_public_key_info()));
    let started = Command::new(&browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg("--host-resolver-rules=MAP localhost 127.0.0.1")
        .arg(format!("--origin-to-force-quic-on=localhost:{port}"))
        .arg(format!("--ignore-certificate-errors-spki-list={trusted}"))
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("https://localhost:{port}/{page}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(folder.join("browser.log")).unwrap())
        .spawn();
    Running(started.unwrap_or_else(|error| panic!("cannot start {browser}: {error}")))
}

/// What the page reports: the body of a POST.
fn report(listener: &TcpListener) -> Option<Value> {
    listener.set_nonblocking(true).unwrap();
    let end = Instant::now() + LIMIT;
    let stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(50)),
            Err(_) => return None,
        }
    };
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut reader = BufReader::new(&stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (&stream).write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    Some(serde_json::from_slice(&body).unwrap())
}

#[test]
#[ignore = "needs Chromium: .ci/run browser"]
fn a_page_loads_over_http3_and_a_webtransport_echo_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (certificate, key) = certificate();
    fs::create_dir(path("root")).unwrap();
    fs::write(path("cert.pem"), certificate.pem()).unwrap();
    fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    let files = [
        ("large.bin", data(5_000_000), "application/octet-stream"),
        ("small.txt", b"h\xc3\xa9llo".to_vec(), "text/plain; charset=utf-8"),
        ("empty.json", Vec::new(), "application/json"),
    ];
    for (name, content, _) in &files {
        fs::write(path("root").join(name), content).unwrap();
    }

    let (_server, address) = serve(folder.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let echo = echo(&runtime, &certificate, &key);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut names = files.iter().map(|(name, ..)| *name).collect::<Vec<_>>();
    names.push("missing");
    let page = PAGE
        .replace("{files}", &json!(names).to_string())
        .replace("{echoed}", &ECHOED.to_string())
        .replace("{hash}", &format!("{:?}", digest(&SHA256, certificate.der()).as_ref()))
        .replace("{echo}", &format!("https://{echo}/"))
        .replace("{report}", &format!("http://{}/", listener.local_addr().unwrap()));
    fs::write(path("root/page.html"), page).unwrap();

    let _browser = browse(folder.path(), "page.html", address, &key);
    let report = report(&listener).unwrap_or_else(|| {
        panic!("no report: {}", fs::read_to_string(path("browser.log")).unwrap_or_default())
    });
    assert_eq!(report["error"], Value::Null, "{report}");

    let found = &report["files"]["found"];
    for (name, content, kind) in &files {
        let expected = json!({ "status": 200, "type": kind, "digest": sha256(content) });
        assert_eq!(found[name], expected, "{name}");
    }
    assert_eq!(found["missing"]["status"], 404);
    let part = json!([206, "bytes 5-9/5000000", sha256(&data(10)[5..])]);
    assert_eq!(report["files"]["part"], part);
    assert_eq!(report["files"]["protocols"], json!(["h3"]));
    assert!(report["files"]["requests"].as_u64() >= Some(5), "{report}");

    let both = (1..=5).map(echoed).collect::<Vec<_>>();
    let echoes = json!({ "both": both, "one": echoed(6), "received": ["one", "two", "three"] });
    assert_eq!(report["echo"], echoes);
}

//! `quic serve`: the files of a directory, over HTTP/3 or `hq-interop`.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use driver::{
    ClosedStream, Connection, ConnectionError, Endpoint, Incoming, RecvStream, SendStream,
};
use quic_core::{Side, TransportConfig, VarInt};
use serde_json::json;

use crate::arguments::Serve;
use crate::certificates::Identity;
use crate::errors::Failure;
use crate::files::{self, Refusal};
use crate::hq;
use crate::logs::Logs;
use crate::network::{self, Preference};
use crate::output::Output;
use crate::protocol::{self, Protocol};
use crate::runtime;
use crate::stopping::{Busy, Stop, Stopping};
use crate::web;

/// Bytes read from a file at a time.
const CHUNK: usize = 256 << 10;

/// How long a client may take to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long what goes on may take when the server stops.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves until the process is told to stop, and finishes what goes on then, unless it is told so
/// once more.
pub(crate) async fn run(options: Serve, output: Output) -> Result<(), Failure> {
    let root = root(&options.directory)?;
    let identity = identity(&options)?;
    let tls = network::server_tls(identity, &protocol::names(&Protocol::ALL), Preference::Aes128)?;
    let tls = tls.accept_early_data(options.early_data);
    let mut transport = TransportConfig::default();
    transport.congestion = options.congestion.into();
    let config = network::server_config(tls, transport)?;
    let socket = network::bound_socket(options.listen, network::SOCKET_BUFFER)?;
    let logs = Logs::new(options.qlog.as_deref(), None, Side::Server)?;
    let shards = network::shards(options.shards, runtime::cores());
    let endpoint = network::sharded_server_endpoint(config, socket, logs.recorder(), shards)?;
    let address = network::local_address(&endpoint)?;
    let stopped = runtime::stop_signal()?;
    output.result(
        &json!({ "listening": address, "directory": options.directory }),
        &format!("serving {} on {address}", options.directory.display()),
    );
    let (stopping, stop) = Stopping::new();
    tokio::select! {
        () = accept(&endpoint, root, output, stop) => {}
        () = stopped => {}
    }
    endpoint.stop_accepting();
    let again = runtime::stop_signal()?;
    tokio::select! {
        () = stopping.finish() => {}
        () = again => {}
        () = runtime::sleep(FINISH_TIMEOUT) => {}
    }
    // HTTP/3 has a code for it; to the other protocol, codes mean nothing.
    endpoint.close(Protocol::H3.no_error(), b"");
    network::shut_down(&endpoint).await;
    logs.finish()
}

/// The directory to serve, free of symbolic links.
pub(crate) fn root(directory: &Path) -> Result<Arc<Path>, Failure> {
    let root =
        directory.canonicalize().map_err(|error| Failure::file("serve", directory, &error))?;
    if !root.is_dir() {
        return Err(Failure::local(format!(
            "cannot serve {}: it is not a directory",
            root.display()
        )));
    }
    Ok(root.into())
}

fn identity(options: &Serve) -> Result<Identity, Failure> {
    if let (Some(certificate), Some(key)) = (&options.cert, &options.key) {
        return Identity::from_files(certificate, key);
    }
    let identity = Identity::self_signed()?;
    if let (Some(path), Some(pem)) = (&options.save_cert, &identity.pem) {
        fs::write(path, pem)
            .map_err(|error| Failure::file("write the certificate", path, &error))?;
    }
    Ok(identity)
}

/// Accepts connections until the endpoint is closed.
pub(crate) async fn accept(endpoint: &Endpoint, root: Arc<Path>, output: Output, stop: Stop) {
    while let Some(incoming) = endpoint.accept().await {
        runtime::spawn(serve_connection(incoming, Arc::clone(&root), output, stop.clone()));
    }
}

async fn serve_connection(incoming: Incoming, root: Arc<Path>, output: Output, mut stop: Stop) {
    let remote = incoming.remote_address();
    let unconnected =
        move |error: ConnectionError| output.note(&format!("{remote} no connection: {error}"));
    let mut connecting = match incoming.accept() {
        Ok(connecting) => connecting,
        Err(error) => return unconnected(error),
    };
    if let Err(error) = connecting.handshake_data().await {
        return unconnected(error);
    }
    // Who resumes a session may ask before the handshake is complete, where 0-RTT is taken.
    let connection: Connection = match connecting.into_0rtt() {
        Ok((connection, handshake)) => {
            runtime::spawn(async move {
                if let Err(error) = handshake.await {
                    unconnected(error);
                }
            });
            connection
        }
        Err(connecting) => match connecting.await {
            Ok(connection) => connection,
            Err(error) => return unconnected(error),
        },
    };
    if Protocol::of(&connection) == Some(Protocol::H3) {
        return web::serve(connection, root, output, stop).await;
    }
    let busy = Busy::new();
    loop {
        let (send, recv) = tokio::select! {
            biased;
            accepted = connection.accept_bi() => match accepted {
                Ok(streams) => streams,
                Err(_) => return,
            },
            () = stop.told() => break,
        };
        let (root, work) = (Arc::clone(&root), busy.begin());
        runtime::spawn(async move {
            let line = serve_request(send, recv, &root).await;
            output.note(&format!("{remote} {}", line.escape_debug()));
            drop(work);
        });
    }
    busy.done().await;
    // The connection may have ended before.
    let _: Result<(), ConnectionError> =
        connection.shutdown(Protocol::HqInterop.no_error(), b"").await;
}

/// Answers a request; returns what to log.
async fn serve_request(mut send: SendStream, mut recv: RecvStream, root: &Path) -> String {
    let reading = recv.read_to_end(hq::MAX_REQUEST_LENGTH);
    let request = runtime::timeout(REQUEST_TIMEOUT, reading).await;
    let early = if recv.is_0rtt() { ", by 0-RTT" } else { "" };
    let request = match request {
        Ok(Ok(request)) => request,
        Ok(Err(error)) => {
            refuse(&mut send, Refusal::BadRequest);
            return format!("no request: {error}");
        }
        Err(_) => {
            refuse(&mut send, Refusal::BadRequest);
            return "no request in time".into();
        }
    };
    let path = match hq::requested_path(&request) {
        Ok(path) => path.to_owned(),
        Err(refusal) => {
            refuse(&mut send, refusal);
            return "not a request".into();
        }
    };
    match send_file(&mut send, root, &path).await {
        Ok(length) => format!("GET {path} {length} bytes{early}"),
        Err(problem) => format!("GET {path} {problem}"),
    }
}

async fn send_file(send: &mut SendStream, root: &Path, path: &str) -> Result<u64, String> {
    let (root, wanted) = (root.to_owned(), path.to_owned());
    let (mut file, length) = match runtime::unblock(move || files::open(&root, &wanted)).await {
        Ok(opened) => opened,
        Err(refusal) => {
            refuse(send, refusal);
            return Err(format!("refused: {}", Refusal::explain(refusal.code().into())));
        }
    };
    let mut total = 0_u64;
    loop {
        let (rest, read) = runtime::unblock(move || {
            let read = next_chunk(&mut file, length);
            (file, read)
        })
        .await;
        file = rest;
        let chunk = match read {
            Ok(chunk) if chunk.is_empty() => break,
            Ok(chunk) => chunk,
            Err(error) => {
                refuse(send, Refusal::Unreadable);
                return Err(error.to_string());
            }
        };
        total = total.saturating_add(chunk.len() as u64);
        send.write_chunk(chunk).await.map_err(|error| format!("broke off: {error}"))?;
        // Another read would find nothing, and let the data leave without its FIN meanwhile. The
        // system's own files have contents, though no length.
        if length > 0 && total >= length {
            break;
        }
    }
    send.finish().map_err(|error| format!("broke off: {error}"))?;
    Ok(total)
}

/// Reads on in a file of so many bytes, as far as anybody knows; nothing at its end.
fn next_chunk(file: &mut File, length: u64) -> io::Result<Bytes> {
    let most = usize::try_from(length).map_or(CHUNK, |length| length.min(CHUNK));
    let mut chunk = Vec::with_capacity(most);
    file.take(CHUNK as u64).read_to_end(&mut chunk)?;
    Ok(chunk.into())
}

fn refuse(send: &mut SendStream, refusal: Refusal) {
    // A stream that is over needs no reset.
    let _: Result<(), ClosedStream> = send.reset(VarInt::from_u32(refusal.code()));
}

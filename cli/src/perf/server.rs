//! Answers requests.

use driver::{Connection, Endpoint, Incoming, ReadError, RecvStream, SendStream, WriteError};
use quic_core::ServerConfig;
use serde_json::json;

use super::{ALPN, CHUNK, Server, send_zeros};
use crate::certificates::Identity;
use crate::errors::Failure;
use crate::network::{self, Preference};
use crate::output::Output;
use crate::runtime::{self, Driver};

/// Serves until the process is told to stop.
pub(crate) fn run(options: &Server, driver: Driver, output: Output) -> Result<(), Failure> {
    let identity = Identity::from_files(&options.cert, &options.key)?;
    let tls = network::server_tls(identity, &[ALPN], Preference::Aes128)?;
    let config = network::server_config(tls, options.tuning.transport())?;
    runtime::block_on(driver, options.tuning.threads, serve(options, config, output))?
}

async fn serve(options: &Server, config: ServerConfig, output: Output) -> Result<(), Failure> {
    let socket = network::bound_socket(options.listen, options.tuning.sockbuf)?;
    let shards = network::shards(options.shards, options.tuning.threads);
    let endpoint = network::sharded_server_endpoint(config, socket, None, shards)?;
    let address = network::local_address(&endpoint)?;
    let stopped = runtime::stop_signal()?;
    output.result(&json!({ "listening": address }), &format!("listening on {address}"));
    // A runtime looks at what it was started with more often, and less cheaply, than at its tasks.
    runtime::spawn(accept(endpoint.clone()));
    stopped.await;
    network::shut_down(&endpoint).await;
    Ok(())
}

/// Accepts connections until the endpoint is closed.
async fn accept(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        runtime::spawn(serve_connection(incoming));
    }
}

async fn serve_connection(incoming: Incoming) {
    let Ok(connection) = network::accept(incoming).await else { return };
    serve_streams(&connection).await;
}

async fn serve_streams(connection: &Connection) {
    while let Ok((send, recv)) = connection.accept_bi().await {
        runtime::spawn(async move {
            // A request that breaks off concerns nobody but the client, who knows.
            let _: Result<(), StreamError> = serve_request(send, recv).await;
        });
    }
}

/// A stream broke off.
#[derive(Debug)]
struct StreamError;

impl From<ReadError> for StreamError {
    fn from(_: ReadError) -> Self {
        Self
    }
}

impl From<WriteError> for StreamError {
    fn from(_: WriteError) -> Self {
        Self
    }
}

async fn serve_request(mut send: SendStream, mut recv: RecvStream) -> Result<(), StreamError> {
    let Some(wanted) = wanted_length(&mut recv).await? else { return Ok(()) };
    if wanted <= CHUNK as u64 {
        // The answer, or the end of an empty one, acknowledges the whole request.
        drain(&mut recv).await?;
        send_zeros(&mut send, wanted).await?;
        return Ok(());
    }
    // Apart, so that the tasks of short answers stay small.
    Box::pin(serve_long(send, recv, wanted)).await
}

/// Answers while the request still arrives.
async fn serve_long(
    mut send: SendStream,
    mut recv: RecvStream,
    wanted: u64,
) -> Result<(), StreamError> {
    let answer = async { send_zeros(&mut send, wanted).await.map_err(StreamError::from) };
    tokio::try_join!(answer, drain(&mut recv))?;
    Ok(())
}

/// The wanted length of the answer; `None` if the request ends before it is told. What came with it
/// only counts.
async fn wanted_length(recv: &mut RecvStream) -> Result<Option<u64>, StreamError> {
    let mut header = [0; 8];
    let mut rest = header.as_mut_slice();
    while !rest.is_empty() {
        let Some(chunk) = recv.read_chunk(usize::MAX).await? else { return Ok(None) };
        let (filled, empty) = rest.split_at_mut(rest.len().min(chunk.len()));
        if let Some(start) = chunk.get(..filled.len()) {
            filled.copy_from_slice(start);
        }
        rest = empty;
    }
    Ok(Some(u64::from_be_bytes(header)))
}

async fn drain(recv: &mut RecvStream) -> Result<(), StreamError> {
    while recv.read_chunk(usize::MAX).await?.is_some() {}
    Ok(())
}

//! Files over HTTP/3, as browsers ask for them.

mod answer;
mod listing;
mod range;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use driver::{Connection, Direction, Side, StreamId};
use h3::error::{Code, StreamError};
use h3::quic;
use h3::server::{RequestResolver, RequestStream};
use h3_quic_core::{BidiStream, SendStream};
use http::{Method, Request, Response};

use crate::output::Output;
use crate::protocol::Protocol;
use crate::runtime;
use crate::stopping::{Busy, Stop};
use answer::{Answer, Body, FileBody};

/// How long a client may take to send a request's headers.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may take to end a request that was answered.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest header section that is read, in bytes (RFC 9114 §4.2.2).
const MAX_FIELD_SECTION: u64 = 64 << 10;

/// The most bytes of a request's body that are read, to be thrown away.
const MAX_BODY: usize = 64 << 10;

type Resolver = RequestResolver<h3_quic_core::Connection, Bytes>;
type Sender = RequestStream<SendStream<Bytes>, Bytes>;
type Stream = RequestStream<BidiStream<Bytes>, Bytes>;

/// Answers the requests of a connection until it ends, or those that have come until the server
/// stops.
pub(crate) async fn serve(connection: Connection, root: Arc<Path>, output: Output, mut stop: Stop) {
    let remote = connection.remote_address();
    let transport = h3_quic_core::Connection::new(connection.clone());
    let mut builder = h3::server::builder();
    builder.max_field_section_size(MAX_FIELD_SECTION);
    let mut http = match builder.build::<_, Bytes>(transport).await {
        Ok(http) => http,
        Err(error) => return output.note(&format!("{remote} no HTTP/3: {error}")),
    };
    let busy = Busy::new();
    // The index of the first request that has not come.
    let mut next = 0;
    let mut leaving = false;
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = http.accept() => accepted,
            () = stop.told(), if !leaving => {
                leaving = true;
                // So that the client knows which requests were not answered (RFC 9114 §5.2).
                match http.shutdown(1).await {
                    Ok(()) => continue,
                    Err(_) => return,
                }
            }
            () = busy.done(), if leaving => break,
        };
        let resolver = match accepted {
            Ok(Some(resolver)) => resolver,
            Ok(None) => return,
            Err(error) if error.is_h3_no_error() || connection.close_reason().is_some() => return,
            Err(error) => return output.note(&format!("{remote} broke HTTP/3: {error}")),
        };
        let index = resolver.frame_stream.id().index();
        if leaving && index >= next {
            reject(resolver);
            continue;
        }
        next = next.max(index.saturating_add(1));
        let id = StreamId::new(Side::Client, Direction::Bidirectional, index);
        let early = connection.is_stream_0rtt(id);
        let (root, work) = (Arc::clone(&root), busy.begin());
        runtime::spawn(async move {
            let line = serve_request(resolver, early, root).await;
            output.note(&format!("{remote} {}", line.escape_debug()));
            drop(work);
        });
    }
    let ended = connection.shutdown(Protocol::H3.no_error(), b"").await;
    // It may have ended before. Dropped earlier, HTTP/3 would not wait for what is on its way.
    drop((http, ended));
}

/// Lets a client know that its request came too late, so that it can ask elsewhere (RFC 9114
/// §5.2).
fn reject(mut resolver: Resolver) {
    quic::SendStream::reset(&mut resolver.frame_stream, Code::H3_REQUEST_REJECTED.value());
}

/// Answers a request; returns what to log.
async fn serve_request(resolver: Resolver, early: bool, root: Arc<Path>) -> String {
    let (request, stream) =
        match runtime::timeout(REQUEST_TIMEOUT, resolver.resolve_request()).await {
            Ok(Ok(request)) => request,
            Ok(Err(error)) => return format!("no request: {error}"),
            Err(_) => return "no request in time".into(),
        };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let line = match respond(request, stream, root).await {
        Ok(line) => line,
        Err(error) => format!("broke off: {error}"),
    };
    let early = if early { ", by 0-RTT" } else { "" };
    format!("{method} {path} {line}{early}")
}

async fn respond(
    request: Request<()>,
    stream: Stream,
    root: Arc<Path>,
) -> Result<String, StreamError> {
    let is_head = request.method() == Method::HEAD;
    let Answer { head, body } = runtime::unblock(move || answer::answer(&root, &request)).await;
    let status = head.status();
    let (mut send, mut recv) = stream.split();
    send.send_response(head).await?;
    let length = match body {
        Body::Text(text) if !is_head && !text.is_empty() => send_text(&mut send, text).await?,
        Body::File(file) if !is_head => match send_file(&mut send, file).await? {
            Some(length) => length,
            None => return Ok(format!("{status} broke off: the file changed")),
        },
        Body::Text(_) | Body::File(_) => 0,
    };
    send.finish().await?;
    // Who asks does not expect to be told to stop: a client may take that for a failure.
    let rest = async {
        let mut left = MAX_BODY;
        while let Ok(Some(data)) = recv.recv_data().await
            && data.remaining() <= left
        {
            left -= data.remaining();
        }
    };
    // What does not end in time is stopped, without an error (RFC 9114 §4.1).
    let _: Result<(), runtime::Elapsed> = runtime::timeout(END_TIMEOUT, rest).await;
    Ok(format!("{status}, {length} bytes"))
}

async fn send_text(send: &mut Sender, text: Bytes) -> Result<u64, StreamError> {
    let length = text.len() as u64;
    send.send_data(text).await?;
    Ok(length)
}

/// Sends a file; `None` if it has not what the headers promised, which is told to the client.
async fn send_file(send: &mut Sender, mut file: FileBody) -> Result<Option<u64>, StreamError> {
    let mut total = 0_u64;
    loop {
        let (rest, chunk) = runtime::unblock(move || {
            let chunk = file.next_chunk();
            (file, chunk)
        })
        .await;
        file = rest;
        match chunk {
            Ok(chunk) if chunk.is_empty() => break,
            Ok(chunk) => {
                total = total.saturating_add(chunk.len() as u64);
                send.send_data(chunk).await?;
            }
            Err(_) => {
                send.stop_stream(Code::H3_INTERNAL_ERROR);
                return Ok(None);
            }
        }
    }
    Ok(Some(total))
}

/// The head of a response, which has no body as yet.
type Head = Response<()>;

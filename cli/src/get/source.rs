//! Where files come from: requests on a connection, in either protocol.

use bytes::{Buf as _, Bytes};
use driver::{Connection, ReadError, RecvStream};
use h3::client::{RequestStream, SendRequest};
use h3::error::StreamError;
use h3_quic_core::{BidiStream, OpenStreams};
use http::header::{CONTENT_LENGTH, LOCATION};
use http::{Request, Response, StatusCode, Uri};

use super::Server;
use crate::errors::Failure;
use crate::files::Refusal;
use crate::hq;
use crate::protocol::Protocol;
use crate::runtime;

/// Longest header section that is read, in bytes (RFC 9114 §4.2.2).
const MAX_FIELD_SECTION: u64 = 64 << 10;

/// A connection that files can be asked for on.
#[derive(Clone)]
pub(crate) enum Source {
    Hq(Connection),
    H3 { requests: SendRequest<OpenStreams, Bytes>, authority: String, connection: Connection },
}

impl Source {
    /// Begins to speak `protocol`.
    pub(crate) async fn new(
        connection: &Connection,
        protocol: Protocol,
        server: &Server,
    ) -> Result<Self, Failure> {
        if protocol == Protocol::HqInterop {
            return Ok(Self::Hq(connection.clone()));
        }
        let transport = h3_quic_core::Connection::new(connection.clone());
        let mut builder = h3::client::builder();
        builder.max_field_section_size(MAX_FIELD_SECTION);
        let (mut http, requests) = builder
            .build::<_, _, Bytes>(transport)
            .await
            .map_err(|error| Failure::transfer(format!("cannot speak HTTP/3: {error}")))?;
        // It ends with the connection; each request hears of that too.
        runtime::spawn(async move { drop(http.wait_idle().await) });
        Ok(Self::H3 { requests, authority: server.authority(), connection: connection.clone() })
    }

    /// Asks for a file.
    pub(super) async fn ask(self, path: &str) -> Result<Answer, Failure> {
        match self {
            Self::Hq(connection) => Ok(Answer::Body(ask_hq(&connection, path).await?)),
            Self::H3 { requests, authority, connection } => {
                ask_h3(connection, requests, &authority, path).await
            }
        }
    }
}

async fn ask_hq(connection: &Connection, path: &str) -> Result<Body, Failure> {
    let broken = |error: &dyn std::fmt::Display| broke_off(path, error);
    let (mut send, recv) = connection.open_bi().await.map_err(|error| broken(&error))?;
    send.write_all(&hq::request(path)).await.map_err(|error| broken(&error))?;
    send.finish().map_err(|error| broken(&error))?;
    Ok(Body { path: path.to_owned(), left: None, stream: Stream::Hq(recv) })
}

async fn ask_h3(
    connection: Connection,
    mut requests: SendRequest<OpenStreams, Bytes>,
    authority: &str,
    path: &str,
) -> Result<Answer, Failure> {
    let broken = |error: &StreamError| lost(&connection, path, error);
    let wanted = path.split('#').next().unwrap_or_default();
    let uri = Uri::builder().scheme("https").authority(authority).path_and_query(wanted).build();
    let request = uri.and_then(|uri| Request::get(uri).body(()));
    let request =
        request.map_err(|error| Failure::usage(format!("cannot ask for {path}: {error}")))?;
    let mut stream = requests.send_request(request).await.map_err(|error| broken(&error))?;
    match stream.finish().await {
        // A server that answered already may want nothing more (RFC 9114 §4.1).
        Ok(()) | Err(StreamError::RemoteTerminate { .. }) => {}
        Err(error) => return Err(broken(&error)),
    }
    let response = stream.recv_response().await.map_err(|error| broken(&error))?;
    let status = response.status();
    if let Some(location) = elsewhere(&response) {
        return Ok(Answer::Elsewhere(location));
    }
    if status != StatusCode::OK {
        let explained = if status.is_redirection() {
            "the server has it elsewhere and does not say where"
        } else {
            Refusal::explain(status.as_u16().into())
        };
        return Err(Failure::transfer(format!("cannot get {path}: {explained} (status {status})")));
    }
    let length = response.headers().get(CONTENT_LENGTH);
    let left = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let stream = Stream::H3(connection, Box::new(stream));
    Ok(Answer::Body(Body { path: path.to_owned(), left, stream }))
}

/// Where a server says that what was asked for is (RFC 9110 §15.4).
fn elsewhere(response: &Response<()>) -> Option<String> {
    let is_elsewhere = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers().get(LOCATION).filter(|_| is_elsewhere)?;
    Some(location.to_str().ok()?.to_owned())
}

/// What a server answers.
pub(super) enum Answer {
    Body(Body),
    /// It is there, as a reference from what was asked for.
    Elsewhere(String),
}

/// What a server sends.
pub(super) struct Body {
    path: String,
    /// How much is still to come, if the server said so.
    left: Option<u64>,
    stream: Stream,
}

enum Stream {
    Hq(RecvStream),
    H3(Connection, Box<RequestStream<BidiStream<Bytes>, Bytes>>),
}

impl Body {
    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let chunk = match &mut self.stream {
            Stream::Hq(recv) => {
                recv.read_chunk(usize::MAX).await.map_err(|error| self.refused(&error))?
            }
            Stream::H3(connection, stream) => {
                let data = stream
                    .recv_data()
                    .await
                    .map_err(|error| lost(connection, &self.path, &error))?;
                data.map(|mut data| data.copy_to_bytes(data.remaining()))
            }
        };
        if let Some(left) = &mut self.left {
            let length = chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
            let is_right = if chunk.is_some() { length <= *left } else { *left == 0 };
            if !is_right {
                return Err(broke_off(&self.path, &"its length is not what the server said"));
            }
            *left -= length;
        }
        Ok(chunk)
    }

    fn refused(&self, error: &ReadError) -> Failure {
        let path = &self.path;
        match error {
            ReadError::Reset(code) => {
                let code = code.into_inner();
                let explained = Refusal::explain(code);
                Failure::transfer(format!("cannot get {path}: {explained} (code {code})"))
            }
            ReadError::ConnectionLost(_)
            | ReadError::ClosedStream
            | ReadError::EarlyDataRejected => broke_off(path, error),
        }
    }
}

/// A transfer broke off; the connection knows better than HTTP/3 how it ended.
fn lost(connection: &Connection, path: &str, error: &StreamError) -> Failure {
    match connection.close_reason() {
        Some(reason) => broke_off(path, &format!("connection lost: {reason}")),
        None => broke_off(path, error),
    }
}

fn broke_off(path: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::transfer(format!(
        "the transfer of {path} broke off: {error}; nothing unfinished was kept, so try again"
    ))
}

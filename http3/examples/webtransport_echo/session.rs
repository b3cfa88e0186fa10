//! One WebTransport session whose streams and datagrams come back.

use std::error::Error;
use std::future::poll_fn;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use futures::try_join;
use h3::ext::Protocol;
use h3::quic::{BidiStream as _, RecvStream, SendStreamUnframed, StreamErrorIncoming};
use h3_quic_core::Connection;
use h3_webtransport::server::{AcceptedBi, WebTransportSession};
use http::{Method, Response, StatusCode};

type Session = WebTransportSession<Connection, Bytes>;
type Anything = Box<dyn Error + Send + Sync>;

/// Waits for the request for a session and serves it until the client ends it. Any path will do.
pub(crate) async fn serve(connection: driver::Connection) -> Result<(), Anything> {
    let mut connection = h3::server::builder()
        .enable_webtransport(true)
        .enable_extended_connect(true)
        .enable_datagram(true)
        .max_webtransport_sessions(1)
        .build::<_, Bytes>(Connection::new(connection))
        .await?;
    while let Some(resolver) = connection.accept().await? {
        let (request, mut stream) = resolver.resolve_request().await?;
        let protocol = request.extensions().get::<Protocol>();
        if request.method() == Method::CONNECT && protocol == Some(&Protocol::WEB_TRANSPORT) {
            let session = WebTransportSession::accept(request, stream, connection).await?;
            return echo(Arc::new(session)).await;
        }
        let refusal = Response::builder().status(StatusCode::NOT_FOUND).body(())?;
        stream.send_response(refusal).await?;
        stream.finish().await?;
    }
    Ok(())
}

/// The three loops are polled by one task, because the session wakes the one that polled it last.
async fn echo(session: Arc<Session>) -> Result<(), Anything> {
    try_join!(datagrams(&session), both_ways(&session), one_way(&session))?;
    Ok(())
}

async fn datagrams(session: &Session) -> Result<(), Anything> {
    let (mut reader, mut sender) = (session.datagram_reader(), session.datagram_sender());
    loop {
        sender.send_datagram(reader.read_datagram().await?.into_payload())?;
    }
}

/// A stream that goes both ways is answered on itself.
async fn both_ways(session: &Session) -> Result<(), Anything> {
    while let Some(accepted) = session.accept_bi().await? {
        if let AcceptedBi::BidiStream(_, stream) = accepted {
            let (mut send, mut recv) = stream.split();
            // What becomes of one stream is nothing to the others.
            tokio::spawn(async move { copy(&mut recv, &mut send).await.ok() });
        }
    }
    Ok(())
}

/// A stream that goes one way is answered on another.
async fn one_way(session: &Arc<Session>) -> Result<(), Anything> {
    while let Some((id, mut recv)) = session.accept_uni().await? {
        let session = Arc::clone(session);
        tokio::spawn(async move {
            let mut send = session.open_uni(id).await.ok()?;
            copy(&mut recv, &mut send).await.ok()
        });
    }
    Ok(())
}

/// Sends back what is received, as it comes: no more than flow control lets through is held.
async fn copy(
    recv: &mut impl RecvStream<Buf = Bytes>,
    send: &mut impl SendStreamUnframed<Bytes>,
) -> Result<(), StreamErrorIncoming> {
    while let Some(mut data) = poll_fn(|cx| recv.poll_data(cx)).await? {
        while data.has_remaining() {
            poll_fn(|cx| send.poll_send(cx, &mut data)).await?;
        }
    }
    poll_fn(|cx| send.poll_finish(cx)).await
}

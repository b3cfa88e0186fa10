//! A client that breaks the rules of HTTP/3, and the codes that it is told (RFC 9114 §8.1).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Buf as _;
use driver::{ConnectionError, SendStream, TransportConfig};
use h3::error::Code;
use h3_quic_core::Connection;

use crate::drivers::Driver;
use crate::pair::{Server, connected, next, serve};
use crate::requests::answer_ok;

/// The type of a control stream.
const CONTROL: u8 = 0x00;
/// The types of the frames DATA, HEADERS, SETTINGS and GOAWAY.
const DATA: u8 = 0x00;
const HEADERS: u8 = 0x01;
const SETTINGS: u8 = 0x04;
const GOAWAY: u8 = 0x07;

/// A bare connection to an HTTP/3 server.
async fn bare<D: Driver>() -> driver::Connection {
    let (client, connection) = connected::<D>(TransportConfig::default()).await;
    drop(D::spawn(async move {
        let server = Server::new(Connection::new(connection)).await.unwrap();
        serve::<D, _>(server, |_, stream| answer_ok(stream)).await;
    }));
    client
}

async fn stream_with(client: &driver::Connection, bytes: &[u8]) -> SendStream {
    let mut stream = client.open_uni().await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

async fn check_closed(client: &driver::Connection, code: Code) {
    let ended = client.closed().await;
    let ConnectionError::ApplicationClosed(close) = ended else { panic!("{ended}") };
    assert_eq!(Code::from(close.error_code.into_inner()), code, "{close:?}");
}

pub(crate) async fn a_control_stream_that_begins_otherwise_closes_with_missing_settings<
    D: Driver,
>() {
    let client = bare::<D>().await;
    let _control = stream_with(&client, &[CONTROL, GOAWAY, 1, 0]).await;
    check_closed(&client, Code::H3_MISSING_SETTINGS).await;
}

pub(crate) async fn a_second_control_stream_closes_with_a_creation_error<D: Driver>() {
    let client = bare::<D>().await;
    let _first = stream_with(&client, &[CONTROL, SETTINGS, 0]).await;
    let _second = stream_with(&client, &[CONTROL, SETTINGS, 0]).await;
    check_closed(&client, Code::H3_STREAM_CREATION_ERROR).await;
}

pub(crate) async fn the_end_of_the_control_stream_closes_with_its_code<D: Driver>() {
    let client = bare::<D>().await;
    let mut control = stream_with(&client, &[CONTROL, SETTINGS, 0]).await;
    control.finish().unwrap();
    check_closed(&client, Code::H3_CLOSED_CRITICAL_STREAM).await;
}

pub(crate) async fn data_before_headers_closes_with_an_unexpected_frame<D: Driver>() {
    let client = bare::<D>().await;
    let _control = stream_with(&client, &[CONTROL, SETTINGS, 0]).await;
    let (mut send, _recv) = client.open_bi().await.unwrap();
    send.write_all(&[DATA, 1, b'!']).await.unwrap();
    check_closed(&client, Code::H3_FRAME_UNEXPECTED).await;
}

pub(crate) async fn a_frame_cut_short_closes_with_a_frame_error<D: Driver>() {
    let client = bare::<D>().await;
    let _control = stream_with(&client, &[CONTROL, SETTINGS, 0]).await;
    let (mut send, _recv) = client.open_bi().await.unwrap();
    send.write_all(&[HEADERS, 20, 0]).await.unwrap();
    send.finish().unwrap();
    check_closed(&client, Code::H3_FRAME_ERROR).await;
}

pub(crate) async fn a_frame_too_long_to_be_held_is_stopped_before_it_is<D: Driver>() {
    let client = bare::<D>().await;
    let _control = stream_with(&client, &[CONTROL, SETTINGS, 0]).await;
    for kind in [HEADERS, 0x21] {
        let (mut send, _recv) = client.open_bi().await.unwrap();
        send.write_all(&[kind, 0xc0, 0, 0, 1, 0, 0, 0, 0]).await.unwrap();
        let code = send.stopped().await.unwrap().unwrap();
        assert_eq!(Code::from(code.into_inner()), Code::H3_EXCESSIVE_LOAD);
    }
    assert_eq!(client.close_reason(), None);
}

/// Of many small frames, no more are taken than are asked for: the rest waits at the peer.
pub(crate) async fn small_frames_wait_for_a_reader_that_does_not_read<D: Driver>() {
    const FRAMES: usize = 3_000_000;
    let (client, connection) = connected::<D>(TransportConfig::default()).await;
    let mut server = Server::new(Connection::new(connection)).await.unwrap();
    let _control = stream_with(&client, &[CONTROL, SETTINGS, 0]).await;
    let (mut send, _recv) = client.open_bi().await.unwrap();
    // The static table's indices of CONNECT, and a literal authority (RFC 9204 §4.5).
    send.write_all(&[HEADERS, 6, 0, 0, 0xcf, 0x50, 1, b'a']).await.unwrap();
    let (_, mut answer) = next(&mut server).await;
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    drop(D::spawn(async move {
        let frames = [DATA, 1, b'!'].repeat(1000);
        for _ in 0..FRAMES / 1000 {
            send.write_all(&frames).await.unwrap();
            count.fetch_add(1000, Ordering::Relaxed);
        }
    }));
    let settled = async || {
        let mut before = usize::MAX;
        while before != taken.load(Ordering::Relaxed) || before == 0 {
            before = taken.load(Ordering::Relaxed);
            D::sleep(Duration::from_millis(300)).await;
        }
        before
    };
    let before = settled().await;
    assert!(before < FRAMES, "windows and buffers are full long before");
    for _ in 0..1000 {
        assert_eq!(answer.recv_data().await.unwrap().unwrap().remaining(), 1);
    }
    let after = settled().await;
    assert!(after - before <= 100_000, "{} frames for a thousand", after - before);
}

pub(crate) async fn a_stream_of_an_unknown_type_is_stopped_and_nothing_else<D: Driver>() {
    let client = bare::<D>().await;
    let _control = stream_with(&client, &[CONTROL, SETTINGS, 0]).await;
    let unknown = stream_with(&client, &[0x21, 1, 2, 3]).await;
    let code = unknown.stopped().await.unwrap().unwrap();
    assert_eq!(Code::from(code.into_inner()), Code::H3_STREAM_CREATION_ERROR);
    assert_eq!(client.close_reason(), None);
}

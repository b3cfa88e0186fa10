//! A client that breaks the rules of HTTP/3, and the codes that it is told (RFC 9114 §8.1).

use driver::{ConnectionError, SendStream, TransportConfig};
use h3::error::Code;
use h3_quic_core::Connection;

use crate::drivers::Driver;
use crate::pair::{Server, connected, serve};
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

pub(crate) async fn a_stream_of_an_unknown_type_is_stopped_and_nothing_else<D: Driver>() {
    let client = bare::<D>().await;
    let _control = stream_with(&client, &[CONTROL, SETTINGS, 0]).await;
    let unknown = stream_with(&client, &[0x21, 1, 2, 3]).await;
    let code = unknown.stopped().await.unwrap().unwrap();
    assert_eq!(Code::from(code.into_inner()), Code::H3_STREAM_CREATION_ERROR);
    assert_eq!(client.close_reason(), None);
}

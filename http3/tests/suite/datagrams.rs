//! Datagrams (RFC 9297), by `h3-datagram`.

use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use driver::TransportConfig;
use futures::join;
use h3::quic::StreamId;
use h3_datagram::datagram::Datagram;
use h3_datagram::datagram_handler::{HandleDatagramsExt as _, SendDatagramError};
use h3_datagram::quic_traits::{DatagramConnectionExt, RecvDatagram as _};
use h3_quic_core::Connection;

use crate::drivers::Driver;
use crate::pair::{connected, get, next};

pub(crate) async fn datagrams_reach_the_other_end_of_their_stream<D: Driver>() {
    let (client, server) = connected::<D>(TransportConfig::default()).await;
    let (mut client_builder, mut server_builder) = (h3::client::builder(), h3::server::builder());
    client_builder.enable_datagram(true);
    server_builder.enable_datagram(true);
    let (client, server) = join!(
        client_builder.build::<_, _, Bytes>(Connection::new(client)),
        server_builder.build::<_, Bytes>(Connection::new(server))
    );
    let ((connection, mut requests), mut server) = (client.unwrap(), server.unwrap());
    let asked = requests.send_request(get("/")).await.unwrap();
    let (_, answer) = next(&mut server).await;
    assert_eq!(asked.id(), answer.id());

    let mut to_server = connection.get_datagram_sender(asked.id());
    let mut to_client = server.get_datagram_sender(answer.id());
    let (mut at_client, mut at_server) =
        (connection.get_datagram_reader(), server.get_datagram_reader());
    for text in ["one", "two", ""] {
        to_server.send_datagram(Bytes::from_static(text.as_bytes())).unwrap();
        let datagram = at_server.read_datagram().await.unwrap();
        assert_eq!((datagram.stream_id(), &datagram.payload()[..]), (answer.id(), text.as_bytes()));
        to_client.send_datagram(datagram.into_payload()).unwrap();
        let datagram = at_client.read_datagram().await.unwrap();
        assert_eq!((datagram.stream_id(), &datagram.payload()[..]), (asked.id(), text.as_bytes()));
    }
}

pub(crate) async fn datagrams_of_any_stream_can_be_told_apart<D: Driver>() {
    let (client, server) = connected::<D>(TransportConfig::default()).await;
    let (client, server) = (Connection::new(client), Connection::new(server));
    let sender = DatagramConnectionExt::<Bytes>::send_datagram_handler(&client);
    let mut receiver = DatagramConnectionExt::<Bytes>::recv_datagram_handler(&server);
    for id in [0, 4, 63 * 4, 64 * 4, 16_384 * 4, (1 << 30) * 4, (1 << 62) - 4] {
        let stream = StreamId::try_from(id).unwrap();
        sender.send(stream, b"text").unwrap();
        let received = poll_fn(|cx| receiver.poll_incoming_datagram(cx)).await.unwrap();
        let datagram = Datagram::decode(received).unwrap();
        assert_eq!((datagram.stream_id(), &datagram.payload()[..]), (stream, &b"text"[..]));
    }
}

pub(crate) async fn a_datagram_that_does_not_fit_is_told_apart_from_a_peer_without_any<
    D: Driver,
>() {
    let long = || BytesMut::zeroed(100_000).freeze();
    let sent = async |transport: TransportConfig| {
        let (client, _server) = connected::<D>(transport).await;
        let client = h3::client::builder().build::<_, _, Bytes>(Connection::new(client)).await;
        let (connection, mut requests) = client.unwrap();
        let asked = requests.send_request(get("/")).await.unwrap();
        connection.get_datagram_sender(asked.id()).send_datagram(long())
    };
    let mut without = TransportConfig::default();
    without.max_datagram_frame_size = 0;
    assert!(matches!(sent(without).await, Err(SendDatagramError::NotAvailable { .. })));
    let with = TransportConfig::default();
    assert!(matches!(sent(with).await, Err(SendDatagramError::TooLarge { .. })));
}

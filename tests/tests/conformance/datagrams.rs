use std::time::Duration;

use driver::{
    Bytes, DatagramOutcome, OutgoingDatagram, SendDatagramError, TransportConfig, VarInt,
};

use futures::join;

use crate::drivers::Driver;
use crate::pair::{Pair, cancel};

pub(crate) async fn datagrams_arrive_and_are_reported<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let (client, server) = pair.connect().await;
    cancel(server.read_datagram()).await;
    let datagram = OutgoingDatagram::new(Bytes::from_static(b"hello")).reported_as(7);
    client.send_datagram(datagram).unwrap();
    assert_eq!(server.read_datagram().await.unwrap(), "hello");
    let report = client.datagram_report().await.unwrap();
    assert_eq!((report.id, report.outcome), (7, DatagramOutcome::Acknowledged));
    cancel(client.datagram_report()).await;
    let longest = client.max_datagram_size().unwrap();
    client.send_datagram(Bytes::from(vec![1; longest])).unwrap();
    assert_eq!(server.read_datagram().await.unwrap().len(), longest);
    let longer = client.send_datagram(Bytes::from(vec![1; 70_000]));
    assert!(matches!(longer, Err(SendDatagramError::TooLarge(maximum)) if maximum >= longest));
}

pub(crate) async fn a_sender_that_waits_loses_nothing_to_a_full_queue<D: Driver>(driver: D) {
    let mut config = TransportConfig::default();
    config.datagram_send_count = 4;
    let pair = Pair::with(&driver, config);
    let (client, server) = pair.connect().await;
    let sending = async {
        for number in 0..500_u32 {
            let data = Bytes::copy_from_slice(&number.to_be_bytes());
            client.send_datagram_wait(data).await.unwrap();
        }
    };
    let reading = async {
        for _ in 0..500 {
            server.read_datagram().await.unwrap();
        }
    };
    join!(sending, reading);
}

pub(crate) async fn a_datagram_that_expires_in_the_queue_is_not_sent<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let (client, _server) = pair.connect().await;
    let datagram = OutgoingDatagram::new(Bytes::from_static(b"late")).reported_as(1);
    client.send_datagram(datagram.expiring_after(Duration::ZERO)).unwrap();
    let report = client.datagram_report().await.unwrap();
    assert_eq!(report.outcome, DatagramOutcome::Expired);
}

pub(crate) async fn a_peer_without_datagrams_is_told_apart_from_one_that_is_gone<D: Driver>(
    driver: D,
) {
    let mut config = TransportConfig::default();
    config.max_datagram_frame_size = 0;
    let pair = Pair::with(&driver, config);
    let (client, server) = pair.connect().await;
    assert_eq!(client.max_datagram_size(), None);
    let unsupported = client.send_datagram(Bytes::new());
    assert_eq!(unsupported, Err(SendDatagramError::Unsupported));
    server.close(VarInt::from_u32(3), b"");
    client.closed().await;
    let lost = client.send_datagram_wait(Bytes::new()).await;
    assert!(matches!(lost, Err(SendDatagramError::ConnectionLost(_))));
    assert!(client.read_datagram().await.is_err());
    assert!(client.datagram_report().await.is_err());
}

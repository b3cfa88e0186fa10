use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use driver::{
    Bytes, ClosedStream, Connection, ReadError, ReadExactError, ReadToEndError, RecvStream,
    SendStream, TransportConfig, VarInt, WriteError,
};
use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::unfold;

use crate::drivers::Driver;
use crate::pair::{Pair, cancel, pattern, poll_once};

/// Sends back what comes on every bidirectional stream until the connection ends.
async fn echo(connection: Connection) {
    let streams = unfold(connection, |connection| async {
        let stream = connection.accept_bi().await.ok()?;
        Some((stream, connection))
    });
    let echo = async |(mut send, mut recv): (SendStream, RecvStream)| {
        while let Some(chunk) = recv.read_chunk(usize::MAX).await.unwrap() {
            send.write_chunk(chunk).await.unwrap();
        }
        send.finish().unwrap();
    };
    streams.for_each_concurrent(None, echo).await;
}

pub(crate) async fn a_stream_echoes<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let (client, server) = pair.connect().await;
    drop(driver.spawn(echo(server)));
    let (mut send, mut recv) = client.open_bi().await.unwrap();
    send.write_all(b"hello").await.unwrap();
    send.finish().unwrap();
    assert_eq!(recv.read_to_end(100).await.unwrap(), b"hello");
    assert_eq!(recv.read(&mut [0; 8]).await, Ok(None));
}

pub(crate) async fn many_streams_echo_at_a_time<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let (client, server) = pair.connect().await;
    drop(driver.spawn(echo(server)));
    // More than the peer permits at a time: opening has to wait for others to end.
    let exchanges = (0..1000_usize).map(|index| {
        let client = client.clone();
        driver.spawn(async move {
            let data = pattern(index * 7 % 5000);
            let (mut send, mut recv) = client.open_bi().await.unwrap();
            send.write_all(&data).await.unwrap();
            send.finish().unwrap();
            assert_eq!(recv.read_to_end(5000).await.unwrap(), data);
        })
    });
    join_all(exchanges).await;
}

pub(crate) async fn a_large_transfer_arrives_once_and_in_order<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let (client, server) = pair.connect().await;
    let data = pattern(32 << 20);
    let sent = Bytes::from(data.clone());
    let sender = driver.spawn(async move {
        let mut send = client.open_uni().await.unwrap();
        send.write_chunk(sent).await.unwrap();
        send.finish().unwrap();
        assert_eq!(send.stopped().await, Ok(None));
    });
    let mut recv = server.accept_uni().await.unwrap();
    let received = recv.read_to_end(data.len()).await.unwrap();
    assert!(received == data, "the data differs");
    sender.await;
}

pub(crate) async fn what_a_stream_is_finished_with_arrives_whole_before_its_end<D: Driver>(
    driver: D,
) {
    let mut transport = TransportConfig::default();
    transport.send_window = 64 << 10;
    let pair = Pair::with(&driver, transport);
    let (client, server) = pair.connect().await;
    // Nothing, little, and more than there is room for at a time.
    for length in [0, 1, 1000, 1 << 20] {
        let data = pattern(length);
        let (mut send, mut recv) = client.open_bi().await.unwrap();
        let chunk = Bytes::from(data.clone());
        let sender = driver.spawn(async move {
            send.write_all(b"head").await.unwrap();
            send.finish_with(chunk).await.unwrap();
            assert_eq!(send.finish(), Err(ClosedStream));
            let again = send.finish_with(Bytes::from_static(b"more")).await;
            assert_eq!(again, Err(WriteError::ClosedStream));
            let again = send.finish_with(Bytes::new()).await;
            assert_eq!(again, Err(WriteError::ClosedStream));
            assert_eq!(send.stopped().await, Ok(None));
        });
        let (send, mut incoming) = server.accept_bi().await.unwrap();
        let received = incoming.read_to_end(4 + length).await.unwrap();
        assert!(received == [b"head", &data[..]].concat(), "the data differs");
        sender.await;
        drop(send);
        assert_eq!(recv.read_to_end(0).await.unwrap(), b"");
    }
}

pub(crate) async fn a_writer_waits_for_a_reader_that_does_not_read<D: Driver>(driver: D) {
    let mut transport = TransportConfig::default();
    transport.send_window = 256 << 10;
    transport.max_stream_receive_window = 256 << 10;
    let pair = Pair::with(&driver, transport);
    let mut streams = pair.stream().await;
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let data = pattern(4 << 20);
    let expected = data.clone();
    let writer = driver.spawn(async move {
        let mut rest = data.as_slice();
        while !rest.is_empty() {
            let taken = streams.send.write(rest).await.unwrap();
            count.fetch_add(taken, Ordering::Relaxed);
            rest = &rest[taken..];
        }
        streams.send.finish().unwrap();
    });
    let received = {
        let mut received = vec![0; 1];
        streams.peer_recv.read_exact(&mut received).await.unwrap();
        assert!(written.load(Ordering::Relaxed) < 2 << 20);
        received.extend(streams.peer_recv.read_to_end(4 << 20).await.unwrap());
        received
    };
    assert!(received == expected, "the data differs");
    writer.await;
}

pub(crate) async fn a_half_that_ended_leaves_the_other_open<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let mut streams = pair.stream().await;
    streams.send.finish().unwrap();
    assert_eq!(streams.peer_recv.read(&mut [0; 8]).await, Ok(None));
    streams.peer_send.write_all(b"still here").await.unwrap();
    let mut answer = [0; 10];
    streams.recv.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"still here");
    assert_eq!(streams.send.write(b"x").await, Err(WriteError::ClosedStream));
    assert_eq!(streams.send.finish(), Err(ClosedStream));
}

pub(crate) async fn a_dropped_sender_ends_its_stream<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let mut streams = pair.stream().await;
    streams.send.write_all(b"rest").await.unwrap();
    drop(streams.send);
    assert_eq!(streams.peer_recv.read_to_end(10).await.unwrap(), b"rest");
}

pub(crate) async fn a_dropped_receiver_stops_its_stream<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let mut streams = pair.stream().await;
    drop(streams.peer_recv);
    assert_eq!(streams.send.stopped().await, Ok(Some(VarInt::default())));
    let error = streams.send.write(b"x").await.unwrap_err();
    assert_eq!(error, WriteError::Stopped(VarInt::default()));
}

pub(crate) async fn a_reset_reaches_the_reader_with_its_code<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let mut streams = pair.stream().await;
    streams.send.reset(VarInt::from_u32(42)).unwrap();
    assert_eq!(streams.send.stopped().await, Ok(None), "the reset is acknowledged");
    let reset = ReadError::Reset(VarInt::from_u32(42));
    assert_eq!(streams.peer_recv.read(&mut [0; 8]).await, Err(reset.clone()));
    assert_eq!(streams.peer_recv.read(&mut [0; 8]).await, Err(reset));
}

pub(crate) async fn reads_say_when_a_stream_is_too_short_or_too_long<D: Driver>(driver: D) {
    let pair = Pair::new(&driver);
    let mut streams = pair.stream().await;
    streams.send.write_all(b"abc").await.unwrap();
    streams.send.finish().unwrap();
    let short = streams.peer_recv.read_exact(&mut [0; 4]).await;
    assert_eq!(short, Err(ReadExactError::FinishedEarly(3)));
    streams.peer_send.write_all(&[0; 100]).await.unwrap();
    streams.peer_send.finish().unwrap();
    assert_eq!(streams.recv.read_to_end(99).await, Err(ReadToEndError::TooLong));
}

pub(crate) async fn more_streams_can_be_allowed_while_the_peer_waits_for_one<D: Driver>(driver: D) {
    let mut transport = TransportConfig::default();
    transport.max_concurrent_bidi_streams = 0;
    transport.max_concurrent_uni_streams = 0;
    let pair = Pair::with(&driver, transport);
    let (client, server) = pair.connect().await;
    cancel(client.open_bi()).await;
    cancel(client.open_uni()).await;
    server.set_max_concurrent_bi_streams(VarInt::from_u32(1));
    let _streams = client.open_bi().await.unwrap();
    cancel(client.open_uni()).await;
    server.set_max_concurrent_uni_streams(VarInt::from_u32(2));
    let _streams = (client.open_uni().await.unwrap(), client.open_uni().await.unwrap());
}

pub(crate) async fn what_a_reliable_reset_promises_is_read_before_its_code<D: Driver>(driver: D) {
    let mut streams = Pair::new(&driver).stream().await;
    streams.send.write_all(b"header, and what is given up").await.unwrap();
    streams.send.reset_at(VarInt::from_u32(4), 7).unwrap();
    let mut all = Vec::new();
    let end = loop {
        match streams.peer_recv.read_chunk(100).await {
            Ok(Some(chunk)) => all.extend_from_slice(&chunk),
            other => break other,
        }
    };
    assert_eq!(end, Err(ReadError::Reset(VarInt::from_u32(4))));
    assert!(all.starts_with(b"header"), "{all:?}");
    assert!(poll_once(streams.send.write(b"more")).await.unwrap().is_err());
}

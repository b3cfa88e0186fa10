use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use driver_tokio::{
    Bytes, ClosedStream, Connection, ReadError, ReadExactError, ReadToEndError, TransportConfig,
    VarInt, WriteError,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use crate::support::{Pair, cancel, pattern, soon};

/// Sends back what comes on every bidirectional stream until the connection ends.
async fn echo(connection: Connection) {
    let mut tasks = JoinSet::new();
    while let Ok((mut send, mut recv)) = connection.accept_bi().await {
        tasks.spawn(async move {
            while let Some(chunk) = recv.read_chunk(usize::MAX).await.unwrap() {
                send.write_chunk(chunk).await.unwrap();
            }
            send.finish().unwrap();
        });
    }
    while tasks.join_next().await.is_some() {}
}

#[tokio::test]
async fn a_stream_echoes() {
    soon(async {
        let pair = Pair::new();
        let (client, server) = pair.connect().await;
        tokio::spawn(echo(server));
        let (mut send, mut recv) = client.open_bi().await.unwrap();
        send.write_all(b"hello").await.unwrap();
        send.finish().unwrap();
        assert_eq!(recv.read_to_end(100).await.unwrap(), b"hello");
        assert_eq!(recv.read(&mut [0; 8]).await, Ok(None));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_echo_at_a_time() {
    soon(async {
        let pair = Pair::new();
        let (client, server) = pair.connect().await;
        tokio::spawn(echo(server));
        let mut tasks = JoinSet::new();
        // More than the peer permits at a time: opening has to wait for others to end.
        for index in 0..1000_usize {
            let client = client.clone();
            tasks.spawn(async move {
                let data = pattern(index * 7 % 5000);
                let (mut send, mut recv) = client.open_bi().await.unwrap();
                send.write_all(&data).await.unwrap();
                send.finish().unwrap();
                assert_eq!(recv.read_to_end(5000).await.unwrap(), data);
            });
        }
        while let Some(result) = tasks.join_next().await {
            result.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_transfer_arrives_once_and_in_order() {
    soon(async {
        let pair = Pair::new();
        let (client, server) = pair.connect().await;
        let data = pattern(32 << 20);
        let sent = Bytes::from(data.clone());
        let sender = tokio::spawn(async move {
            let mut send = client.open_uni().await.unwrap();
            send.write_chunk(sent).await.unwrap();
            send.finish().unwrap();
            assert_eq!(send.stopped().await, Ok(None));
        });
        let mut recv = server.accept_uni().await.unwrap();
        let received = recv.read_to_end(data.len()).await.unwrap();
        assert!(received == data, "the data differs");
        sender.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_writer_waits_for_a_reader_that_does_not_read() {
    soon(async {
        let mut transport = TransportConfig::default();
        transport.send_window = 256 << 10;
        transport.max_stream_receive_window = 256 << 10;
        let pair = Pair::with(transport);
        let mut streams = pair.stream().await;
        let written = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&written);
        let data = pattern(4 << 20);
        let expected = data.clone();
        let writer = tokio::spawn(async move {
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
            assert!(!writer.is_finished());
            received.extend(streams.peer_recv.read_to_end(4 << 20).await.unwrap());
            received
        };
        assert!(received == expected, "the data differs");
        writer.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_half_that_ended_leaves_the_other_open() {
    soon(async {
        let pair = Pair::new();
        let mut streams = pair.stream().await;
        streams.send.finish().unwrap();
        assert_eq!(streams.peer_recv.read(&mut [0; 8]).await, Ok(None));
        streams.peer_send.write_all(b"still here").await.unwrap();
        let mut answer = [0; 10];
        streams.recv.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"still here");
        assert_eq!(streams.send.write(b"x").await, Err(WriteError::ClosedStream));
        assert_eq!(streams.send.finish(), Err(ClosedStream));
    })
    .await;
}

#[tokio::test]
async fn a_dropped_sender_ends_its_stream() {
    soon(async {
        let pair = Pair::new();
        let mut streams = pair.stream().await;
        streams.send.write_all(b"rest").await.unwrap();
        drop(streams.send);
        assert_eq!(streams.peer_recv.read_to_end(10).await.unwrap(), b"rest");
    })
    .await;
}

#[tokio::test]
async fn a_dropped_receiver_stops_its_stream() {
    soon(async {
        let pair = Pair::new();
        let mut streams = pair.stream().await;
        drop(streams.peer_recv);
        assert_eq!(streams.send.stopped().await, Ok(Some(VarInt::default())));
        let error = streams.send.write(b"x").await.unwrap_err();
        assert_eq!(error, WriteError::Stopped(VarInt::default()));
    })
    .await;
}

#[tokio::test]
async fn a_reset_reaches_the_reader_with_its_code() {
    soon(async {
        let pair = Pair::new();
        let mut streams = pair.stream().await;
        streams.send.reset(VarInt::from_u32(42)).unwrap();
        assert_eq!(streams.send.stopped().await, Ok(None), "the reset is acknowledged");
        let reset = ReadError::Reset(VarInt::from_u32(42));
        assert_eq!(streams.peer_recv.read(&mut [0; 8]).await, Err(reset.clone()));
        assert_eq!(streams.peer_recv.read(&mut [0; 8]).await, Err(reset));
    })
    .await;
}

#[tokio::test]
async fn reads_say_when_a_stream_is_too_short_or_too_long() {
    soon(async {
        let pair = Pair::new();
        let mut streams = pair.stream().await;
        streams.send.write_all(b"abc").await.unwrap();
        streams.send.finish().unwrap();
        let short = streams.peer_recv.read_exact(&mut [0; 4]).await;
        assert_eq!(short, Err(ReadExactError::FinishedEarly(3)));
        streams.peer_send.write_all(&[0; 100]).await.unwrap();
        streams.peer_send.finish().unwrap();
        assert_eq!(streams.recv.read_to_end(99).await, Err(ReadToEndError::TooLong));
    })
    .await;
}

#[tokio::test]
async fn streams_are_byte_streams_of_tokio() {
    soon(async {
        let pair = Pair::new();
        let mut streams = pair.stream().await;
        tokio::io::AsyncWriteExt::write_all(&mut streams.send, b"line\n").await.unwrap();
        streams.send.shutdown().await.unwrap();
        let mut text = String::new();
        streams.peer_recv.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "line\n");
    })
    .await;
}

#[tokio::test]
async fn the_answer_of_a_task_begun_for_a_stream_takes_the_acknowledgment_along() {
    const ROUNDS: u64 = 50;
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    let answering = server.clone();
    tokio::spawn(async move {
        while let Ok((mut send, mut recv)) = answering.accept_bi().await {
            tokio::spawn(async move {
                let asked = recv.read_to_end(1000).await.unwrap();
                send.write_all(&asked[..10]).await.unwrap();
            });
        }
    });
    let ask = || async {
        let mut streams = Vec::new();
        for _ in 0..3 {
            let (mut send, recv) = client.open_bi().await.unwrap();
            // So much that the packets of all three have to be acknowledged at once.
            send.write_all(&[1; 1000]).await.unwrap();
            send.finish().unwrap();
            streams.push(recv);
        }
        for mut recv in streams {
            assert_eq!(recv.read_to_end(100).await.unwrap().len(), 10);
        }
    };
    soon(ask()).await;
    let before = server.stats().datagrams_sent;
    for _ in 0..ROUNDS {
        soon(ask()).await;
    }
    let sent = server.stats().datagrams_sent - before;
    // One for each round, and a few probes for a larger packet size.
    assert!(sent <= ROUNDS + 20, "{sent} datagrams");
}

#[tokio::test]
async fn more_streams_can_be_allowed_while_the_peer_waits_for_one() {
    soon(async {
        let mut transport = TransportConfig::default();
        transport.max_concurrent_bidi_streams = 0;
        transport.max_concurrent_uni_streams = 0;
        let pair = Pair::with(transport);
        let (client, server) = pair.connect().await;
        cancel(client.open_bi()).await;
        cancel(client.open_uni()).await;
        server.set_max_concurrent_bi_streams(VarInt::from_u32(1));
        let _streams = client.open_bi().await.unwrap();
        cancel(client.open_uni()).await;
        server.set_max_concurrent_uni_streams(VarInt::from_u32(2));
        let _streams = (client.open_uni().await.unwrap(), client.open_uni().await.unwrap());
    })
    .await;
}

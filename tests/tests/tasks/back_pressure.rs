use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use driver::{
    Bytes, ConnectionError, OutgoingDatagram, SendDatagramError, TransportConfig, WriteError,
};
use quic_sim::tasks::{now, sleep, timeout};

use crate::support::{MILLISECOND, SECOND, Stage, Wakeups, any, both, pattern};

const WINDOW: usize = 50_000;

fn narrow() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport.stream_receive_window = WINDOW as u64;
    transport.max_stream_receive_window = WINDOW as u64;
    transport.receive_window = 2 * WINDOW as u64;
    transport.max_receive_window = 2 * WINDOW as u64;
    transport.send_window = WINDOW as u64;
    transport
}

#[test]
fn a_writer_waits_for_its_reader_and_goes_on_with_it() {
    let mut stage = Stage::with(1, narrow());
    stage.run(async |hosts| {
        let pair = hosts.start();
        let (client, server) = pair.connect().await;
        let data = pattern(1_000_000);
        let (mut written, mut read) = (0, Vec::new());
        let mut send = client.open_uni().await.unwrap();
        // What fits is taken, and no more while nobody reads.
        let fill = async {
            while written < data.len() {
                written += send.write(&data[written..]).await.unwrap();
            }
        };
        assert!(timeout(10 * SECOND, fill).await.is_err());
        assert!((WINDOW..=2 * WINDOW).contains(&written), "{written} bytes");
        let mut recv = server.accept_uni().await.unwrap();
        let write = async {
            send.write_all(&data[written..]).await.unwrap();
            send.finish().unwrap();
        };
        let slowly = async {
            while let Some(chunk) = recv.read_chunk(10_000).await.unwrap() {
                read.extend_from_slice(&chunk);
                sleep(MILLISECOND).await;
            }
        };
        let start = now();
        both(write, slowly).await;
        assert_eq!(read, data);
        assert!(now() - start < 5 * SECOND, "{:?}", now() - start);
        drop((client, server, send, recv));
        pair.close().await;
    });
}

#[test]
fn a_writer_that_need_not_wait_lets_others_run_now_and_then() {
    const PIECE: usize = 64 << 10;
    let mut transport = TransportConfig::default();
    transport.stream_receive_window = 8 << 20;
    transport.receive_window = 8 << 20;
    Stage::with(7, transport).run(async |hosts| {
        let pair = hosts.start();
        let (client, server) = pair.connect().await;
        let mut send = client.open_uni().await.unwrap();
        let wakeups: Arc<Wakeups> = Arc::default();
        let waker = Waker::from(Arc::clone(&wakeups));
        let mut cx = Context::from_waker(&waker);
        let data = pattern(PIECE);
        let mut pauses = Vec::new();
        for piece in 0..24 {
            while send.poll_write(&mut cx, &data).map(Result::unwrap) != Poll::Ready(PIECE) {
                pauses.push(piece);
                assert_eq!(wakeups.count(), pauses.len(), "its task is to go on at once");
            }
        }
        assert_eq!(pauses, [4, 8, 12, 16, 20]);
        drop((client, server, send));
        pair.close().await;
    });
}

#[test]
fn a_writer_that_waits_for_room_hears_at_once_that_its_stream_is_stopped() {
    let mut stage = Stage::with(6, narrow());
    stage.run(async |hosts| {
        let pair = hosts.start();
        let (client, server) = pair.connect().await;
        let mut send = client.open_uni().await.unwrap();
        let writer = hosts.client.spawn(async move {
            let stopped = send.write_all(&pattern(1_000_000)).await.unwrap_err();
            (stopped, now())
        });
        let mut recv = server.accept_uni().await.unwrap();
        sleep(SECOND).await;
        recv.stop(9_u32.into()).unwrap();
        let at = now();
        let (stopped, heard) = writer.await.unwrap();
        assert_eq!((stopped, heard - at), (WriteError::Stopped(9_u32.into()), 10 * MILLISECOND));
        drop((client, server, recv));
        pair.close().await;
    });
}

#[test]
fn a_stream_that_nobody_reads_leaves_room_for_another() {
    let mut stage = Stage::with(2, narrow());
    stage.run(async |hosts| {
        let pair = hosts.start();
        let (client, server) = pair.connect().await;
        let mut stuck = client.open_uni().await.unwrap();
        let all = timeout(10 * SECOND, stuck.write_all(&pattern(1_000_000))).await;
        assert!(all.is_err());
        let unread = server.accept_uni().await.unwrap();
        // Stopping it gives the credit back.
        drop(unread);
        let mut send = client.open_uni().await.unwrap();
        let write = async {
            send.write_all(&pattern(300_000)).await.unwrap();
            send.finish().unwrap();
        };
        let read = async {
            let mut recv = server.accept_uni().await.unwrap();
            recv.read_to_end(usize::MAX).await.unwrap()
        };
        assert!(both(write, read).await.1 == pattern(300_000));
        assert!(stuck.write(b"more").await.is_err());
        drop((client, server, stuck, send));
        pair.close().await;
    });
}

#[test]
fn who_waits_for_room_for_datagrams_gets_it_and_all_arrive() {
    let mut transport = TransportConfig::default();
    transport.datagram_send_count = 4;
    let mut stage = Stage::with(3, transport);
    stage.links(|link| link.rate_bytes_per_second = Some(200_000));
    stage.run(async |hosts| {
        let pair = hosts.start();
        let (client, server) = pair.connect().await;
        // Several tasks wait at a time.
        let senders: Vec<_> = (0..10)
            .map(|sender| {
                let client = client.clone();
                hosts.client.spawn(async move {
                    for _ in 0..20 {
                        let data = Bytes::from(vec![sender; 1000]);
                        client.send_datagram_wait(OutgoingDatagram::new(data)).await.unwrap();
                    }
                })
            })
            .collect();
        let mut counts = [0; 10];
        for _ in 0..200 {
            let data = server.read_datagram().await.unwrap();
            counts[usize::from(data[0])] += 1;
        }
        assert_eq!(counts, [20; 10]);
        for sender in senders {
            sender.await.unwrap();
        }
        let too_large = client.send_datagram_wait(Bytes::from(vec![0; 3000])).await;
        assert!(matches!(too_large, Err(SendDatagramError::TooLarge(_))));
        drop((client, server));
        pair.close().await;
    });
}

#[test]
fn attempts_beyond_the_queue_of_a_server_that_accepts_none_are_refused_and_the_rest_waits() {
    let mut stage = Stage::new(4);
    stage.hosts.server_config.accept_backlog = 5;
    stage.run(async |hosts| {
        let pair = hosts.start();
        let attempts: Vec<_> = (0..12)
            .map(|_| {
                let connecting = pair.connecting();
                hosts.client.spawn(async move {
                    let connection = connecting.await?;
                    Ok::<_, ConnectionError>(connection.closed().await)
                })
            })
            .collect();
        sleep(SECOND).await;
        let refused = attempts.iter().filter(|attempt| attempt.is_finished()).count();
        assert_eq!(refused, 7);
        for _ in 0..5 {
            drop(pair.server.accept().await.unwrap().await.unwrap());
        }
        let mut connected = 0;
        for attempt in attempts {
            connected += usize::from(attempt.await.unwrap().is_ok());
        }
        assert_eq!(connected, 5);
        pair.close().await;
    });
}

#[test]
fn attempts_that_nobody_accepts_are_over_when_their_clients_give_up() {
    let mut stage = Stage::new(5);
    stage.run(async |hosts| {
        let server = hosts.start_server();
        let address = server.local_addr().unwrap();
        for _ in 0..3 {
            let client = hosts.start_client();
            let connecting = client.connect(address, "server").unwrap();
            assert!(timeout(SECOND, connecting).await.is_err());
            client.wait_idle().await;
        }
        let late = quic_sim::tasks::Endpoint::client(&hosts.client, any(0)).unwrap();
        let connecting = late.connect_with(hosts.client_config.clone(), address, "server").unwrap();
        // The others are gone, or are found gone when they are accepted.
        let accept = async {
            loop {
                if let Ok(connection) = server.accept().await.unwrap().await {
                    return connection;
                }
            }
        };
        let (connection, _accepted) = both(connecting, accept).await;
        connection.unwrap().close(0_u32.into(), b"");
        late.wait_idle().await;
    });
}

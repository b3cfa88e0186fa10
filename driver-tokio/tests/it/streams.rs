//! Streams as those of tokio, and what goes together with tokio's order of tasks.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Pair, soon};

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

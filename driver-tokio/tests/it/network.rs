//! What the handles tell of the network below.

use driver_tokio::{Connection, EcnState, TransportConfig};

use crate::support::{Pair, pattern, soon};

/// Sends megabytes each way on streams of their own.
async fn exchange(client: &Connection, server: &Connection) {
    for (from, to) in [(client, server), (server, client)] {
        let data = pattern(2 << 20);
        let send = async {
            let mut send = from.open_uni().await.unwrap();
            send.write_all(&data).await.unwrap();
            send.finish().unwrap();
        };
        let receive = async {
            let mut recv = to.accept_uni().await.unwrap();
            recv.read_to_end(2 << 20).await.unwrap()
        };
        let ((), received) = tokio::join!(send, receive);
        assert!(received == data, "something else came");
    }
}

#[tokio::test]
async fn ecn_marks_pass_the_loopback_interface() {
    soon(async {
        let pair = Pair::new();
        let (client, server) = pair.connect().await;
        exchange(&client, &server).await;
        for (end, other) in [(&client, &server), (&server, &client)] {
            let (sent, received) = (end.stats(), other.stats());
            assert_eq!(sent.ecn, EcnState::Capable);
            assert!(sent.ecn_marked_sent > 100, "{sent:?}");
            assert!(received.ecn_capable_received > 100, "{received:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn jumbo_datagrams_pass_the_loopback_interface() {
    for max_mtu in [8952, 65_527] {
        soon(async {
            let mut transport = TransportConfig::default();
            transport.max_mtu = max_mtu;
            let pair = Pair::with(transport);
            let (client, server) = pair.connect().await;
            for _ in 0..10 {
                exchange(&client, &server).await;
            }
            for end in [&client, &server] {
                let mtu = end.stats().mtu;
                // The interface carries 65,536 bytes with all headers.
                assert!(mtu >= max_mtu.min(65_000), "{mtu} of {max_mtu}");
            }
        })
        .await;
    }
}

use std::future::poll_fn;
use std::net::UdpSocket;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::*;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn bound() -> (TokioSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (TokioSocket::new(socket).unwrap().0, address)
}

async fn sendable(socket: &TokioSocket) {
    let sendable = poll_fn(|cx| socket.poll_sendable(cx));
    tokio::time::timeout(Duration::from_secs(30), sendable).await.unwrap();
}

/// How often `receive` was called until something was there.
async fn calls_until_received(socket: &TokioSocket, arrivals: &mut Arrivals) -> usize {
    let mut calls = 0;
    poll_fn(|cx| {
        loop {
            if socket.poll_receivable(cx).is_pending() {
                return Poll::Pending;
            }
            calls += 1;
            match socket.receive(arrivals) {
                Err(error) if would_block(&error) => {}
                Err(error) => panic!("{error}"),
                Ok(()) => return Poll::Ready(()),
            }
        }
    })
    .await;
    calls
}

#[test]
#[cfg(target_os = "linux")]
fn a_datagram_takes_one_call_to_receive() {
    runtime().block_on(async {
        let (socket, address) = bound();
        let mut arrivals = Arrivals::new();
        for _ in 0..100 {
            sendable(&socket).await;
            socket.send(&Outgoing::new(address, b"to itself")).unwrap();
            assert_eq!(calls_until_received(&socket, &mut arrivals).await, 1);
        }
    });
}

#[test]
fn what_arrives_after_the_socket_was_empty_wakes_the_task() {
    runtime().block_on(async {
        let (socket, address) = bound();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut arrivals = Arrivals::new();
        for _ in 0..1000 {
            peer.send_to(b"one at a time", address).unwrap();
            let received = calls_until_received(&socket, &mut arrivals);
            tokio::time::timeout(Duration::from_secs(30), received).await.unwrap();
        }
    });
}

#[test]
fn who_waits_for_room_is_woken_when_there_is_some() {
    runtime().block_on(async {
        let (socket, address) = bound();
        for _ in 0..3 {
            sendable(&socket).await;
            socket.send(&Outgoing::new(address, b"to itself")).unwrap();
        }
    });
}

use std::future::poll_fn;
use std::task::Waker;

use super::*;

fn bound() -> (AsyncIoSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (AsyncIoSocket::new(socket).unwrap().0, address)
}

/// How often `receive` was called until something was there.
async fn calls_until_received(socket: &AsyncIoSocket, arrivals: &mut Arrivals) -> usize {
    let mut calls = 0;
    poll_fn(|cx| {
        loop {
            if socket.poll_receivable(cx).is_pending() {
                return Poll::Pending;
            }
            calls += 1;
            match socket.receive(arrivals) {
                Ok(()) => return Poll::Ready(()),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}"),
            }
        }
    })
    .await;
    calls
}

#[test]
fn datagrams_pass_and_wake_whoever_waits() {
    let ((sender, _), (receiver, address)) = (bound(), bound());
    let mut arrivals = Arrivals::new();
    smol::block_on(async {
        let send = async {
            smol::future::yield_now().await;
            poll_fn(|cx| sender.poll_sendable(cx)).await;
            sender.send(&Outgoing::new(address, b"hello")).unwrap();
        };
        smol::future::zip(calls_until_received(&receiver, &mut arrivals), send).await;
    });
    assert!(format!("{arrivals:?}").contains("count: 1"), "{arrivals:?}");
}

#[test]
fn an_exhausted_socket_is_not_asked_again_before_more_comes() {
    let ((sender, _), (receiver, address)) = (bound(), bound());
    let mut arrivals = Arrivals::new();
    smol::block_on(async {
        for _ in 0..3 {
            sender.send(&Outgoing::new(address, b"hello")).unwrap();
            let calls = calls_until_received(&receiver, &mut arrivals).await;
            assert!(calls <= 2, "{calls}");
            assert_eq!(receiver.receivable.get(), !arrivals.exhausted_the_socket());
        }
    });
}

#[test]
fn a_new_socket_is_asked_only_once_there_is_something() {
    let ((sender, _), (receiver, address)) = (bound(), bound());
    assert!(receiver.poll_receivable(&mut Context::from_waker(Waker::noop())).is_pending());
    sender.send(&Outgoing::new(address, b"hello")).unwrap();
    let mut arrivals = Arrivals::new();
    assert_eq!(smol::block_on(calls_until_received(&receiver, &mut arrivals)), 1);
}

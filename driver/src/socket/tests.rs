use std::net::UdpSocket;

use super::*;

fn pair() -> (UdpSocket, UdpOffload, UdpSocket) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let offload = UdpOffload::new((&socket).into()).unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.connect(socket.local_addr().unwrap()).unwrap();
    (socket, offload, peer)
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn only_a_call_that_saw_the_socket_empty_exhausted_it() {
    let (socket, offload, peer) = pair();
    let mut arrivals = Arrivals::new();
    for _ in 0..=TRAINS {
        peer.send(b"datagram").unwrap();
    }
    offload.receive((&socket).into(), &mut arrivals).unwrap();
    assert_eq!(arrivals.trains().count(), TRAINS);
    assert!(!arrivals.exhausted_the_socket());
    offload.receive((&socket).into(), &mut arrivals).unwrap();
    assert_eq!(arrivals.trains().count(), 1);
    assert!(arrivals.exhausted_the_socket());

    for _ in 0..TRAINS {
        peer.send(b"datagram").unwrap();
    }
    offload.receive((&socket).into(), &mut arrivals).unwrap();
    assert!(!arrivals.exhausted_the_socket(), "a full batch says nothing about the rest");
    let error = offload.receive((&socket).into(), &mut arrivals).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(arrivals.trains().count(), 0);
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn a_flow_is_not_waited_for() {
    let (socket, offload, peer) = pair();
    peer.send(&vec![0; MUCH]).unwrap();
    let mut arrivals = Arrivals::new();
    offload.receive((&socket).into(), &mut arrivals).unwrap();
    assert!(!arrivals.exhausted_the_socket());
}

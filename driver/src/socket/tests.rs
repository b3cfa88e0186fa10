use std::net::UdpSocket;

use super::*;

fn pair() -> (UdpSocket, UdpOffload, UdpSocket) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let offload = UdpOffload::new(&socket).unwrap();
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

/// What arrives of `outgoing`, on a socket bound to `receiver`, sent from one bound to `sender`.
fn arrived(sender: &str, receiver: &str, outgoing: &Outgoing<'_>) -> (usize, Vec<RecvMeta>) {
    let sender = UdpSocket::bind(sender).unwrap();
    let receiver = UdpSocket::bind(receiver).unwrap();
    let offload = UdpOffload::new(&receiver).unwrap();
    let mut destination = outgoing.destination;
    destination.set_port(receiver.local_addr().unwrap().port());
    let sending = UdpOffload::new(&sender).unwrap();
    sending.send((&sender).into(), &Outgoing { destination, ..*outgoing }).unwrap();
    let mut arrivals = Arrivals::new();
    let (mut length, mut metas) = (0, Vec::new());
    while length < outgoing.contents.len() {
        // On this machine, what is sent is there.
        match offload.receive((&receiver).into(), &mut arrivals) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
            result => result.unwrap(),
        }
        for (meta, payload) in arrivals.trains() {
            length += payload.len();
            metas.push(*meta);
        }
    }
    (sending.maximum_segments().get(), metas)
}

#[test]
fn marks_go_out_and_come_in_on_both_versions_of_ip() {
    let ways = [
        ("127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:1"),
        ("[::1]:0", "[::1]:0", "[::1]:1"),
        // IPv4 between sockets that take both.
        ("[::]:0", "[::]:0", "[::ffff:127.0.0.1]:1"),
        ("127.0.0.1:0", "[::]:0", "127.0.0.1:1"),
    ];
    for (sender, receiver, destination) in ways {
        let has_version = UdpSocket::bind(sender).is_ok() && UdpSocket::bind(receiver).is_ok();
        if !has_version {
            eprintln!("passed over, since the machine has no {sender}");
            continue;
        }
        for mark in
            [None, Some(EcnCodepoint::Ect0), Some(EcnCodepoint::Ect1), Some(EcnCodepoint::Ce)]
        {
            let mut outgoing = Outgoing::new(destination.parse().unwrap(), b"datagram");
            outgoing.ecn = mark;
            let (_, metas) = arrived(sender, receiver, &outgoing);
            let marks = metas.iter().map(|meta| meta.ecn.map_or(0, |ecn| ecn as u8));
            let expected = mark.map_or(0, |mark| mark as u8);
            assert_eq!(marks.collect::<Vec<_>>(), [expected], "{sender} to {destination}");
        }
    }
}

#[test]
fn every_datagram_of_a_train_has_the_mark() {
    for (from, destination) in [("127.0.0.1:0", "127.0.0.1:1"), ("[::1]:0", "[::1]:1")] {
        let Ok(socket) = UdpSocket::bind(from) else { continue };
        let segments = UdpOffload::new(&socket).unwrap().maximum_segments().get();
        if segments < 5 {
            continue;
        }
        let contents = [7; 5 * 1200];
        let mut outgoing = Outgoing::new(destination.parse().unwrap(), &contents);
        outgoing.segment_length = Some(1200);
        outgoing.ecn = Some(EcnCodepoint::Ect0);
        let (_, metas) = arrived(from, from, &outgoing);
        assert!(metas.iter().all(|meta| meta.stride == 1200));
        let ecn = metas.iter().map(|meta| meta.ecn.map(|ecn| ecn as u8));
        assert_eq!(ecn.collect::<Vec<_>>(), vec![Some(0b10); metas.len()], "{metas:?}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc9000#section-14
//= type=test
//# In IPv4
//# [IPv4], the Don't Fragment (DF) bit MUST be set if possible, to
//# prevent fragmentation on the path.
//= https://www.rfc-editor.org/rfc/rfc9000#section-14
//= type=test
//# UDP datagrams MUST NOT be fragmented at the IP layer.
//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# In IPv4, a probe packet MUST be sent with the Don't Fragment (DF) bit
//# set in the IP header and without network layer endpoint fragmentation.
#[test]
#[cfg(target_os = "linux")]
fn datagrams_are_not_fragmented() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(socket) = UdpSocket::bind(address) else { continue };
        let offload = UdpOffload::new(&socket).unwrap();
        assert!(!offload.state.may_fragment());
    }
}

#[test]
fn what_a_socket_of_ones_own_tells_of_a_train_is_all_there() {
    let remote = SocketAddr::from(([192, 0, 2, 1], 443));
    let mut arrivals = Arrivals::new();
    let mut train = Train::new(remote, b"abcabcab", 3);
    train.ecn = Some(EcnCodepoint::Ce);
    train.local_ip = Some(IpAddr::from([192, 0, 2, 2]));
    for _ in 0..TRAINS {
        assert!(arrivals.has_room());
        assert!(arrivals.push_train(&train));
    }
    assert!(!arrivals.has_room());
    assert!(!arrivals.push_train(&train));
    let (meta, payload) = arrivals.trains().last().unwrap();
    assert_eq!((meta.addr, meta.dst_ip, meta.stride), (remote, train.local_ip, 3));
    assert_eq!(meta.ecn, Some(quinn_udp::EcnCodepoint::Ce));
    assert_eq!(payload, b"abcabcab");
}

#[test]
fn the_trains_that_are_kept_stay_whole_and_in_order() {
    let remote = SocketAddr::from(([192, 0, 2, 1], 443));
    for kept in 0..1_u8 << TRAINS {
        let mut arrivals = Arrivals::new();
        let all = 0..u8::try_from(TRAINS).unwrap();
        all.clone().for_each(|i| assert!(arrivals.push(remote, &vec![i; 1 + usize::from(i)], 1)));
        arrivals.retain(|train| kept & (1 << train.contents[0]) != 0);
        let left = arrivals.trains().map(|(meta, payload)| (meta.len, payload.to_vec()));
        let expected = all.filter(|i| kept & (1 << i) != 0).map(|i| {
            let length = 1 + usize::from(i);
            (length, vec![i; length])
        });
        assert!(left.eq(expected), "{kept:#b}");
    }
}
